/* SPDX-License-Identifier: MIT
 * The fake driver's writes. */
#include <string.h>

#include "internal.h"

int
fake_start_write(struct rlk_conn *c, int32_t wait_ms, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    (void)wait_ms;
    RLK_TRY(fake_step(f, "start_write", err));
    if (!f->epoch)
        f->epoch = ++f->last_epoch;
    return 0;
}

/* The first write of a block starts the write transaction. */
static int
get_ready(struct fake *f, int32_t wait_ms, rowlock_error *err)
{
    return f->epoch ? 0 : fake_start_write(&f->conn, wait_ms, err);
}

/* The row that has the same record name as row; -1: none. */
static int
find_stored(const struct rlk_rows *rows, const struct rlk_table *t,
            const struct rlk_row *row)
{
    char name[NAME], other[NAME];
    fake_row_name(t, row, name);
    for (size_t i = 0; i < rows->n_rows; i++) {
        fake_row_name(t, &rows->rows[i], other);
        if (strcmp(name, other) == 0)
            return (int)i;
    }
    return -1;
}

static bool
same_on(const struct rlk_row *a, const struct rlk_row *b,
        const uint32_t *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a->values[columns[i]].type == ROWLOCK_NULL ||
            fake_compare(a->values[columns[i]], b->values[columns[i]]) != 0)
            return false;
    return true;
}

/* row is to be stored at position at (-1: new). */
static int
check_unique(const struct rlk_rows *rows, const struct rlk_table *t,
             const struct rlk_row *row, int at, rowlock_error *err)
{
    for (size_t i = 0; i < rows->n_rows; i++) {
        if ((int)i == at)
            continue;
        bool clash =
            same_on(row, &rows->rows[i], t->primary_key, t->n_primary_key);
        for (size_t j = 0; !clash && j < t->n_indexes; j++)
            clash = t->indexes[j].unique &&
                    same_on(row, &rows->rows[i], t->indexes[j].columns,
                            t->indexes[j].n_columns);
        if (clash)
            return rlk_fail(err, ROWLOCK_UNIQUE, "unique violation in %s",
                            t->name);
    }
    return 0;
}

static void
give_row(const struct rlk_row *row, struct rlk_rows *ret)
{
    if (ret)
        fake_append(ret, row->values, row->n_values);
}

static void
fill(struct fake *f, const struct rlk_table *t, const struct rlk_set *set,
     size_t n_set, rowlock_value *values)
{
    for (size_t i = 0; i < n_set; i++)
        values[set[i].column] = set[i].value;
    rowlock_value *key = &values[t->primary_key[0]];
    if (t->n_primary_key == 1 && key->type == ROWLOCK_NULL)
        *key = rowlock_int(++f->last_key);
    else if (key->type == ROWLOCK_INT && key->u.i > f->last_key)
        f->last_key = key->u.i;
}

int
fake_insert(struct rlk_conn *c, const struct rlk_table *t,
            const struct rlk_set *set, size_t n_set, int32_t wait_ms,
            struct rlk_rows *ret_row, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    struct rlk_rows *rows = &f->now.rows[fake_table_at(f, t->name)];
    rowlock_value values[COLUMNS];
    char name[NAME];
    fake_need(t->n_columns <= COLUMNS, "too many columns");
    memset(values, 0, sizeof values);
    RLK_TRY(get_ready(f, wait_ms, err));
    RLK_TRY(fake_step(f, "insert", err));
    fill(f, t, set, n_set, values);
    struct rlk_row row = {values, t->n_columns};
    RLK_TRY(check_unique(rows, t, &row, -1, err));
    fake_row_name(t, &row, name);
    RLK_TRY(fake_take(f, name, ROWLOCK_UPDATE, wait_ms, err));
    fake_append(rows, values, t->n_columns);
    give_row(&row, ret_row);
    return 0;
}

/* The stored row that equals old, or 40001. */
static int
expect_same(const struct rlk_rows *rows, const struct rlk_table *t,
            const struct rlk_row *old, size_t *ret, rowlock_error *err)
{
    int at = find_stored(rows, t, old);
    for (size_t i = 0; at >= 0 && i < t->n_columns; i++)
        if (!rlk_value_same(rows->rows[at].values[i], old->values[i]))
            at = -1;
    if (at < 0)
        return rlk_fail(err, ROWLOCK_SERIALIZATION,
                        "changed by a program that does not take locks");
    *ret = (size_t)at;
    return 0;
}

int
fake_update(struct rlk_conn *c, const struct rlk_table *t,
            const struct rlk_row *old, const struct rlk_set *set, size_t n_set,
            int32_t wait_ms, struct rlk_rows *ret_row, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    struct rlk_rows *rows = &f->now.rows[fake_table_at(f, t->name)];
    rowlock_value values[COLUMNS];
    size_t at;
    RLK_TRY(get_ready(f, wait_ms, err));
    RLK_TRY(fake_step(f, "update", err));
    RLK_TRY(expect_same(rows, t, old, &at, err));
    memcpy(values, rows->rows[at].values, t->n_columns * sizeof *values);
    for (size_t i = 0; i < n_set; i++)
        values[set[i].column] = set[i].value;
    struct rlk_row row = {values, t->n_columns};
    RLK_TRY(check_unique(rows, t, &row, (int)at, err));
    for (size_t i = 0; i < n_set; i++)
        fake_replace(rows, at, set[i].column, set[i].value);
    give_row(&row, ret_row);
    return 0;
}

int
fake_remove(struct rlk_conn *c, const struct rlk_table *t,
            const struct rlk_row *old, int32_t wait_ms, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    struct rlk_rows *rows = &f->now.rows[fake_table_at(f, t->name)];
    char name[NAME];
    size_t at;
    fake_row_name(t, old, name);
    RLK_TRY(fake_take(f, name, ROWLOCK_UPDATE, wait_ms, err));
    RLK_TRY(get_ready(f, wait_ms, err));
    RLK_TRY(fake_step(f, "remove", err));
    RLK_TRY(expect_same(rows, t, old, &at, err));
    fake_delete(rows, at);
    return 0;
}
