#include "shared/control/control_path.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

_Static_assert(SL_CONTROL_PATH_BYTES == sizeof((struct sockaddr_un *)NULL)->sun_path,
               "a control path fits a socket's address");

bool sl_control_path(const char *state_dir, const char *program,
                     char out_path[SL_CONTROL_PATH_BYTES], struct sl_err *err)
{
    size_t dir_bytes = strlen(state_dir);
    while (dir_bytes > 1 && state_dir[dir_bytes - 1] == '/') {
        dir_bytes--;
    }
    char path[SL_CONTROL_PATH_BYTES];
    int bytes = dir_bytes >= sizeof path ? -1
                                         : snprintf(path, sizeof path, "%.*s/%s.sock",
                                                    (int)dir_bytes, state_dir, program);
    if (bytes < 0 || (size_t)bytes >= sizeof path) {
        return sl_fail(
            err, SL_E_CONFIG,
            "the state folder's name is too long for a control socket (%u bytes with /%s.sock)",
            SL_CONTROL_PATH_BYTES - 1, program);
    }
    memcpy(out_path, path, (size_t)bytes + 1);
    return true;
}
