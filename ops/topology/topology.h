/*
 * topology - `sluice topology apply` and `sluice topology diff`: the broker made, or compared with, what the subsystems need.
 *
 * apply creates what is missing and touches nothing that exists; diff creates nothing at all. Neither ever deletes: an object that differs
 * is explained argument by argument, with what to do about it.
 * Threads: one.
 */
#ifndef OPS_TOPOLOGY_H
#define OPS_TOPOLOGY_H

int ops_topology_apply(int argc, char **argv);
int ops_topology_diff(int argc, char **argv);

#endif
