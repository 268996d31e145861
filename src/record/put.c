/* SPDX-License-Identifier: MIT
 * What an import of many records needs: a look at hundreds of them in one
 * snapshot, and then writes that need no look of their own.
 *
 * Why that is sound. The driver's commit mark is the same before the look and
 * inside the write transaction: so nobody has committed in between, and what
 * was seen is the newest version, as if it had been looked up inside the
 * transaction; while its epoch lasts nobody else can write. A lock that is
 * granted meanwhile without a wait changes nothing about this (look.c says
 * why), and a wait ends the epoch. So keys may be locked after the look here,
 * and everything is asked for with NOWAIT. Who waits uses update_or_create. */
#include "keys.h"
#include "query.h"
#include "write.h"

static uint64_t
epoch(const rowlock_db *db)
{
    return db->driver->write_epoch ? db->driver->write_epoch(db->conn) : 0;
}

static int
commit_mark(rowlock_db *db, struct rlk_mark *ret, rowlock_error *err)
{
    *ret = (struct rlk_mark){0, 0};
    return db->driver->commit_mark ? db->driver->commit_mark(db->conn, ret, err)
                                   : 0;
}

int
rlk_block_lookup(rowlock_block *b, const struct rlk_lookup *look,
                 struct rlk_rows *ret, int *ret_found, rowlock_error *err)
{
    rowlock_db *db = b->db;
    RLK_TRY(rlk_block_enter(b, err));
    int rc = look->ret_mark ? commit_mark(db, look->ret_mark, err) : 0;
    if (!rc && look->n_keys)
        rc = db->driver->lookup(db->conn, look->table, look->keys, look->n_keys,
                                ret, ret_found, err);
    return rlk_block_leave(b, rc, err);
}

bool
rlk_session_can_scan(const rowlock_db *db)
{
    return db->driver->scan && db->driver->commit_mark;
}

int
rlk_block_scan(rowlock_block *b, const struct rlk_scan *scan,
               struct rlk_mark *ret_mark, rowlock_error *err)
{
    rowlock_db *db = b->db;
    RLK_TRY(rlk_block_enter(b, err));
    int rc = rlk_session_can_scan(db)
                 ? commit_mark(db, ret_mark, err)
                 : rlk_fail(err, ROWLOCK_UNSUPPORTED,
                            "this engine does not read whole tables");
    if (!rc)
        rc = db->driver->scan(db->conn, scan, err);
    return rlk_block_leave(b, rc, err);
}

static int
start_write(rowlock_db *db, struct rlk_mark *ret_mark, rowlock_error *err)
{
    RLK_TRY(db->driver->start_write(db->conn, ROWLOCK_NOWAIT, err));
    RLK_TRY(commit_mark(db, ret_mark, err));
    db->trusted_in = db->driver->put ? epoch(db) : 0;
    if (!db->trusted_in)
        ret_mark->others = 0;
    return 0;
}

int
rlk_block_start_write(rowlock_block *b, struct rlk_mark *ret_mark,
                      rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    return rlk_block_leave(b, start_write(b->db, ret_mark, err), err);
}

int
rlk_block_check_deferred(rowlock_block *b, rowlock_error *err)
{
    rowlock_db *db = b->db;
    RLK_TRY(rlk_block_enter(b, err));
    int rc = db->driver->check_deferred
                 ? db->driver->check_deferred(db->conn, err)
                 : 0;
    return rlk_block_leave(b, rc, err);
}

/* ---- one record ---- */

static int
put_new(rowlock_db *db, const struct rlk_put *put, struct rlk_rows *ret_row,
        rowlock_error *err)
{
    struct rlk_scratch RLK_AUTOSCRATCH scratch = rlk_scratch_take(db);
    const struct rlk_write *w = &put->write;
    struct rlk_keys keys = {.arena = &scratch.arena};
    for (size_t i = 0; i < put->n_keys; i++)
        if (put->keys[i].n_columns && !rlk_keys_append(&keys, put->keys[i]))
            return rlk_out_of_memory(err);
    if (!rlk_keys_of_write(&keys, w->table, NULL, w->set, w->n_set))
        return rlk_out_of_memory(err);
    if (keys.n && (db->driver->capabilities & RLK_CAN_LOCK_KEYS))
        RLK_TRY(db->driver->lock_keys(db->conn, w->table, keys.list, keys.n,
                                      ROWLOCK_NOWAIT, err));
    return db->driver->put(db->conn, w, ret_row, err);
}

static int
put_old(rowlock_db *db, const struct rlk_write *w, rowlock_error *err)
{
    RLK_TRY(rlk_note_write(db, w->table, w->old, err));
    return db->driver->put(db->conn, w, NULL, err);
}

static int
put(rowlock_db *db, const struct rlk_put *put, struct rlk_rows *ret_row,
    rowlock_error *err)
{
    RLK_TRY(rlk_session_ask_guards(db, &put->write, err));
    return put->write.old ? put_old(db, &put->write, err)
                          : put_new(db, put, ret_row, err);
}

int
rlk_block_put(rowlock_block *b, const struct rlk_put *p,
              struct rlk_rows *ret_row, bool *ret_done, rowlock_error *err)
{
    rowlock_db *db = b->db;
    RLK_TRY(rlk_block_enter(b, err));
    *ret_done = db->trusted_in && db->trusted_in == epoch(db);
    if (!*ret_done)
        return 0;
    return rlk_block_leave(b, put(db, p, ret_row, err), err);
}

/* ---- many records ---- */

bool
rlk_session_can_put_all(const rowlock_db *db)
{
    return db->driver->put_all != NULL;
}

int
rlk_block_put_all(rowlock_block *b, const struct rlk_write *writes, size_t n,
                  enum rlk_put_state *ret_states, struct rlk_rows *ret_made,
                  size_t *ret_made_of, rowlock_error *err)
{
    rowlock_db *db = b->db;
    int rc = 0;
    RLK_TRY(rlk_block_enter(b, err));
    for (size_t i = 0; i < n && !rc; i++) {
        rc = rlk_session_ask_guards(db, &writes[i], err);
        if (!rc && writes[i].old)
            rc = rlk_note_write(db, writes[i].table, writes[i].old, err);
    }
    if (!rc && n)
        rc = db->driver->put_all(db->conn, writes[0].table, writes, n,
                                 ret_states, ret_made, ret_made_of, err);
    return rlk_block_leave(b, rc, err);
}
