#!/bin/bash
# check.sh - the rules of the house that a machine can see. Prints what breaks them; exits 1 when something does.
set -euo pipefail
cd "$(dirname "$0")/../.."
broken=0

# complain RULE OUTPUT: counts and shows a rule's findings, when there are any.
complain() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n\n' "$1" "$2"
        broken=1
    fi
}

sources() {
    git ls-files -co --exclude-standard -- '*.c' '*.h' '*.cc' | grep -v '^tests/'
}

# One external library, one file that includes its header.
declare -A edge=(
    ['amqp(_[a-z]+)?\.h|rabbitmq-c/']='shared/amqp_wire(_out)?\.c'
    ['libpq-fe\.h']='shared/pg_link\.c'
    ['msgpack(\.h|/)']='shared/envelope\.c'
    ['curl/']='shared/http_client\.c'
    ['seccomp\.h']='shared/seccomp\.c'
    ['simdjson']='shared/json\.cc'
)
for header in "${!edge[@]}"; do
    complain "only ${edge[$header]} may include $header" \
        "$(sources | xargs grep -nE "#include <($header)" | grep -vE "^${edge[$header]}:" || true)"
done
complain 'only shared/digest.c and shared/tls.c may include OpenSSL' \
    "$(sources | xargs grep -nE '#include <openssl/' | grep -vE '^shared/(digest|tls)\.c:' || true)"
complain "libevent belongs in shared/ only" \
    "$(sources | grep -v '^shared/' | xargs grep -nE '#include <event' || true)"

# Includes point from programs to shared/.
complain 'shared/ knows none of the programs' "$(grep -nE '#include "(publisher|consumer|ops)/' shared/*.[ch] || true)"
for folder in publisher consumer ops; do
    complain "$folder/ includes another program" \
        "$(grep -rnE --include='*.[ch]' '#include "(publisher|consumer|ops)/' "$folder" | grep -vE "#include \"$folder/|consumer/billing_types\.def" || true)"
done

# Words that are never written.
complain 'banned function' \
    "$(sources | xargs grep -nE '\b(strcpy|strcat|sprintf|strtok|atoi|gets|system|setjmp|longjmp|alloca)\(' || true)"

# Every error code names a page that exists; every logged event is listed.
while read -r page; do
    [ -f "runbooks/$page" ] || complain 'shared/errors.def names a page that does not exist' "runbooks/$page"
done < <(grep -oE '"[a-z-]+\.md"|"README\.md"' shared/errors.def | tr -d '"' | sort -u)
complain 'logged, but not in shared/events.def' "$(
    sources | xargs grep -hozE 'sl_(debug|info|warn|error|loss|log_err)\([^;]*' | tr '\0\n' '\n ' |
        grep -oE '"[a-z_]+\.[a-z_]+"' | sort -u | while read -r name; do
        grep -qF "SL_EVENT($name" shared/events.def || echo "$name"
    done
)"
complain 'in shared/events.def, but never logged' "$(
    grep -oE 'SL_EVENT\("[^"]+"' shared/events.def | cut -d'"' -f2 | while read -r name; do
        sources | xargs grep -qF "\"$name\"" || echo "$name"
    done
)"

# Form.
if command -v clang-format >/dev/null; then
    complain 'not formatted (clang-format -i)' \
        "$(git ls-files -co --exclude-standard -- '*.c' '*.h' | xargs clang-format --dry-run 2>&1 | grep -oE '^[^:]+' | sort -u || true)"
fi
if command -v shellcheck >/dev/null; then
    complain 'shellcheck' \
        "$(git ls-files -co --exclude-standard | xargs grep -lE '^#!/bin/(ba)?sh' | xargs shellcheck -x -S warning 2>&1 || true)"
fi

[ "$broken" -eq 0 ] && echo 'the house is in order'
exit "$broken"
