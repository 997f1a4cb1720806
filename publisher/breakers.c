#include "publisher/breakers.h"

#include <stdlib.h>

#include "shared/clock.h"

#define TYPE_BYTES_MAX 256u

struct pub_breakers {
    struct pub_reader *reader;
    struct sl_timer *timer;
    struct pub_read read;
    int64_t seen_ms; /* the last answer; 0: none yet */
    size_t count;
    char types[PUB_BREAKERS_MAX][TYPE_BYTES_MAX];
};

static void on_timer(void *arg);
static void on_read(struct pub_read *read, struct sl_pg_result *const *results,
                    const struct sl_err *error);

/* Not prepared: a role that may not read this table can still serve the read API. */
static const struct sl_pg_step look = {
    .sql =
        "SELECT DISTINCT b ->> 'type' FROM sluice_consumer c, jsonb_array_elements(c.breakers) b "
        "WHERE c.seen_at > now() - interval '15 seconds' AND (b ->> 'refuse')::boolean LIMIT 64",
};

struct pub_breakers *pub_breakers_new(struct sl_loop *loop, struct pub_reader *reader,
                                      struct sl_err *err)
{
    SL_AUTO(pub_breakers_free) struct pub_breakers *breakers = calloc(1, sizeof *breakers);
    if (breakers != NULL) {
        breakers->reader = reader;
        breakers->read = (struct pub_read){
            .steps = &look, .step_count = 1, .arg = breakers, .on_done = on_read
        };
        breakers->timer = sl_timer_new(loop, on_timer, breakers);
    }
    if (breakers == NULL || breakers->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory to watch the breakers");
        return NULL;
    }
    sl_timer_arm(breakers->timer, 0);
    return SL_TAKE(breakers);
}

void pub_breakers_free(struct pub_breakers *breakers)
{
    if (breakers != NULL) {
        sl_timer_free(breakers->timer);
        free(breakers);
    }
}

bool pub_breakers_refuse(const struct pub_breakers *breakers, struct sl_span type)
{
    if (breakers == NULL || breakers->count == 0 ||
        sl_clock_mono_ms() - breakers->seen_ms > PUB_BREAKERS_STALE_MS) {
        return false;
    }
    for (size_t i = 0; i < breakers->count; i++) {
        if (sl_span_is(type, breakers->types[i])) {
            return true;
        }
    }
    return false;
}

static void on_timer(void *arg)
{
    struct pub_breakers *breakers = arg;
    struct sl_err err = { 0 };
    if (!pub_reader_run(breakers->reader, &breakers->read, &err)) {
        sl_timer_arm(breakers->timer, PUB_BREAKERS_LOOK_MS);
    }
}

/* An error is a database that is away, or a role without the right: what was seen last holds until it is stale. */
static void on_read(struct pub_read *read, struct sl_pg_result *const *results,
                    const struct sl_err *error)
{
    struct pub_breakers *breakers = read->arg;
    if (error == NULL) {
        size_t rows = sl_pg_rows(results[0]);
        breakers->count = 0;
        for (size_t i = 0; i < rows && breakers->count < PUB_BREAKERS_MAX; i++) {
            struct sl_span type = sl_pg_value(results[0], i, 0);
            if (type.data != NULL && type.bytes < TYPE_BYTES_MAX) {
                char *out = breakers->types[breakers->count++];
                memcpy(out, type.data, type.bytes);
                out[type.bytes] = '\0';
            }
        }
        breakers->seen_ms = sl_clock_mono_ms();
    }
    sl_timer_arm(breakers->timer, PUB_BREAKERS_LOOK_MS);
}
