/*
 * address - where the broker, the publisher and the consumer are.
 *
 * Order: flag, environment (and SLUICE_CONFIG file, and <NAME>_FILE), the running local stack, the default of a lone machine.
 * An address of the local stack is never mixed with a broker of elsewhere: the management interface is taken from where the broker was.
 * Refuses: printing a secret or a password.
 * Threads: one owner.
 */
#ifndef OPS_ADDRESS_H
#define OPS_ADDRESS_H

#include "ops/stack.h"
#include "shared/amqp/amqp_url.h"
#include "shared/config/conf.h"

#define OPS_URL_BYTES         512u
#define OPS_DEFAULT_PUBLISHER "http://127.0.0.1:8080"
#define OPS_DEFAULT_CONSUMER  "http://127.0.0.1:9464"
#define OPS_DEFAULT_STATE_DIR "/var/lib/sluice"
#define OPS_WEBHOOK_PATH      "/webhooks/stripe"

struct ops_settings {
#define SL_CONF SL_CONF_FIELD
#include "ops/config.def"
#undef SL_CONF
};

struct ops_address {
    struct ops_settings settings;
    struct ops_stack stack;
};

/* Reads environment and stack. Release with ops_address_done, also after a failure. */
bool ops_address_open(struct ops_address *address, struct sl_err *err) SL_MUST;
/* The same of what is right; the mistakes are appended. For who goes on in spite of them. */
void ops_address_read(struct ops_address *address, struct sl_buf *mistakes);
/* Accepts zeroed storage. */
void ops_address_done(struct ops_address *address);

/* Release with sl_amqp_url_done. SL_E_CONFIG when nobody named a broker, or wrongly; mistakes with its TLS go to stderr, as those of the rest do. */
bool ops_address_amqp(const struct ops_address *address, struct sl_amqp_url *out_url,
                      struct sl_err *err) SL_MUST;
/* Borrowed; NULL when there is none. */
const char *ops_address_api(const struct ops_address *address);
/* Base URLs without a trailing slash; flag may be NULL. */
bool ops_address_publisher(const struct ops_address *address, const char *flag,
                           char out_url[OPS_URL_BYTES], struct sl_err *err) SL_MUST;
bool ops_address_consumer(const struct ops_address *address, const char *flag,
                          char out_url[OPS_URL_BYTES], struct sl_err *err) SL_MUST;

/* Where the daemons of this machine keep their control sockets; flag may be NULL. Borrowed. */
const char *ops_address_state_dir(const struct ops_address *address, const char *flag);

/* "0.0.0.0:8080", ":8080" or "[::]:8080" as the URL that reaches it from here. False when it is no host:port. */
bool ops_address_from_listen(const char *listen, char out_url[OPS_URL_BYTES]);

#endif
