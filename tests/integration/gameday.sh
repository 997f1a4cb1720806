#!/bin/bash
#
# gameday SLUICE SCENARIO... - game days on a whole private stack: each scenario for a few seconds, and its ledger.
#
# guards: every way in which prod and unknown inventories are refused. signal: a run that is stopped half way ends its fault.
# One line per claim; exits 1 when one does not hold. Works in a throwaway directory and touches no other stack.
set -euo pipefail

readonly SLUICE=$1
shift
driver='' # a game day that runs in the background
base=$(mktemp -d "${TMPDIR:-/tmp}/sluice-gameday-test-XXXXXX")
chmod 755 "$base" # Postgres runs as another user when this is root
export SLUICE_DEV_DIR=$base/stack
unset INVENTORY CONFIRM_PROD SKIP_BACKUP_FRESHNESS SLUICE_GAMEDAY
trap clean_up EXIT

main() {
    guards
    start
    local scenario
    for scenario in "$@"; do
        case $scenario in
        signal) stopped ;;
        *) hold "$scenario" ;;
        esac
    done
}

# ---- without a stack ----

guards() {
    says 64 "staging or prod, nothing else" env INVENTORY=production "$SLUICE" gameday run poison-flood --yes
    says 64 "staging or prod, nothing else" env INVENTORY=dev "$SLUICE" gameday list
    says 78 "broker-stop.begin and broker-stop.end in its section \[staging\]" "$SLUICE" gameday run broker-stop
    says 2 "^INVENTORY  staging" "$SLUICE" gameday run poison-flood
    says 2 "^INVENTORY  PROD" env INVENTORY=prod "$SLUICE" gameday run poison-flood
    says 64 "needs CONFIRM_PROD=1" env INVENTORY=prod "$SLUICE" gameday run poison-flood --yes
    says 64 "stdin has to be a terminal" env INVENTORY=prod CONFIRM_PROD=1 "$SLUICE" gameday run poison-flood --yes
    says 78 "section \[prod\] has no broker-stop.end" env INVENTORY=prod SLUICE_GAMEDAY="$(commands)" "$SLUICE" gameday run broker-stop

    mkdir "$base/bin"
    at_terminal 64 "pgbackrest is not on this machine" KILL-PROD ""
    backups 'exit 55'
    at_terminal 64 "gave no answer that can be read" KILL-PROD ""
    backups 'echo "[]"'
    at_terminal 64 "without a good backup" KILL-PROD ""
    backups "echo '[{\"name\":\"main\",\"backup\":[{\"error\":false,\"timestamp\":{\"stop\":$(($(date +%s) - 90000))}}]}]'"
    at_terminal 64 "the last backup is 25 h old" KILL-PROD ""
    at_terminal 64 "that is not the phrase" kill-prod SKIP_BACKUP_FRESHNESS=1
    at_terminal 69 "NOT CHECKED (SKIP_BACKUP_FRESHNESS=1)" KILL-PROD SKIP_BACKUP_FRESHNESS=1
    backups "echo '[{\"name\":\"main\",\"backup\":[{\"error\":false,\"timestamp\":{\"stop\":$(($(date +%s) - 3600))}}]}]'"
    at_terminal 64 "that is not the phrase" KILL-STAGING ""
    # Let in, it looks first whether all is well, and nobody answers there.
    at_terminal 69 "nothing answers at http://127.0.0.1:9" KILL-PROD ""
}

commands() {
    printf '[prod]\nbroker-stop.begin = true\n' >"$base/gameday.conf"
    echo "$base/gameday.conf"
}

backups() { # shell text
    printf '#!/bin/sh\n%s\n' "$1" >"$base/bin/pgbackrest"
    chmod 755 "$base/bin/pgbackrest"
}

# A person at a terminal in prod who types a phrase when asked.
at_terminal() { # status text phrase assignment
    local status=0
    timeout 60 env INVENTORY=prod CONFIRM_PROD=1 ${4:+"$4"} PATH="$base/bin" \
        SLUICE_PUBLISHER_URL=http://127.0.0.1:9 STRIPE_WEBHOOK_SECRET=whsec_abcdefghijklmnopqrstuvwx \
        "$(command -v script)" -qec "$SLUICE gameday run poison-flood --yes" /dev/null <<<"$3" >"$base/said" 2>&1 || status=$?
    claim "prod: $2" [ "$status" = "$1" ]
    claim "prod: it says so" grep -q -- "$2" "$base/said"
}

says() { # status text command...
    local expected=$1 text=$2 status=0
    shift 2
    "$@" </dev/null >"$base/said" 2>&1 || status=$?
    claim "$text" [ "$status" = "$expected" ]
    claim "it says so" grep -q -- "$text" "$base/said"
}

# ---- with one ----

