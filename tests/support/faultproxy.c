/*
 * faultproxy - a TCP proxy on loopback that goes wrong on command. A test tool.
 *
 *     faultproxy PORT TARGET_PORT        PORT 0: a free one; the first line on stdout is "listening 127.0.0.1:N"
 *
 * "up" is from the client to the target, "down" is back. Commands come on stdin, one a line; each is answered by one line, "ok …" or
 * "error …". The end of stdin ends the program.
 *
 *     latency MS [JITTER_MS]     every byte arrives so much later; order is kept
 *     bandwidth BYTES_PER_S      no more than that in each direction
 *     slicer BYTES [GAP_MS]      in pieces of that size, each its own segment, so far apart
 *     limit-up BYTES             close a connection after so many bytes to the target
 *     limit-down BYTES           close a connection after so many bytes to the client
 *     blackhole                  accept and swallow, both ways: nothing arrives, nobody is told
 *     drop-up | drop-down        swallow one way only
 *     forget                     swallow both ways on the connections that are open now; new ones work
 *     freeze                     stop reading: the peers' windows fill, as before a stopped process
 *     reset                      RST every open connection, once
 *     reset-every MS             RST each connection so long after it was opened, and all open ones now
 *     down | up                  refuse connections and end the open ones; accept again
 *     target PORT                where new connections go
 *     clear                      all faults off; connections that have lost bytes are reset, others go on
 *     stats                      {"accepted":…,"open":…,"up_bytes":…,"down_bytes":…,"down_pieces":…,"swallowed_bytes":…} since the start
 *
 * Refuses: any address but 127.0.0.1.
 * Threads: one loop.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "shared/clock.h"
#include "shared/loop.h"

#define HELD_BYTES_MAX  (256u * 1024u) /* of one direction; beyond it the source is not read */
#define QUANTA_A_SECOND 50             /* of a bandwidth */
#define COMMAND_BYTES   256u

enum direction { UP, DOWN, DIRECTIONS };

struct toxics {
    int64_t latency_ms;
    int64_t jitter_ms;
    int64_t bandwidth; /* bytes a second; 0: unlimited */
    int64_t slice_bytes;
    int64_t slice_gap_ms;
    int64_t limit_bytes[DIRECTIONS]; /* 0: none */
    int64_t reset_after_ms;
    bool swallows[DIRECTIONS];
    bool is_frozen;
};

struct piece {
    struct piece *next;
    struct evbuffer *bytes;
    int64_t due_us;
};

struct session;

struct flow {
    struct session *session;
    enum direction direction;
    struct bufferevent *from;
    struct bufferevent *to;
    struct piece *first;
    struct piece *last;
    size_t held;
    int64_t free_us; /* bandwidth and slicer: nothing before this */
    int64_t passed;
    struct sl_timer *timer;
    bool is_at_end; /* the source has closed */
    bool has_lost;  /* bytes or an end were swallowed */
};

struct session {
    struct session *next;
    struct session *previous;
    struct proxy *proxy;
    struct bufferevent *ends[DIRECTIONS]; /* the client, the target */
    struct flow flows[DIRECTIONS];
    struct sl_timer *reset_timer;
    bool is_closing;   /* as soon as everything is written */
    bool is_forgotten; /* everything is swallowed */
};

struct proxy {
    struct sl_loop *loop;
    struct evconnlistener *listener;
    uint16_t port;
    uint16_t target;
    struct toxics toxics;
    struct session *sessions;
    struct bufferevent *commands;
    int64_t accepted;
    int64_t open;
    int64_t passed[DIRECTIONS];
    int64_t pieces[DIRECTIONS]; /* in which they passed */
    int64_t swallowed;          /* bytes, both ways */
};

typedef const char *command_fn(struct proxy *proxy, int64_t first, int64_t second);

static bool start_listening(struct proxy *proxy);
static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg);
static void open_flow(struct session *session, enum direction direction);
static void end_session(struct session *session, bool is_reset);
static void end_sessions(struct proxy *proxy, bool is_reset, bool only_those_with_loss);
static void on_readable(struct bufferevent *bev, void *arg);
static void on_written(struct bufferevent *bev, void *arg);
static void on_end(struct bufferevent *bev, short what, void *arg);
static void on_flow_timer(void *arg);
static void on_reset_timer(void *arg);
static bool swallows(const struct flow *flow);
static void pump(struct flow *flow);
static void pass_end_on(struct flow *flow);
static size_t allowance(const struct flow *flow, size_t wanted);
static void on_command_line(struct bufferevent *bev, void *arg);
static void on_command_end(struct bufferevent *bev, short what, void *arg);
static const char *obey(struct proxy *proxy, char *line);

