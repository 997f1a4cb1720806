/*
 * subsystem_values - the kinds of value a key of the subsystems file can have: how each is read, and how it is said.
 *
 * Decides only. What a kind says, it reads back to the same value.
 * Threads: one struct has one owner.
 */
#ifndef SHARED_SUBSYSTEM_VALUES_H
#define SHARED_SUBSYSTEM_VALUES_H

#include "shared/arena.h"
#include "shared/subsystem/subsystem.h"

enum sl_value_kind {
    SL_VALUE_BOOL,     /* bool: true or false */
    SL_VALUE_SWITCH,   /* the same, or $NAME: true while that variable is set */
    SL_VALUE_NUMBER,   /* uint16_t */
    SL_VALUE_PERCENT,  /* uint16_t: 10% */
    SL_VALUE_DURATION, /* int64_t milliseconds: 5s */
    SL_VALUE_TEXT,     /* const char * */
    SL_VALUE_HANDLER,  /* enum, as the next two */
    SL_VALUE_SEVERITY,
    SL_VALUE_CLASS,
    SL_VALUE_BINDINGS,
    SL_VALUE_DELAYS,
    SL_VALUE_KEEP,
    SL_VALUE_FUNCTION, /* const char *: [schema.]name */
    SL_VALUE_URL,
    SL_VALUE_VARIABLE, /* const char *: name of an environment variable */
    SL_VALUE_ON_TRIP,
    SL_VALUE_ON_DEAD,
    SL_VALUE_QUERY, /* const char *: one SELECT */
};

struct sl_value_key {
    const char *name;
    size_t offset; /* of the field in struct sl_subsystem */
    enum sl_value_kind kind;
    unsigned handlers;    /* bit per enum sl_handler that takes it */
    const char *fallback; /* as the file would say it; NULL: there is none */
    int64_t least;
    int64_t most;
    const char *help;
};

/* Where a value is, for its mistakes. */
struct sl_value_place {
    const char *file;
    size_t line;
    const char *section;
    struct sl_arena *texts; /* owns what the values point to */
    struct sl_buf *mistakes;
};

extern const struct sl_value_key sl_value_keys[SL_SUBSYSTEM_KEYS];

/* False after a mistake was said; the field is then as it was. */
bool sl_value_read(const struct sl_value_place *place, const struct sl_value_key *key,
                   struct sl_span value, struct sl_subsystem *subsystem);
/* The value as the file would say it. */
void sl_value_tell(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                   struct sl_buf *out);

/* `errors.CODE = verdict: what to do`. */
bool sl_value_read_rule(const struct sl_value_place *place, struct sl_span code,
                        struct sl_span value, struct sl_subsystem *subsystem);

/* Says "file:line: [section] what: …". Always false, so that a reader can return it. */
bool sl_value_mistake(const struct sl_value_place *place, const char *what, const char *fmt, ...)
    SL_PRINTF(3, 4);

/* The readers and tellers that have a file of their own. */
bool sl_value_read_bindings(const struct sl_value_place *place, const struct sl_value_key *key,
                            struct sl_span value, struct sl_subsystem *subsystem);
void sl_value_tell_bindings(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                            struct sl_buf *out);
bool sl_value_read_delays(const struct sl_value_place *place, const struct sl_value_key *key,
                          struct sl_span value, struct sl_subsystem *subsystem);
void sl_value_tell_delays(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                          struct sl_buf *out);
bool sl_value_read_function(const struct sl_value_place *place, const struct sl_value_key *key,
                            struct sl_span value, struct sl_subsystem *subsystem);
bool sl_value_read_url(const struct sl_value_place *place, const struct sl_value_key *key,
                       struct sl_span value, struct sl_subsystem *subsystem);
void sl_value_tell_url(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                       struct sl_buf *out);
bool sl_value_read_switch(const struct sl_value_place *place, const struct sl_value_key *key,
                          struct sl_span value, struct sl_subsystem *subsystem);
void sl_value_tell_switch(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                          struct sl_buf *out);
bool sl_value_read_variable(const struct sl_value_place *place, const struct sl_value_key *key,
                            struct sl_span value, struct sl_subsystem *subsystem);
bool sl_value_read_call(const struct sl_value_place *place, const struct sl_value_key *key,
                        struct sl_span value, struct sl_subsystem *subsystem);
void sl_value_tell_call(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                        struct sl_buf *out);
bool sl_value_read_query(const struct sl_value_place *place, const struct sl_value_key *key,
                         struct sl_span value, struct sl_subsystem *subsystem);

#endif
