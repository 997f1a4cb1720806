/*
 * targets - where a section's POSTs go and how they are signed: its URLs and secrets, taken from the file and the environment.
 *
 * The file names variables; their values (or what <NAME>_FILE holds) are read once at start. A variable that is not set, a URL that cannot be called and a
 * secret that cannot sign are mistakes like any other. Two secrets, separated by a comma, both sign: for rotation.
 * Threads: read at start, const afterwards, but for the keys: each belongs to one loop.
 */
#ifndef CONSUMER_TARGETS_H
#define CONSUMER_TARGETS_H

#include "shared/config/conf.h"
#include "shared/signature/scheme.h"
#include "shared/subsystem/subsystem.h"

#define CON_TARGET_KEYS_MAX 2u

struct con_target {
    char *url;      /* of handler http; NULL: another handler */
    char *dead_url; /* of on-dead; NULL: none */
    char *trip_url; /* of on-trip; NULL: none */
    struct sl_scheme scheme;
    struct sl_hmac_key *keys[CON_TARGET_KEYS_MAX];
    size_t key_count; /* 0: the token is all */
    char *bearer;     /* the whole value of Authorization, for url; wiped; NULL: none */
};

void con_target_read(struct con_target *target, const struct sl_subsystem *subsystem,
                     const struct sl_conf_source *source, struct sl_buf *mistakes);
/* Wipes. Accepts zeroed storage. */
void con_target_done(struct con_target *target);

#endif
