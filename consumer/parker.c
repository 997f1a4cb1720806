#include "consumer/parker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/delivery.h"
#include "consumer/letter.h"
#include "consumer/statements.h"
#include "consumer/watch.h"
#include "shared/backoff.h"
#include "shared/digest.h"

#define PREFETCH         32u /* per queue */
#define LETTERS_MAX      64u /* in one statement */
#define HELD_BYTES_MAX   (8u * 1024u * 1024u)
#define STATEMENT_BYTES  (8u * 1024u * 1024u) /* of message bodies in one statement */
#define ARENA_BYTES_MAX  (16u * 1024u * 1024u)
#define PARAMS_BYTES_MAX (24u * 1024u * 1024u) /* a body is sent twice: as it came, and as JSON */
#define RETRY_BASE_MS    500
#define RETRY_CAP_MS     30000

/* Letters that arrived together, and the memory they live in. */
struct pile {
    struct sl_arena arena;
    struct con_letter *first;
    struct con_letter *last;
};

struct con_parker {
    struct con_parker_opts opts;
    char connection_name[160];
    char queues[SL_SUBSYSTEMS_MAX + 1][SL_SUBSYSTEM_NAME_BYTES + 16];
    size_t queue_count;
    struct con_watch broker_watch;
    struct con_watch pg_watch;
    struct con_statements statements;
    struct sl_amqp_link *broker;
    struct sl_pg_link *pg;
    struct sl_timer *timer;
    struct sl_backoff backoff;
    struct sl_buf params;

    struct pile arriving;
    struct pile writing;
    size_t writing_count; /* letters of the statement that runs; 0: none runs */
    size_t write_max;     /* smaller after a refusal */
    bool is_bare;         /* the next letter is written without its event */
    bool is_consuming;
    bool is_draining;
};

static bool make_links(struct con_parker *parker, struct sl_err *err);
static void name_queues(struct con_parker *parker);
static void reconsider(struct con_parker *parker);
static void on_broker_up(struct sl_amqp_link *link, void *arg);
static void on_broker_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                           void *arg);
static void forget(struct pile *pile, size_t running);
static void on_cancelled(struct sl_amqp_link *link, struct sl_span consumer_tag, void *arg);
static void keep(const struct pile *pile, const char *subsystem);
static bool is_keeping(const struct con_parker *parker);
static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg);
static void on_pg_up(struct sl_pg_link *link, void *arg);
static void on_pg_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms,
                       void *arg);
static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg);
static void drop_rehearsal(struct con_parker *parker, const struct sl_amqp_delivery *delivery);
static void on_timer(void *arg);
static void write_some(struct con_parker *parker);
static size_t choose(const struct con_parker *parker);
static void on_written(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg);
static void acknowledge(struct con_parker *parker, size_t count);
static void meet_failure(struct con_parker *parker, size_t count, const struct sl_err *why);
static void pile_reset(struct pile *pile);

struct con_parker *con_parker_new(const struct con_parker_opts *opts, struct sl_err *err)
{
    struct con_parker *parker = calloc(1, sizeof *parker);
    if (parker == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the parker");
        return NULL;
    }
    parker->opts = *opts;
    parker->write_max = LETTERS_MAX;
    parker->backoff = (struct sl_backoff){ .base_ms = RETRY_BASE_MS, .cap_ms = RETRY_CAP_MS };
    bool is_seeded = sl_random_bytes(&parker->backoff.rng, sizeof parker->backoff.rng);
    parker->backoff.rng |= 1;
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    snprintf(parker->connection_name, sizeof parker->connection_name, "%s/parker/%s/%d",
             opts->service, host, (int)getpid());
    sl_arena_init(&parker->arriving.arena, ARENA_BYTES_MAX);
    sl_arena_init(&parker->writing.arena, ARENA_BYTES_MAX);
    sl_buf_init(&parker->params, PARAMS_BYTES_MAX);
    con_watch_init(&parker->broker_watch, opts->log, opts->metrics, true, "parker", "consume");
    con_watch_init(&parker->pg_watch, opts->log, opts->metrics, false, "parker", "write");
    name_queues(parker);
    parker->timer = sl_timer_new(opts->loop, on_timer, parker);
    if (!is_seeded || parker->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the parker");
        con_parker_free(parker);
        return NULL;
    }
    if (!make_links(parker, err)) {
        con_parker_free(parker);
        return NULL;
    }
    return parker;
}

