#include "consumer/ratio.h"

void con_ratio_note(struct con_ratio *ratio, int64_t tries, int64_t failed)
{
    size_t place = ratio->count % CON_RATIO_WINDOW;
    ratio->samples[place].tries = tries;
    ratio->samples[place].failed = failed;
    ratio->count++;
}

int64_t con_ratio_percent(const struct con_ratio *ratio)
{
    if (ratio->count < 2) {
        return 0;
    }
    size_t newest = (ratio->count - 1) % CON_RATIO_WINDOW;
    size_t oldest = ratio->count <= CON_RATIO_WINDOW ? 0 : ratio->count % CON_RATIO_WINDOW;
    int64_t tries = ratio->samples[newest].tries - ratio->samples[oldest].tries;
    int64_t failed = ratio->samples[newest].failed - ratio->samples[oldest].failed;
    return tries <= 0 ? 0 : (failed * 100 + tries - 1) / tries;
}
