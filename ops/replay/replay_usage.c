/* What the commands on replay runs take. */
#include "ops/replay/replay.h"

#include "ops/flags.h"

const char ops_replay_list_usage[] =
    "  --limit N         at most so many, the newest first (20)\n" OPS_USAGE_ROWS
    "STATUS `cut off`: it should be running, and no process works on it.\n";

const char ops_replay_show_usage[] =
    "  RUN               its name, see `sluice replay list`\n" OPS_USAGE_OUTPUT
    "Its letters by what became of them, and who did what, when and why.\n";

const char ops_replay_pause_usage[] =
    "  RUN               its name\n"
    "  --reason TEXT     written into the audit\n" OPS_USAGE_DRY_RUN
    "Acts at once: nothing more is published within two seconds. What is published stays so.\n";

const char ops_replay_resume_usage[] =
    "  RUN               its name; paused, cut off, or only planned\n"
    "  --past-canary     go on whatever became of the canary\n"
    "  --wait D          for the canary's outcome, and for that of the last letters (30s)\n"
    "  --reason TEXT     written into the audit\n" OPS_USAGE_YES OPS_USAGE_ROWS
    "Exit status: 0 all replayed, 2 the plan has work, 3 some failed again and are open, 66 no such run,\n"
    "75 not all decided yet, 130 stopped before all were published.\n";

const char ops_replay_abort_usage[] =
    "  RUN               its name\n"
    "  --reason TEXT     required; written into the audit\n" OPS_USAGE_DRY_RUN
    "Acts at once: letters that were not published are open again, for another run. What is published is not called\n"
    "back: it is applied, or fails again.\n";

const char ops_replay_verify_usage[] =
    "  --head HASH       must be one of its hashes: one that was kept elsewhere\n" OPS_USAGE_ROWS
    "Computes every hash of the audit anew, and compares the runs with it. What it prints as head can be kept elsewhere:\n"
    "then a chain that was written anew as a whole is found too.\n"
    "Exit status: 0 nothing was changed, 1 something was.\n";
