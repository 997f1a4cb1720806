/*
 * ini - sections of key = value, with the place of every mistake.
 *
 * Decides only (the caller reads the file). `[name]` opens a section; `key = value`; `#` or `;` begins a comment line. A repeated key is
 * reported; so is a line that is none of these, as "file:line: …".
 * Threads: no state.
 */
#ifndef SHARED_INI_H
#define SHARED_INI_H

#include "shared/buf.h"

struct sl_ini_visitor {
    void *arg;
    void (*on_section)(void *arg, struct sl_span name, size_t line);
    /* Only after a section. */
    void (*on_pair)(void *arg, struct sl_span key, struct sl_span value, size_t line);
};

/* Spans borrow from text. Mistakes are appended one per line. */
void sl_ini_read(struct sl_span text, const char *file, const struct sl_ini_visitor *visitor,
                 struct sl_buf *mistakes);

#endif
