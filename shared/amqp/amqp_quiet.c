#include "shared/amqp/amqp_quiet.h"

#include <string.h>

#define CREDIT_FROM  3000u /* versions that know basic.credit: 3.0 to 3.13 */
#define CREDIT_UNTIL 4000u
#define ROUNDS       2u

bool sl_quiet_add(struct sl_quiet *quiet, unsigned version, const char *tag)
{
    size_t bytes = strlen(tag);
    if (version < CREDIT_FROM || version >= CREDIT_UNTIL || quiet->count == SL_QUIET_TAGS_MAX ||
        bytes > SL_QUIET_TAG_BYTES_MAX) {
        return false;
    }
    memcpy(quiet->tags[quiet->count++], tag, bytes + 1);
    quiet->rounds_left = ROUNDS - 1;
    quiet->owed += (unsigned)quiet->count;
    return true;
}

enum sl_quiet_act sl_quiet_answered(struct sl_quiet *quiet)
{
    if (quiet->owed == 0 || --quiet->owed > 0 || quiet->count == 0) {
        return SL_QUIET_WAIT;
    }
    if (quiet->rounds_left == 0) {
        return SL_QUIET_CANCEL;
    }
    quiet->rounds_left--;
    quiet->owed = (unsigned)quiet->count;
    return SL_QUIET_ASK;
}

/* Answers that are still owed are not taken for those of the next one. */
void sl_quiet_end(struct sl_quiet *quiet)
{
    quiet->count = 0;
    quiet->rounds_left = 0;
}
