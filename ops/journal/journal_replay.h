/*
 * journal_replay - `sluice journal replay`: publish what the journal holds, now.
 *
 * A publisher that runs owns its journal and replays it by itself: then it is told to, and at what rate. Without one the events are published from here,
 * after a plan that changes nothing.
 * Threads: one.
 */
#ifndef OPS_JOURNAL_REPLAY_H
#define OPS_JOURNAL_REPLAY_H

extern const char ops_journal_replay_usage[];

int ops_journal_replay(int argc, char **argv);

#endif
