/* SPDX-License-Identifier: MIT
 * The fake driver's tables: rows in arenas. Each change copies its table, so
 * that a saved moment is just a copy; tests have a handful of rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void
fake_need(bool what, const char *why)
{
    if (what)
        return;
    fprintf(stderr, "the fake driver: %s\n", why);
    abort();
}

size_t
fake_table_at(const struct fake *f, const char *name)
{
    for (size_t i = 0; i < f->n_tables; i++)
        if (strcasecmp(f->tables[i]->name, name) == 0)
            return i;
    fake_need(false, "no such table");
    return 0;
}

void
fake_append(struct rlk_rows *rows, const rowlock_value *values, size_t n)
{
    struct rlk_row *row = rlk_rows_add(rows, n);
    fake_need(row, "out of memory");
    for (size_t i = 0; i < n; i++)
        fake_need(rlk_rows_set(rows, &row->values[i], values[i]),
                  "out of memory");
}

void
fake_copy_rows(const struct rlk_rows *from, struct rlk_rows *to)
{
    struct rlk_rows copy = {0};
    for (size_t i = 0; i < from->n_rows; i++)
        fake_append(&copy, from->rows[i].values, from->rows[i].n_values);
    rlk_rows_done(to);
    *to = copy;
}

void
fake_store_copy(const struct fake *f, const struct store *from,
                struct store *to)
{
    for (size_t i = 0; i < f->n_tables; i++)
        fake_copy_rows(&from->rows[i], &to->rows[i]);
}

void
fake_store_done(struct store *s)
{
    for (size_t i = 0; i < TABLES; i++)
        rlk_rows_done(&s->rows[i]);
}

void
fake_replace(struct rlk_rows *rows, size_t row, size_t column,
             rowlock_value value)
{
    fake_need(row < rows->n_rows, "no such row");
    fake_need(rlk_rows_set(rows, &rows->rows[row].values[column], value),
              "out of memory");
}

void
fake_delete(struct rlk_rows *rows, size_t row)
{
    fake_need(row < rows->n_rows, "no such row");
    memmove(&rows->rows[row], &rows->rows[row + 1],
            (rows->n_rows - row - 1) * sizeof *rows->rows);
    rows->n_rows--;
    fake_copy_rows(rows, rows);
}

static double
as_double(rowlock_value v)
{
    return v.type == ROWLOCK_INT ? (double)v.u.i : v.u.d;
}

static int
rank(rowlock_value v)
{
    return v.type == ROWLOCK_DOUBLE ? ROWLOCK_INT : (int)v.type;
}

/* NULLs first, then numbers, text, blobs. */
int
fake_compare(rowlock_value a, rowlock_value b)
{
    if (rank(a) != rank(b))
        return rank(a) < rank(b) ? -1 : 1;
    if (a.type == ROWLOCK_NULL)
        return 0;
    if (rank(a) == ROWLOCK_INT) {
        double x = as_double(a), y = as_double(b);
        return x < y ? -1 : x > y;
    }
    size_t least = a.u.s.len < b.u.s.len ? a.u.s.len : b.u.s.len;
    int order = least ? memcmp(a.u.s.ptr, b.u.s.ptr, least) : 0;
    if (order)
        return order;
    return a.u.s.len < b.u.s.len ? -1 : a.u.s.len > b.u.s.len;
}

/* ---- strangers ---- */

/* Committed: it is there whatever is rolled back. */
void
rlk_fake_put(struct rlk_conn *c, const char *table, const rowlock_value *values)
{
    struct fake *f = fake_of(c);
    size_t t = fake_table_at(f, table);
    rowlock_value key = values[f->tables[t]->primary_key[0]];
    if (key.type == ROWLOCK_INT && key.u.i > f->last_key)
        f->last_key = key.u.i;
    f->strangers++;
    fake_append(&f->now.rows[t], values, f->tables[t]->n_columns);
    for (size_t i = 0; i < f->depth; i++)
        fake_append(&f->saved[i].rows[t], values, f->tables[t]->n_columns);
}

void
rlk_fake_change(struct rlk_conn *c, const char *table, size_t row,
                size_t column, rowlock_value value)
{
    struct fake *f = fake_of(c);
    size_t t = fake_table_at(f, table);
    f->strangers++;
    fake_replace(&f->now.rows[t], row, column, value);
    for (size_t i = 0; i < f->depth; i++)
        fake_replace(&f->saved[i].rows[t], row, column, value);
}

size_t
rlk_fake_count(struct rlk_conn *c, const char *table)
{
    struct fake *f = fake_of(c);
    return f->now.rows[fake_table_at(f, table)].n_rows;
}

rowlock_value
rlk_fake_cell(struct rlk_conn *c, const char *table, size_t row, size_t column)
{
    struct fake *f = fake_of(c);
    size_t t = fake_table_at(f, table);
    fake_need(row < f->now.rows[t].n_rows, "no such row");
    return f->now.rows[t].rows[row].values[column];
}
