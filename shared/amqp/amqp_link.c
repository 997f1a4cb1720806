#include "shared/amqp/amqp_link.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/random.h>

#include "shared/amqp/amqp_link_parts.h"
#include "shared/clock.h"
#include "shared/event/envelope.h"

#define ATTEMPT_MS            5000
#define CONFIRM_MS            2000
#define REFUSED_MS            20000
#define HEARTBEAT_S           10
#define PUBLISHES_MAX         4096u
#define MESSAGE_EXTRA_BYTES   4096u /* what others may have put around an envelope */
#define BACKOFF_BASE_MS       500
#define BACKOFF_CAP_MS        30000 /* runbooks/rabbitmq-unavailable.md */
#define STEADY_MS             5000 /* up for so long, the next loss starts with a short pause again */
#define CONFIRM_STALL_MS      30000 /* no answer so long past the deadline: try another connection */
#define CONFIRM_TICK_MS_MIN   10
#define CONFIRM_TICK_MS_STALL 1000

static void set_defaults(struct sl_amqp_link_opts *opts);
static bool make_parts(struct sl_amqp_link *link, struct sl_err *err);
static void destroy(struct sl_amqp_link *link);

static void act(struct sl_amqp_link *link, const struct sl_link_rule *rule);
static void announce_up(struct sl_amqp_link *link);

static void disconnect(struct sl_amqp_link *link);
static int64_t next_pause_ms(struct sl_amqp_link *link, bool was_open, const struct sl_err *why);
static void on_attempt_timer(void *arg);
static void on_beat_timer(void *arg);
static void on_confirm_timer(void *arg);
static void look_for_overdue(struct sl_amqp_link *link, int64_t now_ms);
static void tell_stalled(struct sl_amqp_link *link, enum sl_link_event event, const char *reason);
static void on_declare_timer(void *arg);
static void on_resume_timer(void *arg);
static void on_quiet_timer(void *arg);

const char *sl_amqp_state_name(enum sl_amqp_state state)
{
    switch (state) {
    case SL_AMQP_CONNECTING:
        return "connecting";
    case SL_AMQP_UP:
        return "up";
    case SL_AMQP_BLOCKED:
        return "blocked";
    case SL_AMQP_STALLED:
        return "stalled";
    case SL_AMQP_WAITING:
        return "waiting";
    }
    return "unknown";
}

const char *sl_publish_outcome_name(enum sl_publish_outcome outcome)
{
    switch (outcome) {
    case SL_PUBLISH_CONFIRMED:
        return "confirmed";
    case SL_PUBLISH_RETURNED:
        return "returned";
    case SL_PUBLISH_NACKED:
        return "nacked";
    case SL_PUBLISH_TIMEOUT:
        return "timeout";
    case SL_PUBLISH_LOST:
        return "lost";
    }
    return "unknown";
}

struct sl_amqp_link *sl_amqp_link_new(const struct sl_amqp_link_opts *opts, struct sl_err *err)
{
    SL_ASSERT(opts->loop != NULL);
    SL_ASSERT(opts->url != NULL && opts->url->host_count > 0);
    SL_ASSERT(opts->connection_name != NULL);

    struct sl_amqp_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a broker link");
        return NULL;
    }
    link->opts = *opts;
    set_defaults(&link->opts);
    link->hosts_left = opts->url->host_count;
    link->backoff = (struct sl_backoff){ .base_ms = BACKOFF_BASE_MS, .cap_ms = BACKOFF_CAP_MS };
    if (!make_parts(link, err)) {
        destroy(link);
        return NULL;
    }
    sl_timer_arm(link->attempt_timer, 0);
    return link;
}

