/*
 * paced_webhooks - latency of signed webhooks sent at an even pace: until the answer, and until the row is visible to others.
 *
 * Usage: [DATABASE_URL=…] paced_webhooks -p PORT [-r RATE] [-s SECONDS] [-c CONNECTIONS] BODIES
 * A webhook is due every 1/RATE seconds, whether or not the ones before it were answered, and its latency counts from then. With
 * DATABASE_URL it listens to the channel `bench`, on which the database says the ids of committed inbox rows (a notification is delivered
 * after the commit, so this is at least as late as the row is visible). One line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/bench/bodies.h"

#define CONNECTIONS_MAX 256u
#define ANSWER_BYTES    4096u
#define HEAD_BYTES      512u
#define PATIENCE_US     10000000 /* for what is still open at the end */

struct connection {
    int fd;
    bool is_busy;
    size_t event;
    char answer[ANSWER_BYTES];
    size_t answer_bytes;
};

struct bench {
    uint16_t port;
    int64_t gap_us;
    size_t sends;
    struct bench_bodies bodies;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    size_t
        next_connection; /* they take turns: a publisher closes one that has asked a thousand times */
    PGconn *database;

    int64_t *due_us; /* of each event */
    size_t sent;
    size_t answered;
    size_t refused;
    uint32_t *answer_us;
    uint32_t *row_us;
    size_t row_count;
};

static void read_options(struct bench *bench, int argc, char **argv);
static void connect_publisher(struct bench *bench, struct connection *connection);
static void connect_database(struct bench *bench);
static bool is_over(const struct bench *bench, int64_t start_us);
static void send_due(struct bench *bench, int64_t start_us);
static void send_event(struct bench *bench, struct connection *connection);
static void wait_for_any(struct bench *bench, int64_t until_us);
static void on_readable(struct bench *bench, struct connection *connection);
static void on_rows(struct bench *bench);
static void count_rows(struct bench *bench, const char *ids, int64_t now_us);

int main(int argc, char **argv)
{
    static struct bench bench;
    read_options(&bench, argc, argv);
    connect_database(&bench);
    for (size_t i = 0; i < bench.connection_count; i++) {
        connect_publisher(&bench, &bench.connections[i]);
    }
    int64_t start_us = sl_clock_mono_us();
    while (!is_over(&bench, start_us)) {
        send_due(&bench, start_us);
        int64_t next_us = start_us + (int64_t)bench.sent * bench.gap_us;
        wait_for_any(&bench, bench.sent < bench.sends ? next_us : sl_clock_mono_us() + 100000);
    }
    printf("{\"sent\":%zu,\"answered\":%zu,\"not_2xx\":%zu,\"p50_us\":%" PRIu32
           ",\"p99_us\":%" PRIu32 ",\"rows\":%zu,\"row_p50_us\":%" PRIu32 ",\"row_p99_us\":%" PRIu32
           "}\n",
           bench.sent, bench.answered, bench.refused,
           bench_percentile(bench.answer_us, bench.answered, 50),
           bench_percentile(bench.answer_us, bench.answered, 99), bench.row_count,
           bench_percentile(bench.row_us, bench.row_count, 50),
           bench_percentile(bench.row_us, bench.row_count, 99));
    return bench.answered == bench.sent ? 0 : 1;
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    long rate = 500;
    double seconds = 5;
    *bench = (struct bench){ .connection_count = 64 };
    for (int option; (option = getopt(argc, argv, "p:r:s:c:")) != -1;) {
        switch (option) {
        case 'p':
            bench->port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            rate = strtol(optarg, NULL, 10);
            break;
        case 's':
            seconds = strtod(optarg, NULL);
            break;
        case 'c':
            bench->connection_count = strtoul(optarg, NULL, 10);
            break;
        default:
            exit(64);
        }
    }
    if (optind + 1 != argc || bench->port == 0 || rate <= 0 ||
        bench->connection_count > CONNECTIONS_MAX) {
        BENCH_FAIL("usage: paced_webhooks -p PORT [-r RATE] [-s SECONDS] [-c CONNECTIONS] BODIES");
    }
    bench->gap_us = 1000000 / rate;
    bench->sends = (size_t)(seconds * (double)rate);
    bench->bodies = bench_bodies_load(argv[optind]);
    if (bench->bodies.count < bench->sends) {
        BENCH_FAIL("%zu bodies are too few for %zu webhooks", bench->bodies.count, bench->sends);
    }
    bench->due_us = calloc(bench->sends, sizeof bench->due_us[0]);
    bench->answer_us = calloc(bench->sends, sizeof bench->answer_us[0]);
    bench->row_us = calloc(bench->sends, sizeof bench->row_us[0]);
}

static void connect_publisher(struct bench *bench, struct connection *connection)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(bench->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        BENCH_FAIL("the publisher is not reachable");
    }
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void connect_database(struct bench *bench)
{
    const char *url = getenv("DATABASE_URL");
    if (url == NULL) {
        return;
    }
    bench->database = PQconnectdb(url);
    PGresult *result = PQexec(bench->database, "LISTEN bench");
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        BENCH_FAIL("%s", PQerrorMessage(bench->database));
    }
    PQclear(result);
}