static void name_queues(struct con_parker *parker)
{
    for (size_t i = 0; i < parker->opts.subsystem_count; i++) {
        snprintf(parker->queues[parker->queue_count++], sizeof parker->queues[0], "%s.parked",
                 parker->opts.subsystems[i]->queue);
    }
    snprintf(parker->queues[parker->queue_count++], sizeof parker->queues[0], "%s",
             CON_UNROUTED_QUEUE);
}

static bool make_links(struct con_parker *parker, struct sl_err *err)
{
    const struct con_parker_opts *opts = &parker->opts;
    con_statements_add(&parker->statements, "dead_letter");
    parker->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = opts->loop,
            .conninfo = opts->database_url,
            .application_name = parker->connection_name,
            .statements = parker->statements.items,
            .statement_count = parker->statements.count,
            .arg = parker,
            .on_up = on_pg_up,
            .on_down = on_pg_down,
        },
        err);
    if (parker->pg == NULL) {
        return false;
    }
    parker->broker = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = opts->loop,
            .url = opts->amqp,
            .connection_name = parker->connection_name,
            .arg = parker,
            .on_up = on_broker_up,
            .on_down = on_broker_down,
            .on_papers = on_papers,
            .on_delivery = on_delivery,
            .on_cancelled = on_cancelled,
        },
        err);
    return parker->broker != NULL;
}

void con_parker_free(struct con_parker *parker)
{
    if (parker == NULL) {
        return;
    }
    sl_amqp_link_free(parker->broker);
    sl_pg_link_free(parker->pg);
    sl_timer_free(parker->timer);
    sl_arena_done(&parker->arriving.arena);
    sl_arena_done(&parker->writing.arena);
    sl_buf_done(&parker->params);
    free(parker);
}

bool con_parker_is_well(const struct con_parker *parker)
{
    return sl_amqp_link_state(parker->broker) == SL_AMQP_UP && sl_pg_link_is_up(parker->pg);
}

void con_parker_drain(struct con_parker *parker)
{
    parker->is_draining = true;
    sl_timer_disarm(parker->timer);
    struct sl_err why;
    for (size_t i = 0; i < parker->queue_count && parker->is_consuming; i++) {
        parker->is_consuming = sl_amqp_consume_stop(parker->broker, parker->queues[i], &why);
    }
}

bool con_parker_is_drained(const struct con_parker *parker)
{
    return parker->writing_count == 0 && !is_keeping(parker);
}

/* Links ----------------------------------------------------------------------------------------- */

static void reconsider(struct con_parker *parker)
{
    enum sl_amqp_state state = sl_amqp_link_state(parker->broker);
    bool is_open = state == SL_AMQP_UP || state == SL_AMQP_BLOCKED;
    if (parker->is_consuming || parker->is_draining || !is_open || !sl_pg_link_is_up(parker->pg)) {
        return;
    }
    parker->is_consuming = true;
    for (size_t i = 0; i < parker->queue_count; i++) {
        struct sl_err why;
        if (!sl_amqp_consume(parker->broker, parker->queues[i], PREFETCH, &why)) {
            return; /* the link is ending; on_broker_down follows */
        }
    }
}

static void on_broker_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct con_parker *parker = arg;
    con_watch_up(&parker->broker_watch);
    reconsider(parker);
}

static void on_broker_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                           void *arg)
{
    (void)link;
    struct con_parker *parker = arg;
    con_watch_down(&parker->broker_watch, why, wait_ms);
    parker->is_consuming = false;
    forget(&parker->arriving, 0);
    forget(&parker->writing, parker->writing_count);
}

