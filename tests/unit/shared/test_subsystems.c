#include "shared/subsystems.h"
#include "tests/support/claims.h"

static struct sl_subsystems parsed;
static struct sl_buf mistakes;

static void parse(const char *text)
{
    sl_buf_done(&mistakes);
    sl_buf_init(&mistakes, 16 * 1024);
    sl_subsystems_parse(sl_span_of(text), "s.conf", &parsed, &mistakes);
}

static const char *said(void)
{
    return sl_buf_span(&mistakes).data;
}

CLAIM(subsystems__what_is_not_said_has_its_default)
{
    parse("[billing]\nhandler = billing\nbindings = stripe.#\n");
    CU_ASSERT_STRING_EQUAL(said(), "");
    CU_ASSERT_EQUAL_FATAL(parsed.count, 1);
    const struct sl_subsystem *billing = &parsed.items[0];
    CU_ASSERT_STRING_EQUAL(billing->name, "billing");
    CU_ASSERT_STRING_EQUAL(billing->queue, "sluice.billing");
    CU_ASSERT_TRUE(billing->enabled);
    CU_ASSERT_EQUAL(billing->batch, 500);
    CU_ASSERT_EQUAL(billing->prefetch, 1000);
    CU_ASSERT_EQUAL(billing->workers, 1);
    CU_ASSERT_EQUAL_FATAL(billing->binding_count, 1);
    CU_ASSERT_STRING_EQUAL(billing->bindings[0], "stripe.#");
    sl_buf_done(&mistakes);
}

CLAIM(subsystems__everything_can_be_said)
{
    parse("[a-1]\nenabled=false\nhandler=billing\nbindings = stripe.invoice.#, *.customer.*  x.#\n"
          "batch=10\nprefetch=50\nworkers=4\n[b]\nhandler=billing\nbindings=#\nbatch = 1\n");
    CU_ASSERT_STRING_EQUAL(said(), "");
    CU_ASSERT_EQUAL_FATAL(parsed.count, 2);
    CU_ASSERT_FALSE(parsed.items[0].enabled);
    CU_ASSERT_EQUAL(parsed.items[0].binding_count, 3);
    CU_ASSERT_STRING_EQUAL(parsed.items[0].bindings[1], "*.customer.*");
    CU_ASSERT_EQUAL(parsed.items[0].prefetch, 50);
    CU_ASSERT_EQUAL(parsed.items[0].workers, 4);
    CU_ASSERT_EQUAL(parsed.items[1].prefetch, 2);
    CU_ASSERT_PTR_EQUAL(sl_subsystems_find(&parsed, SL_SPAN_LITERAL("b")), &parsed.items[1]);
    CU_ASSERT_PTR_NULL(sl_subsystems_find(&parsed, SL_SPAN_LITERAL("c")));
    sl_buf_done(&mistakes);
}

CLAIM(subsystems__every_mistake_has_its_line_and_the_nearest_key)
{
    parse("[Big]\nanything = 1\n[a]\nhandler = biling\nbindigs = x.#\nbatch = 5000\nenabled = yes\n"
          "workers = 0\nbindings = a..b\n[a]\n[unrouted]\n");
    CU_ASSERT_STRING_EQUAL(
        said(),
        "s.conf:1: [Big] cannot be a subsystem: lower-case letters, digits and dashes, a letter "
        "first, at most 48\n"
        "s.conf:4: [a] handler: there is no such handler; there is: billing\n"
        "s.conf:5: [a] has no key \"bindigs\"; did you mean bindings?\n"
        "s.conf:6: [a] batch: a number from 1 to 1000\n"
        "s.conf:7: [a] enabled: true or false\n"
        "s.conf:8: [a] workers: a number from 1 to 16\n"
        "s.conf:9: [a] bindings: a pattern is words, * or # separated by dots, at most 127 bytes, "
        "such as stripe.invoice.#\n"
        "s.conf:3: [a] needs bindings, such as stripe.#; without them its queue stays empty\n"
        "s.conf:10: [a] is described twice\n"
        "s.conf:11: [unrouted] cannot be a subsystem: the queue sluice.unrouted catches what "
        "nobody is bound to\n");
    sl_buf_done(&mistakes);
}

CLAIM(subsystems__a_section_needs_a_handler_and_room_for_a_batch)
{
    parse("[a]\nbindings = #\nbatch = 10\nprefetch = 5\n");
    CU_ASSERT_STRING_EQUAL(said(),
                           "s.conf:1: [a] needs a handler; there is: billing\n"
                           "s.conf:1: [a] prefetch 5 is below batch 10, so no batch would ever be "
                           "full\n");
    sl_buf_done(&mistakes);
}

CLAIM(subsystems__an_empty_file_is_a_mistake)
{
    parse("# nothing\n");
    CU_ASSERT_STRING_EQUAL(said(),
                           "s.conf: no subsystem is described; a section is written [name]\n");
    sl_buf_done(&mistakes);
}

CLAIM(subsystems__the_shipped_default_is_right)
{
    sl_buf_done(&mistakes);
    sl_buf_init(&mistakes, 16 * 1024);
    sl_subsystems_load("compose/subsystems.conf", (struct sl_span){ 0 }, &parsed, &mistakes);
    CU_ASSERT_STRING_EQUAL(said(), "");
    CU_ASSERT_EQUAL_FATAL(parsed.count, 1);
    CU_ASSERT_STRING_EQUAL(parsed.items[0].name, "billing");
    CU_ASSERT_STRING_EQUAL(parsed.items[0].bindings[0], "stripe.#");
    sl_buf_done(&mistakes);
}

CLAIM(subsystems__a_file_that_cannot_be_read_names_the_setting)
{
    sl_buf_done(&mistakes);
    sl_buf_init(&mistakes, 16 * 1024);
    sl_subsystems_load("/nonexistent/s.conf", (struct sl_span){ 0 }, &parsed, &mistakes);
    CU_ASSERT_STRING_EQUAL(
        said(), "SLUICE_SUBSYSTEMS: cannot read /nonexistent/s.conf: No such file or directory\n");
    CU_ASSERT_EQUAL(parsed.count, 0);
    sl_buf_done(&mistakes);
}
