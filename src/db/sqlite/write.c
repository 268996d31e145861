/* SPDX-License-Identifier: MIT
 * Writing one record: its locks, then the slot, then the statement
 * (execute.c), again after each wait for what it met, then the log.
 *
 * Invariant: nothing waits for a record or a parent after the slot is taken
 * here; locks.c gives the slot back when it must. Read next: slot.c. */
#include "conn.h"

#include <string.h>

/* The hook cannot tell NULL from the default that a row older than the column
 * shows. Where that matters the row is read before the write. */
static bool
must_read_first(const struct rlk_sqlite_write *w, const struct rlk_row *old)
{
    const struct rlk_sqlite_column *columns = w->table->columns;
    if (w->table->misnumbered)
        return true;
    size_t n = w->op == RLK_OP_UPDATE ? w->n_set : w->table->base.n_columns;
    for (size_t i = 0; i < n; i++) {
        size_t column = w->op == RLK_OP_UPDATE ? w->set[i].column : i;
        if (columns[column].added.type != ROWLOCK_NULL &&
            rlk_value_same(columns[column].added, old->values[column]))
            return true;
    }
    return false;
}

static void
explain_foreign_key(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
                    const struct rlk_sqlite_target *target, rowlock_error *err)
{
    if (w->op == RLK_OP_DELETE)
        rlk_detail(err, "The record is still referenced from another table.");
    else
        rlk_sqlite_explain_parent(c, &w->table->base, target->expect, w->set,
                                  w->n_set, err);
}

/* What was proved holds until the transaction is given up for a wait. */
static int
write_and_log(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
              struct rlk_sqlite_target *target, int32_t wait_ms,
              rowlock_error *err)
{
    for (;;) {
        struct rlk_sqlite_write now = *w;
        RLK_TRY(rlk_sqlite_start_write(&c->base, wait_ms, err));
        RLK_TRY(rlk_sqlite_issue_savepoints(c, c->tx.n_log, err));
        if (target->chooses_key)
            RLK_TRY(rlk_sqlite_choose_key(c, &now, err));
        int rc = rlk_sqlite_write_once(c, &now, target, err);
        if (rc == 0)
            return rlk_sqlite_log(c, &now, err);
        if (rc == ROWLOCK_CONSTRAINT && err &&
            strcmp(err->sqlstate, "23503") == 0)
            explain_foreign_key(c, w, target, err);
        if (rc != RLK_BLOCKED)
            return rc;
        if (c->effects.key_is_taken)
            rlk_key_was_taken(w->table);
        target->current = target->foreseen = false;
        RLK_TRY(rlk_effects_wait(c, wait_ms, err));
    }
}

static int
take(struct rlk_sqlite *c, const struct rlk_table *t, const rowlock_value *key,
     enum rowlock_mode mode, int32_t wait_ms, rowlock_error *err)
{
    int rc = rlk_sqlite_take_record(c, t, key, mode, wait_ms, err);
    if (rc == ROWLOCK_NOT_AVAILABLE && wait_ms == ROWLOCK_SKIP_LOCKED)
        return rlk_sqlite_not_available(err);
    return rc;
}

static void *
alloc(struct rlk_sqlite *c, size_t n, size_t size)
{
    return rlk_arena_alloc(&c->tx.arena, n, size);
}

static int
copy_set(struct rlk_sqlite *c, const struct rlk_set *set, size_t n,
         const struct rlk_set **ret, rowlock_error *err)
{
    struct rlk_set *copy = alloc(c, n, sizeof *copy);
    bool ok = copy;
    for (size_t i = 0; ok && i < n; i++) {
        copy[i].column = set[i].column;
        ok = rlk_value_copy(&c->tx.arena, set[i].value, &copy[i].value);
    }
    *ret = copy;
    return ok ? 0 : rlk_out_of_memory(err);
}

