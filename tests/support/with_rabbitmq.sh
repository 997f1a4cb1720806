#!/bin/bash
#
# with_rabbitmq.sh COMMAND... - runs a command with a private RabbitMQ, then stops and removes that broker.
#
# The command gets AMQP_URL (administrator, loopback, free port), AMQPS_URL (the same over TLS, for the name localhost) with the certificate to
# trust in AMQPS_CERTIFICATE, RABBITMQ_PID_FILE, RABBITMQ_CTL (a program that takes rabbitmqctl's
# arguments) and RABBITMQ_SUPERVISED=1: a broker that it kills is started again. Exits as the command does; 77 (skipped) when RabbitMQ is not
# installed. An AMQP_URL that is set already is used as it is.
set -euo pipefail

if [ -n "${AMQP_URL-}" ]; then
    exec "$@"
fi
if [ ! -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
    echo "with_rabbitmq.sh: RabbitMQ is not installed: skipped" >&2
    exit 77
fi

here=$(cd "$(dirname "$0")/../.." && pwd)
broker=$here/ops/dev/rabbitmq.sh
dir=$(mktemp -d /tmp/sluice-test-amqp.XXXXXX)
export STACK_DIR=$dir/broker
# Below the range the kernel gives to outgoing connections, so that nothing takes a port while the broker restarts.
read -r STACK_AMQP_PORT STACK_MANAGEMENT_PORT STACK_PROMETHEUS_PORT STACK_DIST_PORT STACK_EPMD_PORT STACK_CTL_PORT tls_port < <(python3 - <<'END'
import random, socket
def free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False
while True:
    first = random.randrange(20000, 31000, 10)
    if all(free(first + i) for i in range(10)):
        print(*[first + i for i in range(5)], first + 6, first + 5)
        break
END
)
export STACK_AMQP_PORT STACK_MANAGEMENT_PORT STACK_PROMETHEUS_PORT STACK_DIST_PORT STACK_EPMD_PORT STACK_CTL_PORT

# rabbitmq.sh names this file to the broker and leaves it to others; the certificate is made for this run and trusted by nobody else.
mkdir "$STACK_DIR"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$STACK_DIR/key.pem" -out "$STACK_DIR/certificate.pem" 2>>"$dir/log"
cat >"$STACK_DIR/advanced" <<END
[{rabbit, [{ssl_listeners, [{"127.0.0.1", $tls_port}]},
           {ssl_options, [{certfile, "$STACK_DIR/certificate.pem"}, {keyfile, "$STACK_DIR/key.pem"}]}]}].
END

supervise() {
    while [ ! -e "$dir/stop" ]; do
        "$broker" run >>"$dir/log" 2>&1 || true
    done
}

finish() {
    touch "$dir/stop"
    "$broker" stop >>"$dir/log" 2>&1 || true
    wait "$supervisor" || true
    rm -rf "$dir"
}

supervise &
supervisor=$!
trap finish EXIT
for ((tries = 0; tries < 3000; tries++)); do
    if "$broker" ready; then break; fi
    sleep 0.1
done
if ((tries == 3000)); then
    echo "with_rabbitmq.sh: the broker did not start:" >&2
    cat "$dir/log" >&2
    exit 1
fi

AMQP_URL="amqp://sluice:$(cat "$STACK_DIR/password")@127.0.0.1:$STACK_AMQP_PORT"
AMQPS_URL="amqps://sluice:$(cat "$STACK_DIR/password")@localhost:$tls_port"
AMQPS_CERTIFICATE=$STACK_DIR/certificate.pem
printf '#!/bin/bash\nexec %q ctl "$@"\n' "$broker" >"$dir/ctl"
chmod 755 "$dir/ctl"
export AMQP_URL AMQPS_URL AMQPS_CERTIFICATE RABBITMQ_CTL=$dir/ctl RABBITMQ_PID_FILE=$STACK_DIR/rabbitmq.pid RABBITMQ_SUPERVISED=1
"$@"
