#include "publisher/billing/billing_query.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/http/form.h"
#include "shared/nearest.h"
#include "shared/units.h"

#define LIMIT_DEFAULT   10
#define LIMIT_DIGITS    3u
#define TIME_DIGITS     12u
#define NAME_BYTES      64u
#define OWN_FILTERS_MAX 3u

/* The parameters that every list has, by their place in the statement. */
enum place { ACCOUNT, LIVEMODE, LIMIT, AFTER, BEFORE, GTE, GT, LTE, LT, OWN };
#define ID LIMIT /* of a statement that gets one object */

static const char *const list_names[OWN] = {
    "account",      "livemode",    "limit",        "starting_after", "ending_before",
    "created[gte]", "created[gt]", "created[lte]", "created[lt]",
};

struct kind {
    const char *plural; /* in the path */
    const char *name;
    const char *list;
    const char *get;
    const char *own[OWN_FILTERS_MAX]; /* in the order of the statement */
};

static const struct kind kinds[] = {
    { "customers", "customer", "customer_list", "customer_get", { "email", "deleted" } },
    { "subscriptions",
      "subscription",
      "subscription_list",
      "subscription_get",
      { "customer", "status" } },
    { "invoices",
      "invoice",
      "invoice_list",
      "invoice_get",
      { "customer", "subscription", "status" } },
};

static void set_default(struct pub_billing_query *out, enum place place, const char *value);
static const struct kind *find_kind(struct sl_span path, struct sl_span *out_id);
static int read_id(struct sl_span id, struct pub_billing_query *out);
static int read_pair(const struct kind *kind, struct sl_span name, struct sl_span value,
                     struct pub_billing_query *out);
static size_t place_of(const struct kind *kind, const char *name, bool is_list);
static int unknown(const struct kind *kind, const char *name, struct pub_billing_query *out);
static int check(const struct kind *kind, struct pub_billing_query *out);
static bool is_flag(const char *text);
static int refuse(struct pub_billing_query *out, int status, const char *fmt, ...) SL_PRINTF(3, 4);

int pub_billing_query_read(struct sl_span path, struct sl_span query, struct pub_billing_query *out)
{
    *out = (struct pub_billing_query){ .limit = LIMIT_DEFAULT };
    struct sl_span id = { 0 };
    const struct kind *kind = find_kind(path, &id);
    if (kind == NULL) {
        return refuse(out, 404, "there are customers, subscriptions and invoices");
    }
    out->kind = kind->name;
    out->is_list = id.data == NULL;
    out->statement = out->is_list ? kind->list : kind->get;
    struct sl_span name = { 0 };
    struct sl_span value = { 0 };
    while (sl_form_next(&query, &name, &value)) {
        int status = read_pair(kind, name, value, out);
        if (status != 0) {
            return status;
        }
    }
    set_default(out, ACCOUNT, "");
    set_default(out, LIVEMODE, "true");
    return out->is_list ? check(kind, out) : read_id(id, out);
}

static void set_default(struct pub_billing_query *out, enum place place, const char *value)
{
    if (!out->is_set[place]) {
        out->is_set[place] = true;
        snprintf(out->values[place], PUB_BILLING_VALUE_BYTES, "%s", value);
    }
}

