#include "consumer/billing/billing_tie.h"

static bool is_followed(const struct con_billing_twin *twins, size_t count, size_t index);
static bool follows(const struct con_billing_twin *later, const struct con_billing_twin *earlier);
static bool was(const struct sl_json *before, const struct sl_json *object);
static size_t end_of_chain(const struct con_billing_twin *twins, size_t count);
static int net_arrivals(const struct con_billing_twin *twins, size_t count, size_t index);
static bool says_what_changed(const struct con_billing_twin *twin);
static bool is_undone_to(const struct sl_json *later, const struct sl_json *before,
                         const struct sl_json *earlier);
static bool is_undone_value(const struct sl_json *later, const struct sl_json *before,
                            const struct sl_json *earlier);
static bool is_same(const struct sl_json *a, const struct sl_json *b);
static size_t greatest(const struct con_billing_twin *twins, size_t best, size_t index);

size_t con_billing_tie_last(const struct con_billing_twin *twins, size_t count, bool *out_is_sure)
{
    SL_ASSERT(count > 0);
    bool is_compared = count <= CON_BILLING_TIE_MAX;
    size_t best = count; /* none yet */
    bool is_sure = is_compared;
    for (size_t i = 0; i < count; i++) {
        if (is_compared && is_followed(twins, count, i)) {
            continue;
        }
        is_sure =
            is_sure && (best == count || sl_span_eq(twins[best].object->raw, twins[i].object->raw));
        best = greatest(twins, best == count ? i : best, i);
    }
    if (best == count) { /* they follow one another in a circle */
        is_sure = false;
        best = 0;
        for (size_t i = 1; i < count; i++) {
            best = greatest(twins, best, i);
        }
    }
    if (!is_sure && count <= CON_BILLING_TIE_CHAIN_MAX) {
        size_t end = end_of_chain(twins, count);
        is_sure = end < count;
        best = is_sure ? end : best;
    }
    *out_is_sure = is_sure;
    return best;
}

static bool is_followed(const struct con_billing_twin *twins, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++) {
        if (i != index && follows(&twins[i], &twins[index])) {
            return true;
        }
    }
    return false;
}

static bool follows(const struct con_billing_twin *later, const struct con_billing_twin *earlier)
{
    return says_what_changed(later) && was(later->before, earlier->object);
}

static bool says_what_changed(const struct con_billing_twin *twin)
{
    return twin->before != NULL && twin->before->type == SL_JSON_OBJECT &&
           twin->before->child_count > 0;
}

/*
 * Is every value of `before` in `object`? The depth is the parser's. A value that was absent is null in previous_attributes.
 */
static bool was(const struct sl_json *before, const struct sl_json *object)
{
    if (sl_json_is_null(before) || sl_json_is_null(object)) {
        return sl_json_is_null(before) && sl_json_is_null(object);
    }
    if (before->type != SL_JSON_OBJECT || object->type != SL_JSON_OBJECT || !before->is_opened ||
        !object->is_opened) {
        return sl_span_eq(before->raw, object->raw);
    }
    for (const struct sl_json *at = before->first; at != NULL; at = at->next) {
        if (!was(at, sl_json_child(object, at->key))) {
            return false;
        }
    }
    return true;
}

static size_t greatest(const struct con_billing_twin *twins, size_t best, size_t index)
{
    return sl_span_cmp(twins[index].event_id, twins[best].event_id) > 0 ? index : best;
}

/* count: there is no one object that the changes end in. */
static size_t end_of_chain(const struct con_billing_twin *twins, size_t count)
{
    size_t end = count;
    for (size_t i = 0; i < count; i++) {
        int net = net_arrivals(twins, count, i);
        bool is_end = net == 1;
        bool is_odd =
            net > 1 || (is_end && end < count && !is_same(twins[i].object, twins[end].object));
        if (is_odd) {
            return count;
        }
        if (is_end) {
            end = end == count ? i : greatest(twins, end, i);
        }
    }
    return end;
}

/* How often the index-th's object is arrived at, less how often it is left. An event that does not say what changed does neither. */
static int net_arrivals(const struct con_billing_twin *twins, size_t count, size_t index)
{
    const struct sl_json *object = twins[index].object;
    int net = 0;
    for (size_t i = 0; i < count; i++) {
        if (says_what_changed(&twins[i])) {
            net += is_same(twins[i].object, object) ? 1 : 0;
            net -= is_undone_to(twins[i].object, twins[i].before, object) ? 1 : 0;
        }
    }
    return net;
}

/* Is `later`, with what `before` says taken back, `earlier`? All three are objects; the depth is the parser's. */
static bool is_undone_to(const struct sl_json *later, const struct sl_json *before,
                         const struct sl_json *earlier)
{
    for (const struct sl_json *at = before->first; at != NULL; at = at->next) {
        if (!is_undone_value(sl_json_child(later, at->key), at, sl_json_child(earlier, at->key))) {
            return false;
        }
    }
    for (const struct sl_json *at = later->first; at != NULL; at = at->next) {
        if (sl_json_child(before, at->key) == NULL &&
            !is_same(at, sl_json_child(earlier, at->key))) {
            return false;
        }
    }
    for (const struct sl_json *at = earlier->first; at != NULL; at = at->next) {
        if (sl_json_child(before, at->key) == NULL && sl_json_child(later, at->key) == NULL &&
            !sl_json_is_null(at)) {
            return false;
        }
    }
    return true;
}

static bool is_undone_value(const struct sl_json *later, const struct sl_json *before,
                            const struct sl_json *earlier)
{
    const struct sl_json *const all[] = { later, before, earlier };
    bool are_objects = true;
    for (size_t i = 0; i < SL_COUNT(all); i++) {
        are_objects =
            are_objects && all[i] != NULL && all[i]->type == SL_JSON_OBJECT && all[i]->is_opened;
    }
    return are_objects ? is_undone_to(later, before, earlier) : is_same(before, earlier);
}

/* Absent and null are the same, at the top and below. */
static bool is_same(const struct sl_json *a, const struct sl_json *b)
{
    if (sl_json_is_null(a) || sl_json_is_null(b)) {
        return sl_json_is_null(a) && sl_json_is_null(b);
    }
    return sl_span_eq(a->raw, b->raw);
}
