#include "ops/actor.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void ops_actor(char out_actor[OPS_ACTOR_BYTES])
{
    char host[64] = "";
    const struct passwd *user = getpwuid(getuid());
    const char *name = getenv("SUDO_USER");
    if (name == NULL || *name == '\0') {
        name = user == NULL ? "unknown" : user->pw_name;
    }
    if (gethostname(host, sizeof host - 1) != 0) {
        snprintf(host, sizeof host, "unknown");
    }
    snprintf(out_actor, OPS_ACTOR_BYTES, "%.60s@%s", name, host);
}
