/*
 * amqp_link against a real RabbitMQ. Needs AMQP_URL of an administrator (see tests/support/with_rabbitmq.sh); skipped without.
 * Claims that kill, stop or starve the broker run only with RABBITMQ_SUPERVISED=1.
 */
#include "shared/amqp/amqp_link.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/support/claims.h"

#define PATIENCE_MS    300000
#define ALARM_MS       300000
#define ALARM_PROBE_MS 20
#define RESTART_MS     600000 /* a killed broker comes back within this */
#define LOOK_MS        5
#define MANY           10000
#define WINDOW         1000

extern char **environ;

__attribute__((constructor)) static void skip_without_broker(void)
{
    if (getenv("AMQP_URL") == NULL) {
        puts("AMQP_URL is not set: skipped");
        _exit(77);
    }
    signal(SIGPIPE, SIG_IGN);
}

static bool is_supervised(void)
{
    return getenv("RABBITMQ_SUPERVISED") != NULL;
}

/* ---- one link and what it said ---- */

struct world {
    struct sl_loop *loop;
    struct sl_timer *guard;
    struct sl_timer *look;
    bool (*is_done)(struct world *);
    bool timed_out;

    struct sl_amqp_url url;
    struct sl_amqp_link_opts opts;
    struct sl_amqp_link *link;
    int ups;
    int downs;
    struct sl_err why;
    int64_t pause_ms;
    int blocked;
    int unblocked;
    int cancelled;

    struct sl_span body;
    const char *queue;
    int to_publish;
    int64_t next_publish_ms; /* while an alarm is waited for */
    int published;
    int settled;
    int outcomes[SL_PUBLISH_LOST + 1];
    unsigned char seen[MANY + 1]; /* per cookie */
    int refused;

    int delivered;
    int redelivered;
    int to_ack_each;
    uint64_t last_tag;
    uint64_t body_sum;
    struct sl_err declare_err;
    int declared;
    int declare_refused;
    uint32_t message_count;
    bool free_in_callback;
    char headers[512];
};

static void on_guard(void *arg)
{
    struct world *world = arg;
    world->timed_out = true;
    sl_loop_stop(world->loop);
}

static void on_look(void *arg)
{
    struct world *world = arg;
    if (world->is_done(world)) {
        sl_loop_stop(world->loop);
    } else {
        sl_timer_arm(world->look, LOOK_MS);
    }
}

/* Runs the loop until is_done; false after patience_ms. */
static bool reach(struct world *world, bool (*is_done)(struct world *), int64_t patience_ms)
{
    struct sl_err err = { 0 };
    world->is_done = is_done;
    world->timed_out = false;
    sl_timer_arm(world->guard, patience_ms);
    sl_timer_arm(world->look, 0);
    CU_ASSERT_FATAL(sl_loop_run(world->loop, &err));
    sl_timer_disarm(world->guard);
    sl_timer_disarm(world->look);
    return !world->timed_out;
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    struct world *world = arg;
    (void)link;
    world->ups++;
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    struct world *world = arg;
    world->downs++;
    world->why = *why;
    world->pause_ms = wait_ms;
    if (world->free_in_callback) {
        sl_amqp_link_free(link);
        world->link = NULL;
    }
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    struct world *world = arg;
    (void)link;
    (void)reason;
    *(is_blocked ? &world->blocked : &world->unblocked) += 1;
}

static void fill(struct world *world);

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    struct world *world = arg;
    CU_ASSERT_FATAL(cookie <= MANY);
    CU_ASSERT(world->seen[cookie] == 1);
    world->seen[cookie] = 2;
    world->settled++;
    world->outcomes[outcome]++;
    if (world->free_in_callback) {
        sl_amqp_link_free(link);
        world->link = NULL;
    } else {
        fill(world);
    }
}

