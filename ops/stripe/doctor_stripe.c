#include "ops/stripe/doctor_stripe.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/doctor/value_rules.h"
#include "ops/stripe/stripe_api.h"
#include "ops/stripe/stripe_endpoint.h"
#include "ops/table.h"

#define EX_FOUND        1
#define CELL_BYTES      512u
#define WRONG_BYTES_MAX 4096u
#define ARENA_BYTES_MAX (1024u * 1024u)
#define URL_SCHEME      "https://"

const char ops_doctor_stripe_usage[] =
    "  --url URL         where webhooks reach the publisher from outside; default: SLUICE_PUBLIC_URL\n" OPS_USAGE_ROWS
    "The key needs to read webhook endpoints (rak_webhook_read): STRIPE_RESTRICTED_KEY, or STRIPE_API_KEY. It sees\n"
    "those of its own mode, test or live; SENTRY_ENVIRONMENT says which one belongs here.\n"
    "Exit status: 0 an endpoint leads here and is well; 1 something is wrong.\n";

static const struct ops_column columns[] = {
    { .title = "ENDPOINT" },    { .title = "URL" },        { .title = "STATUS" },
    { .title = "API VERSION" }, { .title = "LEADS HERE" },
};

struct doctor {
    const char *url;
    enum ops_output output;
    struct ops_address address;
    struct ops_stripe_api *api;
    struct sl_arena arena;
    struct ops_table table;
    struct sl_buf wrong;
    size_t ours;
};

static void doctor_done(struct doctor *doctor);
static bool read_wish(struct doctor *doctor, int argc, char **argv, struct sl_err *err);
static bool look(struct doctor *doctor, struct sl_err *err);
static void tell_mode(struct doctor *doctor);
static void take(struct doctor *doctor, const struct sl_json *object);

int ops_doctor_stripe(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(doctor_done) struct doctor doctor = { 0 };
    ops_table_init(&doctor.table, columns, SL_COUNT(columns));
    sl_buf_init(&doctor.wrong, WRONG_BYTES_MAX);
    sl_arena_init(&doctor.arena, ARENA_BYTES_MAX);
    if (!read_wish(&doctor, argc, argv, &err) || !look(&doctor, &err) ||
        !ops_table_print(&doctor.table, doctor.output, stdout, &err)) {
        return ops_report("doctor stripe", &err);
    }
    tell_mode(&doctor);
    fputs(sl_buf_span(&doctor.wrong).data, stderr);
    if (doctor.ours == 0) {
        fprintf(
            stderr,
            "no endpoint leads to %s: add %s/webhooks/stripe in Stripe's dashboard, and its signing "
            "secret to STRIPE_WEBHOOK_SECRET\n",
            doctor.url, doctor.url);
        return EX_FOUND;
    }
    return doctor.wrong.used_bytes == 0 ? EX_OK : EX_FOUND;
}

/* A key sees the endpoints of its own mode only. */
static void tell_mode(struct doctor *doctor)
{
    bool is_live = ops_stripe_api_is_live(doctor->api);
    const char *environment = getenv("SENTRY_ENVIRONMENT");
    fprintf(stderr, "asked with a %s key: endpoints of %s mode are not seen\n",
            is_live ? "live" : "test", is_live ? "test" : "live");
    if (environment != NULL && ops_is_production(environment) != is_live) {
        sl_buf_printf(&doctor->wrong,
                      "a %s key in %.40s: Stripe's %s events come to the endpoints of the other "
                      "mode; set STRIPE_RESTRICTED_KEY or STRIPE_API_KEY to a %s key\n",
                      is_live ? "live" : "test", environment, is_live ? "test" : "live",
                      is_live ? "test" : "live");
    }
}

static void doctor_done(struct doctor *doctor)
{
    ops_stripe_api_free(doctor->api);
    ops_address_done(&doctor->address);
    ops_table_done(&doctor->table);
    sl_buf_done(&doctor->wrong);
    sl_arena_done(&doctor->arena);
}

static bool read_wish(struct doctor *doctor, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "url", .kind = OPS_FLAG_TEXT, .out = (void *)&doctor->url },
        OPS_FLAGS_ROWS(doctor->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err) ||
        !ops_address_open(&doctor->address, err)) {
        return false;
    }
    doctor->url = doctor->url == NULL ? doctor->address.settings.public_url : doctor->url;
    if (doctor->url == NULL) {
        return sl_fail(err, SL_E_CONFIG,
                       "where do webhooks come in? Set SLUICE_PUBLIC_URL, such as "
                       "https://webhooks.example.com, or say --url");
    }
    size_t bytes = strlen(doctor->url);
    if (strncmp(doctor->url, URL_SCHEME, strlen(URL_SCHEME)) != 0 ||
        doctor->url[bytes - 1] == '/') {
        return sl_fail(err, SL_E_CONFIG,
                       "SLUICE_PUBLIC_URL begins with https:// and ends without a slash, such as "
                       "https://webhooks.example.com");
    }
    doctor->api = ops_stripe_api_new(&doctor->address, 0, err);
    return doctor->api != NULL;
}

/* An account has at most 16 endpoints; one page holds them. Source: https://docs.stripe.com/webhooks. */
static bool look(struct doctor *doctor, struct sl_err *err)
{
    const struct sl_json *root = NULL;
    if (!ops_stripe_api_get(doctor->api, "/v1/webhook_endpoints", SL_SPAN_LITERAL("limit=100"), "",
                            &root, err)) {
        return false;
    }
    const struct sl_json *data = sl_json_get(root, "data");
    for (const struct sl_json *at = data == NULL ? NULL : data->first; at != NULL; at = at->next) {
        take(doctor, at);
    }
    return true;
}

static void take(struct doctor *doctor, const struct sl_json *object)
{
    struct ops_stripe_endpoint endpoint;
    ops_stripe_endpoint_read(object, &doctor->arena, &endpoint);
    bool is_ours = ops_stripe_endpoint_is_ours(&endpoint, doctor->url);
    const struct sl_span spans[] = { endpoint.id, endpoint.url, endpoint.status,
                                     endpoint.api_version };
    char texts[SL_COUNT(spans)][CELL_BYTES];
    const char *cells[SL_COUNT(columns)] = { 0 };
    for (size_t i = 0; i < SL_COUNT(spans); i++) {
        snprintf(texts[i], sizeof texts[i], "%.*s", spans[i].data == NULL ? 0 : (int)spans[i].bytes,
                 spans[i].data == NULL ? "" : spans[i].data);
        cells[i] = texts[i];
    }
    cells[SL_COUNT(spans)] = is_ours ? "yes" : "no";
    ops_table_add(&doctor->table, cells);
    if (is_ours) {
        doctor->ours++;
        ops_stripe_endpoint_judge(&endpoint, &doctor->wrong);
    }
}
