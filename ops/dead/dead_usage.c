#include "ops/dead/dead.h"
#include "ops/flags.h"

/* Lines that several of them share. */
#define FILTER_USAGE                                                                               \
    "  --subsystem S     whose dead letters; `unrouted`: those that no queue was bound to\n"       \
    "  --type T          of this event type; `invoice.*`: all that begin so\n"                     \
    "  --event ID        of this event\n"                                                          \
    "  --object ID       about this object, such as cus_…\n"                                     \
    "  --class C         error class: item, permanent, decode, version, crash, unrouted, or\n"     \
    "                    'parked by operator'\n"                                                   \
    "  --code C          error code: an SQLSTATE, or a public name such as event.malformed\n"      \
    "  --fingerprint F   of this group, see `sluice dead groups`\n"                                \
    "  --since T         set aside at or after: 2026-01-31T14:00:00Z, or 2h ago as 2h\n"           \
    "  --until T         set aside before\n"                                                       \
    "  --status S        open, replaying, replayed, discarded (a comma list), or all\n"            \
    "  --id N            this letter\n"                                                            \
    "  --run R           chosen last by this replay run\n"

const char ops_dead_list_usage[] =
    FILTER_USAGE "  --limit N         at most so many (50)\n" OPS_USAGE_ROWS
                 "Without --status: those open or being replayed.\n";

const char ops_dead_groups_usage[] = FILTER_USAGE
    "  --limit N         at most so many groups (50)\n"
    "  --deployed T      what had no letter before that is NEW; default: the start of the consumer that\n"
    "                    SLUICE_CONSUMER_URL names, or runs here\n" OPS_USAGE_ROWS
    "TREND: letters of this hour against the hour before. Severity, owner and impact are those of the section.\n";

const char ops_dead_show_usage[] =
    "  LETTER            its number, or the event's id\n"
    "  --subsystem S     of the event's letters, this one's\n"
    "  --payload         also the event's body, which may hold personal data\n" OPS_USAGE_OUTPUT
    "Exit status: 0, 66 there is no such letter.\n";

const char ops_dead_replay_usage[] =
    "  [LETTER]          its number, or the event's id\n" FILTER_USAGE
    "  --limit N         at most so many, the oldest first (50)\n"
    "  --rate N/s        at most so many a second (10/s); fewer while the subsystem fails or lags\n"
    "  --canary N        so many go first, some of each cause; the rest follows when at least 95 of 100\n"
    "                    of them were applied and none failed for a new cause (20; 0: none)\n"
    "  --to S            to this subsystem instead of the one of --subsystem\n" OPS_USAGE_YES
    "  --freeze          make the run, so that no other takes these letters; `replay resume` begins it\n"
    "  --allow-reapply   also those that came longer ago than the inbox remembers (keep_done, 35 days): if\n"
    "                    they were applied since, they are applied twice\n"
    "  --reason TEXT     required with --yes and --freeze; written into each letter's notes and into the audit\n"
    "  --rehearse N      try N of them, up to 100, in transactions that are rolled back, and say what would become\n"
    "                    of each; what acts outside the database (handler http) is not tried, and nobody is called\n"
    "  --wait D          for the canary's outcome, for that of the last letters, for a rehearsal's answers (30s)\n"
    "  --resume R        the same as `replay resume R`; takes no filter\n" OPS_USAGE_ROWS
    "Only open letters, only to the subsystem that gave them up. Killed and resumed, none is applied twice.\n"
    "Exit status: 0 all replayed; 2 the plan has work; 3 some failed again and are open; 66 no such letter;\n"
    "75 not all decided yet; 130 stopped before all were published. Of a rehearsal: 0 none would fail; 3 some would;\n"
    "75 not all could be tried, or answered.\n";

const char ops_dead_discard_usage[] =
    "  [LETTER]          its number, or the event's id\n" FILTER_USAGE
    "  --reason TEXT     required; written into each letter's notes\n"
    "  --limit N         at most so many, the oldest first (50)\n" OPS_USAGE_YES OPS_USAGE_ROWS
    "Exit status: 0; 2 the plan has work; 3 some were left as they are; 66 no such letter.\n";

const char ops_dead_restore_usage[] =
    "  [LETTER]          its number, or the event's id\n" FILTER_USAGE
    "  --reason TEXT     written into each letter's notes\n"
    "  --limit N         at most so many, the oldest first (50)\n" OPS_USAGE_YES OPS_USAGE_ROWS
    "--status replaying opens those of a replay whose copies are known to be gone.\n"
    "Exit status: 0; 2 the plan has work; 3 some were left as they are; 66 no such letter.\n";

const char ops_dead_export_usage[] = FILTER_USAGE
    "  --limit N         at most so many\n"
    "  --out F           into this new file; default: standard output\n"
    "Exit status: 0, 73 the file is there, or cannot be made.\n"
    "The key envelope_base64 is the message as it came from the broker. It holds personal data.\n";

const char ops_dead_park_usage[] =
    "  --event ID        this event, in every subsystem or in that of --subsystem\n"
    "  --type T          every event of this type; `invoice.*`: all that begin so\n"
    "  --subsystem S     whose; required with --type\n"
    "  --reason TEXT     required; it is the error of the dead letter\n"
    "  --for D           ends by itself after that\n" OPS_USAGE_DRY_RUN OPS_USAGE_ROWS
    "Waiting and delayed ones become dead letters when the consumer next meets them; what is applied stays applied.\n"
    "Exit status: 0 every running consumer follows, 75 not all do yet, 2 --dry-run.\n";

const char ops_dead_unpark_usage[] =
    "  --event ID        this event\n"
    "  --type T          this type, as it was given to park\n"
    "  --subsystem S     whose, as it was given to park\n" OPS_USAGE_DRY_RUN OPS_USAGE_ROWS
    "Letters that were made so stay; `sluice dead replay` has them applied.\n";