static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    struct world *world = arg;
    struct sl_err err = { 0 };
    world->delivered++;
    world->redelivered += delivery->redelivered;
    world->last_tag = delivery->tag;
    world->body_sum += delivery->message.body.bytes;
    /* Of a length that was not sent last: a claim that publishes several sizes compares their sum. */
    struct sl_span body = delivery->message.body;
    CU_ASSERT(body.bytes != world->body.bytes || sl_span_eq(body, world->body));
    const struct sl_amqp_message *message = &delivery->message;
    int used = snprintf(world->headers, sizeof world->headers, "%.*s|%.*s|%.*s|%s|%.*s",
                        SL_SPAN_ARGS(message->message_id), SL_SPAN_ARGS(message->type),
                        SL_SPAN_ARGS(message->app_id), message->exchange,
                        SL_SPAN_ARGS(message->routing_key));
    for (size_t i = 0; i < message->header_count; i++) {
        const struct sl_amqp_header *header = &message->headers[i];
        used +=
            snprintf(world->headers + used, sizeof world->headers - (size_t)used, "|%s=%.*s%lld",
                     header->name, SL_SPAN_ARGS(header->text), (long long)header->number);
    }
    if (world->free_in_callback) {
        sl_amqp_link_free(link);
        world->link = NULL;
    } else if (world->to_ack_each > 0 && world->delivered % world->to_ack_each == 0) {
        CU_ASSERT(sl_amqp_ack(link, delivery->tag, true, &err));
    }
}

static void on_cancelled(struct sl_amqp_link *link, struct sl_span consumer_tag, void *arg)
{
    struct world *world = arg;
    (void)link;
    world->cancelled += sl_span_is(consumer_tag, world->queue);
}

static void on_declared(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                        const struct sl_err *err, void *arg)
{
    struct world *world = arg;
    (void)link;
    if (err != NULL) {
        world->declare_refused++;
        world->declare_err = *err;
    } else {
        world->declared++;
        world->message_count = declared->message_count;
    }
}

static void world_init(struct world *world)
{
    struct sl_err err = { 0 };
    *world = (struct world){ 0 };
    world->loop = sl_loop_new(&err);
    CU_ASSERT_FATAL(world->loop != NULL);
    world->guard = sl_timer_new(world->loop, on_guard, world);
    world->look = sl_timer_new(world->loop, on_look, world);
    CU_ASSERT_FATAL(sl_amqp_url_parse(getenv("AMQP_URL"), &world->url, &err));
    world->body = SL_SPAN_LITERAL("{\"id\":\"evt_1\"}");
    world->opts = (struct sl_amqp_link_opts){
        .loop = world->loop,
        .url = &world->url,
        .connection_name = "test_amqp_link",
        .confirms = true,
        .attempt_ms = 60000, /* a busy machine is slow; claims about deadlines have their own */
        .confirm_ms = 60000,
        .arg = world,
        .on_up = on_up,
        .on_down = on_down,
        .on_blocked = on_blocked,
        .on_settled = on_settled,
        .on_delivery = on_delivery,
        .on_cancelled = on_cancelled,
    };
}

static void world_done(struct world *world)
{
    sl_amqp_link_free(world->link);
    sl_amqp_url_done(&world->url);
    sl_timer_free(world->guard);
    sl_timer_free(world->look);
    sl_loop_free(world->loop);
}

static bool is_up(struct world *world)
{
    return sl_amqp_link_state(world->link) == SL_AMQP_UP;
}

static bool is_down_once(struct world *world)
{
    return world->downs > 0;
}

static bool is_declared(struct world *world)
{
    return world->declared + world->declare_refused > 0;
}

static bool all_settled(struct world *world)
{
    return world->published == world->to_publish && world->settled == world->published;
}

static void start(struct world *world)
{
    struct sl_err err = { 0 };
    world->link = sl_amqp_link_new(&world->opts, &err);
    CU_ASSERT_FATAL(world->link != NULL);
}

static void go_up(struct world *world)
{
    if (world->link == NULL) {
        start(world);
    }
    CU_ASSERT_FATAL(reach(world, is_up, PATIENCE_MS));
    CU_ASSERT(sl_amqp_link_has_tried(world->link));
}

/* One declaration and its answer. */
static bool declare(struct world *world, const struct sl_amqp_declare *what)
{
    struct sl_err err = { 0 };
    world->declared = 0;
    world->declare_refused = 0;
    CU_ASSERT_FATAL(sl_amqp_declare(world->link, what, on_declared, world, &err));
    CU_ASSERT_FATAL(reach(world, is_declared, PATIENCE_MS));
    return world->declared == 1;
}

