#!/bin/bash
#
# stack.sh start|stop SLUICE FILE - one RabbitMQ and one Postgres for a whole run of tests.
#
# start  runs `SLUICE dev --servers` in a throwaway directory, waits until both serve, and writes FILE: lines NAME=value,
#        without quotes, that shells can source and other languages split at the first "=". In it:
#          AMQP_URL, RABBITMQ_API_URL, DATABASE_URL      as the programs want them
#          STACK_AMQP_PORT, STACK_MANAGEMENT_PORT, STACK_POSTGRES_PORT
#          STACK_RABBITMQ_USER, STACK_RABBITMQ_PASSWORD
#          SLUICE_DEV_DIR                                the directory: `sluice dev stop rabbitmq` and so on act on it
#        A stack that FILE still names, left by a run that was killed, is stopped first.
# stop   stops it by its process id and removes the directory and FILE. The logs are shown if it cannot be stopped cleanly.
#
# Meant as setup and cleanup of a ctest fixture; safe to run by hand.
set -euo pipefail

readonly START_WAIT_S=330 # longer than `sluice dev` waits for its servers

main() {
    [ $# -eq 3 ] || fail 64 "usage: stack.sh start|stop SLUICE FILE"
    local verb=$1
    sluice=$2
    file=$3
    case $verb in
    start)
        stop
        start
        ;;
    stop) stop ;;
    *) fail 64 "usage: stack.sh start|stop SLUICE FILE" ;;
    esac
}

start() {
    local dir pid tries
    # Open to others, as Postgres runs as another user when this is root.
    dir=$(mktemp -d "${TMPDIR:-/tmp}/sluice-test-stack-XXXXXX")
    chmod 755 "$dir"
    mkdir -p "$(dirname "$file")"
    echo "SLUICE_DEV_DIR=$dir/stack" >"$file"
    # In a session of its own and without the caller's descriptors: ctest waits for everybody who holds its pipe.
    SLUICE_DEV_DIR=$dir/stack setsid "$sluice" dev --servers </dev/null >"$dir/log" 2>&1 3>&- 4>&- &
    pid=$!
    for ((tries = 0; tries < START_WAIT_S * 10; tries++)); do
        if [ -f "$dir/stack/stack.env" ]; then
            cat "$dir/stack/stack.env" >>"$file"
            echo "stack.sh: RabbitMQ and Postgres serve; see $file"
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    show_logs "$dir"
    stop
    fail 69 "the test stack did not come up"
}

stop() {
    local dir
    [ -f "$file" ] || return 0
    dir=$(sed -n 's/^SLUICE_DEV_DIR=//p' "$file" | head -n 1)
    [[ $dir == */sluice-test-stack-*/stack ]] || fail 65 "$file names no test stack"
    if [ -d "$dir" ]; then
        SLUICE_DEV_DIR=$dir "$sluice" dev stop >/dev/null 2>&1 || show_logs "${dir%/stack}"
        SLUICE_DEV_DIR=$dir "$sluice" dev reset >/dev/null || fail 75 "$dir could not be removed"
    fi
    rm -rf -- "${dir%/stack}" "$file"
}

show_logs() { # directory
    local log
    for log in "$1/log" "$1"/stack/logs/*.log; do
        [ -f "$log" ] || continue
        echo "--- $log" >&2
        tail -n 20 "$log" >&2
    done
}

fail() { # status text
    echo "stack.sh: $2" >&2
    exit "$1"
}

main "$@"
