#!/bin/bash
#
# compose.sh SLUICE - compose/compose.yaml, built and brought up for real: signed events go in at the published port and are rows.
#
# Needs root, Debian's package mirror and the packages of compose/packages-long.txt; exits 77 with the reason where that is not there. No registry is
# asked: the base image is debootstrap's, and RabbitMQ and Postgres are built from it (tests/integration/compose/). SLUICE is
# the client outside of the containers.
#
# The engine is Debian's, unpacked into a throwaway folder and run in namespaces of its own: its processes, its mounts, its network (bridge,
# addresses, packet filter) and what it writes to /etc, /opt and /run end with it, also when this script is killed. An engine of
# the machine is never touched. It runs twice: to build with the machine's network, and to serve with a private one.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
readonly TOOLS=(debootstrap runc iptables docker-compose ip unshare nsenter setpriv apt-get dpkg-deb)
readonly PORT=18080
readonly ROWS=200
readonly ENGINE_START_S=30
readonly ENGINE_STOP_S=30
readonly HEALTHY_S=90
engine=

main() {
    [ $# -eq 1 ] || fail "usage: compose.sh SLUICE"
    sluice=$1
    skip_unless_possible
    prepare
    build
    start_engine serve
    bring_up
    prove_events "$ROWS"
    prove_confinement
    compose down -t 30 >"$dir/log" 2>&1 || fail "down: $(tail -n 1 "$dir/log")"
    prove_nothing_is_left
    bring_up
    prove_events $((2 * ROWS))
    prove_clean_stop
    echo "compose.sh: $((2 * ROWS)) events went through the containers into $((2 * ROWS)) rows"
}

# ---- the engine ----

skip_unless_possible() {
    local tool
    [ "$(id -u)" = 0 ] || skip "not root"
    for tool in "${TOOLS[@]}"; do
        command -v "$tool" >/dev/null || skip "$tool is not installed (compose/install-packages long)"
    done
    unshare --net --mount --pid --fork --mount-proc true 2>/dev/null || skip "namespaces cannot be made"
}

prepare() {
    remove_leftovers
    dir=$(mktemp -d "/tmp/sluice-test-compose-$$-XXXXXX")
    group=${dir##*/}
    trap finish EXIT
    trap 'exit 130' INT TERM
    mkdir "$dir/deb" "$dir/state" "$dir/upper" "$dir/work"
    chmod 755 "$dir" && chmod 777 "$dir/deb"
    (cd "$dir/deb" && apt-get -qq download docker.io containerd) >"$dir/log" 2>&1 ||
        skip "the engine's packages cannot be downloaded: $(tail -n 1 "$dir/log")"
    local package
    for package in "$dir"/deb/*.deb; do dpkg-deb -x "$package" "$dir/engine"; done
    debootstrap --variant=minbase bookworm "$dir/base" "$(mirror)" >"$dir/log" 2>&1 ||
        skip "no base system can be made: $(tail -n 1 "$dir/log")"
    export PATH=$dir/engine/usr/sbin:$dir/engine/usr/bin:$PATH
    export DOCKER_HOST=unix://$dir/state/docker.sock DOCKER_CONFIG=$dir/client
    export TEST_BASE=sluice-test/base TEST_SECRETS=$dir/secrets PUBLISHER_PORT=$PORT
}

# Of runs that were killed: their processes are gone with them.
remove_leftovers() {
    local old pid
    for old in /tmp/sluice-test-compose-*; do
        pid=${old#/tmp/sluice-test-compose-}
        pid=${pid%%-*}
        [ -d "$old" ] && [ ! -L "$old" ] && [ -O "$old" ] && [ ! -e "/proc/$pid" ] || continue
        remove_groups "${old##*/}"
        rm -rf --one-file-system -- "$old"
    done
}

# The mirror this machine uses.
mirror() {
    # shellcheck disable=SC2016  # apt-get's own placeholders
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "bookworm" && uri == "" { uri = $2 } END { print uri == "" ? "http://deb.debian.org/debian" : uri }'
}

start_engine() { # build|serve
    local apart=(--mount --pid --fork --kill-child --mount-proc) network
    if [ "$1" = build ]; then
        network=(--bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userland-proxy=false)
    else
        apart+=(--net)
        network=(--bip 172.31.254.1/24 --default-address-pool 'base=172.31.200.0/22,size=24')
    fi
    rm -f "$dir/state/docker.sock"
    # Dies with this script, and everything in the namespaces with it.
    # shellcheck disable=SC2016  # expanded by the inner shell
    setpriv --pdeathsig KILL unshare "${apart[@]}" bash -c 'set -e
        for folder in etc opt run; do
            mkdir -p "$0/upper/$folder" "$0/work/$folder"
            mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$0/upper/$folder,workdir=$0/work/$folder" "/$folder"
        done
        ip link set lo up
        "$@" &
        trap "kill -TERM $!" TERM
        until wait $!; do kill -0 $! 2>/dev/null || break; done' \
        "$dir" dockerd --data-root "$dir/state/data" --exec-root "$dir/state/exec" -H "$DOCKER_HOST" \
        --pidfile "$dir/state/dockerd.pid" --storage-driver=overlay2 --cgroup-parent="$group" "${network[@]}" \
        >"$dir/engine.log" 2>&1 </dev/null &
    engine=$!
    if ! within "$ENGINE_START_S" docker version; then
        tail -n 20 "$dir/engine.log" >&2
        skip "a private engine does not start here"
    fi
}

stop_engine() {
    [ -n "$engine" ] || return 0
    local first=
    read -r first <"/proc/$engine/task/$engine/children" || true
    [ -z "$first" ] || kill -TERM "$first" 2>/dev/null || true
    within "$ENGINE_STOP_S" is_gone "$engine" || kill -KILL "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    engine=
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

finish() {
    local status=$?
    trap '' INT TERM
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ] && [ -n "$engine" ]; then
        compose ps >&2 || true
        compose logs --no-color --tail=15 >&2 || true
        echo "compose.sh: ${failure-the reason is above}" >&2
    fi
    stop_engine
    remove_groups "$group"
    rm -rf --one-file-system -- "$dir"
    exit "$status"
}

# Control groups that the engine made and left empty.
remove_groups() { # name
    find /sys/fs/cgroup -depth -type d -path "*/$1*" -exec rmdir {} \; 2>/dev/null || true
}

# ---- the product ----

build() {
    start_engine build
    tar -C "$dir/base" -c . | docker import - "$TEST_BASE" >/dev/null
    rm -rf --one-file-system "$dir/base"
    STRIPE_WEBHOOK_SECRET='' "$root/compose/make-secrets" "$TEST_SECRETS" 2>/dev/null
    echo "compose.sh: building the images"
    if ! compose build >"$dir/log" 2>&1; then
        tail -n 40 "$dir/log" >&2
        fail "the images could not be built"
    fi
    docker images --format '{{.Repository}} {{.Size}}' --filter dangling=false
    stop_engine
}

compose() {
    docker-compose -p sluice-test -f "$root/compose/compose.yaml" -f "$root/tests/integration/compose/override.yaml" "$@" </dev/null
}

bring_up() {
    SECONDS=0
    compose up -d --no-build >"$dir/log" 2>&1 || { cat "$dir/log" >&2 && fail "it does not come up"; }
    local program
    for program in publisher consumer; do
        within "$HEALTHY_S" is_healthy "$program" || fail "$program does not become healthy"
    done
    echo "compose.sh: up and healthy after $SECONDS s"
}

is_healthy() { [ "$(state_of "$1" .State.Health.Status)" = healthy ]; }

state_of() { # service template
    docker inspect --format "{{$2}}" "$(compose ps -q "$1")"
}

prove_events() { # rows there have to be in the end
    outside "$sluice" trigger all --url "http://127.0.0.1:$PORT" --secret-file "$TEST_SECRETS/stripe_webhook_secret" \
        --count "$ROWS" || fail "not every event was accepted"
    within 60 has_rows "$1" || fail "$1 rows were expected, there are $(rows)"
    outside "$sluice" trigger invoice.paid --bad-signature --url "http://127.0.0.1:$PORT" \
        --secret-file "$TEST_SECRETS/stripe_webhook_secret" >/dev/null || fail "a bad signature was not refused"
}

has_rows() { [ "$(rows)" = "$1" ]; }

rows() {
    # shellcheck disable=SC2016  # expanded in the container
    compose exec -T postgres sh -c 'PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE") \
        psql -h 127.0.0.1 -U sluice -d sluice -Atc "SELECT count(*) FROM sluice_inbox"'
}

# What the file promises about who can do what.
prove_confinement() {
    local listening program port
    listening=$(outside ss -Hltn | awk '{ print $4 }')
    [ "$listening" = "127.0.0.1:$PORT" ] || fail "published is not 127.0.0.1:$PORT alone: $listening"
    for program in publisher consumer; do
        [ "$(state_of "$program" .Config.User)" = 65532:65532 ] || fail "$program does not run as 65532"
        [ "$(state_of "$program" .Config.StopSignal)" = SIGTERM ] || fail "$program has another stop signal"
        compose exec -T "$program" sh -c '! touch /x /usr/x 2>/dev/null' || fail "the root of $program can be written"
        if docker inspect "$(compose ps -q "$program")" | grep -qFf <(secret_words); then
            fail "a secret can be read from the configuration of the container of $program"
        fi
    done
    if compose logs --no-color | grep -qFf <(secret_words); then
        fail "a secret is in a log"
    fi
    compose exec -T publisher sh -c 'touch "$SLUICE_STATE_DIR/x" && rm "$SLUICE_STATE_DIR/x"' ||
        fail "the publisher cannot keep its state"
    [ "$(compose exec -T publisher ls /run/secrets | xargs)" = 'amqp_url stripe_webhook_secret' ] || fail "the publisher sees other secrets"
    [ "$(compose exec -T consumer ls /run/secrets | xargs)" = 'amqp_url database_url' ] || fail "the consumer sees other secrets"
    compose exec -T publisher sluice health publisher --live >/dev/null || fail "the image's own health check fails"
    # Metrics are served to the inside, by name.
    compose exec -T consumer sluice health publisher --url http://publisher:8080 >/dev/null || fail "the inside does not know the publisher"
    for port in publisher:9463 consumer:9464; do
        compose exec -T postgres bash -c "exec 3<>/dev/tcp/${port/://} && printf 'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3 && grep -q ^sluice_ <&3" ||
            fail "no metrics at $port"
    done
}

secret_words() {
    cat "$TEST_SECRETS/postgres_password" "$TEST_SECRETS/stripe_webhook_secret"
    sed -n 's/^default_pass = //p' "$TEST_SECRETS/rabbitmq_user"
}

prove_nothing_is_left() {
    [ -z "$(docker ps -aq)" ] || fail "containers are left after down"
    [ "$(docker volume ls -q | xargs)" = 'sluice-test_postgres sluice-test_publisher sluice-test_rabbitmq' ] || fail "not the named volumes alone are left"
}

prove_clean_stop() {
    local program
    for program in publisher consumer; do
        SECONDS=0
        compose stop -t 30 "$program" >/dev/null 2>&1
        [ "$(docker inspect --format '{{.State.ExitCode}}' "$(compose ps -aq "$program")")" = 0 ] || fail "$program did not stop cleanly"
        [ "$SECONDS" -lt 20 ] || fail "$program took $SECONDS s to stop"
    done
    compose down -v -t 30 >"$dir/log" 2>&1 || fail "down: $(tail -n 1 "$dir/log")"
    [ -z "$(docker ps -aq)$(docker volume ls -q)" ] || fail "down -v left something"
}

# A command beside the containers: in the network where the port is published.
outside() { nsenter --net="/proc/$engine/ns/net" "$@"; }

# ---- words ----

within() { # seconds command...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.3
    done
}

skip() {
    echo "compose.sh: $1: skipped" >&2
    exit 77
}

fail() {
    failure=$1
    echo "compose.sh: $1" >&2
    exit 1
}

main "$@"
