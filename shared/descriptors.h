/*
 * descriptors - how many files and sockets this process may have open.
 *
 * Threads: call once, at start.
 */
#ifndef SHARED_DESCRIPTORS_H
#define SHARED_DESCRIPTORS_H

#include <stddef.h>

/* Raises the soft limit to the hard one (RLIMIT_NOFILE), and says what it is now. */
size_t sl_descriptors_raise(void);

#endif
