/* SPDX-License-Identifier: MIT
 * Many records at once, for imports: one statement locks those that are to be
 * changed, and one for each set of columns writes, its values as arrays. So a
 * batch costs a handful of round trips, however many records it has.
 *
 * Nobody is waited for: what another holds, or has changed or taken since it
 * was read, is told and left. */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

struct batch {
    struct rlk_pg *c;
    const struct rlk_table *t;
    const struct rlk_write *writes;
    size_t n;
    enum rlk_put_state *states;
    struct rlk_rows *made;
    size_t *made_of;
    struct rlk_arena arena; /* the driver's own is of one statement */
    size_t *list;           /* of the writes of one statement */
    size_t n_list;
};

/* ---- those that are there ---- */

static int
compare_values(rowlock_value a, rowlock_value b)
{
    if (a.type != b.type)
        return a.type < b.type ? -1 : 1;
    if (a.type == ROWLOCK_INT)
        return (a.u.i > b.u.i) - (a.u.i < b.u.i);
    if (a.type == ROWLOCK_DOUBLE || a.type == ROWLOCK_NULL)
        return 0; /* no key of ours is one */
    size_t least = a.u.s.len < b.u.s.len ? a.u.s.len : b.u.s.len;
    int order = memcmp(a.u.s.ptr, b.u.s.ptr, least);
    return order ? order : (a.u.s.len > b.u.s.len) - (a.u.s.len < b.u.s.len);
}

struct keyed {
    rowlock_value key;
    size_t write;
};

static int
by_key(const void *a, const void *b)
{
    const struct keyed *left = a, *right = b;
    return compare_values(left->key, right->key);
}

static bool
is_as_read(const struct rlk_row *read, const struct rlk_row *now)
{
    for (size_t i = 0; i < read->n_values; i++)
        if (!rlk_value_same(read->values[i], now->values[i]))
            return false;
    return true;
}

/* Locks them in the order of their keys; who is missing is held, or gone. */
static int
lock_old(struct batch *b, struct keyed *keys, size_t n, struct rlk_rows *ret,
         rowlock_error *err)
{
    rowlock_value *values = rlk_arena_alloc(&b->arena, n, sizeof *values);
    if (!values)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        values[i] = keys[i].key;
    const struct rlk_term term = {b->t->primary_key[0], ROWLOCK_IN, values, n};
    const struct rlk_select q = {.table = b->t,
                                 .where = &term,
                                 .n_where = 1,
                                 .lock = ROWLOCK_NO_KEY_UPDATE,
                                 .wait_ms = ROWLOCK_SKIP_LOCKED};
    return rlk_pg_select(&b->c->base, &q, ret, err);
}

static int
take_old(struct batch *b, rowlock_error *err)
{
    struct rlk_rows rows = {0};
    size_t n = 0;
    struct keyed *keys = rlk_arena_alloc(&b->arena, b->n, sizeof *keys);
    if (!keys)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < b->n; i++)
        if (b->writes[i].old) {
            b->states[i] = RLK_PUT_HELD;
            keys[n++] = (struct keyed){
                b->writes[i].old->values[b->t->primary_key[0]], i};
        }
    if (n == 0)
        return 0;
    qsort(keys, n, sizeof *keys, by_key);
    int rc = lock_old(b, keys, n, &rows, err);
    for (size_t i = 0; !rc && i < rows.n_rows; i++) {
        const struct keyed wanted = {rows.rows[i].values[b->t->primary_key[0]],
                                     0};
        const struct keyed *k = bsearch(&wanted, keys, n, sizeof *keys, by_key);
        if (k)
            b->states[k->write] =
                is_as_read(b->writes[k->write].old, &rows.rows[i])
                    ? RLK_PUT_DONE
                    : RLK_PUT_CHANGED;
    }
    rlk_rows_done(&rows);
    return rc;
}

/* ---- statements ---- */

static bool
same_columns(const struct rlk_write *a, const struct rlk_write *b)
{
    if (!a->old != !b->old || a->n_set != b->n_set)
        return false;
    for (size_t i = 0; i < a->n_set; i++)
        if (a->set[i].column != b->set[i].column)
            return false;
    return true;
}

/* "$n::type[]" */
static int
add_array(struct batch *b, uint32_t column, const struct rlk_buf *list,
          rowlock_error *err)
{
    const char *copy =
        list->failed ? NULL
                     : rlk_arena_copy(&b->c->scratch, list->ptr, list->len);
    if (!copy)
        return rlk_out_of_memory(err);
    rlk_pg_sql_text(b->c, copy, list->len);
    rlk_pg_sql(b->c, "::");
    rlk_pg_sql(b->c, rlk_pg_table_of(b->t)->columns[column].type);
    rlk_pg_sql(b->c, "[]");
    return 0;
}

