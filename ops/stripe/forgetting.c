#include "ops/stripe/forgetting.h"

#define DAY_S (INT64_C(24) * 3600)

enum ops_forgetting ops_forgetting_of(int64_t age_s)
{
    return age_s >= OPS_FORGETTING_LAST_DAYS * DAY_S   ? OPS_FORGETTING_LAST
           : age_s >= OPS_FORGETTING_SOON_DAYS * DAY_S ? OPS_FORGETTING_SOON
                                                       : OPS_FORGETTING_NOT_YET;
}
