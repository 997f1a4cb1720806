/*
 * top - sluice top: one screen for the night on call.
 *
 * The looking is done by a thread of its own, so that a broker or database that does not answer never keeps a key waiting.
 * Threads: two; they share one look behind a lock, and a pipe on which the looker says that it is new.
 */
#ifndef OPS_TOP_H
#define OPS_TOP_H

int ops_top(int argc, char **argv);

extern const char ops_top_usage[];

#endif
