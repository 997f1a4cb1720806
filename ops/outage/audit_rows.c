#include "ops/outage/audit_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int worst_first(const void *a, const void *b);
static int weight(const struct ops_audit_row *row);

void ops_audit_add(struct ops_audit_rows *rows, enum ops_audit_what what,
                   const struct sl_subsystem *subsystem, const char *name, struct sl_span type,
                   int64_t events, int64_t first_us, int64_t last_us)
{
    struct ops_audit_row wanted = {
        .what = what, .subsystem = subsystem, .first_us = first_us, .last_us = last_us
    };
    snprintf(wanted.name, sizeof wanted.name, "%s", name);
    snprintf(wanted.type, sizeof wanted.type, "%.*s", (int)type.bytes,
             type.data == NULL ? "" : type.data);
    struct ops_audit_row *row = NULL;
    for (size_t i = 0; i < rows->count && row == NULL; i++) {
        struct ops_audit_row *one = &rows->items[i];
        bool is_same = one->what == what && strcmp(one->name, wanted.name) == 0 &&
                       strcmp(one->type, wanted.type) == 0;
        row = is_same ? one : NULL;
    }
    if (row == NULL && rows->count == OPS_AUDIT_ROWS_MAX) {
        rows->left_out += events;
        return;
    }
    if (row == NULL) {
        row = &rows->items[rows->count++];
        *row = wanted;
    }
    row->events += events;
    row->first_us = first_us < row->first_us ? first_us : row->first_us;
    row->last_us = last_us > row->last_us ? last_us : row->last_us;
}

void ops_audit_add_kept(struct ops_audit_rows *rows, enum ops_audit_what what,
                        const struct sl_subsystems *subsystems, struct sl_span source,
                        struct sl_span type, int64_t at_us)
{
    bool is_bound = false;
    for (size_t i = 0; i < subsystems->count; i++) {
        const struct sl_subsystem *one = &subsystems->items[i];
        if (one->enabled && sl_subsystem_takes(one, source, type)) {
            is_bound = true;
            ops_audit_add(rows, what, one, one->name, type, 1, at_us, at_us);
        }
    }
    if (!is_bound) {
        ops_audit_add(rows, what, NULL, "nobody", type, 1, at_us, at_us);
    }
}

void ops_audit_sort(struct ops_audit_rows *rows)
{
    qsort(rows->items, rows->count, sizeof rows->items[0], worst_first);
}

const char *ops_audit_what_name(enum ops_audit_what what)
{
    static const char *const names[] = {
        [OPS_AUDIT_DROPPED] = "dropped",         [OPS_AUDIT_ASIDE] = "set aside",
        [OPS_AUDIT_GIVEN_UP] = "given up",       [OPS_AUDIT_JOURNALED] = "journaled",
        [OPS_AUDIT_REFUSED] = "refused",         [OPS_AUDIT_LATE] = "applied late",
        [OPS_AUDIT_MENDED] = "given up, mended",
    };
    return names[what];
}

static int worst_first(const void *a, const void *b)
{
    const struct ops_audit_row *left = a;
    const struct ops_audit_row *right = b;
    if (weight(left) != weight(right)) {
        return weight(right) - weight(left);
    }
    if (left->what != right->what) {
        return left->what < right->what ? -1 : 1;
    }
    if (left->events != right->events) {
        return left->events > right->events ? -1 : 1;
    }
    int by_name = strcmp(left->name, right->name);
    return by_name != 0 ? by_name : strcmp(left->type, right->type);
}

static int weight(const struct ops_audit_row *row)
{
    return row->subsystem == NULL ? (int)SL_SEVERITY_INFO : (int)row->subsystem->severity;
}
