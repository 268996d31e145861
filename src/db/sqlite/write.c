/* SPDX-License-Identifier: MIT
 * Writing one record: its locks, the slot, the statement, and what it did.
 *
 * The statement names the record by primary key alone; whether the row was the
 * expected one is seen by the hook as it changes (effects.c), which costs no
 * second statement. If it was not, the block is rolled back by the caller, so
 * nothing of it stays. Read next: slot.c. */
#include "conn.h"

#include <string.h>

/* ---- the statement ---- */

static void
write_insert(struct rlk_sqlite *c, const struct rlk_sqlite_write *w)
{
    const struct rlk_table *t = &w->table->base;
    rlk_sql(c, "INSERT INTO ");
    rlk_sql_name(c, t->name);
    if (!w->n_set) {
        rlk_sql(c, " DEFAULT VALUES");
        return;
    }
    for (size_t i = 0; i < w->n_set; i++) {
        rlk_sql(c, i ? "," : " (");
        rlk_sql_name(c, t->columns[w->set[i].column].name);
    }
    rlk_sql(c, ") VALUES (");
    for (size_t i = 0; i < w->n_set; i++)
        rlk_sql(c, i ? ",?" : "?");
    rlk_sql(c, ")");
}

static void
write_update(struct rlk_sqlite *c, const struct rlk_sqlite_write *w)
{
    const struct rlk_table *t = &w->table->base;
    rlk_sql(c, "UPDATE ");
    rlk_sql_name(c, t->name);
    for (size_t i = 0; i < w->n_set; i++) {
        rlk_sql(c, i ? "," : " SET ");
        rlk_sql_name(c, t->columns[w->set[i].column].name);
        rlk_sql(c, "=?");
    }
    rlk_sql_is_primary_key(c, t);
}

static void
write_delete(struct rlk_sqlite *c, const struct rlk_sqlite_write *w)
{
    rlk_sql(c, "DELETE FROM ");
    rlk_sql_name(c, w->table->base.name);
    rlk_sql_is_primary_key(c, &w->table->base);
}

static int
statement(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
          sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_shape_start(c, w->op, w->table);
    for (size_t i = 0; i < w->n_set; i++)
        rlk_shape_add(c, w->set[i].column);
    if ((*ret = rlk_shape_find(c)))
        return 0;
    if (w->op == RLK_OP_INSERT)
        write_insert(c, w);
    else if (w->op == RLK_OP_UPDATE)
        write_update(c, w);
    else
        write_delete(c, w);
    return rlk_shape_make(c, ret, err);
}

static int
bind_write(struct rlk_sqlite *c, sqlite3_stmt *s,
           const struct rlk_sqlite_write *w, rowlock_error *err)
{
    int n = 1;
    for (size_t i = 0; i < w->n_set; i++)
        RLK_TRY(rlk_bind(c, s, n++, w->set[i].value, err));
    if (w->op == RLK_OP_INSERT)
        return 0;
    return rlk_bind_all(c, s, &n, w->key, w->table->base.n_primary_key, err);
}

static int
run(struct rlk_sqlite *c, const struct rlk_sqlite_write *w, rowlock_error *err)
{
    sqlite3_stmt *s;
    RLK_TRY(statement(c, w, &s, err));
    int rc = bind_write(c, s, w, err);
    if (!rc && sqlite3_step(s) != SQLITE_DONE)
        rc = rlk_sqlite_fail(c, "cannot write the record", err);
    sqlite3_reset(s);
    return rc;
}

/* ---- what it did ---- */

static int
changed_by_stranger(rowlock_error *err)
{
    int code = rlk_fail(err, ROWLOCK_SERIALIZATION,
                        "could not save the record: it was changed meanwhile");
    rlk_detail(err, "The record was changed by a program that does not take "
                    "record locks.");
    return code;
}

/* The statement passed the record by: it is gone, or a trigger or conflict
 * clause of the schema said to ignore the write. */
static int
not_done(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
         rowlock_error *err)
{
    uint64_t last;
    struct rlk_rows rows = {0};
    bool there = w->op == RLK_OP_INSERT;
    if (!there &&
        rlk_own_version(c, rlk_record_hash(w->table, w->key), &last) &&
        last == 0)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the record was deleted earlier in this block");
    if (!there) {
        int rc = rlk_sqlite_read_record(c, &w->table->base, w->key, &rows, err);
        there = rows.n_rows > 0;
        rlk_rows_done(&rows);
        RLK_TRY(rc);
    }
    if (!there)
        return changed_by_stranger(err);
    rlk_fail(err, ROWLOCK_CONSTRAINT, "the write was ignored");
    rlk_detail(err,
               "A trigger or an ON CONFLICT clause of table \"%s\" says "
               "to ignore it.",
               w->table->base.name);
    return ROWLOCK_CONSTRAINT;
}

static int
judge(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
      rowlock_error *err)
{
    const struct rlk_sqlite_effects *e = &c->effects;
    if (e->stranger)
        return changed_by_stranger(err);
    if (!e->done)
        return not_done(c, w, err);
    return e->n_blocked ? RLK_BLOCKED : 0;
}

int
rlk_sqlite_write_once(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
                      const struct rlk_sqlite_target *target,
                      rowlock_error *err)
{
    struct rlk_sqlite_effects *e = &c->effects;
    RLK_TRY(rlk_effects_start(c, w, target, err));
    int rc = run(c, w, err);
    e->write = NULL;
    if (e->rc) { /* first: it is what made the rest go wrong */
        if (err)
            *err = e->err;
        return e->rc;
    }
    return rc ? rc : judge(c, w, err);
}

/* ---- around it ---- */

