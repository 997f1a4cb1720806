#!/bin/bash
#
# rabbitmq.sh VERB - one private RabbitMQ node that lives in one directory.
#
#   run        prepare the directory when it is new, then become the broker (same process id)
#   stop       stop the broker of this directory and wait until it is gone
#   ready      exit 0 when AMQP is really answered and the management port is open
#   ctl ARG..  rabbitmqctl against this node
#
# Environment: STACK_DIR (this broker's own directory), STACK_AMQP_PORT, STACK_MANAGEMENT_PORT,
# STACK_PROMETHEUS_PORT, STACK_DIST_PORT, STACK_EPMD_PORT, STACK_CTL_PORT (first of four).
#
# Everything is on loopback. It never reads or writes what a system-wide RabbitMQ owns: own configuration, own
# cookie, own Erlang port mapper, and a process is only signalled after its environment has named this directory.
# The password is made once, beside the data it belongs to. TERM is a clean stop; nothing outlives the broker.
set -euo pipefail

readonly NODE=sluice@localhost
readonly HOME_OF_SCRIPTS=/usr/lib/rabbitmq/bin # the wrappers in /usr/sbin insist on root or user rabbitmq
readonly STOP_WAIT_S=20                        # a clean stop takes 6 to 8 s, most of it one fixed wait

main() {
    : "${STACK_DIR:?the directory of this broker}"
    readonly PID_FILE=$STACK_DIR/rabbitmq.pid
    case ${1-} in
    run) run ;;
    stop) stop ;;
    ready) ready ;;
    ctl)
        is_open "$STACK_EPMD_PORT" || fail 69 "the broker of $STACK_DIR is not running"
        shift
        with_environment rabbitmqctl -n "$NODE" "$@"
        ;;
    *) fail 64 "usage: rabbitmq.sh run|stop|ready|ctl" ;;
    esac
}

run() {
    [ -x "$HOME_OF_SCRIPTS/rabbitmq-server" ] || fail 69 "RabbitMQ is not installed (Debian package rabbitmq-server)"
    umask 077
    prepare
    stop
    echo $$ >"$PID_FILE"
    start_port_mapper
    with_environment rabbitmq-server
}

# Data, cookie and password are made once; what depends on ports is written anew each time.
prepare() {
    mkdir -p "$STACK_DIR/home" "$STACK_DIR/mnesia" "$STACK_DIR/log"
    [ -s "$STACK_DIR/home/.erlang.cookie" ] || random_to "$STACK_DIR/home/.erlang.cookie" 400
    [ -s "$STACK_DIR/password" ] || random_to "$STACK_DIR/password" 600
    : >"$STACK_DIR/env.conf"
    echo '[rabbitmq_management,rabbitmq_prometheus].' >"$STACK_DIR/enabled_plugins"
    cat >"$STACK_DIR/rabbitmq.conf" <<END
listeners.tcp.1 = 127.0.0.1:$STACK_AMQP_PORT
management.tcp.ip = 127.0.0.1
management.tcp.port = $STACK_MANAGEMENT_PORT
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $STACK_PROMETHEUS_PORT
default_user = sluice
default_pass = $(cat "$STACK_DIR/password")
cluster_name = sluice-dev
log.file = rabbitmq.log
log.file.rotation.size = 10485760
log.file.rotation.count = 3
END
}

# Written whole or not at all, so that a kill in between never leaves a half password.
random_to() { # file mode
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$1.new"
    chmod "$2" "$1.new"
    mv -f "$1.new" "$1"
}

# The port mapper (epmd) is started as a child of this process, which becomes the broker: the kernel
# ends it together with the broker, even after kill -9. Left to itself it would outlive every node.
start_port_mapper() {
    setpriv --pdeathsig TERM env -i PATH=/usr/bin:/bin HOME="$STACK_DIR/home" \
        epmd -port "$STACK_EPMD_PORT" -address 127.0.0.1 &
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        if is_open "$STACK_EPMD_PORT"; then return; fi
        sleep 0.05
    done
    fail 69 "the Erlang port mapper did not open port $STACK_EPMD_PORT"
}

