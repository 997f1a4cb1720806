#include "shared/signature/sources_read.h"

#include <stdio.h>

#include "tests/support/claims.h"

#define FILE_NAME "sources.conf"

static struct sl_sources sources;
static char said[8192];

static void parse(const char *text)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, sizeof said - 1);
    sl_sources_parse(sl_span_of(text), FILE_NAME, &sources, &mistakes);
    snprintf(said, sizeof said, "%.*s", SL_SPAN_ARGS(sl_buf_span(&mistakes)));
}

static const struct sl_source *find(const char *name)
{
    const struct sl_source *found = sl_sources_find(&sources, sl_span_of(name));
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found;
}

CLAIM(sources__stripe_is_there_without_being_named)
{
    sl_sources_default(&sources);
    CU_ASSERT_EQUAL(sources.count, 1);
    CU_ASSERT_STRING_EQUAL(find("stripe")->secret_name, "STRIPE_WEBHOOK_SECRET");
    CU_ASSERT_EQUAL(find("stripe")->facts.depth, 3);
    parse("[github]\nsecret = GH_SECRET\n");
    CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT_EQUAL(sources.count, 2);
    CU_ASSERT_STRING_EQUAL(sources.items[0].name, "stripe");
    parse("[stripe]\nrate = 50\n");
    CU_ASSERT_EQUAL(sources.count, 1);
    CU_ASSERT_EQUAL(find("stripe")->rate, 50);
    CU_ASSERT_EQUAL(find("stripe")->burst, 50);
}

CLAIM(sources__are_compared_by_what_they_say)
{
    static const char text[] = "[github]\nsecret = GH_SECRET\nrate = 5\n";
    static const struct {
        const char *text;
        bool is_equal;
    } rows[] = {
        { text, true },
        { "# moved down\n\n[github]\nrate = 5\nsecret = GH_SECRET\n", true },
        { "[github]\nsecret = GH_SECRET\nrate = 6\n", false },
        { "[github]\nsecret = GH_OTHER\nrate = 5\n", false },
        { "[github]\nsecret = GH_SECRET\nrate = 5\nprefix = other=\n", false },
        { "[github]\nsecret = GH_SECRET\nrate = 5\nobject = repository.name\n", false },
        { "[github]\nsecret = GH_SECRET\nrate = 5\n[stripe]\nrate = 5\n", false },
    };
    static struct sl_sources before;
    parse(text);
    before = sources;
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        memset(&sources, 0xa5, sizeof sources); /* what is between the members does not count */
        parse(rows[i].text);
        CU_ASSERT_EQUAL(sl_sources_equal(&before, &sources), rows[i].is_equal);
    }
}