static int
copy_key(struct rlk_sqlite *c, const struct rlk_table *t,
         const struct rlk_row *old, const rowlock_value **ret,
         rowlock_error *err)
{
    rowlock_value *key = alloc(c, t->n_primary_key, sizeof *key);
    bool ok = key;
    for (size_t i = 0; ok && i < t->n_primary_key; i++)
        ok = rlk_value_copy(&c->tx.arena, old->values[t->primary_key[i]],
                            &key[i]);
    *ret = key;
    return ok ? 0 : rlk_out_of_memory(err);
}

static const rowlock_value *
set_value(const struct rlk_set *set, size_t n, uint32_t column)
{
    for (size_t i = 0; i < n; i++)
        if (set[i].column == column)
            return &set[i].value;
    return NULL;
}

/* The primary key that the record will have, where it is known before the
 * write; else the hook locks it. */
static bool
key_after(const struct rlk_table *t, const struct rlk_row *old,
          const struct rlk_set *set, size_t n_set, rowlock_value *ret)
{
    for (size_t i = 0; i < t->n_primary_key; i++) {
        uint32_t column = t->primary_key[i];
        const rowlock_value *v = set_value(set, n_set, column);
        if (!v && old)
            v = &old->values[column];
        if (!v || !rlk_stored_as_is(t, column, *v))
            return false;
        ret[i] = *v;
    }
    return true;
}

/* Without its bytes, which are the block's. */
static int
show(struct rlk_rows *ret, const rowlock_value *row, size_t n,
     rowlock_error *err)
{
    struct rlk_row *shown = rlk_rows_add(ret, n);
    if (!shown)
        return rlk_out_of_memory(err);
    memcpy(shown->values, row, n * sizeof *row);
    return 0;
}

/* The record as stored: as the hook saw it, unless something else may have
 * changed it since. Added to ret. */
static int
answer(struct rlk_sqlite *c, const struct rlk_sqlite_table *t,
       const rowlock_value *row, bool view, struct rlk_rows *ret,
       rowlock_error *err)
{
    if (!ret)
        return 0;
    size_t before = ret->n_rows;
    if (t->computed || t->base.reaches_others) {
        rowlock_value *key = alloc(c, t->base.n_primary_key, sizeof *key);
        if (!key)
            return rlk_out_of_memory(err);
        rlk_key_of(&t->base, row, key);
        RLK_TRY(rlk_sqlite_read_record(c, &t->base, key, ret, err));
    }
    if (ret->n_rows > before)
        return 0;
    return view ? show(ret, row, t->base.n_columns, err)
                : rlk_rows_copy(ret, row, t->base.n_columns, err);
}

/* What is done again after a wait is the row as it was stored, so that
 * defaults (a key, a time of day) come out as they were answered. */
static int
keep_stored(struct rlk_sqlite *c, const struct rlk_table *t,
            const rowlock_value *row, rowlock_error *err)
{
    struct rlk_sqlite_write *w = &c->tx.log[c->tx.n_log - 1];
    struct rlk_set *set = alloc(c, t->n_columns, sizeof *set);
    if (!set)
        return rlk_out_of_memory(err);
    w->n_set = 0;
    w->set = set;
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (!t->columns[i].generated)
            set[w->n_set++] = (struct rlk_set){i, row[i]};
    return 0;
}

/* Where the hook cannot be trusted with rows, what was inserted is read. */
static int
settle(struct rlk_sqlite *c, const struct rlk_table *t, rowlock_value *row,
       rowlock_error *err)
{
    struct rlk_rows rows = {0};
    rowlock_value *key = alloc(c, t->n_primary_key, sizeof *key);
    if (!key)
        return rlk_out_of_memory(err);
    rlk_key_of(t, row, key);
    int rc = rlk_sqlite_read_record(c, t, key, &rows, err);
    for (size_t i = 0; !rc && rows.n_rows && i < t->n_columns; i++)
        if (!rlk_value_copy(&c->tx.arena, rows.rows[0].values[i], &row[i]))
            rc = rlk_out_of_memory(err);
    rlk_rows_done(&rows);
    return rc;
}

