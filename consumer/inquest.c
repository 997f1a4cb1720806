#include "consumer/inquest.h"

#include "consumer/culprit.h"
#include "consumer/retry_decide.h"

#define MASS_HOLDS_MAX 5u /* in a row, for what may heal by itself */

static bool has_open(const struct con_inquest *inquest, struct con_slice slice);
static size_t count_open(const struct con_inquest *inquest, struct con_slice slice,
                         size_t *out_last);
static void strike(const struct con_inquest *inquest, struct con_delivery *delivery);
static void look_closer(struct con_inquest *inquest, struct con_slice slice, const char *detail);
static void blame(struct con_inquest *inquest, struct con_slice slice, size_t index,
                  const struct con_handler_error *error, struct sl_arena *arena);
static enum con_finding weigh(struct con_inquest *inquest, const struct con_event *event);

void con_inquest_open(struct con_inquest *inquest, struct con_event *events,
                      struct con_delivery *const *deliveries, size_t count)
{
    inquest->events = events;
    inquest->deliveries = deliveries;
    inquest->count = count;
    inquest->tries = 0;
    con_inquest_begin(inquest);
}

void con_inquest_begin(struct con_inquest *inquest)
{
    con_bisect_init(&inquest->bisect, inquest->count);
    con_tally_init(&inquest->tally, inquest->count);
}

bool con_inquest_next(struct con_inquest *inquest, struct con_slice *out_slice)
{
    while (con_bisect_next(&inquest->bisect, out_slice)) {
        if (has_open(inquest, *out_slice)) {
            return true;
        }
        con_bisect_passed(&inquest->bisect);
    }
    return false;
}

static bool has_open(const struct con_inquest *inquest, struct con_slice slice)
{
    size_t last = 0;
    return count_open(inquest, slice, &last) > 0;
}

/* Those of the slice that a transaction applies. */
static size_t count_open(const struct con_inquest *inquest, struct con_slice slice,
                         size_t *out_last)
{
    size_t count = 0;
    for (size_t i = slice.first; i < slice.first + slice.count; i++) {
        enum con_verdict verdict = inquest->events[i].verdict;
        if (verdict == CON_PENDING || verdict == CON_IGNORED) {
            count++;
            *out_last = i;
        }
    }
    return count;
}

struct con_slice con_inquest_in_hand(const struct con_inquest *inquest)
{
    struct con_slice slice = { 0 };
    SL_ASSERT(con_bisect_next(&inquest->bisect, &slice));
    return slice;
}

void con_inquest_passed(struct con_inquest *inquest)
{
    struct con_slice slice = con_inquest_in_hand(inquest);
    con_bisect_passed(&inquest->bisect);
    inquest->passes++;
    inquest->tries = 0;
    inquest->fruitless = 0;
    if (slice.count == inquest->count) {
        inquest->holds = 0;
    }
}

enum con_finding con_inquest_failed(struct con_inquest *inquest,
                                    const struct con_handler_error *error, bool is_reachable,
                                    struct sl_arena *arena, struct con_event **out_example)
{
    struct con_slice slice = con_inquest_in_hand(inquest);
    size_t last = slice.first;
    size_t events = count_open(inquest, slice, &last);
    struct con_delivery *only = events == 1 ? inquest->deliveries[last] : NULL;
    const struct con_failure failure = {
        .code = error->err.code,
        .sqlstate = error->sqlstate,
        .tries = inquest->tries,
        .events = events,
        .is_reachable = is_reachable,
        .holds = inquest->holds,
        .fruitless = inquest->fruitless,
        .strikes = only == NULL ? 0 : only->strikes,
        .has_neighbour_passed = only != NULL && inquest->passes > only->first_strike,
    };
    bool is_systemic =
        sl_err_fault(&error->err) == SL_FAULT_TRANSIENT && error->err.code != SL_E_PG_UNREADY;
    enum con_next next = con_retry_decide(&failure);
    if (next == CON_NEXT_AGAIN) {
        inquest->tries++;
        return CON_FINDING_OTHERS;
    }
    inquest->tries = 0;
    inquest->fruitless += is_systemic ? 1 : 0;
    if (only != NULL && is_systemic && is_reachable) {
        strike(inquest, only);
    }
    if (next == CON_NEXT_BISECT && only == NULL) {
        look_closer(inquest, slice, error->detail);
        return CON_FINDING_LEAD;
    }
    if (next == CON_NEXT_BISECT) {
        blame(inquest, slice, last, error, arena);
        *out_example = &inquest->events[last];
        return weigh(inquest, *out_example);
    }
    if (next == CON_NEXT_PUT_OFF && con_bisect_put_off(&inquest->bisect)) {
        return CON_FINDING_LEAD;
    }
    inquest->holds += is_systemic && is_reachable ? 1 : 0;
    return CON_FINDING_HOLD;
}

