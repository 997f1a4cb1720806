#include "ops/queue/queue.h"

#define ROWS_USAGE "  -o table|json|ndjson|csv  for people (default) or for programs\n"

const char ops_queue_list_usage[] =
    "  --non-critical    only those whose sections do not say that they are critical\n"
    "  --sample D        look twice, so long apart, for rates that no management interface tells\n" ROWS_USAGE
    "WAITING in the queue, UNACKED in consumers' hands, DELAYED until their first or next try; OLDEST in\n"
    "hand was received so many seconds ago; PARKED on the way to the table, LETTERS open in it. What is not known is\n"
    "unknown (null for programs). RABBITMQ_API_URL adds rates.\n";

const char ops_queue_drain_usage[] =
    "  SUBSYSTEM         whose queue\n"
    "  --timeout D       wait so long at most (10m)\n"
    "Changes nothing. Exit status: 0 nothing waits, is in hand or is delayed; 75 not so within the time.\n";

const char ops_queue_pause_usage[] =
    "  [SUBSYSTEM...]    which\n"
    "  --non-critical    every enabled one whose section does not say that it is critical\n"
    "  --all             every enabled one\n"
    "  --for D           ends by itself after that\n"
    "  --reason TEXT     shown to the others\n"
    "Running transactions end, the rest goes back to its queue, no attempt is spent. Exit status: 0 every\n"
    "running consumer follows, 75 not all do yet.\n";

const char ops_queue_resume_usage[] =
    "  [SUBSYSTEM...]    which\n"
    "  --non-critical    every enabled one whose section does not say that it is critical\n"
    "  --all             every enabled one\n"
    "Exit status: 0 every running consumer follows, 75 not all do yet.\n";

const char ops_queue_set_usage[] =
    "  [SUBSYSTEM]       whose; without it all that is set is shown\n"
    "  [SETTING...]      attempts=N, workers=N, batch=N, retries=on|off; workers and batch up to what the\n"
    "                    section says\n"
    "  --for D           ends by itself after that\n"
    "  --reason TEXT     shown to the others\n"
    "  --reset           take back what is set\n" ROWS_USAGE
    "Holds for every consumer, also for those that start later. Exit status: 0 every running consumer\n"
    "follows, 75 not all do yet.\n";
