#include "consumer/billing/billing_rows.h"

#include <string.h>

#include "consumer/billing/billing_shapes.h"

#define US_PER_S        1000000
#define OBSERVED_PREFIX "sluice." /* of the types of billing_observed.def */
/* Cleaned JSON is not longer than received JSON, give or take a number that became null. */
#define SCRATCH_BYTES_MAX (2u * SL_EVENT_BODY_BYTES_MAX)

/* A list of children inside a parent. */
struct child_list {
    enum con_billing_table table;
    const char *place; /* of the list in the parent */
    const char *where; /* of its elements, for error texts */
};

static struct con_billing_row *new_row(enum con_billing_table table, struct sl_arena *arena,
                                       struct sl_err *err);
static bool read_cells(const struct con_cell_reader *reader, struct con_billing_row *row,
                       const struct sl_json *object, struct sl_err *err);
static void end_stub(struct con_billing_row *row, int64_t event_s);
static void end_customer(struct con_billing_row *row, int64_t event_s);
static bool end_subscription(const struct con_cell_reader *reader, struct con_billing_row *row,
                             const struct sl_json *object, int64_t event_s, struct sl_err *err);
static void share_period(struct con_billing_row *row, const char *column, bool latest);
static bool end_invoice(const struct con_cell_reader *reader, struct con_billing_row *row,
                        const struct sl_json *object, int64_t event_s, struct sl_err *err);
static void end_invoice_line(struct con_billing_row *row, const struct sl_json *object);
static void end_invoice_payment(struct con_billing_row *row);
static void end_account(struct con_billing_row *row, const struct con_billing_type *type,
                        int64_t event_s);
static bool read_children(const struct con_cell_reader *reader, struct con_billing_row *parent,
                          const struct child_list *list, const struct sl_json *object,
                          struct sl_err *err);
static struct con_billing_row *read_child(const struct con_cell_reader *reader,
                                          const struct con_billing_row *parent,
                                          enum con_billing_table table,
                                          const struct sl_json *object, struct sl_err *err);
static struct sl_span child_id(const struct con_cell_reader *reader, const struct sl_json *object);
static void mark_deleted(struct con_billing_row *row, int64_t at_s);
static struct con_cell *cell(const struct con_billing_row *row, const char *column);
static struct sl_span text_of(const struct con_billing_row *row, const char *column);
static int64_t number_of(const struct con_billing_row *row, const char *column);
static void set_text(const struct con_billing_row *row, const char *column, struct sl_span text);

bool con_billing_row_read(const struct con_billing_subject *subject,
                          const struct sl_envelope *envelope, struct sl_arena *arena,
                          struct con_billing_row **out_row, size_t *out_replaced,
                          struct sl_err *err)
{
    SL_ASSERT(subject->act != CON_BILLING_IGNORE);
    struct con_billing_row *row = new_row(subject->type->table, arena, err);
    if (row == NULL) {
        return false;
    }
    row->account = envelope->account.data == NULL ? SL_SPAN_LITERAL("") : envelope->account;
    row->livemode = envelope->livemode;
    row->id = subject->id;
    row->is_observed = strncmp(subject->type->name, OBSERVED_PREFIX, strlen(OBSERVED_PREFIX)) == 0;
    row->version = (struct con_billing_version){
        .created_s = envelope->occurred_at_s,
        .phase = subject->type->phase,
        .event_id = envelope->id,
    };
    *out_row = row;

    /* When it happened, for a deletion that does not say: an event without a time happened when it was received. */
    int64_t event_s = envelope->occurred_at_s != 0 ? envelope->occurred_at_s
                                                   : envelope->received_at_us / US_PER_S;
    if (subject->act == CON_BILLING_DELETE) {
        end_stub(row, event_s);
        return true;
    }

    static const char *const names[CON_BILLING_TABLES] = {
        [CON_BILLING_CUSTOMER] = "customer",   [CON_BILLING_SUBSCRIPTION] = "subscription",
        [CON_BILLING_INVOICE] = "invoice",     [CON_BILLING_INVOICE_PAYMENT] = "invoice_payment",
        [CON_BILLING_ACCOUNT] = "application",
    };
    SL_DONE(sl_buf_done) struct sl_buf scratch = { 0 };
    sl_buf_init(&scratch, SCRATCH_BYTES_MAX);
    struct con_cell_reader reader = {
        .arena = arena,
        .where = names[row->table],
        .scratch = &scratch,
        .replaced = out_replaced,
    };
    if (!read_cells(&reader, row, subject->object, err)) {
        return false;
    }
    switch (row->table) {
    case CON_BILLING_CUSTOMER:
        end_customer(row, event_s);
        return true;
    case CON_BILLING_SUBSCRIPTION:
        return end_subscription(&reader, row, subject->object, event_s, err);
    case CON_BILLING_INVOICE:
        return end_invoice(&reader, row, subject->object, event_s, err);
    case CON_BILLING_INVOICE_PAYMENT:
        end_invoice_payment(row);
        return true;
    case CON_BILLING_ACCOUNT:
        end_account(row, subject->type, event_s);
        return true;
    case CON_BILLING_SUBSCRIPTION_ITEM:
    case CON_BILLING_INVOICE_LINE:
    case CON_BILLING_TABLES:
        break;
    }
    return sl_fail(err, SL_E_BUG, "no event is about a row of table %d", (int)row->table);
}

