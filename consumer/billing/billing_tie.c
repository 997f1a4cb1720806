#include "consumer/billing/billing_tie.h"

static bool is_followed(const struct con_billing_twin *twins, size_t count, size_t index);
static bool follows(const struct con_billing_twin *later, const struct con_billing_twin *earlier);
static bool was(const struct sl_json *before, const struct sl_json *object);
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
    return later->before != NULL && later->before->type == SL_JSON_OBJECT &&
           later->before->child_count > 0 && was(later->before, earlier->object);
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
