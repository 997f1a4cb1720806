#include "ops/gameday/gameday_guard.h"

#include <string.h>

#include "ops/gameday/gameday_backup.h"
#include "tests/support/claims.h"

#define HOUR_S INT64_C(3600)

/* A person in prod who has done everything right. */
static struct ops_gameday_facts ready(void)
{
    return (struct ops_gameday_facts){ .inventory = "prod",
                                       .confirm_prod = "1",
                                       .has_terminal = true,
                                       .backup = OPS_GAMEDAY_BACKUP_KNOWN,
                                       .backup_age_s = 2 * HOUR_S,
                                       .phrase = "KILL-PROD" };
}

static bool refuses(const struct ops_gameday_facts *facts, const char *word)
{
    struct sl_err err = { 0 };
    return ops_gameday_guard(facts, &err) == OPS_GAMEDAY_REFUSE && strstr(err.text, word) != NULL;
}

CLAIM(guard__staging_is_the_default_and_needs_nothing)
{
    static const char *const names[] = { NULL, "", "staging" };
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        struct ops_gameday_facts facts = { .inventory = names[i] };
        struct sl_err err = { 0 };
        CU_ASSERT_EQUAL(ops_gameday_guard(&facts, &err), OPS_GAMEDAY_GO);
    }
}

CLAIM(guard__any_other_inventory_is_refused_whatever_else_is_right)
{
    static const char *const names[] = { "production", "PROD", "prod ", "dev", "Staging", "prod2" };
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        struct ops_gameday_facts facts = ready();
        facts.inventory = names[i];
        CU_ASSERT(refuses(&facts, "staging or prod"));
    }
}

CLAIM(guard__prod_is_held_by_a_person_who_has_done_everything)
{
    struct ops_gameday_facts facts = ready();
    struct sl_err err = { 0 };
    CU_ASSERT_EQUAL(ops_gameday_guard(&facts, &err), OPS_GAMEDAY_GO);
}

