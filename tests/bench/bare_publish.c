/*
 * bare_publish - the least that a confirmed publish costs: a blocking rabbitmq-c loop with publisher confirms, and nothing else.
 *
 * Usage: AMQP_URL=… bare_publish [-x EXCHANGE] [-k KEY] [-j] [-w WINDOW] [-s SECONDS] [-n COUNT] [-r RATE] BODIES
 * Persistent, mandatory publishes of the same messages that the publisher makes (-j: the bare bodies), with up to WINDOW of them unconfirmed
 * (512), until SECONDS have passed or COUNT are sent. -r: so many a second, evenly, for the round trip of one confirm. One line of JSON.
 * A returned or refused message, or a lost connection, ends it with status 1.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/bench/bodies.h"

#define TAGS            65536u /* remembered send times; more than any window */
#define SAMPLES_MAX     (4u * 1024u * 1024u)
#define CONFIRM_WAIT_US 10000000

struct bench {
    const char *exchange;
    const char *key;
    bool is_json;
    size_t window;
    int64_t run_us;
    uint64_t count_max;
    int64_t gap_us; /* between two sends; 0 as fast as the window allows */

    struct bench_bodies bodies;
    amqp_bytes_t *messages;
    struct sl_buf *encoded;
    amqp_connection_state_t connection;
    uint64_t sent;
    uint64_t confirmed; /* up to and including this tag, as far as acks are in order */
    uint64_t open;      /* unconfirmed */
    int64_t sent_us[TAGS];
    bool is_open[TAGS];
    uint32_t *samples;
    size_t sample_count;
};

static void read_options(struct bench *bench, int argc, char **argv);
static void make_messages(struct bench *bench);
static void connect_broker(struct bench *bench);
static void publish(struct bench *bench);
static void wait_frame(struct bench *bench, int64_t wait_us);
static void on_ack(struct bench *bench, const amqp_basic_ack_t *ack);
static void confirm(struct bench *bench, uint64_t tag, int64_t now_us);
static void must(amqp_rpc_reply_t reply, const char *what);

int main(int argc, char **argv)
{
    static struct bench bench;
    read_options(&bench, argc, argv);
    make_messages(&bench);
    connect_broker(&bench);

    int64_t start_us = sl_clock_mono_us();
    while (bench.sent < bench.count_max && sl_clock_mono_us() - start_us < bench.run_us) {
        int64_t due_us = start_us + (int64_t)bench.sent * bench.gap_us;
        int64_t wait_us = bench.gap_us == 0 ? 0 : due_us - sl_clock_mono_us();
        if (bench.open >= bench.window) {
            wait_frame(&bench, CONFIRM_WAIT_US);
        } else if (wait_us > 0) {
            wait_frame(&bench, wait_us);
        } else {
            publish(&bench);
        }
    }
    while (bench.open > 0) {
        wait_frame(&bench, CONFIRM_WAIT_US);
    }
    double seconds = (double)(sl_clock_mono_us() - start_us) / 1e6;
    struct rusage used = { 0 };
    getrusage(RUSAGE_SELF, &used);
    amqp_connection_close(bench.connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(bench.connection);

    double cpu_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("{\"messages\":%" PRIu64 ",\"seconds\":%.3f,\"per_second\":%.0f,\"p50_us\":%" PRIu32
           ",\"p99_us\":%" PRIu32 ",\"cpu_us\":%.1f}\n",
           bench.sent, seconds, (double)bench.sent / seconds,
           bench_percentile(bench.samples, bench.sample_count, 50),
           bench_percentile(bench.samples, bench.sample_count, 99), cpu_us / (double)bench.sent);
    return 0;
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    *bench = (struct bench){ .exchange = "sluice.events",
                             .key = "stripe.customer.created",
                             .window = 512,
                             .run_us = INT64_C(3600000000),
                             .count_max = UINT64_MAX };
    for (int option; (option = getopt(argc, argv, "x:k:jw:s:n:r:")) != -1;) {
        switch (option) {
        case 'x':
            bench->exchange = optarg;
            break;
        case 'k':
            bench->key = optarg;
            break;
        case 'j':
            bench->is_json = true;
            break;
        case 'w':
            bench->window = strtoul(optarg, NULL, 10);
            break;
        case 's':
            bench->run_us = (int64_t)(strtod(optarg, NULL) * 1e6);
            break;
        case 'n':
            bench->count_max = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            bench->gap_us = 1000000 / strtol(optarg, NULL, 10);
            break;
        default:
            exit(64);
        }
    }
    if (optind + 1 != argc || bench->window < 1 || bench->window >= TAGS) {
        BENCH_FAIL("usage: bare_publish [options] BODIES; a window of 1 to %u", TAGS - 1);
    }
    bench->bodies = bench_bodies_load(argv[optind]);
    bench->samples = calloc(SAMPLES_MAX, sizeof bench->samples[0]);
}

static void make_messages(struct bench *bench)
{
    size_t count = bench->bodies.count;
    bench->messages = calloc(count, sizeof bench->messages[0]);
    bench->encoded = calloc(count, sizeof bench->encoded[0]);
    for (size_t i = 0; i < count; i++) {
        struct sl_span bytes = bench->bodies.items[i].body;
        if (!bench->is_json) {
            struct sl_err err = { 0 };
            struct sl_envelope envelope = bench_envelope(bytes, sl_clock_wall_us());
            sl_buf_init(&bench->encoded[i], SL_ENVELOPE_BYTES_MAX);
            if (!sl_envelope_encode(&envelope, &bench->encoded[i], &err)) {
                BENCH_FAIL("%s", err.text);
            }
            bytes = sl_buf_span(&bench->encoded[i]);
        }
        bench->messages[i] = (amqp_bytes_t){ .len = bytes.bytes, .bytes = (void *)bytes.data };
    }
}

static void connect_broker(struct bench *bench)
{
    const char *url = getenv("AMQP_URL");
    char *copy = strdup(url == NULL ? "" : url);
    struct amqp_connection_info info;
    amqp_default_connection_info(&info);
    if (copy == NULL || amqp_parse_url(copy, &info) != AMQP_STATUS_OK) {
        BENCH_FAIL("AMQP_URL is missing or no address");
    }
    bench->connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(bench->connection);
    if (socket == NULL || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK) {
        BENCH_FAIL("the broker is not reachable");
    }
    must(amqp_login(bench->connection, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                    info.password),
         "log in");
    amqp_channel_open(bench->connection, 1);
    must(amqp_get_rpc_reply(bench->connection), "open a channel");
    amqp_confirm_select(bench->connection, 1);
    must(amqp_get_rpc_reply(bench->connection), "select confirms");
    free(copy);
}

static void must(amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        BENCH_FAIL("the broker did not let us %s", what);
    }
}

