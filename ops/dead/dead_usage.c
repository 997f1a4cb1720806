#include "ops/dead/dead.h"

/* Lines that several of them share. */
#define FILTER_USAGE                                                                               \
    "  --subsystem S     whose dead letters; `unrouted`: those that no queue was bound to\n"       \
    "  --type T          of this event type; `invoice.*`: all that begin so\n"                     \
    "  --event ID        of this event\n"                                                          \
    "  --object ID       about this object, such as cus_…\n"                                     \
    "  --class C         error class: item, permanent, decode, version, crash, unrouted\n"         \
    "  --code C          error code: an SQLSTATE, or a public name such as event.malformed\n"      \
    "  --fingerprint F   of this group, see `sluice dead groups`\n"                                \
    "  --since T         set aside at or after: 2026-01-31T14:00:00Z, or 2h ago as 2h\n"           \
    "  --until T         set aside before\n"                                                       \
    "  --status S        open, replaying, replayed, discarded (a comma list), or all\n"            \
    "  --id N            this letter\n"                                                            \
    "  --run R           chosen last by this replay run\n"
#define OUTPUT_USAGE "  -o table|json     for people (default) or for programs\n"
#define ROWS_USAGE   "  -o table|json|ndjson|csv  for people (default) or for programs\n"

const char ops_dead_list_usage[] =
    FILTER_USAGE "  --limit N         at most so many (50)\n" ROWS_USAGE
                 "Without --status: those open or being replayed.\n";

const char ops_dead_groups_usage[] =
    FILTER_USAGE "  --limit N         at most so many groups (50)\n" ROWS_USAGE;

const char ops_dead_show_usage[] =
    "  LETTER            its number, or the event's id\n"
    "  --subsystem S     of the event's letters, this one's\n"
    "  --payload         also the event's body, which may hold personal data\n" OUTPUT_USAGE;

const char ops_dead_replay_usage[] =
    "  [LETTER]          its number, or the event's id\n" FILTER_USAGE
    "  --limit N         at most so many, the oldest first (50)\n"
    "  --rate N/s        so many a second (10/s)\n"
    "  --yes             do it; without it the plan is shown and nothing happens\n"
    "  --reason TEXT     written into each letter's notes\n"
    "  --wait D          for the outcome, after the last is published (30s)\n"
    "  --resume R        go on with a run that was cut off; takes no filter\n" ROWS_USAGE
    "Only open letters, only to the subsystem that gave them up. Killed and resumed, none is applied twice.\n"
    "Exit status: 0 all replayed, 3 some failed again and are open, 75 not all decided yet,\n"
    "130 stopped before all were published.\n";

const char ops_dead_discard_usage[] =
    "  [LETTER]          its number, or the event's id\n" FILTER_USAGE
    "  --reason TEXT     required; written into each letter's notes\n"
    "  --limit N         at most so many, the oldest first (50)\n"
    "  --yes             do it; without it the plan is shown and nothing happens\n" ROWS_USAGE
    "Exit status: 0, 3 some were left as they are.\n";

const char ops_dead_restore_usage[] =
    "  [LETTER]          its number, or the event's id\n" FILTER_USAGE
    "  --reason TEXT     written into each letter's notes\n"
    "  --limit N         at most so many, the oldest first (50)\n"
    "  --yes             do it; without it the plan is shown and nothing happens\n" ROWS_USAGE
    "--status replaying opens those of a replay whose copies are known to be gone.\n"
    "Exit status: 0, 3 some were left as they are.\n";

const char ops_dead_export_usage[] = FILTER_USAGE
    "  --limit N         at most so many\n"
    "  --out F           into this new file; default: standard output\n"
    "The key envelope_base64 is the message as it came from the broker. It holds personal data.\n";

const char ops_dead_park_usage[] =
    "  --event ID        this event, in every subsystem or in that of --subsystem\n"
    "  --type T          every event of this type; `invoice.*`: all that begin so\n"
    "  --subsystem S     whose; required with --type\n"
    "  --reason TEXT     required; it is the error of the dead letter\n"
    "  --for D           ends by itself after that\n"
    "Waiting and delayed ones become dead letters when the consumer next meets them; what is applied stays applied.\n"
    "Exit status: 0 every running consumer follows, 75 not all do yet.\n";

const char ops_dead_unpark_usage[] =
    "  --event ID        this event\n"
    "  --type T          this type, as it was given to park\n"
    "  --subsystem S     whose, as it was given to park\n"
    "Letters that were made so stay; `sluice dead replay` has them applied.\n";
