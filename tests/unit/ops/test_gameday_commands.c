#include "ops/gameday/gameday_commands.h"

#include <string.h>

#include "tests/support/claims.h"

static const struct ops_gameday_scenario *scenario(const char *name)
{
    struct sl_err err = { 0 };
    return ops_gameday_scenario_find(name, &err);
}

static bool read_text(struct ops_gameday_commands *commands, const char *text,
                      enum ops_gameday_inventory inventory, struct sl_err *err)
{
    commands->text = strdup(text);
    return ops_gameday_commands_read(commands, commands->text, "gameday.conf", inventory, err);
}

static const char file[] = "# what hurts, and what heals\n"
                           "[staging]\n"
                           "broker-stop.begin = ssh mq-1 'systemctl stop rabbitmq-server'  \n"
                           "broker-stop.end = ssh mq-1 'systemctl start rabbitmq-server'\n"
                           "[prod]\n"
                           "broker-stop.begin = ssh mq-prod a=b\n"
                           "disk-full.end=x";

CLAIM(commands__are_those_of_the_inventory_and_of_no_other)
{
    SL_DONE(ops_gameday_commands_done) struct ops_gameday_commands staging = { 0 };
    SL_DONE(ops_gameday_commands_done) struct ops_gameday_commands prod = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(read_text(&staging, file, OPS_GAMEDAY_STAGING, &err));
    CU_ASSERT_FATAL(read_text(&prod, file, OPS_GAMEDAY_PROD, &err));
    CU_ASSERT_STRING_EQUAL(staging.items[OPS_GAMEDAY_BROKER_STOP].begin,
                           "ssh mq-1 'systemctl stop rabbitmq-server'");
    CU_ASSERT_STRING_EQUAL(staging.items[OPS_GAMEDAY_BROKER_STOP].end,
                           "ssh mq-1 'systemctl start rabbitmq-server'");
    CU_ASSERT_PTR_NULL(staging.items[OPS_GAMEDAY_DISK_FULL].end);
    CU_ASSERT_STRING_EQUAL(prod.items[OPS_GAMEDAY_BROKER_STOP].begin, "ssh mq-prod a=b");
    CU_ASSERT_STRING_EQUAL(prod.items[OPS_GAMEDAY_DISK_FULL].end, "x");
}

CLAIM(commands__a_missing_one_is_named_with_its_section)
{
    SL_DONE(ops_gameday_commands_done) struct ops_gameday_commands prod = { 0 };
    struct ops_gameday_commands none = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(read_text(&prod, file, OPS_GAMEDAY_PROD, &err));
    CU_ASSERT_FALSE(
        ops_gameday_commands_suffice(&prod, scenario("broker-stop"), OPS_GAMEDAY_PROD, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "section [prod] has no broker-stop.end"));
    CU_ASSERT_FALSE(
        ops_gameday_commands_suffice(&prod, scenario("disk-full"), OPS_GAMEDAY_PROD, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "section [prod] has no disk-full.begin"));
    CU_ASSERT_FALSE(
        ops_gameday_commands_suffice(&none, scenario("broker-stop"), OPS_GAMEDAY_STAGING, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "SLUICE_GAMEDAY"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "[staging]"));
}

CLAIM(commands__a_storm_made_of_events_needs_none)
{
    struct ops_gameday_commands none = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT(
        ops_gameday_commands_suffice(&none, scenario("poison-flood"), OPS_GAMEDAY_PROD, &err));
    CU_ASSERT(
        ops_gameday_commands_suffice(&none, scenario("producer-storm"), OPS_GAMEDAY_PROD, &err));
}

CLAIM(commands__every_mistake_in_the_file_is_told_at_once)
{
    SL_DONE(ops_gameday_commands_done) struct ops_gameday_commands commands = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FALSE(read_text(&commands,
                              "[live]\n[prod]\nbroker-stop = x\nbroker-stp.begin = x\n"
                              "disk-full.begin =\n",
                              OPS_GAMEDAY_STAGING, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_CONFIG);
    for (int line = 1; line <= 5; line++) {
        char place[32];
        snprintf(place, sizeof place, "gameday.conf:%d:", line);
        CU_ASSERT_EQUAL(strstr(err.text, place) != NULL, line != 2);
    }
}

CLAIM(scenario__a_wrong_name_gets_the_nearest)
{
    struct sl_err err = { 0 };
    CU_ASSERT_PTR_NULL(ops_gameday_scenario_find("broker-stopp", &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "broker-stop?"));
}
