#include "consumer/parts.h"

#include <stdlib.h>

#include "consumer/attempts.h"
#include "consumer/billing/refetch.h"
#include "consumer/census.h"
#include "consumer/clerk.h"
#include "consumer/crew.h"
#include "consumer/parker.h"
#include "consumer/teller.h"
#include "consumer/upkeep.h"

struct con_parts {
    struct con_parts_opts opts;
    struct con_crew *crew;
    struct con_clerk *clerk;
    struct con_census *census;
    struct con_attempts *attempts;
    struct con_teller *teller;
    struct sl_sentry *sentry; /* of breakers that open; NULL: none */
    struct sl_sentry *losses; /* of what is given up; NULL: none */
    struct con_alarm *alarm;
    struct con_refetch *refetch; /* NULL: Stripe is not asked */
    struct con_parker *parker;
    struct con_upkeep *upkeep;
    bool is_leaving; /* drained, and saying so */
};

static bool start_attempts(struct con_parts *parts, struct sl_err *err);
static bool start_workers(struct con_parts *parts, struct sl_err *err);
static bool start_teller(struct con_parts *parts, struct sl_err *err);
static bool start_alarm(struct con_parts *parts, struct sl_err *err);
static bool open_sentry(struct con_parts *parts, const char *status, const char *happening,
                        struct sl_sentry **out_sentry, struct sl_err *err);
static void on_sentry(void *arg, const struct sl_err *err, uint64_t pending);
static bool start_refetch(struct con_parts *parts, struct sl_err *err);
static bool start_clerk(struct con_parts *parts, struct sl_err *err);
static void look_at_subsystem(void *arg, size_t i, struct con_standing *out_standing);
static void on_orders(void *arg, const struct con_orders *orders);
static void on_wrote(void *arg);
static bool start_parker(struct con_parts *parts, struct sl_err *err);
static bool start_upkeep(struct con_parts *parts, struct sl_err *err);

struct con_parts *con_parts_new(const struct con_parts_opts *opts, struct sl_err *err)
{
    SL_AUTO(con_parts_free) struct con_parts *parts = calloc(1, sizeof *parts);
    if (parts == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the consumer");
        return NULL;
    }
    parts->opts = *opts;
    bool has_begun = start_attempts(parts, err)   /* the history of failed tries */
                     && start_alarm(parts, err)   /* on-trip, fail_loud */
                     && start_workers(parts, err) /* the work */
                     && start_teller(parts, err)  /* on-dead */
                     && start_refetch(parts, err) /* questions to Stripe */
                     && start_clerk(parts, err)   /* what operators have set, and what there is */
                     && start_parker(parts, err)  /* dead letters into their table */
                     && start_upkeep(parts, err); /* partitions of the inbox */
    return has_begun ? SL_TAKE(parts) : NULL;
}

static bool start_attempts(struct con_parts *parts, struct sl_err *err)
{
    parts->attempts = con_attempts_new(
        &(struct con_attempts_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .metrics = parts->opts.metrics,
            .database_url = parts->opts.config->database_url,
            .service = parts->opts.service,
        },
        err);
    return parts->attempts != NULL;
}

static bool start_workers(struct con_parts *parts, struct sl_err *err)
{
    parts->crew = con_crew_new(
        &(struct con_crew_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .metrics = parts->opts.metrics,
            .config = parts->opts.config,
            .service = parts->opts.service,
            .attempts = parts->attempts,
            .alarm = parts->alarm,
            .hand = parts->opts.hand,
        },
        err);
    return parts->crew != NULL;
}