static void declare_quorum(struct world *world, const char *queue)
{
    const struct sl_amqp_header type = { .name = "x-queue-type",
                                         .text = SL_SPAN_LITERAL("quorum") };
    const struct sl_amqp_declare what = {
        .kind = SL_AMQP_DECLARE_QUEUE, .name = queue, .arguments = &type, .argument_count = 1
    };
    world->queue = queue;
    CU_ASSERT_FATAL(declare(world, &what));
}

static bool publish(struct world *world, const char *exchange, uint64_t cookie)
{
    char id[32];
    snprintf(id, sizeof id, "evt_%llu", (unsigned long long)cookie);
    const struct sl_amqp_header headers[] = {
        { .name = "sluice-attempt", .number = 3 },
        { .name = "sluice-error", .text = SL_SPAN_LITERAL("nine") },
    };
    const struct sl_amqp_message message = {
        .exchange = exchange,
        .routing_key = sl_span_of(world->queue),
        .message_id = sl_span_of(id),
        .type = SL_SPAN_LITERAL("invoice.paid"),
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = 1700000000,
        .headers = headers,
        .header_count = SL_COUNT(headers),
        .body = world->body,
    };
    struct sl_err err = { 0 };
    if (!sl_amqp_publish(world->link, &message, cookie, &err)) {
        world->refused++;
        return false;
    }
    world->seen[cookie] = 1;
    return true;
}

/* Keeps WINDOW publishes on their way until all have been sent. */
static void fill(struct world *world)
{
    while (world->link != NULL && world->published < world->to_publish &&
           sl_amqp_link_inflight(world->link) < WINDOW &&
           publish(world, "", (uint64_t)(world->published % MANY) + 1)) {
        world->published++;
    }
}

static void publish_many(struct world *world, int count)
{
    world->to_publish = count;
    fill(world);
    CU_ASSERT(reach(world, all_settled, PATIENCE_MS));
    CU_ASSERT(world->outcomes[SL_PUBLISH_CONFIRMED] == count);
}

static void ctl(const char *a, const char *b, const char *c)
{
    char *argv[] = { getenv("RABBITMQ_CTL"), (char *)(uintptr_t) "-q", (char *)(uintptr_t)a,
                     (char *)(uintptr_t)b,   (char *)(uintptr_t)c,     NULL };
    pid_t pid = 0;
    CU_ASSERT_FATAL(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0);
    signal(SIGCHLD, SIG_IGN); /* nobody waits: the loop must run meanwhile */
}

static pid_t broker_pid(void)
{
    FILE *file = fopen(getenv("RABBITMQ_PID_FILE"), "r");
    int pid = 0;
    CU_ASSERT_FATAL(file != NULL);
    CU_ASSERT_FATAL(fscanf(file, "%d", &pid) == 1);
    fclose(file);
    return pid;
}

static long rss_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CU_ASSERT_FATAL(file != NULL);
    CU_ASSERT_FATAL(fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return pages * 4;
}

/* ---- claims ---- */

static bool all_delivered(struct world *world)
{
    return world->delivered >= MANY;
}

static bool tenth_delivered(struct world *world)
{
    return world->delivered >= MANY / 10;
}

CLAIM(amqp_link__ten_thousand_publishes_are_confirmed_then_consumed_and_acked)
{
    struct world world;
    struct sl_err err = { 0 };
    world_init(&world);
    go_up(&world);
    declare_quorum(&world, "link.many");
    publish_many(&world, MANY);

    world.to_ack_each = 50;
    CU_ASSERT(sl_amqp_consume(world.link, "link.many", 100, &err));
    CU_ASSERT(reach(&world, all_delivered, PATIENCE_MS));
    CU_ASSERT(world.delivered == MANY);
    CU_ASSERT(world.redelivered == 0);
    CU_ASSERT(strncmp(world.headers, "evt_10000|invoice.paid|sluice||link.many|", 41) == 0);
    CU_ASSERT(strstr(world.headers, "|sluice-attempt=3|sluice-error=nine0") != NULL);
    CU_ASSERT(world.downs == 0);
    world_done(&world);
}