/* They come again. Those being written, `running` at the front, are written all the same, and update the same row then. */
static void forget(struct pile *pile, size_t running)
{
    struct con_letter **at = &pile->first;
    pile->last = NULL;
    for (size_t n = 0; *at != NULL; n++) {
        struct con_letter *letter = *at;
        if (letter->tag != 0 && n >= running) {
            *at = letter->next;
            continue;
        }
        letter->tag = 0;
        pile->last = letter;
        at = &letter->next;
    }
    if (pile->first == NULL) {
        pile_reset(pile);
    }
}

/* Its queue was deleted: what came from it does not come again. */
static void on_cancelled(struct sl_amqp_link *link, struct sl_span consumer_tag, void *arg)
{
    (void)link;
    struct con_parker *parker = arg;
    for (size_t i = 0; i < parker->queue_count; i++) {
        if (sl_span_is(consumer_tag, parker->queues[i])) {
            const char *subsystem = i < parker->opts.subsystem_count
                                        ? parker->opts.subsystems[i]->name
                                        : CON_UNROUTED_NAME;
            keep(&parker->arriving, subsystem);
            keep(&parker->writing, subsystem);
        }
    }
}

static void keep(const struct pile *pile, const char *subsystem)
{
    for (struct con_letter *letter = pile->first; letter != NULL; letter = letter->next) {
        if (sl_span_is(letter->subsystem, subsystem)) {
            letter->tag = 0;
        }
    }
}

/* Some letters in hand are nowhere else. */
static bool is_keeping(const struct con_parker *parker)
{
    const struct pile *piles[] = { &parker->arriving, &parker->writing };
    for (size_t i = 0; i < SL_COUNT(piles); i++) {
        for (const struct con_letter *letter = piles[i]->first; letter != NULL;
             letter = letter->next) {
            if (letter->tag == 0) {
                return true;
            }
        }
    }
    return false;
}

static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg)
{
    (void)link;
    struct con_parker *parker = arg;
    con_watch_papers(&parker->broker_watch, why);
}

static void on_pg_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    struct con_parker *parker = arg;
    con_watch_up(&parker->pg_watch);
    reconsider(parker);
    write_some(parker);
}

static void on_pg_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms,
                       void *arg)
{
    (void)link;
    struct con_parker *parker = arg;
    con_watch_down(&parker->pg_watch, why, wait_ms);
}

/* Letters --------------------------------------------------------------------------------------- */

static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    struct con_parker *parker = arg;
    struct pile *pile = &parker->arriving;
    struct sl_err why;
    if (con_delivery_text(delivery, CON_REHEARSAL_HEADER).data != NULL) {
        drop_rehearsal(parker, delivery);
        return;
    }
    struct con_letter *letter =
        parker->is_draining ? NULL : con_letter_read(delivery, &pile->arena);
    if (letter == NULL) {
        if (!sl_amqp_nack(link, delivery->tag, false, true, &why)) {
            sl_log_err(parker->opts.log, SL_DEBUG, "consumer.ack_lost",
                       "the broker gives it back when the connection closes", &why);
        }
        return;
    }
    if (pile->last == NULL) {
        pile->first = letter;
    } else {
        pile->last->next = letter;
    }
    pile->last = letter;
    sl_amqp_read_pause(parker->broker, pile->arena.used_bytes >= HELD_BYTES_MAX);
    if (parker->writing_count == 0 && !sl_timer_is_armed(parker->timer)) {
        sl_timer_arm(parker->timer, 0);
    }
}

/* Its letter is there already; whoever rehearses it has heard nothing. Alone, since letters before it may not be written yet. */
static void drop_rehearsal(struct con_parker *parker, const struct sl_amqp_delivery *delivery)
{
    struct sl_err why;
    if (!sl_amqp_ack(parker->broker, delivery->tag, false, &why)) {
        sl_log_err(parker->opts.log, SL_DEBUG, "consumer.ack_lost",
                   "the broker gives it back when the connection closes", &why);
    }
}

static void on_timer(void *arg)
{
    write_some(arg);
}

