/* SPDX-License-Identifier: MIT
 * update_where and delete_where: the keys are found, locked, and those records
 * that are locked and still match are changed. What only now matches is left
 * alone, as PostgreSQL's READ COMMITTED does.
 *
 * Where the write changes a unique or declared key, an unlocked look at the
 * records comes first, so that their keys are locked before they are. */
#include "declared.h"
#include "keys.h"
#include "query.h"
#include "value.h"
#include "write.h"

struct change { /* NULL sets: delete */
    rowlock_block *b;
    struct rlk_arena *arena;
    struct rlk_select select;
    struct rlk_set *sets;
    size_t n_sets;
};

/* Of SKIP LOCKED, which is about the records that are looked for: what else
 * must be locked cannot be skipped. */
static int32_t
other_wait(const struct change *c)
{
    int32_t wait_ms = c->select.wait_ms;
    return wait_ms == ROWLOCK_SKIP_LOCKED ? ROWLOCK_NOWAIT : wait_ms;
}

static int
lock_keys_first(struct change *c, rowlock_error *err)
{
    rowlock_db *db = c->b->db;
    struct rlk_select look = c->select;
    struct rlk_keys keys = {.arena = c->arena};
    struct rlk_rows rows = {0};
    look.lock = ROWLOCK_READ;
    RLK_TRY(db->driver->select(db->conn, &look, &rows, err));
    bool good = true;
    for (size_t i = 0; good && i < rows.n_rows; i++) {
        struct rlk_write w = {look.table, &rows.rows[i], c->sets, c->n_sets};
        good = rlk_keys_of_write(&keys, w.table, w.old, w.set, w.n_set) &&
               rlk_declared_keys(db->declared, &keys, &w);
    }
    rlk_rows_done(&rows);
    if (!good)
        return rlk_out_of_memory(err);
    if (!keys.n)
        return 0;
    return db->driver->lock_keys(db->conn, look.table, keys.list, keys.n,
                                 other_wait(c), err);
}

static bool
touches_a_key(const struct change *c)
{
    const struct rlk_table *t = c->select.table;
    for (size_t i = 0; i < t->n_indexes; i++)
        if (t->indexes[i].unique &&
            rlk_keys_touched(t->indexes[i].columns, t->indexes[i].n_columns,
                             c->sets, c->n_sets))
            return true;
    for (const struct rlk_declared_key *d = c->b->db->declared; d; d = d->next)
        if (rlk_keys_touched(d->columns, d->n_columns, c->sets, c->n_sets))
            return true;
    return false;
}

static int
change_one(struct change *c, const struct rlk_row *row, rowlock_error *err)
{
    rowlock_db *db = c->b->db;
    const struct rlk_table *t = c->select.table;
    struct rlk_set *differ =
        rlk_arena_alloc(c->arena, c->n_sets, sizeof *differ);
    if (!differ)
        return rlk_out_of_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < c->n_sets; i++)
        if (!rlk_value_equal(&t->columns[c->sets[i].column], c->sets[i].value,
                             row->values[c->sets[i].column]))
            differ[n++] = c->sets[i];
    if (c->sets && !n)
        return 0;
    struct rlk_write w = {t, row, c->sets ? differ : NULL, n};
    RLK_TRY(rlk_session_ask_guards(db, &w, err));
    RLK_TRY(rlk_note_write(db, t, row, err));
    if (!c->sets)
        return db->driver->remove(db->conn, t, row, other_wait(c), err);
    return db->driver->update(db->conn, t, row, differ, n, other_wait(c), NULL,
                              err);
}

/* What this call has written before may have changed or deleted this record
 * too, by a cascade or a trigger; gone is fine then. */
static int
change_next(struct change *c, const struct rlk_row *row, rowlock_error *err)
{
    const struct rlk_table *t = c->select.table;
    struct rlk_rows now = {0};
    if (!t->has_triggers && !t->n_foreign_keys)
        return change_one(c, row, err);
    RLK_TRY(rlk_select_one(c->b->db, t, row, ROWLOCK_READ, ROWLOCK_WAIT, &now,
                           err));
    int rc = now.n_rows ? change_one(c, &now.rows[0], err) : 0;
    rlk_rows_done(&now);
    return rc;
}

static int
change_all(struct change *c, int64_t *ret_n, rowlock_error *err)
{
    rowlock_db *db = c->b->db;
    struct rlk_rows rows = {0};
    bool keys = c->sets && touches_a_key(c);
    if (keys && (db->driver->capabilities & RLK_CAN_LOCK_KEYS))
        RLK_TRY(lock_keys_first(c, err));
    c->select.lock = keys || !c->sets ? ROWLOCK_UPDATE : ROWLOCK_NO_KEY_UPDATE;
    RLK_TRY(db->driver->select(db->conn, &c->select, &rows, err));
    int rc = 0;
    for (size_t i = 0; !rc && i < rows.n_rows; i++)
        rc = i ? change_next(c, &rows.rows[i], err)
               : change_one(c, &rows.rows[i], err);
    if (!rc && ret_n)
        *ret_n = (int64_t)rows.n_rows;
    rlk_rows_done(&rows);
    return rc;
}

/* values NULL: delete. */
static int
change_where(rowlock_block *b, const rowlock_query *given,
             const rowlock_pair *values, size_t n, int64_t *ret_n,
             rowlock_error *err)
{
    struct rlk_scratch RLK_AUTOSCRATCH scratch = rlk_scratch_take(b->db);
    struct change c = {.b = b, .arena = &scratch.arena};
    rowlock_query q;
    bool nothing;
    RLK_TRY(
        rlk_read_sized(given, given->size, &q, sizeof q, "rowlock_query", err));
    RLK_TRY(rlk_query_resolve(b->db, &q, c.arena, &c.select, &nothing, err));
    if (values) {
        RLK_TRY(rlk_pairs_resolve(c.select.table, values, n, c.arena, &c.sets,
                                  err));
        c.n_sets = n;
    }
    if (!nothing)
        return change_all(&c, ret_n, err);
    if (ret_n)
        *ret_n = 0;
    return 0;
}

int
rowlock_update_where(rowlock_block *b, const rowlock_query *q,
                     const rowlock_pair *values, size_t n, int64_t *ret_n,
                     rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    if (!q || !values || !n)
        return rlk_fail(err, ROWLOCK_MISUSE, "a null argument");
    return rlk_block_leave(b, change_where(b, q, values, n, ret_n, err), err);
}

int
rowlock_delete_where(rowlock_block *b, const rowlock_query *q, int64_t *ret_n,
                     rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    if (!q)
        return rlk_fail(err, ROWLOCK_MISUSE, "no query given");
    return rlk_block_leave(b, change_where(b, q, NULL, 0, ret_n, err), err);
}
