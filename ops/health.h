/*
 * health - `sluice health`: do the daemons answer, and can they take work?
 *
 * Exit status 0 or 1 and nothing else, as container health checks want it.
 * Threads: one loop.
 */
#ifndef OPS_HEALTH_H
#define OPS_HEALTH_H

int ops_health(int argc, char **argv);

#endif
