/* SPDX-License-Identifier: MIT
 * The target of a sync, opened as its definition says: database and table are
 * made first where create_table is set, and the run lock is taken: a record
 * lock on rowlock_runs, named by the definition, so that it runs once at a
 * time. */
#ifndef RLK_CLI_TARGET_H
#define RLK_CLI_TARGET_H

#include <stdbool.h>

#include "front/target.h"
#include "rowlock/rowlock.h"
#include "sync/definition.h"

struct rlk_target {
    rowlock_db *db;       /* NULL until it is open */
    struct rlk_claim run; /* that the definition runs once at a time */
    bool running;         /* opening failed: another run has that lock */
    bool unfit;           /* looks also at what a run would be refused in */
    bool is_new;          /* looked at: the table is not there yet */
    char label[32];
    void (*on_wait)(const rowlock_wait_notice *notice, void *arg);
    void *arg;
};

/* make: creates what is missing, where create_table is set; else db stays NULL
 * then. */
int rlk_target_open(struct rlk_target *t, const struct rlk_definition *d,
                    bool make, rowlock_error *err);
/* For a dry run: to look only, without the run lock. What is missing and would
 * be made is made in memory. */
int rlk_target_look(struct rlk_target *t, const struct rlk_definition *d,
                    bool make, rowlock_error *err);
/* Safe in a signal handler once rlk_target_open() has returned. */
void rlk_target_cancel(struct rlk_target *t);
void rlk_target_close(struct rlk_target *t);
/* The table that create_table would make, in arena: a column a field, an index
 * a match key. */
int rlk_target_describe(const struct rlk_definition *d, struct rlk_arena *arena,
                        struct rlk_new_table *ret, rowlock_error *err);
/* Adds the statement that gives match key k the index it lacks. */
void rlk_target_add_index(const struct rlk_definition *d, size_t k,
                          struct rlk_buf *buf);

#endif