int main(int argc, char **argv)
{
    struct proxy proxy = { 0 };
    struct sl_err err = { 0 };
    if (argc != 3) {
        fputs("usage: faultproxy PORT TARGET_PORT\n", stderr);
        return EX_USAGE;
    }
    proxy.port = (uint16_t)strtoul(argv[1], NULL, 10);
    proxy.target = (uint16_t)strtoul(argv[2], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    proxy.loop = sl_loop_new(&err);
    if (proxy.loop == NULL || !start_listening(&proxy)) {
        fprintf(stderr, "faultproxy: cannot listen on port %u: %s\n", (unsigned)proxy.port,
                strerror(errno));
        return EX_UNAVAILABLE;
    }
    evutil_make_socket_nonblocking(STDIN_FILENO);
    proxy.commands = bufferevent_socket_new(sl_loop_base(proxy.loop), STDIN_FILENO, 0);
    if (proxy.commands == NULL) {
        return EX_OSERR;
    }
    bufferevent_setcb(proxy.commands, on_command_line, NULL, on_command_end, &proxy);
    bufferevent_enable(proxy.commands, EV_READ);
    printf("listening 127.0.0.1:%u\n", (unsigned)proxy.port);
    fflush(stdout);
    bool is_well = sl_loop_run(proxy.loop, &err);
    end_sessions(&proxy, false, false);
    bufferevent_free(proxy.commands);
    if (proxy.listener != NULL) {
        evconnlistener_free(proxy.listener);
    }
    sl_loop_free(proxy.loop);
    return is_well ? EXIT_SUCCESS : EX_SOFTWARE;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static bool start_listening(struct proxy *proxy)
{
    struct sockaddr_in address = loopback(proxy->port);
    socklen_t address_bytes = sizeof address;
    proxy->listener =
        evconnlistener_new_bind(sl_loop_base(proxy->loop), on_accept, proxy,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
                                128, (const struct sockaddr *)&address, (int)sizeof address);
    if (proxy->listener == NULL || getsockname(evconnlistener_get_fd(proxy->listener),
                                               (struct sockaddr *)&address, &address_bytes) != 0) {
        return false;
    }
    proxy->port = ntohs(address.sin_port);
    return true;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg)
{
    (void)listener;
    (void)peer;
    (void)peer_bytes;
    struct proxy *proxy = arg;
    struct event_base *base = sl_loop_base(proxy->loop);
    struct sockaddr_in address = loopback(proxy->target);
    struct session *session = calloc(1, sizeof *session);
    SL_ASSERT(session != NULL);
    *session = (struct session){ .proxy = proxy, .next = proxy->sessions };
    session->ends[UP] = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    session->ends[DOWN] = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    session->reset_timer = sl_timer_new(proxy->loop, on_reset_timer, session);
    SL_ASSERT(session->ends[UP] != NULL);
    SL_ASSERT(session->ends[DOWN] != NULL);
    SL_ASSERT(session->reset_timer != NULL);
    if (proxy->sessions != NULL) {
        proxy->sessions->previous = session;
    }
    proxy->sessions = session;
    proxy->accepted++;
    proxy->open++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    open_flow(session, UP);
    open_flow(session, DOWN);
    if (proxy->toxics.reset_after_ms > 0) {
        sl_timer_arm(session->reset_timer, proxy->toxics.reset_after_ms);
    }
    /* A failure of the connection comes as an event of it. */
    (void)bufferevent_socket_connect(session->ends[DOWN], (const struct sockaddr *)&address,
                                     (int)sizeof address);
}

static void open_flow(struct session *session, enum direction direction)
{
    struct flow *flow = &session->flows[direction];
    flow->session = session;
    flow->direction = direction;
    flow->from = session->ends[direction];
    flow->to = session->ends[direction == UP ? DOWN : UP];
    flow->timer = sl_timer_new(session->proxy->loop, on_flow_timer, flow);
    SL_ASSERT(flow->timer != NULL);
    bufferevent_setcb(flow->from, on_readable, on_written, on_end, flow);
    bufferevent_enable(flow->from, EV_WRITE);
    if (!session->proxy->toxics.is_frozen) {
        bufferevent_enable(flow->from, EV_READ);
    }
}

static void end_session(struct session *session, bool is_reset)
{
    if (session->next != NULL) {
        session->next->previous = session->previous;
    }
    if (session->previous != NULL) {
        session->previous->next = session->next;
    } else {
        session->proxy->sessions = session->next;
    }
    session->proxy->open--;
    for (size_t i = 0; i < DIRECTIONS; i++) {
        struct flow *flow = &session->flows[i];
        evutil_socket_t fd = bufferevent_getfd(flow->from);
        if (is_reset && fd >= 0) {
            struct linger now = { .l_onoff = 1, .l_linger = 0 };
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        for (struct piece *piece = flow->first; piece != NULL;) {
            struct piece *next = piece->next;
            evbuffer_free(piece->bytes);
            free(piece);
            piece = next;
        }
        sl_timer_free(flow->timer);
        bufferevent_free(flow->from);
    }
    sl_timer_free(session->reset_timer);
    free(session);
}

static void end_sessions(struct proxy *proxy, bool is_reset, bool only_those_with_loss)
{
    for (struct session *session = proxy->sessions; session != NULL;) {
        struct session *next = session->next;
        if (!only_those_with_loss || session->flows[UP].has_lost || session->flows[DOWN].has_lost) {
            end_session(session, is_reset);
        }
        session = next;
    }
}

static void on_reset_timer(void *arg)
{
    end_session(arg, true);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
    struct flow *flow = arg;
    const struct toxics *toxics = &flow->session->proxy->toxics;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t bytes = evbuffer_get_length(input);
    if (swallows(flow)) {
        flow->has_lost = true;
        flow->session->proxy->swallowed += (int64_t)bytes;
        evbuffer_drain(input, bytes);
        return;
    }
    struct piece *piece = calloc(1, sizeof *piece);
    SL_ASSERT(piece != NULL);
    piece->bytes = evbuffer_new();
    SL_ASSERT(piece->bytes != NULL);
    evbuffer_add_buffer(piece->bytes, input);
    int64_t wait_ms = toxics->latency_ms;
    if (toxics->jitter_ms > 0) {
        wait_ms += random() % (2 * toxics->jitter_ms + 1) - toxics->jitter_ms;
    }
    piece->due_us = sl_clock_mono_us() + (wait_ms > 0 ? wait_ms * 1000 : 0);
    if (flow->last != NULL) {
        piece->due_us = piece->due_us > flow->last->due_us ? piece->due_us : flow->last->due_us;
        flow->last->next = piece;
    } else {
        flow->first = piece;
    }
    flow->last = piece;
    flow->held += bytes;
    if (flow->held > HELD_BYTES_MAX) {
        bufferevent_disable(flow->from, EV_READ);
    }
    pump(flow);
}

static void on_flow_timer(void *arg)
{
    pump(arg);
}

/* The callback of an end; what waits to be written to it is the other direction's flow. */
static bool swallows(const struct flow *flow)
{
    const struct session *session = flow->session;
    return session->is_forgotten || session->proxy->toxics.swallows[flow->direction];
}

static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    const struct flow *from_here = arg;
    struct session *session = from_here->session;
    if (session->is_closing) {
        end_session(session, false);
        return;
    }
    pump(&session->flows[from_here->direction == UP ? DOWN : UP]);
}

static void pump(struct flow *flow)
{
    struct session *session = flow->session;
    struct proxy *proxy = session->proxy;
    const struct toxics *toxics = &proxy->toxics;
    struct evbuffer *output = bufferevent_get_output(flow->to);

    while (flow->first != NULL && !toxics->is_frozen && !session->is_closing) {
        struct piece *piece = flow->first;
        size_t unsent = evbuffer_get_length(output);
        if (unsent > HELD_BYTES_MAX || (toxics->slice_bytes > 0 && unsent > 0)) {
            return; /* on_written goes on */
        }
        int64_t now_us = sl_clock_mono_us();
        int64_t due_us = piece->due_us > flow->free_us ? piece->due_us : flow->free_us;
        if (due_us > now_us) {
            sl_timer_arm(flow->timer, (due_us - now_us + 999) / 1000);
            return;
        }
        size_t bytes = allowance(flow, evbuffer_get_length(piece->bytes));
        evbuffer_remove_buffer(piece->bytes, output, bytes);
        flow->held -= bytes;
        flow->passed += (int64_t)bytes;
        proxy->passed[flow->direction] += (int64_t)bytes;
        proxy->pieces[flow->direction]++;
        flow->free_us = now_us;
        if (toxics->bandwidth > 0) {
            flow->free_us += (int64_t)bytes * 1000000 / toxics->bandwidth;
        }
        if (toxics->slice_bytes > 0) {
            flow->free_us += toxics->slice_gap_ms * 1000;
        }
        if (evbuffer_get_length(piece->bytes) == 0) {
            flow->first = piece->next;
            flow->last = flow->first == NULL ? NULL : flow->last;
            evbuffer_free(piece->bytes);
            free(piece);
        }
        int64_t limit = toxics->limit_bytes[flow->direction];
        session->is_closing = limit > 0 && flow->passed >= limit;
    }
    if (flow->held <= HELD_BYTES_MAX / 2 && !toxics->is_frozen && !flow->is_at_end) {
        bufferevent_enable(flow->from, EV_READ);
    }
    if (flow->is_at_end && flow->first == NULL && evbuffer_get_length(output) == 0) {
        pass_end_on(flow);
    }
}

/* A half-closed connection is one way; the session ends with the second half. */
static void pass_end_on(struct flow *flow)
{
    struct session *session = flow->session;
    const struct flow *back = &session->flows[flow->direction == UP ? DOWN : UP];
    if (back->is_at_end && back->first == NULL && !back->has_lost) {
        end_session(session, false);
        return;
    }
    shutdown(bufferevent_getfd(flow->to), SHUT_WR);
}

static size_t allowance(const struct flow *flow, size_t wanted)
{
    const struct toxics *toxics = &flow->session->proxy->toxics;
    int64_t bytes = (int64_t)wanted;
    if (toxics->slice_bytes > 0 && bytes > toxics->slice_bytes) {
        bytes = toxics->slice_bytes;
    }
    if (toxics->bandwidth > 0 && bytes > toxics->bandwidth / QUANTA_A_SECOND + 1) {
        bytes = toxics->bandwidth / QUANTA_A_SECOND + 1;
    }
    int64_t limit = toxics->limit_bytes[flow->direction];
    if (limit > 0 && bytes > limit - flow->passed) {
        bytes = limit > flow->passed ? limit - flow->passed : 1;
    }
    return (size_t)bytes;
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct flow *flow = arg;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        setsockopt(bufferevent_getfd(flow->from), IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
                   sizeof(int));
        return;
    }
    if (swallows(flow)) {
        flow->has_lost = true; /* nobody is told */
        flow->is_at_end = true;
        return;
    }
    if ((what & BEV_EVENT_ERROR) != 0) {
        end_session(flow->session, true);
        return;
    }
    flow->is_at_end = true;
    pump(flow);
}

/* ---- commands ---- */

static const char *set_latency(struct proxy *proxy, int64_t first, int64_t second)
{
    proxy->toxics.latency_ms = first;
    proxy->toxics.jitter_ms = second;
    return NULL;
}

static const char *set_bandwidth(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)second;
    proxy->toxics.bandwidth = first;
    return NULL;
}

