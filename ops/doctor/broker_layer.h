/*
 * broker_layer - between this machine and a confirmed publish: the layers, in the order in which they are met, and what to do about each.
 *
 * Decides only. Threads: no state.
 */
#ifndef OPS_BROKER_LAYER_H
#define OPS_BROKER_LAYER_H

#include "shared/err.h"

enum ops_layer {
    OPS_LAYER_DNS,
    OPS_LAYER_TCP,
    OPS_LAYER_TLS,
    OPS_LAYER_HEADER, /* somebody answers: is it AMQP 0-9-1? */
    OPS_LAYER_LOGIN,
    OPS_LAYER_VHOST,
    OPS_LAYER_EXCHANGE,
    OPS_LAYER_PUBLISH,
    OPS_LAYERS
};

const char *ops_layer_name(enum ops_layer layer);
/* What to do when it is the first that fails. */
const char *ops_layer_remedy(enum ops_layer layer);
/* At which layer an attempt to connect ended, by the error that amqp_link gave it: its code, and the step in brackets at its end. */
enum ops_layer ops_layer_of(const struct sl_err *why);

#endif
