/*
 * signed_sample - sample events of one run, each signed at the moment of sending and addressed to the publisher.
 *
 * What `sluice trigger` and `sluice gameday` send. A run has a name of its own, which every event's id holds: "evt_1S<name><ten digits>".
 * The signing secret is the publisher's own (ops/secrets.h), and is never shown.
 * Threads: one owner.
 */
#ifndef OPS_SIGNED_SAMPLE_H
#define OPS_SIGNED_SAMPLE_H

#include "ops/address.h"
#include "ops/trigger/sample.h"
#include "ops/trigger/volley.h"
#include "shared/digest.h"

#define OPS_SIGNED_FIELD_BYTES 160u

struct ops_signed_sample {
    char name[OPS_SAMPLE_RUN_BYTES + 1];
    struct ops_sample_book *book;
    struct sl_hmac_key *key; /* NULL until ops_signed_sample_key */
    struct sl_buf body;      /* the last event */
    char signature_field[OPS_SIGNED_FIELD_BYTES];
    const char *fields[4];
    uint64_t customer; /* whose story story_s is about */
    int64_t story_s;
};

/* Gives the run its name. Zeroed storage; release with ops_signed_sample_done, also after a failure. */
bool ops_signed_sample_init(struct ops_signed_sample *sample, struct sl_err *err) SL_MUST;
/* The secret to sign with: the file (may be NULL), else as the publisher has it. */
bool ops_signed_sample_key(struct ops_signed_sample *sample, const struct ops_address *address,
                           const char *secret_file, struct sl_err *err) SL_MUST;
/* A secret that nobody has, so that every event is refused. */
bool ops_signed_sample_bad_key(struct ops_signed_sample *sample, struct sl_err *err) SL_MUST;
void ops_signed_sample_done(struct ops_signed_sample *sample);

/* Leaves the i-th event (from 0) of the steps in sample->body. A customer's story ends now: its last event is as young as it can be. */
bool ops_signed_sample_write(struct ops_signed_sample *sample, size_t first_step, size_t step_count,
                             uint64_t i, struct sl_err *err) SL_MUST;
/* Signs what is in sample->body as of then. The shot borrows until the next call. */
bool ops_signed_sample_sign(struct ops_signed_sample *sample, int64_t at_s, struct ops_shot *out,
                            struct sl_err *err) SL_MUST;

/* Where webhooks go: the flag (may be NULL), else as ops_address_publisher. A URL with a path is meant as it is. */
#define OPS_WEBHOOK_URL_BYTES (OPS_URL_BYTES + sizeof OPS_WEBHOOK_PATH)
bool ops_webhook_url(const struct ops_address *address, const char *flag,
                     char out_url[OPS_WEBHOOK_URL_BYTES], struct sl_err *err) SL_MUST;

#endif
