/*
 * fuzz amqp_link - whatever a broker may send to the whole link: never a crash, never more memory than the limits, and every publish settled exactly once.
 *
 * The real link, from its socket up; only dialling is replaced, by one end of a socket pair. The first byte of the input says how the rest is presented:
 * bit 0, behind the handshake of a good broker (so that what an open channel hears is reached); bit 1, cut into frames that are whole (type, channel, a
 * length, bytes), instead of as it is; bit 2, one byte at a time.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/amqp/amqp_link_parts.h"

#define INPUT_BYTES_MAX 140000u
#define STREAM_BYTES    (2u * INPUT_BYTES_MAX)
#define PUBLISHES       4u
#define TURNS_MAX       16

struct stream {
    uint8_t bytes[STREAM_BYTES];
    size_t used;
};

struct world {
    struct sl_amqp_link *link;
    int broker_fd;
    bool is_down;
    unsigned settled[PUBLISHES];
    unsigned published;
};

struct sl_dial {
    sl_dial_fn *fn;
    void *arg;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
static struct sl_loop *the_loop(void);
static int take_fd(void);
static const struct sl_amqp_url *the_url(void);
static void put(struct stream *stream, const void *bytes, size_t count);
static void put_frame(struct stream *stream, uint8_t type, uint16_t channel, const void *payload,
                      size_t bytes);
static void put_handshake(struct stream *stream);
static void put_frames(struct stream *stream, const uint8_t *data, size_t bytes);
static void feed(struct world *world, const struct stream *stream, bool is_slow);
static void turn(const struct world *world);
static void check(const struct world *world);

/* The socket pair that the next dial gets. */
static int dialed_fd = -1;
static struct sl_dial *dialing;

struct sl_dial *sl_dial_new(struct sl_loop *loop, sl_dial_fn *fn, void *arg, struct sl_err *err)
{
    (void)loop;
    (void)err;
    struct sl_dial *dial = calloc(1, sizeof *dial);
    *dial = (struct sl_dial){ .fn = fn, .arg = arg };
    return dial;
}

void sl_dial_free(struct sl_dial *dial)
{
    dialing = dialing == dial ? NULL : dialing;
    free(dial);
}

void sl_dial_start(struct sl_dial *dial, const char *host, uint16_t port, int64_t deadline_ms)
{
    (void)host;
    (void)port;
    (void)deadline_ms;
    dialing = dial;
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    struct world *world = arg;
    for (unsigned i = 0; i < PUBLISHES && world->published < PUBLISHES; i++) {
        const struct sl_amqp_message message = { .exchange = "e",
                                                 .routing_key = SL_SPAN_LITERAL("k"),
                                                 .message_id = SL_SPAN_LITERAL("id-1"),
                                                 .body = SL_SPAN_LITERAL("body") };
        if (sl_amqp_publish(link, &message, world->published, NULL)) {
            world->published++;
        }
    }
    (void)!sl_amqp_consume(link, "q", 10, NULL);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct world *world = arg;
    if (why->text[0] == '\0' || wait_ms < 0) {
        abort();
    }
    world->is_down = true;
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    (void)outcome;
    struct world *world = arg;
    if (cookie >= world->published || ++world->settled[cookie] > 1) {
        abort();
    }
}

