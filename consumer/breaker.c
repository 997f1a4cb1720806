#include "consumer/breaker.h"

#include <stdlib.h>
#include <string.h>

#include "shared/event/envelope.h"

#define PERCENT           100
#define MS_PER_S          1000
#define LENGTHEN_DIVISOR  4                    /* at most a quarter is added */
#define HASH_OFFSET_BASIS UINT32_C(2166136261) /* FNV-1a, 32 bits */
#define HASH_PRIME        UINT32_C(16777619)

/* What happened in one tenth of the window. */
struct cut {
    int64_t number; /* of the tenth, from the clock's beginning */
    int64_t tried;
    int64_t failed;
};

struct breaker {
    char type[SL_EVENT_TYPE_BYTES_MAX];
    size_t type_bytes;
    uint32_t hash; /* of the type */
    enum con_breaker_state state;
    enum con_force force;
    int64_t since_ms; /* not closed */
    int64_t heard_ms; /* the newest opening elsewhere that was heard of */
    struct cut cuts[CON_BREAKER_WINDOW_CUTS];
    int64_t failed_in_a_row;
    int64_t probe_at_ms;   /* not closed: when the next one is let through */
    int64_t failed_probes; /* since it opened */
    uint64_t used;         /* number of the last use */
};

struct con_breakers {
    struct con_breaker_policy policy;
    struct breaker *items;
    size_t count;
    size_t in_state[CON_BREAKER_STATES];
    uint64_t uses;
};

static uint32_t hash_of(struct sl_span type);
static struct breaker *find(const struct con_breakers *breakers, struct sl_span type);
static struct breaker *find_or_add(struct con_breakers *breakers, struct sl_span type);
static struct breaker *make_room(struct con_breakers *breakers);
static void move_to(struct con_breakers *breakers, struct breaker *breaker,
                    enum con_breaker_state state);
static void count_try(const struct con_breakers *breakers, struct breaker *breaker, bool has_failed,
                      int64_t now_ms);
static int64_t cut_number(const struct con_breakers *breakers, int64_t now_ms);
static bool is_over(const struct con_breakers *breakers, const struct breaker *breaker,
                    int64_t now_ms);
static void open(struct con_breakers *breakers, struct breaker *breaker, int64_t now_ms);
static void close_it(struct con_breakers *breakers, struct breaker *breaker);

const char *con_breaker_state_name(enum con_breaker_state state)
{
    switch (state) {
    case CON_BREAKER_CLOSED:
        return "closed";
    case CON_BREAKER_OPEN:
        return "open";
    case CON_BREAKER_HALF_OPEN:
        return "half_open";
    }
    return "closed";
}

struct con_breakers *con_breakers_new(const struct con_breaker_policy *policy)
{
    SL_ASSERT(policy->window_ms >= CON_BREAKER_WINDOW_CUTS);
    SL_ASSERT(policy->probe_ms > 0);
    struct con_breakers *breakers = calloc(1, sizeof *breakers);
    struct breaker *items = calloc(CON_BREAKER_TYPES_MAX, sizeof *items);
    if (breakers == NULL || items == NULL) {
        free(breakers);
        free(items);
        return NULL;
    }
    breakers->policy = *policy;
    breakers->items = items;
    return breakers;
}

void con_breakers_free(struct con_breakers *breakers)
{
    if (breakers != NULL) {
        free(breakers->items);
        free(breakers);
    }
}

bool con_breakers_is_any_open(const struct con_breakers *breakers)
{
    return breakers->in_state[CON_BREAKER_OPEN] + breakers->in_state[CON_BREAKER_HALF_OPEN] > 0;
}

size_t con_breakers_count(const struct con_breakers *breakers, enum con_breaker_state state)
{
    return breakers->in_state[state];
}

enum con_breaker_state con_breakers_state(const struct con_breakers *breakers, struct sl_span type)
{
    const struct breaker *breaker = find(breakers, type);
    return breaker == NULL ? CON_BREAKER_CLOSED : breaker->state;
}

bool con_breakers_is_held_closed(const struct con_breakers *breakers, struct sl_span type)
{
    const struct breaker *breaker = find(breakers, type);
    return breaker != NULL && breaker->force == CON_FORCE_CLOSED;
}

static struct breaker *find(const struct con_breakers *breakers, struct sl_span type)
{
    uint32_t hash = hash_of(type);
    for (size_t i = 0; type.bytes > 0 && i < breakers->count; i++) {
        struct breaker *breaker = &breakers->items[i];
        if (breaker->hash == hash && breaker->type_bytes == type.bytes &&
            memcmp(breaker->type, type.data, type.bytes) == 0) {
            return breaker;
        }
    }
    return NULL;
}

static uint32_t hash_of(struct sl_span type)
{
    uint32_t hash = HASH_OFFSET_BASIS;
    for (size_t i = 0; i < type.bytes; i++) {
        hash = (hash ^ (unsigned char)type.data[i]) * HASH_PRIME;
    }
    return hash;
}

