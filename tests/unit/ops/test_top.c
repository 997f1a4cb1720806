#include <stdio.h>
#include <stdlib.h>

#include "ops/top/top_page.h"
#include "tests/support/claims.h"

#define PAGE_BYTES (64u * 1024u)

static const struct sl_subsystem billing = { .name = "billing" };
static const struct sl_subsystem backfill = { .name = "backfill", .class = SL_CLASS_BACKFILL };

static struct ops_queue_facts fine_facts(void)
{
    return (struct ops_queue_facts){ .subsystem = &billing, .consumers = 1, .running = 1 };
}

CLAIM(top__what_is_trouble_is_named_the_gravest_first_and_what_is_unknown_is_none)
{
    static const struct {
        int64_t waiting;
        int64_t consumers;
        int64_t oldest_s;
        int64_t breakers;
        int64_t new_letters;
        const char *note;
        enum ops_top_level level;
        const char *says;
    } rows[] = {
        { 0, 1, 0, 0, 0, "", OPS_TOP_FINE, "" },
        { OPS_UNKNOWN, OPS_UNKNOWN, OPS_UNKNOWN, OPS_UNKNOWN, OPS_UNKNOWN, "", OPS_TOP_FINE, "" },
        { 1, 0, 0, 0, 0, "", OPS_TOP_TROUBLE, "nobody consumes" },
        { 0, 0, 0, 0, 0, "", OPS_TOP_ODD, "nobody consumes" },
        { 11, 1, 0, 0, 0, "", OPS_TOP_ODD, "backlog" },
        { 51, 1, 61, 0, 0, "", OPS_TOP_TROUBLE, "backlog, 61s late" },
        { 500, 0, OPS_UNKNOWN, 0, 0, "paused until 12:30Z", OPS_TOP_ODD, "paused until 12:30Z" },
        { 500, 0, OPS_UNKNOWN, 0, 0, "batch=5, paused", OPS_TOP_ODD, "batch=5, paused" },
        { 0, 1, 0, 1, 0, "", OPS_TOP_TROUBLE, "breaker invoice.paid" },
        { 0, 1, 0, 3, 0, "", OPS_TOP_TROUBLE, "breaker invoice.paid, and 2 more" },
        { 0, 1, 0, 0, 1, "", OPS_TOP_ODD, "1 new letters" },
        { 0, 1, 0, 0, 21, "", OPS_TOP_TROUBLE, "21 new letters" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct ops_queue_facts facts = fine_facts();
        facts.waiting = rows[i].waiting;
        facts.consumers = rows[i].consumers;
        facts.oldest_s = rows[i].oldest_s;
        snprintf(facts.note, sizeof facts.note, "%s", rows[i].note);
        struct ops_top_item item = { .facts = &facts,
                                     .breakers = rows[i].breakers,
                                     .breaker = "invoice.paid",
                                     .new_letters = rows[i].new_letters };
        char state[OPS_TOP_STATE_BYTES];
        CU_ASSERT_EQUAL(ops_top_judge(&item, state), rows[i].level);
        CU_ASSERT_STRING_EQUAL(state, rows[i].says);
    }
}

CLAIM(top__the_age_of_a_backfill_calls_nobody_and_a_long_state_is_cut_not_overrun)
{
    struct ops_queue_facts facts = fine_facts();
    struct ops_top_item item = { .facts = &facts, .breakers = 9 };
    char state[OPS_TOP_STATE_BYTES];
    facts.subsystem = &backfill;
    facts.oldest_s = 100000;
    CU_ASSERT_EQUAL(ops_top_judge(&(struct ops_top_item){ .facts = &facts }, state), OPS_TOP_FINE);
    memset(facts.note, 'n', sizeof facts.note - 1);
    memset(item.breaker, 'b', sizeof item.breaker - 1);
    CU_ASSERT_EQUAL(ops_top_judge(&item, state), OPS_TOP_TROUBLE);
    CU_ASSERT_EQUAL(strlen(state), OPS_TOP_STATE_BYTES - 1);
}

CLAIM(top__a_p95_is_of_what_came_between_two_looks)
{
    const struct ops_top_buckets then = { .count = 3,
                                          .bound_us = { 1000, 250000, INT64_MAX },
                                          .seen = { 100, 100, 100 } };
    struct ops_top_buckets now = then;
    CU_ASSERT_EQUAL(ops_top_p95_ms(&then, &now), OPS_UNKNOWN); /* nothing came */
    now.seen[0] = 194;
    now.seen[1] = 199;
    now.seen[2] = 200;
    CU_ASSERT_EQUAL(ops_top_p95_ms(&then, &now), 250);
    now.seen[0] = 195;
    CU_ASSERT_EQUAL(ops_top_p95_ms(&then, &now), 1);
    now.seen[0] = now.seen[1] = 150;
    CU_ASSERT_EQUAL(ops_top_p95_ms(&then, &now), INT64_MAX);
    now.seen[2] = 50; /* it was started anew */
    CU_ASSERT_EQUAL(ops_top_p95_ms(&then, &now), OPS_UNKNOWN);
    CU_ASSERT_EQUAL(ops_top_p95_ms(&(struct ops_top_buckets){ 0 }, &now), OPS_UNKNOWN);
    CU_ASSERT_EQUAL(ops_top_rate_milli(10, 34, 2000), 12000);
    CU_ASSERT_EQUAL(ops_top_rate_milli(34, 10, 2000), OPS_UNKNOWN);
    CU_ASSERT_EQUAL(ops_top_rate_milli(OPS_UNKNOWN, 10, 2000), OPS_UNKNOWN);
    CU_ASSERT_EQUAL(ops_top_rate_milli(10, 10, 0), OPS_UNKNOWN);
}

CLAIM(top__a_page_fits_its_terminal_whatever_it_is)
{
    static struct ops_top_look look;
    static struct sl_subsystem many[SL_SUBSYSTEMS_MAX];
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, PAGE_BYTES);
    look.queues.count = SL_SUBSYSTEMS_MAX;
    snprintf(look.publisher.broker, sizeof look.publisher.broker, "up");
    for (size_t i = 0; i < SL_SUBSYSTEMS_MAX; i++) {
        look.queues.items[i] = fine_facts();
        snprintf(many[i].name, sizeof many[i].name, "subsystem-%zu", i);
        look.queues.items[i].subsystem = &many[i];
        look.items[i] = (struct ops_top_item){ .facts = &look.queues.items[i] };
    }
    look.queues.items[30].consumers = 0;
    look.queues.items[30].waiting = 1234567;
    snprintf(look.queues.items[30].note, 64, "a\033[2J\xc3\xa4");
    for (size_t columns = 1; columns < 200; columns += 7) {
        for (size_t rows = 1; rows < 60; rows += 3) {
            const struct ops_top_paper paper = { .columns = columns, .rows = rows, .hint = "" };
            sl_buf_reset(&out);
            ops_top_page(&look, &paper, &out);
            struct sl_span rest = sl_buf_span(&out);
            struct sl_span line = { 0 };
            size_t lines = 0;
            while (rest.bytes > 0 && sl_span_split(&rest, '\n', &line)) {
                lines++;
                CU_ASSERT_TRUE(line.bytes <= columns);
            }
            CU_ASSERT_TRUE(rows < 9 || lines < rows);
            CU_ASSERT_PTR_NULL(memchr(out.data, '\033', out.used_bytes));
        }
    }
    const struct ops_top_paper wide = {
        .columns = 200, .rows = 10, .hint = "", .has_colour = true
    };
    sl_buf_reset(&out);
    ops_top_page(&look, &wide, &out);
    const char *worst = strstr(out.data, "\033[31msubsystem-30");
    CU_ASSERT_PTR_NOT_NULL_FATAL(worst);
    CU_ASSERT_PTR_NOT_NULL(strstr(worst, "1234567"));
    CU_ASSERT_PTR_NOT_NULL(strstr(worst, "nobody consumes, backlog, a?[2J??"));
    CU_ASSERT_TRUE(worst < strstr(out.data, "subsystem-0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "and 30 more\n"));
}