/* Reads all that a delivery claims, so that the sanitizers see it. */
static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    (void)arg;
    const struct sl_amqp_message *message = &delivery->message;
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < message->body.bytes; i++) {
        sum = (uint8_t)(sum + (uint8_t)message->body.data[i]);
    }
    for (size_t i = 0; i < message->header_count; i++) {
        sum = (uint8_t)(sum + strlen(message->headers[i].name) + message->headers[i].text.bytes);
    }
    if (message->header_count > SL_AMQP_HEADERS_MAX || strlen(message->exchange) > 255) {
        abort();
    }
    if (sum % 2 == 0) {
        (void)!sl_amqp_ack(link, delivery->tag, false, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct stream stream;
    int fds[2];
    if (bytes == 0 || bytes > INPUT_BYTES_MAX ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
        return 0;
    }
    stream.used = 0;
    if ((data[0] & 1) != 0) {
        put_handshake(&stream);
    }
    if ((data[0] & 2) != 0) {
        put_frames(&stream, data + 1, bytes - 1);
    } else {
        put(&stream, data + 1, bytes - 1);
    }

    struct world world = { .broker_fd = fds[1] };
    dialed_fd = fds[0];
    world.link = sl_amqp_link_new(&(struct sl_amqp_link_opts){ .loop = the_loop(),
                                                               .url = the_url(),
                                                               .connection_name = "fuzz",
                                                               .confirms = true,
                                                               .confirm_ms = 3600000,
                                                               .publishes_max = PUBLISHES,
                                                               .attempt_ms = 3600000,
                                                               .message_bytes_max = 300000,
                                                               .arg = &world,
                                                               .on_up = on_up,
                                                               .on_down = on_down,
                                                               .on_settled = on_settled,
                                                               .on_delivery = on_delivery },
                                  NULL);
    if (world.link == NULL) {
        abort();
    }
    feed(&world, &stream, (data[0] & 4) != 0);
    check(&world);
    sl_amqp_link_free(world.link);
    (void)close(fds[1]);
    if (dialed_fd >= 0) {
        (void)close(take_fd());
    }
    return 0;
}

static struct sl_loop *the_loop(void)
{
    static struct sl_loop *loop;
    if (loop == NULL) {
        (void)signal(SIGPIPE, SIG_IGN);
        loop = sl_loop_new(NULL);
    }
    return loop;
}

static int take_fd(void)
{
    int fd = dialed_fd;
    dialed_fd = -1;
    return fd;
}

static const struct sl_amqp_url *the_url(void)
{
    static struct sl_amqp_url url;
    struct sl_err err = { 0 };
    if (url.host_count == 0 && !sl_amqp_url_parse("amqp://u:p@127.0.0.1:1/v", &url, &err)) {
        abort();
    }
    return &url;
}

static void put(struct stream *stream, const void *bytes, size_t count)
{
    size_t room = sizeof stream->bytes - stream->used;
    count = count < room ? count : room;
    memcpy(stream->bytes + stream->used, bytes, count);
    stream->used += count;
}

static void put_frame(struct stream *stream, uint8_t type, uint16_t channel, const void *payload,
                      size_t bytes)
{
    const uint8_t head[] = { type,
                             (uint8_t)(channel >> 8),
                             (uint8_t)channel,
                             (uint8_t)(bytes >> 24),
                             (uint8_t)(bytes >> 16),
                             (uint8_t)(bytes >> 8),
                             (uint8_t)bytes };
    put(stream, head, sizeof head);
    put(stream, payload, bytes);
    put(stream, "\xce", 1);
}

/* connection.start, tune, open-ok, channel.open-ok, confirm.select-ok (AMQP 0-9-1, 1.4 and 1.5). */
static void put_handshake(struct stream *stream)
{
    static const uint8_t start[] = { 0,   10,  0,   10,  0,   9, 0, 0, 0, 0,   0,   0,   0,   5,
                                     'P', 'L', 'A', 'I', 'N', 0, 0, 0, 5, 'e', 'n', '_', 'U', 'S' };
    static const uint8_t tune[] = { 0, 10, 0, 30, 7, 255, 0, 2, 0, 0, 0, 60 };
    static const uint8_t open_ok[] = { 0, 10, 0, 41, 0 };
    static const uint8_t channel_ok[] = { 0, 20, 0, 11, 0, 0, 0, 0 };
    static const uint8_t select_ok[] = { 0, 85, 0, 11 };
    put_frame(stream, 1, 0, start, sizeof start);
    put_frame(stream, 1, 0, tune, sizeof tune);
    put_frame(stream, 1, 0, open_ok, sizeof open_ok);
    put_frame(stream, 1, 1, channel_ok, sizeof channel_ok);
    put_frame(stream, 1, 1, select_ok, sizeof select_ok);
}

/* Input: type, channel, two bytes of length, and as many bytes. */
static void put_frames(struct stream *stream, const uint8_t *data, size_t bytes)
{
    for (size_t at = 0; at + 4 <= bytes;) {
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
        size_t left = bytes - at - 4;
        length = length < left ? length : left;
        put_frame(stream, data[at], data[at + 1], data + at + 4, length);
        at += 4 + length;
    }
}

static void feed(struct world *world, const struct stream *stream, bool is_slow)
{
    size_t sent = 0;
    turn(world); /* the first attempt */
    if (dialing != NULL) {
        dialing->fn(take_fd(), NULL, dialing->arg);
    }
    for (int i = 0; !world->is_down && sent < stream->used && i < 1000000; i++) {
        size_t wanted = is_slow && sent < 512 ? 1 : stream->used - sent;
        ssize_t written = send(world->broker_fd, stream->bytes + sent, wanted, MSG_NOSIGNAL);
        sent += written > 0 ? (size_t)written : 0;
        if (written < 0 && i > TURNS_MAX && !world->is_down) {
            break; /* it reads no more: it was told to pause, or has ended */
        }
        turn(world);
    }
    for (int i = 0; !world->is_down && i < TURNS_MAX / 8; i++) {
        turn(world);
    }
}

/* One turn of the loop; what the link says is read and forgotten. */
static void turn(const struct world *world)
{
    char heard[65536];
    (void)event_base_loop(sl_loop_base(the_loop()), EVLOOP_NONBLOCK);
    while (recv(world->broker_fd, heard, sizeof heard, 0) > 0) {
    }
}

/* A link that is down has settled everything; none has settled what was not published. */
static void check(const struct world *world)
{
    for (unsigned i = 0; world->is_down && i < world->published; i++) {
        if (world->settled[i] != 1) {
            abort();
        }
    }
}