static void write_some(struct con_parker *parker)
{
    bool may = !parker->is_draining || is_keeping(parker);
    if (parker->writing_count > 0 || !may || !sl_pg_link_is_up(parker->pg)) {
        return;
    }
    if (parker->writing.first == NULL) { /* the piles change places */
        struct pile empty = parker->writing;
        sl_arena_reset(&empty.arena);
        parker->writing = parker->arriving;
        parker->arriving = empty;
        sl_amqp_read_pause(parker->broker, false);
    }
    size_t count = choose(parker);
    if (count == 0) {
        return;
    }
    struct sl_pg_param params[CON_LETTER_PARAMS + 1];
    params[CON_LETTER_PARAMS] =
        (struct sl_pg_param){ .value = sl_span_of(con_teller_subsystems(parker->opts.teller)) };
    const struct sl_pg_step step = { .name = "dead_letter",
                                     .params = params,
                                     .param_count = SL_COUNT(params) };
    struct sl_err why;
    if (con_letter_params(parker->writing.first, count, parker->is_bare, &parker->params, params,
                          &why) &&
        sl_pg_run(parker->pg, &step, 1, on_written, parker, &why)) {
        parker->writing_count = count;
    } else {
        meet_failure(parker, count, &why);
    }
}

/* As many letters from the front as one statement may hold: a row must not be named twice. */
static size_t choose(const struct con_parker *parker)
{
    size_t count = 0;
    size_t bytes = 0;
    for (const struct con_letter *letter = parker->writing.first;
         letter != NULL && count < parker->write_max; letter = letter->next) {
        bytes += letter->bytes.bytes;
        if (count > 0 && bytes > STATEMENT_BYTES) {
            break;
        }
        for (const struct con_letter *other = parker->writing.first; other != letter;
             other = other->next) {
            if (con_letter_same(letter, other)) {
                return count;
            }
        }
        count++;
    }
    return count;
}

static void on_written(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    struct con_parker *parker = arg;
    size_t written = parker->writing_count;
    parker->writing_count = 0;
    if (error != NULL) {
        meet_failure(parker, written, &error->err);
        return;
    }
    sl_info(parker->opts.log, "parker.stored", "dead letters are in sluice_dead_letter",
            sl_int("letters", (int64_t)written));
    acknowledge(parker, written);
    con_teller_nudge(parker->opts.teller);
    parker->write_max = LETTERS_MAX;
    parker->is_bare = false;
    sl_backoff_reset(&parker->backoff);
    write_some(parker);
}

/* Each alone: with several queues on a channel, earlier tags may belong to letters not written yet. */
static void acknowledge(struct con_parker *parker, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct con_letter *letter = parker->writing.first;
        struct sl_err why;
        if (letter->tag != 0 && !sl_amqp_ack(parker->broker, letter->tag, false, &why)) {
            sl_log_err(parker->opts.log, SL_DEBUG, "consumer.ack_lost",
                       "it will be delivered again and updates the same row", &why);
        }
        parker->writing.first = letter->next;
    }
    if (parker->writing.first == NULL) {
        pile_reset(&parker->writing);
    }
}

static void meet_failure(struct con_parker *parker, size_t count, const struct sl_err *why)
{
    bool is_content = sl_err_fault(why) == SL_FAULT_POISON;
    int64_t wait_ms = 0;
    if (is_content && count > 1) {
        parker->write_max = 1;
    } else if (is_content && !parker->is_bare) {
        parker->is_bare = true;
    } else {
        wait_ms = sl_backoff_next_ms(&parker->backoff);
    }
    if (wait_ms > 0 || !is_content) {
        sl_log_err(parker->opts.log, SL_ERROR, "parker.failed",
                   "dead letters could not be written; they stay in their queue, trying again", why,
                   sl_int("letters", (int64_t)count), sl_int("wait_ms", wait_ms));
    }
    if (!parker->is_draining || is_keeping(parker)) {
        sl_timer_arm(parker->timer, wait_ms);
    }
}

static void pile_reset(struct pile *pile)
{
    pile->first = NULL;
    pile->last = NULL;
    sl_arena_reset(&pile->arena);
}
