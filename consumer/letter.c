#include "consumer/letter.h"

#include "consumer/delivery.h"
#include "consumer/departure.h"
#include "consumer/text.h"
#include "shared/pg/pg_array.h"

#define TEXT_BYTES_MAX 255u

static bool read_origin(const struct sl_amqp_delivery *delivery, struct con_letter *letter,
                        struct sl_arena *arena);
static void read_failure(const struct sl_amqp_delivery *delivery, struct con_letter *letter);
static void read_broker_failure(const struct sl_amqp_delivery *delivery, struct con_letter *letter);
static struct sl_span reason_of(struct sl_span error_class);
static bool copy_texts(struct con_letter *letter, struct sl_arena *arena);
static struct sl_span event_text(const struct con_letter *letter, struct sl_span text, bool bare);
static void put_column(struct sl_pg_array *array, size_t column, const struct con_letter *letter,
                       bool bare);

struct con_letter *con_letter_read(const struct sl_amqp_delivery *delivery, struct sl_arena *arena)
{
    struct con_letter *letter = sl_arena_alloc(arena, sizeof *letter);
    if (letter == NULL) {
        return NULL;
    }
    letter->tag = delivery->tag;
    letter->bytes = sl_arena_copy(arena, delivery->message.body);
    if (letter->bytes.data == NULL || !sl_sha256(letter->bytes, letter->sha256)) {
        return NULL;
    }
    struct sl_err why;
    letter->has_event = sl_envelope_decode(letter->bytes, &letter->event, &why);
    if (!read_origin(delivery, letter, arena) || !copy_texts(letter, arena)) {
        return NULL;
    }
    con_fingerprint(letter->error_class, letter->error_code,
                    letter->has_event ? letter->event.type : (struct sl_span){ 0 }, letter->error,
                    letter->fingerprint);
    return letter;
}

/* Texts still borrow from the delivery; copy_texts ends that. */
static bool read_origin(const struct sl_amqp_delivery *delivery, struct con_letter *letter,
                        struct sl_arena *arena)
{
    letter->attempts = con_delivery_number(delivery, "sluice-attempt");
    letter->first_failed_ms = con_delivery_number(delivery, "sluice-first-failed-at");
    letter->replay_run = con_delivery_text(delivery, "sluice-replay-run");
    letter->routing_key = con_delivery_text(delivery, "sluice-orig-key");
    if (strcmp(delivery->message.exchange, CON_PARKED_EXCHANGE) == 0) {
        letter->subsystem = delivery->message.routing_key;
        read_failure(delivery, letter);
    } else {
        letter->subsystem = SL_SPAN_LITERAL(CON_UNROUTED_NAME);
        letter->reason = SL_SPAN_LITERAL("unrouted");
        letter->error_class = SL_SPAN_LITERAL("unrouted");
        letter->error_code = SL_SPAN_LITERAL("amqp.unrouted");
        letter->error = SL_SPAN_LITERAL("no queue is bound to its routing key");
        letter->routing_key = delivery->message.routing_key;
    }
    letter->subsystem = con_text_clean(arena, letter->subsystem, TEXT_BYTES_MAX);
    return letter->subsystem.data != NULL;
}

static void read_failure(const struct sl_amqp_delivery *delivery, struct con_letter *letter)
{
    letter->error_class = con_delivery_text(delivery, "sluice-error-class");
    if (letter->error_class.data == NULL) {
        read_broker_failure(delivery, letter);
        return;
    }
    letter->reason = reason_of(letter->error_class);
    letter->error_code = con_delivery_text(delivery, "sluice-error-code");
    letter->error = con_delivery_text(delivery, "sluice-error");
}

/* A message that killed its consumer again and again, or that somebody else parked. */
static void read_broker_failure(const struct sl_amqp_delivery *delivery, struct con_letter *letter)
{
    letter->reason = SL_SPAN_LITERAL("exhausted");
    letter->error_class = SL_SPAN_LITERAL("crash");
    letter->error_code = con_delivery_text(delivery, "x-first-death-reason");
    letter->error = sl_span_is(letter->error_code, "delivery_limit")
                        ? SL_SPAN_LITERAL("the broker gave it up: delivered too often without an "
                                          "acknowledgement")
                        : SL_SPAN_LITERAL("the broker gave it up");
}

static struct sl_span reason_of(struct sl_span error_class)
{
    static const struct {
        const char *error_class;
        struct sl_span reason;
    } reasons[] = {
        { "decode", { "undecodable", sizeof "undecodable" - 1 } },
        { "version", { "version", sizeof "version" - 1 } },
        { "crash", { "crash", sizeof "crash" - 1 } },
        { "item", { "exhausted", sizeof "exhausted" - 1 } },
        { "permanent", { "permanent", sizeof "permanent" - 1 } },
        { CON_CLASS_PARKED, { "parked", sizeof "parked" - 1 } },
    };
    for (size_t i = 0; i < SL_COUNT(reasons); i++) {
        if (sl_span_is(error_class, reasons[i].error_class)) {
            return reasons[i].reason;
        }
    }
    return SL_SPAN_LITERAL("exhausted");
}

