/* SPDX-License-Identifier: MIT
 * Blocks: begin, nest, fail, commit, roll back.
 *
 * Invariant: a failed block's data is undone and its locks are given back
 * before the failing call returns; nothing is sent for it again but its end.
 * Blocks are made once for each level and used again, so a pointer to an ended
 * block stays recognisable until its level is used again. Read next:
 * atomic.c. */
#include "block.h"

#include <string.h>

static rowlock_block *
innermost(const rowlock_db *db)
{
    return db->levels[db->depth - 1];
}

/* ---- who may call what ---- */

static int
aborted(const rowlock_block *b, rowlock_error *err)
{
    int code = rlk_fail(err, ROWLOCK_ABORTED, "block is aborted");
    rlk_detail(err, "It failed earlier with %s: %s.", b->why.sqlstate,
               b->why.message);
    return code;
}

/* b is alive and no block inside it is open. */
static int
check_innermost(const rowlock_block *b, rowlock_error *err)
{
    if (!b)
        return rlk_fail(err, ROWLOCK_MISUSE, "no block given");
    if (b->state == RLK_DEAD)
        return rlk_fail(err, ROWLOCK_MISUSE, "the block has ended");
    if (rlk_session_forked(b->db))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the session belongs to the parent of this process");
    if (b != innermost(b->db))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "a block inside this block is still open");
    return 0;
}

int
rlk_block_enter(rowlock_block *b, rowlock_error *err)
{
    RLK_TRY(check_innermost(b, err));
    return b->state == RLK_FAILED ? aborted(b, err) : 0;
}

int
rlk_session_enter(rowlock_db *db, rowlock_block **ret, rowlock_error *err)
{
    if (!db->depth)
        return rlk_fail(err, ROWLOCK_MISUSE, "the block has ended");
    RLK_TRY(rlk_block_enter(innermost(db), err));
    *ret = innermost(db);
    return 0;
}

/* ---- marks ---- */

static void
set_marks(rowlock_block *b)
{
    rowlock_db *db = b->db;
    b->serial = b->first_rows = ++db->serial;
    b->undo_mark = db->undo.n;
    b->writes_mark = db->writes.n_log;
    b->hooks_mark = db->n_hooks;
}

/* What the session remembers goes back to where it was when b began. Results
 * die first: undo has nothing to bring back into them. */
static void
back_to_marks(rowlock_block *b)
{
    rowlock_db *db = b->db;
    rlk_results_bury(&db->results, b->first_rows, &db->buried);
    rlk_undo_back_to(&db->undo, b->undo_mark);
    rlk_writes_back_to(&db->writes, b->writes_mark);
    db->n_hooks = b->hooks_mark;
}

/* ---- failure ---- */

static void
mark_failed(rowlock_block *b, int rc, const rowlock_error *err)
{
    b->state = RLK_FAILED;
    if (err && err->code == (enum rowlock_code)rc)
        b->why = *err;
    else
        rlk_fail(&b->why, (enum rowlock_code)rc, "%s",
                 rowlock_code_text((enum rowlock_code)rc));
}

/* The engine ended the transaction by itself: so did every block. */
static void
fail_all(rowlock_db *db, int rc, const rowlock_error *err)
{
    db->driver->rollback_to(db->conn, 0);
    for (size_t i = db->depth; i-- > 0;) {
        if (db->levels[i]->state == RLK_OPEN)
            mark_failed(db->levels[i], rc, err);
        back_to_marks(db->levels[i]);
    }
}

static void
fail(rowlock_block *b, int rc, const rowlock_error *err)
{
    rowlock_db *db = b->db;
    db->driver->rollback_to(db->conn, b->level);
    mark_failed(b, rc, err);
    back_to_marks(b);
    db->table = NULL; /* its transaction may have made it */
    if (b->level && db->driver->transaction_lost(db->conn))
        fail_all(db, rc, err);
}