static struct con_billing_row *new_row(enum con_billing_table table, struct sl_arena *arena,
                                       struct sl_err *err)
{
    struct con_billing_row *row = sl_arena_alloc(arena, sizeof *row);
    struct con_cell *cells =
        sl_arena_array(arena, con_billing_columns(table).count, sizeof cells[0]);
    if (row == NULL || cells == NULL) {
        sl_fail(err, SL_E_MEMORY, "no room for a row");
        return NULL;
    }
    row->table = table;
    row->cells = cells;
    return row;
}

static bool read_cells(const struct con_cell_reader *reader, struct con_billing_row *row,
                       const struct sl_json *object, struct sl_err *err)
{
    struct con_columns columns = con_billing_columns(row->table);
    for (size_t i = 0; i < columns.count; i++) {
        if (!con_billing_cell_read(reader, &columns.items[i], object, &row->cells[i], err)) {
            return false;
        }
    }
    return true;
}

/* Of several deletions of one object the earliest counts, hence the turned sign. */
static void end_stub(struct con_billing_row *row, int64_t event_s)
{
    row->is_stub = true;
    row->version.created_s = -event_s;
    mark_deleted(row, event_s);
}

static void mark_deleted(struct con_billing_row *row, int64_t at_s)
{
    row->is_deleted = true;
    row->deleted_at_s = at_s;
    row->version.phase = CON_PHASE_TERMINAL;
}

static void end_customer(struct con_billing_row *row, int64_t event_s)
{
    if (row->version.phase == CON_PHASE_TERMINAL) {
        mark_deleted(row, event_s);
    }
}

static bool end_subscription(const struct con_cell_reader *reader, struct con_billing_row *row,
                             const struct sl_json *object, int64_t event_s, struct sl_err *err)
{
    static const struct child_list items = {
        CON_BILLING_SUBSCRIPTION_ITEM,
        "items",
        "subscription.items.data",
    };
    struct sl_span status = text_of(row, "status");
    const struct con_cell *ended_at = cell(row, "ended_at");

    row->version.progress[0] = con_billing_subscription_rank(status);
    row->version.progress[1] = ended_at->is_set;
    if (row->version.phase == CON_PHASE_TERMINAL || con_billing_subscription_has_ended(status)) {
        mark_deleted(row, ended_at->is_set ? ended_at->number : event_s);
    }
    if (!read_children(reader, row, &items, object, err)) {
        return false;
    }
    share_period(row, "current_period_start", false);
    share_period(row, "current_period_end", true);
    return con_billing_shape_discounts(reader, object, cell(row, "discounts"), err);
}

/* Old objects have the period on the subscription, new ones on each item: afterwards both have it. */
static void share_period(struct con_billing_row *row, const char *column, bool latest)
{
    struct con_cell *own = cell(row, column);
    struct con_cell span = *own;

    for (struct con_billing_row *item = row->children; item != NULL; item = item->next) {
        struct con_cell *its = cell(item, column);
        if (!its->is_set) {
            *its = *own;
        } else if (!own->is_set && (!span.is_set || (latest ? its->number > span.number
                                                            : its->number < span.number))) {
            span = *its;
        }
    }
    *own = span;
}

static bool end_invoice(const struct con_cell_reader *reader, struct con_billing_row *row,
                        const struct sl_json *object, int64_t event_s, struct sl_err *err)
{
    static const struct child_list lines = {
        CON_BILLING_INVOICE_LINE,
        "lines",
        "invoice.lines.data",
    };

    con_billing_shape_paid(object, sl_span_is(text_of(row, "status"), "paid"),
                           cell(row, "amount_due"), cell(row, "amount_paid"),
                           cell(row, "amount_remaining"));
    row->version.progress[0] = con_billing_invoice_rank(text_of(row, "status"));
    row->version.progress[1] = number_of(row, "attempt_count");
    row->version.progress[2] = number_of(row, "amount_paid");
    if (row->version.phase == CON_PHASE_TERMINAL) {
        mark_deleted(row, event_s);
    }
    if (text_of(row, "parent_type").data == NULL) {
        if (cell(row, "subscription")->is_set) {
            set_text(row, "parent_type", SL_SPAN_LITERAL("subscription_details"));
        } else if (!sl_json_is_null(sl_json_get(object, "quote"))) {
            set_text(row, "parent_type", SL_SPAN_LITERAL("quote_details"));
        }
    }
    return read_children(reader, row, &lines, object, err) &&
           con_billing_shape_discounts(reader, object, cell(row, "discounts"), err) &&
           con_billing_shape_taxes(reader, object, "total_tax_amounts", cell(row, "total_taxes"),
                                   err);
}

