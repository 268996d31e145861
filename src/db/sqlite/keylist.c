/* SPDX-License-Identifier: MIT
 * A list of keys as a table, so that one statement looks hundreds of them up: a
 * statement a key costs twice as much, most of it for starting and ending.
 * (SQLite's own carray() is not in every build.)
 *
 * The table is "eponymous": it is there without being made, holds nothing, and
 * is read only by the statement of lookup.c. Its rows are c->keylist, which
 * stands for the time of that statement. */
#include "conn.h"

#include <string.h>

static const char *const columns[] = {"rowlock n", "rowlock v0", "rowlock v1",
                                      "rowlock v2", "rowlock v3"};
_Static_assert(sizeof columns / sizeof columns[0] == 1 + RLK_KEYLIST_COLUMNS,
               "a column a value");

struct list_table {
    sqlite3_vtab base; /* first */
    const struct rlk_sqlite *c;
};

struct list_cursor {
    sqlite3_vtab_cursor base; /* first */
    const struct rlk_keylist *list;
    size_t at;
};

static struct list_cursor *
cursor_of(sqlite3_vtab_cursor *base)
{
    return (struct list_cursor *)base;
}

static int
connect(sqlite3 *db, void *arg, int argc, const char *const *argv,
        sqlite3_vtab **ret, char **ret_error)
{
    (void)argc, (void)argv, (void)ret_error;
    int rc = sqlite3_declare_vtab(
        db, "CREATE TABLE x (\"rowlock n\", \"rowlock v0\", \"rowlock v1\", "
            "\"rowlock v2\", \"rowlock v3\")");
    struct list_table *t = rc ? NULL : sqlite3_malloc(sizeof *t);
    if (!t)
        return rc ? rc : SQLITE_NOMEM;
    memset(t, 0, sizeof *t);
    t->c = arg;
    *ret = &t->base;
    return SQLITE_OK;
}

static int
disconnect(sqlite3_vtab *base)
{
    sqlite3_free(base);
    return SQLITE_OK;
}

static int
best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    info->estimatedCost = 1;
    info->estimatedRows = 500;
    return SQLITE_OK;
}

static int
open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
    struct list_cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    cursor->list = &((struct list_table *)base)->c->keylist;
    *ret = &cursor->base;
    return SQLITE_OK;
}

static int
close_cursor(sqlite3_vtab_cursor *base)
{
    sqlite3_free(base);
    return SQLITE_OK;
}

static int
filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc,
       sqlite3_value **argv)
{
    (void)number, (void)text, (void)argc, (void)argv;
    cursor_of(base)->at = 0;
    return SQLITE_OK;
}

static int
next(sqlite3_vtab_cursor *base)
{
    cursor_of(base)->at++;
    return SQLITE_OK;
}

static int
is_at_end(sqlite3_vtab_cursor *base)
{
    return cursor_of(base)->at >= cursor_of(base)->list->n;
}

static void
answer(sqlite3_context *context, rowlock_value v)
{
    const char *ptr = v.u.s.ptr ? v.u.s.ptr : "";
    switch (v.type) {
    case ROWLOCK_INT:
        sqlite3_result_int64(context, v.u.i);
        break;
    case ROWLOCK_DOUBLE:
        sqlite3_result_double(context, v.u.d);
        break;
    case ROWLOCK_TEXT:
        sqlite3_result_text64(context, ptr, v.u.s.len, SQLITE_STATIC,
                              SQLITE_UTF8);
        break;
    case ROWLOCK_BLOB:
        sqlite3_result_blob64(context, ptr, v.u.s.len, SQLITE_STATIC);
        break;
    case ROWLOCK_NULL:
        sqlite3_result_null(context);
        break;
    }
}

static int
column(sqlite3_vtab_cursor *base, sqlite3_context *context, int n)
{
    const struct list_cursor *cursor = cursor_of(base);
    size_t at = cursor->list->at[cursor->at];
    const struct rlk_match *key = &cursor->list->keys[at];
    if (n == 0)
        sqlite3_result_int64(context, (sqlite3_int64)at);
    else if ((size_t)n <= key->n_columns)
        answer(context, key->columns[n - 1].value);
    return SQLITE_OK;
}

static int
rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)cursor_of(base)->at;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = is_at_end,
    .xColumn = column,
    .xRowid = rowid,
};

/* "+": the values have no affinity of their own, as parameters have none. */
static void
write_join(struct rlk_sqlite *c, const struct rlk_table *t,
           const struct rlk_match *key)
{
    rlk_sql(c, "SELECT ");
    rlk_sql_columns(c, t);
    rlk_sql(c, ",");
    rlk_sql_name(c, columns[0]);
    rlk_sql(c, " FROM " RLK_KEYLIST " CROSS JOIN ");
    rlk_sql_name(c, t->name);
    for (size_t i = 0; i < key->n_columns; i++) {
        rlk_sql(c, i ? " AND " : " WHERE ");
        rlk_sql_name(c, t->columns[key->columns[i].column].name);
        rlk_sql(c, "=+");
        rlk_sql_name(c, columns[i + 1]);
    }
}

int
rlk_keylist_statement(struct rlk_sqlite *c, const struct rlk_table *t,
                      const struct rlk_match *key, sqlite3_stmt **ret,
                      rowlock_error *err)
{
    rlk_shape_start(c, RLK_OP_LOOKUP_ALL, rlk_sqlite_table_of(t));
    for (size_t i = 0; i < key->n_columns; i++)
        rlk_shape_add(c, key->columns[i].column);
    if ((*ret = rlk_shape_find(c)))
        return 0;
    if (!c->has_keylist &&
        sqlite3_create_module(c->db, RLK_KEYLIST, &module, c))
        return rlk_sqlite_fail(c, "cannot prepare a lookup", err);
    c->has_keylist = true;
    write_join(c, t, key);
    return rlk_shape_make(c, ret, err);
}
