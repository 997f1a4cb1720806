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

# A file of several behind one header: x_y.c where the first include is x_parts.h, or the header of x.
has_parts() { # file
    local first
    first=$(grep -m 1 '^#include "' "$1" | cut -d'"' -f2)
    [[ $first == *_parts.h || $1 == "${first%.h}"_* ]]
}

# One external library, one file that includes its header.
declare -A edge=(
    ['amqp(_[a-z]+)?\.h|rabbitmq-c/']='shared/amqp/amqp_wire(_method|_out)?\.c'
    ['libpq-fe\.h']='shared/pg/pg_link(_[a-z]+)?\.c'
    ['msgpack(\.h|/)']='shared/event/envelope\.c'
    ['curl/']='shared/http/http_client\.c'
    ['seccomp\.h']='shared/sandbox/seccomp\.c'
    ['simdjson']='shared/json/json\.cc'
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
complain 'shared/ knows none of the programs' "$(grep -nE '#include "(publisher|consumer|ops)/' shared --include='*.[ch]' -r || true)"
for folder in publisher consumer ops; do
    complain "$folder/ includes another program" \
        "$(grep -rnE --include='*.[ch]' '#include "(publisher|consumer|ops)/' "$folder" | grep -vE "#include \"$folder/|consumer/billing/billing_types\.def|\"(publisher|consumer)/config\.def\"" || true)"
done

# Words that are never written.
complain 'banned function' \
    "$(sources | xargs grep -nE '\b(strcpy|strcat|sprintf|strtok|atoi|gets|system|setjmp|longjmp|alloca)\(' || true)"

# Every error has a page that exists and explains it by its name; every logged event is listed.
complain 'shared/errors.def: the page does not explain the error' "$(
    sed -nE 's/^SL_ERR\([A-Z_]+, *[A-Z]+, *"([^"]+)", *"([^"]+)"\).*/\1 \2/p' shared/errors.def | while read -r name page; do
        grep -qsF "\`$name\`" "runbooks/$page" || echo "$name in runbooks/$page"
    done
)"
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

# Each file says in its first lines what it is. A .c says it in its header, unless it has none.
banner='^[[:space:]]*(/\*|//|--|#|<!--)'
complain 'no banner in the first lines' "$(
    git ls-files -co --exclude-standard -- '*.h' '*.sh' '*.mjs' '*.lua' '*.sql' '*.def' '*.cmake' '*.yaml' '*.conf' 'tests/support/*.c' 'tests/bench/*.c' 'tests/fuzz/*.c' |
        while read -r file; do
            grep -qE "$banner" <<<"$(head -n 3 "$file")" || echo "$file"
        done
    for file in {shared,publisher,consumer,ops}/{,*/}*.c; do
        [ -f "${file%.c}.h" ] || [[ $file == */main.c ]] || has_parts "$file" || grep -qE "$banner" <<<"$(head -n 1 "$file")" || echo "$file"
    done
)"

# Every test runs: what is written as one is known to ctest (the globs of CMake find C tests and scenarios by their place and name).
known_tests=$(cat tests/CMakeLists.txt tests/*/CMakeLists.txt)
complain 'a test that ctest does not know' "$(
    git ls-files -co --exclude-standard -- 'tests/integration/*.test.mjs' 'tests/integration/*.sh' | grep -vE '/lib/|/test_[a-z_]+\.sh$' | while read -r file; do
        name=$(basename "$file")
        grep -qE "(^|[^a-z0-9_])${name%%.*}([^a-z0-9_]|$)" <<<"$known_tests" || echo "$file"
    done
    git ls-files -co --exclude-standard -- 'tests/outage/*.mjs' | grep -vE '/lib/|^tests/outage/([a-z][0-9]{2}_[a-z0-9_]+|[a-z_]+\.test)\.mjs$' || true
    git ls-files -co --exclude-standard -- 'tests/unit/*.c' 'tests/integration/*.c' | grep -vE '^tests/(unit|integration)/(shared|publisher|consumer|ops)/test_[a-z0-9_]+\.c$' || true
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
