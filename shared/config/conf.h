/*
 * conf - configuration as data: what conf_source has under a key's name, else its fallback, into the program's struct.
 *
 * A program lists its keys in <program>/config.def; struct, parser, range check and help come from that list:
 *
 *     SL_CONF(confirm_timeout, DURATION, .env = "SLUICE_CONFIRM_TIMEOUT", .fallback = "2s",
 *             .min = "10ms", .max = "4s", .help = "longest wait for a publisher confirm")
 *
 * Every mistake is appended to one buffer, so that a start fails once with all of them. <NAME>_FILE reads the value of a TEXT
 * or SECRET key from a file.
 * Refuses: bare numbers where a unit is needed; printing a secret.
 * Threads: read once at start; the result is const for everyone else.
 */
#ifndef SHARED_CONF_H
#define SHARED_CONF_H

#include "shared/config/conf_source.h"

enum sl_conf_type {
    SL_CONF_TEXT,     /* char *, owned; NULL when unset */
    SL_CONF_SECRET,   /* char *, owned, wiped; never printed; NULL when unset */
    SL_CONF_DURATION, /* int64_t milliseconds */
    SL_CONF_SIZE,     /* int64_t bytes */
    SL_CONF_INT,      /* int64_t */
    SL_CONF_BOOL,     /* bool: true|false|1|0|yes|no|on|off */
    SL_CONF_CHOICE,   /* int: index into the words of .choices */
};

#define SL_CONF_C_TEXT     char *
#define SL_CONF_C_SECRET   char *
#define SL_CONF_C_DURATION int64_t
#define SL_CONF_C_SIZE     int64_t
#define SL_CONF_C_INT      int64_t
#define SL_CONF_C_BOOL     bool
#define SL_CONF_C_CHOICE   int

/* `#define SL_CONF SL_CONF_FIELD` before including a .def declares the struct's fields. */
#define SL_CONF_FIELD(field, TYPE, ...) SL_CONF_C_##TYPE field;
/* `#define SL_CONF(f, T, ...) SL_CONF_ROW(struct x, f, T, __VA_ARGS__)` makes the table. */
#define SL_CONF_ROW(holder, field, TYPE, ...)                                                      \
    { .offset = offsetof(holder, field), .type = SL_CONF_##TYPE, __VA_ARGS__ },

struct sl_conf_key {
    size_t offset; /* of the field in the program's struct */
    enum sl_conf_type type;
    const char *env;      /* name in the environment and in the file */
    const char *fallback; /* NULL: unset (text), zero (others) */
    const char *min;      /* written like a value; NULL: no bound */
    const char *max;
    const char *choices; /* CHOICE: words separated by '|' */
    const char *help;
    bool required;
};

/* Fills the struct at `out`. Appends "NAME: what is wrong and what is expected\n" per mistake. */
void sl_conf_read(const struct sl_conf_key *keys, size_t count, const struct sl_conf_source *source,
                  void *out, struct sl_buf *mistakes);
/* Frees and wipes what sl_conf_read allocated; accepts a zeroed struct. */
void sl_conf_done(const struct sl_conf_key *keys, size_t count, void *holder);

/* Whether two structs that sl_conf_read filled hold different values for a key. */
bool sl_conf_differs(const struct sl_conf_key *key, const void *a, const void *b);
/* Each struct gets the other's value for a key. */
void sl_conf_swap(const struct sl_conf_key *key, void *a, void *b);

/*
 * The value of a secret whose name is itself a value, or what is in the file that <NAME>_FILE names. A copy, which the caller wipes and frees; NULL when
 * it is unset, or after a mistake was said.
 */
char *sl_conf_secret(const struct sl_conf_source *source, const char *name,
                     struct sl_buf *mistakes) SL_MUST;

/* Appends the table of keys for --help. */
void sl_conf_help(const struct sl_conf_key *keys, size_t count, struct sl_buf *out);

/* err gets every mistake ("configuration: N mistakes"), the full list goes to stderr. False when there is any. */
bool sl_conf_verdict(const struct sl_buf *mistakes, struct sl_err *err) SL_MUST;

#endif
