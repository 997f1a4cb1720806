#include "shared/control/control_path.h"

#include <string.h>

#include "tests/support/claims.h"

CLAIM(control_path__is_the_folder_and_the_program)
{
    char path[SL_CONTROL_PATH_BYTES] = "";
    struct sl_err err = { 0 };
    CU_ASSERT(sl_control_path("/var/lib/sluice", "sluice-publisher", path, &err));
    CU_ASSERT_STRING_EQUAL(path, "/var/lib/sluice/sluice-publisher.sock");
    CU_ASSERT(sl_control_path("/var/lib/sluice//", "x", path, &err));
    CU_ASSERT_STRING_EQUAL(path, "/var/lib/sluice/x.sock");
}

CLAIM(control_path__one_that_does_not_fit_is_refused_and_never_cut)
{
    char dir[300];
    memset(dir, 'd', sizeof dir - 1);
    dir[sizeof dir - 1] = '\0';
    dir[0] = '/';
    for (size_t bytes = 90; bytes < sizeof dir - 1; bytes++) {
        char path[SL_CONTROL_PATH_BYTES] = "untouched";
        struct sl_err err = { 0 };
        char kept = dir[bytes];
        dir[bytes] = '\0';
        bool fits = bytes + strlen("/x.sock") < SL_CONTROL_PATH_BYTES;
        CU_ASSERT_EQUAL(sl_control_path(dir, "x", path, &err), fits);
        CU_ASSERT_EQUAL(strlen(path), fits ? bytes + strlen("/x.sock") : strlen("untouched"));
        CU_ASSERT_EQUAL(err.code, fits ? SL_E_NONE : SL_E_CONFIG);
        dir[bytes] = kept;
    }
}
