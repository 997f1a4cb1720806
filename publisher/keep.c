#include "publisher/keep.h"

#include <stdlib.h>
#include <string.h>

struct keeping {
    struct sl_letter letter; /* first: a letter is its keeping */
    struct pub_keep keep;
    uint64_t cookie; /* the asking loop's */
    uint64_t received_ns;
    uint16_t provider;
    bool ok;
    struct sl_err why;
    size_t bytes;
    char payload[];
};

static void append(struct sl_letter *letter);
static void answer(struct keeping *keeping, bool ok);
static void tell(struct sl_letter *letter);

bool pub_keep_append(const struct pub_keep *keep, struct sl_span payload, uint16_t provider,
                     uint64_t received_ns, uint64_t cookie, struct sl_err *err)
{
    struct keeping *keeping = malloc(sizeof *keeping + payload.bytes);
    if (keeping == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a letter to the journal");
    }
    *keeping = (struct keeping){
        .letter.open = append,
        .keep = *keep,
        .cookie = cookie,
        .received_ns = received_ns,
        .provider = provider,
        .bytes = payload.bytes,
    };
    memcpy(keeping->payload, payload.data, payload.bytes);
    if (!sl_mailbox_post(keep->journal, &keeping->letter)) {
        free(keeping);
        return sl_fail(err, SL_E_JOURNAL_BUSY, "too many events wait for the journal");
    }
    return true;
}

/* In the first loop. */
static void append(struct sl_letter *letter)
{
    struct keeping *keeping = (struct keeping *)(void *)letter;
    const struct pub_stores *stores = keeping->keep.stores;
    if (stores->journal == NULL) {
        (void)sl_fail(&keeping->why, SL_E_JOURNAL_FAILED, "the journal is closed");
        answer(keeping, false);
    } else if (!sl_journal_append(stores->journal, sl_span_make(keeping->payload, keeping->bytes),
                                  keeping->provider, keeping->received_ns,
                                  PUB_KEEP_COOKIE | (uint64_t)(uintptr_t)keeping, &keeping->why)) {
        answer(keeping, false);
    }
}

void pub_keep_appended(uint64_t cookie, bool ok, const struct sl_err *why)
{
    struct keeping *keeping = (struct keeping *)(uintptr_t)(cookie & ~PUB_KEEP_COOKIE);
    keeping->why = *why;
    answer(keeping, ok);
}

static void answer(struct keeping *keeping, bool ok)
{
    keeping->ok = ok;
    keeping->letter.open = tell;
    sl_mailbox_answer(keeping->keep.own, &keeping->letter);
}

/* In the loop that asked. */
static void tell(struct sl_letter *letter)
{
    struct keeping *keeping = (struct keeping *)(void *)letter;
    keeping->keep.on_appended(keeping->keep.arg, keeping->cookie, keeping->ok, &keeping->why);
    free(keeping);
}
