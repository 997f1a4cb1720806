#include "shared/stripe/stripe_keys.h"

#include <string.h>

static bool is_live(const char *key);

void sl_stripe_keys_choose(struct sl_stripe_keys *out, const char *api_key,
                           const char *restricted_key, struct sl_buf *mistakes)
{
    *out = (struct sl_stripe_keys){
        .reads = restricted_key != NULL ? restricted_key : api_key,
        .writes = api_key,
    };
    out->livemode = out->reads != NULL && is_live(out->reads);
    if (api_key != NULL && is_live(api_key) != out->livemode) {
        sl_buf_append_text(mistakes, "STRIPE_RESTRICTED_KEY: is of another mode, live or test, "
                                     "than STRIPE_API_KEY\n");
    }
}

/* sk_live_…, rk_live_… */
static bool is_live(const char *key)
{
    return strstr(key, "_live_") != NULL;
}
