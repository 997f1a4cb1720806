/*
 * gameday_step - the order of a game day: steady load, fault, hold, end of the fault, calm.
 *
 * Decides only. Whatever happens once the begin command was started, the end command runs: a signal, a failure and the time's end all lead there.
 * Threads: constant data.
 */
#ifndef OPS_GAMEDAY_STEP_H
#define OPS_GAMEDAY_STEP_H

enum ops_gameday_phase {
    OPS_GAMEDAY_STEADY, /* load only, to see that all is well before */
    OPS_GAMEDAY_BEGIN,  /* the begin command runs */
    OPS_GAMEDAY_HOLD,   /* the fault holds; a storm is on */
    OPS_GAMEDAY_END,    /* the end command runs */
    OPS_GAMEDAY_CALM,   /* load goes on until both programs are well again */
    OPS_GAMEDAY_OVER,   /* the load ends */
    OPS_GAMEDAY_PHASES
};

enum ops_gameday_event {
    OPS_GAMEDAY_DUE,    /* the phase's time is over */
    OPS_GAMEDAY_DONE,   /* the command ended well */
    OPS_GAMEDAY_FAILED, /* the command failed, or could not be started */
    OPS_GAMEDAY_STOP,   /* a signal, or a mistake of ours */
    OPS_GAMEDAY_WELL,   /* both programs say so */
    OPS_GAMEDAY_EVENTS
};

/* Total: what does not concern a phase changes nothing. */
enum ops_gameday_phase ops_gameday_step(enum ops_gameday_phase phase, enum ops_gameday_event event);

/* For the line that tells of it: "steady load". */
const char *ops_gameday_phase_word(enum ops_gameday_phase phase);

#endif
