/*
 * dead_filter - which dead letters a command is about: flags in, SQL parameters out.
 *
 * Every condition is a parameter that may be absent; the SQL is one constant text (OPS_DEAD_WHERE), so that nothing a person types becomes SQL.
 * Times are RFC 3339, or a duration that counts back from now ("2h").
 * Threads: one owner.
 */
#ifndef OPS_DEAD_FILTER_H
#define OPS_DEAD_FILTER_H

#include "ops/flags.h"
#include "shared/clock.h"
#include "shared/pg/pg_link.h"

#define OPS_DEAD_FILTER_PARAMS 12u
#define OPS_DEAD_FILTER_FLAGS  12u

/* A condition on sluice_dead_letter d; takes the parameters $1 to $12 of ops_dead_filter_params. */
#define OPS_DEAD_WHERE                                                                             \
    "($1::text IS NULL OR d.subsystem = $1)"                                                       \
    " AND ($2::text IS NULL OR d.type = $2"                                                        \
    " OR (right($2, 1) = '*' AND starts_with(d.type, left($2, -1))))"                              \
    " AND ($3::text IS NULL OR d.event_id = $3)"                                                   \
    " AND ($4::text IS NULL OR d.object = $4)"                                                     \
    " AND ($5::text IS NULL OR d.error_class = $5)"                                                \
    " AND ($6::text IS NULL OR d.error_code = $6)"                                                 \
    " AND ($7::text IS NULL OR d.fingerprint = $7)"                                                \
    " AND ($8::text IS NULL OR d.created_at >= $8::text::timestamptz)"                             \
    " AND ($9::text IS NULL OR d.created_at < $9::text::timestamptz)"                              \
    " AND ($10::text IS NULL OR d.status = ANY (string_to_array($10, ',')))"                       \
    " AND ($11::text IS NULL OR d.id = $11::text::bigint)"                                         \
    " AND ($12::text IS NULL OR d.replay_run = $12)"

struct ops_dead_filter {
    const char *subsystem;
    const char *type; /* "invoice.*" is every type that begins so */
    const char *event;
    const char *object;
    const char *error_class;
    const char *error_code;
    const char *fingerprint;
    const char *since;
    const char *until;
    const char *status; /* a comma list; NULL: any */
    const char *id;
    const char *run;
    char since_text[SL_RFC3339_BYTES]; /* when the flag was a duration */
    char until_text[SL_RFC3339_BYTES];
};

/* The filter's rows of a command's flag table. */
void ops_dead_filter_flags(struct ops_dead_filter *filter,
                           struct ops_flag out_flags[OPS_DEAD_FILTER_FLAGS]);
/*
 * After the flags are read: times and numbers are made what SQL takes, a status is checked. word (may be NULL) is an argument of the command: a
 * letter's number, or an event's id. SL_E_USAGE for what cannot be.
 */
bool ops_dead_filter_finish(struct ops_dead_filter *filter, const char *word, int64_t wall_us,
                            struct sl_err *err) SL_MUST;
/* Something narrower than "all of them", the status aside. */
bool ops_dead_filter_is_narrow(const struct ops_dead_filter *filter);
/* Borrows from the filter. */
void ops_dead_filter_params(const struct ops_dead_filter *filter,
                            struct sl_pg_param out_params[OPS_DEAD_FILTER_PARAMS]);

#endif
