#include "consumer/billing/billing_collapse.h"
#include "tests/support/claims.h"

#define ROWS_MAX 8

static struct con_billing_row row(const char *id, int64_t created_s, enum con_billing_phase phase,
                                  const char *event_id)
{
    return (struct con_billing_row){
        .account = SL_SPAN_LITERAL(""),
        .id = sl_span_of(id),
        .version = { .created_s = created_s, .phase = phase, .event_id = sl_span_of(event_id) },
    };
}

/* "evt_2 evt_3": the events of the winners, in order. */
static const char *winners(struct con_billing_row *rows, size_t count, char room[256])
{
    struct con_billing_row *order[ROWS_MAX];
    CU_ASSERT_FATAL(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        order[i] = &rows[i];
    }
    size_t kept = con_billing_collapse(order, count);
    room[0] = '\0';
    for (size_t i = 0; i < kept; i++) {
        size_t used = strlen(room);
        snprintf(room + used, 256 - used, "%s%.*s", i == 0 ? "" : " ",
                 SL_SPAN_ARGS(order[i]->version.event_id));
    }
    return room;
}

CLAIM(billing_collapse__nothing_stays_nothing)
{
    char room[256];
    CU_ASSERT_STRING_EQUAL(winners(NULL, 0, room), "");
}

CLAIM(billing_collapse__one_row_per_key_sorted_by_account_mode_and_id)
{
    struct con_billing_row rows[] = {
        row("cus_2", 10, CON_PHASE_UPDATED, "b2"),   row("cus_1", 10, CON_PHASE_UPDATED, "live"),
        row("cus_1", 10, CON_PHASE_UPDATED, "acct"), row("cus_1", 10, CON_PHASE_UPDATED, "b1"),
        row("cus_10", 10, CON_PHASE_UPDATED, "b10"), row("cus_2", 11, CON_PHASE_UPDATED, "b2new"),
    };
    rows[1].livemode = true;
    rows[2].account = SL_SPAN_LITERAL("acct_1");
    char room[256];
    CU_ASSERT_STRING_EQUAL(winners(rows, 6, room), "b1 b10 b2new live acct");
    CU_ASSERT_PTR_EQUAL(rows[0].winner, &rows[5]);
    CU_ASSERT_PTR_EQUAL(rows[5].winner, &rows[5]);
    CU_ASSERT_PTR_EQUAL(rows[3].winner, &rows[3]);
}

CLAIM(billing_collapse__a_row_led_when_it_was_the_newest_on_arrival)
{
    struct con_billing_row rows[] = {
        row("c", 10, CON_PHASE_UPDATED, "1"),  row("c", 12, CON_PHASE_UPDATED, "2"),
        row("c", 11, CON_PHASE_UPDATED, "3"),  row("c", 12, CON_PHASE_UPDATED, "4"),
        row("c", 12, CON_PHASE_CREATED, "5"),  row("c", 9, CON_PHASE_TERMINAL, "6"),
        row("c", 100, CON_PHASE_UPDATED, "7"),
    };
    static const bool led[] = { true, true, false, true, false, true, false };
    char room[256];
    CU_ASSERT_STRING_EQUAL(winners(rows, 7, room), "6");
    for (size_t i = 0; i < 7; i++) {
        CU_ASSERT_EQUAL(rows[i].led, led[i]);
        CU_ASSERT_EQUAL(rows[i].arrival, i);
    }
}

CLAIM(billing_collapse__a_kept_row_is_found_by_its_key)
{
    struct con_billing_row rows[] = { row("a", 1, CON_PHASE_UPDATED, "1"),
                                      row("b", 1, CON_PHASE_UPDATED, "2"),
                                      row("c", 1, CON_PHASE_UPDATED, "3") };
    struct con_billing_row *order[] = { &rows[2], &rows[0], &rows[1] };
    size_t kept = con_billing_collapse(order, 3);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_PTR_EQUAL(
            con_billing_collapsed_find(order, kept, SL_SPAN_LITERAL(""), false, rows[i].id),
            &rows[i]);
    }
    CU_ASSERT_PTR_NULL(
        con_billing_collapsed_find(order, kept, SL_SPAN_LITERAL(""), true, rows[0].id));
    CU_ASSERT_PTR_NULL(
        con_billing_collapsed_find(order, kept, SL_SPAN_LITERAL(""), false, SL_SPAN_LITERAL("bb")));
    CU_ASSERT_PTR_NULL(
        con_billing_collapsed_find(order, 0, SL_SPAN_LITERAL(""), false, rows[0].id));
}

/* What the database holds of one key, with the guard of the statements. */
struct shelf {
    bool is_filled;
    struct con_billing_version version;
};

static void apply(struct shelf *shelf, const struct con_billing_row *history, const size_t *arrival,
                  size_t first, size_t count)
{
    struct con_billing_row rows[ROWS_MAX];
    struct con_billing_row *order[ROWS_MAX];
    for (size_t i = 0; i < count; i++) {
        rows[i] = history[arrival[first + i]];
        order[i] = &rows[i];
    }
    if (con_billing_collapse(order, count) == 1 &&
        (!shelf->is_filled || con_billing_order(&order[0]->version, &shelf->version) >= 0)) {
        *shelf = (struct shelf){ .is_filled = true, .version = order[0]->version };
    }
}

/* Next arrangement in lexicographic order; false after the last. */
static bool rearrange(size_t *arrival, size_t count)
{
    size_t i = count - 1;
    while (i > 0 && arrival[i - 1] >= arrival[i]) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    size_t j = count - 1;
    while (arrival[j] <= arrival[i - 1]) {
        j--;
    }
    size_t held = arrival[i - 1];
    arrival[i - 1] = arrival[j];
    arrival[j] = held;
    for (size_t low = i, high = count - 1; low < high; low++, high--) {
        held = arrival[low];
        arrival[low] = arrival[high];
        arrival[high] = held;
    }
    return true;
}

CLAIM(billing_collapse__any_order_of_arrival_in_any_batches_ends_the_same)
{
    const struct con_billing_row history[] = {
        row("sub", 100, CON_PHASE_CREATED, "created"),
        row("sub", 100, CON_PHASE_UPDATED, "first payment"),
        row("sub", 200, CON_PHASE_NOTICE, "trial ends soon"),
        row("sub", 300, CON_PHASE_UPDATED, "renewed"),
        row("sub", 300, CON_PHASE_TERMINAL, "canceled"),
        row("sub", 301, CON_PHASE_UPDATED, "late echo"),
        row("sub", 400, CON_PHASE_TERMINAL, "metadata of the canceled"),
    };
    size_t count = sizeof history / sizeof history[0];
    size_t arrival[ROWS_MAX] = { 0, 1, 2, 3, 4, 5, 6 };
    size_t wrong = 0;
    size_t tried = 0;
    do {
        for (size_t cut = 0; cut <= count; cut++) {
            struct shelf shelf = { 0 };
            apply(&shelf, history, arrival, 0, cut);
            apply(&shelf, history, arrival, cut, count - cut);
            wrong += !sl_span_is(shelf.version.event_id, "metadata of the canceled");
            tried++;
        }
    } while (rearrange(arrival, count));
    CU_ASSERT_EQUAL(tried, 5040 * 8);
    CU_ASSERT_EQUAL(wrong, 0);
}