CLAIM(amqp_link__what_was_not_acked_comes_again_on_the_next_connection)
{
    struct world world;
    struct sl_err err = { 0 };
    world_init(&world);
    go_up(&world);
    declare_quorum(&world, "link.again");
    publish_many(&world, MANY / 10);
    for (int connection = 0; connection < 2; connection++) {
        sl_amqp_link_free(SL_TAKE(world.link));
        go_up(&world);
        world.delivered = 0;
        world.redelivered = 0;
        world.to_ack_each = connection == 1;
        CU_ASSERT(sl_amqp_consume(world.link, "link.again", 2000, &err));
        CU_ASSERT(reach(&world, tenth_delivered, PATIENCE_MS));
        CU_ASSERT(world.delivered == MANY / 10);
        CU_ASSERT(world.redelivered == (connection == 0 ? 0 : MANY / 10));
    }
    world_done(&world);
}

static bool five_delivered(struct world *world)
{
    return world->delivered == 5;
}

CLAIM(amqp_link__a_body_of_many_frames_arrives_whole)
{
    struct world world;
    struct sl_err err = { 0 };
    static char large[1024 * 1024 + 1];
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (char)(i * 31 + i / 256);
    }
    world_init(&world);
    go_up(&world);
    declare_quorum(&world, "link.large");
    const size_t sizes[] = { 0, 131072 - 8, 131072 - 7, 2 * (131072 - 8), sizeof large };
    CU_ASSERT(sl_amqp_consume(world.link, "link.large", 10, &err));
    world.to_ack_each = 1;
    size_t sum = 0;
    for (size_t i = 0; i < SL_COUNT(sizes); i++) {
        world.body = sl_span_make(large, sizes[i]);
        sum += sizes[i];
        world.to_publish++;
        CU_ASSERT(publish(&world, "", i + 1));
        world.published++;
    }
    CU_ASSERT(reach(&world, all_settled, PATIENCE_MS));
    world.body = sl_span_make(large, sizeof large); /* of which all bodies are a beginning */
    CU_ASSERT(reach(&world, five_delivered, PATIENCE_MS));
    CU_ASSERT(world.body_sum == sum);
    CU_ASSERT(world.downs == 0);
    world_done(&world);
}

CLAIM(amqp_link__a_message_no_queue_takes_is_returned)
{
    struct world world;
    world_init(&world);
    go_up(&world);
    world.queue = "link.nobody";
    world.to_publish = 100;
    fill(&world);
    CU_ASSERT(reach(&world, all_settled, PATIENCE_MS));
    CU_ASSERT(world.outcomes[SL_PUBLISH_RETURNED] == 100);
    world_done(&world);
}

CLAIM(amqp_link__an_exchange_that_is_missing_loses_the_publish_and_the_link_recovers)
{
    struct world world;
    world_init(&world);
    go_up(&world);
    world.queue = "q";
    CU_ASSERT(publish(&world, "link.no-such-exchange", 1));
    world.published = world.to_publish = 1;
    CU_ASSERT(reach(&world, all_settled, PATIENCE_MS));
    CU_ASSERT(world.outcomes[SL_PUBLISH_LOST] == 1);
    CU_ASSERT(world.why.code == SL_E_AMQP_NOT_FOUND);
    CU_ASSERT(reach(&world, is_up, PATIENCE_MS));
    world_done(&world);
}

CLAIM(amqp_link__declarations_say_not_found_and_precondition)
{
    struct world world;
    world_init(&world);
    go_up(&world);
    const struct sl_amqp_declare missing = { .kind = SL_AMQP_DECLARE_QUEUE,
                                             .name = "link.missing",
                                             .passive = true };
    CU_ASSERT(!declare(&world, &missing));
    CU_ASSERT(world.declare_err.code == SL_E_AMQP_NOT_FOUND);
    CU_ASSERT(reach(&world, is_up, PATIENCE_MS));

    declare_quorum(&world, "link.declared");
    const struct sl_amqp_declare classic = { .kind = SL_AMQP_DECLARE_QUEUE,
                                             .name = "link.declared" };
    CU_ASSERT(!declare(&world, &classic));
    CU_ASSERT(world.declare_err.code == SL_E_AMQP_PRECONDITION);
    CU_ASSERT(reach(&world, is_up, PATIENCE_MS));

    const struct sl_amqp_declare exchange = { .kind = SL_AMQP_DECLARE_EXCHANGE,
                                              .name = "link.exchange",
                                              .type = "topic" };
    const struct sl_amqp_declare binding = { .kind = SL_AMQP_BIND_QUEUE,
                                             .name = "link.declared",
                                             .source = "link.exchange",
                                             .routing_key = "stripe.#" };
    const struct sl_amqp_declare chain = { .kind = SL_AMQP_BIND_EXCHANGE,
                                           .name = "link.exchange",
                                           .source = "amq.topic",
                                           .routing_key = "#" };
    CU_ASSERT(declare(&world, &exchange));
    CU_ASSERT(declare(&world, &binding));
    CU_ASSERT(declare(&world, &chain));
    world_done(&world);
}

