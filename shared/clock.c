#include "shared/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t clock);

int64_t sl_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

static int64_t read_us(clockid_t clock)
{
    struct timespec now = { 0 };
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sl_clock_mono_ms(void)
{
    return sl_clock_mono_us() / 1000;
}

int64_t sl_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

void sl_clock_rfc3339(int64_t wall_us, char out_text[SL_RFC3339_BYTES])
{
    char day[SL_RFC3339_BYTES];
    sl_clock_rfc3339_s(wall_us / 1000000, day);
    unsigned micros = (unsigned)(wall_us % 1000000) % 1000000u;
    snprintf(out_text, SL_RFC3339_BYTES, "%.19s.%06uZ", day, micros);
}

void sl_clock_rfc3339_s(int64_t wall_s, char out_text[SL_RFC3339_BYTES])
{
    time_t seconds = (time_t)wall_s;
    struct tm parts = { 0 };
    gmtime_r(&seconds, &parts);
    strftime(out_text, SL_RFC3339_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
