/* SPDX-License-Identifier: MIT
 * The contract is in db/create.h. Everything but the switch to WAL happens in
 * one transaction begun with BEGIN IMMEDIATE, so that of several processes one
 * makes the table and the others find it. Identifiers are quoted. */
#include "db/create.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/memory.h"

enum { BUSY_MS = 10000, RETRY_MS = 20 };

struct creation {
    sqlite3 *db;
    const char *path;
    const struct rlk_new_table *table;
    rowlock_error *err;
};

/* 0, or why nothing can be made in the folder of path. */
static int
folder_fault(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder RLK_AUTOFREE =
        slash ? rlk_strndup(path, (size_t)(slash - path) + 1) : rlk_strdup(".");
    return folder && access(folder, W_OK) ? errno : 0;
}

/* Where SQLite may not create a file it tries to read it, and tells of that:
 * the errno of its folder, or ENOENT. */
static int
why_not_there(const char *path)
{
    int fault = folder_fault(path);
    return fault ? fault : ENOENT;
}

static int
fail(const struct creation *c, const char *doing)
{
    int code = sqlite3_errcode(c->db);
    if ((code & 0xFF) == SQLITE_NOMEM)
        return rlk_out_of_memory(c->err);
    const char *why = (code & 0xFF) == SQLITE_NOTADB ? "it is not a database"
                                                     : sqlite3_errmsg(c->db);
    errno = sqlite3_system_errno(c->db);
    if (errno == ENOENT)
        errno = why_not_there(c->path);
    if ((code & 0xFF) == SQLITE_CANTOPEN && errno)
        return rlk_fail_errno(c->err, ROWLOCK_IO, "could not %s '%.100s'",
                              doing, c->path);
    return rlk_fail(c->err, ROWLOCK_IO, "could not %s '%.100s': %s", doing,
                    c->path, why);
}

static int
run(const struct creation *c, const char *sql, const char *doing)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) ? fail(c, doing) : 0;
}

/* The first column of the only row as text, in ret. */
static int
ask(const struct creation *c, const char *sql, const char *param, char *ret,
    size_t size)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(c->db, sql, -1, &s, NULL))
        return fail(c, "read");
    if (param)
        sqlite3_bind_text(s, 1, param, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        snprintf(ret, size, "%s",
                 sqlite3_column_text(s, 0)
                     ? (const char *)sqlite3_column_text(s, 0)
                     : "");
    return sqlite3_finalize(s) || rc != SQLITE_ROW ? fail(c, "read") : 0;
}

static int
has_table(const struct creation *c, bool *ret)
{
    char n[24] = "0";
    RLK_TRY(ask(c,
                "SELECT count(*) FROM sqlite_schema WHERE name = ?1 COLLATE "
                "NOCASE AND type IN ('table', 'view')",
                c->table->name, n, sizeof n));
    *ret = strcmp(n, "0") != 0;
    return 0;
}

/* An empty database is ours to switch; another's mode is its owner's choice.
 * The schema is looked at first: the mode of a file that was empty when it was
 * asked for is out of date once another process has filled it. */
static int
check_mode(const struct creation *c, bool *ret_empty)
{
    char mode[16] = "", n[24] = "0";
    RLK_TRY(ask(c, "SELECT count(*) FROM sqlite_schema", NULL, n, sizeof n));
    *ret_empty = strcmp(n, "0") == 0;
    if (*ret_empty)
        return 0;
    RLK_TRY(ask(c, "PRAGMA journal_mode", NULL, mode, sizeof mode));
    if (strcmp(mode, "wal") == 0)
        return 0;
    rlk_fail(c->err, ROWLOCK_UNSUPPORTED,
             "'%.100s' is in journal mode %s, not wal", c->path, mode);
    rlk_hint(c->err, "Type: rowlock doctor %.100s --fix", c->path);
    return ROWLOCK_UNSUPPORTED;
}

/* While another process switches too, SQLite says busy at once. */
static int
use_wal(const struct creation *c)
{
    bool empty = false;
    RLK_TRY(check_mode(c, &empty));
    if (!empty)
        return 0;
    const struct timespec pause = {0, RETRY_MS * 1000000L};
    for (int ms = 0; ms < BUSY_MS; ms += RETRY_MS) {
        int rc =
            sqlite3_exec(c->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if (rc == 0)
            return 0;
        if ((rc & 0xFF) != SQLITE_BUSY && (rc & 0xFF) != SQLITE_LOCKED)
            break;
        nanosleep(&pause, NULL);
    }
    return fail(c, "switch to WAL");
}

static void
add_index(sqlite3_str *sql, const struct rlk_new_table *t,
          const struct rlk_new_index *index)
{
    sqlite3_str_appendf(sql, "CREATE UNIQUE INDEX \"%w", t->name);
    for (size_t i = 0; i < index->n_columns; i++)
        sqlite3_str_appendf(sql, "_%w", t->columns[index->columns[i]].name);
    sqlite3_str_appendf(sql, "_key\" ON \"%w\" (", t->name);
    for (size_t i = 0; i < index->n_columns; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "",
                            t->columns[index->columns[i]].name);
    sqlite3_str_appendall(sql, ");");
}

static char *
make_sql(const struct rlk_new_table *t)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendf(sql, "CREATE TABLE \"%w\" (id INTEGER PRIMARY KEY",
                        t->name);
    for (size_t i = 0; i < t->n_columns; i++)
        sqlite3_str_appendf(sql, ", \"%w\" %s", t->columns[i].name,
                            t->columns[i].type);
    sqlite3_str_appendall(sql, ");");
    for (size_t i = 0; i < t->n_indexes; i++)
        add_index(sql, t, &t->indexes[i]);
    return sqlite3_str_finish(sql);
}

