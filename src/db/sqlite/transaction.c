/* SPDX-License-Identifier: MIT
 * Blocks and savepoints. A block opens no SQLite transaction before its first
 * write, so each read until then is its own snapshot and READ COMMITTED holds
 * by itself. A level that started before the first write is bookkeeping: to
 * roll back to it ends the SQLite transaction and gives the slot back. Later
 * levels are SQLite's savepoints, issued just before the first write in them.
 *
 * Invariant: tx.writing says that SQLite is inside our transaction; whenever
 * SQLite leaves it by itself, errors.c sets tx.lost and nothing more is sent.
 * Read next: slot.c. */
#include "conn.h"

#include <string.h>

int
rlk_sqlite_ready(struct rlk_sqlite *c, rowlock_error *err)
{
    if (!rlk_sqlite_is_ours(c))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the session belongs to the parent process");
    if (!c->open_block)
        return rlk_fail(err, ROWLOCK_MISUSE, "no block is open");
    if (c->tx.lost)
        return rlk_fail(err, ROWLOCK_ABORTED, "block is aborted");
    return 0;
}

static int
add_level(struct rlk_sqlite *c, rowlock_error *err)
{
    struct rlk_sqlite_tx *tx = &c->tx;
    if (tx->n_levels == tx->cap_levels) {
        size_t cap = tx->cap_levels ? tx->cap_levels * 2 : 8;
        void *more = rlk_reallocarray(tx->levels, cap, sizeof *tx->levels);
        if (!more)
            return rlk_out_of_memory(err);
        tx->levels = more;
        tx->cap_levels = cap;
    }
    tx->levels[tx->n_levels++] = (struct rlk_sqlite_level){
        .lock_mark = rowlock_locks_mark(c->locks),
        .n_log = tx->n_log,
        .n_versions = tx->n_versions,
    };
    return 0;
}

int
rlk_sqlite_begin(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    if (!rlk_sqlite_is_ours(c))
        return rlk_sqlite_ready(c, err);
    if (c->open_block)
        return rlk_fail(err, ROWLOCK_MISUSE, "a block is open already");
    RLK_TRY(add_level(c, err));
    c->open_block = true;
    c->catalogue.checked = false;
    return 0;
}

int
rlk_sqlite_savepoint(struct rlk_conn *conn, size_t level, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    RLK_TRY(rlk_sqlite_ready(c, err));
    if (level != c->tx.n_levels)
        return rlk_fail(err, ROWLOCK_MISUSE, "savepoints out of order");
    return add_level(c, err);
}

int
rlk_sqlite_issue_savepoints(struct rlk_sqlite *c, size_t n_log,
                            rowlock_error *err)
{
    for (uint32_t i = 1; i < c->tx.n_levels; i++) {
        struct rlk_sqlite_level *level = &c->tx.levels[i];
        if (level->issued || level->n_log == 0 || level->n_log > n_log)
            continue;
        RLK_TRY(rlk_sqlite_run(c, RLK_OP_SAVEPOINT, i, err));
        level->issued = true;
        level->n_versions = c->tx.n_versions;
    }
    return 0;
}

/* Data back to where level started. Where SQLite has no savepoint for it, the
 * whole transaction goes; what is left of the log is done again later. */
static void
undo(struct rlk_sqlite *c, size_t level)
{
    const struct rlk_sqlite_level *l = &c->tx.levels[level];
    bool unchanged = !l->issued && l->n_log > 0 && l->n_log == c->tx.n_log;
    if (c->tx.writing && !unchanged) {
        if (l->issued &&
            !rlk_sqlite_run(c, RLK_OP_ROLLBACK_TO, (uint32_t)level, NULL))
            c->tx.n_versions = l->n_versions;
        else
            rlk_sqlite_suspend(c);
    }
    c->tx.n_log = l->n_log;
}

void
rlk_sqlite_rollback_to(struct rlk_conn *conn, size_t level)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    if (!rlk_sqlite_is_ours(c) || level >= c->tx.n_levels)
        return;
    undo(c, level);
    c->tx.n_levels = level + 1;
    /* What the engine undid as a whole needs no locks any more. */
    rowlock_locks_release_to(c->locks,
                             c->tx.levels[c->tx.lost ? 0 : level].lock_mark);
}

int
rlk_sqlite_release(struct rlk_conn *conn, size_t level, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    RLK_TRY(rlk_sqlite_ready(c, err));
    if (level == 0 || level + 1 != c->tx.n_levels)
        return rlk_fail(err, ROWLOCK_MISUSE, "not the innermost level");
    if (c->tx.writing && c->tx.levels[level].issued)
        RLK_TRY(rlk_sqlite_run(c, RLK_OP_RELEASE, (uint32_t)level, err));
    c->tx.n_levels--;
    return 0;
}

/* Everything of the block goes; the memory stays for the next one. */
static void
end_block(struct rlk_sqlite *c)
{
    struct rlk_sqlite_tx *tx = &c->tx;
    rowlock_locks_release_to(c->locks, 0);
    rlk_arena_done(&tx->arena);
    tx->n_levels = tx->n_log = tx->n_versions = 0;
    tx->lost = false;
    c->open_block = false;
    c->catalogue.checked = false;
}

void
rlk_sqlite_rollback(struct rlk_conn *conn)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    if (!rlk_sqlite_is_ours(c) || !c->open_block)
        return;
    rlk_sqlite_suspend(c);
    end_block(c);
}

static int
commit_writes(struct rlk_sqlite *c, uint64_t *ret_ticket, rowlock_error *err)
{
    RLK_TRY(rlk_sqlite_take_cancel(c, err));
    RLK_TRY(rlk_sqlite_see_own(c, err));
    if (!c->tx.writing)
        return 0;
    RLK_TRY(rlk_sqlite_still_in_place(c, err));
    c->wal.frames = 0;
    int rc = rlk_sqlite_run(c, RLK_OP_COMMIT, 0, err);
    if (rc)
        rlk_sqlite_poison_after_commit(c, c->failed);
    RLK_TRY(rc);
    c->tx.writing = false;
    c->commits++;
    rlk_sqlite_note_own_commit(c);
    *ret_ticket = rowlock_locks_ticket(c->locks);
    rlk_sqlite_tend_wal(c);
    return 0;
}

int
rlk_sqlite_commit(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    uint64_t ticket = 0;
    int rc = rlk_sqlite_ready(c, err);
    if (rc == ROWLOCK_MISUSE)
        return rc;
    if (!rc)
        rc = commit_writes(c, &ticket, err);
    if (rc)
        rlk_sqlite_suspend(c);
    end_block(c);
    return rc ? rc : rlk_sqlite_await_disk(c, ticket, err);
}

bool
rlk_sqlite_transaction_lost(struct rlk_conn *conn)
{
    return rlk_sqlite_of(conn)->tx.lost;
}

size_t
rlk_sqlite_lock_mark(struct rlk_conn *conn)
{
    return rowlock_locks_mark(rlk_sqlite_of(conn)->locks);
}

void
rlk_sqlite_unlock_to(struct rlk_conn *conn, size_t mark)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    if (!rlk_sqlite_is_ours(c))
        return;
    if (mark == 0) /* the slot goes too */
        rlk_sqlite_suspend(c);
    rowlock_locks_release_to(c->locks, mark);
}