CLAIM(amqp_link__a_wrong_password_is_refused_and_not_tried_again_for_thirty_seconds)
{
    struct world world;
    world_init(&world);
    free(world.url.password);
    world.url.password = strdup("wrong");
    start(&world);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    CU_ASSERT(world.why.code == SL_E_AMQP_REFUSED);
    CU_ASSERT(world.pause_ms >= 30000);
    CU_ASSERT(strstr(world.why.text, "wrong") == NULL);
    CU_ASSERT(sl_amqp_link_state(world.link) == SL_AMQP_WAITING);
    CU_ASSERT(sl_amqp_link_has_tried(world.link));
    world_done(&world);
}

CLAIM(amqp_link__a_virtual_host_that_does_not_exist_is_refused)
{
    struct world world;
    world_init(&world);
    free(world.url.vhost);
    world.url.vhost = strdup("nowhere");
    start(&world);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    CU_ASSERT(world.why.code == SL_E_AMQP_REFUSED);
    CU_ASSERT(world.pause_ms >= 30000);
    world_done(&world);
}

CLAIM(amqp_link__a_dead_first_host_costs_no_pause)
{
    struct world world;
    world_init(&world);
    world.url.hosts[1] = world.url.hosts[0];
    world.url.hosts[0] = (struct sl_amqp_host){ strdup("localhost"), 1 };
    world.url.host_count = 2;
    go_up(&world);
    CU_ASSERT(world.downs == 1);
    CU_ASSERT(world.why.code == SL_E_AMQP_UNREACHABLE);
    CU_ASSERT(world.pause_ms == 0);
    world_done(&world);
}

CLAIM(amqp_link__freeing_it_inside_its_callbacks_is_safe)
{
    struct sl_err err = { 0 };
    struct world world;

    world_init(&world); /* in on_settled */
    go_up(&world);
    world.queue = "link.nobody";
    world.to_publish = 100;
    fill(&world);
    world.free_in_callback = true;
    (void)reach(&world, is_down_once, 300);
    CU_ASSERT(world.link == NULL);
    CU_ASSERT(world.settled == 1);
    world_done(&world);

    world_init(&world); /* in on_delivery */
    go_up(&world);
    declare_quorum(&world, "link.freed");
    publish_many(&world, 100);
    world.free_in_callback = true;
    CU_ASSERT(sl_amqp_consume(world.link, "link.freed", 100, &err));
    (void)reach(&world, is_down_once, 1000);
    CU_ASSERT(world.link == NULL);
    CU_ASSERT(world.delivered == 1);
    world_done(&world);

    world_init(&world); /* in on_down, before the dial has ended */
    world.url.hosts[0].port = 1;
    world.free_in_callback = true;
    start(&world);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    CU_ASSERT(world.link == NULL);
    world_done(&world);
}

static bool some_confirmed(struct world *world)
{
    return world->outcomes[SL_PUBLISH_CONFIRMED] > 2000;
}

static bool nothing_inflight(struct world *world)
{
    return world->downs > 0 && world->settled == world->published;
}

CLAIM(amqp_link__a_killed_broker_settles_everything_and_the_link_comes_back)
{
    if (!is_supervised()) {
        return;
    }
    struct world world;
    world_init(&world);
    go_up(&world);
    /* An old one: RabbitMQ 3.10 may forget to start a queue that was declared within a second of a kill. */
    declare_quorum(&world, "link.many");
    world.to_publish = MANY;
    fill(&world);
    CU_ASSERT(reach(&world, some_confirmed, PATIENCE_MS));
    CU_ASSERT_FATAL(kill(broker_pid(), SIGKILL) == 0);
    CU_ASSERT(reach(&world, nothing_inflight, PATIENCE_MS));
    CU_ASSERT(world.settled == world.published);
    CU_ASSERT(world.outcomes[SL_PUBLISH_LOST] > 0);
    CU_ASSERT(!publish(&world, "", MANY));

    CU_ASSERT(reach(&world, is_up, RESTART_MS));
    CU_ASSERT(world.ups == 2);
    /* The queue elects a leader first: early ones may miss their deadline. */
    bool all_confirmed = false;
    for (int round = 0; round < 10 && !all_confirmed; round++) {
        int before = world.outcomes[SL_PUBLISH_CONFIRMED];
        memset(world.seen, 0, sizeof world.seen);
        world.to_publish = world.published + 100;
        fill(&world);
        CU_ASSERT(reach(&world, all_settled, PATIENCE_MS));
        all_confirmed = world.outcomes[SL_PUBLISH_CONFIRMED] == before + 100;
    }
    CU_ASSERT(all_confirmed);
    CU_ASSERT(world.ups == 2);
    world_done(&world);
}

