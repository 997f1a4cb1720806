#include "publisher/policy.h"

#include <stdio.h>

static const char *const names[PUB_POLICIES] = {
    [PUB_POLICY_JOURNAL] = "journal",
    [PUB_POLICY_JOURNAL_DROP] = "journal+drop",
    [PUB_POLICY_DROP] = "drop",
    [PUB_POLICY_REJECT] = "reject",
};

/* The deeds of each policy, best first. */
static const enum pub_deed deeds[PUB_POLICIES][PUB_DEEDS] = {
    [PUB_POLICY_JOURNAL] = { PUB_DEED_PUBLISH, PUB_DEED_JOURNAL, PUB_DEED_REFUSE },
    [PUB_POLICY_JOURNAL_DROP] = { PUB_DEED_PUBLISH, PUB_DEED_JOURNAL, PUB_DEED_DROP,
                                  PUB_DEED_REFUSE },
    [PUB_POLICY_DROP] = { PUB_DEED_PUBLISH, PUB_DEED_DROP, PUB_DEED_REFUSE },
    [PUB_POLICY_REJECT] = { PUB_DEED_PUBLISH, PUB_DEED_REFUSE },
};

static bool is_possible(enum pub_deed deed, const struct pub_means *means);
static bool read_policy(struct sl_span text, enum pub_policy *out_policy);
static bool is_known(struct sl_span source, const char *const *known);
static bool add(struct pub_policy_list *out, struct sl_span source, enum pub_policy policy);

enum pub_deed pub_policy_decide(enum pub_policy policy, const struct pub_means *means,
                                unsigned failed)
{
    SL_ASSERT(policy < PUB_POLICIES);
    for (size_t i = 0; i < PUB_DEEDS; i++) {
        enum pub_deed deed = deeds[policy][i];
        if (deed == PUB_DEED_REFUSE || ((failed & (1u << deed)) == 0 && is_possible(deed, means))) {
            return deed;
        }
    }
    return PUB_DEED_REFUSE;
}

static bool is_possible(enum pub_deed deed, const struct pub_means *means)
{
    switch (deed) {
    case PUB_DEED_PUBLISH:
        return means->has_broker;
    case PUB_DEED_JOURNAL:
        return means->has_journal;
    case PUB_DEED_DROP:
        return means->has_drops;
    case PUB_DEED_REFUSE:
    case PUB_DEEDS:
        break;
    }
    return true;
}

void pub_policy_parse(const char *text, const char *const *known, struct pub_policy_list *out,
                      struct sl_buf *mistakes)
{
    *out = (struct pub_policy_list){ .rest = PUB_POLICY_JOURNAL };
    struct sl_span rest = sl_span_of(text);
    if (read_policy(sl_span_trim(rest), &out->rest)) {
        return;
    }
    struct sl_span part = { 0 };
    while (sl_span_split(&rest, ',', &part)) {
        struct sl_span value = part;
        struct sl_span source = { 0 };
        enum pub_policy policy = PUB_POLICY_JOURNAL;
        bool is_pair = sl_span_split(&value, '=', &source) && value.data != NULL;
        source = sl_span_trim(source);
        if (!is_pair || !read_policy(sl_span_trim(value), &policy)) {
            sl_buf_printf(
                mistakes,
                "SLUICE_DEGRADED_POLICY: \"%.*s\" is not journal, journal+drop, drop or reject, nor source=one of these\n",
                SL_SPAN_ARGS(part));
        } else if (!is_known(source, known)) {
            sl_buf_printf(mistakes, "SLUICE_DEGRADED_POLICY: there is no source \"%.*s\"\n",
                          SL_SPAN_ARGS(source));
        } else if (!add(out, source, policy)) {
            sl_buf_printf(mistakes, "SLUICE_DEGRADED_POLICY: source \"%.*s\" is named twice\n",
                          SL_SPAN_ARGS(source));
        }
    }
}

static bool read_policy(struct sl_span text, enum pub_policy *out_policy)
{
    for (size_t i = 0; i < PUB_POLICIES; i++) {
        if (sl_span_is(text, names[i])) {
            *out_policy = (enum pub_policy)i;
            return true;
        }
    }
    return false;
}

static bool is_known(struct sl_span source, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (sl_span_is(source, *known)) {
            return true;
        }
    }
    return false;
}

/* False: it is there already (known names are fewer than there is room). */
static bool add(struct pub_policy_list *out, struct sl_span source, enum pub_policy policy)
{
    for (size_t i = 0; i < out->count; i++) {
        if (sl_span_is(source, out->items[i].source)) {
            return false;
        }
    }
    SL_ASSERT(out->count < PUB_POLICY_SOURCES_MAX);
    snprintf(out->items[out->count].source, sizeof out->items[0].source, "%.*s",
             SL_SPAN_ARGS(source));
    out->items[out->count].policy = policy;
    out->count++;
    return true;
}

enum pub_policy pub_policy_of(const struct pub_policy_list *list, const char *source)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].source, source) == 0) {
            return list->items[i].policy;
        }
    }
    return list->rest;
}
