#include "ops/topology/topology_plan.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_BYTES_MAX 255u /* the protocol's short string */
#define ARGUMENTS_MAX  8u

enum role { WORK, PARKED, DELAY, FIRST, ROLES };

struct exchange_row {
    const char *name;
    const char *type;
    const char *alternate;
};

struct argument_row {
    enum role role;
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
};

static const struct exchange_row exchanges[] = {
#define TOPOLOGY_EXCHANGE(name_, type_, alternate_) { name_, type_, alternate_ },
#define TOPOLOGY_TEXT(role_, name_, text_)
#define TOPOLOGY_NUMBER(role_, name_, number_)
#include "schemas/topology.def"
#undef TOPOLOGY_EXCHANGE
#undef TOPOLOGY_TEXT
#undef TOPOLOGY_NUMBER
};

static const struct argument_row argument_rows[] = {
#define TOPOLOGY_EXCHANGE(name_, type_, alternate_)
#define TOPOLOGY_TEXT(role_, name_, text_)     { role_, name_, text_, 0 },
#define TOPOLOGY_NUMBER(role_, name_, number_) { role_, name_, NULL, number_ },
#include "schemas/topology.def"
#undef TOPOLOGY_EXCHANGE
#undef TOPOLOGY_TEXT
#undef TOPOLOGY_NUMBER
};

struct maker {
    struct ops_topology_plan *plan;
    struct sl_arena *arena;
    const char *subsystem;
    bool is_delay;
    bool failed; /* memory or a limit; checked once at the end */
};

static void add_exchange(struct maker *maker, const char *name, const char *type,
                         const char *alternate);
static void add_queue(struct maker *maker, const char *name, enum role role, const char *lower,
                      int64_t ttl_ms);
static void add_binding(struct maker *maker, enum sl_amqp_declare_kind kind,
                        const char *destination, const char *source, const char *key);
static void add_delay_exchanges(struct maker *maker);
static void add_delay_queues(struct maker *maker);
static void add_delay_bindings(struct maker *maker);
static void add_subsystem_queues(struct maker *maker, const struct sl_subsystem *subsystem);
static void add_subsystem_bindings(struct maker *maker, const struct sl_subsystem *subsystem);
static void add_arrivals(struct maker *maker, const struct sl_subsystem *subsystem);
static bool has_typed_delay(const struct sl_subsystem *subsystem);
static void add_first_queues(struct maker *maker, const struct sl_subsystem *subsystem);
static void add_sorting(struct maker *maker, const struct sl_subsystem *subsystem);
static const char *arrival_queue(struct maker *maker, const struct sl_subsystem *subsystem,
                                 int64_t wait_ms);
static const char *delay_name(struct maker *maker, unsigned level);
static const char *lower_name(struct maker *maker, unsigned level);
static const char *delay_key(struct maker *maker, unsigned level, const char *bit);
static struct ops_topology_step *add_step(struct maker *maker);
static const char *expand(struct maker *maker, const char *text, const char *lower);
static const char *print(struct maker *maker, const char *fmt, ...) SL_PRINTF(2, 3);

bool ops_topology_plan_make(const struct sl_subsystems *subsystems, struct sl_arena *arena,
                            struct ops_topology_plan *out, struct sl_err *err)
{
    struct ops_topology_plan plan = { 0 };
    plan.steps = sl_arena_array(arena, OPS_TOPOLOGY_STEPS_MAX, sizeof *plan.steps);
    struct maker maker = { .plan = &plan, .arena = arena, .failed = plan.steps == NULL };

