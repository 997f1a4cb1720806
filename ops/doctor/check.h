/*
 * check - the checks of `sluice doctor` as data, what was seen of each, and the verdict.
 *
 * Decides only: numbers and words in, verdict, finding and fix out. Who gathers them are the files look_*.c.
 * Law: ops/doctor/checks.def is the list. A check that nobody could look at is a warning, not well; one that does not apply is skipped and says why.
 * Refuses: holding a secret. What edges put here is printed.
 * Threads: no state.
 */
#ifndef OPS_DOCTOR_CHECK_H
#define OPS_DOCTOR_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/scope.h"

#define OPS_FACT_WORDS_BYTES   320u
#define OPS_FINDING_TEXT_BYTES 768u

enum ops_check_id {
#define DOCTOR_CHECK(id, ...) OPS_CHECK_##id,
#include "ops/doctor/checks.def"
#undef DOCTOR_CHECK
    OPS_CHECKS
};

struct ops_check {
    const char *name; /* "group.what" */
    const char *asks; /* what it looks at */
    int64_t warn_from;
    int64_t fail_from;
    int64_t warn_below;
    int64_t fail_below;
    const char *well;
    const char *ill;
    const char *fix;
};

enum ops_look {
    OPS_LOOK_NONE, /* nobody has looked yet */
    OPS_LOOK_SEEN,
    OPS_LOOK_SKIPPED, /* it does not apply here: what says why */
    OPS_LOOK_BLIND,   /* it could not be looked at: what says why */
};

/* What an edge has seen of one check. */
struct ops_fact {
    enum ops_look look;
    int64_t number;
    char what[OPS_FACT_WORDS_BYTES];
    char which[OPS_FACT_WORDS_BYTES];
    char fix[OPS_FACT_WORDS_BYTES]; /* "": the check's own */
};

struct ops_facts {
    struct ops_fact items[OPS_CHECKS];
};

enum ops_verdict { OPS_VERDICT_OK, OPS_VERDICT_SKIP, OPS_VERDICT_WARN, OPS_VERDICT_FAIL };

struct ops_finding {
    enum ops_verdict verdict;
    char text[OPS_FINDING_TEXT_BYTES];
    char fix[OPS_FINDING_TEXT_BYTES]; /* "" when all is well */
};

const struct ops_check *ops_check_at(enum ops_check_id id);
/* "ok", "skip", "warn", "FAIL". */
const char *ops_verdict_name(enum ops_verdict verdict);
void ops_check_judge(const struct ops_check *check, const struct ops_fact *fact,
                     struct ops_finding *out);
/* Does the check belong to one of the comma separated names and groups? NULL: to all. */
bool ops_check_is_meant(const struct ops_check *check, const char *wanted);
/* Is a name or group in `wanted` that no check has? Returns it in out_word. */
bool ops_check_is_unknown(const char *wanted, char *out_word, size_t out_bytes);
/* The name or group that a mistyped word was probably meant to be; "" when none is near. */
void ops_check_nearest(const char *word, char *out_name, size_t out_bytes);

/* What an edge says. Words are cut at their room; what is said of a check a second time replaces the first. */
void ops_fact_see(struct ops_facts *facts, enum ops_check_id id, int64_t number, const char *which,
                  const char *what, ...) SL_PRINTF(5, 6);
void ops_fact_fix(struct ops_facts *facts, enum ops_check_id id, const char *fix);
void ops_fact_skip(struct ops_facts *facts, enum ops_check_id id, const char *why);
void ops_fact_blind(struct ops_facts *facts, enum ops_check_id id, const char *why);
/* Of every check from first to last that nobody has looked at. */
void ops_facts_skip(struct ops_facts *facts, enum ops_check_id first, enum ops_check_id last,
                    const char *why);

#endif
