#include "ops/topology/topology_drift.h"

#include <stdio.h>

#include "shared/units.h"

#define NUMBER_DIGITS_MAX 18u

static bool skip_past(struct sl_span *rest, const char *word);
static bool take_quoted(struct sl_span *rest, char out[OPS_DRIFT_TEXT_BYTES]);
static bool take_value(struct sl_span *rest, char out[OPS_DRIFT_TEXT_BYTES]);
static bool is_argument(const char *name);

bool ops_drift_parse(struct sl_span text, struct ops_drift *out)
{
    struct ops_drift drift = { 0 };
    struct sl_span rest = text;
    bool found = skip_past(&rest, "inequivalent arg ") && take_quoted(&rest, drift.argument) &&
                 skip_past(&rest, "received ") && take_value(&rest, drift.wanted) &&
                 skip_past(&rest, "current is ") && take_value(&rest, drift.current);
    if (found) {
        *out = drift;
    }
    return found;
}

static bool skip_past(struct sl_span *rest, const char *word)
{
    const char *found = memmem(rest->data, rest->bytes, word, strlen(word));
    if (found == NULL) {
        return false;
    }
    size_t skipped = (size_t)(found - rest->data) + strlen(word);
    *rest = sl_span_make(rest->data + skipped, rest->bytes - skipped);
    return true;
}

static bool take_quoted(struct sl_span *rest, char out[OPS_DRIFT_TEXT_BYTES])
{
    if (rest->bytes == 0 || rest->data[0] != '\'') {
        return false;
    }
    const char *end = memchr(rest->data + 1, '\'', rest->bytes - 1);
    if (end == NULL) {
        return false;
    }
    snprintf(out, OPS_DRIFT_TEXT_BYTES, "%.*s", (int)(end - rest->data - 1), rest->data + 1);
    size_t used = (size_t)(end - rest->data) + 1;
    *rest = sl_span_make(rest->data + used, rest->bytes - used);
    return true;
}

static bool take_value(struct sl_span *rest, char out[OPS_DRIFT_TEXT_BYTES])
{
    if (sl_span_starts_with(*rest, "none")) {
        out[0] = '\0';
        return true;
    }
    if (sl_span_starts_with(*rest, "the value ") && !skip_past(rest, "the value ")) {
        return false;
    }
    return take_quoted(rest, out);
}

bool ops_drift_concede(const struct sl_amqp_declare *declare, const struct ops_drift *drift,
                       struct sl_amqp_header *arguments, struct sl_amqp_declare *out)
{
    *out = *declare;
    if (strcmp(drift->argument, "type") == 0 && declare->kind == SL_AMQP_DECLARE_EXCHANGE) {
        out->type = drift->current;
        return true;
    }
    if (!is_argument(drift->argument)) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < declare->argument_count; i++) {
        if (strcmp(declare->arguments[i].name, drift->argument) != 0) {
            arguments[count++] = declare->arguments[i];
        }
    }
    if (drift->current[0] != '\0') {
        int64_t number = 0;
        bool is_number = sl_units_decimal(sl_span_of(drift->current), NUMBER_DIGITS_MAX, &number);
        arguments[count++] = (struct sl_amqp_header){
            .name = drift->argument,
            .text = is_number ? (struct sl_span){ 0 } : sl_span_of(drift->current),
            .number = number,
        };
    }
    out->arguments = arguments;
    out->argument_count = count;
    return true;
}

static bool is_argument(const char *name)
{
    return strncmp(name, "x-", 2) == 0 || strcmp(name, "alternate-exchange") == 0;
}