/* The hook cannot tell NULL from the default that a row older than the column
 * shows. Where that matters the row is read before the write. */
static bool
must_read_first(const struct rlk_sqlite_write *w, const struct rlk_row *old)
{
    const struct rlk_sqlite_column *columns = w->table->columns;
    size_t n = w->op == RLK_OP_UPDATE ? w->n_set : w->table->base.n_columns;
    for (size_t i = 0; i < n; i++) {
        size_t column = w->op == RLK_OP_UPDATE ? w->set[i].column : i;
        if (columns[column].added.type != ROWLOCK_NULL &&
            rlk_value_same(columns[column].added, old->values[column]))
            return true;
    }
    return false;
}

static bool
differs(const struct rlk_sqlite_table *t, const struct rlk_row *a,
        const struct rlk_row *b)
{
    for (size_t i = 0; i < t->base.n_columns; i++)
        if (t->columns[i].storage >= 0 &&
            !rlk_value_same(a->values[i], b->values[i]))
            return true;
    return false;
}

static int
read_first(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
           const struct rlk_row *old, rowlock_error *err)
{
    struct rlk_rows rows = {0};
    int rc = rlk_sqlite_read_record(c, &w->table->base, w->key, &rows, err);
    if (!rc && rows.n_rows && differs(w->table, &rows.rows[0], old) &&
        !rlk_left_by_us(c, w, rlk_record_hash(w->table, w->key),
                        rlk_row_hash(w->table, rows.rows[0].values)))
        rc = changed_by_stranger(err);
    rlk_rows_done(&rows);
    return rc;
}

static int
write_and_log(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
              const struct rlk_sqlite_target *target, int32_t wait_ms,
              rowlock_error *err)
{
    for (;;) {
        RLK_TRY(rlk_sqlite_start_write(&c->base, wait_ms, err));
        RLK_TRY(rlk_sqlite_issue_savepoints(c, c->tx.n_log, err));
        if (target->read_first)
            RLK_TRY(read_first(c, w, target->expect, err));
        int rc = rlk_sqlite_write_once(c, w, target, err);
        if (rc == 0)
            return rlk_sqlite_log(c, w, err);
        if (rc != RLK_BLOCKED)
            return rc;
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

/* The record as stored: as the hook saw it, unless something else may have
 * changed it since. */
static int
answer(struct rlk_sqlite *c, const struct rlk_sqlite_table *t,
       const rowlock_value *row, struct rlk_rows *ret, rowlock_error *err)
{
    struct rlk_rows rows = {0};
    int rc = 0;
    if (!ret)
        return 0;
    if (t->computed || t->reaches_others) {
        rowlock_value *key = alloc(c, t->base.n_primary_key, sizeof *key);
        if (!key)
            return rlk_out_of_memory(err);
        rlk_key_of(&t->base, row, key);
        rc = rlk_sqlite_read_record(c, &t->base, key, &rows, err);
    }
    if (!rc && rows.n_rows == 0)
        rc = rlk_rows_copy(&rows, row, t->base.n_columns, err);
    if (rc)
        rlk_rows_done(&rows);
    else
        *ret = rows;
    return rc;
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

int
rlk_sqlite_insert(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_set *set, size_t n_set, int32_t wait_ms,
                  struct rlk_rows *ret_row, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    RLK_TRY(rlk_sqlite_ready(c, err));
    rowlock_value *key = alloc(c, t->n_primary_key, sizeof *key);
    rowlock_value *row = alloc(c, t->n_columns, sizeof *row);
    if (!key || !row)
        return rlk_out_of_memory(err);
    if (key_after(t, NULL, set, n_set, key))
        RLK_TRY(take(c, t, key, ROWLOCK_UPDATE, wait_ms, err));
    RLK_TRY(rlk_sqlite_lock_parents(c, t, NULL, set, n_set, wait_ms, err));
    struct rlk_sqlite_target target = {NULL, row, &c->tx.arena, false};
    struct rlk_sqlite_write w = {
        RLK_OP_INSERT, rlk_sqlite_table_of(t), NULL, set, n_set, 0};
    RLK_TRY(write_and_log(c, &w, &target, wait_ms, err));
    RLK_TRY(keep_stored(c, t, row, err));
    return answer(c, w.table, row, ret_row, err);
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

int
rlk_sqlite_update(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_row *old, const struct rlk_set *set,
                  size_t n_set, int32_t wait_ms, struct rlk_rows *ret_row,
                  rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    struct rlk_sqlite_write w = {
        .op = RLK_OP_UPDATE, .table = rlk_sqlite_table_of(t), .n_set = n_set};
    RLK_TRY(rlk_sqlite_ready(c, err));
    if (n_set == 0)
        return answer(c, w.table, old->values, ret_row, err);
    RLK_TRY(copy_set(c, set, n_set, &w.set, err));
    RLK_TRY(copy_key(c, t, old, &w.key, err));
    RLK_TRY(lock_for_update(c, &w, old, wait_ms, err));
    w.old = rlk_row_hash(w.table, old->values);
    struct rlk_sqlite_target target = {old, NULL, &c->tx.arena,
                                       must_read_first(&w, old)};
    if (ret_row &&
        !(target.new_row = alloc(c, t->n_columns, sizeof *target.new_row)))
        return rlk_out_of_memory(err);
    RLK_TRY(write_and_log(c, &w, &target, wait_ms, err));
    return answer(c, w.table, target.new_row, ret_row, err);
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
    w.old = rlk_row_hash(w.table, old->values);
    target.read_first = must_read_first(&w, old);
    return write_and_log(c, &w, &target, wait_ms, err);
}