static void set_defaults(struct sl_amqp_link_opts *opts)
{
    opts->attempt_ms = opts->attempt_ms > 0 ? opts->attempt_ms : ATTEMPT_MS;
    opts->confirm_ms = opts->confirm_ms > 0 ? opts->confirm_ms : CONFIRM_MS;
    opts->refused_ms = opts->refused_ms > 0 ? opts->refused_ms : REFUSED_MS;
    opts->heartbeat_s = opts->heartbeat_s > 0 ? opts->heartbeat_s : HEARTBEAT_S;
    opts->publishes_max = opts->publishes_max > 0 ? opts->publishes_max : PUBLISHES_MAX;
    if (opts->message_bytes_max == 0) {
        opts->message_bytes_max = SL_ENVELOPE_BYTES_MAX + MESSAGE_EXTRA_BYTES;
    }
}

static bool make_parts(struct sl_amqp_link *link, struct sl_err *err)
{
    struct sl_loop *loop = link->opts.loop;
    sl_buf_init(&link->out, SL_LINK_OUT_BYTES_MAX);
    sl_content_init(&link->content, link->opts.message_bytes_max);
    link->opts.connection_name = strdup(link->opts.connection_name);
    link->attempt_timer = sl_timer_new(loop, on_attempt_timer, link);
    link->beat_timer = sl_timer_new(loop, on_beat_timer, link);
    link->confirm_timer = sl_timer_new(loop, on_confirm_timer, link);
    link->declare_timer = sl_timer_new(loop, on_declare_timer, link);
    link->resume_timer = sl_timer_new(loop, on_resume_timer, link);
    link->quiet_timer = sl_timer_new(loop, on_quiet_timer, link);
    if (link->opts.connection_name == NULL || link->attempt_timer == NULL ||
        link->beat_timer == NULL || link->confirm_timer == NULL || link->declare_timer == NULL ||
        link->resume_timer == NULL || link->quiet_timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a broker link");
    }
    while (link->backoff.rng == 0) {
        if (getrandom(&link->backoff.rng, sizeof link->backoff.rng, 0) < 0) {
            return sl_fail(err, SL_E_IO, "no random numbers from the kernel");
        }
    }
    link->wire = sl_wire_new(err);
    if (link->wire == NULL) {
        return false;
    }
    if (link->opts.url->is_tls) {
        link->tls = sl_tls_client_new(&link->opts.url->papers, err);
        if (link->tls == NULL) {
            return false;
        }
    }
    if (link->opts.confirms) {
        link->confirms = sl_confirms_new(link->opts.publishes_max, err);
        return link->confirms != NULL;
    }
    return true;
}

void sl_amqp_link_free(struct sl_amqp_link *link)
{
    if (link == NULL) {
        return;
    }
    SL_ASSERT(!link->is_freed);
    if (sl_link_is_open(link) && sl_link_quiet_late(link, NULL) &&
        sl_wire_put_close(link->wire, sl_link_out(link), NULL) && sl_link_send(link, NULL)) {
        sl_link_flush(link);
    }
    disconnect(link);
    link->is_freed = true;
    sl_timer_disarm(link->attempt_timer);
    if (link->entries == 0) {
        destroy(link);
    }
}

static void destroy(struct sl_amqp_link *link)
{
    disconnect(link);
    sl_confirms_free(link->confirms);
    sl_wire_free(link->wire);
    sl_tls_client_free(link->tls);
    sl_content_done(&link->content);
    sl_buf_done(&link->out);
    sl_timer_free(link->attempt_timer);
    sl_timer_free(link->beat_timer);
    sl_timer_free(link->confirm_timer);
    sl_timer_free(link->declare_timer);
    sl_timer_free(link->resume_timer);
    sl_timer_free(link->quiet_timer);
    free((char *)(uintptr_t)link->opts.connection_name);
    free(link);
}

enum sl_amqp_state sl_amqp_link_state(const struct sl_amqp_link *link)
{
    return sl_link_phase_state(link->phase);
}

bool sl_amqp_link_has_tried(const struct sl_amqp_link *link)
{
    return link->has_tried;
}