# A clean slate plus exactly what the node needs: RABBITMQ_* and ERL_* of the caller stay outside, and
# the empty env.conf keeps /etc/rabbitmq out. RUNNING_UNDER_SYSTEMD makes the start script exec Erlang
# instead of waiting for it as a parent. The CTL ports keep command-line calls off 35672 and off 0.0.0.0.
with_environment() {
    exec env -i PATH="$HOME_OF_SCRIPTS:/usr/bin:/bin" LANG=C.UTF-8 \
        HOME="$STACK_DIR/home" STACK_DIR="$STACK_DIR" \
        RUNNING_UNDER_SYSTEMD=true \
        RABBITMQ_CONF_ENV_FILE="$STACK_DIR/env.conf" \
        RABBITMQ_NODENAME="$NODE" \
        RABBITMQ_MNESIA_BASE="$STACK_DIR/mnesia" \
        RABBITMQ_LOG_BASE="$STACK_DIR/log" \
        RABBITMQ_PID_FILE="$PID_FILE" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$STACK_DIR/enabled_plugins" \
        RABBITMQ_CONFIG_FILE="$STACK_DIR/rabbitmq" \
        RABBITMQ_ADVANCED_CONFIG_FILE="$STACK_DIR/advanced" \
        RABBITMQ_GENERATED_CONFIG_DIR="$STACK_DIR/generated" \
        RABBITMQ_PLUGINS_EXPAND_DIR="$STACK_DIR/plugins" \
        RABBITMQ_DIST_PORT="${STACK_DIST_PORT-}" \
        RABBITMQ_SCHEDULER_BIND_TYPE=u \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +B i +sbwt none +sbwtdcpu none +sbwtdio none" \
        RABBITMQ_CTL_ERL_ARGS="-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}" \
        RABBITMQ_CTL_DIST_PORT_MIN="$STACK_CTL_PORT" \
        RABBITMQ_CTL_DIST_PORT_MAX="$((STACK_CTL_PORT + 3))" \
        ERL_EPMD_PORT="$STACK_EPMD_PORT" ERL_EPMD_ADDRESS=127.0.0.1 \
        "$@"
}

stop() {
    local pid tries
    pid=$(our_pid) || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < STOP_WAIT_S * 10; tries++)); do
        our_pid >/dev/null || return 0
        sleep 0.1
    done
    echo "rabbitmq.sh: no clean stop within $STOP_WAIT_S s, killing process $pid" >&2
    kill -KILL "$pid" 2>/dev/null || true
    for ((tries = 0; tries < 50; tries++)); do
        our_pid >/dev/null || return 0
        sleep 0.1
    done
    fail 75 "process $pid does not end"
}

# The recorded process id, when that process is alive, not a zombie, not this script, and serves this directory.
our_pid() {
    local pid=
    [ -r "$PID_FILE" ] || return 1
    read -r pid <"$PID_FILE" || true # the broker writes it again, without a newline
    [[ $pid =~ ^[0-9]+$ ]] && [ "$pid" != $$ ] || return 1
    { tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null | grep -xF "STACK_DIR=$STACK_DIR" >/dev/null || return 1
    echo "$pid"
}

# The first byte after the protocol header is the type of the Connection.Start frame (AMQP 0-9-1, 4.2.3).
ready() {
    local first=
    { exec 3<>"/dev/tcp/127.0.0.1/$STACK_AMQP_PORT"; } 2>/dev/null || return 1
    printf 'AMQP\0\0\011\001' >&3
    IFS= read -r -N 1 -t 2 first <&3 || return 1
    [ "$first" = $'\001' ] && is_open "$STACK_MANAGEMENT_PORT"
}

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

fail() { # status text
    echo "rabbitmq.sh: $2" >&2
    exit "$1"
}

main "$@"
