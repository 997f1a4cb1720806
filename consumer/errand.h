/*
 * errand - what sluice-consumer is asked for instead of running: its help, its version, a look at its configuration.
 *
 * Writes to stdout, mistakes and notes to stderr, and returns the exit status.
 * Threads: one.
 */
#ifndef CONSUMER_ERRAND_H
#define CONSUMER_ERRAND_H

#include "consumer/options.h"

int con_errand_run(const struct con_options *options);

#endif
