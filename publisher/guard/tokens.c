#include "publisher/guard/tokens.h"

#define TOKEN_BYTES_MIN 32u
#define TOKEN_BYTES_MAX 512u
#define DISTINCT_MIN    8u
#define SCHEME          "Bearer "

static const struct {
    const char *name;
    unsigned scopes;
} callers[PUB_CALLERS] = {
    [PUB_CALLER_CONSOLE] = { "console",
                             PUB_SCOPE_BILLING_READ | PUB_SCOPE_BILLING_WRITE | PUB_SCOPE_EVENTS },
    [PUB_CALLER_RAPTOR] = { "raptor",
                            PUB_SCOPE_BILLING_READ | PUB_SCOPE_BILLING_WRITE | PUB_SCOPE_EVENTS },
    [PUB_CALLER_CRON] = { "cron", PUB_SCOPE_BILLING_READ | PUB_SCOPE_EVENTS },
};

static const char *add(struct pub_tokens *tokens, enum pub_caller caller, struct sl_span token);
static const char *objection(struct sl_span token);

const char *pub_caller_name(enum pub_caller caller)
{
    return callers[caller].name;
}

unsigned pub_caller_scopes(enum pub_caller caller)
{
    return callers[caller].scopes;
}

void pub_tokens_add(struct pub_tokens *tokens, enum pub_caller caller, const char *name,
                    const char *list, struct sl_buf *mistakes)
{
    struct sl_span rest = sl_span_of(list);
    struct sl_span token = { 0 };
    size_t count = 0;
    while (sl_span_split(&rest, ',', &token)) {
        count++;
        const char *why = count > PUB_TOKENS_PER_CALLER
                              ? "holds more than two tokens; two are enough to replace one"
                              : add(tokens, caller, token);
        if (why != NULL) {
            sl_buf_printf(mistakes, "%s: %s\n", name, why);
            return;
        }
    }
}

static const char *add(struct pub_tokens *tokens, enum pub_caller caller, struct sl_span token)
{
    uint8_t hash[SL_SHA256_BYTES];
    const char *why = objection(token);
    if (why != NULL) {
        return why;
    }
    if (!sl_sha256(token, hash)) {
        return "could not be hashed";
    }
    for (size_t i = 0; i < tokens->count; i++) {
        if (sl_equal_constant_time(hash, tokens->items[i].hash, sizeof hash)) {
            return "is a token that is given twice; each caller has its own";
        }
    }
    SL_ASSERT(tokens->count < PUB_TOKENS_MAX);
    tokens->items[tokens->count].caller = caller;
    memcpy(tokens->items[tokens->count].hash, hash, sizeof hash);
    tokens->count++;
    return NULL;
}

static const char *objection(struct sl_span token)
{
    bool seen[256] = { false };
    size_t distinct = 0;
    if (token.bytes < TOKEN_BYTES_MIN) {
        return "is shorter than 32 characters; make one with: openssl rand -hex 32";
    }
    if (token.bytes > TOKEN_BYTES_MAX) {
        return "is longer than 512 characters";
    }
    for (size_t i = 0; i < token.bytes; i++) {
        unsigned char byte = (unsigned char)token.data[i];
        if (byte <= 0x20 || byte >= 0x7F) {
            return "holds white space or other characters that a header cannot carry";
        }
        distinct += seen[byte] ? 0 : 1;
        seen[byte] = true;
    }
    return distinct < DISTINCT_MIN ? "is a placeholder: fewer than 8 different characters" : NULL;
}

bool pub_tokens_find(const struct pub_tokens *tokens, struct sl_span authorization,
                     enum pub_caller *out_caller)
{
    uint8_t hash[SL_SHA256_BYTES];
    bool is_found = false;
    if (!sl_span_starts_with(authorization, SCHEME) ||
        authorization.bytes - strlen(SCHEME) > TOKEN_BYTES_MAX) {
        return false;
    }
    size_t prefix = strlen(SCHEME);
    if (!sl_sha256(sl_span_make(authorization.data + prefix, authorization.bytes - prefix), hash)) {
        return false;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        bool is_same = sl_equal_constant_time(hash, tokens->items[i].hash, sizeof hash);
        *out_caller = is_same ? tokens->items[i].caller : *out_caller;
        is_found = is_found || is_same;
    }
    return is_found;
}
