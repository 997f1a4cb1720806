#include "ops/migrate/migration_plan.h"

#include <stdio.h>

#include "shared/units.h"

#define NUMBER_DIGITS 4u /* NNNN_what.sql */

static bool add_file(struct ops_migration_plan *plan, const struct sl_embedded *file,
                     struct sl_err *err);
static void add_applied(struct ops_migration_plan *plan,
                        const struct ops_migration_applied *applied);
static void sort(struct ops_migration_plan *plan);

const char *ops_migration_state_name(enum ops_migration_state state)
{
    switch (state) {
    case OPS_MIGRATION_APPLIED:
        return "applied";
    case OPS_MIGRATION_PENDING:
        return "pending";
    case OPS_MIGRATION_EDITED:
        return "edited";
    case OPS_MIGRATION_UNKNOWN:
        return "unknown";
    case OPS_MIGRATION_MISSED:
        return "missed";
    }
    return "unknown";
}

bool ops_migration_plan_make(const struct sl_embedded *files, size_t file_count,
                             const struct ops_migration_applied *applied, size_t applied_count,
                             struct ops_migration_plan *out, struct sl_err *err)
{
    *out = (struct ops_migration_plan){ 0 };
    if (file_count + applied_count > OPS_MIGRATIONS_MAX) {
        return sl_fail(err, SL_E_LIMIT, "more than %u migrations", OPS_MIGRATIONS_MAX);
    }
    for (size_t i = 0; i < file_count; i++) {
        if (!add_file(out, &files[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < applied_count; i++) {
        add_applied(out, &applied[i]);
    }
    sort(out);
    for (size_t i = 0; i < out->count; i++) {
        struct ops_migration *item = &out->items[i];
        if (item->state == OPS_MIGRATION_PENDING && item->version < out->version) {
            item->state = OPS_MIGRATION_MISSED;
        }
        out->pending_count += item->state == OPS_MIGRATION_PENDING;
    }
    return true;
}

static bool add_file(struct ops_migration_plan *plan, const struct sl_embedded *file,
                     struct sl_err *err)
{
    struct ops_migration *item = &plan->items[plan->count];
    uint8_t hash[SL_SHA256_BYTES];
    int64_t number = 0;
    size_t digits = strspn(file->name, "0123456789");
    size_t bytes = strlen(file->name);
    size_t zeros = strspn(file->name, "0");
    if (digits != NUMBER_DIGITS || zeros == digits || file->name[digits] != '_' || bytes < 5 ||
        strcmp(file->name + bytes - 4, ".sql") != 0 || bytes >= sizeof item->name ||
        !sl_units_decimal(sl_span_make(file->name + zeros, digits - zeros), NUMBER_DIGITS,
                          &number)) {
        return sl_fail(err, SL_E_BUG, "migration %s is not named NNNN_what.sql", file->name);
    }
    if (plan->count > 0 && number <= plan->items[plan->count - 1].version) {
        return sl_fail(err, SL_E_BUG, "migrations %s and %s do not have ascending numbers",
                       plan->items[plan->count - 1].name, file->name);
    }
    if (!sl_sha256(sl_embedded_span(file), hash)) {
        return sl_fail(err, SL_E_BUG, "cannot compute a SHA-256");
    }
    *item = (struct ops_migration){
        .version = number,
        .file = file,
        .state = OPS_MIGRATION_PENDING,
    };
    snprintf(item->name, sizeof item->name, "%s", file->name);
    sl_hex_encode(hash, sizeof hash, item->checksum);
    plan->count++;
    return true;
}

static void add_applied(struct ops_migration_plan *plan,
                        const struct ops_migration_applied *applied)
{
    struct ops_migration *item = NULL;
    for (size_t i = 0; i < plan->count && item == NULL; i++) {
        item = plan->items[i].version == applied->version ? &plan->items[i] : NULL;
    }
    if (item == NULL) {
        item = &plan->items[plan->count++];
        *item = (struct ops_migration){ .version = applied->version };
        memcpy(item->name, applied->name, sizeof item->name);
        memcpy(item->checksum, applied->checksum, sizeof item->checksum);
        item->state = OPS_MIGRATION_UNKNOWN;
    } else {
        item->state = strcmp(item->checksum, applied->checksum) == 0 ? OPS_MIGRATION_APPLIED
                                                                     : OPS_MIGRATION_EDITED;
    }
    memcpy(item->recorded, applied->checksum, sizeof item->recorded);
    memcpy(item->applied_at, applied->applied_at, sizeof item->applied_at);
    plan->version = applied->version > plan->version ? applied->version : plan->version;
}

/* By insertion: the list is short, and sorted but for unknown ones. */
static void sort(struct ops_migration_plan *plan)
{
    for (size_t i = 1; i < plan->count; i++) {
        for (size_t k = i; k > 0 && plan->items[k - 1].version > plan->items[k].version; k--) {
            struct ops_migration moved = plan->items[k];
            plan->items[k] = plan->items[k - 1];
            plan->items[k - 1] = moved;
        }
    }
}

bool ops_migration_plan_verdict(const struct ops_migration_plan *plan, struct sl_err *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct ops_migration *item = &plan->items[i];
        switch (item->state) {
        case OPS_MIGRATION_APPLIED:
        case OPS_MIGRATION_PENDING:
            break;
        case OPS_MIGRATION_EDITED:
            return sl_fail(err, SL_E_PG_DRIFT,
                           "%s was edited after it was applied (recorded %.12s, this program has "
                           "%.12s): restore its text and put the change into a new migration",
                           item->name, item->recorded, item->checksum);
        case OPS_MIGRATION_UNKNOWN:
            return sl_fail(err, SL_E_PG_DRIFT,
                           "the database has migration %lld (%s), which this program does not "
                           "know: use the program that brought it, or a newer one",
                           (long long)item->version, item->name);
        case OPS_MIGRATION_MISSED:
            return sl_fail(err, SL_E_PG_DRIFT,
                           "%s is not applied although the database is at version %lld: it was "
                           "added below an applied one; give it a number above %lld",
                           item->name, (long long)plan->version, (long long)plan->version);
        }
    }
    return true;
}