static int
add_value(struct batch *b, struct rlk_buf *list, uint32_t column,
          rowlock_value v, rowlock_error *err)
{
    RLK_TRY(rlk_pg_check(b->t, column, v, err));
    const char *text =
        v.type == ROWLOCK_NULL ? NULL : rlk_pg_text(&b->arena, v);
    if (v.type != ROWLOCK_NULL && !text)
        return rlk_out_of_memory(err);
    rlk_pg_array_add(list, text);
    return 0;
}

/* The i-th value of each write, as one array. */
static int
add_column(struct batch *b, size_t i, rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF list = {0};
    uint32_t column = b->writes[b->list[0]].set[i].column;
    for (size_t w = 0; w < b->n_list; w++)
        RLK_TRY(add_value(b, &list, column, b->writes[b->list[w]].set[i].value,
                          err));
    rlk_buf_text(&list, "}");
    return add_array(b, column, &list, err);
}

static int
add_keys(struct batch *b, rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF list = {0};
    uint32_t column = b->t->primary_key[0];
    for (size_t w = 0; w < b->n_list; w++)
        RLK_TRY(add_value(b, &list, column,
                          b->writes[b->list[w]].old->values[column], err));
    rlk_buf_text(&list, "}");
    return add_array(b, column, &list, err);
}

static void
name_values(struct batch *b, size_t n, const char *before)
{
    rlk_pg_sql(b->c, before);
    for (size_t i = 0; i < n; i++)
        rlk_buf_format(&b->c->sql, ",v%zu", i);
    rlk_pg_sql(b->c, ")");
}

static int
update_list(struct batch *b, rowlock_error *err)
{
    struct rlk_pg *c = b->c;
    const struct rlk_write *first = &b->writes[b->list[0]];
    PGresult *r;
    rlk_pg_start(c);
    rlk_pg_sql(c, "UPDATE ");
    rlk_pg_sql(c, rlk_pg_table_of(b->t)->sql_name);
    rlk_pg_sql(c, " AS t SET ");
    for (size_t i = 0; i < first->n_set; i++) {
        rlk_pg_sql(c, i ? "," : "");
        rlk_pg_sql_name(&c->sql, b->t->columns[first->set[i].column].name);
        rlk_buf_format(&c->sql, "=u.v%zu", i);
    }
    rlk_pg_sql(c, " FROM unnest(");
    RLK_TRY(add_keys(b, err));
    for (size_t i = 0; i < first->n_set; i++) {
        rlk_pg_sql(c, ",");
        RLK_TRY(add_column(b, i, err));
    }
    name_values(b, first->n_set, ") AS u(k");
    rlk_pg_sql(c, " WHERE t.");
    rlk_pg_sql_name(&c->sql, b->t->columns[b->t->primary_key[0]].name);
    rlk_pg_sql(c, "=u.k");
    RLK_TRY(rlk_pg_run(c, &r, err));
    size_t written = strtoull(c->pq->PQcmdTuples(r), NULL, 10);
    rlk_pg_clear(c, r);
    return written == b->n_list
               ? 0
               : rlk_fail(err, ROWLOCK_SERIALIZATION,
                          "records of %s were not written", b->t->name);
}

/* ---- new ones ---- */

/* By the columns of its keys: others may come back in another form. */
static bool
is_of(const struct batch *b, const struct rlk_row *row,
      const struct rlk_write *w)
{
    for (size_t i = 0; i < w->n_set; i++) {
        uint32_t column = w->set[i].column;
        if (rlk_pg_table_of(b->t)->columns[column].in_key &&
            !rlk_value_same(row->values[column], w->set[i].value))
            return false;
    }
    return true;
}

/* Rows come back in the order given, without those that were passed over. */
static int
take_made(struct batch *b, const PGresult *r, rowlock_error *err)
{
    size_t w = 0;
    for (int i = 0; i < b->c->pq->PQntuples(r); i++) {
        RLK_TRY(rlk_pg_row_add(b->t, b->c, r, i, b->made, err));
        const struct rlk_row *row = &b->made->rows[b->made->n_rows - 1];
        if (!rlk_pg_hold_row(b->c, b->t, row, ROWLOCK_UPDATE))
            return rlk_out_of_memory(err);
        while (w < b->n_list && !is_of(b, row, &b->writes[b->list[w]]))
            w++;
        if (w == b->n_list)
            return rlk_fail(err, ROWLOCK_CONSTRAINT,
                            "new records of %s came back in another form",
                            b->t->name);
        b->states[b->list[w]] = RLK_PUT_DONE;
        b->made_of[b->list[w++]] = b->made->n_rows - 1;
    }
    return 0;
}

