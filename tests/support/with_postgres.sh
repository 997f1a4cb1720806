#!/bin/bash
#
# with_postgres.sh COMMAND... - runs a command with a private Postgres, then stops and removes that Postgres.
#
# The command gets DATABASE_URL (superuser, loopback, free port) and PG_SUPERVISED=1: a server that it kills is started again. Exits as the
# command does; 77 (skipped) when Postgres is not installed. A DATABASE_URL that is set already is used as it is.
set -euo pipefail

if [ -n "${DATABASE_URL-}" ]; then
    exec "$@"
fi
if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then
    echo "with_postgres.sh: Postgres is not installed: skipped" >&2
    exit 77
fi

here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d /tmp/sluice-test-pg.XXXXXX)
chmod 755 "$dir"
# A copy that the owner of the data can read, wherever this checkout is.
cp "$here/ops/dev/postgres.sh" "$dir/postgres.sh"
chmod 755 "$dir/postgres.sh"
export STACK_DIR=$dir/server
# Below the range the kernel gives to outgoing connections, so that nothing takes the port while the server restarts.
until [ -n "${STACK_POSTGRES_PORT-}" ]; do
    port=$((31000 + RANDOM % 1700))
    # shellcheck disable=SC2016  # Perl's own variables
    perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => $ARGV[0])' "$port" && STACK_POSTGRES_PORT=$port
done
export STACK_POSTGRES_PORT

# Dies with this script, and the server with it, however this script ends.
supervise() {
    # shellcheck disable=SC2016  # expanded by the inner shell
    exec setpriv --pdeathsig TERM bash -c 'while [ ! -e "$1/stop" ]; do
        setpriv --pdeathsig INT "$1/postgres.sh" run >>"$1/log" 2>&1 || true
    done' supervise "$dir"
}

finish() {
    touch "$dir/stop"
    "$dir/postgres.sh" stop >>"$dir/log" 2>&1 || true
    wait "$supervisor" 2>/dev/null || true
    rm -rf "$dir"
}

supervise &
supervisor=$!
trap finish EXIT
for ((tries = 0; tries < 3000; tries++)); do
    if "$dir/postgres.sh" ready >/dev/null 2>&1; then break; fi
    sleep 0.1
done
if ((tries == 3000)); then
    echo "with_postgres.sh: the server did not start:" >&2
    cat "$dir/log" >&2
    exit 1
fi
export DATABASE_URL=postgres://sluice@127.0.0.1:$STACK_POSTGRES_PORT/sluice
export PG_SUPERVISED=1
"$@"
