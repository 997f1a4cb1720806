/*
 * journal_finding - what the journal has to tell a person, as data.
 *
 * The journal never logs: its owner turns a finding into a line and an alert. Law: shared/journal/journal_finding.def.
 * Threads: no state.
 */
#ifndef SHARED_JOURNAL_FINDING_H
#define SHARED_JOURNAL_FINDING_H

#include <stdint.h>

#define SL_JOURNAL_PLACE_BYTES 64u

enum sl_journal_tell {
#define SL_JOURNAL_TELL(id, weight, name, sentence) SL_JOURNAL_TELL_##id,
#include "shared/journal/journal_finding.def"
#undef SL_JOURNAL_TELL
    SL_JOURNAL_TELL_COUNT
};

enum sl_journal_weight { SL_JOURNAL_WEIGHT_NOTE, SL_JOURNAL_WEIGHT_WARN, SL_JOURNAL_WEIGHT_PAGE };

struct sl_journal_finding {
    enum sl_journal_tell what;
    char place[SL_JOURNAL_PLACE_BYTES]; /* a file's name in the journal's folder; may be "" */
    uint64_t
        from; /* HOLE, TORN_TAIL: offset. GAP, POISONED: sequence number. SYNC_SLOW: ms. UNREADABLE: events */
    uint64_t to;  /* HOLE, TORN_TAIL: offset behind. GAP: last number missing. Otherwise 0 */
    int os_error; /* errno; 0 when none is to blame */
};

/* Stable public name, e.g. "torn_tail", and one plain sentence. Never NULL. */
const char *sl_journal_tell_name(enum sl_journal_tell what);
const char *sl_journal_tell_sentence(enum sl_journal_tell what);
enum sl_journal_weight sl_journal_tell_weight(enum sl_journal_tell what);

#endif
