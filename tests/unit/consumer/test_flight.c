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
static struct con_fleet fleet;

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
    static const char *const names[] = { "billing", "billing-1", "shop" };
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%s.inflight", dir, names[i]);
        unlink(path);
    }
    CU_ASSERT_EQUAL(rmdir(dir), 0);
    CU_ASSERT_PTR_NULL(fleet.first);
}

static struct con_flight *open_of(const char *name, const char *subsystem)
{
    struct sl_err err = { 0 };
    struct con_flight *flight =
        con_flight_open(&(struct con_flight_opts){ .fleet = &fleet,
                                                   .dir = dir,
                                                   .name = name,
                                                   .subsystem = subsystem,
                                                   .isolate_max = ISOLATE_MAX },
                        &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(flight);
    return flight;
}

static struct con_flight *open_one(void)
{
    return open_of("billing", "billing");
}

static void wait_for(pid_t child)
{
    CU_ASSERT_TRUE_FATAL(child > 0);
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
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
    wait_for(child);
}

/* A life of three workers that ends with one event in the hands of each. */
static void die_in_three(size_t billing, size_t other, size_t shop)
{
    pid_t child = fork();
    if (child == 0) {
        struct con_flight *flights[3] = { open_one(), open_of("billing-1", "billing"),
                                          open_of("shop", "shop") };
        const size_t events[3] = { billing, other, shop };
        for (size_t i = 0; i < 3; i++) {
            con_flight_begin(flights[i], list + events[i], 1);
        }
        _exit(1);
    }
    wait_for(child);
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

/* Each time it is the only one in its worker's hands, beside the one that kills. */
CLAIM(flight__who_was_in_another_workers_hands_is_never_deadly)
{
    make();
    for (unsigned life = 0; life < 5; life++) {
        die_in_three(0, 1, 2);
    }
    struct con_flight *billing = open_one();
    struct con_flight *other = open_of("billing-1", "billing");
    struct con_flight *shop = open_of("shop", "shop");
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_FALSE(is_deadly(billing, i));
        CU_ASSERT_FALSE(is_deadly(shop, i));
    }
    con_flight_free(billing);
    con_flight_free(shop);
    con_flight_free(other);
    remove_dir();
}

CLAIM(flight__what_one_worker_suspects_all_of_its_subsystem_do)
{
    make();
    die_with(0, 2);
    die_with(1, 1);
    struct con_flight *billing = open_one();
    struct con_flight *other = open_of("billing-1", "billing");
    struct con_flight *shop = open_of("shop", "shop");
    CU_ASSERT_TRUE(con_flight_is_isolating(other));
    CU_ASSERT_FALSE(con_flight_is_isolating(shop));
    CU_ASSERT_TRUE(con_flight_is_narrow(other, list[1]));
    CU_ASSERT_FALSE(con_flight_is_narrow(shop, list[1])); /* the same event is another one there */
    for (size_t i = 0; i < 2; i++) {
        con_flight_begin(other, list + i, 1);
        con_flight_end(other);
    }
    CU_ASSERT_FALSE(con_flight_is_isolating(other));
    CU_ASSERT_FALSE(con_flight_is_isolating(billing));
    con_flight_free(other);
    con_flight_free(billing);
    con_flight_free(shop);
    die_with(1, 1);
    billing = open_one();
    CU_ASSERT_FALSE(is_deadly(billing, 1)); /* what it had on it was taken back */
    con_flight_free(billing);
    remove_dir();
}

CLAIM(flight__who_was_alone_in_its_workers_hands_is_tried_when_nobody_else_has_anything)
{
    make();
    die_in_three(0, 1, 2);
    struct con_flight *billing = open_one();
    struct con_flight *other = open_of("billing-1", "billing");
    struct con_flight *shop = open_of("shop", "shop");
    const int64_t start = 1000;
    const int64_t due = start + CON_FLIGHT_GRACE_MS;
    con_flight_begin(shop, list + 7, 1); /* not suspected: goes on */
    CU_ASSERT_EQUAL(con_flight_wait_ms(billing, list[0], start), CON_FLIGHT_GRACE_MS);
    CU_ASSERT_EQUAL(con_flight_wait_ms(other, list[6], start), 0);
    CU_ASSERT_EQUAL(con_flight_wait_ms(billing, list[0], due), CON_FLIGHT_LOOK_MS);
    CU_ASSERT_EQUAL(con_flight_wait_ms(other, list[6], due), CON_FLIGHT_LOOK_MS);
    con_flight_end(shop);
    CU_ASSERT_EQUAL(con_flight_wait_ms(shop, list[5], due + 1), CON_FLIGHT_LOOK_MS);
    CU_ASSERT_EQUAL(con_flight_wait_ms(billing, list[0], due + 2), 0);
    con_flight_begin(billing, list, 1);
    CU_ASSERT_EQUAL(con_flight_wait_ms(shop, list[5], due + 3), CON_FLIGHT_LOOK_MS);
    CU_ASSERT_EQUAL(con_flight_wait_ms(other, list[1], due + 3), CON_FLIGHT_GRACE_MS);
    con_flight_end(billing);
    CU_ASSERT_EQUAL(con_flight_wait_ms(shop, list[5], due + 4), 0);
    con_flight_free(billing);
    con_flight_free(other);
    con_flight_free(shop);
    remove_dir();
}

CLAIM(flight__who_was_never_tried_alone_goes_before_who_died_of_it)
{
    make();
    die_with(0, 1);
    struct con_flight *billing = open_one();
    CU_ASSERT_EQUAL(con_flight_wait_ms(billing, list[0], 1000), 2 * CON_FLIGHT_GRACE_MS);
    con_flight_free(billing);
    remove_dir();
}

/* Its deliveries went with the connection. */
CLAIM(flight__a_wish_to_be_alone_that_nobody_renews_holds_nobody)
{
    make();
    die_in_three(0, 1, 2);
    struct con_flight *billing = open_one();
    struct con_flight *shop = open_of("shop", "shop");
    const int64_t start = 1000;
    const int64_t due = start + CON_FLIGHT_GRACE_MS;
    con_flight_begin(shop, list + 7, 1);
    CU_ASSERT_EQUAL(con_flight_wait_ms(billing, list[0], start), CON_FLIGHT_GRACE_MS);
    CU_ASSERT_EQUAL(con_flight_wait_ms(billing, list[0], due), CON_FLIGHT_LOOK_MS);
    con_flight_end(shop);
    CU_ASSERT_EQUAL(con_flight_wait_ms(shop, list[5], due), CON_FLIGHT_LOOK_MS);
    CU_ASSERT_EQUAL(con_flight_wait_ms(shop, list[5], due + 1000), 0);
    con_flight_free(billing);
    CU_ASSERT_PTR_NULL(fleet.solo);
    con_flight_free(shop);
    remove_dir();
}

CLAIM(flight__who_was_parked_is_no_suspect_any_more)
{
    make();
    die_with(0, 1);
    die_with(0, 1);
    struct con_flight *billing = open_one();
    struct con_flight *other = open_of("billing-1", "billing");
    CU_ASSERT_TRUE(is_deadly(other, 0));
    con_flight_gone(other, list[1]); /* somebody else */
    CU_ASSERT_TRUE(is_deadly(other, 0));
    con_flight_gone(other, list[0]);
    CU_ASSERT_FALSE(is_deadly(other, 0));
    CU_ASSERT_FALSE(con_flight_is_isolating(billing));
    con_flight_free(billing);
    con_flight_free(other);
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
    struct con_flight_opts again = {
        .fleet = &fleet, .dir = dir, .name = "billing", .subsystem = "billing"
    };
    CU_ASSERT_PTR_NULL(con_flight_open(&again, &err));
    con_flight_free(flight);
    char path[96];
    snprintf(path, sizeof path, "%s/billing.inflight", dir);
    FILE *file = fopen(path, "w");
    fputs("rubbish that is no such file", file);
    fclose(file);
    flight = open_one();
    CU_ASSERT_EQUAL(con_flight_suspects(flight), 0);
    con_flight_free(flight);
    again.dir = "/nowhere/at/all";
    CU_ASSERT_PTR_NULL(con_flight_open(&again, &err));
    remove_dir();
}

CLAIM(flight__without_a_file_everything_else_works)
{
    con_flight_begin(NULL, list, 1);
    con_flight_pause(NULL);
    con_flight_end(NULL);
    con_flight_gone(NULL, list[0]);
    con_flight_free(NULL);
    CU_ASSERT_FALSE(con_flight_is_isolating(NULL));
    CU_ASSERT_FALSE(con_flight_is_deadly(NULL, list[0]));
    CU_ASSERT_FALSE(con_flight_is_narrow(NULL, list[0]));
    CU_ASSERT_EQUAL(con_flight_wait_ms(NULL, list[0], 1), 0);
}