    for (size_t i = 0; i < SL_COUNT(exchanges); i++) {
        add_exchange(&maker, exchanges[i].name, exchanges[i].type, exchanges[i].alternate);
    }
    add_queue(&maker, "sluice.unrouted", PARKED, NULL, 0);
    for (size_t i = 0; i < subsystems->count; i++) {
        const struct sl_subsystem *subsystem = &subsystems->items[i];
        if (subsystem->enabled) {
            maker.subsystem = subsystem->name;
            add_subsystem_queues(&maker, subsystem);
            add_subsystem_bindings(&maker, subsystem);
        }
    }
    maker.subsystem = NULL;
    maker.is_delay = true;
    add_delay_exchanges(&maker);
    add_delay_queues(&maker);
    add_delay_bindings(&maker);
    maker.is_delay = false;
    /* The last resort last: what waits for a way that was gone must not be caught a moment before it is there. */
    add_binding(&maker, SL_AMQP_BIND_QUEUE, "sluice.unrouted", "sluice.unrouted", "");
    if (maker.failed) {
        return sl_fail(err, SL_E_LIMIT, "the topology of %zu subsystems does not fit",
                       subsystems->count);
    }
    *out = plan;
    return true;
}

static void add_subsystem_queues(struct maker *maker, const struct sl_subsystem *subsystem)
{
    add_queue(maker, print(maker, "%s.parked", subsystem->queue), PARKED, NULL, 0);
    add_queue(maker, print(maker, "%s", subsystem->queue), WORK, NULL, 0);
    add_queue(maker, print(maker, "%s." SL_DELAY_REPLAY, subsystem->queue), WORK, NULL, 0);
    add_first_queues(maker, subsystem);
}

static void add_subsystem_bindings(struct maker *maker, const struct sl_subsystem *subsystem)
{
    const char *queue = print(maker, "%s", subsystem->queue);
    const char *parked = print(maker, "%s.parked", subsystem->queue);
    const char *name = print(maker, "%s", subsystem->name);

    /* One star per delay level, then the name: a fixed length, so that no name can match another's tail. */
    char stars[2 * SL_DELAY_LEVELS + 1] = "";
    for (size_t i = 0; i < SL_DELAY_LEVELS; i++) {
        memcpy(stars + 2 * i, "*.", 3);
    }
    add_binding(maker, SL_AMQP_BIND_QUEUE, parked, "sluice.parked", name);
    add_binding(maker, SL_AMQP_BIND_QUEUE, queue, "sluice.due", print(maker, "%s%s", stars, name));
    add_binding(maker, SL_AMQP_BIND_QUEUE, print(maker, "%s." SL_DELAY_REPLAY, subsystem->queue),
                "sluice.due", print(maker, "%s%s." SL_DELAY_REPLAY, stars, name));
    add_arrivals(maker, subsystem);
    for (size_t i = 0; i < subsystem->binding_count; i++) {
        add_binding(maker, SL_AMQP_BIND_QUEUE, queue, "sluice.due",
                    print(maker, "%s" SL_DELAY_EVENTS ".%s", stars, subsystem->bindings[i]));
    }
}

/* Events go to the queue of their delay, to the work queue when they have none; where types differ, by way of an exchange that sorts them. */
static void add_arrivals(struct maker *maker, const struct sl_subsystem *subsystem)
{
    enum sl_amqp_declare_kind kind = SL_AMQP_BIND_QUEUE;
    const char *destination =
        arrival_queue(maker, subsystem, sl_subsystem_delay_ms(subsystem, SL_SPAN_LITERAL("")));
    if (has_typed_delay(subsystem)) {
        add_sorting(maker, subsystem);
        kind = SL_AMQP_BIND_EXCHANGE;
        destination = print(maker, "%s.first", subsystem->queue);
    }
    for (size_t i = 0; i < subsystem->binding_count; i++) {
        add_binding(maker, kind, destination, "sluice.events",
                    print(maker, "%s", subsystem->bindings[i]));
    }
}

static bool has_typed_delay(const struct sl_subsystem *subsystem)
{
    for (size_t i = 0; i < subsystem->delays.count; i++) {
        if (subsystem->delays.items[i].type != NULL) {
            return true;
        }
    }
    return false;
}

