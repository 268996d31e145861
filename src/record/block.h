/* SPDX-License-Identifier: MIT
 * Sessions and blocks, for the files of this room.
 *
 * A session keeps a few logs: results read, record states to be restored, own
 * writes, functions to call after the commit. A block is a set of marks into
 * them. So a nested commit is nothing at all, and a rollback walks each log
 * back to its mark. */
#ifndef RLK_RECORD_BLOCK_H
#define RLK_RECORD_BLOCK_H

#include <semaphore.h>
#include <stdatomic.h>

#include "record.h"
#include "undo.h"
#include "writes.h"

enum rlk_block_state { RLK_DEAD, RLK_OPEN, RLK_FAILED };

struct rowlock_block {
    rowlock_db *db;
    size_t level;
    uint64_t serial; /* of this use: blocks are used again, level by level */
    enum rlk_block_state state;
    int managed;       /* ends with the function that began it, not before */
    rowlock_error why; /* it failed */
    uint64_t first_rows;
    size_t undo_mark, writes_mark, hooks_mark;
};

struct rlk_hook {
    void (*fn)(void *arg);
    void *arg;
};

enum { RLK_GUARDS = 4 };

struct rowlock_db {
    struct rlk_conn *conn;
    const struct rlk_driver *driver;
    int32_t wait_ms, retries;
    unsigned forks; /* in which process it was opened */

    struct rowlock_block **levels; /* n_levels made, the first depth open */
    size_t n_levels, depth;
    uint64_t serial; /* the last given to a block or a result */

    struct rlk_results results, buried; /* live; dead but still recognised */
    struct rlk_undo undo;
    struct rlk_writes writes;
    struct rlk_hook *hooks;
    size_t n_hooks, cap_hooks;

    const struct rlk_table *table; /* the block's last, looked up by its name */
    struct rlk_declared_key *declared;
    uint64_t trusted_in;      /* the write epoch of put.c */
    struct rlk_arena scratch; /* lent to one call at a time */

    struct {
        rlk_guard *guard;
        void *arg;
    } guards[RLK_GUARDS];
    size_t n_guards;

    atomic_int pause; /* enum pause of atomic.c */
    sem_t woken;
};

/* Every call on a block starts with enter and ends with leave, which fails the
 * block on any error but ROWLOCK_MISUSE and hands rc on. */
int rlk_block_enter(rowlock_block *b, rowlock_error *err);
int rlk_block_leave(rowlock_block *b, int rc, const rowlock_error *err);
/* Fails b, with the blocks inside it ended already, whatever rc is. */
void rlk_block_fail(rowlock_block *b, int rc, const rowlock_error *err);
/* Enter for a call on a session's innermost block, whichever it is. */
int rlk_session_enter(rowlock_db *db, rowlock_block **ret, rowlock_error *err);
bool rlk_session_forked(const rowlock_db *db);

int rlk_block_begin(rowlock_db *db, rowlock_block **ret, rowlock_error *err);
int rlk_block_nest(rowlock_block *b, rowlock_block **ret, rowlock_error *err);
/* Without the checks for who calls; b is the innermost. */
int rlk_block_commit(rowlock_block *b, rowlock_error *err);
/* Ends b and all blocks inside it. */
void rlk_block_rollback(rowlock_block *b);

/* Sleeps before try number n (0 the first), woken by rowlock_cancel(): then
 * 57014. */
int rlk_session_pause(rowlock_db *db, int n, rowlock_error *err);

/* The memory of one call; give it back with its end. */
struct rlk_scratch {
    struct rlk_arena arena;
    rowlock_db *db;
};
struct rlk_scratch rlk_scratch_take(rowlock_db *db);
void rlk_scratch_done(struct rlk_scratch *s);
#define RLK_AUTOSCRATCH __attribute__((cleanup(rlk_scratch_done)))

/* The wait policy of a call: the session's, when it says ROWLOCK_WAIT. */
int32_t rlk_session_wait(const rowlock_db *db, int32_t wait_ms);
int rlk_session_ask_guards(rowlock_db *db, const struct rlk_write *write,
                           rowlock_error *err);

#endif
