#!/bin/bash
#
# hardened.sh PROGRAM... - what compiler and linker were asked for is in the programs: read with readelf.
#
# Position independent, read-only relocations bound at the start, no executable stack, no segment both writable and executable, stack
# canaries, checked C library calls, landing places for indirect calls (x86-64), no search path of our own for libraries.
# The mark "IBT, SHSTK" of the whole program is not asked for: Debian 12's start files (crt1.o) do not carry it, so the linker leaves it out.
set -uo pipefail

broken=0

# is NAME PROGRAM TEXT PATTERN: complains unless the text has a line that matches.
is() {
    if ! grep -qE -- "$4" <<<"$3"; then
        echo "$2: $1 is missing" >&2
        broken=1
    fi
}

is_not() {
    if grep -E -- "$4" <<<"$3" >&2; then
        echo "$2: $1" >&2
        broken=1
    fi
}

[ $# -gt 0 ] || exit 64
for program in "$@"; do
    header=$(readelf -hW "$program")
    segments=$(readelf -lW "$program")
    dynamic=$(readelf -dW "$program")
    symbols=$(readelf --dyn-syms -W "$program")
    is 'a position independent executable' "$program" "$header" 'Type: +DYN'
    is 'the mark of an executable' "$program" "$dynamic" 'FLAGS_1.*PIE'
    is 'GNU_RELRO' "$program" "$segments" '^ +GNU_RELRO'
    is 'BIND_NOW' "$program" "$dynamic" 'FLAGS_1.*NOW'
    is 'a stack that is not executable' "$program" "$segments" '^ +GNU_STACK .* RW '
    is_not 'a segment is writable and executable' "$program" "$segments" ' RWE '
    is_not 'it relocates its own code' "$program" "$dynamic" 'TEXTREL'
    is_not 'it has a search path of its own for libraries' "$program" "$dynamic" 'RPATH|RUNPATH'
    is 'the stack canary' "$program" "$symbols" ' __stack_chk_fail'
    is 'a checked C library call' "$program" "$symbols" ' __(memcpy|snprintf|vsnprintf|fprintf)_chk'
    if grep -q 'X86-64' <<<"$header"; then
        is 'a landing place at main' "$program" "$(objdump -d --disassemble=main "$program")" 'endbr64'
    fi
done
[ "$broken" -eq 0 ] && echo "hardened: $*"
exit "$broken"
