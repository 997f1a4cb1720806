/*
 * preflight_rules - one key in two environments, staging and production: is it there, is it a value, of the right mode, and a value of its own?
 *
 * Decides only. What is said never repeats a value.
 * Law: ops/doctor/preflight_keys.def.
 * Threads: no state.
 */
#ifndef OPS_DOCTOR_PREFLIGHT_RULES_H
#define OPS_DOCTOR_PREFLIGHT_RULES_H

#include "ops/doctor/check.h"
#include "ops/doctor/env_file.h"

#define OPS_PHRASE_BYTES 64u

enum ops_preflight_kind {
    OPS_KIND_PLAIN,
    OPS_KIND_URL,
    OPS_KIND_DATABASE,
    OPS_KIND_SIGNING, /* whsec_… */
    OPS_KIND_STRIPE,  /* sk_, rk_, pk_ */
    OPS_KIND_TOKEN,
    OPS_KIND_SECRET,
    OPS_KIND_DSN
};
enum ops_preflight_need {
    OPS_NEED_OPTIONAL,
    OPS_NEED_EXPECTED, /* production does without, badly */
    OPS_NEED_REQUIRED,
    OPS_NEED_BILLING, /* unless FLAG_QUEUE_BILLING=false */
};

struct ops_preflight_key {
    const char *name;
    enum ops_preflight_kind kind;
    enum ops_preflight_need need;
    bool must_differ;
};

/* The i-th key with rules of its own; NULL behind the last. */
const struct ops_preflight_key *ops_preflight_key(size_t i);
/* The rules of a name; those of a plain, optional one when it has none. */
struct ops_preflight_key ops_preflight_key_of(const char *name);

/* The first thing that is wrong with it, the worst first; OK when nothing is, SKIP when neither environment has it. */
void ops_preflight_judge(const struct ops_preflight_key *key, const struct ops_env_file *staging,
                         const struct ops_env_file *production, struct ops_finding *out);

/* What each Postgres is. */
struct ops_preflight_database {
    bool is_known;
    int64_t version; /* major */
    int64_t connections;
    char identity[160]; /* equal only for one and the same database */
};
void ops_preflight_judge_databases(const struct ops_preflight_database *staging,
                                   const struct ops_preflight_database *production,
                                   struct ops_finding *out_version, struct ops_finding *out_limit,
                                   struct ops_finding *out_identity);

/* What has to be typed: it grows with the warnings, so that they are seen. */
void ops_preflight_phrase(size_t warnings, char out[OPS_PHRASE_BYTES]);

#endif
