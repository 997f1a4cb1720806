/*
 * queue - the commands on queues: list, watch, diagnose and drain (looking), pause, resume and set (ordering), purge and restore (taking out, putting back).
 *
 * An order is a row of sluice_control that every consumer follows within about two seconds; it holds until its time is over or it is taken back, and
 * is shown wherever the subsystem is. Numbers of the broker come from asking it about each queue, and from its management interface where RABBITMQ_API_URL names it;
 * what is not known is "unknown", never 0.
 * Threads: one.
 */
#ifndef OPS_QUEUE_H
#define OPS_QUEUE_H

int ops_queue_list(int argc, char **argv);
int ops_queue_watch(int argc, char **argv);
int ops_queue_diagnose(int argc, char **argv);
int ops_queue_drain(int argc, char **argv);
int ops_queue_purge(int argc, char **argv);
int ops_queue_restore(int argc, char **argv);
int ops_scale_advise_command(int argc, char **argv);
int ops_queue_pause(int argc, char **argv);
int ops_queue_resume(int argc, char **argv);
int ops_queue_set(int argc, char **argv);

extern const char ops_queue_list_usage[];
extern const char ops_queue_watch_usage[];
extern const char ops_queue_diagnose_usage[];
extern const char ops_queue_drain_usage[];
extern const char ops_queue_purge_usage[];
extern const char ops_queue_restore_usage[];
extern const char ops_scale_advise_usage[];
extern const char ops_queue_pause_usage[];
extern const char ops_queue_resume_usage[];
extern const char ops_queue_set_usage[];

#endif
