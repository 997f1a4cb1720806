#include "ops/sections.h"

#include <unistd.h>

#include "shared/embed.h"

#define MISTAKES_BYTES_MAX 16384u

extern const struct sl_embedded embedded_default_subsystems[];

bool ops_sections_load(const struct ops_address *address, struct sl_subsystems *out_subsystems,
                       struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    *out_subsystems = (struct sl_subsystems){ 0 };
    sl_subsystems_load(address->settings.subsystems,
                       sl_embedded_span(&embedded_default_subsystems[0]), out_subsystems,
                       &mistakes);
    if (out_subsystems->count > 0) {
        SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
        sl_conf_source_init(&source, environ, &mistakes);
        sl_subsystems_switch(out_subsystems, &source);
    }
    return sl_conf_verdict(&mistakes, err);
}
