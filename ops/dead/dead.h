/*
 * dead - the commands on dead letters: list, groups, show, export (reading), discard, restore, replay (acting).
 *
 * All of them work on the table sluice_dead_letter, never on a broker's queue: looking at a message there is taking it out. What acts shows its
 * plan first and does it with --yes. Every act is a line in the letter's note: when, what, who, why.
 * Threads: one.
 */
#ifndef OPS_DEAD_H
#define OPS_DEAD_H

int ops_dead_list(int argc, char **argv);
int ops_dead_groups(int argc, char **argv);
int ops_dead_show(int argc, char **argv);
int ops_dead_export(int argc, char **argv);
int ops_dead_discard(int argc, char **argv);
int ops_dead_restore(int argc, char **argv);
int ops_dead_replay(int argc, char **argv);
int ops_dead_park(int argc, char **argv);
int ops_dead_unpark(int argc, char **argv);

extern const char ops_dead_list_usage[];
extern const char ops_dead_groups_usage[];
extern const char ops_dead_show_usage[];
extern const char ops_dead_replay_usage[];
extern const char ops_dead_park_usage[];
extern const char ops_dead_unpark_usage[];
extern const char ops_dead_discard_usage[];
extern const char ops_dead_restore_usage[];
extern const char ops_dead_export_usage[];

#endif
