/* SPDX-License-Identifier: MIT
 * Reading a whole table: when a lookup would, and doing it once, a record at a
 * time. */
#include "conn.h"

#include <string.h>

/* ---- what a lookup costs ---- */

/* SQLite's plan of a lookup: "SCAN t", or "SEARCH t USING ...". */
static bool
has_scan(sqlite3_stmt *s)
{
    enum { DETAIL = 3 };
    bool found = false;
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(s, DETAIL);
        found = found || (detail && strncmp(detail, "SCAN ", 5) == 0);
    }
    return found;
}

static int
plan_lookup(struct rlk_sqlite *c, const struct rlk_table *t,
            const struct rlk_match *key, sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_buf_clear(&c->cache.sql);
    c->cache.sql.failed = false;
    rlk_sql(c, "EXPLAIN QUERY PLAN ");
    rlk_lookup_sql(c, t, key);
    if (c->cache.sql.failed)
        return rlk_out_of_memory(err);
    if (sqlite3_prepare_v2(c->db, c->cache.sql.ptr, -1, ret, NULL))
        return rlk_sqlite_fail(c, "cannot plan a lookup", err);
    return 0;
}

int
rlk_sqlite_scans(struct rlk_conn *conn, const struct rlk_table *t,
                 const uint32_t *columns, size_t n_columns, bool *ret,
                 rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    struct rlk_set *set RLK_AUTOFREE = rlk_calloc(n_columns, sizeof *set);
    const struct rlk_match key = {set, n_columns};
    sqlite3_stmt *s;
    if (!rlk_sqlite_is_ours(c))
        return rlk_sqlite_ready(c, err);
    if (!set)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n_columns; i++)
        set[i].column = columns[i];
    RLK_TRY(plan_lookup(c, t, &key, &s, err));
    *ret = has_scan(s);
    return sqlite3_finalize(s) ? rlk_sqlite_fail(c, "cannot plan a lookup", err)
                               : 0;
}

/* ---- reading it ---- */

static int
prepare(struct rlk_sqlite *c, const struct rlk_scan *scan, sqlite3_stmt **ret,
        rowlock_error *err)
{
    rlk_buf_clear(&c->cache.sql);
    c->cache.sql.failed = false;
    for (size_t i = 0; i < scan->n_columns; i++) {
        rlk_sql(c, i ? "," : "SELECT ");
        rlk_sql_name(c, scan->table->columns[scan->columns[i]].name);
    }
    rlk_sql(c, " FROM ");
    rlk_sql_name(c, scan->table->name);
    rlk_sql(c, " ORDER BY ");
    rlk_sql_primary_key(c, scan->table);
    if (c->cache.sql.failed)
        return rlk_out_of_memory(err);
    if (sqlite3_prepare_v2(c->db, c->cache.sql.ptr, -1, ret, NULL))
        return rlk_sqlite_fail(c, "cannot read the table", err);
    return 0;
}

static int
hand_out(struct rlk_sqlite *c, const struct rlk_scan *scan, sqlite3_stmt *s,
         rowlock_value *values, rowlock_error *err)
{
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        for (size_t i = 0; i < scan->n_columns; i++)
            values[i] = rlk_column(s, (int)i);
        RLK_TRY(scan->take(values, scan->arg, err));
    }
    return step == SQLITE_DONE
               ? 0
               : rlk_sqlite_fail(c, "cannot read the table", err);
}

int
rlk_sqlite_scan(struct rlk_conn *conn, const struct rlk_scan *scan,
                rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    rowlock_value *values RLK_AUTOFREE =
        rlk_calloc(scan->n_columns, sizeof *values);
    sqlite3_stmt *s;
    RLK_TRY(rlk_sqlite_ready(c, err));
    RLK_TRY(rlk_sqlite_see_own(c, err));
    if (!values)
        return rlk_out_of_memory(err);
    RLK_TRY(prepare(c, scan, &s, err));
    int rc = hand_out(c, scan, s, values, err);
    sqlite3_finalize(s);
    return rc;
}
