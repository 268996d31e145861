/* SPDX-License-Identifier: MIT
 * What `rowlock locks` looks at, and how it shows it: once (locks.c), or again
 * and again (watch.c). */
#ifndef RLK_CLI_LOCKS_H
#define RLK_CLI_LOCKS_H

#include <stdio.h>

#include "base/lock_line.h"
#include "cli/options.h"
#include "db/sqlite/pins.h"
#include "rowlock/lock.h"

struct rlk_locks_look {
    struct rlk_lock_lines lines;
    rowlock_lock_info *infos; /* of a lock table: what the lines are of */
    bool server;              /* it has no counters, and tells no deadlocks */
    rowlock_lock_counters counters;
    rowlock_lock_cycle cycles[ROWLOCK_CYCLES]; /* the newest first */
    size_t n_cycles;
    struct rlk_pins pins; /* who keeps the WAL */
    bool exists;          /* the lock table */
};

/* database: a path, or a server's URL. A session of its own for each look: a
 * table that is made, or replaced, in
 * between is met as any other. */
int rlk_locks_look(const char *database, struct rlk_locks_look *ret,
                   rowlock_error *err);
void rlk_locks_look_done(struct rlk_locks_look *look);
/* The table for people; answers how many rows it has, 0 where it was not
 * printed since there is nothing to show, -1 when out of memory. */
int rlk_locks_print(const struct rlk_locks_look *look, FILE *out);
/* The deadlocks of the last minute, a line each, most of them at the most. */
void rlk_locks_cycles(struct rlk_buf *buf, const struct rlk_locks_look *look,
                      size_t most, const char *end);
/* Who keeps the WAL from being emptied, a line each. */
void rlk_locks_pins(struct rlk_buf *buf, const struct rlk_locks_look *look,
                    const char *end);
void rlk_locks_json(struct rlk_buf *buf, const struct rlk_locks_look *look);

/* What a look without a line is called. */
const char *rlk_locks_nobody(const struct rlk_locks_look *look);

/* rowlock locks --watch; shown is database as people may see it. Answers the
 * exit status. */
int rlk_watch_run(const struct rlk_args *args, const char *database,
                  const char *shown);

#endif
