/*
 * requeue - a section's own events published again, from the tables they come from.
 *
 * A section's requeue_query says which: its rows are events, with columns event_id, type, body and, when it has them, source, account, livemode, object, occurred_at, and `at`
 * for the time that --from and --to mean; it may also use $1 and $2 for these. A row with no type and no body is looked up in the archive by its id. Each goes to
 * the section's own queue and nowhere else, and an id that the section has dealt with is left out: nothing is applied twice.
 * Threads: none of its own.
 */
#ifndef OPS_REQUEUE_H
#define OPS_REQUEUE_H

int ops_requeue(int argc, char **argv);
extern const char ops_requeue_usage[];

#endif
