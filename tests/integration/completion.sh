#!/bin/bash
#
# completion.sh SLUICE - the completion scripts and the manual page, in the programs that read them.
#
# For every command that `sluice help` lists, bash offers its words and the flags of its help. zsh, fish and mandoc read theirs without a complaint,
# where they are installed.
set -euo pipefail

sluice=$(realpath "${1:?the program}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

complain() {
    echo "completion.sh: $*" >&2
    failed=1
}

# What bash offers behind these words; the last one is the one being typed.
offered() {
    COMP_WORDS=("$sluice" "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _sluice
    printf '%s\n' "${COMPREPLY[@]}"
}

offers() { # what words...
    local what=$1
    shift
    offered "$@" | grep -xF -- "$what" >/dev/null || complain "behind 'sluice $*' nothing offers '$what'"
}

"$sluice" completion bash >"$dir/bash"
# shellcheck source=/dev/null
. "$dir/bash"

commands=0
while read -r name; do
    read -r noun verb <<<"$name"
    offers "$noun" ''
    [ -z "$verb" ] || offers "$verb" "$noun" ''
    # shellcheck disable=SC2086
    while read -r flag; do
        offers "$flag" $name ''
    done < <("$sluice" help $name | grep -oE '^ {2,4}--?[a-z-]+' | tr -d ' ')
    commands=$((commands + 1))
done < <("$sluice" help | sed -n '/^Commands:/,/^Everywhere/s/^  \([a-z]* \?[a-z]*\)  .*/\1/p')
[ "$commands" -ge 10 ] || complain "only $commands commands were found in the help"

offers json migrate up -o ''
offers --timeout health --url http://localhost --t
offers bash completion b
cd "$dir" && touch secret.txt
offers secret.txt trigger --secret-file s
# Names that exist here: asked of the program, which is the first word.
printf '[mailing]\nhandler = sql\nfunction = f\nbindings = a.b\n[off]\nenabled = false\nhandler = sql\nfunction = f\nbindings = a.b\n' >subsystems.conf
export SLUICE_SUBSYSTEMS=$dir/subsystems.conf DATABASE_URL=postgres://nobody@127.0.0.1:1/none
offers mailing queue pause m
offers sluice.mailing queue purge ''
offers sluice.mailing.replay queue purge sluice.m
offers mailing dead list --subsystem ''
offers broker-stop gameday run ''
[ "$(offered queue pause o)" = '' ] || complain 'a subsystem that is off is offered'
[ "$(offered dead list --type '')" = '' ] || complain 'types are offered without a database'
said=$("$sluice" completion --names types,subsystems,nonsense 2>&1) || complain "names end with $?"
[ "$said" = mailing ] || complain "without a database the names are '$said'"

[ "$(offered migrate up --wait '')" = '' ] || complain 'words are offered where a duration is meant'

if command -v zsh >/dev/null; then
    "$sluice" completion zsh >"$dir/_sluice"
    zsh -n "$dir/_sluice" || complain 'zsh does not read its script'
    follow=$(zsh -fc ". $dir/_sluice 2>/dev/null; _sluice_follow migrate; print -r -- \$found" || true)
    names=$(zsh -fc ". $dir/_sluice 2>/dev/null; _sluice_follow queue purge; print -r -- \$names" || true)
    [ "$names" = queues ] || complain "zsh asks for '$names' behind 'sluice queue purge'"
    [ "$follow" = '--help up status' ] || complain "zsh offers '$follow' behind 'sluice migrate'"
fi
if command -v fish >/dev/null; then
    "$sluice" completion fish >"$dir/sluice.fish"
    export HOME=$dir
    fish --no-execute "$dir/sluice.fish" || complain 'fish does not read its script'
    fish -c "source $dir/sluice.fish; complete -C 'sluice migrate '" | grep '^status' >/dev/null || complain 'fish does not offer migrate status'
    fish -c "source $dir/sluice.fish; complete -C 'sluice migrate up --'" | grep '^--wait' >/dev/null || complain 'fish does not offer migrate up --wait'
fi
if command -v mandoc >/dev/null; then
    "$sluice" man >"$dir/sluice.1"
    mandoc -T lint -W warning "$dir/sluice.1" >&2 || complain 'mandoc has something to say'
    for daemon in publisher consumer; do
        "$sluice" man $daemon >"$dir/sluice-$daemon.8"
        mandoc -T lint -W warning "$dir/sluice-$daemon.8" >&2 || complain "mandoc has something to say of $daemon"
    done
    mandoc -T utf8 "$dir/sluice-publisher.8" | col -b | grep 'SLUICE_JOURNAL_MAX' >/dev/null || complain 'a key of the publisher is not in its page'
    mandoc -T utf8 "$dir/sluice.1" | col -b | grep 'sluice topology diff -o json' >/dev/null || complain 'an example is not in the page as it is typed'
fi
if "$sluice" completion tcsh 2>"$dir/said"; then
    complain 'an unknown shell is not refused'
fi
grep -q "'tcsh' is none of bash, zsh, fish" "$dir/said" || complain 'the refusal names no shells'

[ "$failed" = 0 ] && echo "completion.sh: $commands commands are offered"
exit "$failed"
