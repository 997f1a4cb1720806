#!/bin/bash
#
# postgres.sh VERB - one private Postgres cluster that lives in one directory.
#
#   run    create the cluster and its database when they are new, then become the postmaster (same process id)
#   stop   stop the server of this directory and wait until it and its children are gone
#   ready  exit 0 when queries are accepted
#
# Environment: STACK_DIR (this server's own directory), STACK_POSTGRES_PORT.
#
# Role and database are called sluice; every local user may connect over loopback, nobody from elsewhere. Durability
# is the real one (fsync on). The postmaster refuses root, so as root everything but making the directory
# runs as the owner of the data: user postgres, or nobody. Every directory above STACK_DIR has to be open to that user.
# INT is a clean stop that ends open sessions (TERM would wait for them). A system-wide Postgres is never touched.
set -euo pipefail

readonly STOP_WAIT_S=20
readonly ORPHAN_WAIT_S=10 # after kill -9 of a postmaster its children leave by themselves, idle ones at once

main() {
    : "${STACK_DIR:?the directory of this server}"
    case ${1-} in
    run | stop)
        umask 077
        [ "$(id -u)" != 0 ] || become_owner "$1"
        mkdir -p "$STACK_DIR"
        STACK_DIR=$(cd "$STACK_DIR" && pwd -P)
        readonly DATA=$STACK_DIR/data
        "$1"
        ;;
    ready) ready ;;
    *) fail 64 "usage: postgres.sh run|stop|ready" ;;
    esac
}

# Does the same verb again without root. The signal on the supervisor's death is named here
# because a change of user clears the one that was inherited.
become_owner() {
    local owner=nobody
    if [ -d "$STACK_DIR/data" ]; then
        owner=$(stat -c %u "$STACK_DIR/data")
    elif id postgres >/dev/null 2>&1; then
        owner=postgres
    fi
    mkdir -p "$STACK_DIR"
    chown "$(id -u "$owner"):$(id -g "$owner")" "$STACK_DIR"
    local as=(setpriv --reuid "$(id -u "$owner")" --regid "$(id -g "$owner")" --clear-groups)
    "${as[@]}" test -w "$STACK_DIR" ||
        fail 77 "user $owner cannot reach $STACK_DIR; choose a state directory whose parents are open to everybody"
    "${as[@]}" test -r "$0" || fail 77 "user $owner cannot read $0"
    exec "${as[@]}" --pdeathsig INT env -i PATH=/usr/bin:/bin LANG=C.UTF-8 \
        STACK_DIR="$STACK_DIR" STACK_POSTGRES_PORT="${STACK_POSTGRES_PORT-}" bash "$0" "$1"
}

run() {
    local bin
    bin=$(bin_dir)
    stop
    [ -d "$DATA" ] || create "$bin"
    cd "$STACK_DIR"
    exec env -i PATH=/usr/bin:/bin LANG=C.UTF-8 HOME="$STACK_DIR" \
        "$bin/postgres" -D "$DATA" -c listen_addresses=127.0.0.1 -c port="$STACK_POSTGRES_PORT" \
        -c unix_socket_directories='' -c cluster_name=sluice-dev
}

# Built beside its final place and moved there whole, so that an interrupted creation leaves nothing half.
create() { # bin
    rm -rf "$DATA.new"
    "$1/initdb" -D "$DATA.new" -U sluice --auth=trust -E UTF8 --locale=C.UTF-8 -k >&2
    echo 'CREATE DATABASE sluice' | "$1/postgres" --single -j -D "$DATA.new" postgres >/dev/null
    mv "$DATA.new" "$DATA"
}

# Postgres' own tools decide by the process id in postmaster.pid, which may by now belong to somebody else.
# A postmaster and its children work in the data directory: that is the proof used here, and once no such
# process is left, a pid file that is left is stale.
stop() {
    local pid tries
    [ -d "$DATA" ] || return 0
    if pid=$(head -n 1 "$DATA/postmaster.pid" 2>/dev/null) && works_here "$pid"; then
        kill -INT "$pid" 2>/dev/null || true
        for ((tries = 0; tries < STOP_WAIT_S * 10; tries++)); do
            works_here "$pid" || break
            sleep 0.1
        done
        if works_here "$pid"; then
            echo "postgres.sh: no clean stop within $STOP_WAIT_S s, ending process $pid at once" >&2
            kill -QUIT "$pid" 2>/dev/null || true
        fi
    fi
    for ((tries = 0; tries < ORPHAN_WAIT_S * 10; tries++)); do
        [ -n "$(workers)" ] || break
        sleep 0.1
    done
    for pid in $(workers); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    for ((tries = 0; tries < 50; tries++)); do
        [ -n "$(workers)" ] || break
        sleep 0.1
    done
    [ -z "$(workers)" ] || fail 75 "processes $(workers) do not leave $DATA"
    rm -f "$DATA/postmaster.pid"
}

works_here() { # pid
    [ "$(readlink "/proc/$1/cwd" 2>/dev/null)" = "$DATA" ] &&
        [[ $(readlink "/proc/$1/exe" 2>/dev/null) == */bin/postgres* ]]
}

# Processes of this cluster, whoever their parent is now.
workers() {
    local process
    for process in /proc/[0-9]*; do
        if works_here "${process#/proc/}"; then
            echo "${process#/proc/}"
        fi
    done
}

ready() {
    local bin
    bin=$(bin_dir)
    exec "$bin/pg_isready" -q -t 2 -h 127.0.0.1 -p "$STACK_POSTGRES_PORT" -d sluice
}

# The version the data was made with, else the newest installed from 15 on.
bin_dir() {
    local version=
    version=$(cat "$STACK_DIR/data/PG_VERSION" 2>/dev/null) ||
        version=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -n | tail -n 1)
    if [ ! -x "/usr/lib/postgresql/$version/bin/postgres" ] || [ "$version" -lt 15 ]; then
        fail 69 "Postgres ${version:-15} is not installed (Debian package postgresql-${version:-15})"
    fi
    echo "/usr/lib/postgresql/$version/bin"
}

fail() { # status text
    echo "postgres.sh: $2" >&2
    exit "$1"
}

main "$@"
