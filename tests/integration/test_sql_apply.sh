#!/bin/bash
# test_sql_apply - stories told to the statements of consumer/sql/, on a real Postgres.
#
# Needs DATABASE_URL (a role that may create schemas) and psql. Works in a schema of its own, which it drops.
# Prints one line per claim; exits 1 when one does not hold, 77 (skipped) without DATABASE_URL.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
: "${DATABASE_URL:=}"
if [ -z "$DATABASE_URL" ]; then
    echo "DATABASE_URL is not set: skipped"
    exit 77
fi
schema="sql_apply_$$"
export PGOPTIONS="-c search_path=$schema -c client_min_messages=warning -c timezone=UTC"
trap 'psql "$DATABASE_URL" -qAtc "DROP SCHEMA IF EXISTS $schema CASCADE"' EXIT
psql "$DATABASE_URL" -qAtc "CREATE SCHEMA $schema"
for migration in "$root"/schemas/migrations/*.sql; do
    psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -qAt1 -f "$migration" >/dev/null
done

# Every statement is prepared as the consumer prepares it; then the stories run in one session.
{
    for file in "$root"/consumer/sql/*.sql; do
        # shellcheck disable=SC2016  # the backquotes are psql's
        printf '\\set body `cat %q`\nPREPARE %s AS :body;\n' "$file" "$(basename "$file" .sql)"
    done
    cat "$root/tests/integration/sql_apply.sql"
} | { psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -qAt >/dev/null; } 2>&1 # the claims are notices; rows say nothing
