#include "consumer/crew.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/ratio.h"
#include "shared/clock.h"

#define WORKERS_MAX  (SL_SUBSYSTEMS_MAX * 16u)
#define PAUSED_BYTES (SL_SUBSYSTEMS_MAX * (SL_SUBSYSTEM_NAME_BYTES + 1u))
#define RATIO_EVERY                                                                                \
    5 /* calls of con_crew_obey, which are about a second apart: a window of five minutes */

/* One subsystem's workers: workers[first .. first + count), and the breakers they share. */
struct team {
    const struct sl_subsystem *subsystem;
    size_t first;
    size_t count;
    struct con_lane *lane;
    int64_t batch;
    int64_t attempts;
    int64_t replays_seen_ms;
    bool is_off; /* by configuration */
    bool is_paused;
    struct con_ratio ratio;
};

struct con_crew {
    struct con_crew_opts opts;
    struct con_worker *workers[WORKERS_MAX];
    size_t worker_count;
    struct team teams[SL_SUBSYSTEMS_MAX];
    size_t team_count;
    char paused[PAUSED_BYTES];
    struct con_fusebox fusebox;
    struct con_fleet fleet;
    bool is_tripped; /* the database's breaker, by an operator */
    unsigned beats;
};

static void on_database_closed(void *arg);
static bool make_team(struct con_crew *crew, size_t chosen, struct sl_err *err);
static bool is_off(const struct con_crew *crew, const struct sl_subsystem *subsystem);
static void show_traits(const struct con_crew *crew, const struct sl_subsystem *subsystem);
static bool is_rush(const void *arg);
static bool obey_database(struct con_crew *crew, const struct con_orders *orders, int64_t wall_us);
static void obey_team(struct con_crew *crew, struct team *team, const struct con_order *order,
                      int64_t wall_us);
static void show_team(struct con_crew *crew, struct team *team);
static int64_t counted(const struct con_crew *crew, const struct team *team, const char *outcome);
static int64_t sum_of(const struct con_crew *crew, enum sl_metric metric);

struct con_crew *con_crew_new(const struct con_crew_opts *opts, struct sl_err *err)
{
    struct con_crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the workers");
        return NULL;
    }
    crew->opts = *opts;
    con_fusebox_init(&crew->fusebox, opts->log, opts->metrics,
                     &(struct con_fuse_policy){
                         .consecutive = opts->config->db_breaker_consecutive,
                         .probe_ms = opts->config->db_breaker_probe,
                         .probe_ms_max = opts->config->db_breaker_probe_max,
                     });
    crew->fusebox.arg = crew;
    crew->fusebox.on_closed = on_database_closed;
    for (size_t i = 0; i < opts->config->chosen_count; i++) {
        if (!make_team(crew, i, err)) {
            con_crew_free(crew);
            return NULL;
        }
    }
    return crew;
}

static void on_database_closed(void *arg)
{
    const struct con_crew *crew = arg;
    for (size_t i = 0; i < crew->worker_count; i++) {
        con_worker_wake(crew->workers[i]);
    }
}

static bool make_team(struct con_crew *crew, size_t chosen, struct sl_err *err)
{
    const struct con_crew_opts *opts = &crew->opts;
    const struct sl_subsystem *subsystem = opts->config->chosen[chosen];
    struct team *team = &crew->teams[crew->team_count++];
    *team = (struct team){ .subsystem = subsystem,
                           .first = crew->worker_count,
                           .batch = subsystem->batch,
                           .attempts = subsystem->attempts,
                           .is_off = is_off(crew, subsystem) };
    show_traits(crew, subsystem);
    team->lane = con_lane_new(
        &(struct con_lane_opts){
            .log = opts->log,
            .metrics = opts->metrics,
            .subsystem = subsystem,
            .alarm = opts->alarm,
        },
        err);
    if (team->lane == NULL) {
        return false;
    }
    for (unsigned number = 0; !team->is_off && number < subsystem->workers; number++) {
        struct con_worker *worker = con_worker_new(
            &(struct con_worker_opts){
                .loop = opts->loop,
                .log = opts->log,
                .metrics = opts->metrics,
                .amqp = &opts->config->amqp,
                .database_url = opts->config->database_url,
                .service = opts->service,
                .subsystem = subsystem,
                .target = &opts->config->targets[chosen],
                .attempts = opts->attempts,
                .alarm = opts->alarm,
                .asks_stripe = opts->config->stripe.reads != NULL,
                .stripe_livemode = opts->config->stripe.livemode,
                .lane = team->lane,
                .fusebox = &crew->fusebox,
                .fleet = &crew->fleet,
                .is_rush = subsystem->class == SL_CLASS_BACKFILL ? is_rush : NULL,
                .rush_arg = crew,
                .grace_ms = opts->config->setup_grace,
                .state_dir = opts->config->state_dir,
                .consumer_timeout_ms = opts->config->consumer_timeout,
                .number = number,
            },
            err);
        if (worker == NULL) {
            return false;
        }
        crew->workers[crew->worker_count++] = worker;
        team->count++;
    }
    return true;
}