static const char *set_slicer(struct proxy *proxy, int64_t first, int64_t second)
{
    proxy->toxics.slice_bytes = first;
    proxy->toxics.slice_gap_ms = second;
    return NULL;
}

static const char *set_limit_up(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)second;
    proxy->toxics.limit_bytes[UP] = first;
    return NULL;
}

static const char *set_limit_down(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)second;
    proxy->toxics.limit_bytes[DOWN] = first;
    return NULL;
}

static const char *set_blackhole(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    proxy->toxics.swallows[UP] = true;
    proxy->toxics.swallows[DOWN] = true;
    return NULL;
}

static const char *set_drop_up(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    proxy->toxics.swallows[UP] = true;
    return NULL;
}

static const char *set_drop_down(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    proxy->toxics.swallows[DOWN] = true;
    return NULL;
}

static const char *forget(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    for (struct session *session = proxy->sessions; session != NULL; session = session->next) {
        session->is_forgotten = true;
    }
    return NULL;
}

static const char *set_freeze(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    proxy->toxics.is_frozen = true;
    for (struct session *session = proxy->sessions; session != NULL; session = session->next) {
        bufferevent_disable(session->ends[UP], EV_READ);
        bufferevent_disable(session->ends[DOWN], EV_READ);
    }
    return NULL;
}

