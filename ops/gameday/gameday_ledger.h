/*
 * gameday_ledger - what was sent against what became of it, in each subsystem.
 *
 * Decides only: the fate of one event and its place in one subsystem in; the sums and the verdict out.
 * Law: an event that was answered 200 or 202 is in the inbox of every subsystem that takes its type, or, where it can never be applied, a dead letter;
 * once. What was refused may be there as well (its answer was lost on the way), since its sender comes again.
 * Threads: no state.
 */
#ifndef OPS_GAMEDAY_LEDGER_H
#define OPS_GAMEDAY_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One event. */
struct ops_gameday_fate {
    int16_t status;   /* of the answer; 0: none came */
    bool is_unstored; /* 202 with "stored":false: outside the promise, by the policy drop */
    bool in_journal;
};

enum ops_gameday_expect {
    OPS_GAMEDAY_NOTHING, /* not an event of this subsystem */
    OPS_GAMEDAY_ROW,
    OPS_GAMEDAY_LETTER, /* can never be applied */
    OPS_GAMEDAY_EITHER, /* what is poison is the handler's to say, and we do not know this one */
};

/* The same event in one subsystem. */
struct ops_gameday_place {
    uint8_t expect;
    uint8_t rows; /* in the inbox; counting ends at 255 */
    uint8_t letters;
};

/* What the senders were told. */
struct ops_gameday_answers {
    uint64_t attempted;
    uint64_t acknowledged; /* 200 */
    uint64_t degraded;     /* 202 */
    uint64_t dropped;      /* 202 with "stored":false */
    uint64_t refused;      /* any other answer */
    uint64_t unanswered;
    uint64_t wrong; /* of the refused: 4xx for an authentic event */
};

/* What one subsystem has. */
struct ops_gameday_ledger {
    uint64_t applied;    /* in the inbox */
    uint64_t letters;    /* poison that is a dead letter, as it should be */
    uint64_t recovered;  /* answered 202, and where it should be */
    uint64_t late;       /* refused or unanswered, and there all the same */
    uint64_t journaled;  /* still in the journal */
    uint64_t waiting;    /* neither here nor there, while so many wait in the broker */
    uint64_t lost;       /* answered 2xx, and nowhere */
    uint64_t duplicated; /* rows beyond the first */
    uint64_t
        unexpected; /* good ones that are dead letters, poison that is applied, ids nobody sent */
};

enum ops_gameday_verdict { OPS_GAMEDAY_PASSED, OPS_GAMEDAY_NOT_DRAINED, OPS_GAMEDAY_BROKEN };

/* Adds `count` fates. Zeroed answers. */
void ops_gameday_answers_add(struct ops_gameday_answers *answers,
                             const struct ops_gameday_fate *fates, uint64_t count);
/* Adds `count` events of one subsystem; places[i] is that of fates[i]. Zeroed ledger. */
void ops_gameday_ledger_add(struct ops_gameday_ledger *ledger, const struct ops_gameday_fate *fates,
                            const struct ops_gameday_place *places, uint64_t count);
/* An event that is accepted and not where it should be is in the broker as long as that has as many; what is left over is lost. */
void ops_gameday_ledger_close(struct ops_gameday_ledger *ledger, uint64_t in_broker);
/* True when the event has arrived, or need not. */
bool ops_gameday_is_settled(const struct ops_gameday_fate *fate,
                            const struct ops_gameday_place *place);

/* Of everybody: the answers were right, and each ledger is. */
enum ops_gameday_verdict ops_gameday_judge(const struct ops_gameday_answers *answers,
                                           const struct ops_gameday_ledger *const *ledgers,
                                           size_t count);

#endif