/* The kind that the path names; *out_id is absent for the list. */
static const struct kind *find_kind(struct sl_span path, struct sl_span *out_id)
{
    size_t prefix = strlen(PUB_BILLING_PREFIX);
    if (!sl_span_starts_with(path, PUB_BILLING_PREFIX)) {
        return NULL;
    }
    struct sl_span rest = sl_span_make(path.data + prefix, path.bytes - prefix);
    const char *slash = memchr(rest.data, '/', rest.bytes);
    struct sl_span word =
        slash == NULL ? rest : sl_span_make(rest.data, (size_t)(slash - rest.data));
    *out_id = slash == NULL ? (struct sl_span){ 0 }
                            : sl_span_make(slash + 1, rest.bytes - word.bytes - 1);
    for (size_t i = 0; i < SL_COUNT(kinds); i++) {
        if (sl_span_is(word, kinds[i].plural)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static int read_id(struct sl_span id, struct pub_billing_query *out)
{
    if (id.bytes == 0 || memchr(id.data, '/', id.bytes) != NULL ||
        !sl_form_decode(id, out->values[ID], PUB_BILLING_VALUE_BYTES)) {
        return refuse(out, 404, "that is no %s's id", out->kind);
    }
    if (!is_flag(out->values[LIVEMODE])) {
        return refuse(out, 400, "livemode is true or false");
    }
    out->is_set[ID] = true;
    out->param_count = ID + 1;
    return 0;
}

static int read_pair(const struct kind *kind, struct sl_span name, struct sl_span value,
                     struct pub_billing_query *out)
{
    char key[NAME_BYTES];
    if (!sl_form_decode(name, key, sizeof key)) {
        return refuse(out, 400, "a parameter's name cannot be read");
    }
    size_t place = place_of(kind, key, out->is_list);
    if (place == PUB_BILLING_PARAMS_MAX) {
        return unknown(kind, key, out);
    }
    if (out->is_set[place]) {
        return refuse(out, 400, "%s is given twice", key);
    }
    if (!sl_form_decode(value, out->values[place], PUB_BILLING_VALUE_BYTES)) {
        return refuse(out, 400, "%s: at most %u bytes, percent-encoded", key,
                      PUB_BILLING_VALUE_BYTES - 1);
    }
    out->is_set[place] = true;
    return 0;
}

/* PUB_BILLING_PARAMS_MAX when there is none of that name. */
static size_t place_of(const struct kind *kind, const char *name, bool is_list)
{
    for (size_t i = 0; i < (is_list ? OWN : LIMIT); i++) {
        if (strcmp(name, list_names[i]) == 0) {
            return i;
        }
    }
    for (size_t i = 0; is_list && i < OWN_FILTERS_MAX && kind->own[i] != NULL; i++) {
        if (strcmp(name, kind->own[i]) == 0) {
            return OWN + i;
        }
    }
    return PUB_BILLING_PARAMS_MAX;
}

static int unknown(const struct kind *kind, const char *name, struct pub_billing_query *out)
{
    const char *names[OWN + OWN_FILTERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < (out->is_list ? OWN : LIMIT); i++) {
        names[count++] = list_names[i];
    }
    for (size_t i = 0; out->is_list && i < OWN_FILTERS_MAX && kind->own[i] != NULL; i++) {
        names[count++] = kind->own[i];
    }
    const char *nearest = sl_nearest(sl_span_of(name), names, count);
    return refuse(out, 400, "%s cannot be asked of %s%s%s", name, kind->plural,
                  nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest);
}

static int check(const struct kind *kind, struct pub_billing_query *out)
{
    int64_t number = 0;
    out->param_count = OWN;
    for (size_t i = 0; i < OWN_FILTERS_MAX && kind->own[i] != NULL; i++) {
        out->param_count++;
        if (strcmp(kind->own[i], "deleted") == 0 && out->is_set[OWN + i] &&
            !is_flag(out->values[OWN + i])) {
            return refuse(out, 400, "deleted is true or false");
        }
    }
    if (!is_flag(out->values[LIVEMODE])) {
        return refuse(out, 400, "livemode is true or false");
    }
    if (out->is_set[LIMIT] &&
        (!sl_units_decimal(sl_span_of(out->values[LIMIT]), LIMIT_DIGITS, &out->limit) ||
         out->limit < 1 || out->limit > PUB_BILLING_LIMIT_MAX)) {
        return refuse(out, 400, "limit is a number from 1 to %d", PUB_BILLING_LIMIT_MAX);
    }
    for (size_t i = GTE; i <= LT; i++) {
        if (out->is_set[i] && !sl_units_decimal(sl_span_of(out->values[i]), TIME_DIGITS, &number)) {
            return refuse(out, 400, "%s takes seconds since 1970", list_names[i]);
        }
    }
    if (out->is_set[AFTER] && out->is_set[BEFORE]) {
        return refuse(out, 400, "starting_after or ending_before, not both");
    }
    out->is_back = out->is_set[BEFORE];
    out->has_cursor = out->is_set[AFTER] || out->is_set[BEFORE];
    out->is_set[LIMIT] = true;
    snprintf(out->values[LIMIT], PUB_BILLING_VALUE_BYTES, "%" PRId64, out->limit + 1);
    return 0;
}

static bool is_flag(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static int refuse(struct pub_billing_query *out, int status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(out->why, sizeof out->why, fmt, args);
    va_end(args);
    return status;
}

void pub_billing_query_params(const struct pub_billing_query *query,
                              struct sl_pg_param out_params[PUB_BILLING_PARAMS_MAX])
{
    for (size_t i = 0; i < query->param_count; i++) {
        out_params[i] = (struct sl_pg_param){
            .value = query->is_set[i] ? sl_span_of(query->values[i]) : (struct sl_span){ 0 },
        };
    }
}

const char *pub_billing_query_cursor(const struct pub_billing_query *query,
                                     struct sl_pg_param out_params[3])
{
    SL_ASSERT(query->has_cursor);
    out_params[0].value = sl_span_of(query->values[ACCOUNT]);
    out_params[1].value = sl_span_of(query->values[LIVEMODE]);
    out_params[2].value = sl_span_of(query->values[query->is_back ? BEFORE : AFTER]);
    for (size_t i = 0; i < SL_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, query->kind) == 0) {
            return kinds[i].get;
        }
    }
    return NULL;
}
