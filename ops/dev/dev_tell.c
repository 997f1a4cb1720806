#include <stdio.h>
#include <sysexits.h>

#include "ops/dev/dev_banner.h"
#include "ops/dev/dev_process.h"
#include "ops/dev/dev_supervisor.h"

void dev_give_up(struct dev_supervisor *sup, int exit_status, const char *log_name)
{
    if (log_name != NULL) {
        char log_path[PATH_MAX];
        dev_log_path(sup->home, log_name, log_path);
        fprintf(stderr, "  the last lines of %s:\n", log_path);
        dev_process_show_tail(log_path);
    }
    sup->exit_status = exit_status == 0 ? EX_SOFTWARE : exit_status;
    sup->phase = DEV_PHASE_ENDING;
}

void dev_show_banner(const struct dev_supervisor *sup)
{
    struct dev_banner banner = { .home = sup->home,
                                 .ports = sup->ports,
                                 .password = sup->password,
                                 .servers_only = sup->opts.servers_only };
    dev_banner_print(&banner);
}

/* Replaced in one step, so that a reader in another shell never sees half of it. */
void dev_publish_status(const struct dev_supervisor *sup)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];
    dev_home_path(sup->home, path, "status");
    dev_home_path(sup->home, fresh, "status.new");
    FILE *file = fopen(fresh, "we");
    if (file == NULL) {
        return;
    }
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        const struct dev_child *child = &sup->children[i];
        const struct dev_kind *kind = dev_kind_of((enum dev_who)i);
        if (sup->opts.servers_only && kind->program != NULL) {
            continue;
        }
        fprintf(file, "%s %s %d %lld %u %u\n", kind->name, dev_state_word(child->state),
                (int)child->pid, (long long)(child->since_us / 1000000), child->starts,
                sup->ports[kind->port]);
    }
    if (fclose(file) == 0) {
        (void)rename(fresh, path);
    }
}
