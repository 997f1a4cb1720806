#include "ops/queue/queue.h"

#include "ops/flags.h"

#define ROWS_USAGE OPS_USAGE_ROWS

const char ops_queue_list_usage[] =
    "  --non-critical    only those whose sections do not say that they are critical\n"
    "  --sample D        look twice, so long apart, for rates that no management interface tells\n" ROWS_USAGE
    "WAITING in the queue, UNACKED in consumers' hands, DELAYED until their first or next try; OLDEST in\n"
    "hand was received so many seconds ago (nobody has what waits in a paused queue in hand: SETTINGS says since\n"
    "when); PARKED on the way to the table, LETTERS open in it. What is not known is unknown (null in JSON, empty\n"
    "in CSV). RABBITMQ_API_URL adds rates.\n";

const char ops_queue_watch_usage[] =
    "  [SUBSYSTEM]       whose queue; without it all enabled ones\n"
    "  --every D         between two looks (2s)\n"
    "  --count N         so many times, then end (0: until Ctrl-C)\n"
    "  --once            one look of --every, then end\n"
    "  -o table|json|ndjson|csv  for people (default) or for programs: a line a queue and look\n"
    "WAITING, UNACKED and DELAYED now; IN S and OUT S since the look before, also without RABBITMQ_API_URL; NEW\n"
    "LETTERS: given up since. What is not known is unknown (null in JSON, empty in CSV).\n";

const char ops_queue_diagnose_usage[] =
    "  [SUBSYSTEM]       whose queue; without it all enabled ones\n"
    "  --sample D        time between the two looks that the rates come from (3s)\n" ROWS_USAGE
    "One of: consumer outage, producer storm, slow processing, retry storm, poison, database; or paused,\n"
    "catching up, nothing wrong, unknown. With its evidence, and what to do next. Exit status: 0 no trouble, 1 one\n"
    "of the six.\n";

const char ops_queue_drain_usage[] =
    "  SUBSYSTEM         whose queue\n"
    "  --timeout D       wait so long at most (10m)\n"
    "  --stuck-after D   what waits is called stuck when nothing was settled for so long (30m)\n" ROWS_USAGE
    "Changes nothing. Says when it will be empty, as a range, and what sets the pace: broker, workers or database;\n"
    "or that it does not get less, and how many more workers it needs. Programs get a row a look, ndjson at once,\n"
    "json and csv at the end.\n"
    "Exit status: 0 nothing waits, is in hand or is delayed; 75 not so within the time.\n";

const char ops_queue_purge_usage[] =
    "  QUEUE             a subsystem, or the name of its work queue or replay queue (sluice.billing)\n"
    "  --reason TEXT     why; written into the audit (needed to do it)\n"
    "  --yes             do it, after the phrase was typed; without it the plan is shown and nothing happens\n"
    "  --dry-run         the plan only, also beside --yes and --confirm\n"
    "  --confirm PHRASE  do it: the phrase, where there is no terminal to type it on\n"
    "  --out F           the file; default: <queue>-<time>.ndjson here\n"
    "  --limit N         at most so many, the oldest first\n" ROWS_USAGE
    "Nobody may consume the queue meanwhile: pause it first. Every message is written to the file and synced before\n"
    "it is acknowledged; cut off anywhere, each is in the queue, in the file, or in both. `sluice queue restore`\n"
    "publishes the file again. Exit status: 0 done, or nothing waits; 2 the plan has work; 3 fewer than planned; 75\n"
    "somebody consumes; 130 stopped.\n";

const char ops_queue_restore_usage[] =
    "  [FILE]            that `sluice queue purge` wrote\n"
    "  --rate N          at most so many a second (50)\n"
    "  --reason TEXT     written into the audit\n" OPS_USAGE_YES ROWS_USAGE
    "Each message goes to the queue it was in and nowhere else, with the id it had: what was applied meanwhile is a\n"
    "duplicate, and a restore that was cut off is simply done again. Exit status: 0 published, or nothing to do; 2\n"
    "the plan has work; 3 not all were published.\n";

const char ops_scale_advise_usage[] =
    "  [SUBSYSTEM]       whose workers; without it those of all enabled ones\n"
    "  --within D        the backlog should be gone within that (15m)\n"
    "  --budget N        sessions of Postgres that may be used at all (SLUICE_PG_BUDGET; else what the server takes)\n"
    "  --headroom N      sessions that stay free for people (10)\n"
    "  --sample D        look twice, so long apart (5s)\n" ROWS_USAGE
    "NEEDED = (backlog / within + in) / out of one worker; ROOM = budget - sessions of others - headroom. The next step\n"
    "is one or two workers; then wait 1 to 2 minutes, and go back when it did not help. Changes nothing.\n";

const char ops_queue_pause_usage[] =
    "  [SUBSYSTEM...]    which\n"
    "  --non-critical    every enabled one whose section does not say that it is critical\n"
    "  --all             every enabled one\n"
    "  --for D           ends by itself after that\n"
    "  --reason TEXT     shown to the others\n" OPS_USAGE_DRY_RUN ROWS_USAGE
    "Running transactions end, the rest goes back to its queue, no attempt is spent. Exit status: 0 every\n"
    "running consumer follows, 75 not all do yet, 2 --dry-run.\n";

const char ops_queue_resume_usage[] =
    "  [SUBSYSTEM...]    which\n"
    "  --non-critical    every enabled one whose section does not say that it is critical\n"
    "  --all             every enabled one\n" OPS_USAGE_DRY_RUN ROWS_USAGE
    "Exit status: 0 every running consumer follows, 75 not all do yet, 2 --dry-run.\n";

const char ops_queue_set_usage[] =
    "  [SUBSYSTEM]       whose; without it all that is set is shown\n"
    "  [SETTING...]      attempts=N, workers=N, batch=N, retries=on|off; workers and batch up to what the\n"
    "                    section says\n"
    "  --for D           ends by itself after that\n"
    "  --reason TEXT     shown to the others\n"
    "  --reset           take back what is set\n" OPS_USAGE_DRY_RUN ROWS_USAGE
    "Holds for every consumer, also for those that start later. Exit status: 0 every running consumer\n"
    "follows, 75 not all do yet, 2 --dry-run.\n";