CLAIM(sources__a_section_says_how_its_sender_signs_and_where_its_facts_are)
{
    parse("# who may post\n"
          "[partner-a]\n"
          "scheme = hmac\n"
          "secret = PARTNER_SECRET\n"
          "header = X-Partner-Signature\n"
          "encoding = base64\n"
          "prefix = v0=\n"
          "signed = v0:{timestamp}:{body}\n"
          "timestamp_header = X-Partner-Time\n"
          "tolerance = 60s\n"
          "id = meta.event.id, id2\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, FILE_NAME ":11: [partner-a] id: a place in the body"));
    parse("[partner-a]\n"
          "scheme = hmac\n"
          "header = X-Partner-Signature\n"
          "encoding = base64\n"
          "prefix = v0=\n"
          "signed = v0:{timestamp}:{body}\n"
          "timestamp_header = X-Partner-Time\n"
          "tolerance = 60s\n"
          "id = meta.event.id,id2\n"
          "type_default = order.changed\n"
          "rate = 10\n"
          "burst = 40\n");
    CU_ASSERT_STRING_EQUAL(said, "");
    const struct sl_source *partner = find("partner-a");
    CU_ASSERT_STRING_EQUAL(partner->secret_name, "PARTNER_A_WEBHOOK_SECRET");
    CU_ASSERT_STRING_EQUAL(partner->scheme.header, "X-Partner-Signature");
    CU_ASSERT_STRING_EQUAL(partner->scheme.prefix, "v0=");
    CU_ASSERT_STRING_EQUAL(partner->scheme.time_header, "X-Partner-Time");
    CU_ASSERT_EQUAL(partner->scheme.encoding, SL_ENCODING_BASE64);
    CU_ASSERT_EQUAL(partner->scheme.part_count, 4);
    CU_ASSERT_EQUAL(partner->tolerance_ms, 60000);
    CU_ASSERT_EQUAL(partner->burst, 40);
    CU_ASSERT_EQUAL(partner->facts.depth, 3);
    CU_ASSERT_STRING_EQUAL(partner->facts.type_rest, "order.changed");
}

CLAIM(sources__every_mistake_has_its_line)
{
    static const struct {
        const char *text;
        const char *said; /* the first line, in part */
    } rows[] = {
        { "[Git Hub]\n", ":1: [Git Hub] cannot be a source" },
        { "[internal]\n", ":1: [internal] cannot be a source: that name is for" },
        { "[github]\n[github]\n", ":2: [github] is described twice" },
        { "[acme]\nheader = X\n", ":2: [acme] scheme: must come before this key" },
        { "[acme]\n", ":1: [acme] needs a scheme" },
        { "[acme]\nscheme = md5\n", ":2: [acme] scheme: there is stripe" },
        { "[acme]\nscheme = hmac\n", ":1: [acme] needs a header" },
        { "[acme]\nscheme = hmac\nheader = X Y\n", ":3: [acme] header: the name of a header" },
        { "[acme]\nscheme = hmac\nheader = X\nsigned = {timestamp}\n",
          ":4: [acme] signed: needs {body}" },
        { "[acme]\nscheme = hmac\nheader = X\nsigned = {timestamp}{body}\n",
          ":1: [acme] timestamp_header and {timestamp}" },
        { "[acme]\nscheme = hmac\nheader = X\ntimestamp_header = T\n",
          ":1: [acme] timestamp_header and {timestamp}" },
        { "[acme]\nscheme = hmac\nheader = X\nid_header = I\n", ":1: [acme] id_header and {id}" },
        { "[acme]\nscheme = hmac\nheader = X\nencoding = hex64\n", ":4: [acme] encoding: hex" },
        { "[github]\nheader = X\n", ":2: [github] header, prefix, encoding" },
        { "[github]\ntolerance = 60s\n", ":1: [github] tolerance: this scheme signs no timestamp" },
        { "[stripe]\ntolerance = 0s\n", ":2: [stripe] tolerance: from 1s" },
        { "[stripe]\ntolerance = 60\n", ":2: [stripe] tolerance: from 1s" },
        { "[github]\nsecret = whsec_abc\n", ":2: [github] secret: the name of the variable" },
        { "[github]\nsecret = SLUICE_SECRET\n", ":2: [github] secret: the name of the variable" },
        { "[github]\nrate = 0\n", ":2: [github] rate: a number of events" },
        { "[github]\nburst = 5\n", ":1: [github] burst needs a rate" },
        { "[github]\nenabled = maybe\n", ":2: [github] enabled: true or false" },
        { "[github]\ntipe = action\n", ":2: [github] has no key \"tipe\"; did you mean type?" },
        { "[github]\nid = a..b\n", ":2: [github] id: a place in the body" },
        { "[github]\nid = a.b.c.d.e.f.g.h.i\n", ":1: [github] paths go at most 8 levels deep" },
        { "[a]\nscheme=github\n[b]\nscheme=github\n[c]\nscheme=github\n[d]\nscheme=github\n"
          "[e]\nscheme=github\n[f]\nscheme=github\n[g]\nscheme=github\n[h]\nscheme=github\n",
          ": more than 8 sources" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        parse(rows[i].text);
        if (strncmp(said, FILE_NAME, strlen(FILE_NAME)) != 0 ||
            strncmp(said + strlen(FILE_NAME), rows[i].said, strlen(rows[i].said)) != 0) {
            printf("row %zu: %s", i, said);
            CU_FAIL("said something else");
        }
        CU_ASSERT_PTR_NOT_NULL(strchr(said, '\n'));
        CU_ASSERT_EQUAL(strchr(said, '\n')[1], '\0'); /* one mistake, one line */
    }
}

CLAIM(sources__a_file_that_cannot_be_read_is_named)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, 1024);
    sl_sources_load("/nonexistent/sources.conf", &sources, &mistakes);
    CU_ASSERT(sl_span_starts_with(sl_buf_span(&mistakes),
                                  "SLUICE_SOURCES: cannot read /nonexistent/sources.conf: "));
}

CLAIM(sources__the_shipped_example_has_no_mistake)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, 1024);
    sl_sources_load("compose/sources.conf", &sources, &mistakes);
    CU_ASSERT_EQUAL(mistakes.used_bytes, 0);
    CU_ASSERT_EQUAL(sources.count, 5);
}
