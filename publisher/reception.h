/*
 * reception - who is let in: what webhook.c decides, and what a flood or a source's rate forbids, with the answer and the line that say so.
 *
 * In this order: draining; a client that floods (429, unseen); the signature (400); the source's rate (429), which only authentic events use up, so that a
 * stranger cannot spend it.
 * Refuses: a reason in the answer.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_RECEPTION_H
#define PUBLISHER_RECEPTION_H

#include "publisher/guard/flood.h"
#include "publisher/webhook.h"
#include "shared/http/http_server.h"
#include "shared/log.h"

struct pub_reception {
    struct sl_log *log; /* all borrowed */
    struct sl_metrics *metrics;
    struct pub_flood *flood;
    bool is_draining;
};

/* client: the address that counts (publisher/origin.h). True: authentic, and not answered yet. False: answered with *out_status. */
bool pub_reception_admit(struct pub_reception *reception, struct pub_source *source,
                         struct sl_span client, struct sl_http_request *request,
                         int *out_status) SL_MUST;

#endif
