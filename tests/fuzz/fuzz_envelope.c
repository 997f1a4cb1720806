/*
 * fuzz envelope - a message of any bytes: never a crash, never more memory than the limits allow, and what is accepted says the same when it is written again.
 */
#include <stdlib.h>

#include "shared/event/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sl_err err = { 0 };
    struct sl_envelope read = { 0 };
    struct sl_envelope again = { 0 };
    char *copy = malloc(bytes == 0 ? 1 : bytes);
    MUST(copy != NULL);
    memcpy(copy, data, bytes);
    if (!sl_envelope_decode(sl_span_make(copy, bytes), &read, &err)) {
        MUST(err.code == SL_E_EVENT_MALFORMED || err.code == SL_E_EVENT_VERSION);
        free(copy);
        return 0;
    }
    struct sl_buf out;
    sl_buf_init(&out, SL_ENVELOPE_BYTES_MAX);
    MUST(sl_envelope_encode(&read, &out, &err));
    MUST(sl_envelope_decode(sl_buf_span(&out), &again, &err));
    MUST(sl_span_eq(read.id, again.id) && sl_span_eq(read.source, again.source));
    MUST(sl_span_eq(read.type, again.type) && sl_span_eq(read.account, again.account));
    MUST(sl_span_eq(read.object, again.object) &&
         sl_span_eq(read.content_type, again.content_type));
    MUST(sl_span_eq(read.body, again.body) && read.livemode == again.livemode);
    MUST(read.occurred_at_s == again.occurred_at_s && read.received_at_us == again.received_at_us);
    MUST(read.deliver_at_s == again.deliver_at_s);
    sl_buf_done(&out);
    free(copy);
    return 0;
}