enum con_admission con_breakers_admit(struct con_breakers *breakers, struct sl_span type,
                                      int64_t now_ms)
{
    if (!con_breakers_is_any_open(breakers)) {
        return CON_ADMIT;
    }
    struct breaker *breaker = find(breakers, type);
    if (breaker == NULL || breaker->state == CON_BREAKER_CLOSED) {
        return CON_ADMIT;
    }
    if (breaker->force == CON_FORCE_OPEN || now_ms < breaker->probe_at_ms) {
        return CON_ADMIT_NOT;
    }
    breaker->probe_at_ms = now_ms + breakers->policy.probe_ms;
    move_to(breakers, breaker, CON_BREAKER_HALF_OPEN);
    return CON_ADMIT_PROBE;
}

int64_t con_breakers_hold_s(const struct con_breakers *breakers, struct sl_span type,
                            uint64_t random)
{
    const struct breaker *breaker = find(breakers, type);
    int64_t intervals = breaker == NULL ? 1 : breaker->failed_probes + 1;
    intervals = intervals < CON_BREAKER_HOLD_MAX ? intervals : CON_BREAKER_HOLD_MAX;
    int64_t wait_ms = breakers->policy.probe_ms * intervals;
    uint64_t choices = (uint64_t)(wait_ms / LENGTHEN_DIVISOR) + 1;
    wait_ms += (int64_t)(random % choices);
    return (wait_ms + MS_PER_S - 1) / MS_PER_S;
}

enum con_breaker_change con_breakers_passed(struct con_breakers *breakers, struct sl_span type,
                                            int64_t now_ms)
{
    struct breaker *breaker = find_or_add(breakers, type);
    if (breaker == NULL) {
        return CON_BREAKER_SAME;
    }
    switch (breaker->state) {
    case CON_BREAKER_CLOSED:
        count_try(breakers, breaker, false, now_ms);
        return CON_BREAKER_SAME;
    case CON_BREAKER_OPEN: /* begun before it opened: the probe will tell */
        return CON_BREAKER_SAME;
    case CON_BREAKER_HALF_OPEN: /* a force would have moved it on */
        close_it(breakers, breaker);
        return CON_BREAKER_CLOSES;
    }
    return CON_BREAKER_SAME;
}

enum con_breaker_change con_breakers_failed(struct con_breakers *breakers, struct sl_span type,
                                            int64_t attempt, int64_t now_ms)
{
    struct breaker *breaker = find_or_add(breakers, type);
    if (breaker == NULL) {
        return CON_BREAKER_SAME;
    }
    switch (breaker->state) {
    case CON_BREAKER_CLOSED:
        if (attempt > 1) {
            return CON_BREAKER_SAME;
        }
        count_try(breakers, breaker, true, now_ms);
        if (breaker->force == CON_FORCE_CLOSED || !is_over(breakers, breaker, now_ms)) {
            return CON_BREAKER_SAME;
        }
        open(breakers, breaker, now_ms);
        return CON_BREAKER_OPENED;
    case CON_BREAKER_OPEN:
        return CON_BREAKER_SAME;
    case CON_BREAKER_HALF_OPEN:
        breaker->failed_probes++;
        breaker->probe_at_ms = now_ms + breakers->policy.probe_ms;
        move_to(breakers, breaker, CON_BREAKER_OPEN);
        return CON_BREAKER_SAME;
    }
    return CON_BREAKER_SAME;
}

enum con_breaker_change con_breakers_trip(struct con_breakers *breakers, struct sl_span type,
                                          int64_t now_ms)
{
    struct breaker *breaker = find_or_add(breakers, type);
    if (breaker == NULL || breaker->state != CON_BREAKER_CLOSED ||
        breaker->force == CON_FORCE_CLOSED) {
        return CON_BREAKER_SAME;
    }
    open(breakers, breaker, now_ms);
    return CON_BREAKER_OPENED;
}

enum con_breaker_change con_breakers_heard(struct con_breakers *breakers, struct sl_span type,
                                           int64_t since_ms, int64_t now_ms)
{
    struct breaker *breaker = find_or_add(breakers, type);
    if (breaker == NULL || since_ms <= breaker->heard_ms) {
        return CON_BREAKER_SAME;
    }
    breaker->heard_ms = since_ms;
    return con_breakers_trip(breakers, type, now_ms);
}

size_t con_breakers_known(const struct con_breakers *breakers)
{
    return breakers->count;
}

struct con_breaker_view con_breakers_view(const struct con_breakers *breakers, size_t i)
{
    SL_ASSERT(i < breakers->count);
    const struct breaker *breaker = &breakers->items[i];
    return (struct con_breaker_view){ .type = sl_span_make(breaker->type, breaker->type_bytes),
                                      .state = breaker->state,
                                      .force = breaker->force,
                                      .since_ms = breaker->since_ms,
                                      .probe_at_ms = breaker->probe_at_ms };
}

