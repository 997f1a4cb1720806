/*
 * event - the commands on events: show (one event's whole story) and find (which events, by what they are about).
 *
 * They read what the database has: the inbox, the tries, the dead letters. What is still on its way (a publisher's journal, a queue) is not in it, and is
 * said to be unknown, never to be absent.
 * Threads: one.
 */
#ifndef OPS_EVENT_H
#define OPS_EVENT_H

int ops_event_show(int argc, char **argv);
int ops_event_find(int argc, char **argv);

extern const char ops_event_show_usage[];
extern const char ops_event_find_usage[];

#endif