static void publish(struct bench *bench)
{
    struct sl_span body = bench->bodies.items[bench->sent % bench->bodies.count].body;
    struct sl_span id = bench_body_id(body);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                  AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_APP_ID_FLAG |
                  AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type = amqp_cstring_bytes("application/msgpack"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = { .len = id.bytes, .bytes = (void *)id.data },
        .type = amqp_cstring_bytes("customer.created"),
        .app_id = amqp_cstring_bytes("sluice"),
        .timestamp = (uint64_t)(sl_clock_wall_us() / 1000000),
    };
    uint64_t tag = ++bench->sent;
    bench->sent_us[tag % TAGS] = sl_clock_mono_us();
    bench->is_open[tag % TAGS] = true;
    bench->open++;
    if (amqp_basic_publish(bench->connection, 1, amqp_cstring_bytes(bench->exchange),
                           amqp_cstring_bytes(bench->key), 1, 0, &properties,
                           bench->messages[(tag - 1) % bench->bodies.count]) != AMQP_STATUS_OK) {
        BENCH_FAIL("the broker went away");
    }
}

static void wait_frame(struct bench *bench, int64_t wait_us)
{
    amqp_frame_t frame;
    struct timeval wait = { .tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000 };
    amqp_maybe_release_buffers_on_channel(bench->connection, 1);
    int status = amqp_simple_wait_frame_noblock(bench->connection, &frame, &wait);
    if (status == AMQP_STATUS_TIMEOUT && wait_us < CONFIRM_WAIT_US) {
        return;
    }
    if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD ||
        frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        BENCH_FAIL("no confirm: a return, a refusal, or a lost connection (%d)", status);
    }
    on_ack(bench, frame.payload.method.decoded);
}

static void on_ack(struct bench *bench, const amqp_basic_ack_t *ack)
{
    int64_t now_us = sl_clock_mono_us();
    if (!ack->multiple) {
        confirm(bench, ack->delivery_tag, now_us);
        return;
    }
    while (bench->confirmed < ack->delivery_tag) {
        confirm(bench, ++bench->confirmed, now_us);
    }
}

static void confirm(struct bench *bench, uint64_t tag, int64_t now_us)
{
    if (!bench->is_open[tag % TAGS]) {
        return;
    }
    bench->is_open[tag % TAGS] = false;
    bench->open--;
    if (bench->sample_count < SAMPLES_MAX) {
        bench->samples[bench->sample_count++] = (uint32_t)(now_us - bench->sent_us[tag % TAGS]);
    }
}
