#include "publisher/lane.h"

#include <stdio.h>

#include "shared/clock.h"

#define LETTERS_MAX 8192u /* for one lane: twice what all places of another can ask for at once */

static bool open_intake(struct pub_lane *lane, struct sl_err *err);
static bool open_reader(struct pub_lane *lane, struct sl_err *err);
static bool open_stripe(struct pub_lane *lane, struct sl_err *err);
static struct sl_stripe_client *stripe_client(const struct pub_lane *lane, const char *key,
                                              struct sl_err *err);
static bool open_sources(struct pub_lane *lane, struct sl_err *err);
static bool open_routes(struct pub_lane *lane, struct sl_err *err);
static bool open_doors(struct pub_lane *lane, struct sl_err *err);
static int64_t share(const struct pub_lane *lane, int64_t of_all);
static void on_drained(void *arg);

bool pub_lane_open(struct pub_lane *lane, const struct pub_common *common, size_t number,
                   struct pub_lane *first, struct sl_loop *loop, struct sl_err *err)
{
    lane->common = common;
    lane->number = number;
    lane->first = first;
    lane->loop = loop;
    lane->mailbox = sl_mailbox_new(loop, LETTERS_MAX * common->board->count, err);
    return lane->mailbox != NULL && open_intake(lane, err) /* starts connecting to the broker */
           && open_reader(lane, err)  /* for the read API, when there is a database */
           && open_stripe(lane, err)  /* for the write API, when there is a key */
           && open_sources(lane, err) /* who may send */
           && open_routes(lane, err)  /* what is where */
           && open_doors(lane, err);  /* from here on connections come in */
}

void pub_lane_close_doors(struct pub_lane *lane)
{
    pub_doors_done(&lane->doors);
    pub_reader_free(SL_TAKE(lane->reader));
    pub_breakers_free(SL_TAKE(lane->breakers));
    if (lane->common != NULL) {
        pub_billing_writes_done(&lane->writes);
    }
    sl_stripe_client_free(SL_TAKE(lane->stripe));
    sl_stripe_client_free(SL_TAKE(lane->stripe_reads));
}

void pub_lane_done(struct pub_lane *lane)
{
    pub_intake_free(SL_TAKE(lane->intake));
    sl_json_parser_free(SL_TAKE(lane->parser));
    for (size_t i = 0; i < SL_SOURCES_MAX; i++) {
        pub_keyring_done(&lane->keyrings[i]);
    }
    sl_mailbox_free(SL_TAKE(lane->mailbox));
}

static bool open_intake(struct pub_lane *lane, struct sl_err *err)
{
    const struct pub_common *common = lane->common;
    const struct pub_config *config = common->config;
    lane->intake = pub_intake_new(
        &(struct pub_intake_opts){
            .loop = lane->loop,
            .number = lane->number,
            .first = lane->first == lane ? NULL : lane->first->intake,
            .mailbox = lane->mailbox,
            .first_mailbox = lane->first->mailbox,
            .board = common->board,
            .log = common->log,
            .metrics = common->metrics,
            .amqp = &config->amqp,
            .policies = &config->policies,
            .service = common->service,
            .state_dir = config->state_dir,
            .levels = common->levels,
            .sentry = common->sentry,
            .confirm_ms = config->confirm_timeout,
            .answer_ms = config->answer_timeout,
            .degraded_after_ms = config->degraded_after,
            .body_bytes_max = (size_t)config->body_max,
            .bodies_bytes_max = sl_http_limits_default.bodies_bytes_max,
            .journal_bytes_max = config->journal_max,
            .allow_volatile = config->journal_allow_volatile,
            .replay_rate = config->replay_rate,
        },
        err);
    return lane->intake != NULL;
}

static bool open_reader(struct pub_lane *lane, struct sl_err *err)
{
    const struct pub_config *config = lane->common->config;
    if (config->database_url == NULL || !config->flag_billing) {
        return true;
    }
    char label[PUB_READER_LABEL_BYTES] = "api";
    if (lane->number > 0) {
        snprintf(label, sizeof label, "api.%zu", lane->number);
    }
    lane->reader = pub_reader_new(
        &(struct pub_reader_opts){
            .loop = lane->loop,
            .log = lane->common->log,
            .metrics = lane->common->metrics,
            .database_url = config->database_url,
            .application_name = lane->common->service,
            .label = label,
            .links = (size_t)share(lane, config->pg_pool_max),
        },
        err);
    lane->breakers = lane->reader == NULL ? NULL : pub_breakers_new(lane->loop, lane->reader, err);
    return lane->breakers != NULL;
}

