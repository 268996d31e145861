/* SPDX-License-Identifier: MIT
 * Cuts a body into rows: lines (NDJSON), or rows of a table, whose quoted
 * fields may hold line ends (RFC 4180). Empty rows are passed over. A row with
 * a quote in the wrong place is rejected alone where it is clear where the row
 * ends, else the body fails. */
#ifndef RLK_SOURCE_LINES_H
#define RLK_SOURCE_LINES_H

#include "split.h"

struct rlk_lines {
    struct rlk_window w;
    char separator; /* 0: plain lines */
    bool lenient;   /* a quote within an unquoted field is a character */
    bool ended;     /* the body has; what is left is the last row */
    bool in_row, oversize;
    uint8_t state;
    const char *wrong;
    uint64_t wrong_byte;
    size_t limit, start;
    uint64_t row_line, row_byte;
};

/* format: NDJSON, CSV or TSV. */
void rlk_lines_init(struct rlk_lines *r, enum rlk_format format, size_t limit);
void rlk_lines_done(struct rlk_lines *r);
/* As rlk_split_feed(), rlk_split_next() and rlk_split_finish(), but that
 * rlk_lines_end() comes before the last rlk_lines_next(). A row's text is the
 * caller's to change. */
int rlk_lines_feed(struct rlk_lines *r, const char *bytes, size_t len,
                   rowlock_error *err);
void rlk_lines_end(struct rlk_lines *r);
int rlk_lines_next(struct rlk_lines *r, struct rlk_slice *ret,
                   enum rlk_split_event *ret_event, rowlock_error *err);
int rlk_lines_finish(struct rlk_lines *r, rowlock_error *err);

#endif
