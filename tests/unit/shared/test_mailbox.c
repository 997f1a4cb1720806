#include "shared/mailbox.h"

#include <pthread.h>
#include <sched.h>

#include "tests/support/claims.h"

#define SENDERS 4u
#define EACH    5000u

struct note {
    struct sl_letter letter; /* first */
    struct sl_mailbox *back;
    unsigned sender;
    unsigned number;
};

static struct {
    struct sl_loop *loop;
    struct sl_mailbox *mailbox;
    unsigned next[SENDERS]; /* the number that is due */
    unsigned opened;
    unsigned out_of_order;
    unsigned wanted;
} world;

static void begin(size_t letters_max)
{
    struct sl_err err = { 0 };
    world.loop = sl_loop_new(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world.loop);
    world.mailbox = sl_mailbox_new(world.loop, letters_max, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world.mailbox);
    world.opened = 0;
    world.out_of_order = 0;
    for (size_t i = 0; i < SENDERS; i++) {
        world.next[i] = 0;
    }
}

static void end(void)
{
    sl_mailbox_free(world.mailbox);
    sl_loop_free(world.loop);
}

static void run(void)
{
    struct sl_err err = { 0 };
    CU_ASSERT_TRUE(sl_loop_run(world.loop, &err));
}

static void open_note(struct sl_letter *letter)
{
    const struct note *note = (struct note *)(void *)letter;
    world.out_of_order += note->number == world.next[note->sender] ? 0 : 1;
    world.next[note->sender] = note->number + 1;
    world.opened++;
    if (world.opened == world.wanted) {
        sl_loop_stop(world.loop);
    }
}

CLAIM(mailbox__letters_are_opened_in_the_order_they_were_posted)
{
    struct note notes[3] = { 0 };
    begin(3);
    for (unsigned i = 0; i < 3; i++) {
        notes[i] = (struct note){ .letter.open = open_note, .number = i };
        CU_ASSERT_TRUE(sl_mailbox_post(world.mailbox, &notes[i].letter));
    }
    CU_ASSERT_EQUAL(world.opened, 0); /* not from inside */
    world.wanted = 3;
    run();
    CU_ASSERT_EQUAL(world.opened, 3);
    CU_ASSERT_EQUAL(world.out_of_order, 0);
    end();
}

CLAIM(mailbox__a_full_one_takes_answers_and_nothing_else)
{
    struct note notes[3] = { 0 };
    begin(1);
    for (unsigned i = 0; i < 3; i++) {
        notes[i] = (struct note){ .letter.open = open_note, .number = i == 2 ? 1 : 0 };
    }
    CU_ASSERT_TRUE(sl_mailbox_post(world.mailbox, &notes[0].letter));
    CU_ASSERT_FALSE(sl_mailbox_post(world.mailbox, &notes[1].letter));
    sl_mailbox_answer(world.mailbox, &notes[2].letter);
    world.wanted = 2;
    run();
    CU_ASSERT_EQUAL(world.out_of_order, 0);
    notes[1].number = 2;
    CU_ASSERT_TRUE(sl_mailbox_post(world.mailbox, &notes[1].letter)); /* there is room again */
    world.wanted = 3;
    run();
    CU_ASSERT_EQUAL(world.opened, 3);
    end();
}

static void count_down(struct sl_letter *letter)
{
    struct note *note = (struct note *)(void *)letter;
    world.opened++;
    if (--note->number > 0) {
        sl_mailbox_answer(note->back, letter);
    } else {
        sl_loop_stop(world.loop);
    }
}

CLAIM(mailbox__an_opened_letter_can_be_sent_again_at_once)
{
    begin(1);
    struct note note = { .letter.open = count_down, .back = world.mailbox, .number = 100 };
    CU_ASSERT_TRUE(sl_mailbox_post(world.mailbox, &note.letter));
    run();
    CU_ASSERT_EQUAL(world.opened, 100);
    end();
}

CLAIM(mailbox__after_the_loop_its_letters_can_be_opened_by_hand)
{
    begin(1);
    struct note note = { .letter.open = open_note };
    world.wanted = 0;
    CU_ASSERT_TRUE(sl_mailbox_post(world.mailbox, &note.letter));
    sl_mailbox_open(world.mailbox);
    CU_ASSERT_EQUAL(world.opened, 1);
    sl_mailbox_open(world.mailbox);
    CU_ASSERT_EQUAL(world.opened, 1);
    end();
}

static struct note storm[SENDERS][EACH];

static void *send_all(void *arg)
{
    struct note *notes = arg;
    for (unsigned i = 0; i < EACH; i++) {
        while (!sl_mailbox_post(world.mailbox, &notes[i].letter)) {
            sched_yield(); /* full: the loop is behind */
        }
    }
    return NULL;
}

CLAIM(mailbox__nothing_is_lost_or_overtaken_when_many_threads_post)
{
    pthread_t threads[SENDERS];
    begin(64);
    world.wanted = SENDERS * EACH;
    for (unsigned i = 0; i < SENDERS; i++) {
        for (unsigned j = 0; j < EACH; j++) {
            storm[i][j] = (struct note){ .letter.open = open_note, .sender = i, .number = j };
        }
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, send_all, storm[i]), 0);
    }
    run();
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(world.opened, SENDERS * EACH);
    CU_ASSERT_EQUAL(world.out_of_order, 0);
    end();
}
