/*
 * audit - `sluice audit outage`: what an outage did to events, and to whom it matters, the worst first.
 *
 * From the publisher's journal and drop log on this machine, and from the database. What was refused (503) is in no list: its senders come again.
 * Changes nothing. Threads: one.
 */
#ifndef OPS_AUDIT_H
#define OPS_AUDIT_H

int ops_audit_outage(int argc, char **argv);

extern const char ops_audit_outage_usage[];

#endif