/* Nothing but the values given decides what will be stored. */
static bool
is_foreseen(const struct rlk_write *w)
{
    const struct rlk_sqlite_table *t = rlk_sqlite_table_of(w->table);
    const struct rlk_column *columns = w->table->columns;
    if (t->computed || t->misnumbered || t->base.reaches_others ||
        (!w->old && !rlk_leaves_key_open(w->table, w->set, w->n_set)))
        return false;
    for (size_t i = 0; !w->old && i < w->table->n_columns; i++)
        if (columns[i].has_default)
            return false;
    for (size_t i = 0; i < w->n_set; i++) {
        rowlock_value v = w->set[i].value;
        bool as_is = v.type == ROWLOCK_NULL
                         ? !columns[w->set[i].column].not_null
                         : rlk_stored_as_is(w->table, w->set[i].column, v);
        if (!as_is)
            return false;
    }
    return true;
}

/* current: see put() of driver.h. */
static int
insert(struct rlk_sqlite *c, const struct rlk_write *given, int32_t wait_ms,
       bool current, struct rlk_rows *ret_row, rowlock_error *err)
{
    const struct rlk_table *t = given->table;
    const struct rlk_set *set = given->set;
    size_t n_set = given->n_set;
    RLK_TRY(rlk_sqlite_ready(c, err));
    rowlock_value *key = alloc(c, t->n_primary_key, sizeof *key);
    rowlock_value *row = alloc(c, t->n_columns, sizeof *row);
    if (!key || !row)
        return rlk_out_of_memory(err);
    if (key_after(t, NULL, set, n_set, key))
        RLK_TRY(take(c, t, key, ROWLOCK_UPDATE, wait_ms, err));
    RLK_TRY(rlk_sqlite_lock_parents(c, t, NULL, set, n_set, wait_ms, err));
    struct rlk_sqlite_target target = {
        .new_row = row,
        .new_arena = &c->tx.arena,
        .chooses_key = rlk_leaves_key_open(t, set, n_set),
        .foreseen = current && is_foreseen(given)};
    struct rlk_sqlite_write w = {.op = RLK_OP_INSERT,
                                 .table = rlk_sqlite_table_of(t),
                                 .set = set,
                                 .n_set = n_set};
    RLK_TRY(write_and_log(c, &w, &target, wait_ms, err));
    if (w.table->misnumbered)
        RLK_TRY(settle(c, t, row, err));
    RLK_TRY(keep_stored(c, t, row, err));
    return answer(c, w.table, row, current, ret_row, err);
}

int
rlk_sqlite_insert(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_set *set, size_t n_set, int32_t wait_ms,
                  struct rlk_rows *ret_row, rowlock_error *err)
{
    const struct rlk_write w = {t, NULL, set, n_set};
    return insert(rlk_sqlite_of(conn), &w, wait_ms, false, ret_row, err);
}

/* What is expected there: a hash, or the row where hashes cannot be had. */
static int
note_expected(struct rlk_sqlite *c, struct rlk_sqlite_write *w,
              const struct rlk_row *old, rowlock_error *err)
{
    w->old = rlk_row_hash(w->table, old->values);
    if (!w->table->misnumbered)
        return 0;
    struct rlk_row *copy = alloc(c, 1, sizeof *copy);
    rowlock_value *values = alloc(c, old->n_values, sizeof *values);
    if (!copy || !values)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < old->n_values; i++)
        if (!rlk_value_copy(&c->tx.arena, old->values[i], &values[i]))
            return rlk_out_of_memory(err);
    *copy = (struct rlk_row){values, old->n_values};
    w->old_row = copy;
    return 0;
}