CLAIM(guard__each_thing_that_prod_lacks_is_refused_by_its_name)
{
    static const struct {
        const char *word;
        const char *confirm;
        bool has_terminal;
        enum ops_gameday_backup backup;
        int64_t age_s;
        const char *phrase;
    } rows[] = {
        { "CONFIRM_PROD=1", NULL, true, OPS_GAMEDAY_BACKUP_KNOWN, 0, "KILL-PROD" },
        { "CONFIRM_PROD=1", "yes", true, OPS_GAMEDAY_BACKUP_KNOWN, 0, "KILL-PROD" },
        { "terminal", "1", false, OPS_GAMEDAY_BACKUP_KNOWN, 0, "KILL-PROD" },
        { "not on this machine", "1", true, OPS_GAMEDAY_BACKUP_NO_TOOL, 0, "KILL-PROD" },
        { "can be read", "1", true, OPS_GAMEDAY_BACKUP_UNREADABLE, 0, "KILL-PROD" },
        { "without a good backup", "1", true, OPS_GAMEDAY_BACKUP_NONE, 0, "KILL-PROD" },
        { "24 h old", "1", true, OPS_GAMEDAY_BACKUP_KNOWN, 24 * HOUR_S, "KILL-PROD" },
        { "72 h old", "1", true, OPS_GAMEDAY_BACKUP_KNOWN, 72 * HOUR_S, "KILL-PROD" },
        { "not the phrase", "1", true, OPS_GAMEDAY_BACKUP_KNOWN, 0, "kill-prod" },
        { "not the phrase", "1", true, OPS_GAMEDAY_BACKUP_KNOWN, 0, "" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct ops_gameday_facts facts = { .inventory = "prod",
                                           .confirm_prod = rows[i].confirm,
                                           .has_terminal = rows[i].has_terminal,
                                           .backup = rows[i].backup,
                                           .backup_age_s = rows[i].age_s,
                                           .phrase = rows[i].phrase };
        CU_ASSERT(refuses(&facts, rows[i].word));
    }
}

CLAIM(guard__a_refusal_over_backups_says_how_to_go_on_without)
{
    struct ops_gameday_facts facts = ready();
    facts.backup = OPS_GAMEDAY_BACKUP_NO_TOOL;
    CU_ASSERT(refuses(&facts, "SKIP_BACKUP_FRESHNESS=1"));
    facts.skip_backup = "1";
    struct sl_err err = { 0 };
    CU_ASSERT_EQUAL(ops_gameday_guard(&facts, &err), OPS_GAMEDAY_GO);
    facts.skip_backup = "0";
    CU_ASSERT(refuses(&facts, "pgbackrest"));
}

CLAIM(guard__asks_for_the_backup_and_then_for_the_phrase_and_never_before_the_rest)
{
    struct ops_gameday_facts facts = ready();
    struct sl_err err = { 0 };
    facts.phrase = NULL;
    facts.backup = OPS_GAMEDAY_BACKUP_UNASKED;
    CU_ASSERT_EQUAL(ops_gameday_guard(&facts, &err), OPS_GAMEDAY_ASK_BACKUP);
    facts.backup = OPS_GAMEDAY_BACKUP_KNOWN;
    CU_ASSERT_EQUAL(ops_gameday_guard(&facts, &err), OPS_GAMEDAY_ASK_PHRASE);
    facts.has_terminal = false;
    CU_ASSERT(refuses(&facts, "terminal"));
}

static enum ops_gameday_backup read_backup(const char *json, int64_t *out_stop_s)
{
    return ops_gameday_backup_read(sl_span_of(json), out_stop_s);
}

CLAIM(backup__the_stanza_whose_newest_good_backup_is_oldest_counts)
{
    int64_t stop_s = 0;
    CU_ASSERT_EQUAL(
        read_backup("[{\"name\":\"main\",\"backup\":[{\"error\":false,\"timestamp\":{\"start\":90,"
                    "\"stop\":100}},{\"timestamp\":{\"start\":290,\"stop\":300}}]},"
                    "{\"name\":\"audit\",\"backup\":[{\"timestamp\":{\"stop\":200}}]}]",
                    &stop_s),
        OPS_GAMEDAY_BACKUP_KNOWN);
    CU_ASSERT_EQUAL(stop_s, 200);
}

CLAIM(backup__one_with_an_error_is_none)
{
    int64_t stop_s = 0;
    CU_ASSERT_EQUAL(read_backup("[{\"backup\":[{\"error\":true,\"timestamp\":{\"stop\":300}},"
                                "{\"error\":false,\"timestamp\":{\"stop\":100}}]}]",
                                &stop_s),
                    OPS_GAMEDAY_BACKUP_KNOWN);
    CU_ASSERT_EQUAL(stop_s, 100);
    CU_ASSERT_EQUAL(
        read_backup("[{\"backup\":[{\"error\":true,\"timestamp\":{\"stop\":300}}]}]", &stop_s),
        OPS_GAMEDAY_BACKUP_NONE);
}

CLAIM(backup__no_stanza_or_an_empty_one_is_none_and_anything_else_is_unreadable)
{
    static const struct {
        const char *json;
        enum ops_gameday_backup expected;
    } rows[] = {
        { "[]", OPS_GAMEDAY_BACKUP_NONE },
        { "[{\"name\":\"main\",\"backup\":[]}]", OPS_GAMEDAY_BACKUP_NONE },
        { "[{\"name\":\"main\"}]", OPS_GAMEDAY_BACKUP_NONE },
        { "[{\"backup\":[{\"timestamp\":{\"stop\":9}}]},{\"backup\":[]}]",
          OPS_GAMEDAY_BACKUP_NONE },
        { "[{\"backup\":[{\"timestamp\":{\"stop\":\"9\"}}]}]", OPS_GAMEDAY_BACKUP_NONE },
        { "{}", OPS_GAMEDAY_BACKUP_UNREADABLE },
        { "", OPS_GAMEDAY_BACKUP_UNREADABLE },
        { "[{\"backup\":", OPS_GAMEDAY_BACKUP_UNREADABLE },
        { "ERROR: [055]: unable to load info file", OPS_GAMEDAY_BACKUP_UNREADABLE },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        int64_t stop_s = 0;
        CU_ASSERT_EQUAL(read_backup(rows[i].json, &stop_s), rows[i].expected);
    }
}
