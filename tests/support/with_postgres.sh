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
STACK_POSTGRES_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export STACK_POSTGRES_PORT

supervise() {
    while [ ! -e "$dir/stop" ]; do
        "$dir/postgres.sh" run >>"$dir/log" 2>&1 || true
    done
}

finish() {
    touch "$dir/stop"
    "$dir/postgres.sh" stop >>"$dir/log" 2>&1 || true
    wait "$supervisor" || true
    rm -rf "$dir"
}

supervise &
supervisor=$!
trap finish EXIT
for ((tries = 0; tries < 300; tries++)); do
    "$dir/postgres.sh" ready >/dev/null 2>&1 && break
    sleep 0.1
done
export DATABASE_URL=postgres://sluice@127.0.0.1:$STACK_POSTGRES_PORT/sluice
export PG_SUPERVISED=1
"$@"
