/*
 * policy - what happens to an authentic event when the broker cannot confirm it.
 *
 * Decides only. Four policies, one for all sources or one each:
 *
 *     journal       the whole event, fsynced, else refuse        (default)
 *     journal+drop  the whole event, else a logged drop
 *     drop          a logged drop: a record without the body
 *     reject        refuse: the sender retries
 *
 * Each event goes down its policy's list of deeds until one succeeds; a deed that is not possible now is passed over. Refusing always is.
 * Law: a 2xx is given for PUBLISH and JOURNAL when they have succeeded, and for DROP, which says so in its answer.
 * Threads: no state.
 */
#ifndef PUBLISHER_POLICY_H
#define PUBLISHER_POLICY_H

#include "shared/buf.h"

enum pub_policy {
    PUB_POLICY_JOURNAL,
    PUB_POLICY_JOURNAL_DROP,
    PUB_POLICY_DROP,
    PUB_POLICY_REJECT,
    PUB_POLICIES
};

enum pub_deed { PUB_DEED_PUBLISH, PUB_DEED_JOURNAL, PUB_DEED_DROP, PUB_DEED_REFUSE, PUB_DEEDS };

/* What can be done right now. */
struct pub_means {
    bool has_broker;  /* the link is up and not blocked */
    bool has_journal; /* open, on storage that keeps it, with room */
    bool has_drops;   /* the drop log can be written */
};

/* What to do with an event; failed: a bit (1u << deed) for each deed that was tried for it in vain. */
enum pub_deed pub_policy_decide(enum pub_policy policy, const struct pub_means *means,
                                unsigned failed);

#define PUB_POLICY_SOURCES_MAX 9u

/* The parsed SLUICE_DEGRADED_POLICY: "journal", or "stripe=journal,internal=journal+drop" (others: journal). */
struct pub_policy_list {
    struct {
        char source[32];
        enum pub_policy policy;
    } items[PUB_POLICY_SOURCES_MAX];
    size_t count;
    enum pub_policy rest;
};

/* known: names of sources, NULL-terminated. Appends a mistake as "SLUICE_DEGRADED_POLICY: …\n". */
void pub_policy_parse(const char *text, const char *const *known, struct pub_policy_list *out,
                      struct sl_buf *mistakes);
enum pub_policy pub_policy_of(const struct pub_policy_list *list, const char *source);

#endif
