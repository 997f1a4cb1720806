#include "shared/journal/journal_finding.h"

#include "shared/scope.h"

static const struct {
    enum sl_journal_weight weight;
    const char *name;
    const char *sentence;
} rows[SL_JOURNAL_TELL_COUNT] = {
#define SL_JOURNAL_TELL(id, weight, name, sentence)                                                \
    [SL_JOURNAL_TELL_##id] = { SL_JOURNAL_WEIGHT_##weight, (name), (sentence) },
#include "shared/journal/journal_finding.def"
#undef SL_JOURNAL_TELL
};

const char *sl_journal_tell_name(enum sl_journal_tell what)
{
    SL_ASSERT(what < SL_JOURNAL_TELL_COUNT);
    return rows[what].name;
}

const char *sl_journal_tell_sentence(enum sl_journal_tell what)
{
    SL_ASSERT(what < SL_JOURNAL_TELL_COUNT);
    return rows[what].sentence;
}

enum sl_journal_weight sl_journal_tell_weight(enum sl_journal_tell what)
{
    SL_ASSERT(what < SL_JOURNAL_TELL_COUNT);
    return rows[what].weight;
}
