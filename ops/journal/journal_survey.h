/*
 * journal_survey - what lies in a journal's folder, read from outside.
 *
 * Reads only: takes no lock, makes nothing, and works while the publisher writes (the end of its last segment is then no damage). Every record is proven by
 * its checksum before it counts. What was replayed is known up to the last second (the journal's `progress`).
 * Refuses: showing a body; a folder of a newer version (SL_E_JOURNAL_VERSION).
 * Threads: one owner.
 */
#ifndef OPS_JOURNAL_SURVEY_H
#define OPS_JOURNAL_SURVEY_H

#include "shared/journal/journal_finding.h"
#include "shared/journal/journal_format.h"

/* Something that is not as it was written. */
struct ops_journal_damage {
    const char *segment;       /* a file's name in the folder */
    enum sl_journal_tell what; /* its name and weight are the journal's own */
    uint64_t offset;           /* HOLE, TORN_TAIL, HEADER_…; else 0 */
    uint64_t bytes;
    uint64_t events; /* GAP, SEAL_MISSING: how many are missing, as far as numbers tell */
    uint64_t first;  /* GAP: the first missing number */
};

struct ops_journal_visitor {
    void *arg;
    /* Any may be NULL. An event borrows until the next call; false ends the survey early, without an error. */
    bool (*on_event)(void *arg, const char *segment, const struct sl_journal_record *record,
                     bool is_resolved);
    void (*on_damage)(void *arg, const struct ops_journal_damage *damage);
};

struct ops_journal_survey {
    bool is_owned; /* a running program holds the journal */
    uint64_t segments;
    uint64_t bytes;
    uint64_t events;
    uint64_t resolved;  /* of those: replayed, or moved to poison/ */
    uint64_t oldest_ns; /* received time of the oldest that is not resolved; 0: none */
    uint64_t poisoned;  /* files in poison/ */
    uint64_t set_aside; /* copies of damage that the journal made */
};

/* SL_E_IO when the folder cannot be read; *out_errno is then why (ENOENT: there is none). */
bool ops_journal_survey(const char *dir, const struct ops_journal_visitor *visitor,
                        struct ops_journal_survey *out_survey, int *out_errno,
                        struct sl_err *err) SL_MUST;
/* The events that were moved to poison/, each in a file of its own. */
bool ops_journal_survey_poison(const char *dir, const struct ops_journal_visitor *visitor,
                               struct sl_err *err) SL_MUST;

#endif