static enum rowlock_mode
mode_for(const struct rlk_table *t, const struct rlk_row *old,
         const struct rlk_set *set, size_t n_set)
{
    const struct rlk_sqlite_table *known = rlk_sqlite_table_of(t);
    for (size_t i = 0; i < n_set; i++)
        if (known->columns[set[i].column].in_key &&
            !rlk_value_same(old->values[set[i].column], set[i].value))
            return ROWLOCK_UPDATE;
    return ROWLOCK_NO_KEY_UPDATE;
}

static int
lock_for_update(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
                const struct rlk_row *old, int32_t wait_ms, rowlock_error *err)
{
    const struct rlk_table *t = &w->table->base;
    enum rowlock_mode mode = mode_for(t, old, w->set, w->n_set);
    rowlock_value *key = alloc(c, t->n_primary_key, sizeof *key);
    if (!key)
        return rlk_out_of_memory(err);
    RLK_TRY(take(c, t, w->key, mode, wait_ms, err));
    if (mode == ROWLOCK_UPDATE && key_after(t, old, w->set, w->n_set, key))
        RLK_TRY(take(c, t, key, mode, wait_ms, err));
    return rlk_sqlite_lock_parents(c, t, old, w->set, w->n_set, wait_ms, err);
}

static int
update(struct rlk_sqlite *c, const struct rlk_write *given, int32_t wait_ms,
       bool current, struct rlk_rows *ret_row, rowlock_error *err)
{
    const struct rlk_table *t = given->table;
    const struct rlk_row *old = given->old;
    struct rlk_sqlite_write w = {.op = RLK_OP_UPDATE,
                                 .table = rlk_sqlite_table_of(t),
                                 .n_set = given->n_set};
    RLK_TRY(rlk_sqlite_ready(c, err));
    if (given->n_set == 0)
        return answer(c, w.table, old->values, false, ret_row, err);
    RLK_TRY(copy_set(c, given->set, given->n_set, &w.set, err));
    RLK_TRY(copy_key(c, t, old, &w.key, err));
    RLK_TRY(lock_for_update(c, &w, old, wait_ms, err));
    RLK_TRY(note_expected(c, &w, old, err));
    struct rlk_sqlite_target target = {
        .expect = old,
        .new_arena = &c->tx.arena,
        .current = current,
        .foreseen = current && is_foreseen(given),
        .read_first = !current && must_read_first(&w, old)};
    if (ret_row &&
        !(target.new_row = alloc(c, t->n_columns, sizeof *target.new_row)))
        return rlk_out_of_memory(err);
    RLK_TRY(write_and_log(c, &w, &target, wait_ms, err));
    return answer(c, w.table, target.new_row, false, ret_row, err);
}

int
rlk_sqlite_update(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_row *old, const struct rlk_set *set,
                  size_t n_set, int32_t wait_ms, struct rlk_rows *ret_row,
                  rowlock_error *err)
{
    const struct rlk_write w = {t, old, set, n_set};
    return update(rlk_sqlite_of(conn), &w, wait_ms, false, ret_row, err);
}

int
rlk_sqlite_put(struct rlk_conn *conn, const struct rlk_write *w,
               struct rlk_rows *ret_row, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    return w->old ? update(c, w, ROWLOCK_NOWAIT, true, ret_row, err)
                  : insert(c, w, ROWLOCK_NOWAIT, true, ret_row, err);
}

int
rlk_sqlite_remove(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_row *old, int32_t wait_ms,
                  rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    struct rlk_sqlite_write w = {.op = RLK_OP_DELETE,
                                 .table = rlk_sqlite_table_of(t)};
    struct rlk_sqlite_target target = {.expect = old};
    RLK_TRY(rlk_sqlite_ready(c, err));
    RLK_TRY(copy_key(c, t, old, &w.key, err));
    RLK_TRY(take(c, t, w.key, ROWLOCK_UPDATE, wait_ms, err));
    RLK_TRY(note_expected(c, &w, old, err));
    target.read_first = must_read_first(&w, old);
    return write_and_log(c, &w, &target, wait_ms, err);
}