void
rlk_block_fail(rowlock_block *b, int rc, const rowlock_error *err)
{
    if (b->state == RLK_OPEN)
        fail(b, rc, err);
}

int
rlk_block_leave(rowlock_block *b, int rc, const rowlock_error *err)
{
    if (rc != 0 && rc != ROWLOCK_MISUSE)
        rlk_block_fail(b, rc, err);
    return rc;
}

/* ---- begin ---- */

static rowlock_block *
make_level(rowlock_db *db)
{
    rowlock_block **more =
        rlk_reallocarray(db->levels, db->n_levels + 1, sizeof(*more));
    if (!more)
        return NULL;
    db->levels = more;
    rowlock_block *b = rlk_calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->db = db;
    b->level = db->n_levels;
    db->levels[db->n_levels++] = b;
    return b;
}

static void
push(rowlock_block *b)
{
    b->state = RLK_OPEN;
    b->managed = 0;
    set_marks(b);
    b->db->depth = b->level + 1;
}

int
rlk_block_begin(rowlock_db *db, rowlock_block **ret, rowlock_error *err)
{
    if (!db)
        return rlk_fail(err, ROWLOCK_MISUSE, "no session given");
    if (rlk_session_forked(db))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the session belongs to the parent of this process");
    if (db->depth) {
        int code = rlk_fail(err, ROWLOCK_MISUSE,
                            "the session has an open block already");
        rlk_hint(err, "Use rowlock_nested() or rowlock_savepoint() in it.");
        return code;
    }
    rowlock_block *b = db->n_levels ? db->levels[0] : make_level(db);
    if (!b)
        return rlk_out_of_memory(err);
    RLK_TRY(db->driver->begin(db->conn, err));
    rlk_results_free(&db->buried);
    db->table = NULL;
    push(b);
    *ret = b;
    return 0;
}

static int
nest(rowlock_block *b, rowlock_block **ret, rowlock_error *err)
{
    rowlock_db *db = b->db;
    rowlock_block *inner =
        db->n_levels > db->depth ? db->levels[db->depth] : make_level(db);
    if (!inner)
        return rlk_out_of_memory(err);
    RLK_TRY(db->driver->savepoint(db->conn, db->depth, err));
    push(inner);
    *ret = inner;
    return 0;
}

int
rlk_block_nest(rowlock_block *b, rowlock_block **ret, rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    return rlk_block_leave(b, nest(b, ret, err), err);
}

/* ---- end ---- */

static void
pop(rowlock_block *b)
{
    b->state = RLK_DEAD;
    b->db->depth = b->level;
}

/* Nested and failed or rolled back: its data and locks are gone already. */
static void
end_nested(rowlock_block *b)
{
    rowlock_db *db = b->db;
    pop(b);
    rowlock_error err;
    rowlock_block *outer = innermost(db);
    if (db->driver->transaction_lost(db->conn))
        return;
    int rc = db->driver->release(db->conn, b->level, &err);
    if (rc && outer->state == RLK_OPEN)
        fail_all(db, rc, &err);
}

/* The last block is over: nothing that it read or remembered stays. */
static void
end_outermost(rowlock_block *b)
{
    rowlock_db *db = b->db;
    rlk_results_bury(&db->results, b->first_rows, &db->buried);
    rlk_undo_forget(&db->undo, 0);
    rlk_writes_back_to(&db->writes, 0);
    db->table = NULL;
    pop(b);
}

/* The hooks may begin blocks of their own, so the list is taken first. */
static void
run_hooks(rowlock_db *db)
{
    struct rlk_hook *hooks = db->hooks;
    size_t n = db->n_hooks;
    db->hooks = NULL;
    db->n_hooks = db->cap_hooks = 0;
    for (size_t i = 0; i < n; i++)
        hooks[i].fn(hooks[i].arg);
    rlk_free(hooks);
}

