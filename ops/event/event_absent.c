#include "ops/event/event_absent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/queue/queue_look.h"
#include "ops/stripe/stripe_api.h"
#include "shared/clock.h"
#include "shared/json/json_write.h"
#include "shared/units.h"

#define STRIPE_ID  "evt_"
#define PATH_BYTES 320u
#define US_PER_S   INT64_C(1000000)
#define NOT_FOUND  404

static void ask_broker(const struct ops_address *address, struct ops_absent *absent);
static void ask_stripe(const struct ops_address *address, const char *id,
                       struct ops_absent *absent);
static void add(int64_t *sum, int64_t number);
static int64_t in_broker(const struct ops_absent *absent);
static void tell_broker(const struct ops_absent *absent, struct sl_buf *out);
static void tell_stripe(const struct ops_absent *absent, struct sl_buf *out);
static void put(struct sl_json_writer *json, const char *key, int64_t number);

void ops_absent_look(const struct ops_address *address, const char *id,
                     struct ops_absent *out_absent)
{
    *out_absent = (struct ops_absent){ .waiting = OPS_UNKNOWN,
                                       .unacked = OPS_UNKNOWN,
                                       .delayed = OPS_UNKNOWN,
                                       .set_aside = OPS_UNKNOWN,
                                       .oldest_s = OPS_UNKNOWN };
    ask_broker(address, out_absent);
    ask_stripe(address, id, out_absent);
}

static void ask_broker(const struct ops_address *address, struct ops_absent *absent)
{
    struct ops_queue_look look;
    struct sl_err err = { 0 };
    SL_DONE(ops_queue_eyes_done) struct ops_queue_eyes eyes = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    if (!ops_sections_load(address, &subsystems, &err)) {
        return;
    }
    ops_queue_look(&eyes, address, &subsystems, NULL, &look);
    if (look.broker_err.code != SL_E_NONE) {
        return;
    }
    absent->is_broker_known = true;
    absent->waiting = absent->unacked = absent->set_aside = 0;
    absent->delayed = look.delayed_all;
    absent->set_aside = look.unrouted;
    for (size_t i = 0; i < look.count; i++) {
        const struct ops_queue_facts *facts = &look.items[i];
        add(&absent->waiting, facts->waiting);
        add(&absent->unacked, facts->unacked);
        add(&absent->delayed, facts->first);
        add(&absent->set_aside, facts->parked);
        if (facts->oldest_s > absent->oldest_s) {
            absent->oldest_s = facts->oldest_s;
        }
    }
}

static void add(int64_t *sum, int64_t number)
{
    *sum = *sum == OPS_UNKNOWN || number == OPS_UNKNOWN ? OPS_UNKNOWN : *sum + number;
}

static void ask_stripe(const struct ops_address *address, const char *id, struct ops_absent *absent)
{
    struct sl_err err = { 0 };
    char path[PATH_BYTES];
    const struct sl_json *root = NULL;
    int64_t created_s = 0;
    bool is_of_stripe =
        strncmp(id, STRIPE_ID, strlen(STRIPE_ID)) == 0 &&
        strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
            strlen(id) &&
        strlen(id) < PATH_BYTES / 2;
    SL_AUTO(ops_stripe_api_free)
    struct ops_stripe_api *api = is_of_stripe ? ops_stripe_api_new(address, 0, &err) : NULL;
    if (api == NULL) {
        return;
    }
    snprintf(path, sizeof path, "/v1/events/%s", id);
    if (!ops_stripe_api_get(api, path, (struct sl_span){ 0 }, "", &root, &err)) {
        absent->stripe =
            ops_stripe_api_status(api) == NOT_FOUND ? OPS_ABSENT_STRANGE : OPS_ABSENT_SILENT;
        snprintf(absent->why, sizeof absent->why, "%s", err.text);
        return;
    }
    absent->stripe = OPS_ABSENT_LISTED;
    absent->pending = OPS_UNKNOWN;
    (void)sl_json_int(sl_json_get(root, "pending_webhooks"), &absent->pending);
    absent->happened_s = sl_json_int(sl_json_get(root, "created"), &created_s)
                             ? sl_clock_wall_us() / US_PER_S - created_s
                             : OPS_UNKNOWN;
}

/* Decisions ------------------------------------------------------------------------------------- */

const char *ops_absent_verdict(const struct ops_absent *absent)
{
    bool is_empty = absent->is_broker_known && in_broker(absent) == 0;
    if (absent->stripe == OPS_ABSENT_STRANGE) {
        return "not known to Stripe";
    }
    if (absent->stripe == OPS_ABSENT_LISTED && absent->pending > 0) {
        return "not delivered yet";
    }
    if (is_empty) {
        return "not in the broker";
    }
    return absent->stripe == OPS_ABSENT_LISTED && absent->pending == 0 && absent->is_broker_known
               ? "received, waits"
               : "waits or never came";
}