size_t sl_amqp_link_inflight(const struct sl_amqp_link *link)
{
    return link->confirms == NULL ? 0 : sl_confirms_count(link->confirms);
}

size_t sl_amqp_link_takes(const struct sl_amqp_link *link)
{
    return link->body_bytes_max;
}

unsigned sl_amqp_link_version(const struct sl_amqp_link *link)
{
    return link->version;
}

void sl_link_enter(struct sl_amqp_link *link)
{
    link->entries++;
}

void sl_link_leave(struct sl_amqp_link *link)
{
    SL_ASSERT(link->entries > 0);
    link->entries--;
    if (link->entries == 0 && link->is_freed) {
        destroy(link);
    }
}

bool sl_link_is_open(const struct sl_amqp_link *link)
{
    return link->bev != NULL && (link->phase == SL_LINK_UP || link->phase == SL_LINK_BLOCKED ||
                                 link->phase == SL_LINK_STALLED);
}

bool sl_link_is_reading(const struct sl_amqp_link *link)
{
    return link->bev != NULL && (bufferevent_get_enabled(link->bev) & EV_READ) != 0;
}

void sl_link_happened(struct sl_amqp_link *link, enum sl_link_event event)
{
    const struct sl_link_rule *rule = sl_link_step(link->phase, event);
    if (rule == NULL) {
        struct sl_err err = { 0 };
        sl_fail(&err, SL_E_AMQP_PROTOCOL, "the broker spoke out of turn while %s",
                sl_link_phase_doing(link->phase));
        sl_link_fail(link, &err);
        return;
    }
    link->phase = rule->to;
    act(link, rule);
}

static void act(struct sl_amqp_link *link, const struct sl_link_rule *rule)
{
    struct sl_err err = { 0 };
    switch (rule->act) {
    case SL_LINK_DO_DIAL:
        sl_link_dial(link);
        return;
    case SL_LINK_DO_GREET:
    case SL_LINK_DO_LOGIN:
    case SL_LINK_DO_OPEN:
    case SL_LINK_DO_CHANNEL:
    case SL_LINK_DO_SELECT:
        if (!sl_link_speak(link, rule->act, &err)) {
            sl_link_fail(link, &err);
        }
        return;
    case SL_LINK_DO_ANNOUNCE_UP:
        announce_up(link);
        return;
    case SL_LINK_DO_ANNOUNCE_BLOCKED: /* the frame's handler tells, it knows the reason */
    case SL_LINK_DO_ANNOUNCE_UNBLOCKED:
    case SL_LINK_DO_ANNOUNCE_STALLED: /* tell_stalled does it */
    case SL_LINK_DO_ANNOUNCE_CAUGHT_UP:
    case SL_LINK_DO_BACK_OFF: /* sl_link_fail does it, it knows the error */
    case SL_LINK_DO_NOTHING:
        return;
    }
}

static void announce_up(struct sl_amqp_link *link)
{
    link->has_tried = true;
    link->up_since_ms = sl_clock_mono_ms();
    sl_timer_disarm(link->attempt_timer);
    if (!link->is_freed && link->opts.on_up != NULL) {
        link->opts.on_up(link, link->opts.arg);
    }
}

void sl_link_fail(struct sl_amqp_link *link, const struct sl_err *why)
{
    const struct sl_link_rule *rule = sl_link_step(link->phase, SL_LINK_EV_FAILED);
    if (rule == NULL || link->is_freed) {
        return;
    }
    struct sl_err copy = *why; /* the original may live in what is freed now */
    bool was_open = sl_link_is_open(link);
    int64_t pause_ms = next_pause_ms(link, was_open, &copy);
    disconnect(link);
    link->phase = rule->to;
    if (copy.code != SL_E_AMQP_TOO_LARGE) {
        link->body_bytes_max = 0; /* who knows what comes back */
    }
    sl_timer_arm(link->attempt_timer, pause_ms);

    sl_link_declared(link, NULL, &copy);
    if (link->confirms != NULL) {
        sl_confirms_reset(link->confirms, sl_link_settled, link);
    }
    if (!link->is_freed && link->opts.on_down != NULL) {
        link->opts.on_down(link, &copy, pause_ms, link->opts.arg);
    }
}