# Two subsystems with the same events, one of which takes invoices alone, and one that would keep the game day waiting.
start() {
    printf '[%s]\nhandler = %s\nbindings = %s\n%s\n' billing billing 'stripe.#' '' \
        activity sql 'stripe.#' 'function = take' invoices sql 'stripe.invoice.#' 'function = take' \
        slow sql 'stripe.#' $'function = take\ndelay = 12h' >"$base/subsystems.conf"
    export SLUICE_SUBSYSTEMS=$base/subsystems.conf
    setsid "$SLUICE" dev </dev/null >>"$base/log" 2>&1 3>&- 4>&- &
    disown
    claim "a whole stack serves" wait_for "$SLUICE dev status" 400
    ask "CREATE FUNCTION take(event_id text) RETURNS void LANGUAGE sql AS 'SELECT'"
}

hold() { # scenario
    local status=0
    "$SLUICE" gameday run "$1" --for 4s --rate 10 --drain 6m --yes -o json --report "$base/$1.md" >"$base/$1.json" 2>"$base/said" || status=$?
    cat "$base/$1.json"
    claim "$1: nothing is lost, nothing doubled" [ "$status" = 0 ]
    claim "$1: every event has its place in each subsystem" [ "$(grep -o '"journaled":0,"waiting":0,"lost":0,"duplicated":0,"unexpected":0' "$base/$1.json" | wc -l)" = 3 ]
    claim "$1: the one that waits is left out, and said to be" grep -q '"left_out":\["slow"\]' "$base/$1.json"
    claim "$1: each has what it takes" [ "$(applied activity "$1")" -ge "$(applied billing "$1")" ]
    claim "$1: and not what it does not" [ "$(applied invoices "$1")" -lt "$(applied billing "$1")" ]
    claim "$1: the page says so" grep -q '^\*\*PASSED' "$base/$1.md"
    case $1 in
    broker-stop | broker-freeze | disk-full)
        claim "$1: events were answered 202, and all of them arrived" [ "$(figure degraded "$1")" -gt 0 ]
        claim "$1: they are those that recovered" [ "$(figure degraded "$1")" = "$(figure recovered "$1")" ]
        claim "$1: nobody waited for five seconds" [ "$(sed -n 's/.*"slowest_answer_ms":\([0-9]*\).*/\1/p' "$base/$1.json")" -lt 5000 ]
        ;;
    poison-flood)
        claim "$1: poison is set aside" [ "$(figure dead_letters "$1")" -gt 0 ]
        claim "$1: and is none where it can be applied" [ "$(applied activity "$1")" -gt "$(applied billing "$1")" ]
        ;;
    retry-storm)
        claim "$1: tries failed, and came again" [ "$(ask "SELECT count(*) FROM sluice_attempt WHERE code = 'SLRTY'")" -gt 0 ]
        claim "$1: none was given up for it" [ "$(ask "SELECT count(*) FROM sluice_dead_letter WHERE error_code = 'SLRTY'")" = 0 ]
        ;;
    producer-storm)
        claim "$1: it was many times the usual rate" [ "$(figure attempted "$1")" -gt 400 ]
        claim "$1: every event had an answer" [ "$(figure unanswered "$1")" = 0 ]
        ;;
    postgres-kill | consumer-crash-loop)
        claim "$1: every event was answered 200" [ "$(figure attempted "$1")" = "$(figure acknowledged "$1")" ]
        claim "$1: it was seen" grep -q '"degraded_after_ms":[0-9]' "$base/$1.json"
        ;;
    esac
}

# Of the stack's database.
ask() { (eval "$("$SLUICE" dev env)" && psql "$DATABASE_URL" -qAtXc "$1"); }

# Of the answers, or of the ledger of billing, which is the first.
figure() { sed -n "s/.*\"answers\":{//; s/{\"subsystem\":\"activity.*//; s/.*\"$1\":\([0-9]*\).*/\1/p" "$base/$2.json"; }
applied() { sed -n "s/.*{\"subsystem\":\"$1\",\"applied\":\([0-9]*\).*/\1/p" "$base/$2.json"; }

stopped() {
    local status=0
    : >"$base/said" # what the last one said is no sign
    "$SLUICE" gameday run broker-stop --for 5m --rate 10 --drain 4m --yes >"$base/out" 2>"$base/said" &
    driver=$!
    claim "the fault holds" wait_for is_held 300
    kill -TERM "$driver"
    wait "$driver" || status=$?
    driver=''
    claim "a run that is stopped says so" [ "$status" = 130 ]
    claim "and has ended its fault" "$SLUICE" dev status
    claim "and has its ledger" grep -q '^STOPPED: nothing was lost' "$base/out"
}

is_held() { grep -q 'the fault holds' "$base/said"; }

wait_for() { # command seconds
    local tries
    for ((tries = 0; tries < $2 * 10; tries++)); do
        if $1 >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    return 1
}

claim() { # sentence command...
    local sentence=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "ok: $sentence"
    else
        echo "FAILED: $sentence"
        tail -n 30 "$base/said" "$base/log" 2>/dev/null || true
        exit 1
    fi
}

clean_up() {
    [ -z "$driver" ] || kill -KILL "$driver" 2>/dev/null || true
    "$SLUICE" dev stop >/dev/null 2>&1 || true
    rm -rf "$base"
}

main "$@"
