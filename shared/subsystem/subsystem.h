/*
 * subsystem - one section of the subsystems file: what a consumer is told about one kind of work.
 *
 * Plain data. Texts belong to the struct sl_subsystems that holds the section, and are never NULL unless said.
 * Law: shared/subsystem/subsystem_keys.def; compose/subsystems.conf explains the keys to people.
 * Threads: read once at start, const afterwards.
 */
#ifndef SHARED_SUBSYSTEM_H
#define SHARED_SUBSYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"

#define SL_SUBSYSTEM_NAME_BYTES      64u
#define SL_SUBSYSTEM_BINDINGS_MAX    16u
#define SL_SUBSYSTEM_BINDING_BYTES   128u
#define SL_SUBSYSTEM_DELAYS_MAX      16u
#define SL_SUBSYSTEM_RULES_MAX       64u
#define SL_SUBSYSTEM_HTTP_BATCH_MAX  64u /* requests at once; each is a socket */
#define SL_SUBSYSTEM_URL_BYTES_MAX   512u
#define SL_SUBSYSTEM_TEXT_BYTES_MAX  256u
#define SL_SUBSYSTEM_QUERY_BYTES_MAX 4096u

enum sl_handler { SL_HANDLER_BILLING, SL_HANDLER_SQL, SL_HANDLER_HTTP };
enum sl_severity { SL_SEVERITY_INFO, SL_SEVERITY_WARNING, SL_SEVERITY_CRITICAL };
enum sl_subsystem_class { SL_CLASS_REALTIME, SL_CLASS_BACKFILL };

/* One id per row of subsystem_keys.def, such as SL_SUBSYSTEM_SAYS_attempts. */
#define SL_SUBSYSTEM_KEY(name, field, ...) SL_SUBSYSTEM_SAYS_##field,
enum sl_subsystem_says {
#include "shared/subsystem/subsystem_keys.def"
    SL_SUBSYSTEM_KEYS /* how many */
};
#undef SL_SUBSYSTEM_KEY
_Static_assert(SL_SUBSYSTEM_KEYS <= 64, "one bit per key");

/* A place that is called over HTTP. */
struct sl_subsystem_url {
    const char *text; /* NULL: none. A URL, or the name of the variable that holds it */
    bool is_variable;
};

struct sl_subsystem_delays {
    struct {
        const char *type; /* of the event; NULL: every type that has no delay of its own */
        int64_t wait_ms;  /* whole seconds; 0: none */
    } items[SL_SUBSYSTEM_DELAYS_MAX];
    size_t count;
};

enum sl_call_kind { SL_CALL_NONE, SL_CALL_HTTP, SL_CALL_SQL, SL_CALL_SENTRY };

/* on-dead and on-trip. */
struct sl_subsystem_call {
    enum sl_call_kind kind;
    struct sl_subsystem_url url; /* HTTP */
    const char *function;        /* SQL */
};

struct sl_subsystem_keep {
    int64_t count;  /* the newest so many, and */
    int64_t age_ms; /* those younger than this */
};

/* What a code means that a handler's target gave, when the usual rules would say otherwise. */
enum sl_rule_verdict {
    SL_RULE_DONE,      /* as if it had succeeded */
    SL_RULE_RETRY,     /* this event may pass later: costs an attempt */
    SL_RULE_PERMANENT, /* this event never passes */
    SL_RULE_SYSTEMIC,  /* nobody's event is at fault: wait, cost no attempt */
    SL_RULE_HALT,      /* a person must act first: cost no attempt */
};
struct sl_subsystem_rule {
    const char *code;       /* http: "code" of the reply; sql: SQLSTATE */
    const char *resolution; /* what a person does about it; "" when nothing is said */
    enum sl_rule_verdict verdict;
};

struct sl_subsystem {
    char name[SL_SUBSYSTEM_NAME_BYTES]; /* [a-z][a-z0-9-]*; the queue is "sluice." + name */
    char queue[SL_SUBSYSTEM_NAME_BYTES + 8];
    char replay_queue[SL_SUBSYSTEM_NAME_BYTES + 16]; /* queue + ".replay" */
    uint64_t said; /* bit per enum sl_subsystem_says: the section says it, it is not the default */
    bool enabled;
    const char *enabled_by; /* the environment variable that decides it; NULL: none */
    enum sl_handler handler;
    char bindings[SL_SUBSYSTEM_BINDINGS_MAX]
                 [SL_SUBSYSTEM_BINDING_BYTES]; /* topic patterns on sluice.events */
    size_t binding_count;

    const char *function; /* sql: [schema.]name; else NULL */
    struct sl_subsystem_url url;
    const char *secret; /* name of an environment variable; NULL: none */
    const char *bearer; /* likewise; goes to url only */
    int64_t timeout_ms;
    struct sl_subsystem_rule *rules; /* errors.CODE, in the order of the file */
    size_t rule_count;

    uint16_t batch;
    uint16_t prefetch;
    uint16_t replay_prefetch;
    uint16_t workers;
    uint16_t attempts;
    int64_t backoff_ms;
    int64_t backoff_max_ms;
    struct sl_subsystem_delays delays;

    uint16_t breaker_ratio; /* percent */
    uint16_t breaker_samples;
    uint16_t breaker_consecutive;
    int64_t breaker_window_ms;
    int64_t breaker_probe_ms;
    bool refuse_when_open;
    struct sl_subsystem_call on_trip; /* NONE, HTTP or SENTRY */
    struct sl_subsystem_call on_dead; /* NONE, HTTP or SQL */

    const char *owner;
    const char *impact;
    enum sl_severity severity;
    enum sl_subsystem_class class;
    bool fail_loud;
    bool critical;
    int64_t keep_done_ms;
    struct sl_subsystem_keep keep_failed;
    const char *requeue_query; /* "" when there is none */
};

/* "info", "warning" or "critical". */
const char *sl_subsystem_severity_name(enum sl_severity severity);

const char *sl_handler_name(enum sl_handler handler);
const char *sl_rule_verdict_name(enum sl_rule_verdict verdict);

static inline bool sl_subsystem_says(const struct sl_subsystem *subsystem,
                                     enum sl_subsystem_says key)
{
    return (subsystem->said >> key & 1u) != 0;
}

/* True when one of its bindings takes the key under which events of this source and type are published. */
bool sl_subsystem_takes(const struct sl_subsystem *subsystem, struct sl_span source,
                        struct sl_span type);
/* What is wrong with a URL that is to be called; NULL when nothing is. */
const char *sl_subsystem_url_fault(struct sl_span url);
/* Wait before the first try of an event of this type. */
int64_t sl_subsystem_delay_ms(const struct sl_subsystem *subsystem, struct sl_span type);
/* Of the queue where the events of delays.items[i] wait before their first try; 0: they do not, or an earlier item has the same queue. */
int64_t sl_subsystem_first_wait_ms(const struct sl_subsystem *subsystem, size_t i);
/* NULL when the section says nothing about this code. */
const struct sl_subsystem_rule *sl_subsystem_rule_find(const struct sl_subsystem *subsystem,
                                                       struct sl_span code);
/* The section with every value that holds, in the form of the file: first what it says, then the defaults. */
void sl_subsystem_tell(const struct sl_subsystem *subsystem, struct sl_buf *out);

#endif