static const char *reset_now(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    end_sessions(proxy, true, false);
    return NULL;
}

static const char *set_reset_every(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)second;
    proxy->toxics.reset_after_ms = first;
    end_sessions(proxy, true, false);
    return NULL;
}

static const char *go_down(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    if (proxy->listener != NULL) {
        evconnlistener_free(proxy->listener);
        proxy->listener = NULL;
    }
    end_sessions(proxy, false, false);
    return NULL;
}

static const char *go_up(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    if (proxy->listener == NULL && !start_listening(proxy)) {
        return "cannot listen";
    }
    return NULL;
}

static const char *set_target(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)second;
    proxy->target = (uint16_t)first;
    return NULL;
}

static const char *clear(struct proxy *proxy, int64_t first, int64_t second)
{
    proxy->toxics = (struct toxics){ 0 };
    end_sessions(proxy, true, true);
    for (struct session *session = proxy->sessions; session != NULL;) {
        struct session *next = session->next;
        sl_timer_disarm(session->reset_timer);
        bufferevent_enable(session->ends[UP], EV_READ);
        bufferevent_enable(session->ends[DOWN], EV_READ);
        sl_timer_arm(session->flows[UP].timer, 0);
        sl_timer_arm(session->flows[DOWN].timer, 0);
        session = next;
    }
    return go_up(proxy, first, second);
}

