/* SPDX-License-Identifier: MIT
 * Many keys looked up in one statement, so that all are of one snapshot: keys
 * on the same columns become one list that the server joins its index with, and
 * the lists of other columns are added by UNION ALL. */
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEAR = 64 }; /* driver.h: keys so far apart may not share a row */

struct looking {
    struct rlk_pg *c;
    const struct rlk_table *t;
    const struct rlk_match *keys;
    size_t n_keys;
    bool *listed;
    rowlock_error *err;
};

static bool
same_columns(const struct rlk_match *a, const struct rlk_match *b)
{
    if (a->n_columns != b->n_columns)
        return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (a->columns[i].column != b->columns[i].column)
            return false;
    return true;
}

static bool
matches_nothing(const struct rlk_match *key)
{
    for (size_t i = 0; i < key->n_columns; i++)
        if (key->columns[i].value.type == ROWLOCK_NULL)
            return true;
    return false;
}

/* The numbers of the keys that are like key first, or their values in one
 * column, as an array. column: -1 for the numbers. */
static int
add_array(struct looking *l, size_t first, int column)
{
    struct rlk_buf list RLK_AUTOBUF = {0};
    for (size_t i = first; i < l->n_keys; i++) {
        char number[24];
        const char *text = number;
        if (!same_columns(&l->keys[i], &l->keys[first]) ||
            matches_nothing(&l->keys[i]))
            continue;
        snprintf(number, sizeof number, "%zu", i);
        if (column >= 0)
            text =
                rlk_pg_text(&l->c->scratch, l->keys[i].columns[column].value);
        if (!text)
            return rlk_out_of_memory(l->err);
        rlk_pg_array_add(&list, text);
        l->listed[i] = true;
    }
    rlk_buf_text(&list, list.len ? "}" : "{}");
    const char *copy =
        list.failed ? NULL : rlk_arena_copy(&l->c->scratch, list.ptr, list.len);
    if (!copy)
        return rlk_out_of_memory(l->err);
    rlk_pg_sql_text(l->c, copy, list.len);
    return 0;
}

/* "unnest($1::int[], $2::text[]) AS k (i, v0)" */
static int
add_list(struct looking *l, size_t first)
{
    const struct rlk_match *key = &l->keys[first];
    rlk_pg_sql(l->c, "unnest(");
    RLK_TRY(add_array(l, first, -1));
    rlk_pg_sql(l->c, "::int[]");
    for (size_t i = 0; i < key->n_columns; i++) {
        uint32_t column = key->columns[i].column;
        RLK_TRY(rlk_pg_check(l->t, column, key->columns[i].value, l->err));
        rlk_pg_sql(l->c, ",");
        RLK_TRY(add_array(l, first, (int)i));
        rlk_pg_sql(l->c, "::");
        rlk_pg_sql(l->c, rlk_pg_table_of(l->t)->columns[column].type);
        rlk_pg_sql(l->c, "[]");
    }
    rlk_pg_sql(l->c, ") AS k (i");
    for (size_t i = 0; i < key->n_columns; i++)
        rlk_buf_format(&l->c->sql, ",v%zu", i);
    rlk_pg_sql(l->c, ")");
    return 0;
}

/* Of several records with equal values the one with the lowest key is meant. */
static int
add_branch(struct looking *l, size_t first, bool another)
{
    const struct rlk_match *key = &l->keys[first];
    const struct rlk_select by_key = {.table = l->t};
    rlk_pg_sql(l->c, another ? " UNION ALL SELECT " : "SELECT ");
    rlk_pg_sql_columns(l->c, l->t, "t.");
    rlk_pg_sql(l->c, ",k.i FROM ");
    RLK_TRY(add_list(l, first));
    rlk_pg_sql(l->c, " CROSS JOIN LATERAL (SELECT * FROM ");
    rlk_pg_sql(l->c, rlk_pg_table_of(l->t)->sql_name);
    for (size_t i = 0; i < key->n_columns; i++) {
        rlk_pg_sql(l->c, i ? " AND " : " WHERE ");
        rlk_pg_sql_name(&l->c->sql, l->t->columns[key->columns[i].column].name);
        rlk_buf_format(&l->c->sql, "=k.v%zu", i);
    }
    rlk_pg_sql_order(l->c, &by_key);
    rlk_pg_sql(l->c, " LIMIT 1) t");
    return 0;
}

static int
add_all(struct looking *l, bool *ret_any)
{
    *ret_any = false;
    for (size_t i = 0; i < l->n_keys; i++) {
        if (l->listed[i] || matches_nothing(&l->keys[i]))
            continue;
        RLK_TRY(add_branch(l, i, *ret_any));
        *ret_any = true;
    }
    return 0;
}

static bool
same_record(const struct rlk_table *t, const struct rlk_row *a,
            const struct rlk_row *b)
{
    for (size_t i = 0; i < t->n_primary_key; i++)
        if (!rlk_value_same(a->values[t->primary_key[i]],
                            b->values[t->primary_key[i]]))
            return false;
    return true;
}

/* The position of the last row: its own, or that of the same record before. */
static int
share(const struct rlk_table *t, struct rlk_rows *rows)
{
    size_t last = rows->n_rows - 1;
    for (size_t i = last > NEAR ? last - NEAR : 0; i < last; i++)
        if (same_record(t, &rows->rows[i], &rows->rows[last])) {
            rows->n_rows--;
            return (int)i;
        }
    return (int)last;
}

static int
take(struct looking *l, const PGresult *r, struct rlk_rows *ret, int *ret_found)
{
    struct rlk_pg *c = l->c;
    for (int i = 0; i < c->pq->PQntuples(r); i++) {
        const char *text = c->pq->PQgetvalue(r, i, (int)l->t->n_columns);
        size_t key = strtoul(text, NULL, 10);
        RLK_TRY(rlk_pg_row_add(l->t, c, r, i, ret, l->err));
        if (key < l->n_keys)
            ret_found[key] = share(l->t, ret);
    }
    return 0;
}

static int
look_up(struct looking *l, struct rlk_rows *ret, int *ret_found)
{
    PGresult *r;
    bool any;
    rlk_pg_start(l->c);
    RLK_TRY(add_all(l, &any));
    if (!any)
        return 0;
    RLK_TRY(rlk_pg_run(l->c, &r, l->err));
    int rc = take(l, r, ret, ret_found);
    rlk_pg_clear(l->c, r);
    return rc;
}

int
rlk_pg_lookup(struct rlk_conn *conn, const struct rlk_table *t,
              const struct rlk_match *keys, size_t n_keys, struct rlk_rows *ret,
              int *ret_found, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    struct rlk_rows rows = {0};
    bool *listed RLK_AUTOFREE = rlk_calloc(n_keys ? n_keys : 1, sizeof *listed);
    struct looking l = {c, t, keys, n_keys, listed, err};
    if (!listed)
        return rlk_out_of_memory(err);
    RLK_TRY(rlk_pg_ready(c, err));
    for (size_t i = 0; i < n_keys; i++)
        ret_found[i] = -1;
    int rc = look_up(&l, &rows, ret_found);
    if (rc)
        rlk_rows_done(&rows);
    else
        *ret = rows;
    return rc;
}
