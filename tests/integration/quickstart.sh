#!/bin/bash
# quickstart.sh - the README's first command does what the README says, and leaves nothing running.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

grep -q '^    compose/quickstart$' "$root/README.md" || { echo "README.md does not name the command that is tested here" >&2; exit 1; }
dir=$(mktemp -d /tmp/sluice-test-quickstart-XXXXXX)
chmod 755 "$dir"
trap 'rm -rf -- "$dir"' EXIT
SLUICE_DEV_DIR=$dir/stack "$root/compose/quickstart" --once --count 200 </dev/null | tee "$dir/out"

fail() {
    echo "quickstart.sh: $1" >&2
    exit 1
}
grep -q 'Proved: 200 events were accepted, 200 rows are in sluice_inbox' "$dir/out" || fail "the rows were not proved"
grep -q 'Proved: each of 2 subsystems has applied all 200 events' "$dir/out" || fail "the second subsystem was not fed"
grep -q 'Proved: 100 events were accepted while the broker was away, 100 rows arrived when it was back, lost: 0' "$dir/out" || fail "the outage was not survived"
grep -qE 'billing_customer +\| +[1-9]' "$dir/out" || fail "no customer arrived"
grep -q 'From webhook to committed row' "$dir/out" || fail "no latency was shown"
# Processes of the stack: the broker's own helpers end a moment after it.
left() {
    local process
    for process in /proc/[0-9]*/environ; do
        if { tr '\0' '\n' <"$process"; } 2>/dev/null | grep -qF "$dir/stack"; then
            echo "${process//[^0-9]/}"
        fi
    done
}
for ((tries = 0; tries < 300; tries++)); do
    [ -n "$(left)" ] || exit 0
    sleep 0.1
done
fail "processes were left behind: $(left | tr '\n' ' ')"