/* Its queue keeps what comes, and its dead letters are looked after. */
static bool is_off(const struct con_crew *crew, const struct sl_subsystem *subsystem)
{
    if (crew->opts.config->flag_billing || subsystem->handler != SL_HANDLER_BILLING) {
        return false;
    }
    sl_warn(crew->opts.log, "config.warning", "billing is off: its events wait in the broker",
            sl_str("reason", "FLAG_QUEUE_BILLING is false"), sl_str("subsystem", subsystem->name));
    return true;
}

/* What alerts need to know of a section. */
static void show_traits(const struct con_crew *crew, const struct sl_subsystem *subsystem)
{
    const struct {
        const char *name;
        bool is_so;
    } traits[] = { { "critical", subsystem->critical },
                   { "fail_loud", subsystem->fail_loud },
                   { "backfill", subsystem->class == SL_CLASS_BACKFILL } };
    for (size_t i = 0; i < SL_COUNT(traits); i++) {
        sl_series_set(sl_metrics_series(crew->opts.metrics, SL_M_SUBSYSTEM_TRAIT, subsystem->name,
                                        traits[i].name),
                      traits[i].is_so ? 1 : 0);
    }
}

/* Something of a realtime section is in hand. */
static bool is_rush(const void *arg)
{
    const struct con_crew *crew = arg;
    for (size_t i = 0; i < crew->team_count; i++) {
        const struct team *team = &crew->teams[i];
        for (size_t w = team->first; w < team->first + team->count; w++) {
            if (team->subsystem->class == SL_CLASS_REALTIME &&
                con_worker_held(crew->workers[w]) > 0) {
                return true;
            }
        }
    }
    return false;
}

void con_crew_free(struct con_crew *crew)
{
    if (crew == NULL) {
        return;
    }
    for (size_t i = 0; i < crew->worker_count; i++) {
        con_worker_free(crew->workers[i]);
    }
    for (size_t i = 0; i < crew->team_count; i++) {
        con_lane_free(crew->teams[i].lane);
    }
    free(crew);
}

void con_crew_note_replays(struct con_crew *crew, size_t i, int64_t seen_ms)
{
    SL_ASSERT(i < crew->team_count);
    crew->teams[i].replays_seen_ms = seen_ms;
}

void con_crew_obey(struct con_crew *crew, const struct con_orders *orders)
{
    int64_t wall_us = sl_clock_wall_us();
    size_t used = 0;
    crew->paused[0] = '\0';
    crew->is_tripped = obey_database(crew, orders, wall_us);
    for (size_t i = 0; i < crew->team_count; i++) {
        struct team *team = &crew->teams[i];
        obey_team(crew, team, con_orders_of(orders, team->subsystem->name), wall_us);
        if (team->is_paused) {
            used += (size_t)snprintf(crew->paused + used, sizeof crew->paused - used, "%s%s",
                                     used == 0 ? "" : ",", team->subsystem->name);
        }
        if (crew->beats % RATIO_EVERY == 0) {
            show_team(crew, team);
        }
    }
    crew->beats++;
}

static bool obey_database(struct con_crew *crew, const struct con_orders *orders, int64_t wall_us)
{
    const char *reason = "";
    enum con_force force = con_hand_decide(crew->opts.hand, orders, wall_us, &reason);
    con_fusebox_force(&crew->fusebox, force, reason);
    return force == CON_FORCE_OPEN;
}

static void obey_team(struct con_crew *crew, struct team *team, const struct con_order *order,
                      int64_t wall_us)
{
    int64_t workers = con_order_value(order, CON_ORDER_WORKERS, wall_us);
    int64_t batch = con_order_value(order, CON_ORDER_BATCH, wall_us);
    int64_t attempts = con_order_value(order, CON_ORDER_ATTEMPTS, wall_us);
    team->is_paused = team->is_off || con_order_value(order, CON_ORDER_PAUSED, wall_us) != 0;
    team->batch = batch == 0 || batch > team->subsystem->batch ? team->subsystem->batch : batch;
    team->attempts = attempts == 0 ? team->subsystem->attempts : attempts;
    con_lane_obey(team->lane, order);
    for (size_t i = 0; i < team->count; i++) {
        bool is_spare = workers != 0 && (int64_t)i >= workers;
        con_worker_obey(crew->workers[team->first + i],
                        &(struct con_worker_orders){ .is_paused = team->is_paused || is_spare,
                                                     .is_tripped = crew->is_tripped,
                                                     .batch = (size_t)team->batch,
                                                     .attempts = team->attempts,
                                                     .order = order,
                                                     .replays_seen_ms = team->replays_seen_ms });
    }
    sl_series_set(
        sl_metrics_series(crew->opts.metrics, SL_M_CONSUMER_PAUSED, team->subsystem->name, NULL),
        team->is_paused);
}

