/* SPDX-License-Identifier: MIT
 * The fake driver's reads. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static bool
prefixed(rowlock_value value, rowlock_value prefix)
{
    return value.type == ROWLOCK_TEXT && value.u.s.len >= prefix.u.s.len &&
           memcmp(value.u.s.ptr, prefix.u.s.ptr, prefix.u.s.len) == 0;
}

static bool
compares(enum rowlock_op op, int order)
{
    switch (op) {
    case ROWLOCK_EQ:
        return order == 0;
    case ROWLOCK_NE:
        return order != 0;
    case ROWLOCK_LT:
        return order < 0;
    case ROWLOCK_LE:
        return order <= 0;
    case ROWLOCK_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool
term_matches(rowlock_value value, const struct rlk_term *t)
{
    if (t->op == ROWLOCK_IS_NULL)
        return value.type == ROWLOCK_NULL;
    if (value.type == ROWLOCK_NULL)
        return false;
    if (t->op == ROWLOCK_PREFIX)
        return prefixed(value, t->values[0]);
    if (t->op != ROWLOCK_IN)
        return compares(t->op, fake_compare(value, t->values[0]));
    for (size_t i = 0; i < t->n_values; i++)
        if (fake_compare(value, t->values[i]) == 0)
            return true;
    return false;
}

bool
fake_matches(const struct rlk_row *row, const struct rlk_term *where, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!term_matches(row->values[where[i].column], &where[i]))
            return false;
    return true;
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
    const struct rlk_select *q = arg;
    const struct rlk_row *left = a, *right = b;
    for (size_t i = 0; i < q->n_order; i++) {
        uint32_t column = q->order[i].column;
        int order = fake_compare(left->values[column], right->values[column]);
        if (order)
            return q->order[i].descending ? -order : order;
    }
    for (size_t i = 0; i < q->table->n_primary_key; i++) {
        uint32_t column = q->table->primary_key[i];
        int order = fake_compare(left->values[column], right->values[column]);
        if (order)
            return order;
    }
    return 0;
}

/* The row as it is now: it may have changed while its lock was waited for. */
static const struct rlk_row *
read_again(const struct fake *f, const struct rlk_select *q,
           const struct rlk_row *found)
{
    char name[NAME], other[NAME];
    fake_row_name(q->table, found, name);
    const struct rlk_rows *rows =
        &f->now.rows[fake_table_at(f, q->table->name)];
    for (size_t i = 0; i < rows->n_rows; i++) {
        fake_row_name(q->table, &rows->rows[i], other);
        if (strcmp(name, other) == 0 &&
            fake_matches(&rows->rows[i], q->where, q->n_where))
            return &rows->rows[i];
    }
    return NULL;
}

static int
lock_one(struct fake *f, const struct rlk_select *q,
         const struct rlk_row *found, const struct rlk_row **ret,
         rowlock_error *err)
{
    *ret = found;
    if (q->lock == ROWLOCK_READ)
        return 0;
    char name[NAME];
    fake_row_name(q->table, found, name);
    int rc = fake_take(f, name, q->lock, q->wait_ms, err);
    if (rc == ROWLOCK_NOT_AVAILABLE && q->wait_ms == ROWLOCK_SKIP_LOCKED) {
        *ret = NULL;
        return 0;
    }
    if (!rc)
        *ret = read_again(f, q, found);
    return rc;
}

int
fake_select(struct rlk_conn *c, const struct rlk_select *q,
            struct rlk_rows *ret, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    struct rlk_rows found = {0};
    RLK_TRY(fake_step(f, "select", err));
    fake_copy_rows(&f->now.rows[fake_table_at(f, q->table->name)], &found);
    if (found.n_rows)
        qsort_r(found.rows, found.n_rows, sizeof *found.rows, compare_rows,
                (void *)q);
    int64_t to_skip = q->offset;
    int rc = 0;
    for (size_t i = 0; !rc && i < found.n_rows; i++) {
        const struct rlk_row *row;
        if (!fake_matches(&found.rows[i], q->where, q->n_where))
            continue;
        rc = lock_one(f, q, &found.rows[i], &row, err);
        if (rc || !row || to_skip-- > 0)
            continue;
        fake_append(ret, row->values, row->n_values);
        if (q->limit && (int64_t)ret->n_rows == q->limit)
            break;
    }
    rlk_rows_done(&found);
    if (rc)
        rlk_rows_done(ret);
    return rc;
}

static bool
has_key(const struct rlk_row *row, const struct rlk_match *key)
{
    for (size_t i = 0; i < key->n_columns; i++)
        if (row->values[key->columns[i].column].type == ROWLOCK_NULL ||
            fake_compare(row->values[key->columns[i].column],
                         key->columns[i].value) != 0)
            return false;
    return true;
}

/* The row with this key and the lowest primary key; -1: none. */
static int
find_key(const struct rlk_rows *rows, const struct rlk_table *t,
         const struct rlk_match *key)
{
    struct rlk_select by_key = {.table = t};
    int found = -1;
    for (size_t i = 0; i < rows->n_rows; i++)
        if (has_key(&rows->rows[i], key) &&
            (found < 0 ||
             compare_rows(&rows->rows[i], &rows->rows[found], &by_key) < 0))
            found = (int)i;
    return found;
}

int
fake_lookup(struct rlk_conn *c, const struct rlk_table *t,
            const struct rlk_match *keys, size_t n_keys, struct rlk_rows *ret,
            int *ret_found, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    RLK_TRY(fake_step(f, "lookup", err));
    const struct rlk_rows *rows = &f->now.rows[fake_table_at(f, t->name)];
    int at[16];
    fake_need(n_keys <= 16, "too many keys");
    for (size_t i = 0; i < n_keys; i++) {
        at[i] = find_key(rows, t, &keys[i]);
        ret_found[i] = -1;
        for (size_t j = 0; at[i] >= 0 && j < i; j++)
            if (at[j] == at[i])
                ret_found[i] = ret_found[j];
        if (at[i] < 0 || ret_found[i] >= 0)
            continue;
        ret_found[i] = (int)ret->n_rows;
        fake_append(ret, rows->rows[at[i]].values, t->n_columns);
    }
    return 0;
}

/* In the order of insertion. */
int
fake_scan(struct rlk_conn *c, const struct rlk_scan *scan, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    const struct rlk_rows *rows =
        &f->now.rows[fake_table_at(f, scan->table->name)];
    rowlock_value values[COLUMNS];
    RLK_TRY(fake_step(f, "scan", err));
    for (size_t i = 0; i < rows->n_rows; i++) {
        for (size_t j = 0; j < scan->n_columns; j++)
            values[j] = rows->rows[i].values[scan->columns[j]];
        RLK_TRY(scan->take(values, scan->arg, err));
    }
    return 0;
}