/* One per length: two types that wait as long wait in the same. */
static void add_first_queues(struct maker *maker, const struct sl_subsystem *subsystem)
{
    for (size_t i = 0; i < subsystem->delays.count; i++) {
        int64_t wait_ms = sl_subsystem_first_wait_ms(subsystem, i);
        if (wait_ms > 0) {
            add_queue(maker, arrival_queue(maker, subsystem, wait_ms), FIRST, NULL, wait_ms);
        }
    }
}

/* The key is <source>.<type>, and a source has no dot. What no binding of the sorting exchange names goes by its alternate exchange. */
static void add_sorting(struct maker *maker, const struct sl_subsystem *subsystem)
{
    const char *sorting = print(maker, "%s.first", subsystem->queue);
    const char *rest = print(maker, "%s.rest", subsystem->queue);
    add_exchange(maker, rest, "fanout", "sluice.unrouted");
    add_exchange(maker, sorting, "topic", rest);
    add_binding(
        maker, SL_AMQP_BIND_QUEUE,
        arrival_queue(maker, subsystem, sl_subsystem_delay_ms(subsystem, SL_SPAN_LITERAL(""))),
        rest, "");
    for (size_t i = 0; i < subsystem->delays.count; i++) {
        const char *type = subsystem->delays.items[i].type;
        if (type != NULL) {
            add_binding(maker, SL_AMQP_BIND_QUEUE,
                        arrival_queue(maker, subsystem, subsystem->delays.items[i].wait_ms),
                        sorting, print(maker, "*.%s", type));
        }
    }
}

static const char *arrival_queue(struct maker *maker, const struct sl_subsystem *subsystem,
                                 int64_t wait_ms)
{
    return wait_ms == 0
               ? print(maker, "%s", subsystem->queue)
               : print(maker, "%s.first.%lld", subsystem->queue, (long long)(wait_ms / 1000));
}

static void add_delay_exchanges(struct maker *maker)
{
    for (unsigned level = 0; level < SL_DELAY_LEVELS; level++) {
        add_exchange(maker, delay_name(maker, level), "topic", "sluice.unrouted");
    }
}

static void add_delay_queues(struct maker *maker)
{
    for (unsigned level = 0; level < SL_DELAY_LEVELS; level++) {
        add_queue(maker, delay_name(maker, level), DELAY, lower_name(maker, level),
                  (INT64_C(1) << level) * 1000);
    }
}

/* A 1 at the level's place of the key waits in the level's queue; a 0 goes straight on. */
static void add_delay_bindings(struct maker *maker)
{
    for (unsigned level = 0; level < SL_DELAY_LEVELS; level++) {
        const char *name = delay_name(maker, level);
        add_binding(maker, SL_AMQP_BIND_QUEUE, name, name, delay_key(maker, level, "1"));
        add_binding(maker, SL_AMQP_BIND_EXCHANGE, lower_name(maker, level), name,
                    delay_key(maker, level, "0"));
    }
}

static const char *delay_name(struct maker *maker, unsigned level)
{
    return print(maker, "sluice.delay.%02u", level);
}

static const char *lower_name(struct maker *maker, unsigned level)
{
    return level == 0 ? "sluice.due" : delay_name(maker, level - 1);
}

/* Level 19 is the first word of the key: "*.*.1.#" with 19 - level stars. */
static const char *delay_key(struct maker *maker, unsigned level, const char *bit)
{
    char key[TEXT_BYTES_MAX + 1] = "";
    size_t used = 0;
    for (unsigned above = SL_DELAY_LEVELS - 1; above > level; above--) {
        used += (size_t)snprintf(key + used, sizeof key - used, "*.");
    }
    snprintf(key + used, sizeof key - used, "%s.#", bit);
    return print(maker, "%s", key);
}

