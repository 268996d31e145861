/* SPDX-License-Identifier: MIT
 * Writing one record. The server locks it, its unique keys and its parents
 * itself; what it stored comes back with the statement. */
#include "conn.h"

#include <string.h>

/* A writer of a batch waits for its turn on SQLite alone. */
int
rlk_pg_start_write(struct rlk_conn *conn, int32_t wait_ms, rowlock_error *err)
{
    (void)wait_ms;
    return rlk_pg_ready(rlk_pg_of(conn), err);
}

static int
start(struct rlk_pg *c, int32_t wait_ms, rowlock_error *err)
{
    RLK_TRY(rlk_pg_ready(c, err));
    RLK_TRY(rlk_pg_set_wait(c, wait_ms, err));
    rlk_pg_start(c);
    return 0;
}

/* Runs what is in c->sql; its rows are the table's, and locked in mode. */
static int
run(struct rlk_pg *c, const struct rlk_table *t, enum rowlock_mode mode,
    struct rlk_rows *ret_row, int *ret_n, rowlock_error *err)
{
    PGresult *r;
    struct rlk_rows spare = {0};
    struct rlk_rows *rows = ret_row ? ret_row : &spare;
    rlk_pg_sql(c, " RETURNING ");
    rlk_pg_sql_columns(c, t, "");
    RLK_TRY(rlk_pg_run(c, &r, err));
    *ret_n = c->pq->PQntuples(r);
    int rc = *ret_n ? rlk_pg_row_add(t, c, r, 0, rows, err) : 0;
    if (!rc && *ret_n &&
        !rlk_pg_hold_row(c, t, &rows->rows[rows->n_rows - 1], mode))
        rc = rlk_out_of_memory(err);
    rlk_pg_clear(c, r);
    rlk_rows_done(&spare);
    return rc;
}

static int
nothing_written(const struct rlk_table *t, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_SERIALIZATION, "a record of %s is not there any more",
             t->name);
    rlk_detail(err, "It is gone, or a trigger or a policy kept it from being "
                    "written.");
    return ROWLOCK_SERIALIZATION;
}

static void
key_of(const struct rlk_table *t, const struct rlk_row *row,
       rowlock_value *ret_pk)
{
    for (size_t i = 0; i < t->n_primary_key; i++)
        ret_pk[i] = row->values[t->primary_key[i]];
}

static int
where_old(struct rlk_pg *c, const struct rlk_table *t,
          const struct rlk_row *old, rowlock_error *err)
{
    rowlock_value *pk =
        rlk_arena_alloc(&c->scratch, t->n_primary_key, sizeof *pk);
    if (!pk)
        return rlk_out_of_memory(err);
    key_of(t, old, pk);
    return rlk_pg_sql_is_key(c, t, pk, err);
}

static int
insert_text(struct rlk_pg *c, const struct rlk_table *t,
            const struct rlk_set *set, size_t n_set, rowlock_error *err)
{
    rlk_pg_sql(c, "INSERT INTO ");
    rlk_pg_sql(c, rlk_pg_table_of(t)->sql_name);
    if (!n_set) {
        rlk_pg_sql(c, " DEFAULT VALUES");
        return 0;
    }
    for (size_t i = 0; i < n_set; i++) {
        rlk_pg_sql(c, i ? "," : " (");
        rlk_pg_sql_name(&c->sql, t->columns[set[i].column].name);
    }
    rlk_pg_sql(c, ") VALUES ");
    for (size_t i = 0; i < n_set; i++) {
        rlk_pg_sql(c, i ? "," : "(");
        RLK_TRY(rlk_pg_sql_value(c, t, set[i].column, set[i].value, err));
    }
    rlk_pg_sql(c, ")");
    return 0;
}

int
rlk_pg_insert(struct rlk_conn *conn, const struct rlk_table *t,
              const struct rlk_set *set, size_t n_set, int32_t wait_ms,
              struct rlk_rows *ret_row, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    int n;
    RLK_TRY(start(c, wait_ms, err));
    RLK_TRY(insert_text(c, t, set, n_set, err));
    RLK_TRY(run(c, t, ROWLOCK_UPDATE, ret_row, &n, err));
    return n ? 0 : nothing_written(t, err);
}

int
rlk_pg_update(struct rlk_conn *conn, const struct rlk_table *t,
              const struct rlk_row *old, const struct rlk_set *set,
              size_t n_set, int32_t wait_ms, struct rlk_rows *ret_row,
              rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    int n;
    RLK_TRY(start(c, wait_ms, err));
    rlk_pg_sql(c, "UPDATE ");
    rlk_pg_sql(c, rlk_pg_table_of(t)->sql_name);
    for (size_t i = 0; i < n_set; i++) {
        rlk_pg_sql(c, i ? "," : " SET ");
        rlk_pg_sql_name(&c->sql, t->columns[set[i].column].name);
        rlk_pg_sql(c, "=");
        RLK_TRY(rlk_pg_sql_value(c, t, set[i].column, set[i].value, err));
    }
    RLK_TRY(where_old(c, t, old, err));
    RLK_TRY(run(c, t, ROWLOCK_NO_KEY_UPDATE, ret_row, &n, err));
    return n ? 0 : nothing_written(t, err);
}

int
rlk_pg_remove(struct rlk_conn *conn, const struct rlk_table *t,
              const struct rlk_row *old, int32_t wait_ms, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    int n;
    RLK_TRY(start(c, wait_ms, err));
    rlk_pg_sql(c, "DELETE FROM ");
    rlk_pg_sql(c, rlk_pg_table_of(t)->sql_name);
    RLK_TRY(where_old(c, t, old, err));
    RLK_TRY(run(c, t, ROWLOCK_UPDATE, NULL, &n, err));
    return n ? 0 : nothing_written(t, err);
}
