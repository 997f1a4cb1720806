/*
 * trigger - `sluice trigger`: signed sample events, posted like the sender would.
 *
 * Made offline (ops/trigger/sample.h), signed at the moment of sending, posted with a bounded number at once. Counts every answer; an answer
 * that is not the expected one, or none at all, shows in the exit status.
 * Threads: one loop.
 */
#ifndef OPS_TRIGGER_H
#define OPS_TRIGGER_H

int ops_trigger(int argc, char **argv);

#endif
