#include "ops/sections.h"

#include <string.h>
#include <unistd.h>

#include "shared/embed.h"
#include "shared/nearest.h"

#define MISTAKES_BYTES_MAX 16384u
#define UNROUTED           "unrouted" /* whose letters are of no section */

extern const struct sl_embedded embedded_default_subsystems[];

static const char *next_section(const void *arg, size_t i);

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

const struct sl_subsystem *ops_section(const struct sl_subsystems *subsystems, const char *name,
                                       struct sl_err *err)
{
    const struct sl_subsystem *found = sl_subsystems_find(subsystems, sl_span_of(name));
    if (found == NULL) {
        const char *nearest = sl_nearest_of(sl_span_of(name), next_section, subsystems);
        sl_fail(err, SL_E_USAGE, "the subsystems file has no section '%.60s'%s%s%s", name,
                nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                nearest == NULL ? "" : "?");
    }
    return found;
}

bool ops_section_meant(const char *name, struct sl_err *err)
{
    struct sl_err unread;
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    if (name == NULL || strcmp(name, UNROUTED) == 0 || !ops_address_open(&address, &unread) ||
        !ops_sections_load(&address, &subsystems, &unread)) {
        return true;
    }
    return ops_section(&subsystems, name, err) != NULL;
}

static const char *next_section(const void *arg, size_t i)
{
    const struct sl_subsystems *subsystems = arg;
    return i < subsystems->count ? subsystems->items[i].name : NULL;
}
