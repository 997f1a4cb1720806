/*
 * value_rules - what a configuration value looks like: a test or a live key, a placeholder, a token that is one.
 *
 * Decides only. Texts never repeat the value.
 * Threads: no state.
 */
#ifndef OPS_DOCTOR_VALUE_RULES_H
#define OPS_DOCTOR_VALUE_RULES_H

#include <stdbool.h>

#include "shared/span.h"

enum ops_key_mode { OPS_KEY_NONE, OPS_KEY_TEST, OPS_KEY_LIVE, OPS_KEY_STRANGE };

/* Of a key of Stripe's, by its prefix; NULL or "": NONE. */
enum ops_key_mode ops_key_mode(const char *key);
const char *ops_key_mode_name(enum ops_key_mode mode);

/* "production", "prod", "live", in any case, also before or after a '-' or '_'. NULL: not. */
bool ops_is_production(const char *environment);

/* "is a placeholder: …" for what people leave to be filled in; NULL when it looks like a value. */
const char *ops_placeholder(struct sl_span value);

/* Why a bearer token must not be used; NULL when it is fine. Law: publisher/guard/tokens.h. */
const char *ops_token_objection(struct sl_span token);

/* A name or address of this machine. */
bool ops_is_loopback(const char *host);

#endif
