#!/bin/bash
#
# analyze.sh BUILD [--brief] - reads our C with clang-tidy, cppcheck and gcc's -fanalyzer, and shows what they find; exits 1 when they find something.
#
# BUILD is a configured build folder: its compile_commands.json says how each file is compiled. A tool that is not installed is named and left out.
# Takes minutes; the build target `analyze` runs it. --brief leaves out clang's path-sensitive checks, and takes half a minute. What a tool is wrong about is listed in allowed, with the reason.
set -euo pipefail

build=$(realpath "${1:?the build folder}")
checks=()
[ "${2-}" != --brief ] || checks=(--checks=-clang-analyzer-*)
cd "$(dirname "$0")/../.."
work=$build/analyze
mkdir -p "$work"
broken=0

# What was looked at and is right as it is; each is where, and which finding.
allowed=(
    # Take the address of a member for one that can be NULL.
    'consumer/apply.c:.*NullDereference'
    # Do not know that a failed sl_fail returns false, or that a filled struct has its texts.
    'ops/trigger/sample.c:.*(NonNullParamChecker|null-argument)'
    'shared/amqp/amqp_url.c:.*NonNullParamChecker'
    # The list is NULL only when its count is 0.
    'shared/journal/journal_recover.c:.*(NullDereference|null-dereference)'
    'ops/journal/journal_survey.c:.*NullDereference'
    # Closed unless it is standard output.
    'ops/dead/dead_read.c:.*(file|malloc)-leak'
    # Do not see that getsockname fills what was zeroed, and sl_buf_span both members.
    'shared/http/http_server.c:.*CallAndMessage'
    'consumer/billing/billing_cells.c:.*use-of-uninitialized-value'
    # The value is kept in the caller's struct, at an offset; sl_tls_client has the cleanup attribute.
    'shared/config/conf.c:.*malloc-leak'
    # What SL_TAKE empties is what is returned.
    'shared/scope.h:.*malloc-leak'
    'shared/tls.c:.*memleak'
    # The handler given back holds it.
    'consumer/[a-z]+/[a-z]+_handler.c:.*memleak'
    # cppcheck 2.10 cannot read fields given to the log macros, and an empty compound literal; the other two read these files.
    '\[(syntaxError|internalAstError)\]$'
)

main() {
    mapfile -t sources < <(git ls-files -co --exclude-standard -- '*.c' | grep -v '^tests/')
    # clang knows neither of two flags of ours, and its warnings are not gcc's.
    sed 's/ -ftrivial-auto-var-init=zero//g; s/ -Wno-format-truncation//g; s/ -Werror//g' "$build/compile_commands.json" >"$work/compile_commands.json"
    tool clang-tidy tidy
    tool cppcheck check
    tool gcc analyze
    [ "$broken" = 0 ] && echo "analyze: nothing in ${#sources[@]} files"
    exit "$broken"
}

tool() { # program function
    local program=$1 findings
    if ! command -v "$program" >/dev/null; then
        echo "analyze: $program is not installed, left out"
        return
    fi
    SECONDS=0
    "$2" >"$work/$program.log" 2>&1 || true
    findings=$(grep -E '(warning|error|style|performance|portability): ' "$work/$program.log" | sort -u | without_allowed || true)
    echo "analyze: $program, ${SECONDS} s, $(grep -c . <<<"$findings" || true) findings"
    if [ -n "$findings" ]; then
        echo "$findings"
        echo "  all of it: $work/$program.log"
        broken=1
    fi
}

without_allowed() {
    grep -vEf <(printf '%s\n' "${allowed[@]}")
}

tidy() {
    printf '%s\0' "${sources[@]}" | xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet "${checks[@]}" -p "$work"
}

check() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr -j "$(nproc)" -I. -I"$build/generated" \
        --suppress=missingInclude --suppress=unknownMacro --suppress=preprocessorErrorDirective \
        --template='{file}:{line}: {severity}: {message} [{id}]' "${sources[@]}"
}

# With the flags of the build, but no code written and no sanitizer, which would hide paths.
analyze() {
    printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I{} \
        gcc -std=gnu17 -O1 -fanalyzer -S -o /dev/null -D_GNU_SOURCE '-DSLUICE_VERSION="0"' -I. -I"$build/generated" -I/usr/include/postgresql {}
}

main