static void end_invoice_line(struct con_billing_row *row, const struct sl_json *object)
{
    if (text_of(row, "parent_type").data != NULL) {
        return;
    }
    struct sl_span type = { 0 };
    const struct sl_json *old = sl_json_get(object, "type");
    if (old != NULL && old->type == SL_JSON_STRING) {
        type = old->raw;
    }
    if (sl_span_is(type, "\"subscription\"")) {
        set_text(row, "parent_type", SL_SPAN_LITERAL("subscription_item_details"));
    } else if (sl_span_is(type, "\"invoiceitem\"")) {
        set_text(row, "parent_type", SL_SPAN_LITERAL("invoice_item_details"));
    }
}

static void end_invoice_payment(struct con_billing_row *row)
{
    struct sl_span status = text_of(row, "status");
    row->version.progress[0] = status.data != NULL && !sl_span_is(status, "open");
    row->version.progress[1] = number_of(row, "amount_paid");
}

static void end_account(struct con_billing_row *row, const struct con_billing_type *type,
                        int64_t event_s)
{
    *cell(row, "deauthorized_at") =
        (struct con_cell){ .is_set = strcmp(type->name, "account.application.deauthorized") == 0,
                           .number = event_s };
}

static bool read_children(const struct con_cell_reader *reader, struct con_billing_row *parent,
                          const struct child_list *list, const struct sl_json *object,
                          struct sl_err *err)
{
    const struct sl_json *holder = sl_json_get(object, list->place);
    const struct sl_json *data = sl_json_get(holder, "data");
    if (data == NULL || data->type != SL_JSON_ARRAY || !data->is_opened) {
        return true; /* not sent, or not as a list: what is stored stays */
    }
    int64_t total_count = 0;
    bool is_short = sl_json_int(sl_json_get(holder, "total_count"), &total_count) &&
                    total_count > (int64_t)data->child_count;
    parent->children_missing = is_short || sl_json_true(sl_json_get(holder, "has_more"));
    parent->children_complete = !parent->children_missing;

    struct con_cell_reader child_reader = *reader;
    child_reader.where = list->where;
    child_reader.is_listed = true;
    child_reader.position = 0;
    struct con_billing_row **tail = &parent->children;
    for (const struct sl_json *child = data->first; child != NULL; child = child->next) {
        *tail = read_child(&child_reader, parent, list->table, child, err);
        if (*tail == NULL) {
            return false;
        }
        tail = &(*tail)->next;
        child_reader.position++;
    }
    return true;
}

static struct con_billing_row *read_child(const struct con_cell_reader *reader,
                                          const struct con_billing_row *parent,
                                          enum con_billing_table table,
                                          const struct sl_json *object, struct sl_err *err)
{
    struct sl_span id = child_id(reader, object);
    if (id.data == NULL || id.bytes == 0 || id.bytes > CON_BILLING_ID_BYTES_MAX) {
        sl_fail(err, SL_E_EVENT_MALFORMED, "%s[%zu].id is not a string of 1 to %u bytes",
                reader->where, reader->position, CON_BILLING_ID_BYTES_MAX);
        return NULL;
    }
    struct con_billing_row *row = new_row(table, reader->arena, err);
    if (row == NULL || !read_cells(reader, row, object, err)) {
        return NULL;
    }
    row->account = parent->account;
    row->livemode = parent->livemode;
    row->id = id;
    row->version = parent->version;
    *cell(row, "position") =
        (struct con_cell){ .is_set = true, .number = (int64_t)reader->position };
    if (table == CON_BILLING_SUBSCRIPTION_ITEM) {
        set_text(row, "subscription", parent->id);
    } else {
        set_text(row, "invoice", parent->id);
        end_invoice_line(row, object);
        if (!con_billing_shape_taxes(reader, object, "tax_amounts", cell(row, "taxes"), err)) {
            return NULL;
        }
    }
    return row;
}

/* Lines of API versions before 2019-12-03 carry the id of what they bill, and their own in unique_id. */
static struct sl_span child_id(const struct con_cell_reader *reader, const struct sl_json *object)
{
    const struct sl_json *id = sl_json_get(object, "unique_id");
    if (sl_json_is_null(id)) {
        id = sl_json_get(object, "id");
    }
    return sl_json_text(id, reader->arena, true, NULL);
}

static struct con_cell *cell(const struct con_billing_row *row, const char *column)
{
    return &row->cells[con_billing_column_index(row->table, column)];
}

/* Absent when NULL. */
static struct sl_span text_of(const struct con_billing_row *row, const char *column)
{
    const struct con_cell *found = cell(row, column);
    return found->is_set ? found->text : (struct sl_span){ 0 };
}

/* 0 when NULL. */
static int64_t number_of(const struct con_billing_row *row, const char *column)
{
    const struct con_cell *found = cell(row, column);
    return found->is_set ? found->number : 0;
}

static void set_text(const struct con_billing_row *row, const char *column, struct sl_span text)
{
    *cell(row, column) = (struct con_cell){ .is_set = true, .text = text };
}
