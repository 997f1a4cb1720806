/*
 * gameday_figures - the answers and the ledgers, as JSON, for people, and as a page.
 *
 * Decides only, except for the stream it writes.
 * Threads: no state.
 */
#ifndef OPS_GAMEDAY_FIGURES_H
#define OPS_GAMEDAY_FIGURES_H

#include <stdio.h>

#include "ops/gameday/gameday_takers.h"
#include "shared/json/json_write.h"

/* Into the open object: "answers", an object, and "ledgers", an array with one object a subsystem. */
void ops_gameday_figures_put(struct sl_json_writer *json, const struct ops_gameday_answers *answers,
                             const struct ops_gameday_takers *takers);
/* To stdout; the ledgers side by side. */
bool ops_gameday_figures_tell(const struct ops_gameday_answers *answers,
                              const struct ops_gameday_takers *takers, struct sl_err *err) SL_MUST;
/* Two tables in Markdown. The stream's error says whether it was written. */
void ops_gameday_figures_write(const struct ops_gameday_answers *answers,
                               const struct ops_gameday_takers *takers, FILE *page);

#endif
