/*
 * top_page - a look as a page of text for a terminal, or as one JSON object for programs.
 *
 * Decides only. The page fits: of a narrow terminal the least telling columns are left out, then lines are cut; of a low one the subsystems without trouble come last
 * and are counted instead of shown. Control characters of data become '?'.
 * Threads: no state.
 */
#ifndef OPS_TOP_PAGE_H
#define OPS_TOP_PAGE_H

#include "ops/top/top_look.h"
#include "shared/buf.h"
#include "shared/json/json_write.h"

struct ops_top_paper {
    size_t columns; /* of the terminal; 0: no limit */
    size_t rows;    /* likewise */
    bool has_colour;
    const char *hint; /* behind the title: "q leaves" */
};

/* Lines that end with a newline. The buffer says whether it fit. */
void ops_top_page(const struct ops_top_look *look, const struct ops_top_paper *paper,
                  struct sl_buf *out);
/* One object, without a newline; null for what is unknown. */
void ops_top_json(const struct ops_top_look *look, struct sl_buf *out);

#endif