static void show_team(struct con_crew *crew, struct team *team)
{
    struct con_standing standing = { 0 };
    struct sl_metrics *metrics = crew->opts.metrics;
    const char *name = team->subsystem->name;
    con_crew_standing(crew, (size_t)(team - crew->teams), &standing);
    con_ratio_note(&team->ratio, standing.settled, standing.failed);
    sl_series_set(sl_metrics_series(metrics, SL_M_FAILURE_PERCENT, name, NULL),
                  con_ratio_percent(&team->ratio));
    bool is_idle = standing.oldest_us == 0;
    if (!is_idle || !team->is_paused) { /* while paused the last answer stands */
        sl_series_set(sl_metrics_series(metrics, SL_M_QUEUE_OLDEST, name, NULL),
                      standing.oldest_us / 1000000);
    }
}

void con_crew_standing(const struct con_crew *crew, size_t i, struct con_standing *out_standing)
{
    SL_ASSERT(i < crew->team_count);
    const struct team *team = &crew->teams[i];
    static const char *const settled[] = { "applied", "stale", "ignored", "duplicate" };
    static const char *const failed[] = { "retried", "dead_lettered" };
    bool is_at_rest = true;
    struct sl_json_writer *breakers = out_standing->breakers;
    *out_standing = (struct con_standing){ .breakers = breakers,
                                           .workers_max = (int64_t)team->count,
                                           .batch = team->batch,
                                           .attempts = team->attempts,
                                           .waiting = -1 };
    for (size_t w = team->first; w < team->first + team->count; w++) {
        const struct con_worker *worker = crew->workers[w];
        int64_t oldest_us = con_worker_oldest_us(worker);
        int64_t apply_us = con_worker_apply_us(worker);
        is_at_rest = is_at_rest && con_worker_is_at_rest(worker);
        out_standing->workers += con_worker_is_consuming(worker) ? 1 : 0;
        out_standing->held += (int64_t)con_worker_held(worker);
        out_standing->apply_us =
            apply_us > out_standing->apply_us ? apply_us : out_standing->apply_us;
        if (oldest_us != 0 &&
            (out_standing->oldest_us == 0 || oldest_us < out_standing->oldest_us)) {
            out_standing->oldest_us = oldest_us;
        }
    }
    out_standing->is_paused = team->is_paused && is_at_rest;
    if (breakers != NULL) {
        con_lane_show(team->lane, breakers);
        con_fusebox_show(&crew->fusebox, breakers);
    }
    for (size_t o = 0; o < SL_COUNT(failed); o++) {
        out_standing->failed += counted(crew, team, failed[o]);
    }
    out_standing->settled = out_standing->failed;
    for (size_t o = 0; o < SL_COUNT(settled); o++) {
        out_standing->settled += counted(crew, team, settled[o]);
    }
}

static int64_t counted(const struct con_crew *crew, const struct team *team, const char *outcome)
{
    return sl_series_value(
        sl_metrics_series(crew->opts.metrics, SL_M_DELIVERIES, team->subsystem->name, outcome));
}

void con_crew_show_database(const struct con_crew *crew, struct sl_json_writer *json)
{
    con_fusebox_show(&crew->fusebox, json);
}

void con_crew_wrote(struct con_crew *crew)
{
    con_fusebox_wrote(&crew->fusebox);
}

size_t con_crew_count(const struct con_crew *crew)
{
    return crew->worker_count;
}

bool con_crew_has_tried(const struct con_crew *crew)
{
    bool has_tried = true;
    for (size_t i = 0; i < crew->worker_count; i++) {
        has_tried = has_tried && con_worker_has_tried(crew->workers[i]);
    }
    return has_tried;
}

bool con_crew_is_well(const struct con_crew *crew)
{
    bool is_well = true;
    for (size_t i = 0; i < crew->worker_count; i++) {
        is_well = is_well && con_worker_is_well(crew->workers[i]);
    }
    return is_well;
}

const char *con_crew_paused(const struct con_crew *crew)
{
    return crew->paused;
}

size_t con_crew_held(const struct con_crew *crew)
{
    size_t count = 0;
    for (size_t i = 0; i < crew->worker_count; i++) {
        count += con_worker_held(crew->workers[i]);
    }
    return count;
}

int64_t con_crew_returned(const struct con_crew *crew)
{
    return sum_of(crew, SL_M_RETURNED);
}

int64_t con_crew_redelivered(const struct con_crew *crew)
{
    return sum_of(crew, SL_M_REDELIVERED);
}

/* Over the subsystems. */
static int64_t sum_of(const struct con_crew *crew, enum sl_metric metric)
{
    int64_t sum = 0;
    for (size_t i = 0; i < crew->team_count; i++) {
        sum += sl_series_value(
            sl_metrics_series(crew->opts.metrics, metric, crew->teams[i].subsystem->name, NULL));
    }
    return sum;
}

void con_crew_drain(struct con_crew *crew, int64_t drain_ms)
{
    for (size_t i = 0; i < crew->worker_count; i++) {
        con_worker_drain(crew->workers[i], drain_ms);
    }
}

bool con_crew_is_drained(struct con_crew *crew)
{
    bool is_drained = true;
    for (size_t i = 0; i < crew->worker_count; i++) {
        is_drained = con_worker_is_drained(crew->workers[i]) && is_drained;
    }
    return is_drained;
}