static bool copy_texts(struct con_letter *letter, struct sl_arena *arena)
{
    struct sl_span *const texts[] = { &letter->error_class, &letter->error_code, &letter->error,
                                      &letter->routing_key, &letter->replay_run };
    const size_t bytes_max[] = { TEXT_BYTES_MAX, TEXT_BYTES_MAX, CON_ERROR_BYTES_MAX,
                                 TEXT_BYTES_MAX, TEXT_BYTES_MAX };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        if (texts[i]->data == NULL) {
            continue;
        }
        struct sl_span clean = con_text_clean(arena, *texts[i], bytes_max[i]);
        *texts[i] = clean.data == NULL ? clean : sl_arena_copy(arena, clean);
        if (texts[i]->data == NULL) {
            return false;
        }
    }
    struct sl_span name = sl_arena_copy(arena, letter->subsystem);
    letter->subsystem = name;
    if (letter->has_event) {
        struct sl_envelope *event = &letter->event;
        event->source = con_text_clean(arena, event->source, TEXT_BYTES_MAX);
        event->type = con_text_clean(arena, event->type, TEXT_BYTES_MAX);
        event->object = con_text_clean(arena, event->object, TEXT_BYTES_MAX);
    }
    return name.data != NULL;
}

bool con_letter_same(const struct con_letter *a, const struct con_letter *b)
{
    if (!sl_span_eq(a->subsystem, b->subsystem)) {
        return false;
    }
    if (a->has_event && b->has_event) {
        return sl_span_eq(a->event.id, b->event.id);
    }
    return a->has_event == b->has_event && memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

bool con_letter_params(const struct con_letter *letters, size_t count, bool bare,
                       struct sl_buf *bytes, struct sl_pg_param out_params[CON_LETTER_PARAMS],
                       struct sl_err *err)
{
    /* In the order of dead_letter.sql. */
    static const enum sl_pg_type types[CON_LETTER_PARAMS] = {
        SL_PG_TEXT,  SL_PG_TEXT,        SL_PG_TEXT,        SL_PG_BOOL, SL_PG_TEXT, SL_PG_TEXT,
        SL_PG_TEXT,  SL_PG_TIMESTAMPTZ, SL_PG_TIMESTAMPTZ, SL_PG_TEXT, SL_PG_TEXT, SL_PG_TEXT,
        SL_PG_TEXT,  SL_PG_TEXT,        SL_PG_INT8,        SL_PG_TEXT, SL_PG_TEXT, SL_PG_BYTEA,
        SL_PG_BYTEA, SL_PG_BYTEA,       SL_PG_TIMESTAMPTZ,
    };
    struct sl_pg_array arrays[CON_LETTER_PARAMS];
    sl_buf_reset(bytes);
    for (size_t c = 0; c < CON_LETTER_PARAMS; c++) {
        const struct con_letter *letter = letters;
        sl_pg_array_begin(&arrays[c], types[c], bytes);
        for (size_t i = 0; i < count; i++, letter = letter->next) {
            put_column(&arrays[c], c, letter, bare);
        }
        sl_pg_array_end(&arrays[c]);
    }
    if (!sl_buf_ok(bytes)) {
        return sl_fail(err, SL_E_LIMIT, "%zu dead letters pass %zu bytes", count, bytes->bytes_max);
    }
    for (size_t c = 0; c < CON_LETTER_PARAMS; c++) {
        out_params[c] =
            (struct sl_pg_param){ .value = sl_pg_array_span(&arrays[c]), .is_binary = true };
    }
    return true;
}

static void put_column(struct sl_pg_array *array, size_t column, const struct con_letter *letter,
                       bool bare)
{
    const struct sl_envelope *event = &letter->event;
    bool has_event = letter->has_event && !bare;
    switch (column) {
    case 0:
        sl_pg_array_bytes(array, letter->subsystem);
        break;
    case 1:
        sl_pg_array_bytes(array, event_text(letter, event->source, bare));
        break;
    case 2:
        sl_pg_array_bytes(array, event_text(letter, event->account, bare));
        break;
    case 3:
        has_event ? sl_pg_array_bool(array, event->livemode) : sl_pg_array_null(array);
        break;
    case 4:
        sl_pg_array_bytes(array, event_text(letter, event->id, bare));
        break;
    case 5:
        sl_pg_array_bytes(array, event_text(letter, event->type, bare));
        break;
    case 6:
        sl_pg_array_bytes(array, event_text(letter, event->object, bare));
        break;
    case 7:
        has_event ? sl_pg_array_time_s(array, event->occurred_at_s) : sl_pg_array_null(array);
        break;
    case 8:
        has_event ? sl_pg_array_time_us(array, event->received_at_us) : sl_pg_array_null(array);
        break;
    case 9:
        sl_pg_array_bytes(array, letter->reason);
        break;
    case 10:
        sl_pg_array_bytes(array, letter->error_class);
        break;
    case 11:
        sl_pg_array_bytes(array, letter->error_code.data == NULL ? SL_SPAN_LITERAL("")
                                                                 : letter->error_code);
        break;
    case 12:
        sl_pg_array_bytes(array, letter->error.data == NULL ? SL_SPAN_LITERAL("") : letter->error);
        break;
    case 13:
        sl_pg_array_bytes(array, sl_span_of(letter->fingerprint));
        break;
    case 14:
        sl_pg_array_int8(array, letter->attempts);
        break;
    case 15:
        sl_pg_array_bytes(array, letter->routing_key);
        break;
    case 16:
        sl_pg_array_bytes(array, letter->replay_run);
        break;
    case 17:
        sl_pg_array_bytes(array, event_text(letter, event->body, bare));
        break;
    case 18:
        sl_pg_array_bytes(array, letter->bytes);
        break;
    case 19:
        sl_pg_array_bytes(array, sl_span_make(letter->sha256, sizeof letter->sha256));
        break;
    default:
        letter->first_failed_ms != 0 ? sl_pg_array_time_us(array, letter->first_failed_ms * 1000)
                                     : sl_pg_array_null(array);
        break;
    }
}

/* NULL in the row when there is no event. */
static struct sl_span event_text(const struct con_letter *letter, struct sl_span text, bool bare)
{
    return letter->has_event && !bare ? text : (struct sl_span){ 0 };
}