/* All hosts are tried once, without a pause between them, before there is a pause. */
static int64_t next_pause_ms(struct sl_amqp_link *link, bool was_open, const struct sl_err *why)
{
    size_t host_count = link->opts.url->host_count;
    int64_t pause_ms_min = sl_link_pause_ms_min(why->code);
    bool declare_refused = link->declare.is_pending && sl_err_fault(why) == SL_FAULT_SETUP;

    link->host_index = (link->host_index + 1) % host_count;
    if (declare_refused) {
        link->host_index = (link->host_index + host_count - 1) % host_count;
        pause_ms_min = 0; /* an answer, not a fault of the link */
    }
    bool was_steady = was_open && sl_clock_mono_ms() - link->up_since_ms >= STEADY_MS;
    if (was_steady || declare_refused) {
        sl_backoff_reset(&link->backoff);
    }
    link->hosts_left = was_open ? 0 : link->hosts_left - 1;
    if (link->hosts_left > 0 && pause_ms_min == 0) {
        return 0;
    }
    link->hosts_left = host_count;
    link->has_tried = true;
    return pause_ms_min + sl_backoff_next_ms(&link->backoff);
}

static void disconnect(struct sl_amqp_link *link)
{
    if (link->bev != NULL) {
        bufferevent_free(link->bev);
        link->bev = NULL;
    }
    link->refused_since_ms = 0;
    sl_link_quiet_reset(link);
    link->quiet.owed = 0;
    sl_dial_free(SL_TAKE(link->dial));
    struct sl_timer *timers[] = { link->beat_timer, link->confirm_timer, link->declare_timer,
                                  link->resume_timer };
    for (size_t i = 0; i < SL_COUNT(timers); i++) {
        if (timers[i] != NULL) { /* one may be missing in a link that was never finished */
            sl_timer_disarm(timers[i]);
        }
    }
}

void sl_link_settled(void *arg, uint64_t cookie, enum sl_publish_outcome outcome)
{
    struct sl_amqp_link *link = arg;
    if (!link->is_freed && link->opts.on_settled != NULL) {
        link->opts.on_settled(link, cookie, outcome, link->opts.arg);
    }
}

static void on_attempt_timer(void *arg)
{
    struct sl_amqp_link *link = arg;
    sl_link_enter(link);
    if (link->phase == SL_LINK_NEW || link->phase == SL_LINK_WAITING) {
        sl_link_happened(link, SL_LINK_EV_TRY);
    } else {
        struct sl_err err = { 0 };
        const struct sl_amqp_host *host = &link->opts.url->hosts[link->host_index];
        sl_fail(&err, SL_E_AMQP_UNREACHABLE, "%s:%u: no answer within %lld ms (%s)", host->name,
                (unsigned)host->port, (long long)link->opts.attempt_ms,
                sl_link_phase_doing(link->phase));
        sl_link_fail(link, &err);
    }
    sl_link_leave(link);
}

/* AMQP 0-9-1, 4.2.7: two intervals without a byte mean that the peer is gone. We speak twice an interval. */
static void on_beat_timer(void *arg)
{
    struct sl_amqp_link *link = arg;
    int64_t now_ms = sl_clock_mono_ms();
    struct sl_err err = { 0 };
    sl_link_enter(link);
    sl_timer_arm(link->beat_timer, link->heartbeat_ms / 4);
    if (sl_link_is_reading(link) && now_ms - link->received_at_ms >= 2 * link->heartbeat_ms) {
        sl_fail(&err, SL_E_AMQP_UNREACHABLE, "the broker has been silent for %lld ms",
                (long long)(now_ms - link->received_at_ms));
        sl_link_fail(link, &err);
    } else if (now_ms - link->sent_at_ms >= link->heartbeat_ms / 2 &&
               !(sl_wire_put_heartbeat(sl_link_out(link), &err) && sl_link_send(link, &err))) {
        sl_link_fail(link, &err);
    }
    sl_link_leave(link);
}

