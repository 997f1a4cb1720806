#include "shared/subsystem/subsystems.h"
#include "tests/support/claims.h"

#define FULL                                                                                       \
    "[orders]\nhandler = http\nbindings = shop.order.#\nurl = https://shop.example/hook?x=1\n"     \
    "secret = ORDERS_SECRET\ntimeout = 3s\nbatch = 8\nprefetch = 40\nworkers = 2\nattempts = 3\n"  \
    "backoff = 2s\nbackoff_max = 10m\ndelay = 5m order.moved:30m\nbreaker_ratio = 25%\n"           \
    "breaker_samples = 7\nbreaker_window = 90s\nbreaker_consecutive = 9\nbreaker_probe = 30s\n"    \
    "refuse-when-open = true\non-trip = sentry\non-dead = http $ORDERS_DEAD_URL\nowner = shop\n"   \
    "severity = critical\nimpact = nobody gets a parcel\nfail_loud = true\ncritical = true\n"      \
    "class = backfill\nkeep_done = 60d\nkeep_failed = 10 7d\n"                                     \
    "requeue_query = SELECT id FROM orders WHERE status = 'failed'\n"                              \
    "errors.no_stock = permanent: order more\nerrors.busy = retry\n"

static struct sl_subsystems parsed;
static struct sl_buf mistakes;

static void parse(const char *text)
{
    sl_subsystems_done(&parsed);
    sl_buf_done(&mistakes);
    sl_buf_init(&mistakes, 16 * 1024);
    sl_subsystems_parse(sl_span_of(text), "s.conf", &parsed, &mistakes);
}

static const char *said(void)
{
    return sl_buf_span(&mistakes).data;
}

static void done(void)
{
    sl_subsystems_done(&parsed);
    sl_buf_done(&mistakes);
}

CLAIM(subsystems__what_is_not_said_has_its_default)
{
    parse("[billing]\nhandler = billing\nbindings = stripe.#\n");
    CU_ASSERT_STRING_EQUAL(said(), "");
    CU_ASSERT_EQUAL_FATAL(parsed.count, 1);
    struct sl_buf told;
    sl_buf_init(&told, 8192);
    sl_subsystem_tell(&parsed.items[0], &told);
    CU_ASSERT_STRING_EQUAL(
        sl_buf_span(&told).data,
        "[billing]\nhandler = billing\nbindings = stripe.#\n# by default\nenabled = true\n"
        "batch = 500\nprefetch = 1000\nreplay_prefetch = 10\nworkers = 1\nattempts = 6\nbackoff = 5s\nbackoff_max = 12d\n"
        "delay = 0s\nbreaker_ratio = 10%\nbreaker_samples = 20\nbreaker_window = 1m\n"
        "breaker_consecutive = 5\nbreaker_probe = 1m\nrefuse-when-open = false\non-trip = none\n"
        "on-dead = none\nseverity = warning\nfail_loud = false\ncritical = false\n"
        "class = realtime\nkeep_done = 35d\nkeep_failed = 500 90d\n");
    CU_ASSERT_STRING_EQUAL(parsed.items[0].queue, "sluice.billing");
    CU_ASSERT_STRING_EQUAL(parsed.items[0].owner, "");
    sl_buf_done(&told);
    done();
}

