/* SPDX-License-Identifier: MIT
 * The history of runs, read: rows of rowlock_runs, and which of them belong to
 * a process that still works. */
#ifndef RLK_CLI_HISTORY_H
#define RLK_CLI_HISTORY_H

#include "sync/history.h"

struct rlk_past_run {
    int64_t id;
    rowlock_value values[RLK_HISTORY_COLUMNS]; /* as stored */
};

struct rlk_past_runs {
    bool kept; /* there is a history */
    struct rlk_past_run *list;
    size_t n;
    struct rlk_arena arena; /* holds the list */
};

/* The newest first, of this name or (NULL) all; limit 0: all. A row that says
 * it runs, and whose process is gone, is given as broken off. Nothing is
 * written or waited for. Who lives may be unknown: that is said, and the rows
 * are given as they stand. */
int rlk_past_runs_read(const char *database, const char *name, int64_t limit,
                       struct rlk_past_runs *ret, rowlock_error *err);
void rlk_past_runs_done(struct rlk_past_runs *runs);

#endif
