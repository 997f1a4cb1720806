#!/bin/bash
#
# commands.sh SLUICE - what every command of `sluice` keeps, whatever it does: where its help goes, and the exit statuses of the manual.
#
# The list is the manual page's, so a new command is held to it without a line here. Needs no server: DATABASE_URL, AMQP_URL and the state folder
# lead nowhere. Law of the numbers: sluice(1), EXIT STATUS.
set -euo pipefail

sluice=$(realpath "${1:?the program}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
failed=0
statuses='0 1 2 3 64 65 66 69 70 73 74 75 77 78 130'
export HOME=$dir XDG_RUNTIME_DIR=$dir XDG_STATE_HOME=$dir SLUICE_STATE_DIR=$dir/none SLUICE_DEV_DIR=$dir/none
export DATABASE_URL='postgres://nobody@127.0.0.1:1/none' AMQP_URL='amqp://guest:guest@127.0.0.1:1'

complain() {
    echo "commands.sh: $*" >&2
    failed=1
}

gives() { # status words...: what it said is in out and err
    local wanted=$1 status=0
    shift
    timeout 300 "$sluice" "$@" >out 2>err </dev/null || status=$?
    [ "$status" = "$wanted" ] || complain "'sluice $*' gives $status, not $wanted: $(head -c 300 err)"
}

says() { # text file words...
    grep -q -- "$1" "$2" || complain "'sluice ${*:3}' does not say '$1': $(head -c 300 "$2")"
}

"$sluice" man | sed -n 's/^\.Ss //p' >names
"$sluice" help >overview
commands=0
while read -r -a name; do
    gives 0 "${name[@]}" -h
    [ -s out ] && [ ! -s err ] || complain "the help of '${name[*]}' is not on stdout alone"
    cp out help
    for word in $(sed -n '/Exit status/,$p' help | tr '\n' ' ' | grep -oE '(:|;|,) *[0-9]+ ' | tr -d ':;, '); do
        [[ " $statuses " == *" $word "* || "${name[*]} $word" = 'reconcile stripe 4' ]] || complain "the help of '${name[*]}' promises a status of $word"
    done
    grep -qE "^  ${name[*]}  +" overview || complain "'${name[*]}' is not in the overview"
    usage=64
    [ "${name[*]}" != health ] || usage=1 # whoever asks for health knows 0 and 1
    gives $usage "${name[@]}" --no-such-flag
    [ ! -s out ] || complain "'${name[*]} --no-such-flag' talks on stdout"
    says 'there is no flag --no-such-flag' err "${name[@]}"
    says "See: sluice help ${name[*]}" err "${name[@]}"
    gives $usage "${name[@]}" -o jsno
    gives $usage -q "${name[@]}" --no-such-flag
    says 'there is no flag' err -q "${name[@]}"
    commands=$((commands + 1))
done <names
[ "$commands" -ge 40 ] || complain "only $commands commands were found in the manual"

# A plan is had of everything that changes something, and --dry-run wins over --yes.
for mutation in 'dead replay' 'dead discard' 'dead restore' 'dead park' 'dead unpark' 'replay pause' 'replay resume' 'replay abort' requeue \
    'queue pause' 'queue resume' 'queue set' 'breaker trip' 'breaker close' 'ingest pause' 'ingest resume' 'log set' 'journal replay' \
    'queue purge' 'queue restore' 'topology apply' 'migrate up' 'reconcile stripe' 'gameday run'; do
    read -r -a name <<<"$mutation"
    gives 0 help "${name[@]}"
    says '--dry-run' out help "${name[@]}"
done

# Nobody there: a dependency is away, and what to do is said.
for command in 'dead list' 'dead groups' 'event find' 'event show evt_1' 'replay list' 'breaker list' 'queue set' 'queue pause billing' 'dead park --event evt_1 --reason x' \
    'migrate status' 'dead replay 1'; do
    read -r -a words <<<"$command"
    gives 69 "${words[@]}"
    says 'sluice doctor' err "${words[@]}"
done
for command in 'topology diff' 'topology apply' 'dead replay 1 --yes --reason x'; do
    read -r -a words <<<"$command"
    gives 69 "${words[@]}"
    says 'See: sluice doctor' err "${words[@]}"
done
gives 1 health
gives 66 journal list
gives 66 sign nowhere.json --secret-file nowhere
gives 64 queue pause bilng
says 'did you mean billing?' err queue pause bilng
gives 64 queue pause
gives 66 queue restore nowhere.ndjson

# --quiet leaves out the talk, and nothing else.
echo '{}' >body && echo 'whsec_aaaaaaaa' >secret
gives 0 sign body --secret-file secret
[ -s out ] && [ -s err ] || complain 'sign says nothing of a weak secret'
gives 0 sign body --secret-file secret --quiet
[ -s out ] && [ ! -s err ] || complain 'sign --quiet talks, or signs nothing'

# What is mistyped is named, with what was probably meant.
while IFS='|' read -r typed said; do
    read -r -a words <<<"$typed"
    gives 64 "${words[@]}"
    says "$said" err "${words[@]}"
done <<'TABLE'
foo|there is no command 'foo'; see: sluice help
queue lst|did you mean 'queue list'?
queu list|did you mean 'queue list'?
migrate down|behind 'migrate' stand: up, status
dead lsit|did you mean 'dead list'?
-o json queue lst|did you mean 'queue list'?
-o jsn queue list|did you mean json?
queue list --smaple 2s|did you mean --sample?
completion tcsh|none of bash, zsh, fish
doctor --only postgrs|did you mean postgres?
doctor --only postgres.versoin|did you mean postgres.version?
doctor brokr|did you mean 'doctor broker'?
dev strat|did you mean start?
queue set billing bach=5|did you mean batch?
dead list --class permament|did you mean permanent?
breaker trip bilng x.y|did you mean billing?
dead park --event evt_1 --subsystem bilng --reason x|did you mean billing?
TABLE

# The consumer's own words.
consumer=$(dirname "$sluice")/sluice-consumer
if [ -x "$consumer" ]; then
    status=0
    "$consumer" billin 2>err || status=$?
    [ "$status" = 78 ] || complain "'sluice-consumer billin' gives $status, not 78"
    says 'there is no such subsystem; did you mean billing?' err billin
fi

# Standard output that takes nothing.
for command in help version 'help queue' 'help queue list' man 'completion bash' 'gameday list' health 'queue list -h'; do
    read -r -a words <<<"$command"
    status=0
    "$sluice" "${words[@]}" >/dev/full 2>err || status=$?
    [ "$status" = 74 ] || complain "'sluice $command >/dev/full' gives $status, not 74"
done

# No colour, with a terminal or without: nothing is to be switched off.
if command -v script >/dev/null; then
    for plain in '' 1; do
        env ${plain:+NO_COLOR=$plain} TERM=xterm "$(command -v script)" -qec "$sluice help; $sluice doctor --only machine; $sluice gameday list" /dev/null >said || true
        ! grep -q $'\033\\[[0-9;]*m' said || complain 'something is coloured'
    done
fi

[ "$failed" = 0 ] && echo "commands.sh: $commands commands keep their word"
exit "$failed"
