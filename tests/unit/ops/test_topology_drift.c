#include "ops/topology/topology_drift.h"

#include "tests/support/claims.h"

#define REPLY "406 PRECONDITION_FAILED - "

static const struct {
    const char *text;
    const char *argument; /* NULL: not such a text */
    const char *wanted;
    const char *current;
} replies[] = {
    { REPLY "inequivalent arg 'x-delivery-limit' for queue 'sluice.billing' in vhost '/': "
            "received '20' but current is '10'",
      "x-delivery-limit", "20", "10" },
    { REPLY "inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received the value "
            "'reject-publish' of type 'longstr' but current is none",
      "x-overflow", "reject-publish", "" },
    { REPLY "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current "
            "is the value '100' of type 'signedint'",
      "x-max-length", "", "100" },
    { REPLY "inequivalent arg 'type' for exchange 'sluice.events' in vhost '/': received 'topic' "
            "but current is 'direct'",
      "type", "topic", "direct" },
    { REPLY "invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type "
            "rabbit_classic_queue",
      NULL, NULL, NULL },
    { REPLY "inequivalent arg 'x-overflow' for queue", NULL, NULL, NULL },
    { REPLY "inequivalent arg 'x-overflow", NULL, NULL, NULL },
    { "", NULL, NULL, NULL },
};

CLAIM(topology_drift__reads_both_wordings_of_the_broker)
{
    for (size_t i = 0; i < SL_COUNT(replies); i++) {
        struct ops_drift drift = { 0 };
        bool is_read = ops_drift_parse(sl_span_of(replies[i].text), &drift);
        CU_ASSERT_EQUAL(is_read, replies[i].argument != NULL);
        if (is_read && replies[i].argument != NULL) {
            CU_ASSERT_STRING_EQUAL(drift.argument, replies[i].argument);
            CU_ASSERT_STRING_EQUAL(drift.wanted, replies[i].wanted);
            CU_ASSERT_STRING_EQUAL(drift.current, replies[i].current);
        }
    }
}

static const struct sl_amqp_header some[] = {
    { .name = "x-queue-type", .text = { "quorum", 6 } },
    { .name = "x-delivery-limit", .number = 20 },
};
static const struct sl_amqp_declare queue = {
    .kind = SL_AMQP_DECLARE_QUEUE, .name = "q", .arguments = some, .argument_count = 2
};

CLAIM(topology_drift__concedes_another_number)
{
    struct ops_drift drift = { "x-delivery-limit", "20", "10" };
    struct sl_amqp_header room[3];
    struct sl_amqp_declare conceded = { 0 };
    CU_ASSERT_TRUE_FATAL(ops_drift_concede(&queue, &drift, room, &conceded));
    CU_ASSERT_EQUAL(conceded.argument_count, 2);
    CU_ASSERT_STRING_EQUAL(conceded.arguments[1].name, "x-delivery-limit");
    CU_ASSERT_EQUAL(conceded.arguments[1].number, 10);
    CU_ASSERT_PTR_NULL(conceded.arguments[1].text.data);
}

CLAIM(topology_drift__concedes_an_argument_that_is_there_or_not)
{
    struct sl_amqp_header room[3];
    struct sl_amqp_declare conceded = { 0 };
    struct ops_drift extra = { "x-max-length", "", "100" };
    CU_ASSERT_TRUE_FATAL(ops_drift_concede(&queue, &extra, room, &conceded));
    CU_ASSERT_EQUAL(conceded.argument_count, 3);
    struct ops_drift lacking = { "x-queue-type", "quorum", "" };
    CU_ASSERT_TRUE_FATAL(ops_drift_concede(&queue, &lacking, room, &conceded));
    CU_ASSERT_EQUAL(conceded.argument_count, 1);
}

CLAIM(topology_drift__does_not_concede_what_is_no_argument)
{
    struct sl_amqp_header room[3];
    struct sl_amqp_declare conceded = { 0 };
    struct ops_drift drift = { "durable", "true", "false" };
    CU_ASSERT_FALSE(ops_drift_concede(&queue, &drift, room, &conceded));
}