static bool start_clerk(struct con_parts *parts, struct sl_err *err)
{
    parts->census = con_census_new(
        &(struct con_census_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .metrics = parts->opts.metrics,
            .amqp = &parts->opts.config->amqp,
            .service = parts->opts.service,
            .subsystems = parts->opts.config->chosen,
            .subsystem_count = parts->opts.config->chosen_count,
        },
        err);
    parts->clerk = parts->census == NULL
                       ? NULL
                       : con_clerk_new(
                             &(struct con_clerk_opts){
                                 .loop = parts->opts.loop,
                                 .log = parts->opts.log,
                                 .metrics = parts->opts.metrics,
                                 .database_url = parts->opts.config->database_url,
                                 .service = parts->opts.service,
                                 .subsystems = parts->opts.config->chosen,
                                 .subsystem_count = parts->opts.config->chosen_count,
                                 .arg = parts,
                                 .look = look_at_subsystem,
                                 .on_orders = on_orders,
                                 .on_wrote = on_wrote,
                             },
                             err);
    return parts->clerk != NULL;
}

static void look_at_subsystem(void *arg, size_t i, struct con_standing *out_standing)
{
    const struct con_parts *parts = arg;
    con_crew_standing(parts->crew, i, out_standing);
    out_standing->waiting = con_census_waiting(parts->census, i);
}

static void on_orders(void *arg, const struct con_orders *orders)
{
    const struct con_parts *parts = arg;
    for (size_t i = 0; i < parts->opts.config->chosen_count; i++) {
        con_crew_note_replays(parts->crew, i, con_census_replays_seen_ms(parts->census, i));
    }
    con_crew_obey(parts->crew, orders);
}

static void on_wrote(void *arg)
{
    const struct con_parts *parts = arg;
    con_crew_wrote(parts->crew);
}

static bool start_alarm(struct con_parts *parts, struct sl_err *err)
{
    if (!open_sentry(parts, "breaker_open", "breaker opened", &parts->sentry, err) ||
        !open_sentry(parts, "given_up", "event given up", &parts->losses, err)) {
        return false;
    }
    parts->alarm = con_alarm_new(
        &(struct con_alarm_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .subsystems = parts->opts.config->chosen,
            .targets = parts->opts.config->targets,
            .subsystem_count = parts->opts.config->chosen_count,
            .sentry = parts->sentry,
            .losses = parts->losses,
        },
        err);
    return parts->alarm != NULL;
}

static bool open_sentry(struct con_parts *parts, const char *status, const char *happening,
                        struct sl_sentry **out_sentry, struct sl_err *err)
{
    if (!parts->opts.config->has_sentry) {
        return true;
    }
    *out_sentry = sl_sentry_new(
        &(struct sl_sentry_opts){
            .loop = parts->opts.loop,
            .dsn = &parts->opts.config->sentry,
            .service = parts->opts.service,
            .version = SLUICE_VERSION,
            .environment = parts->opts.config->sentry_environment,
            .status = status,
            .happening = happening,
            .on_change = on_sentry,
            .arg = parts,
        },
        err);
    return *out_sentry != NULL;
}

static void on_sentry(void *arg, const struct sl_err *err, uint64_t pending)
{
    const struct con_parts *parts = arg;
    if (err != NULL) {
        sl_log_err(parts->opts.log, SL_WARN, "sentry.failed",
                   "Sentry cannot be told; what was counted is kept and told later", err,
                   sl_int("pending", (int64_t)pending));
    } else {
        sl_info(parts->opts.log, "sentry.recovered", "Sentry can be told again",
                sl_int("pending", (int64_t)pending));
    }
}

static bool start_teller(struct con_parts *parts, struct sl_err *err)
{
    parts->teller = con_teller_new(
        &(struct con_teller_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .database_url = parts->opts.config->database_url,
            .service = parts->opts.service,
            .subsystems = parts->opts.config->chosen,
            .targets = parts->opts.config->targets,
            .subsystem_count = parts->opts.config->chosen_count,
        },
        err);
    return parts->teller != NULL;
}