static void on_confirm_timer(void *arg)
{
    struct sl_amqp_link *link = arg;
    int64_t now_ms = sl_clock_mono_ms();
    sl_link_enter(link);
    look_for_overdue(link, now_ms); /* first, so that the link is not UP to whoever is told next */
    sl_confirms_expire(link->confirms, now_ms, sl_link_settled, link);
    int64_t next_ms = sl_confirms_next_deadline_ms(link->confirms);
    int64_t oldest_ms = sl_confirms_oldest_deadline_ms(link->confirms);
    if (link->phase == SL_LINK_STALLED && oldest_ms >= 0 &&
        now_ms - oldest_ms >= CONFIRM_STALL_MS) {
        struct sl_err err = { 0 };
        sl_fail(&err, SL_E_AMQP_CLOSED, "a publish has had no confirm for %lld ms",
                (long long)(now_ms - oldest_ms + link->opts.confirm_ms));
        sl_link_fail(link, &err);
    } else if (sl_link_is_open(link) && next_ms >= 0) {
        int64_t wait_ms = next_ms - now_ms;
        sl_timer_arm(link->confirm_timer,
                     wait_ms > CONFIRM_TICK_MS_MIN ? wait_ms : CONFIRM_TICK_MS_MIN);
    } else if (sl_link_is_open(link) && oldest_ms >= 0) {
        sl_timer_arm(link->confirm_timer, CONFIRM_TICK_MS_STALL);
    }
    sl_link_leave(link);
}

static void look_for_overdue(struct sl_amqp_link *link, int64_t now_ms)
{
    int64_t oldest_ms = sl_confirms_oldest_deadline_ms(link->confirms);
    if (sl_link_is_open(link) && oldest_ms >= 0 && oldest_ms <= now_ms) {
        tell_stalled(link, SL_LINK_EV_OVERDUE, "no confirm within the deadline");
    }
}

void sl_link_look_for_caught_up(struct sl_amqp_link *link)
{
    if (link->bev == NULL || link->phase != SL_LINK_STALLED) {
        return; /* a callback may have ended it */
    }
    int64_t oldest_ms = sl_confirms_oldest_deadline_ms(link->confirms);
    if (oldest_ms < 0 || oldest_ms > sl_clock_mono_ms()) {
        tell_stalled(link, SL_LINK_EV_CAUGHT_UP, "");
    }
}

static void tell_stalled(struct sl_amqp_link *link, enum sl_link_event event, const char *reason)
{
    enum sl_link_phase before = link->phase;
    sl_link_happened(link, event);
    if (link->phase != before && !link->is_freed && link->opts.on_blocked != NULL) {
        link->opts.on_blocked(link, event == SL_LINK_EV_OVERDUE, sl_span_of(reason),
                              link->opts.arg);
    }
}

static void on_declare_timer(void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    sl_link_enter(link);
    sl_fail(&err, SL_E_DEADLINE, "no answer to a declaration within %lld ms",
            (long long)link->opts.attempt_ms);
    sl_link_fail(link, &err);
    sl_link_leave(link);
}

static void on_resume_timer(void *arg)
{
    struct sl_amqp_link *link = arg;
    sl_link_enter(link);
    sl_link_read(link);
    sl_link_leave(link);
}

static void on_quiet_timer(void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    sl_link_enter(link);
    if (sl_link_is_open(link) && !sl_link_quiet_late(link, &err)) {
        sl_link_fail(link, &err);
    }
    sl_link_leave(link);
}