CLAIM(subsystems__everything_can_be_said)
{
    parse(FULL "[b]\nhandler=sql\nfunction = app.apply_b\nbindings= a.#, *.b.*  c\nbatch = 1\n"
               "enabled = false\nerrors.23505 = permanent\non-dead = sql app.b_failed\n");
    CU_ASSERT_STRING_EQUAL(said(), "");
    CU_ASSERT_EQUAL_FATAL(parsed.count, 2);
    const struct sl_subsystem *a = &parsed.items[0];
    CU_ASSERT_EQUAL(a->handler, SL_HANDLER_HTTP);
    CU_ASSERT_STRING_EQUAL(a->url.text, "https://shop.example/hook?x=1");
    CU_ASSERT_STRING_EQUAL(a->secret, "ORDERS_SECRET");
    CU_ASSERT_EQUAL(a->timeout_ms, 3000);
    CU_ASSERT_EQUAL(a->prefetch, 40);
    CU_ASSERT_EQUAL(a->attempts, 3);
    CU_ASSERT_EQUAL(a->backoff_ms, 2000);
    CU_ASSERT_EQUAL(a->backoff_max_ms, 600000);
    CU_ASSERT_EQUAL(a->breaker_ratio, 25);
    CU_ASSERT_EQUAL(a->breaker_window_ms, 90000);
    CU_ASSERT_TRUE(a->refuse_when_open);
    CU_ASSERT_EQUAL(a->on_trip.kind, SL_CALL_SENTRY);
    CU_ASSERT_EQUAL(a->on_dead.kind, SL_CALL_HTTP);
    CU_ASSERT_TRUE(a->on_dead.url.is_variable);
    CU_ASSERT_STRING_EQUAL(a->on_dead.url.text, "ORDERS_DEAD_URL");
    CU_ASSERT_STRING_EQUAL(a->impact, "nobody gets a parcel");
    CU_ASSERT_EQUAL(a->severity, SL_SEVERITY_CRITICAL);
    CU_ASSERT_EQUAL(a->class, SL_CLASS_BACKFILL);
    CU_ASSERT_EQUAL(a->keep_failed.count, 10);
    CU_ASSERT_EQUAL(a->keep_failed.age_ms, INT64_C(7) * 86400000);
    const struct sl_subsystem *b = sl_subsystems_find(&parsed, SL_SPAN_LITERAL("b"));
    CU_ASSERT_PTR_EQUAL_FATAL(b, &parsed.items[1]);
    CU_ASSERT_FALSE(b->enabled);
    CU_ASSERT_EQUAL(b->binding_count, 3);
    CU_ASSERT_STRING_EQUAL(b->bindings[1], "*.b.*");
    CU_ASSERT_STRING_EQUAL(b->function, "app.apply_b");
    CU_ASSERT_STRING_EQUAL(b->on_dead.function, "app.b_failed");
    CU_ASSERT_EQUAL(b->prefetch, 2);
    CU_ASSERT_PTR_NULL(sl_subsystems_find(&parsed, SL_SPAN_LITERAL("c")));
    done();
}

CLAIM(subsystems__a_section_that_is_told_reads_back_to_itself)
{
    static const char *const sections[] = {
        FULL,
        "[b]\nhandler=sql\nfunction=f\nbindings=#\ndelay=x:1s\nerrors.P0042 = halt: call\n",
        "[c]\nhandler=http\nbindings=#\nurl=$C_URL\nsecret=C_SECRET\nkeep_failed = 3d\n",
        "[e]\nhandler=http\nbindings=#\nurl=$C_URL\nbearer=C_TOKEN\nenabled=$C_URL\n",
        "[d]\nhandler=billing\nbindings=#\non-trip = http http://h/\nsecret = X\n",
    };
    for (size_t i = 0; i < SL_COUNT(sections); i++) {
        struct sl_buf first;
        struct sl_buf second;
        sl_buf_init(&first, 8192);
        sl_buf_init(&second, 8192);
        parse(sections[i]);
        CU_ASSERT_STRING_EQUAL(said(), "");
        sl_subsystem_tell(&parsed.items[0], &first);
        parse(sl_buf_span(&first).data);
        CU_ASSERT_STRING_EQUAL(said(), "");
        /* The second time everything is said, so the order is that of the keys: compare the telling of its telling. */
        sl_subsystem_tell(&parsed.items[0], &second);
        sl_buf_reset(&first);
        parse(sl_buf_span(&second).data);
        sl_subsystem_tell(&parsed.items[0], &first);
        CU_ASSERT_STRING_EQUAL(sl_buf_span(&first).data, sl_buf_span(&second).data);
        sl_buf_done(&first);
        sl_buf_done(&second);
    }
    done();
}

CLAIM(subsystems__a_delay_is_for_all_types_or_for_one)
{
    static const struct {
        const char *delay;
        const char *type;
        int64_t expected_ms;
    } cases[] = {
        { "5m", "x", 300000 },
        { "networkTypeChange:30m", "networkTypeChange", 1800000 },
        { "networkTypeChange:30m", "simSwap", 0 },
        { "10s, a.b:2h a.c:0s", "a.b", 7200000 },
        { "10s, a.b:2h a.c:0s", "a.c", 0 },
        { "10s, a.b:2h a.c:0s", "a", 10000 },
        { "a.b:2h 10s", "a.b", 7200000 },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "[a]\nhandler = billing\nbindings = #\ndelay = %s\n",
                 cases[i].delay);
        parse(text);
        CU_ASSERT_STRING_EQUAL(said(), "");
        CU_ASSERT_EQUAL(sl_subsystem_delay_ms(&parsed.items[0], sl_span_of(cases[i].type)),
                        cases[i].expected_ms);
    }
    done();
}