static bool has_timeouts(struct world *world)
{
    return world->outcomes[SL_PUBLISH_TIMEOUT] > 0;
}

CLAIM(amqp_link__a_frozen_broker_costs_its_confirms_then_the_link_and_both_come_back)
{
    if (!is_supervised()) {
        return;
    }
    struct world world;
    world_init(&world);
    world.opts.heartbeat_s = 2;
    world.opts.confirm_ms = 500;
    world.opts.attempt_ms = 3000;
    go_up(&world);
    declare_quorum(&world, "link.frozen");
    pid_t pid = broker_pid();
    CU_ASSERT_FATAL(kill(pid, SIGSTOP) == 0);
    int64_t frozen_at_ms = sl_clock_mono_ms();
    world.to_publish = 10;
    fill(&world);
    CU_ASSERT(reach(&world, has_timeouts, PATIENCE_MS));
    int64_t expired_ms = sl_clock_mono_ms() - frozen_at_ms;
    CU_ASSERT(expired_ms >= 500);
    CU_ASSERT(sl_amqp_link_inflight(world.link) == 0);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    int64_t dead_ms = sl_clock_mono_ms() - frozen_at_ms;
    CU_ASSERT(dead_ms >= 3000);
    CU_ASSERT(world.why.code == SL_E_AMQP_UNREACHABLE);
    CU_ASSERT(world.settled == 10);
    CU_ASSERT_FATAL(kill(pid, SIGCONT) == 0);
    CU_ASSERT(reach(&world, is_up, RESTART_MS));
    CU_ASSERT(world.outcomes[SL_PUBLISH_TIMEOUT] == 10);
    world_done(&world);
}

static bool is_blocked(struct world *world)
{
    /* The broker tells a connection only when it publishes; its tool may take seconds to start. */
    int64_t now_ms = sl_clock_mono_ms();
    if (world->published == world->settled && world->published < MANY &&
        now_ms >= world->next_publish_ms) {
        world->next_publish_ms = now_ms + ALARM_PROBE_MS;
        world->to_publish = world->published + 1;
        fill(world);
    }
    return world->blocked > 0;
}

static bool is_unblocked(struct world *world)
{
    return world->unblocked > 0 && is_up(world);
}

CLAIM(amqp_link__a_memory_alarm_blocks_publishing_until_it_is_over)
{
    if (!is_supervised()) {
        return;
    }
    struct world world;
    world_init(&world);
    go_up(&world);
    declare_quorum(&world, "link.alarm");
    ctl("set_vm_memory_high_watermark", "0.0000001", NULL);
    CU_ASSERT(reach(&world, is_blocked, ALARM_MS));
    CU_ASSERT(sl_amqp_link_state(world.link) == SL_AMQP_BLOCKED);
    int refused = world.refused;
    CU_ASSERT(!publish(&world, "", MANY));
    CU_ASSERT(world.refused == refused + 1);
    ctl("set_vm_memory_high_watermark", "0.4", NULL);
    CU_ASSERT(reach(&world, is_unblocked, ALARM_MS));
    CU_ASSERT(world.downs == 0);
    int before = world.outcomes[SL_PUBLISH_CONFIRMED];
    world.to_publish = world.published + 10;
    fill(&world);
    CU_ASSERT(reach(&world, all_settled, PATIENCE_MS));
    CU_ASSERT(world.outcomes[SL_PUBLISH_CONFIRMED] >= before + 10);
    world_done(&world);
}

