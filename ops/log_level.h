/*
 * log_level - `sluice log show|set`: what a running publisher logs, changed without a restart.
 *
 * Threads: one.
 */
#ifndef OPS_LOG_LEVEL_H
#define OPS_LOG_LEVEL_H

int ops_log_show(int argc, char **argv);
int ops_log_set(int argc, char **argv);

extern const char ops_log_show_usage[];
extern const char ops_log_set_usage[];

#endif
