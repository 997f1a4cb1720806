/*
 * seccomp - gives up all system calls but those of a list, for every thread of the process.
 *
 * The list is what the C library, libevent, libpq, libcurl, OpenSSL and our own code make while the programs run, found by running them. Threads
 * may be made, processes not; memory is never writable and executable; sockets are local, of the internet, or ask for the machine's addresses.
 * The only file that includes libseccomp.
 * Threads: works on all of them.
 */
#ifndef SHARED_SECCOMP_H
#define SHARED_SECCOMP_H

#include "shared/err.h"

/* False: not in force, *out_why says why. Needs no-new-privileges. */
bool sl_seccomp_enter(const char **out_why) SL_MUST;

#endif
