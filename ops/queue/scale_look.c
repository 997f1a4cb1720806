#include "ops/queue/scale_look.h"

struct ops_scale_figures ops_scale_figures_of(const struct ops_queue_facts *facts,
                                              const struct ops_flow *flow,
                                              const struct ops_cause_figures *sessions,
                                              const struct ops_scale_wish *wish)
{
    bool is_known = facts->waiting != OPS_UNKNOWN && facts->unacked != OPS_UNKNOWN;
    struct ops_scale_figures figures = { .backlog = is_known ? facts->waiting + facts->unacked
                                                             : OPS_UNKNOWN,
                                         .waiting = facts->waiting,
                                         .unacked = facts->unacked,
                                         .in_milli = flow->in_milli,
                                         .out_milli = flow->out_milli,
                                         .workers = facts->workers,
                                         .workers_made = facts->workers_made,
                                         .blocked = sessions->blocked,
                                         .busy_ms = sessions->busy_ms,
                                         .budget = sessions->sessions_max,
                                         .others = sessions->sessions,
                                         .headroom = OPS_SCALE_HEADROOM,
                                         .target_s = OPS_SCALE_TARGET_S };
    if (facts->workers == OPS_UNKNOWN && facts->running == 0) {
        figures.workers = 0;
    }
    if (figures.others != OPS_UNKNOWN && figures.workers != OPS_UNKNOWN) {
        int64_t own = figures.workers * OPS_WORKER_SESSIONS;
        figures.others = figures.others > own ? figures.others - own : 0;
    }
    if (wish != NULL) {
        figures.budget = wish->budget > 0 ? wish->budget : figures.budget;
        figures.headroom = wish->headroom >= 0 ? wish->headroom : figures.headroom;
        figures.target_s = wish->target_s > 0 ? wish->target_s : figures.target_s;
    }
    return figures;
}