static void strike(const struct con_inquest *inquest, struct con_delivery *delivery)
{
    if (delivery->strikes++ == 0) {
        delivery->first_strike = inquest->passes;
    }
}

/* The guilty one is among several: first the one that the server points at, else halves. */
static void look_closer(struct con_inquest *inquest, struct con_slice slice, const char *detail)
{
    size_t suspect = 0;
    if (con_culprit_find(detail, inquest->events, slice, &suspect)) {
        con_bisect_suspect(&inquest->bisect, suspect);
    } else {
        (void)con_bisect_failed(&inquest->bisect); /* several: it is cut */
    }
}

static void blame(struct con_inquest *inquest, struct con_slice slice, size_t index,
                  const struct con_handler_error *error, struct sl_arena *arena)
{
    struct con_event *event = &inquest->events[index];
    struct sl_span code = sl_arena_copy(arena, sl_span_of(error->sqlstate));
    event->was = event->verdict;
    event->verdict = CON_BLAMED;
    event->why = error->err;
    event->code = code.data == NULL ? "" : code.data;
    if (slice.count > 1) { /* the others of it are done */
        con_bisect_suspect(&inquest->bisect, index);
    }
    (void)con_bisect_failed(&inquest->bisect); /* it is alone: it leaves the search */
}

/* One more is guilty: are they too many? */
static enum con_finding weigh(struct con_inquest *inquest, const struct con_event *event)
{
    bool is_item =
        event->why.code == SL_E_PG_ITEM || sl_err_fault(&event->why) == SL_FAULT_TRANSIENT;
    char fingerprint[CON_FINGERPRINT_BYTES];
    con_fingerprint(sl_span_of(is_item ? "item" : "permanent"), sl_span_of(event->code),
                    event->envelope.type, sl_span_of(event->why.text), fingerprint);
    enum con_tally_finding finding = con_tally_add(&inquest->tally, fingerprint, is_item);
    if (finding == CON_TALLY_ALIKE && inquest->can_hold_types) {
        return CON_FINDING_ALIKE;
    }
    bool is_mass = finding != CON_TALLY_FEW;
    if (is_mass && is_item && inquest->mass_holds >= MASS_HOLDS_MAX) {
        inquest->is_mending = false;
        return CON_FINDING_LEAD;
    }
    inquest->is_mending = inquest->is_mending || is_mass;
    inquest->mass_holds += is_mass ? 1 : 0;
    return is_mass ? CON_FINDING_MASS : CON_FINDING_LEAD;
}

void con_inquest_held(struct con_inquest *inquest)
{
    inquest->tries = 0;
    inquest->fruitless = 0;
    con_inquest_begin(inquest);
}

bool con_inquest_is_mended(struct con_inquest *inquest)
{
    bool is_mended = inquest->is_mending;
    inquest->is_mending = false;
    inquest->mass_holds = 0;
    if (!is_mended || con_inquest_forgive(inquest) == 0) {
        return false;
    }
    con_inquest_begin(inquest);
    return true;
}

void con_inquest_sentence(struct con_inquest *inquest)
{
    for (size_t i = 0; i < inquest->count; i++) {
        if (inquest->events[i].verdict == CON_BLAMED) {
            inquest->events[i].verdict = CON_DEAD;
        }
    }
}

size_t con_inquest_forgive(struct con_inquest *inquest)
{
    size_t count = 0;
    for (size_t i = 0; i < inquest->count; i++) {
        struct con_event *event = &inquest->events[i];
        if (event->verdict == CON_BLAMED) {
            event->verdict = event->was;
            count++;
        }
    }
    return count;
}
