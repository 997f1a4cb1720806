#!/bin/bash
#
# dev_survives SLUICE - `sluice dev --servers` through the rough handling it promises to survive.
#
# One line per claim; exits 1 when one does not hold. Works in a throwaway directory and touches no other stack.
set -euo pipefail

readonly SLUICE=$1
base=$(mktemp -d "${TMPDIR:-/tmp}/sluice-dev-test-XXXXXX")
chmod 755 "$base" # Postgres runs as another user when this is root
export SLUICE_DEV_DIR=$base/stack
trap clean_up EXIT

main() {
    start
    claim "both servers serve" "$SLUICE" dev status
    query 'CREATE TABLE kept (x int); INSERT INTO kept VALUES (1)'
    claim "a second supervisor is refused" refuses_a_second
    claim "a running stack is not removed" fails "$SLUICE" dev reset

    kill -KILL "$(pid_of postgres)" "$(pid_of rabbitmq)"
    claim "killed servers come back by themselves" wait_for all_ready_again 300
    claim "what was committed is still there" [ "$(query 'SELECT count(*) FROM kept')" = 1 ]

    "$SLUICE" dev stop rabbitmq >/dev/null
    claim "a stopped broker answers nobody" fails amqp_answers
    sleep 1.5
    claim "a stopped broker stays stopped" [ "$(state_of rabbitmq)" = stopped ]
    "$SLUICE" dev start rabbitmq >/dev/null
    claim "a started broker answers" amqp_answers

    local before
    before=$(grep _PORT= "$SLUICE_DEV_DIR/stack.env")
    kill -KILL "$(head -n 1 "$SLUICE_DEV_DIR/lock")"
    claim "addresses of a killed supervisor are not believed" wait_for knows_no_stack 30
    start
    claim "after kill -9 of the supervisor a new one starts" "$SLUICE" dev status
    claim "the data outlives the supervisor" [ "$(query 'SELECT count(*) FROM kept')" = 1 ]
    claim "Postgres keeps its port" [ "$(grep POSTGRES_PORT <<<"$before")" = "$(grep POSTGRES_PORT "$SLUICE_DEV_DIR/stack.env")" ]

    "$SLUICE" dev stop >/dev/null
    claim "a stopped stack leaves no process" wait_for has_no_process 60
    "$SLUICE" dev reset >/dev/null
    claim "reset leaves nothing behind" [ ! -e "$SLUICE_DEV_DIR" ]
}

start() {
    setsid "$SLUICE" dev --servers </dev/null >>"$base/log" 2>&1 3>&- 4>&- &
    disown
    sleep 0.2
    wait_for "$SLUICE dev env" 330
}

has_no_process() { fails pgrep -f "$SLUICE_DEV_DIR"; }
knows_no_stack() { fails "$SLUICE" dev env; }

refuses_a_second() {
    local status=0
    "$SLUICE" dev --servers >/dev/null 2>&1 || status=$?
    [ "$status" = 75 ]
}

all_ready_again() { [ "$(awk '$2 == "ready" && $5 >= 2' "$SLUICE_DEV_DIR/status" | wc -l)" = 2 ]; }

state_of() { awk -v name="$1" '$1 == name { print $2 }' "$SLUICE_DEV_DIR/status"; }
pid_of() { awk -v name="$1" '$1 == name { print $3 }' "$SLUICE_DEV_DIR/status"; }
port_of() { sed -n "s/^STACK_$1_PORT=//p" "$SLUICE_DEV_DIR/stack.env"; }

query() { psql -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(port_of POSTGRES)" -U sluice -c "$1" sluice; }

amqp_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$(port_of AMQP)") 2>/dev/null; }

fails() { ! "$@" >/dev/null 2>&1; }

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
        tail -n 30 "$base/log"
        exit 1
    fi
}

clean_up() {
    "$SLUICE" dev stop >/dev/null 2>&1 || true
    rm -rf "$base"
}

main