static int
commit_outermost(rowlock_block *b, rowlock_error *err)
{
    rowlock_db *db = b->db;
    if (b->state == RLK_FAILED) {
        int rc = aborted(b, err);
        rlk_block_rollback(b);
        return rc;
    }
    int rc = db->driver->commit(db->conn, err);
    end_outermost(b);
    if (rc)
        db->n_hooks = 0;
    else if (db->n_hooks)
        run_hooks(db);
    return rc;
}

static int
commit_nested(rowlock_block *b, rowlock_error *err)
{
    rowlock_db *db = b->db;
    if (b->state == RLK_FAILED) {
        int rc = aborted(b, err);
        end_nested(b);
        return rc;
    }
    int rc = db->driver->release(db->conn, b->level, err);
    if (rc) {
        fail_all(db, rc, err);
        pop(b);
        return rc;
    }
    if (b->level == 1)
        rlk_undo_forget(&db->undo, b->undo_mark); /* level 0 needs none */
    pop(b);
    return 0;
}

int
rlk_block_commit(rowlock_block *b, rowlock_error *err)
{
    return b->level ? commit_nested(b, err) : commit_outermost(b, err);
}

static void
rollback_one(rowlock_block *b)
{
    rowlock_db *db = b->db;
    if (b->level == 0) {
        db->driver->rollback(db->conn);
        back_to_marks(b);
        end_outermost(b);
        return;
    }
    if (b->state == RLK_OPEN)
        fail(b, ROWLOCK_ABORTED, NULL);
    end_nested(b);
}

void
rlk_block_rollback(rowlock_block *b)
{
    rowlock_db *db = b->db;
    while (db->depth > b->level)
        rollback_one(innermost(db));
}

/* ---- the public pieces ---- */

int
rowlock_begin(rowlock_db *db, rowlock_block **ret, rowlock_error *err)
{
    if (!ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "nowhere to put the block");
    return rlk_block_begin(db, ret, err);
}

int
rowlock_savepoint(rowlock_block *b, rowlock_block **ret, rowlock_error *err)
{
    if (!ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "nowhere to put the block");
    return rlk_block_nest(b, ret, err);
}

int
rowlock_commit(rowlock_block *b, rowlock_error *err)
{
    RLK_TRY(check_innermost(b, err));
    if (b->managed)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the block ends with the function that began it");
    return rlk_block_commit(b, err);
}

/* A block that a function of ours will end cannot be ended here: it fails, so
 * that it cannot commit, and its data and locks go back now as asked. */
void
rowlock_rollback(rowlock_block *b)
{
    if (!b || b->state == RLK_DEAD || rlk_session_forked(b->db))
        return;
    size_t keep = b->managed ? b->level + 1 : b->level;
    rowlock_db *db = b->db;
    for (size_t i = db->depth; i-- > keep;)
        if (db->levels[i]->managed)
            keep = i + 1;
    while (db->depth > keep)
        rollback_one(innermost(db));
    for (size_t i = db->depth; i-- > b->level;)
        if (db->levels[i]->state == RLK_OPEN)
            fail(db->levels[i], ROWLOCK_ABORTED, NULL);
}

int
rowlock_on_commit(rowlock_block *b, void (*fn)(void *arg), void *arg,
                  rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    if (!fn)
        return rlk_fail(err, ROWLOCK_MISUSE, "no function given");
    rowlock_db *db = b->db;
    if (db->n_hooks == db->cap_hooks) {
        size_t cap = db->cap_hooks ? db->cap_hooks * 2 : 8;
        struct rlk_hook *more = rlk_reallocarray(db->hooks, cap, sizeof *more);
        if (!more)
            return rlk_block_leave(b, rlk_out_of_memory(err), err);
        db->hooks = more;
        db->cap_hooks = cap;
    }
    db->hooks[db->n_hooks++] = (struct rlk_hook){fn, arg};
    return 0;
}
