#include "ops/doctor/deploy_step.h"

#include <stdio.h>
#include <string.h>

#include "shared/scope.h"

static const struct {
    const char *name;
    const char *fix;
} conditions[OPS_DEPLOY_CONDITIONS] = {
    [OPS_DEPLOY_UP] = { "up",
                        "the program's last lines say what stopped it; sluice doctor --only config" },
    [OPS_DEPLOY_READY] = { "ready", "sluice doctor broker; sluice doctor --only postgres" },
    [OPS_DEPLOY_HEALTHY] = { "health", "sluice doctor" },
    [OPS_DEPLOY_VERSION] = { "version", "the old program still runs: restart it, or roll back" },
    [OPS_DEPLOY_API] = { "api",
                         "DATABASE_URL and QUEUE_SERVICE_TOKEN_CONSOLE of the publisher; sluice doctor --only postgres,config" },
    [OPS_DEPLOY_NO_ERROR] = { "log",
                              "its error_code names the page in runbooks/README.md; roll back when it is new" },
};

static void judge_programs(const struct ops_deploy_seen *seen, struct ops_deploy_row *rows);
static void judge_program(const struct ops_deploy_seen *seen,
                          const struct ops_deploy_program *program, struct ops_deploy_row *rows);
static void miss(struct ops_deploy_row *row, const char *name, const char *why);
static void judge_api(const struct ops_deploy_seen *seen, struct ops_deploy_row *row);
static void judge_log(const struct ops_deploy_seen *seen, struct ops_deploy_row *row);

const char *ops_deploy_name(enum ops_deploy_condition condition)
{
    return conditions[condition].name;
}

const char *ops_deploy_fix(enum ops_deploy_condition condition)
{
    return conditions[condition].fix;
}

void ops_deploy_judge(const struct ops_deploy_seen *seen,
                      struct ops_deploy_row out_rows[OPS_DEPLOY_CONDITIONS])
{
    memset(out_rows, 0, OPS_DEPLOY_CONDITIONS * sizeof *out_rows);
    judge_programs(seen, out_rows);
    judge_api(seen, &out_rows[OPS_DEPLOY_API]);
    judge_log(seen, &out_rows[OPS_DEPLOY_NO_ERROR]);
}

static void judge_programs(const struct ops_deploy_seen *seen, struct ops_deploy_row *rows)
{
    for (size_t i = 0; i < SL_COUNT(seen->programs); i++) {
        judge_program(seen, &seen->programs[i], rows);
    }
    if (seen->expected == NULL && rows[OPS_DEPLOY_VERSION].state == OPS_DEPLOY_MET) {
        rows[OPS_DEPLOY_VERSION].state = OPS_DEPLOY_UNASKED;
    }
    for (size_t i = 0; i < OPS_DEPLOY_API; i++) {
        if (rows[i].text[0] == '\0') {
            snprintf(rows[i].text, sizeof rows[i].text, "%s",
                     i != OPS_DEPLOY_VERSION  ? "publisher and consumer"
                     : seen->expected == NULL ? "any will do; --expect-version says which"
                                              : seen->expected);
        }
    }
}

/* What a program does not answer it is not either. */
static void judge_program(const struct ops_deploy_seen *seen,
                          const struct ops_deploy_program *program, struct ops_deploy_row *rows)
{
    if (!program->answers) {
        miss(&rows[OPS_DEPLOY_UP], program->name, program->why);
        miss(&rows[OPS_DEPLOY_READY], program->name, "does not answer");
        miss(&rows[OPS_DEPLOY_HEALTHY], program->name, "does not answer");
        if (seen->expected != NULL) {
            miss(&rows[OPS_DEPLOY_VERSION], program->name, "does not answer");
        }
        return;
    }
    if (!program->is_ready) {
        miss(&rows[OPS_DEPLOY_READY], program->name, program->why);
    }
    if (strcmp(program->status, "ok") != 0) {
        miss(&rows[OPS_DEPLOY_HEALTHY], program->name, program->status);
    }
    if (seen->expected != NULL && strcmp(program->version, seen->expected) != 0) {
        miss(&rows[OPS_DEPLOY_VERSION], program->name, program->version);
    }
}

static void miss(struct ops_deploy_row *row, const char *name, const char *why)
{
    size_t used = strlen(row->text);
    row->state = OPS_DEPLOY_NOT_YET;
    snprintf(row->text + used, sizeof row->text - used, "%s%s: %s", used == 0 ? "" : "; ", name,
             why);
}

static void judge_api(const struct ops_deploy_seen *seen, struct ops_deploy_row *row)
{
    row->state = !seen->asks_api           ? OPS_DEPLOY_UNASKED
                 : seen->api_status == 200 ? OPS_DEPLOY_MET
                                           : OPS_DEPLOY_NOT_YET;
    if (!seen->asks_api) {
        snprintf(row->text, sizeof row->text, "QUEUE_SERVICE_TOKEN_CONSOLE is not set");
    } else if (seen->api_status == 0) {
        snprintf(row->text, sizeof row->text, "no answer");
    } else {
        snprintf(row->text, sizeof row->text, "%d", seen->api_status);
    }
}

static void judge_log(const struct ops_deploy_seen *seen, struct ops_deploy_row *row)
{
    row->state = !seen->has_log           ? OPS_DEPLOY_UNASKED
                 : !seen->is_log_read     ? OPS_DEPLOY_NOT_YET
                 : seen->error[0] != '\0' ? OPS_DEPLOY_NEVER
                                          : OPS_DEPLOY_MET;
    snprintf(row->text, sizeof row->text, "%s",
             !seen->has_log           ? "none was given; --log says where it is"
             : seen->error[0] != '\0' ? seen->error
                                      : "no error since the last start");
}

bool ops_deploy_is_over(const struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS])
{
    bool is_met = true;
    for (size_t i = 0; i < OPS_DEPLOY_CONDITIONS; i++) {
        if (rows[i].state == OPS_DEPLOY_NEVER) {
            return true;
        }
        is_met = is_met && rows[i].state != OPS_DEPLOY_NOT_YET;
    }
    return is_met;
}

bool ops_deploy_is_well(const struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS])
{
    for (size_t i = 0; i < OPS_DEPLOY_CONDITIONS; i++) {
        if (rows[i].state == OPS_DEPLOY_NEVER || rows[i].state == OPS_DEPLOY_NOT_YET) {
            return false;
        }
    }
    return true;
}