static int
check_names(const struct creation *c)
{
    for (size_t i = 0; i < c->table->n_columns; i++)
        if (strcasecmp(c->table->columns[i].name, "id") == 0) {
            rlk_fail(c->err, ROWLOCK_UNSUPPORTED,
                     "a new table gets a column 'id' of its own");
            rlk_hint(c->err, "Name the field otherwise, such as remote_id, or "
                             "create the table yourself.");
            return ROWLOCK_UNSUPPORTED;
        }
    return 0;
}

static int
make_table(const struct creation *c)
{
    bool there;
    RLK_TRY(has_table(c, &there));
    if (there)
        return 0;
    RLK_TRY(check_names(c));
    char *sql = make_sql(c->table);
    if (!sql)
        return rlk_out_of_memory(c->err);
    int rc = run(c, sql, "create the table in");
    sqlite3_free(sql);
    return rc;
}

static int
create(const struct creation *c)
{
    bool there;
    RLK_TRY(has_table(c, &there));
    if (there)
        return 0;
    RLK_TRY(use_wal(c));
    RLK_TRY(run(c, "BEGIN IMMEDIATE", "write"));
    int rc = make_table(c);
    if (!rc)
        rc = run(c, "COMMIT", "write");
    if (rc && !sqlite3_get_autocommit(c->db))
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static bool
has_log(const char *path)
{
    char *log RLK_AUTOFREE = rlk_calloc(1, strlen(path) + sizeof "-wal");
    if (log)
        sprintf(log, "%s-wal", path);
    return !log || access(log, F_OK) == 0;
}

/* Else closing could write what another process has left in its log. */
static void
leave_log(const struct creation *c)
{
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                      (int)has_log(c->path), NULL);
}

int
rlk_sqlite_create(const char *path, const struct rlk_new_table *t,
                  rowlock_error *err)
{
    struct creation c = {.path = path, .table = t, .err = err};
    int rc = sqlite3_open_v2(path, &c.db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (!c.db)
        return rlk_out_of_memory(err);
    sqlite3_busy_timeout(c.db, BUSY_MS);
    leave_log(&c);
    rc = rc ? fail(&c, "open") : create(&c);
    sqlite3_close(c.db);
    return rc;
}

void
rlk_sqlite_add_index_sql(struct rlk_buf *buf, const struct rlk_new_table *t,
                         size_t index)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    add_index(sql, t, &t->indexes[index]);
    char *text = sqlite3_str_finish(sql);
    if (text)
        rlk_buf_text(buf, text);
    buf->failed = buf->failed || !text;
    sqlite3_free(text);
}

/* ---- what would be done ---- */

static int
copy_sql(const struct creation *c, char **ret)
{
    RLK_TRY(check_names(c));
    char *sql = make_sql(c->table);
    *ret = sql ? rlk_strdup(sql) : NULL;
    sqlite3_free(sql);
    return *ret ? 0 : rlk_out_of_memory(c->err);
}

static int
look_at_file(const struct creation *c, char **ret)
{
    bool there, empty;
    leave_log(c);
    RLK_TRY(has_table(c, &there));
    if (there)
        return 0;
    RLK_TRY(check_mode(c, &empty));
    return copy_sql(c, ret);
}

int
rlk_sqlite_create_look(const char *path, const struct rlk_new_table *t,
                       char **ret, rowlock_error *err)
{
    struct creation c = {.path = path, .table = t, .err = err};
    *ret = NULL;
    if (access(path, F_OK) && errno == ENOENT) {
        errno = folder_fault(path);
        if (!errno)
            return copy_sql(&c, ret);
        return rlk_fail_errno(err, ROWLOCK_IO, "could not open '%.100s'", path);
    }
    int rc = sqlite3_open_v2(
        path, &c.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
    if (!c.db)
        return rlk_out_of_memory(err);
    sqlite3_busy_timeout(c.db, BUSY_MS);
    rc = rc ? fail(&c, "open") : look_at_file(&c, ret);
    sqlite3_close(c.db);
    return rc;
}
