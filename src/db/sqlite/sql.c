/* SPDX-License-Identifier: MIT
 * Read-only SQL given by the user. Three gates: sqlite3_stmt_readonly(), which
 * knows what writes; SQLite's authorizer, for what acts without writing, such
 * as BEGIN or ATTACH; and no second statement. */
#include "conn.h"

#include <string.h>

/* Each reads only; with is what it does when it gets an argument. */
static const struct {
    const char *name;
    bool takes_argument;
} pragmas[] = {
    {"table_info", true},       {"table_xinfo", true},
    {"table_list", true},       {"index_list", true},
    {"index_info", true},       {"index_xinfo", true},
    {"foreign_key_list", true}, {"foreign_key_check", true},
    {"integrity_check", true},  {"quick_check", true},
    {"database_list", false},   {"collation_list", false},
    {"function_list", false},   {"module_list", false},
    {"pragma_list", false},     {"compile_options", false},
    {"user_version", false},    {"schema_version", false},
    {"data_version", false},    {"application_id", false},
    {"encoding", false},        {"journal_mode", false},
    {"page_size", false},       {"page_count", false},
    {"freelist_count", false},  {"foreign_keys", false},
    {"synchronous", false},     {"wal_autocheckpoint", false},
};

static bool
is_harmless(const char *pragma, const char *argument)
{
    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++)
        if (sqlite3_stricmp(pragmas[i].name, pragma) == 0)
            return !argument || pragmas[i].takes_argument;
    return false;
}

int
rlk_sqlite_authorize(void *arg, int action, const char *a, const char *b,
                     const char *schema, const char *trigger)
{
    struct rlk_sqlite *c = arg;
    (void)schema;
    (void)trigger;
    if (!c->reading_sql)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_FUNCTION:
        if (!b || sqlite3_stricmp(b, "load_extension") != 0)
            return SQLITE_OK;
        c->refused = "load_extension()";
        return SQLITE_DENY;
    case SQLITE_PRAGMA:
        if (a && is_harmless(a, b))
            return SQLITE_OK;
        c->refused = "a PRAGMA that may act";
        return SQLITE_DENY;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        c->refused = "transaction control: blocks are begun and ended by calls";
        return SQLITE_DENY;
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        c->refused = "ATTACH: record locks are for one database";
        return SQLITE_DENY;
    default: /* what writes is refused once it is prepared */
        return SQLITE_OK;
    }
}

static int
refuse(const char *what, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "the SQL is not read-only");
    rlk_detail(err, "It has %s.", what);
    rlk_hint(err, "Write through save, create, delete, or by filter, which "
                  "take the records' locks.");
    return ROWLOCK_UNSUPPORTED;
}

static int
explain(struct rlk_sqlite *c, int rc, rowlock_error *err)
{
    if (c->refused)
        return refuse(c->refused, err);
    if ((rc & 0xFF) != SQLITE_ERROR)
        return rlk_sqlite_fail(c, "cannot prepare the SQL", err);
    rlk_fail(err, ROWLOCK_UNDEFINED, "the SQL cannot be run: %s",
             sqlite3_errmsg(c->db));
    rlk_sqlstate(err, strstr(sqlite3_errmsg(c->db), "syntax error") ? "42601"
                                                                    : "42P01");
    return ROWLOCK_UNDEFINED;
}

static bool
is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\f;")] == 0;
}

static int
prepare(struct rlk_sqlite *c, const char *sql, sqlite3_stmt **ret,
        rowlock_error *err)
{
    const char *rest;
    c->refused = NULL;
    c->reading_sql = true;
    int rc = sqlite3_prepare_v2(c->db, sql, -1, ret, &rest);
    c->reading_sql = false;
    if (rc)
        return explain(c, rc, err);
    if (!*ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "the SQL is empty");
    if (!is_blank(rest))
        return refuse("more than one statement", err);
    if (!sqlite3_stmt_readonly(*ret))
        return refuse("a change", err);
    return 0;
}

static int
bind_params(struct rlk_sqlite *c, sqlite3_stmt *s, const rowlock_value *params,
            size_t n_params, rowlock_error *err)
{
    int n = 1;
    if ((size_t)sqlite3_bind_parameter_count(s) != n_params)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the SQL has %d parameters, %zu were given",
                        sqlite3_bind_parameter_count(s), n_params);
    return rlk_bind_all(c, s, &n, params, n_params, err);
}

static int
name_columns(sqlite3_stmt *s, struct rlk_rows *rows, rowlock_error *err)
{
    size_t n = (size_t)sqlite3_column_count(s);
    const char **names = rlk_arena_alloc(&rows->arena, n, sizeof *names);
    if (!names)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++) {
        const char *name = sqlite3_column_name(s, (int)i);
        names[i] =
            name ? rlk_arena_copy(&rows->arena, name, strlen(name)) : NULL;
        if (!names[i])
            return rlk_out_of_memory(err);
    }
    rows->column_names = names;
    rows->n_columns = n;
    return 0;
}

static int
read_rows(struct rlk_sqlite *c, sqlite3_stmt *s, struct rlk_rows *rows,
          rowlock_error *err)
{
    int step;
    RLK_TRY(name_columns(s, rows, err));
    while ((step = sqlite3_step(s)) == SQLITE_ROW)
        RLK_TRY(rlk_row_add(c, s, rows, err));
    return step == SQLITE_DONE ? 0
                               : rlk_sqlite_fail(c, "cannot run the SQL", err);
}

int
rlk_sqlite_sql(struct rlk_conn *conn, const char *sql,
               const rowlock_value *params, size_t n_params,
               struct rlk_rows *ret, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    sqlite3_stmt *s = NULL;
    struct rlk_rows rows = {0};
    RLK_TRY(rlk_sqlite_ready(c, err));
    RLK_TRY(rlk_sqlite_see_own(c, err));
    int rc = prepare(c, sql, &s, err);
    if (!rc)
        rc = bind_params(c, s, params, n_params, err);
    if (!rc)
        rc = read_rows(c, s, &rows, err);
    sqlite3_finalize(s);
    if (rc)
        rlk_rows_done(&rows);
    else
        *ret = rows;
    return rc;
}
