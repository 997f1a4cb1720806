#include "consumer/flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/claims.h"

#define ISOLATE_MAX 20u

static char dir[64];
static struct con_delivery deliveries[8];
static struct con_delivery *list[8];
static char ids[8][8];

static void make(void)
{
    snprintf(dir, sizeof dir, "/tmp/flight-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    for (size_t i = 0; i < SL_COUNT(deliveries); i++) {
        snprintf(ids[i], sizeof ids[i], "evt_%zu", i);
        deliveries[i] = (struct con_delivery){ .message_id = sl_span_of(ids[i]),
                                               .bytes = SL_SPAN_LITERAL("body") };
        list[i] = &deliveries[i];
    }
}

static void remove_dir(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/billing.inflight", dir);
    unlink(path);
    rmdir(dir);
}

static struct con_flight *open_one(void)
{
    struct sl_err err = { 0 };
    struct con_flight *flight = con_flight_open(dir, "billing", ISOLATE_MAX, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(flight);
    return flight;
}

/* A life that ends with these in hand: a child process that is killed. */
static void die_with(size_t first, size_t count)
{
    pid_t child = fork();
    if (child == 0) {
        struct con_flight *flight = open_one();
        con_flight_begin(flight, list + first, count);
        _exit(1); /* nothing is put in order */
    }
    CU_ASSERT_TRUE_FATAL(child > 0);
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
}

static bool is_deadly(const struct con_flight *flight, size_t i)
{
    return con_flight_is_deadly(flight, &deliveries[i]);
}

CLAIM(flight__a_life_that_ended_in_order_leaves_no_suspicion)
{
    make();
    struct con_flight *flight = open_one();
    CU_ASSERT_FALSE(con_flight_is_isolating(flight));
    con_flight_begin(flight, list, 8);
    con_flight_end(flight);
    con_flight_begin(flight, list, 8);
    con_flight_free(flight); /* drained, or out of time: not a crash */
    flight = open_one();
    CU_ASSERT_EQUAL(con_flight_suspects(flight), 0);
    con_flight_free(flight);
    remove_dir();
}

CLAIM(flight__what_was_in_hand_is_tried_alone_until_it_is_through)
{
    make();
    die_with(0, 4);
    struct con_flight *flight = open_one();
    CU_ASSERT_EQUAL(con_flight_suspects(flight), 4);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_TRUE(con_flight_is_isolating(flight));
        CU_ASSERT_FALSE(is_deadly(flight, i));
        con_flight_begin(flight, list + i, 1);
        con_flight_end(flight);
    }
    CU_ASSERT_FALSE(con_flight_is_isolating(flight));
    con_flight_free(flight);
    remove_dir();
}

CLAIM(flight__who_was_alone_twice_is_deadly_and_its_neighbours_are_not)
{
    make();
    die_with(0, 4);
    die_with(2, 1);
    struct con_flight *flight = open_one();
    CU_ASSERT_FALSE(is_deadly(flight, 2)); /* somebody may just have killed us */
    con_flight_free(flight);
    die_with(2, 1);
    flight = open_one();
    CU_ASSERT_TRUE(is_deadly(flight, 2));
    CU_ASSERT_FALSE(is_deadly(flight, 1));
    CU_ASSERT_FALSE(is_deadly(flight, 7));
    con_flight_free(flight);
    remove_dir();
}

CLAIM(flight__a_kill_while_the_database_is_awaited_is_nobodys_fault)
{
    make();
    struct con_flight *flight = open_one();
    con_flight_begin(flight, list, 1);
    con_flight_pause(flight);
    con_flight_free(flight);
    flight = open_one();
    CU_ASSERT_EQUAL(con_flight_suspects(flight), 0);
    con_flight_free(flight);
    remove_dir();
}

/* The deliveries themselves may be gone by then. */
CLAIM(flight__what_is_looked_into_again_after_a_pause_is_in_hand_again)
{
    make();
    pid_t child = fork();
    if (child == 0) {
        struct con_flight *flight = open_one();
        con_flight_begin(flight, list, 3);
        con_flight_pause(flight);
        con_flight_pause(flight);
        memset(deliveries, 0xff, sizeof deliveries);
        con_flight_resume(flight);
        _exit(1);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    struct con_flight *flight = open_one();
    CU_ASSERT_EQUAL(con_flight_suspects(flight), 3);
    con_flight_free(flight);
    remove_dir();
}

CLAIM(flight__isolation_ends_when_the_suspects_went_elsewhere)
{
    make();
    die_with(0, 4);
    struct con_flight *flight = open_one();
    for (unsigned i = 0; i < ISOLATE_MAX; i++) {
        CU_ASSERT_TRUE(con_flight_is_isolating(flight));
        con_flight_begin(flight, list + 7, 1);
        con_flight_end(flight);
    }
    CU_ASSERT_FALSE(con_flight_is_isolating(flight));
    con_flight_free(flight);
    remove_dir();
}

CLAIM(flight__a_file_has_one_owner_and_rubbish_is_none)
{
    make();
    struct con_flight *flight = open_one();
    struct sl_err err;
    CU_ASSERT_PTR_NULL(con_flight_open(dir, "billing", ISOLATE_MAX, &err));
    con_flight_free(flight);
    char path[96];
    snprintf(path, sizeof path, "%s/billing.inflight", dir);
    FILE *file = fopen(path, "w");
    fputs("rubbish that is no such file", file);
    fclose(file);
    flight = open_one();
    CU_ASSERT_EQUAL(con_flight_suspects(flight), 0);
    con_flight_free(flight);
    CU_ASSERT_PTR_NULL(con_flight_open("/nowhere/at/all", "billing", ISOLATE_MAX, &err));
    remove_dir();
}

CLAIM(flight__without_a_file_everything_else_works)
{
    con_flight_begin(NULL, list, 1);
    con_flight_pause(NULL);
    con_flight_end(NULL);
    con_flight_free(NULL);
    CU_ASSERT_FALSE(con_flight_is_isolating(NULL));
    CU_ASSERT_FALSE(con_flight_is_deadly(NULL, list[0]));
}
