#include "ops/gameday/gameday_ledger.h"

static bool is_accepted(const struct ops_gameday_fate *fate);
static void count_answer(struct ops_gameday_answers *answers, const struct ops_gameday_fate *fate);
static void count_whereabouts(struct ops_gameday_ledger *ledger,
                              const struct ops_gameday_fate *fate,
                              const struct ops_gameday_place *place);

void ops_gameday_answers_add(struct ops_gameday_answers *answers,
                             const struct ops_gameday_fate *fates, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        answers->attempted++;
        count_answer(answers, &fates[i]);
    }
}

static void count_answer(struct ops_gameday_answers *answers, const struct ops_gameday_fate *fate)
{
    switch (fate->status) {
    case 0:
        answers->unanswered++;
        break;
    case 200:
        answers->acknowledged++;
        break;
    case 202:
        *(fate->is_unstored ? &answers->dropped : &answers->degraded) += 1;
        break;
    default:
        answers->refused++;
        /* An authentic event is never told that it is wrong; 429 says "later". */
        answers->wrong += fate->status >= 400 && fate->status < 500 && fate->status != 429;
        break;
    }
}

void ops_gameday_ledger_add(struct ops_gameday_ledger *ledger, const struct ops_gameday_fate *fates,
                            const struct ops_gameday_place *places, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (places[i].expect != OPS_GAMEDAY_NOTHING) {
            count_whereabouts(ledger, &fates[i], &places[i]);
        }
    }
}

static void count_whereabouts(struct ops_gameday_ledger *ledger,
                              const struct ops_gameday_fate *fate,
                              const struct ops_gameday_place *place)
{
    bool has_row = place->rows > 0;
    bool has_letter = place->letters > 0;
    bool is_there = (has_row && place->expect != OPS_GAMEDAY_LETTER) ||
                    (has_letter && place->expect != OPS_GAMEDAY_ROW);
    bool is_elsewhere = (has_row && place->expect == OPS_GAMEDAY_LETTER) ||
                        (has_letter && place->expect == OPS_GAMEDAY_ROW);
    ledger->applied += has_row;
    ledger->letters += has_letter && place->expect != OPS_GAMEDAY_ROW;
    ledger->unexpected += is_elsewhere;
    ledger->duplicated += has_row ? place->rows - 1u : 0;
    if (!is_accepted(fate)) {
        ledger->late += is_there || is_elsewhere;
    } else if (is_there) {
        ledger->recovered += fate->status == 202;
    } else if (fate->in_journal) {
        ledger->journaled++;
    } else if (!is_elsewhere) {
        ledger->lost++; /* until the books are closed */
    }
}

static bool is_accepted(const struct ops_gameday_fate *fate)
{
    return fate->status == 200 || (fate->status == 202 && !fate->is_unstored);
}

void ops_gameday_ledger_close(struct ops_gameday_ledger *ledger, uint64_t in_broker)
{
    ledger->waiting = ledger->lost < in_broker ? ledger->lost : in_broker;
    ledger->lost -= ledger->waiting;
}

bool ops_gameday_is_settled(const struct ops_gameday_fate *fate,
                            const struct ops_gameday_place *place)
{
    return place->expect == OPS_GAMEDAY_NOTHING || !is_accepted(fate) || place->rows > 0 ||
           place->letters > 0;
}

enum ops_gameday_verdict ops_gameday_judge(const struct ops_gameday_answers *answers,
                                           const struct ops_gameday_ledger *const *ledgers,
                                           size_t count)
{
    enum ops_gameday_verdict verdict = answers->wrong > 0 ? OPS_GAMEDAY_BROKEN : OPS_GAMEDAY_PASSED;
    for (size_t i = 0; i < count; i++) {
        const struct ops_gameday_ledger *ledger = ledgers[i];
        if (ledger->lost + ledger->unexpected + ledger->duplicated > 0) {
            verdict = OPS_GAMEDAY_BROKEN;
        } else if (ledger->journaled + ledger->waiting > 0 && verdict == OPS_GAMEDAY_PASSED) {
            verdict = OPS_GAMEDAY_NOT_DRAINED;
        }
    }
    return verdict;
}
