/*
 * err - what went wrong, whose fault it is, and what to do next.
 *
 * Every function that can fail returns bool (or a pointer) and fills a struct sl_err. Call sites switch on the fault, never
 * on a library's own code; the edge file of a library maps its codes to ours.
 * Law: shared/errors.def is the only list of codes.
 * Threads: no shared state.
 */
#ifndef SHARED_ERR_H
#define SHARED_ERR_H

#include <stdbool.h>

#include "shared/scope.h"

enum sl_fault {
    SL_FAULT_TRANSIENT, /* retry later */
    SL_FAULT_POISON,    /* this input can never pass: dead-letter it, or answer 4xx */
    SL_FAULT_SETUP,     /* an operator must change something */
    SL_FAULT_BUG,       /* an invariant broke: stop */
};

enum sl_code {
#define SL_ERR(id, fault, name, page) SL_E_##id,
#include "shared/errors.def"
#undef SL_ERR
    SL_E_COUNT
};

struct sl_err {
    enum sl_code code;
    char text[384]; /* outermost context first, one sentence, no payload, no secret */
};

/* Sets err (which may be NULL) and returns false, so that callers can write `return sl_fail(…)`. */
bool sl_fail(struct sl_err *err, enum sl_code code, const char *fmt, ...) SL_PRINTF(3, 4);

/* Prefixes context to an error that is already set; returns false. */
bool sl_err_wrap(struct sl_err *err, const char *fmt, ...) SL_PRINTF(2, 3);

enum sl_fault sl_err_fault(const struct sl_err *err);

/* Stable public name of a code, e.g. "amqp.unreachable". Never NULL. */
const char *sl_code_name(enum sl_code code);

/* Page below runbooks/ that says what to do. Never NULL. */
const char *sl_code_page(enum sl_code code);

/* Exit status of a program that ends with this error (sysexits: 64 usage, 65 data, 66 what was named is not there,
 * 69 dependency, 70 bug, 73 a file cannot be made, 74 reading or writing failed, 78 configuration). */
int sl_err_exit_status(const struct sl_err *err);

#endif
