/*
 * snapshot - `sluice snapshot`: one JSON document with what a person needs to think about an incident later, or elsewhere.
 *
 * Queues, counts by type, samples by id, tries and letters by code, breakers, orders, consumers, journal, metrics, versions. What cannot be read
 * says why, in its place.
 * Refuses: bodies, error texts (they quote events), and any configured secret: what holds one is wiped before it is written.
 * Threads: one.
 */
#ifndef OPS_SNAPSHOT_H
#define OPS_SNAPSHOT_H

int ops_snapshot(int argc, char **argv);

extern const char ops_snapshot_usage[];

#endif
