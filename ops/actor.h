/*
 * actor - who acts, for what is written beside an operator's act: "user@host".
 *
 * The login behind sudo when there is one (SUDO_USER), else the user of the process. A name for colleagues, not a proof.
 * Threads: no shared state.
 */
#ifndef OPS_ACTOR_H
#define OPS_ACTOR_H

#define OPS_ACTOR_BYTES 128u

void ops_actor(char out_actor[OPS_ACTOR_BYTES]);

#endif