/* A limit that is the publisher's, divided; at least 1. */
static int64_t share(const struct pub_lane *lane, int64_t of_all)
{
    int64_t own = of_all / (int64_t)lane->common->board->count;
    return own < 1 ? 1 : own;
}

static bool open_stripe(struct pub_lane *lane, struct sl_err *err)
{
    const struct pub_config *config = lane->common->config;
    pub_billing_writes_init(&lane->writes);
    if (!config->flag_billing) {
        return true;
    }
    if (config->stripe.writes != NULL) {
        lane->stripe = stripe_client(lane, config->stripe.writes, err);
        if (lane->stripe == NULL) {
            return false;
        }
    }
    if (config->stripe.reads != config->stripe.writes) {
        lane->stripe_reads = stripe_client(lane, config->stripe.reads, err);
        return lane->stripe_reads != NULL;
    }
    return true;
}

static struct sl_stripe_client *stripe_client(const struct pub_lane *lane, const char *key,
                                              struct sl_err *err)
{
    const struct pub_config *config = lane->common->config;
    return sl_stripe_client_new(
        &(struct sl_stripe_client_opts){
            .loop = lane->loop,
            .base = config->stripe_base,
            .key = key,
            .rate = share(lane, SL_STRIPE_RATE),
            .answer_ms = config->stripe_timeout / 2,
            .budget_ms = config->stripe_timeout,
        },
        err);
}

static bool open_sources(struct pub_lane *lane, struct sl_err *err)
{
    const struct pub_common *common = lane->common;
    if (lane->first == lane) {
        pub_sources_open(&lane->sources, common->config, common->metrics, sl_clock_mono_ms());
        return true;
    }
    if (!pub_config_keys(common->config, lane->keyrings, err)) {
        return false;
    }
    pub_sources_join(&lane->sources, &lane->first->sources, lane->keyrings);
    return true;
}

static bool open_routes(struct pub_lane *lane, struct sl_err *err)
{
    const struct pub_common *common = lane->common;
    const struct pub_config *config = common->config;
    lane->parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
    if (lane->parser == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the JSON parser");
    }
    lane->reception = (struct pub_reception){ .log = common->log,
                                              .metrics = common->metrics,
                                              .flood = common->flood };
    lane->guard = (struct pub_guard){ .origin = &config->origin,
                                      .secret_header = config->origin_secret_header,
                                      .log = common->log,
                                      .metrics = common->metrics };
    lane->events = (struct pub_events_api){
        .tokens = &config->tokens,
        .webhook_sources = &config->webhook_sources,
        .sources = &lane->sources,
        .intake = lane->intake,
        .gate = common->gate,
        .breakers = lane->breakers,
        .metrics = common->metrics,
        .parser = lane->parser,
        .is_draining = &lane->reception.is_draining,
        .batches = common->batches,
    };
    lane->writes.stripe = lane->stripe;
    lane->writes.stripe_reads = lane->stripe_reads != NULL ? lane->stripe_reads : lane->stripe;
    lane->writes.livemode = config->stripe.livemode;
    lane->writes.intake = lane->intake;
    lane->writes.sources = &lane->sources;
    lane->writes.parser = lane->parser;
    lane->writes.log = common->log;
    lane->writes.is_draining = &lane->reception.is_draining;
    lane->billing = (struct pub_billing_api){
        .writes = &lane->writes,
        .tokens = &config->tokens,
        .reader = lane->reader,
        .metrics = common->metrics,
    };
    lane->routes = (struct pub_routes){
        .intake = lane->intake,
        .gate = common->gate,
        .sources = &lane->sources,
        .reception = &lane->reception,
        .guard = &lane->guard,
        .events = &lane->events,
        .billing = &lane->billing,
        .has_billing = config->flag_billing,
        .health = &common->health,
        .metrics = common->metrics,
    };
    return true;
}

static bool open_doors(struct pub_lane *lane, struct sl_err *err)
{
    return pub_doors_open(&lane->doors,
                          &(struct pub_doors_opts){
                              .loop = lane->loop,
                              .log = lane->common->log,
                              .metrics = lane->common->metrics,
                              .config = lane->common->config,
                              .totals = lane->common->totals,
                              .first = lane->first == lane ? NULL : &lane->first->doors,
                              .is_shared = lane->common->board->count > 1,
                              .private_health = &lane->common->private_health,
                              .on_request = pub_routes_on_request,
                              .arg = &lane->routes,
                          },
                          err);
}

void pub_lane_drain(struct pub_lane *lane)
{
    lane->reception.is_draining = true;
    pub_doors_drain(&lane->doors, on_drained, lane);
}

static void on_drained(void *arg)
{
    struct pub_lane *lane = arg;
    atomic_store(&lane->is_drained, true);
}
