/* SPDX-License-Identifier: MIT
 * What of a body is in memory: bytes are added behind, and dropped in front
 * when they are used up. Padding stands behind them, so that simdjson may read
 * past the last record. */
#ifndef RLK_SOURCE_WINDOW_H
#define RLK_SOURCE_WINDOW_H

#include "source.h"

struct rlk_window { /* zeroed is empty, but for line: 1 */
    char *text;
    size_t len, cap;
    size_t pos;    /* of the next byte to look at */
    uint64_t base; /* where the window begins in the body */
    uint64_t line; /* at pos */
    bool bom_seen; /* a byte order mark was looked for */
};

/* Drops the first used bytes (pos at most), adds the others. */
int rlk_window_feed(struct rlk_window *w, size_t used, const char *bytes,
                    size_t len, rowlock_error *err);
void rlk_window_done(struct rlk_window *w);
/* A byte order mark at the start is passed over. true: wait for more bytes. */
bool rlk_window_pass_mark(struct rlk_window *w);
/* Adds the place of pos to an error. */
void rlk_window_place(const struct rlk_window *w, rowlock_error *err);

#endif
