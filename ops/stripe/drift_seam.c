#include "ops/stripe/drift_seam.h"

#define ARENA_BYTES_MAX (64u * 1024u * 1024u)

void ops_drift_seam_init(struct ops_drift_seam *seam)
{
    sl_arena_init(&seam->texts, ARENA_BYTES_MAX);
}

void ops_drift_seam_done(struct ops_drift_seam *seam)
{
    sl_arena_done(&seam->texts);
}

void ops_drift_seam_begin(struct ops_drift_seam *seam, int64_t second)
{
    seam->second = second;
    seam->count = 0;
}

bool ops_drift_seam_move(struct ops_drift_seam *seam, const struct ops_drift_page *page,
                         int64_t second, const char *plural, struct sl_err *err)
{
    if (second != seam->second || seam->ids == NULL) {
        seam->count = 0;
        sl_arena_reset(&seam->texts);
        seam->ids = sl_arena_array(&seam->texts, OPS_DRIFT_CARRIED_MAX, sizeof *seam->ids);
    }
    for (size_t i = 0; i < page->count; i++) {
        int64_t created_s = 0;
        if (!sl_json_int(sl_json_get(page->objects[i], "created"), &created_s) ||
            created_s != second) {
            continue;
        }
        if (seam->ids == NULL || seam->count == OPS_DRIFT_CARRIED_MAX) {
            return sl_fail(err, SL_E_LIMIT, "more than %u %s were created in one second",
                           OPS_DRIFT_CARRIED_MAX, plural);
        }
        seam->ids[seam->count++] = sl_arena_copy(&seam->texts, ops_drift_id(page->objects[i]));
    }
    seam->second = second;
    return true;
}

struct sl_span ops_drift_id(const struct sl_json *object)
{
    struct sl_span raw = sl_json_get(object, "id")->raw; /* with its quotes */
    return sl_span_make(raw.data + 1, raw.bytes - 2);
}
