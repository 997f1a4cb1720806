/*
 * verify_explain - which of the usual mistakes turned a good signature into a mismatch.
 *
 * Decides only. Tries the secrets as people spoil them (white space, quotes, without the prefix, base64-decoded) on the body as
 * programs spoil it (parsed and written again, line ends changed, a line end added or lost, byte order mark) and says which pair matches.
 * A hit proves what happened; no hit means another secret, or a body with other contents.
 * Threads: no state.
 */
#ifndef OPS_VERIFY_EXPLAIN_H
#define OPS_VERIFY_EXPLAIN_H

#include "shared/err.h"
#include "shared/signature/scheme.h"

struct ops_explanation {
    bool is_found;
    size_t secret;         /* index of the secret */
    const char *secret_id; /* "as_given", "trimmed", … : stable words for -o json */
    const char *secret_is; /* what is wrong with the secret, as a sentence; NULL: nothing */
    const char *body_id;
    const char *body_is; /* what happened to the body, as a sentence; NULL: nothing */
};

/* False only without memory or when the cryptography fails. */
bool ops_verify_explain(const struct sl_scheme *scheme, const struct sl_span *secrets,
                        size_t secret_count, const struct sl_signed *what,
                        struct ops_explanation *out, struct sl_err *err) SL_MUST;

#endif