static const char *tell_stats(struct proxy *proxy, int64_t first, int64_t second)
{
    (void)first;
    (void)second;
    printf("{\"accepted\":%" PRId64 ",\"open\":%" PRId64 ",\"up_bytes\":%" PRId64
           ",\"down_bytes\":%" PRId64 ",\"down_pieces\":%" PRId64 ",\"swallowed_bytes\":%" PRId64
           "}\n",
           proxy->accepted, proxy->open, proxy->passed[UP], proxy->passed[DOWN],
           proxy->pieces[DOWN], proxy->swallowed);
    return "";
}

static const struct {
    const char *name;
    int numbers_min;
    int numbers_max;
    command_fn *run; /* NULL when done, "" when it has answered itself, else what is wrong */
} commands[] = {
    { "latency", 1, 2, set_latency },
    { "bandwidth", 1, 1, set_bandwidth },
    { "slicer", 1, 2, set_slicer },
    { "limit-up", 1, 1, set_limit_up },
    { "limit-down", 1, 1, set_limit_down },
    { "blackhole", 0, 0, set_blackhole },
    { "drop-up", 0, 0, set_drop_up },
    { "drop-down", 0, 0, set_drop_down },
    { "forget", 0, 0, forget },
    { "freeze", 0, 0, set_freeze },
    { "reset", 0, 0, reset_now },
    { "reset-every", 1, 1, set_reset_every },
    { "down", 0, 0, go_down },
    { "up", 0, 0, go_up },
    { "target", 1, 1, set_target },
    { "clear", 0, 0, clear },
    { "stats", 0, 0, tell_stats },
};

static void on_command_line(struct bufferevent *bev, void *arg)
{
    struct proxy *proxy = arg;
    char line[COMMAND_BYTES];
    for (;;) {
        size_t bytes = 0;
        char *text = evbuffer_readln(bufferevent_get_input(bev), &bytes, EVBUFFER_EOL_LF);
        if (text == NULL) {
            return;
        }
        snprintf(line, sizeof line, "%s", text);
        const char *wrong = obey(proxy, text);
        free(text);
        if (wrong == NULL) {
            printf("ok %s\n", line);
        } else if (wrong[0] != '\0') {
            printf("error %s: %s\n", line, wrong);
        }
        fflush(stdout);
    }
}

static const char *obey(struct proxy *proxy, char *line)
{
    char *rest = NULL;
    int64_t numbers[2] = { 0, 0 };
    int count = 0;
    const char *name = strtok_r(line, " ", &rest);
    for (const char *word = strtok_r(NULL, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *end = NULL;
        if (count == 2) {
            return "too many numbers";
        }
        numbers[count] = strtoll(word, &end, 10);
        if (*end != '\0' || numbers[count] < 0) {
            return "not a number";
        }
        count++;
    }
    for (size_t i = 0; name != NULL && i < SL_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) != 0) {
            continue;
        }
        if (count < commands[i].numbers_min || count > commands[i].numbers_max) {
            return "wrong number of numbers";
        }
        return commands[i].run(proxy, numbers[0], numbers[1]);
    }
    return "no such command";
}

static void on_command_end(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    struct proxy *proxy = arg;
    sl_loop_stop(proxy->loop);
}
