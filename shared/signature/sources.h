/*
 * sources - who may post webhooks, and how each of them signs.
 *
 * Decides only. Of each source: its scheme, the variable that holds its secrets, where in the body id, type, account, object and time are, and how many events a
 * second it may send. [stripe] is always there; a file (sources_read) may say more about it, and name others.
 * Law: what an event is comes from what is signed. Paths point into the body; a header field counts only when the scheme signs it. A header that
 * claims a type is compared with the body's, never believed.
 * Threads: read once at start.
 */
#ifndef SHARED_SOURCES_H
#define SHARED_SOURCES_H

#include "shared/buf.h"
#include "shared/signature/scheme.h"

#define SL_SOURCES_MAX       8u
#define SL_SOURCE_NAME_BYTES 32u
#define SL_SOURCE_PATH_BYTES 192u
#define SL_SOURCE_STRIPE     "stripe"
#define SL_SOURCE_INTERNAL                                                                         \
    "internal" /* events of our own programs (POST /api/v1/events); no section can have this name */
#define SL_SOURCE_PATH_DEPTH 8u

/* How the type is read from a body that does not name it. */
enum sl_body_shape { SL_SHAPE_NONE, SL_SHAPE_GITHUB, SL_SHAPE_SHOPIFY };

/* Paths such as "data.object.id"; several separated by commas: the first that is there. "": the source has no such fact. */
struct sl_fact_rules {
    char id[SL_SOURCE_PATH_BYTES]; /* "": the id that the scheme signs, else the body's SHA-256 */
    char type[SL_SOURCE_PATH_BYTES];
    char type_rest[SL_SOURCE_PATH_BYTES]; /* type of a body that names none; "": "unparsed" */
    char account[SL_SOURCE_PATH_BYTES];
    char object[SL_SOURCE_PATH_BYTES];
    char occurred_at[SL_SOURCE_PATH_BYTES]; /* seconds, milliseconds, or RFC 3339 */
    char livemode[SL_SOURCE_PATH_BYTES];    /* "": not told apart, everything is live */
    enum sl_body_shape shape;
    const char *claim_header; /* unsigned, compared with the type only; NULL: none */
    unsigned depth;           /* levels of the body that the paths reach */
};

struct sl_source {
    char name
        [SL_SOURCE_NAME_BYTES]; /* [a-z][a-z0-9_-]*: /webhooks/{name}, first word of the routing key, label of metrics */
    bool enabled;
    struct sl_scheme scheme;
    struct sl_fact_rules facts;
    char secret_name[80]; /* the variable with its signing secrets */
    int64_t tolerance_ms; /* 0: not said */
    int64_t rate;         /* events a second; 0: no limit */
    int64_t burst;        /* events at once; at least 1 with a rate */
    size_t line;          /* of its section; 0: implied */
};

struct sl_sources {
    struct sl_source items[SL_SOURCES_MAX];
    size_t count; /* at least 1: stripe, which comes first unless the file says otherwise */
};

/* Only [stripe], as it is without a file. */
void sl_sources_default(struct sl_sources *out);
/* A section that says nothing yet: its name is its scheme, when there is one of that name; else scheme.name is NULL. */
void sl_source_init(struct sl_source *source, struct sl_span name, size_t line);
/* Where the bodies of the source's scheme have their facts. */
void sl_source_take_preset(struct sl_source *source);
/* Levels of a body that the paths reach. */
unsigned sl_fact_rules_depth(const struct sl_fact_rules *facts);
/* NULL when there is none of that name. */
const struct sl_source *sl_sources_find(const struct sl_sources *sources, struct sl_span name);
/* The same senders, in the same order, who sign and speak alike. Where a section stands in the file does not matter. */
bool sl_sources_equal(const struct sl_sources *a, const struct sl_sources *b);
/* [a-z][a-z0-9_-]{0,30} */
bool sl_source_is_name(struct sl_span name);

#endif
