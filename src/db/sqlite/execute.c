/* SPDX-License-Identifier: MIT
 * One record write, once: the statement, and what it did.
 *
 * The statement names the record by primary key alone; whether the row was the
 * expected one is seen by the hook as it changes (effects.c), which costs no
 * second statement. If it was not, the block is rolled back by the caller, so
 * nothing of it stays. Where the hook cannot tell, the row is read before. */
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
    return e->n_blocked || e->key_is_taken ? RLK_BLOCKED : 0;
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

int
rlk_sqlite_write_once(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
                      const struct rlk_sqlite_target *target,
                      rowlock_error *err)
{
    struct rlk_sqlite_effects *e = &c->effects;
    if (target && target->read_first)
        RLK_TRY(read_first(c, w, target->expect, err));
    else if (!target && w->old_row)
        RLK_TRY(read_first(c, w, w->old_row, err));
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
