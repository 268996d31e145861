/* SPDX-License-Identifier: MIT
 * The rows of a CSV or TSV to nodes: the first names the fields, each other is
 * an object of texts. */
#ifndef RLK_SOURCE_CSV_H
#define RLK_SOURCE_CSV_H

#include "split.h"

enum { RLK_CSV_COLUMNS = 4096 }; /* at most */

struct rlk_csv {
    char separator;
    bool has_header;
    size_t n_cells; /* in a row */
    struct rlk_arena names;
    struct rlk_json *nodes; /* the object, then a node a named column */
    size_t *cell_of;        /* of each node but the first */
    size_t n_nodes;
    struct rlk_cell {
        char *text;
        size_t len;
    } * cells;
};

void rlk_csv_init(struct rlk_csv *t, enum rlk_format format);
void rlk_csv_done(struct rlk_csv *t);
/* The first row. A failure is the whole body's; its place is in the slice, at
 * *ret_at. */
int rlk_csv_header(struct rlk_csv *t, const struct rlk_slice *row,
                   size_t *ret_at, rowlock_error *err);
/* Any other. *ret points into the row, whose text is changed. A failure rejects
 * the row; *ret_at (an offset in its text) is where. */
int rlk_csv_row(struct rlk_csv *t, const struct rlk_slice *row,
                const struct rlk_json **ret, size_t *ret_at,
                rowlock_error *err);

#endif
