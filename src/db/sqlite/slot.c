/* SPDX-License-Identifier: MIT
 * The writer slot and the slot log.
 *
 * A block takes the slot and BEGIN IMMEDIATE at its first write and keeps both
 * until it ends - unless it must sleep for a record or a key. Then it rolls the
 * SQLite transaction back and gives the slot back (suspend), keeps its record
 * locks, and sleeps; the next read or write takes the slot again and does the
 * log of its writes once more. The rows are still locked, so the outcome is the
 * same; any other is 40001. So the slot is always taken last, and no cycle of
 * waiters can go through it.
 *
 * Invariant: tx.log holds every record write that the block has done and not
 * rolled back, in order; level.n_log says where each savepoint stands in it. */
#include "conn.h"

enum {
    REPLAYS = 20,    /* that each met a new holder: then give up */
    IN_PLACE_MS = 10 /* how long the files are taken to be in their places */
};

static const rowlock_name slot = {ROWLOCK_WRITER, NULL, NULL, NULL, 0};

/* Prepared at open, since it must also work out of memory. A cancel can hit
 * it: then it is tried again; the next call answers the cancel. */
void
rlk_sqlite_roll_back(struct rlk_sqlite *c)
{
    for (int i = 0; i < 3 && !sqlite3_get_autocommit(c->db); i++) {
        sqlite3_step(c->roll_back);
        sqlite3_reset(c->roll_back);
    }
}

void
rlk_sqlite_suspend(struct rlk_sqlite *c)
{
    struct rlk_sqlite_tx *tx = &c->tx;
    if (!tx->writing)
        return;
    tx->writing = false; /* first: what follows must not note a loss */
    rlk_sqlite_roll_back(c);
    for (size_t i = 0; i < tx->n_levels; i++)
        tx->levels[i].issued = false;
    rowlock_locks_drop(c->locks, &slot);
}

static int
begin_immediate(struct rlk_sqlite *c, int32_t wait_ms, rowlock_error *err)
{
    int64_t usual = c->busy.limit_ms;
    c->busy.limit_ms = rlk_sqlite_patience(wait_ms);
    int rc = rlk_sqlite_run(c, RLK_OP_BEGIN_IMMEDIATE, 0, err);
    c->busy.limit_ms = usual;
    return rc;
}

/* No record is in the way, but the turn to write did not come. */
static int
no_turn(int rc, rowlock_error *err)
{
    if (rc == ROWLOCK_NOT_AVAILABLE)
        rlk_sqlstate(err, RLK_NO_TURN);
    return rc;
}

/* A file that was moved, deleted or replaced is still written to: by nobody
 * but us. */
int
rlk_sqlite_check_place(struct rlk_sqlite *c, rowlock_error *err)
{
    const char *path = sqlite3_db_filename(c->db, "main");
    int moved = 0;
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (!moved)
        return 0;
    rlk_fail(err, ROWLOCK_CONNECTION, "database \"%s\" was moved or replaced",
             path);
    rlk_detail(err, "Nobody would find what is written to the old file.");
    rlk_hint(err, "Open a new session; never delete or move the file while "
                  "programs use the database.");
    return ROWLOCK_CONNECTION;
}

static int
check_files(struct rlk_sqlite *c, rowlock_error *err)
{
    RLK_TRY(rowlock_locks_check(c->locks, err));
    RLK_TRY(rlk_sqlite_check_place(c, err));
    c->tx.in_place_ms = rlk_sqlite_now_ms();
    return 0;
}

int
rlk_sqlite_still_in_place(struct rlk_sqlite *c, rowlock_error *err)
{
    bool ours = rowlock_locks_held(c->locks, &slot) == ROWLOCK_UPDATE;
    if (ours && rlk_sqlite_now_ms() - c->tx.in_place_ms < IN_PLACE_MS)
        return 0;
    return check_files(c, err);
}

/* The files are looked at before the slot is taken, which others wait for; once
 * more behind a long wait. The slot is no record: NOWAIT waits for a commit
 * that is under way. */
static int
take_slot(struct rlk_sqlite *c, int32_t wait_ms, rowlock_error *err)
{
    if (wait_ms < 0)
        wait_ms = (int32_t)rlk_sqlite_patience(wait_ms);
    RLK_TRY(check_files(c, err));
    int rc = rlk_sqlite_take(c, &slot, ROWLOCK_UPDATE, wait_ms, err);
    if (rc)
        return no_turn(rc, err);
    rc = begin_immediate(c, wait_ms, err);
    if (rc) {
        rowlock_locks_drop(c->locks, &slot);
        return no_turn(rc, err);
    }
    c->tx.writing = true;
    c->tx.epoch++;
    c->tx.begun_at = rlk_sqlite_moment(c);
    rc = rowlock_locks_poisoned(c->locks, err);
    if (!rc)
        rc = rlk_sqlite_still_in_place(c, err);
    if (rc)
        rlk_sqlite_suspend(c);
    return rc;
}

/* What was answered before must come out again. */
static int
other_outcome(rowlock_error *err)
{
    int code = rlk_fail(err, ROWLOCK_SERIALIZATION,
                        "could not repeat the block's writes after a wait");
    rlk_detail(err, "The writes met another outcome than before the wait.");
    return code;
}

static int
replay_one(struct rlk_sqlite *c, size_t i, rowlock_error *err)
{
    RLK_TRY(rlk_sqlite_issue_savepoints(c, i, err));
    int rc = rlk_sqlite_write_once(c, &c->tx.log[i], NULL, err);
    if (rc == ROWLOCK_UNIQUE || rc == ROWLOCK_CONSTRAINT ||
        rc == ROWLOCK_MISUSE)
        return other_outcome(err);
    return rc;
}

static int
replay(struct rlk_sqlite *c, rowlock_error *err)
{
    int rc = 0;
    if (c->tx.n_log)
        rowlock_locks_count_replay(c->locks);
    c->tx.replaying = true;
    c->tx.n_versions = 0;
    for (size_t i = 0; i < c->tx.n_log && !rc; i++)
        rc = replay_one(c, i, err);
    c->tx.replaying = false;
    return rc;
}

int
rlk_sqlite_start_write(struct rlk_conn *conn, int32_t wait_ms,
                       rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    RLK_TRY(rlk_sqlite_ready(c, err));
    RLK_TRY(rlk_sqlite_take_cancel(c, err));
    for (int i = 0; !c->tx.writing; i++) {
        RLK_TRY(take_slot(c, wait_ms, err));
        int rc = replay(c, err);
        if (rc == RLK_BLOCKED && i < REPLAYS)
            rc = rlk_effects_wait(c, wait_ms, err); /* without the slot */
        else if (rc == RLK_BLOCKED)
            rc = other_outcome(err);
        if (rc)
            rlk_sqlite_suspend(c);
        RLK_TRY(rc);
    }
    return 0;
}

int
rlk_sqlite_see_own(struct rlk_sqlite *c, rowlock_error *err)
{
    if (c->tx.writing || c->tx.n_log == 0)
        return 0;
    return rlk_sqlite_start_write(&c->base, ROWLOCK_WAIT, err);
}

int
rlk_sqlite_log(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
               rowlock_error *err)
{
    struct rlk_sqlite_tx *tx = &c->tx;
    if (tx->n_log == tx->cap_log) {
        size_t cap = tx->cap_log ? tx->cap_log * 2 : 64;
        void *more = rlk_reallocarray(tx->log, cap, sizeof *tx->log);
        if (!more)
            return rlk_out_of_memory(err);
        tx->log = more;
        tx->cap_log = cap;
    }
    tx->log[tx->n_log++] = *w;
    return 0;
}