/* passing: " ON CONFLICT DO NOTHING", or "". */
static int
insert_list(struct batch *b, const char *passing, rowlock_error *err)
{
    struct rlk_pg *c = b->c;
    const struct rlk_write *first = &b->writes[b->list[0]];
    PGresult *r;
    rlk_pg_start(c);
    rlk_pg_sql(c, "INSERT INTO ");
    rlk_pg_sql(c, rlk_pg_table_of(b->t)->sql_name);
    for (size_t i = 0; i < first->n_set; i++) {
        rlk_pg_sql(c, i ? "," : " (");
        rlk_pg_sql_name(&c->sql, b->t->columns[first->set[i].column].name);
    }
    for (size_t i = 0; i < first->n_set; i++)
        rlk_buf_format(&c->sql, "%sv%zu", i ? "," : ") SELECT ", i);
    for (size_t i = 0; i < first->n_set; i++) {
        rlk_pg_sql(c, i ? "," : " FROM unnest(");
        RLK_TRY(add_column(b, i, err));
    }
    for (size_t i = 0; i < first->n_set; i++)
        rlk_buf_format(&c->sql, "%sv%zu", i ? "," : ") WITH ORDINALITY AS u(",
                       i);
    rlk_pg_sql(c, ",n) ORDER BY n");
    rlk_pg_sql(c, passing);
    rlk_pg_sql(c, " RETURNING ");
    rlk_pg_sql_columns(c, b->t, "");
    RLK_TRY(rlk_pg_run(c, &r, err));
    int rc = take_made(b, r, err);
    rlk_pg_clear(c, r);
    return rc;
}

/* Passing over keys that are taken costs the server a look into each index
 * before each record (a third of 1,000,000 creates, measured): so that is only
 * done when one proved to be taken. */
static int
make_list(struct batch *b, rowlock_error *err)
{
    rowlock_error taken = {0};
    RLK_TRY(rlk_pg_do(b->c, "SAVEPOINT rowlock_new", err));
    int rc = insert_list(b, "", &taken);
    if (rc == ROWLOCK_UNIQUE) {
        RLK_TRY(rlk_pg_do(b->c, "ROLLBACK TO SAVEPOINT rowlock_new", err));
        return insert_list(b, " ON CONFLICT DO NOTHING", err);
    }
    if (rc && err)
        *err = taken;
    return rc ? rc : rlk_pg_do(b->c, "RELEASE SAVEPOINT rowlock_new", err);
}

/* ---- all of it ---- */

/* The first that is not written yet, and all others with its columns. */
static bool
list_next(struct batch *b, bool *written)
{
    const struct rlk_write *first = NULL;
    b->n_list = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct rlk_write *w = &b->writes[i];
        if (written[i] || (w->old && b->states[i] != RLK_PUT_DONE) ||
            (first && !same_columns(first, w)))
            continue;
        first = w;
        written[i] = true;
        b->list[b->n_list++] = i;
    }
    return b->n_list > 0;
}

static int
put_all(struct batch *b, rowlock_error *err)
{
    bool *written = rlk_arena_alloc(&b->arena, b->n, sizeof *written);
    b->list = rlk_arena_alloc(&b->arena, b->n, sizeof *b->list);
    if (!written || !b->list)
        return rlk_out_of_memory(err);
    memset(written, 0, b->n * sizeof *written);
    for (size_t i = 0; i < b->n; i++)
        b->states[i] = RLK_PUT_CHANGED;
    RLK_TRY(take_old(b, err));
    RLK_TRY(rlk_pg_set_wait(b->c, ROWLOCK_NOWAIT, err));
    while (list_next(b, written))
        RLK_TRY(b->writes[b->list[0]].old ? update_list(b, err)
                                          : make_list(b, err));
    return 0;
}

int
rlk_pg_put_all(struct rlk_conn *conn, const struct rlk_table *t,
               const struct rlk_write *writes, size_t n,
               enum rlk_put_state *ret_states, struct rlk_rows *ret_made,
               size_t *ret_made_of, rowlock_error *err)
{
    struct batch b = {.c = rlk_pg_of(conn),
                      .t = t,
                      .writes = writes,
                      .n = n,
                      .states = ret_states,
                      .made = ret_made,
                      .made_of = ret_made_of};
    RLK_TRY(rlk_pg_ready(b.c, err));
    int rc = put_all(&b, err);
    rlk_arena_done(&b.arena);
    return rc;
}