static bool start_refetch(struct con_parts *parts, struct sl_err *err)
{
    const struct sl_subsystem *billing = NULL;
    for (size_t i = 0; i < parts->opts.config->chosen_count && billing == NULL; i++) {
        if (parts->opts.config->chosen[i]->handler == SL_HANDLER_BILLING) {
            billing = parts->opts.config->chosen[i];
        }
    }
    if (billing == NULL || parts->opts.config->stripe.reads == NULL ||
        !parts->opts.config->flag_billing) {
        return true;
    }
    parts->refetch = con_refetch_new(
        &(struct con_refetch_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .metrics = parts->opts.metrics,
            .amqp = &parts->opts.config->amqp,
            .database_url = parts->opts.config->database_url,
            .service = parts->opts.service,
            .subsystem = billing->name,
            .key = parts->opts.config->stripe.reads,
            .livemode = parts->opts.config->stripe.livemode,
            .base = parts->opts.config->stripe_base,
            .orphan_ms = parts->opts.config->orphan_age,
        },
        err);
    return parts->refetch != NULL;
}

static bool start_parker(struct con_parts *parts, struct sl_err *err)
{
    parts->parker = con_parker_new(
        &(struct con_parker_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .metrics = parts->opts.metrics,
            .amqp = &parts->opts.config->amqp,
            .database_url = parts->opts.config->database_url,
            .service = parts->opts.service,
            .teller = parts->teller,
            .subsystems = parts->opts.config->chosen,
            .subsystem_count = parts->opts.config->chosen_count,
        },
        err);
    return parts->parker != NULL;
}

static bool start_upkeep(struct con_parts *parts, struct sl_err *err)
{
    parts->upkeep = con_upkeep_new(
        &(struct con_upkeep_opts){
            .loop = parts->opts.loop,
            .log = parts->opts.log,
            .database_url = parts->opts.config->database_url,
            .service = parts->opts.service,
            .subsystems = &parts->opts.config->described,
        },
        err);
    return parts->upkeep != NULL;
}

void con_parts_free(struct con_parts *parts)
{
    if (parts == NULL) {
        return;
    }
    con_upkeep_free(parts->upkeep);
    con_parker_free(parts->parker);
    con_teller_free(parts->teller);
    con_refetch_free(parts->refetch);
    con_crew_free(parts->crew);
    con_alarm_free(parts->alarm); /* likewise */
    sl_sentry_free(parts->sentry);
    sl_sentry_free(parts->losses);
    con_clerk_free(parts->clerk); /* behind the crew, which borrows its orders */
    con_census_free(parts->census);
    con_attempts_free(parts->attempts);
    free(parts);
}

size_t con_parts_workers(const struct con_parts *parts)
{
    return con_crew_count(parts->crew);
}

size_t con_parts_held(const struct con_parts *parts)
{
    return con_crew_held(parts->crew);
}

int64_t con_parts_returned(const struct con_parts *parts)
{
    return con_crew_returned(parts->crew);
}

int64_t con_parts_redelivered(const struct con_parts *parts)
{
    return con_crew_redelivered(parts->crew);
}

bool con_parts_have_tried(const struct con_parts *parts)
{
    return con_crew_has_tried(parts->crew);
}

bool con_parts_are_well(const struct con_parts *parts)
{
    return con_parker_is_well(parts->parker) && con_crew_is_well(parts->crew);
}

const char *con_parts_paused(const struct con_parts *parts)
{
    return con_crew_paused(parts->crew);
}

void con_parts_show_database(const struct con_parts *parts, struct sl_json_writer *json)
{
    con_crew_show_database(parts->crew, json);
}

void con_parts_drain(struct con_parts *parts, int64_t drain_ms)
{
    con_crew_drain(parts->crew, drain_ms);
    con_parker_drain(parts->parker);
}

bool con_parts_have_left(struct con_parts *parts)
{
    bool is_drained = con_parker_is_drained(parts->parker) &&
                      con_attempts_is_drained(parts->attempts) && con_crew_is_drained(parts->crew);
    if (is_drained && !parts->is_leaving) {
        parts->is_leaving = true;
        con_clerk_leave(parts->clerk);
    }
    return is_drained && con_clerk_has_left(parts->clerk);
}