CLAIM(subsystems__delays_of_one_length_wait_in_one_queue)
{
    static const int64_t expected_ms[] = { 10000, 0, 0, 5000 };
    parse("[a]\nhandler = billing\nbindings = #\ndelay = 10s a.b:10s a.c:0s a.d:5s\n");
    CU_ASSERT_STRING_EQUAL(said(), "");
    for (size_t i = 0; i < SL_COUNT(expected_ms); i++) {
        CU_ASSERT_EQUAL(sl_subsystem_first_wait_ms(&parsed.items[0], i), expected_ms[i]);
    }
    done();
}

CLAIM(subsystems__a_code_has_its_verdict_and_what_to_do)
{
    parse(FULL);
    const struct sl_subsystem_rule *rule =
        sl_subsystem_rule_find(&parsed.items[0], SL_SPAN_LITERAL("no_stock"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
    CU_ASSERT_EQUAL(rule->verdict, SL_RULE_PERMANENT);
    CU_ASSERT_STRING_EQUAL(rule->resolution, "order more");
    rule = sl_subsystem_rule_find(&parsed.items[0], SL_SPAN_LITERAL("busy"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
    CU_ASSERT_EQUAL(rule->verdict, SL_RULE_RETRY);
    CU_ASSERT_STRING_EQUAL(rule->resolution, "");
    CU_ASSERT_PTR_NULL(sl_subsystem_rule_find(&parsed.items[0], SL_SPAN_LITERAL("no_stoc")));
    done();
}

/* One wrong line in a section that is otherwise right, on line 4 of an sql one or line 6 of an http one. */
CLAIM(subsystems__every_mistake_has_its_line_and_says_what_is_expected)
{
    static const struct {
        const char *line;
        const char *expected; /* behind "s.conf:4: [a] " */
    } cases[] = {
        { "bindigs = x", "has no key \"bindigs\"; did you mean bindings?" },
        { "on_dead = none", "has no key \"on_dead\"; did you mean on-dead?" },
        { "error.X = retry", "has no key \"error.X\"" },
        { "enabled = yes", "enabled: true or false, or $NAME: true while that variable is set" },
        { "batch = 5000", "batch: a number from 1 to 1000" },
        { "batch = 5.5", "batch: a number from 1 to 1000" },
        { "workers = 0", "workers: a number from 1 to 16" },
        { "attempts = -1", "attempts: a number from 1 to 100" },
        { "backoff = 5", "backoff: a time with its unit (ms, s, m, h, d), from 1ms to 12d" },
        { "backoff = 13d", "backoff: a time with its unit (ms, s, m, h, d), from 1ms to 12d" },
        { "breaker_ratio = 10", "breaker_ratio: a share from 1% to 100%" },
        { "breaker_ratio = 0%", "breaker_ratio: a share from 1% to 100%" },
        { "severity = critcal", "severity: there is no such word; there is: info, warning, critical"
                                "; did you mean critical?" },
        { "class = batch", "class: there is no such word; there is: realtime, backfill" },
        { "delay = 30",
          "delay: whole seconds with a unit (s, m, h, d), at most 12d, such as 5m, or "
          "per type, such as networkTypeChange:30m" },
        { "delay = a:1500ms", "delay: whole seconds with a unit (s, m, h, d), at most 12d, such as "
                              "5m, or per type, such as networkTypeChange:30m" },
        { "delay = a:1s a:2s", "delay: the type a has two delays" },
        { "delay = 1s 2s", "delay: every other type has two delays" },
        { "delay = ü:1s", "delay: an event type is letters, digits and dots, such as "
                          "networkTypeChange:30m" },
        { "delay =", "delay: a time with its unit, such as 5m, or per type, such as "
                     "networkTypeChange:30m" },
        { "keep_done = 34d",
          "keep_done: a time with its unit (ms, s, m, h, d), from 35d to 3650d" },
        { "keep_failed = many", "keep_failed: a number of events, an age with its unit, or both: "
                                "500 90d" },
        { "keep_failed = 1 2", "keep_failed: a number of events, an age with its unit, or both: "
                               "500 90d" },
        { "on-trip = mail", "on-trip: http URL, sentry, or none" },
        { "on-trip = sql f", "on-trip: http URL, sentry, or none" },
        { "on-dead = sql Bad", "on-dead: http URL, sql [schema.]FUNCTION, or none" },
        { "on-dead = sentry", "on-dead: http URL, sql [schema.]FUNCTION, or none" },
        { "requeue_query = DELETE FROM x", "requeue_query: one SELECT (or WITH … SELECT) on one "
                                           "line" },
        { "requeue_query = SELECT 1; SELECT 2",
          "requeue_query: one statement, without a semicolon" },
        { "errors.P0042 = permament",
          "errors: verdict: what to do, the verdict one of done, retry, "
          "permanent, systemic, halt; did you mean permanent?" },
        { "errors.P0042 = done",
          "errors: P0042: a transaction that failed cannot count as done; let "
          "the function catch it" },
        { "errors.NOPE = retry", "errors: NOPE is no SQLSTATE, which has five characters" },
        { "url = https://h/", "url: is for handler http, and this section has handler sql" },
        { "timeout = 5s", "timeout: is for handler http, on-dead = http and on-trip = http, and "
                          "there is none of them here" },
        { "secret = S", "secret: is for handler http, on-dead = http and on-trip = http, and there "
                        "is none of them here" },
        { "secret = whsec_abc", "secret: a secret has no place in this file: put it into the "
                                "environment, and here the name of its variable" },
        { "prefetch = 9", "prefetch: 9 is below batch 500, so no batch would ever be full" },
        { "backoff_max = 1s", "backoff_max: 1s is below backoff 5s" },
        { "handler = billing", NULL }, /* given twice: said by the reader of the form */
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        char text[512];
        snprintf(text, sizeof text, "[a]\nhandler = sql\nfunction = f\n%s\nbindings = #\n",
                 cases[i].line);
        parse(text);
        char expected[600];
        snprintf(expected, sizeof expected, "s.conf:4: [a] %s\n",
                 cases[i].expected == NULL ? "" : cases[i].expected);
        const char *found = strstr(said(), cases[i].expected == NULL ? "given twice" : expected);
        if (found == NULL) {
            printf("\n%s\nexpected: %ssaid: %s", cases[i].line, expected, said());
        }
        CU_ASSERT_PTR_NOT_NULL(found);
    }
    done();
}

CLAIM(subsystems__what_is_called_over_http_is_a_plain_url_and_signed)
{
    static const struct {
        const char *lines;
        const char *expected;
    } cases[] = {
        { "url = ftp://h", "url: http://host/path or https://host/path, or $NAME" },
        { "url = https://", "url: http://host/path or https://host/path, or $NAME" },
        { "url = https://me:pw@h/", "url: no user or password in a URL" },
        { "url = https://h/a b", "url: a URL has neither spaces" },
        { "url = https://h/#x", "url: a fragment (#) is never sent" },
        { "url = $orders", "url: after $ the name of an environment variable" },
        { "url = $SLUICE_URL", "names that begin with SLUICE_ are taken" },
        { "url = https://h/@me", NULL },
        { "url = $ORDERS_URL", NULL },
        { "secret = lower", "secret: the name of an environment variable" },
        { "function = f", "function: is for handler sql, and this section has handler http" },
        { "batch = 65", "batch: handler http makes so many requests at once: at most 64" },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        bool has_url = strncmp(cases[i].lines, "url", 3) == 0;
        bool has_secret = strncmp(cases[i].lines, "secret", 6) == 0;
        char text[512];
        snprintf(text, sizeof text, "[a]\nhandler = http\nbindings = #\n%s%s%s\n",
                 has_url ? "" : "url = http://h/\n", has_secret ? "" : "secret = S\n",
                 cases[i].lines);
        parse(text);
        bool is_right = cases[i].expected == NULL ? said()[0] == '\0'
                                                  : strstr(said(), cases[i].expected) != NULL;
        if (!is_right) {
            printf("\n%s\nsaid: %s", cases[i].lines, said());
        }
        CU_ASSERT_TRUE(is_right);
    }
    done();
}

CLAIM(subsystems__what_a_section_needs_is_said_at_its_heading)
{
    parse("[a]\nbatch = 10\nprefetch = 5\n[b]\nhandler = sql\nbindings = #\n[c]\nhandler = http\n"
          "bindings = #\n[d]\nhandler = billing\nbindings = #\nattempts = 1\nbackoff = 1s\n"
          "errors.X = retry\non-dead = http http://h/\n");
    CU_ASSERT_STRING_EQUAL(
        said(),
        "s.conf:1: [a] handler: missing; there is: billing, sql, http\n"
        "s.conf:1: [a] bindings: missing; such as stripe.#: without them its queue stays empty\n"
        "s.conf:3: [a] prefetch: 5 is below batch 10, so no batch would ever be full\n"
        "s.conf:4: [b] function: missing: handler sql calls it with each event\n"
        "s.conf:7: [c] url: missing: handler http POSTs each event to it\n"
        "s.conf:7: [c] secret: missing: every POST is signed; name the environment variable that "
        "holds the secret\n"
        "s.conf:15: [d] errors: is for handlers sql and http; billing has rules of its own\n"
        "s.conf:10: [d] secret: missing: every POST is signed; name the environment variable that "
        "holds the secret\n"
        "s.conf:14: [d] backoff: attempts = 1 leaves no second try to wait for\n");
    done();
}

CLAIM(subsystems__a_name_that_cannot_be_a_queue_is_refused)
{
    parse("[Big]\nanything = 1\n[a]\nhandler = biling\nbindings = a..b\n[a]\n[unrouted]\n");
    CU_ASSERT_STRING_EQUAL(
        said(),
        "s.conf:1: [Big] cannot be a subsystem: lower-case letters, digits and dashes, a letter "
        "first, at most 48\n"
        "s.conf:4: [a] handler: there is no such word; there is: billing, sql, http; did you mean "
        "billing?\n"
        "s.conf:5: [a] bindings: a pattern is words, * or # separated by dots, at most 127 bytes, "
        "such as stripe.invoice.#\n"
        "s.conf:6: [a] is described twice\n"
        "s.conf:7: [unrouted] cannot be a subsystem: the queue sluice.unrouted catches what "
        "nobody is bound to\n");
    done();
}

CLAIM(subsystems__an_empty_file_is_a_mistake)
{
    parse("# nothing\n");
    CU_ASSERT_STRING_EQUAL(said(),
                           "s.conf: no subsystem is described; a section is written [name]\n");
    done();
}

CLAIM(subsystems__a_section_may_be_enabled_by_a_variable)
{
    char *set[] = { "RAPTOR_BASE_URL=http://127.0.0.1/", NULL };
    char *unset[] = { "RAPTOR_BASE_URL=", NULL };
    done();
    sl_buf_init(&mistakes, 16 * 1024);
    sl_subsystems_load("compose/subsystems.conf", (struct sl_span){ 0 }, &parsed, &mistakes);
    CU_ASSERT_EQUAL_FATAL(parsed.count, 2);
    for (int i = 0; i < 2; i++) {
        struct sl_conf_source source;
        sl_conf_source_init(&source, i == 0 ? set : unset, &mistakes);
        sl_subsystems_switch(&parsed, &source);
        sl_conf_source_done(&source);
        CU_ASSERT_TRUE(parsed.items[0].enabled);
        CU_ASSERT_EQUAL(parsed.items[1].enabled, i == 0);
    }
    SL_DONE(sl_buf_done) struct sl_buf told;
    sl_buf_init(&told, 16 * 1024);
    sl_subsystem_tell(&parsed.items[1], &told);
    CU_ASSERT_PTR_NOT_NULL(strstr(sl_buf_span(&told).data, "enabled = $RAPTOR_BASE_URL\n"));
    CU_ASSERT_STRING_EQUAL(said(), "");
    done();
}

CLAIM(subsystems__the_shipped_default_is_right)
{
    done();
    sl_buf_init(&mistakes, 16 * 1024);
    sl_subsystems_load("compose/subsystems.conf", (struct sl_span){ 0 }, &parsed, &mistakes);
    CU_ASSERT_STRING_EQUAL(said(), "");
    CU_ASSERT_EQUAL_FATAL(parsed.count, 2);
    CU_ASSERT_STRING_EQUAL(parsed.items[0].name, "billing");
    CU_ASSERT_STRING_EQUAL(parsed.items[0].bindings[0], "stripe.#");
    CU_ASSERT_TRUE(parsed.items[0].enabled);
    CU_ASSERT_STRING_EQUAL(parsed.items[1].name, "billing-callback");
    CU_ASSERT_FALSE(parsed.items[1].enabled);
    done();
}

CLAIM(subsystems__a_file_that_cannot_be_read_names_the_setting)
{
    done();
    sl_buf_init(&mistakes, 16 * 1024);
    sl_subsystems_load("/nonexistent/s.conf", (struct sl_span){ 0 }, &parsed, &mistakes);
    CU_ASSERT_STRING_EQUAL(
        said(), "SLUICE_SUBSYSTEMS: cannot read /nonexistent/s.conf: No such file or directory\n");
    CU_ASSERT_EQUAL(parsed.count, 0);
    done();
}