/* OPS_UNKNOWN when one of the numbers is and none of the others is above 0. */
static int64_t in_broker(const struct ops_absent *absent)
{
    const int64_t numbers[] = { absent->waiting, absent->unacked, absent->delayed,
                                absent->set_aside };
    int64_t sum = 0;
    bool is_whole = true;
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        sum += numbers[i] > 0 ? numbers[i] : 0;
        is_whole = is_whole && numbers[i] != OPS_UNKNOWN;
    }
    return sum > 0 || is_whole ? sum : OPS_UNKNOWN;
}

void ops_absent_tell(const struct ops_absent *absent, struct sl_buf *out)
{
    tell_broker(absent, out);
    tell_stripe(absent, out);
    sl_buf_printf(out, "so: %s", ops_absent_verdict(absent));
    if (absent->stripe != OPS_ABSENT_LISTED || absent->pending != 0) {
        sl_buf_append_text(out, "; a journal of another machine's publisher may have it (sluice "
                                "journal list, there)");
    }
    sl_buf_append_text(
        out,
        absent->stripe == OPS_ABSENT_LISTED
            ? "; when it does not come: sluice reconcile stripe --since, from before it happened\n"
            : "; what is older than what is kept is not known any more\n");
}

static void tell_broker(const struct ops_absent *absent, struct sl_buf *out)
{
    static const char *const names[] = { "wait", "are in hand", "are delayed",
                                         "are on their way to the dead letters" };
    const int64_t numbers[] = { absent->waiting, absent->unacked, absent->delayed,
                                absent->set_aside };
    if (!absent->is_broker_known) {
        sl_buf_append_text(out,
                           "the broker does not tell what waits in it: sluice doctor broker\n");
        return;
    }
    if (in_broker(absent) == 0) {
        sl_buf_append_text(
            out, "nothing waits in the broker, nothing is in hand and nothing is delayed\n");
        return;
    }
    sl_buf_append_text(out, "it may be one of these, a broker cannot be searched:");
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        if (numbers[i] == OPS_UNKNOWN) {
            sl_buf_printf(out, " not known how many %s,", names[i]);
        } else if (numbers[i] > 0) {
            sl_buf_printf(out, " %" PRId64 " %s,", numbers[i], names[i]);
        }
    }
    if (absent->oldest_s > 0) {
        sl_buf_printf(out, " the oldest in hand was received %" PRId64 " s ago,", absent->oldest_s);
    }
    out->data[out->used_bytes - 1] = '\n';
}

static void tell_stripe(const struct ops_absent *absent, struct sl_buf *out)
{
    switch (absent->stripe) {
    case OPS_ABSENT_UNASKED:
        return;
    case OPS_ABSENT_SILENT:
        sl_buf_printf(out, "Stripe does not tell: %s\n", absent->why);
        return;
    case OPS_ABSENT_STRANGE:
        sl_buf_append_text(out,
                           "Stripe knows no such event, of this key's account and mode, in its "
                           "30 days\n");
        return;
    case OPS_ABSENT_LISTED:
        break;
    }
    sl_buf_append_text(out, "Stripe has it");
    if (absent->happened_s != OPS_UNKNOWN) {
        sl_buf_printf(out, ", it happened %" PRId64 " s ago", absent->happened_s);
    }
    if (absent->pending > 0) {
        sl_buf_printf(out,
                      ", and %" PRId64 " endpoints have not answered 2xx yet: it comes again\n",
                      absent->pending);
    } else {
        sl_buf_append_text(out, absent->pending == 0
                                    ? ", and every endpoint it goes to has answered 2xx\n"
                                    : "\n");
    }
}

void ops_absent_json(const struct ops_absent *absent, struct sl_buf *out)
{
    static const char *const stripes[] = { [OPS_ABSENT_UNASKED] = "not asked",
                                           [OPS_ABSENT_SILENT] = "does not tell",
                                           [OPS_ABSENT_STRANGE] = "not known",
                                           [OPS_ABSENT_LISTED] = "known" };
    struct sl_json_writer json = sl_json_writer_make(out);
    bool is_listed = absent->stripe == OPS_ABSENT_LISTED;
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "verdict", sl_span_of(ops_absent_verdict(absent)));
    put(&json, "waiting", absent->waiting);
    put(&json, "unacked", absent->unacked);
    put(&json, "delayed", absent->delayed);
    put(&json, "set_aside", absent->set_aside);
    put(&json, "oldest_s", absent->oldest_s);
    sl_json_put_text(&json, "stripe", sl_span_of(stripes[absent->stripe]));
    put(&json, "happened_s_ago", is_listed ? absent->happened_s : OPS_UNKNOWN);
    put(&json, "pending_webhooks", is_listed ? absent->pending : OPS_UNKNOWN);
    sl_json_object_end(&json);
}

static void put(struct sl_json_writer *json, const char *key, int64_t number)
{
    if (number == OPS_UNKNOWN) {
        sl_json_put_null(json, key);
    } else {
        sl_json_put_int(json, key, number);
    }
}
