#include "consumer/billing/billing_collapse.h"

#include <stdlib.h>

static int by_key_and_arrival(const void *left, const void *right);
static int key_order(const struct con_billing_row *row, struct sl_span account, bool livemode,
                     struct sl_span id);
static struct con_billing_row *newest_of(struct con_billing_row **rows, size_t count);

size_t con_billing_collapse(struct con_billing_row **rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rows[i]->arrival = i;
    }
    if (count > 1) {
        qsort(rows, count, sizeof rows[0], by_key_and_arrival);
    }

    size_t kept = 0;
    size_t end = 0;
    for (size_t start = 0; start < count; start = end) {
        const struct con_billing_row *first = rows[start];
        end = start + 1;
        while (end < count &&
               key_order(rows[end], first->account, first->livemode, first->id) == 0) {
            end++;
        }
        rows[kept++] = newest_of(rows + start, end - start);
    }
    return kept;
}

static int by_key_and_arrival(const void *left, const void *right)
{
    const struct con_billing_row *a = *(struct con_billing_row *const *)left;
    const struct con_billing_row *b = *(struct con_billing_row *const *)right;
    int order = key_order(a, b->account, b->livemode, b->id);
    if (order != 0) {
        return order;
    }
    return (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

static int key_order(const struct con_billing_row *row, struct sl_span account, bool livemode,
                     struct sl_span id)
{
    int order = sl_span_cmp(row->account, account);
    if (order == 0) {
        order = (int)row->livemode - (int)livemode;
    }
    return order != 0 ? order : sl_span_cmp(row->id, id);
}

/* rows have one key and are in the order of arrival. */
static struct con_billing_row *newest_of(struct con_billing_row **rows, size_t count)
{
    struct con_billing_row *newest = rows[0];
    newest->led = true;
    newest->is_tied = false;
    for (size_t i = 1; i < count; i++) {
        int order = con_billing_order(&rows[i]->version, &newest->version);
        rows[i]->led = order >= 0;
        rows[i]->is_tied = order == 0;
        if (rows[i]->led) {
            newest = rows[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        rows[i]->winner = newest;
    }
    return newest;
}

struct con_billing_row *con_billing_collapsed_find(struct con_billing_row *const *rows, size_t n,
                                                   struct sl_span account, bool livemode,
                                                   struct sl_span id)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        int order = key_order(rows[middle], account, livemode, id);
        if (order == 0) {
            return rows[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            n = middle;
        }
    }
    return NULL;
}
