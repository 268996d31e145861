/* SPDX-License-Identifier: MIT
 * Among the files of `rowlock lock`: the records that it locks, and the two
 * ways to hold them while a command runs: in the lock table (lock.c), or in a
 * block on a server (lock_server.c). */
#ifndef RLK_CLI_LOCK_H
#define RLK_CLI_LOCK_H

#include "base/memory.h"
#include "cli/command.h"
#include "rowlock/rowlock.h"

enum { RLK_LOCK_TRIES = 10 }; /* after a deadlock, as rowlock_atomic() does */

struct rlk_lock_target {
    const char *text; /* as given */
    const rowlock_term *terms;
    rowlock_value *key; /* as the database gives it back */
};

struct rlk_lock_run {
    const struct rlk_args *args;
    enum rowlock_mode mode;
    int32_t wait_ms;
    int refused; /* exit status when a lock is not available */
    struct rlk_arena arena;
    const char *table;
    size_t n_columns; /* of the key */
    struct rlk_lock_target *targets;
    size_t n_targets;
    rowlock_db *db;       /* finds the records; a server's also holds them */
    rowlock_locks *locks; /* of a lock table: holds them */
};

/* A rowlock_body: finds the records, without locks, and puts them in the order
 * of their keys. arg is the run. */
int rlk_lock_find(rowlock_block *b, void *arg, rowlock_error *err);
/* The query that finds one of them again, without a lock. */
rowlock_query rlk_lock_query(const struct rlk_lock_run *l,
                             const struct rlk_lock_target *target);
int rlk_lock_no_such_record(const struct rlk_lock_run *l,
                            const struct rlk_lock_target *target,
                            const char *when, rowlock_error *err);
/* What is left of --wait, which bounds the whole command's waiting; begin: of
 * rlk_moment_clock_ms(). */
int32_t rlk_lock_wait(const struct rlk_lock_run *l, int64_t begin);

/* lock_server.c: locks, runs the command, gives the locks back; *ret_status is
 * the exit status then. A failure: the command was not run. */
int rlk_lock_on_server(struct rlk_lock_run *l, int *ret_status,
                       rowlock_error *err);

#endif