static bool is_over(const struct bench *bench, int64_t start_us)
{
    bool has_all = bench->sent == bench->sends && bench->answered == bench->sent &&
                   (bench->database == NULL || bench->row_count == bench->answered);
    int64_t end_us = start_us + (int64_t)bench->sends * bench->gap_us + PATIENCE_US;
    return has_all || sl_clock_mono_us() > end_us;
}

static void send_due(struct bench *bench, int64_t start_us)
{
    for (size_t i = 0; i < bench->connection_count && bench->sent < bench->sends; i++) {
        int64_t due_us = start_us + (int64_t)bench->sent * bench->gap_us;
        if (due_us > sl_clock_mono_us()) {
            return;
        }
        struct connection *connection =
            &bench->connections[bench->next_connection++ % bench->connection_count];
        if (!connection->is_busy) {
            bench->due_us[bench->sent] = due_us;
            send_event(bench, connection);
        }
    }
}

static void send_event(struct bench *bench, struct connection *connection)
{
    const struct bench_body *event = &bench->bodies.items[bench->sent];
    static char request[HEAD_BYTES + SL_EVENT_BODY_BYTES_MAX];
    int head = snprintf(request, HEAD_BYTES,
                        "POST /webhooks/stripe HTTP/1.1\r\nHost: bench\r\n"
                        "Content-Type: application/json\r\nStripe-Signature: %.*s\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        SL_SPAN_ARGS(event->signature), event->body.bytes);
    memcpy(request + head, event->body.data, event->body.bytes);
    size_t bytes = (size_t)head + event->body.bytes;
    for (size_t at = 0; at < bytes;) {
        ssize_t wrote = write(connection->fd, request + at, bytes - at);
        if (wrote <= 0) {
            BENCH_FAIL("the publisher closed a connection");
        }
        at += (size_t)wrote;
    }
    connection->is_busy = true;
    connection->answer_bytes = 0;
    connection->event = bench->sent++;
}

static void wait_for_any(struct bench *bench, int64_t until_us)
{
    struct pollfd polled[CONNECTIONS_MAX + 1];
    size_t count = bench->connection_count;
    for (size_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){ .fd = bench->connections[i].fd, .events = POLLIN };
    }
    if (bench->database != NULL) {
        polled[count++] = (struct pollfd){ .fd = PQsocket(bench->database), .events = POLLIN };
    }
    int64_t wait_us = until_us - sl_clock_mono_us();
    wait_us = wait_us < 0 ? 0 : wait_us;
    struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
    if (ppoll(polled, count, &wait, NULL) < 0 && errno != EINTR) {
        BENCH_FAIL("poll failed");
    }
    for (size_t i = 0; i < bench->connection_count; i++) {
        if (polled[i].revents != 0) {
            on_readable(bench, &bench->connections[i]);
        }
    }
    if (bench->database != NULL && polled[count - 1].revents != 0) {
        on_rows(bench);
    }
}

/* Answers are a head and a short body with Content-Length; both arrive in one piece or two. */
static void on_readable(struct bench *bench, struct connection *connection)
{
    size_t room = ANSWER_BYTES - 1 - connection->answer_bytes;
    ssize_t got = read(connection->fd, connection->answer + connection->answer_bytes, room);
    if (got <= 0) {
        BENCH_FAIL("the publisher closed a connection");
    }
    connection->answer_bytes += (size_t)got;
    connection->answer[connection->answer_bytes] = '\0';
    const char *end = strstr(connection->answer, "\r\n\r\n");
    const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
    if (end == NULL || length == NULL) {
        return;
    }
    size_t body_bytes = strtoul(length + sizeof "\r\nContent-Length:" - 1, NULL, 10);
    if (connection->answer_bytes < (size_t)(end - connection->answer) + 4 + body_bytes) {
        return;
    }
    connection->is_busy = false;
    int64_t took_us = sl_clock_mono_us() - bench->due_us[connection->event];
    bench->answer_us[bench->answered++] = (uint32_t)took_us;
    bench->refused += strncmp(connection->answer, "HTTP/1.1 2", 10) == 0 ? 0 : 1;
}

static void on_rows(struct bench *bench)
{
    if (PQconsumeInput(bench->database) == 0) {
        BENCH_FAIL("%s", PQerrorMessage(bench->database));
    }
    int64_t now_us = sl_clock_mono_us();
    for (PGnotify *notice; (notice = PQnotifies(bench->database)) != NULL; PQfreemem(notice)) {
        count_rows(bench, notice->extra, now_us);
    }
}

/* ids: numbers of events, as they stand in the file, separated by commas. */
static void count_rows(struct bench *bench, const char *ids, int64_t now_us)
{
    for (const char *at = ids; *at != '\0';) {
        char *end;
        size_t event = strtoul(at, &end, 10);
        if (end == at || event >= bench->sent || bench->row_count >= bench->sends) {
            BENCH_FAIL("the database tells of a row that nobody sent: %s", ids);
        }
        bench->row_us[bench->row_count++] = (uint32_t)(now_us - bench->due_us[event]);
        at = *end == ',' ? end + 1 : end;
    }
}
