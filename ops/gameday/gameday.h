/*
 * gameday - `sluice gameday list|run`: rehearse an outage, and prove with a ledger that nothing was lost.
 *
 * The order of a run: guard, header, steady load, fault, hold, end of the fault, calm, books, report. Without --yes only the plan.
 * Threads: one.
 */
#ifndef OPS_GAMEDAY_H
#define OPS_GAMEDAY_H

extern const char ops_gameday_list_usage[];
extern const char ops_gameday_run_usage[];

int ops_gameday_list(int argc, char **argv);
int ops_gameday_run(int argc, char **argv);

#endif