static void use_tls(struct world *world, const char *host)
{
    struct sl_err err = { 0 };
    sl_amqp_url_done(&world->url);
    CU_ASSERT_FATAL(sl_amqp_url_parse(getenv("AMQPS_URL"), &world->url, &err));
    CU_ASSERT(world->url.is_tls);
    free(world->url.hosts[0].name);
    world->url.hosts[0].name = strdup(host);
}

CLAIM(amqp_link__tls_works_with_a_trusted_certificate_and_only_for_its_name)
{
    if (!is_supervised()) {
        return;
    }
    static char large[500000];
    struct world world;
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(setenv("SSL_CERT_FILE", getenv("AMQPS_CERTIFICATE"), 1) == 0);
    world_init(&world);
    use_tls(&world, "localhost");
    go_up(&world);
    declare_quorum(&world, "link.tls");
    publish_many(&world, 1000);
    world.body = sl_span_make(large, sizeof large);
    CU_ASSERT_FATAL(publish(&world, "", MANY));
    world.to_publish++;
    world.published++;
    CU_ASSERT(reach(&world, all_settled, PATIENCE_MS));
    CU_ASSERT(world.downs == 0);
    sl_amqp_link_free(SL_TAKE(world.link));
    world.body = SL_SPAN_LITERAL("{\"id\":\"evt_1\"}");
    go_up(&world);
    world.to_ack_each = 1;
    CU_ASSERT(sl_amqp_consume(world.link, "link.tls", 100, &err));
    CU_ASSERT(reach(&world, tenth_delivered, PATIENCE_MS));
    world_done(&world);

    world_init(&world);
    use_tls(&world, "127.0.0.1"); /* the certificate is for the name only */
    start(&world);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    CU_ASSERT(world.why.code == SL_E_AMQP_TLS);
    CU_ASSERT(strstr(world.why.text, "mismatch") != NULL);
    world_done(&world);

    CU_ASSERT_FATAL(unsetenv("SSL_CERT_FILE") == 0);
    world_init(&world);
    use_tls(&world, "localhost");
    start(&world);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    CU_ASSERT(strstr(world.why.text, "TLS: ") != NULL);
    CU_ASSERT(world.ups == 0);
    world_done(&world);

    world_init(&world); /* TLS spoken to a port that does not */
    world.opts.attempt_ms = 1000;
    uint16_t plain = world.url.hosts[0].port;
    use_tls(&world, "localhost");
    world.url.hosts[0].port = plain;
    start(&world);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    CU_ASSERT(world.ups == 0);
    world_done(&world);
}

CLAIM(amqp_link__a_deleted_queue_cancels_its_consumer)
{
    if (!is_supervised()) {
        return;
    }
    struct world world;
    struct sl_err err = { 0 };
    world_init(&world);
    go_up(&world);
    declare_quorum(&world, "link.deleted");
    CU_ASSERT(sl_amqp_consume(world.link, "link.deleted", 10, &err));
    publish_many(&world, 1);
    ctl("delete_queue", "link.deleted", NULL);
    CU_ASSERT(reach(&world, is_down_once, PATIENCE_MS));
    CU_ASSERT(world.cancelled == 1);
    CU_ASSERT(world.why.code == SL_E_AMQP_NOT_FOUND);
    world_done(&world);
}

CLAIM(amqp_link__memory_stays_flat_over_many_publishes)
{
    struct world world;
    static char body[3200];
    memset(body, 'x', sizeof body);
    world_init(&world);
    world.body = sl_span_make(body, sizeof body);
    world.queue =
        "link.nobody"; /* returned, so that the broker's disk is spared and both ways are busy */
    go_up(&world);
    const int rounds = 20;
    long after_first = 0;
    for (int i = 0; i < rounds; i++) {
        memset(world.seen, 0, sizeof world.seen);
        world.to_publish += MANY;
        fill(&world);
        CU_ASSERT(reach(&world, all_settled, PATIENCE_MS));
        if (i == 1) {
            after_first = rss_kib();
        }
    }
    CU_ASSERT(world.outcomes[SL_PUBLISH_RETURNED] == rounds * MANY);
    long grown = rss_kib() - after_first;
    printf("(resident %ld KiB, grown by %ld KiB over %d publishes) ", rss_kib(), grown,
           (rounds - 2) * MANY);
#ifndef __SANITIZE_ADDRESS__ /* which keeps freed memory on purpose */
    CU_ASSERT(grown < 2048);
#endif
    world_done(&world);
}