enum con_breaker_change con_breakers_force(struct con_breakers *breakers, struct sl_span type,
                                           enum con_force force, int64_t now_ms)
{
    struct breaker *breaker =
        force == CON_FORCE_NONE ? find(breakers, type) : find_or_add(breakers, type);
    if (breaker == NULL || breaker->force == force) {
        return CON_BREAKER_SAME;
    }
    bool was_closed = breaker->state == CON_BREAKER_CLOSED;
    breaker->force = force;
    switch (force) {
    case CON_FORCE_NONE:
        breaker->probe_at_ms = now_ms;
        return CON_BREAKER_SAME;
    case CON_FORCE_OPEN:
        if (was_closed) {
            open(breakers, breaker, now_ms);
            return CON_BREAKER_OPENED;
        }
        move_to(breakers, breaker, CON_BREAKER_OPEN);
        return CON_BREAKER_SAME;
    case CON_FORCE_CLOSED:
        close_it(breakers, breaker);
        return was_closed ? CON_BREAKER_SAME : CON_BREAKER_CLOSES;
    }
    return CON_BREAKER_SAME;
}

/* NULL: there is no room for another type, or it is too long to be one. */
static struct breaker *find_or_add(struct con_breakers *breakers, struct sl_span type)
{
    struct breaker *breaker = find(breakers, type);
    if (breaker == NULL && type.bytes > 0 && type.bytes <= sizeof breaker->type) {
        breaker = make_room(breakers);
        if (breaker != NULL) {
            *breaker = (struct breaker){ .type_bytes = type.bytes, .hash = hash_of(type) };
            memcpy(breaker->type, type.data, type.bytes);
        }
    }
    if (breaker != NULL) {
        breaker->used = ++breakers->uses;
    }
    return breaker;
}

static struct breaker *make_room(struct con_breakers *breakers)
{
    if (breakers->count < CON_BREAKER_TYPES_MAX) {
        return &breakers->items[breakers->count++];
    }
    struct breaker *oldest = NULL;
    for (size_t i = 0; i < breakers->count; i++) {
        struct breaker *breaker = &breakers->items[i];
        if (breaker->state == CON_BREAKER_CLOSED && breaker->force == CON_FORCE_NONE &&
            (oldest == NULL || breaker->used < oldest->used)) {
            oldest = breaker;
        }
    }
    return oldest;
}

static void count_try(const struct con_breakers *breakers, struct breaker *breaker, bool has_failed,
                      int64_t now_ms)
{
    int64_t number = cut_number(breakers, now_ms);
    struct cut *cut = &breaker->cuts[number % CON_BREAKER_WINDOW_CUTS];
    if (cut->number != number) {
        *cut = (struct cut){ .number = number };
    }
    cut->tried++;
    cut->failed += has_failed ? 1 : 0;
    breaker->failed_in_a_row = has_failed ? breaker->failed_in_a_row + 1 : 0;
}

static int64_t cut_number(const struct con_breakers *breakers, int64_t now_ms)
{
    return now_ms / (breakers->policy.window_ms / CON_BREAKER_WINDOW_CUTS);
}

static bool is_over(const struct con_breakers *breakers, const struct breaker *breaker,
                    int64_t now_ms)
{
    const struct con_breaker_policy *policy = &breakers->policy;
    int64_t oldest = cut_number(breakers, now_ms) - CON_BREAKER_WINDOW_CUTS + 1;
    int64_t tried = 0;
    int64_t failed = 0;
    for (size_t i = 0; i < CON_BREAKER_WINDOW_CUTS; i++) {
        if (breaker->cuts[i].number >= oldest) {
            tried += breaker->cuts[i].tried;
            failed += breaker->cuts[i].failed;
        }
    }
    bool is_ratio = tried >= policy->samples && failed * PERCENT >= tried * policy->ratio;
    return is_ratio || breaker->failed_in_a_row >= policy->consecutive;
}

static void open(struct con_breakers *breakers, struct breaker *breaker, int64_t now_ms)
{
    breaker->probe_at_ms = now_ms + breakers->policy.probe_ms;
    breaker->failed_probes = 0;
    breaker->since_ms = now_ms;
    move_to(breakers, breaker, CON_BREAKER_OPEN);
}

/* What was counted before says nothing about what is tried from now on. */
static void close_it(struct con_breakers *breakers, struct breaker *breaker)
{
    memset(breaker->cuts, 0, sizeof breaker->cuts);
    breaker->failed_in_a_row = 0;
    move_to(breakers, breaker, CON_BREAKER_CLOSED);
}

static void move_to(struct con_breakers *breakers, struct breaker *breaker,
                    enum con_breaker_state state)
{
    if (breaker->state != CON_BREAKER_CLOSED) {
        breakers->in_state[breaker->state]--;
    }
    if (state != CON_BREAKER_CLOSED) {
        breakers->in_state[state]++;
    }
    breaker->state = state;
}
