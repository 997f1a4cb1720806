/*
 * deploy_step - what must be so after a deployment, and which of it is not so yet.
 *
 * Decides only: what one look at the programs has seen in, one row per condition out. A condition that is not met may be met at the next look; an error in the
 * log may not, so waiting ends with it.
 * Threads: no state.
 */
#ifndef OPS_DEPLOY_STEP_H
#define OPS_DEPLOY_STEP_H

#include <stdbool.h>
#include <stddef.h>

#define OPS_DEPLOY_TEXT_BYTES 320u

enum ops_deploy_condition {
    OPS_DEPLOY_UP,       /* both programs answer /health */
    OPS_DEPLOY_READY,    /* and /readyz with 200 */
    OPS_DEPLOY_HEALTHY,  /* and say ok */
    OPS_DEPLOY_VERSION,  /* and run the expected version */
    OPS_DEPLOY_API,      /* the API answers 200 to a caller of ours */
    OPS_DEPLOY_NO_ERROR, /* no line of level error or fatal since their last start */
    OPS_DEPLOY_CONDITIONS
};

/* One program, as one look has seen it. */
struct ops_deploy_program {
    const char *name; /* "publisher" */
    bool answers;
    bool is_ready;
    char status[64]; /* what /health says */
    char version[64];
    char why[OPS_DEPLOY_TEXT_BYTES]; /* when it does not answer, or is not ready */
};

struct ops_deploy_seen {
    struct ops_deploy_program programs[2];
    const char *expected; /* version; NULL: each may run any */
    bool asks_api;
    int api_status; /* 0: no answer */
    bool has_log;
    bool is_log_read;
    char error[OPS_DEPLOY_TEXT_BYTES]; /* the first error line's event and sentence; "": none */
};

enum ops_deploy_state {
    OPS_DEPLOY_MET,
    OPS_DEPLOY_NOT_YET,
    OPS_DEPLOY_NEVER, /* waiting does not help */
    OPS_DEPLOY_UNASKED,
};

struct ops_deploy_row {
    enum ops_deploy_state state;
    char text[OPS_DEPLOY_TEXT_BYTES * 2];
};

const char *ops_deploy_name(enum ops_deploy_condition condition);
const char *ops_deploy_fix(enum ops_deploy_condition condition);
void ops_deploy_judge(const struct ops_deploy_seen *seen,
                      struct ops_deploy_row out_rows[OPS_DEPLOY_CONDITIONS]);
/* Is waiting over: all met, or one that never will be? */
bool ops_deploy_is_over(const struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS]);
bool ops_deploy_is_well(const struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS]);

#endif
