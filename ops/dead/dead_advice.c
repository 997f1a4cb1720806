#include "ops/dead/dead_advice.h"

#include "shared/scope.h"

/* The first row that fits; an SQLSTATE is matched by its beginning. */
static const struct {
    const char *reason;      /* NULL: any */
    const char *error_class; /* NULL: any */
    const char *code_start;  /* "": any */
    const char *advice;
} rows[] = {
    { NULL, "parked by operator", "",
      "an operator parked it: see the notes; when the reason is gone, unpark and replay it" },
    { "unrouted", NULL, "",
      "no queue was bound to its routing key: enable a subsystem for it, run `sluice topology apply`, then replay it" },
    { "version", NULL, "", "a newer publisher wrote it: upgrade the consumer, then replay it" },
    { "undecodable", NULL, "",
      "it is no envelope, so something else publishes to our exchange: find that program; discard the letter" },
    { NULL, "crash", "",
      "it ended the consumer again and again: keep it (`sluice dead export`), report it, upgrade, then replay it" },
    { NULL, NULL, "23503",
      "the row it refers to was not there: when that row exists now, replay it" },
    { NULL, NULL, "23505",
      "a row with the same key exists: find out which of the two is right before a replay" },
    { NULL, NULL, "23",
      "a constraint of the table refuses it: correct the data or the constraint, then replay it" },
    { NULL, NULL, "22",
      "a value does not fit its column or type: look at --payload, widen the column or correct the handler, then replay it" },
    { NULL, NULL, "P0",
      "the handler's own code raised it: read the error, correct the handler or the data, then replay it" },
    { NULL, "permanent", "",
      "it can never be applied as it is: correct the handler or the data, then replay it, or discard it with a reason" },
};

static bool begins(struct sl_span text, const char *start);

const char *ops_dead_advice(struct sl_span reason, struct sl_span error_class,
                            struct sl_span error_code)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        if ((rows[i].reason == NULL || sl_span_is(reason, rows[i].reason)) &&
            (rows[i].error_class == NULL || sl_span_is(error_class, rows[i].error_class)) &&
            begins(error_code, rows[i].code_start)) {
            return rows[i].advice;
        }
    }
    return "every attempt failed: read the error and the history, fix the cause, then replay it";
}

static bool begins(struct sl_span text, const char *start)
{
    return *start == '\0' || (text.data != NULL && sl_span_starts_with(text, start));
}
