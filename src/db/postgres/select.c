/* SPDX-License-Identifier: MIT
 * Reads by filter. The server itself does what the contract says of locked
 * reads: it locks in the order of the query, waits, reads again, checks the
 * filter again, and counts LIMIT by what it returns. */
#include "conn.h"

#include <stdio.h>
#include <string.h>

static void
add_number(struct rlk_pg *c, const char *before, int64_t n)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%lld", (long long)n);
    const char *copy = rlk_arena_copy(&c->scratch, text, (size_t)len);
    rlk_pg_sql(c, before);
    if (!copy)
        c->params.failed = true;
    else
        rlk_pg_sql_text(c, copy, (size_t)len);
    rlk_pg_sql(c, "::bigint");
}

static int
take_rows(struct rlk_pg *c, const struct rlk_select *q, const PGresult *r,
          struct rlk_rows *ret, rowlock_error *err)
{
    int n = c->pq->PQntuples(r);
    for (int i = 0; i < n; i++) {
        RLK_TRY(rlk_pg_row_add(q->table, c, r, i, ret, err));
        if (q->lock != ROWLOCK_READ &&
            !rlk_pg_hold_row(c, q->table, &ret->rows[i], q->lock))
            return rlk_out_of_memory(err);
    }
    return 0;
}

static int
run(struct rlk_pg *c, const struct rlk_select *q, struct rlk_rows *ret,
    rowlock_error *err)
{
    PGresult *r;
    struct rlk_rows rows = {0};
    RLK_TRY(rlk_pg_run(c, &r, err));
    int rc = take_rows(c, q, r, &rows, err);
    rlk_pg_clear(c, r);
    if (rc)
        rlk_rows_done(&rows);
    else
        *ret = rows;
    return rc;
}

static bool
asks_for(const struct rlk_select *q, uint32_t column)
{
    for (size_t i = 0; i < q->n_where; i++)
        if (q->where[i].column == column && q->where[i].op == ROWLOCK_EQ)
            return true;
    return false;
}

/* At most one record: nothing to be put in order, or to be counted. */
static bool
asks_for_one(const struct rlk_select *q)
{
    const struct rlk_table *t = q->table;
    for (size_t i = 0; i < t->n_primary_key; i++)
        if (!asks_for(q, t->primary_key[i]))
            return false;
    return q->offset == 0;
}

int
rlk_pg_select(struct rlk_conn *conn, const struct rlk_select *q,
              struct rlk_rows *ret, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    RLK_TRY(rlk_pg_ready(c, err));
    if (q->lock != ROWLOCK_READ)
        RLK_TRY(rlk_pg_set_wait(c, q->wait_ms < 0 ? ROWLOCK_WAIT : q->wait_ms,
                                err));
    rlk_pg_start(c);
    rlk_pg_sql(c, "SELECT ");
    rlk_pg_sql_columns(c, q->table, "");
    rlk_pg_sql(c, " FROM ");
    rlk_pg_sql(c, rlk_pg_table_of(q->table)->sql_name);
    RLK_TRY(rlk_pg_sql_where(c, q, err));
    bool one = asks_for_one(q);
    if (!one)
        rlk_pg_sql_order(c, q);
    if (q->limit > 0 && !one)
        add_number(c, " LIMIT ", q->limit);
    if (q->offset > 0)
        add_number(c, " OFFSET ", q->offset);
    rlk_pg_sql_lock(c, q->lock, q->wait_ms);
    return run(c, q, ret, err);
}

int
rlk_pg_lock_row(struct rlk_conn *conn, const struct rlk_table *t,
                const rowlock_value *pk, enum rowlock_mode mode,
                int32_t wait_ms, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    PGresult *r;
    RLK_TRY(rlk_pg_ready(c, err));
    RLK_TRY(rlk_pg_set_wait(c, wait_ms < 0 ? ROWLOCK_WAIT : wait_ms, err));
    rlk_pg_start(c);
    rlk_pg_sql(c, "SELECT FROM ");
    rlk_pg_sql(c, rlk_pg_table_of(t)->sql_name);
    RLK_TRY(rlk_pg_sql_is_key(c, t, pk, err));
    rlk_pg_sql_lock(c, mode, wait_ms);
    RLK_TRY(rlk_pg_run(c, &r, err));
    int n = c->pq->PQntuples(r);
    rlk_pg_clear(c, r);
    if (!n) /* gone, or skipped: who looks again sees which */
        return wait_ms == ROWLOCK_SKIP_LOCKED ? rlk_pg_not_available(err) : 0;
    return rlk_pg_hold(c, t, pk, mode) ? 0 : rlk_out_of_memory(err);
}

/* ---- all records, one at a time ---- */

struct scanning {
    const struct rlk_scan *scan;
    rowlock_value *values;
    struct rlk_arena arena;
};

static int
take_scanned(struct rlk_pg *c, PGresult *r, void *arg, rowlock_error *err)
{
    struct scanning *s = arg;
    const struct rlk_pg_table *t = rlk_pg_table_of(s->scan->table);
    rlk_arena_reset(&s->arena);
    for (int i = 0; i < (int)s->scan->n_columns; i++) {
        enum rlk_pg_kind kind = t->columns[s->scan->columns[i]].kind;
        s->values[i] = rowlock_null();
        if (!c->pq->PQgetisnull(r, 0, i) &&
            !rlk_pg_value(&s->arena, kind, c->pq->PQgetvalue(r, 0, i),
                          (size_t)c->pq->PQgetlength(r, 0, i), &s->values[i]))
            return rlk_out_of_memory(err);
    }
    return s->scan->take(s->values, s->scan->arg, err);
}

int
rlk_pg_scan(struct rlk_conn *conn, const struct rlk_scan *scan,
            rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    const struct rlk_select by_key = {.table = scan->table};
    struct scanning s = {.scan = scan};
    RLK_TRY(rlk_pg_ready(c, err));
    rowlock_value *values RLK_AUTOFREE =
        rlk_calloc(scan->n_columns, sizeof *values);
    s.values = values;
    if (!values)
        return rlk_out_of_memory(err);
    rlk_pg_start(c);
    rlk_pg_sql(c, "SELECT ");
    for (size_t i = 0; i < scan->n_columns; i++) {
        rlk_pg_sql(c, i ? "," : "");
        rlk_pg_sql_name(&c->sql, scan->table->columns[scan->columns[i]].name);
    }
    rlk_pg_sql(c, " FROM ");
    rlk_pg_sql(c, rlk_pg_table_of(scan->table)->sql_name);
    rlk_pg_sql_order(c, &by_key);
    int rc = rlk_pg_stream(c, take_scanned, &s, err);
    rlk_arena_done(&s.arena);
    return rc;
}
