/*
 * refetch_question - one object that Stripe is asked about, until what it says is known.
 *
 * Asks for the object and for its lists to their end (stripe_whole), page by page, and puts them together. An event that was pushed without its data is asked for likewise: it says which
 * object is the next question. What an event says was deleted, and Stripe does not know, is answered as Stripe would say it.
 * Refuses: publishing and noting (refetch), rows (refetch_rows).
 * Threads: one loop.
 */
#ifndef CONSUMER_BILLING_REFETCH_QUESTION_H
#define CONSUMER_BILLING_REFETCH_QUESTION_H

#include "consumer/billing/billing_params.h"
#include "shared/event/event_message.h"
#include "shared/stripe/stripe_client.h"
#include "shared/stripe/stripe_whole.h"

struct con_question;

/* What the questions of a process have in common; all borrowed. */
struct con_questioner {
    struct sl_stripe_client *stripe;
    struct sl_json_parser *parser; /* for CON_QUESTION_BYTES_MAX */
    bool livemode;
    /* An object: it is to be published; borrows from the question's arena. Else outcome says what came of it; NULL: it failed, see why. */
    void (*on_answered)(struct con_question *question, const struct sl_json *object,
                        const char *outcome);
};
#define CON_QUESTION_BYTES_MAX (4u * 1024u * 1024u) /* of one answer */

struct con_question {
    const struct con_questioner *by;
    char account[SL_EVENT_ID_BYTES_MAX + 1];
    const char *kind; /* static */
    char id[SL_EVENT_ID_BYTES_MAX + 1];
    bool is_gone; /* its absence is believed */

    struct sl_arena arena;      /* of the object */
    struct sl_arena page_arena; /* of a page of its list */
    const struct sl_json *object;
    struct sl_stripe_whole whole;
    unsigned pages;
    int64_t date_s;     /* Stripe's clock when it answered */
    int64_t elapsed_us; /* of the call */

    struct sl_err why;
    struct con_billing_wish found; /* what an event asks for; kind NULL: nothing */
};

void con_question_init(struct con_question *question, const struct con_questioner *by);
/* Accepts zeroed storage. */
void con_question_done(struct con_question *question);
/* Forgets the last answer; account, kind, id and is_gone are the caller's to set. */
void con_question_reset(struct con_question *question);
/* on_answered follows once, also from inside this call. */
void con_question_ask(struct con_question *question);

#endif