static void add_exchange(struct maker *maker, const char *name, const char *type,
                         const char *alternate)
{
    struct ops_topology_step *step = add_step(maker);
    struct sl_amqp_header *arguments = sl_arena_array(maker->arena, 1, sizeof *arguments);
    if (step == NULL || arguments == NULL) {
        maker->failed = true;
        return;
    }
    step->declare =
        (struct sl_amqp_declare){ .kind = SL_AMQP_DECLARE_EXCHANGE, .name = name, .type = type };
    if (alternate != NULL) {
        arguments[0] =
            (struct sl_amqp_header){ .name = "alternate-exchange", .text = sl_span_of(alternate) };
        step->declare.arguments = arguments;
        step->declare.argument_count = 1;
    }
}

static void add_queue(struct maker *maker, const char *name, enum role role, const char *lower,
                      int64_t ttl_ms)
{
    struct ops_topology_step *step = add_step(maker);
    struct sl_amqp_header *arguments =
        sl_arena_array(maker->arena, ARGUMENTS_MAX, sizeof *arguments);
    if (step == NULL || arguments == NULL) {
        maker->failed = true;
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < SL_COUNT(argument_rows); i++) {
        const struct argument_row *row = &argument_rows[i];
        if (row->role == role) {
            SL_ASSERT(count + 1 < ARGUMENTS_MAX);
            arguments[count++] = (struct sl_amqp_header){
                .name = row->name,
                .text = sl_span_of(row->text == NULL ? NULL : expand(maker, row->text, lower)),
                .number = row->number,
            };
        }
    }
    if (role == DELAY || role == FIRST) {
        arguments[count++] = (struct sl_amqp_header){ .name = "x-message-ttl", .number = ttl_ms };
    }
    step->declare = (struct sl_amqp_declare){
        .kind = SL_AMQP_DECLARE_QUEUE, .name = name, .arguments = arguments, .argument_count = count
    };
}

static void add_binding(struct maker *maker, enum sl_amqp_declare_kind kind,
                        const char *destination, const char *source, const char *key)
{
    struct ops_topology_step *step = add_step(maker);
    if (step != NULL) {
        step->declare = (struct sl_amqp_declare){
            .kind = kind, .name = destination, .source = source, .routing_key = key
        };
    }
}

static struct ops_topology_step *add_step(struct maker *maker)
{
    if (maker->failed || maker->plan->count == OPS_TOPOLOGY_STEPS_MAX) {
        maker->failed = true;
        return NULL;
    }
    struct ops_topology_step *step = &maker->plan->steps[maker->plan->count++];
    step->subsystem = maker->subsystem;
    step->is_delay = maker->is_delay;
    return step;
}

static const char *expand(struct maker *maker, const char *text, const char *lower)
{
    if (strcmp(text, "{subsystem}") == 0) {
        SL_ASSERT(maker->subsystem != NULL);
        return print(maker, "%s", maker->subsystem);
    }
    if (strcmp(text, "{now}") == 0) {
        struct sl_delay_route route;
        sl_delay_route(0, maker->subsystem, &route);
        return print(maker, "%s", route.key);
    }
    if (strcmp(text, "{lower}") == 0) {
        SL_ASSERT(lower != NULL);
        return lower;
    }
    return text;
}

/* Never NULL, so that callers need not check; a failure is remembered. */
static const char *print(struct maker *maker, const char *fmt, ...)
{
    char text[TEXT_BYTES_MAX + 1];
    va_list args;
    va_start(args, fmt);
    int used = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (used < 0 || (size_t)used >= sizeof text) {
        maker->failed = true;
        return "";
    }
    struct sl_span copy = sl_arena_copy(maker->arena, sl_span_make(text, (size_t)used));
    if (copy.data == NULL) {
        maker->failed = true;
        return "";
    }
    return copy.data;
}

const char *ops_topology_kind(const struct sl_amqp_declare *declare)
{
    switch (declare->kind) {
    case SL_AMQP_DECLARE_EXCHANGE:
        return "exchange";
    case SL_AMQP_DECLARE_QUEUE:
        return "queue";
    case SL_AMQP_BIND_QUEUE:
    case SL_AMQP_BIND_EXCHANGE:
        return "binding";
    }
    return "?";
}
