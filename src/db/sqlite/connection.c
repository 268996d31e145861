/* SPDX-License-Identifier: MIT
 * Opening and closing a session on a SQLite file, and the driver's table.
 *
 * A database that cannot be shared under record locks is refused here: another
 * journal mode than WAL, in memory, read-only. The database file is never
 * opened by us beside SQLite: closing such a descriptor would drop SQLite's
 * own locks in this process. Read next: transaction.c. */
#include "conn.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "repaired.h"

static atomic_uint forks; /* how many forks away from the first process */

static void
count_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

static void
watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

bool
rlk_sqlite_is_ours(const struct rlk_sqlite *c)
{
    return c->fork_generation == atomic_load(&forks);
}

static int
check_file(const char *path, rowlock_error *err)
{
    struct stat st;
    if (!path[0] || strcmp(path, ":memory:") == 0) {
        rlk_fail(err, ROWLOCK_UNSUPPORTED,
                 "a database in memory cannot be shared between processes");
        rlk_hint(err, "Give the path of a file.");
        return ROWLOCK_UNSUPPORTED;
    }
    RLK_TRY(rlk_check_repaired(path, err));
    if (stat(path, &st)) {
        rlk_fail_errno(err, ROWLOCK_IO, "cannot open database \"%s\"", path);
        if (errno == ENOENT)
            rlk_hint(err, "A database is not created by opening it. Check the "
                          "path, or create it first.");
        return ROWLOCK_IO;
    }
    if (!S_ISREG(st.st_mode))
        return rlk_fail(err, ROWLOCK_IO,
                        "cannot open database \"%s\": not a regular file",
                        path);
    return 0;
}

static int
refuse_read_only(const char *what, const char *path, rowlock_error *err)
{
    int code = rlk_fail(err, ROWLOCK_IO, "%s \"%s\" is read-only", what, path);
    rlk_sqlstate(err, "25006");
    rlk_detail(err, "Locks and SQLite's own -wal and -shm files are written "
                    "beside the database.");
    rlk_hint(err, "Run as a user who may write there.");
    return code;
}

static int
check_folder(const char *path, rowlock_error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder RLK_AUTOFREE =
        slash ? rlk_strndup(path, (size_t)(slash - path) + 1) : rlk_strdup(".");
    if (!folder)
        return rlk_out_of_memory(err);
    if (access(folder, W_OK))
        return refuse_read_only("folder", folder, err);
    if (access(path, W_OK))
        return refuse_read_only("database", path, err);
    return 0;
}

/* SQLite may be set up to read "file:..." as a URI; a path stays a path. */
static int
open_file(struct rlk_sqlite *c, const char *path, rowlock_error *err)
{
    struct rlk_buf verbatim RLK_AUTOBUF = {0};
    if (strncmp(path, "file:", 5) == 0)
        rlk_buf_text(&verbatim, "./");
    rlk_buf_text(&verbatim, path);
    if (verbatim.failed)
        return rlk_out_of_memory(err);
    int rc =
        sqlite3_open_v2(verbatim.ptr, &c->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                        NULL);
    if (!c->db)
        return rlk_out_of_memory(err);
    /* Who closes before all is known to be well leaves the WAL: durable.c. */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc)
        return rlk_sqlite_fail(c, "cannot open the database", err);
    if (sqlite3_db_readonly(c->db, "main") == 1)
        return refuse_read_only("database", path, err);
    return 0;
}

/* foreign_keys: side effects are then seen and locked. recursive_triggers stays
 * as the application knows it: victims of REPLACE are seen all the same. The
 * cache (8 MB at most) is for imports, which come to all pages of an index.
 * The schema stays trusted: else SQLite 3.38 to 3.40 refuses a whole database
 * for one CHECK (json_valid(...)), as Django makes for each JSON column, and
 * nothing here could act: no functions are added, no extension can be loaded.
 */
static int
set_up(struct rlk_sqlite *c, rowlock_error *err)
{
    sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_handler(c->db, rlk_sqlite_on_busy, c);
    sqlite3_set_authorizer(c->db, rlk_sqlite_authorize, c);
    rlk_sqlite_watch(c);
    rlk_sqlite_watch_wal(c);
    if (sqlite3_exec(c->db,
                     "PRAGMA foreign_keys=ON; PRAGMA synchronous=NORMAL;"
                     "PRAGMA cache_size=-8000",
                     NULL, NULL, NULL) ||
        sqlite3_prepare_v3(c->db, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT,
                           &c->roll_back, NULL))
        return rlk_sqlite_fail(c, "cannot set the database up", err);
    return 0;
}

static int
refuse_journal(const char *path, const char *mode, rowlock_error *err)
{
    int code = rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "database \"%s\" is in journal mode \"%s\", not "
                        "\"wal\"",
                        path, mode);
    rlk_detail(err, "In other modes readers block writers, and a waiting "
                    "block could not let others write.");
    rlk_hint(err, "rowlock doctor --fix %s switches to WAL.", path);
    return code;
}

static int
check_journal(struct rlk_sqlite *c, const char *path, rowlock_error *err)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(c->db, "PRAGMA main.journal_mode", -1, &s, NULL))
        return rlk_sqlite_fail(c, "cannot read the database", err);
    int rc = 0;
    if (sqlite3_step(s) != SQLITE_ROW) {
        rc = rlk_sqlite_fail(c, "cannot read the database", err);
    } else {
        const char *mode = (const char *)sqlite3_column_text(s, 0);
        if (!mode || strcmp(mode, "wal") != 0)
            rc = refuse_journal(path, mode ? mode : "unknown", err);
    }
    sqlite3_finalize(s);
    return rc;
}

/* ---- to look only ---- */

/* A -wal file that somebody left behind is left as it is; an empty one of our
 * own goes with us. */
static int
keep_as_it_is(struct rlk_sqlite *c, const char *path, rowlock_error *err)
{
    struct stat st;
    struct rlk_buf wal RLK_AUTOBUF = {0};
    rlk_buf_format(&wal, "%s-wal", path);
    if (wal.failed)
        return rlk_out_of_memory(err);
    if (stat(wal.ptr, &st))
        sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    if (sqlite3_exec(c->db, "PRAGMA query_only=ON", NULL, NULL, NULL))
        return rlk_sqlite_fail(c, "cannot set the database up", err);
    return 0;
}

static int
open_in_memory(struct rlk_sqlite *c, const char *schema, rowlock_error *err)
{
    int rc = sqlite3_open_v2(":memory:", &c->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (!c->db)
        return rlk_out_of_memory(err);
    if (rc || sqlite3_exec(c->db, schema, NULL, NULL, NULL))
        return rlk_sqlite_fail(c, "cannot make the table", err);
    return set_up(c, err);
}

/* Without a lock table: whatever would lock fails. The cache is SQLite's usual
 * one: such a session often stands beside one that writes. */
static int
open_to_look(struct rlk_sqlite *c, const struct rlk_open *o, rowlock_error *err)
{
    if (o->schema)
        return open_in_memory(c, o->schema, err);
    RLK_TRY(check_file(o->target, err));
    RLK_TRY(check_folder(o->target, err));
    RLK_TRY(open_file(c, o->target, err));
    RLK_TRY(keep_as_it_is(c, o->target, err));
    RLK_TRY(set_up(c, err));
    if (sqlite3_exec(c->db, "PRAGMA cache_size=-2000", NULL, NULL, NULL))
        return rlk_sqlite_fail(c, "cannot set the database up", err);
    return o->unfit ? 0 : check_journal(c, o->target, err);
}

static int
open_locks(struct rlk_sqlite *c, const struct rlk_open *o, rowlock_error *err)
{
    rowlock_locks_options options = ROWLOCK_LOCKS_OPTIONS_INIT;
    options.label = o->label;
    options.on_wait = o->on_wait;
    options.on_wait_arg = o->on_wait_arg;
    return rowlock_locks_open(o->target, &options, &c->locks, err);
}

static int
open_all(struct rlk_sqlite *c, const struct rlk_open *o, rowlock_error *err)
{
    if (o->look_only)
        return open_to_look(c, o, err);
    RLK_TRY(check_file(o->target, err));
    RLK_TRY(check_folder(o->target, err));
    RLK_TRY(open_file(c, o->target, err));
    RLK_TRY(set_up(c, err));
    RLK_TRY(check_journal(c, o->target, err));
    RLK_TRY(open_locks(c, o, err));
    /* doctor --repair may have put another file there meanwhile */
    return rlk_sqlite_check_place(c, err);
}

static void
free_memory(struct rlk_sqlite *c)
{
    rlk_arena_done(&c->catalogue.arena);
    rlk_free(c->cache.shape);
    rlk_buf_done(&c->cache.sql);
    rlk_free(c->tx.levels);
    rlk_free(c->tx.log);
    rlk_free(c->tx.versions);
    rlk_arena_done(&c->tx.arena);
    rlk_free(c->effects.blocked);
    rlk_free(c->effects.scratch);
    rlk_arena_done(&c->effects.arena);
    rlk_arena_done(&c->names);
    rlk_free(c);
}

/* In a forked child SQLite's handle is left alone: closing it could write a
 * checkpoint or remove the parent's -wal file. */
static void
close_conn(struct rlk_conn *conn)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    if (rlk_sqlite_is_ours(c)) {
        if (c->open_block)
            rlk_sqlite_rollback(conn);
        rlk_sqlite_leave_wal(c);
        rlk_sqlite_cache_clear(c);
        sqlite3_finalize(c->roll_back);
        sqlite3_close(c->db);
    }
    rowlock_locks_close(c->locks);
    free_memory(c);
}

static int
open_conn(const struct rlk_open *o, struct rlk_conn **ret, rowlock_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    struct rlk_sqlite *c = rlk_calloc(1, sizeof *c);
    if (!c)
        return rlk_out_of_memory(err);
    c->base.driver = &rlk_sqlite_driver;
    c->fork_generation = atomic_load(&forks);
    c->wal.relaxed = o->relaxed;
    c->on_wait = o->on_wait;
    c->on_wait_arg = o->on_wait_arg;
    c->busy.limit_ms = rlk_sqlite_patience(ROWLOCK_NOWAIT);
    int rc = open_all(c, o, err);
    if (rc) {
        rlk_context(err, "%s", o->target);
        close_conn(&c->base);
        return rc;
    }
    *ret = &c->base;
    return 0;
}

static void
cancel(struct rlk_conn *conn)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    if (!rlk_sqlite_is_ours(c))
        return;
    atomic_store(&c->cancelled, 1);
    rowlock_locks_cancel(c->locks);
    sqlite3_interrupt(c->db);
}

int
rlk_sqlite_take_cancel(struct rlk_sqlite *c, rowlock_error *err)
{
    if (!atomic_load_explicit(&c->cancelled, memory_order_relaxed))
        return 0;
    atomic_store(&c->cancelled, 0);
    return rlk_fail(err, ROWLOCK_CANCELLED, "cancelled on request");
}

static enum rowlock_mode
held(struct rlk_conn *conn, const struct rlk_table *t, const rowlock_value *pk)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    rowlock_name name = {ROWLOCK_RECORD, t->name, NULL, pk, t->n_primary_key};
    if (!rlk_sqlite_is_ours(c))
        return ROWLOCK_READ;
    return rowlock_locks_held(c->locks, &name);
}

static int
lock_row(struct rlk_conn *conn, const struct rlk_table *t,
         const rowlock_value *pk, enum rowlock_mode mode, int32_t wait_ms,
         rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    RLK_TRY(rlk_sqlite_ready(c, err));
    int rc = rlk_sqlite_take_record(c, t, pk, mode, wait_ms, err);
    if (rc == ROWLOCK_NOT_AVAILABLE && wait_ms == ROWLOCK_SKIP_LOCKED)
        return rlk_sqlite_not_available(err);
    return rc;
}

static uint64_t
write_epoch(struct rlk_conn *conn)
{
    const struct rlk_sqlite *c = rlk_sqlite_of(conn);
    return c->tx.writing ? c->tx.epoch : 0;
}

/* data_version tells others' commits only. Inside a transaction it is that of
 * its snapshot. */
static int
commit_mark(struct rlk_conn *conn, struct rlk_mark *ret, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    int64_t others;
    RLK_TRY(rlk_sqlite_ready(c, err));
    RLK_TRY(rlk_sqlite_ask(c, RLK_OP_DATA_VERSION, &others, err));
    *ret = (struct rlk_mark){(uint32_t)others, c->commits};
    return 0;
}

const struct rlk_driver rlk_sqlite_driver = {
    .name = "sqlite",
    .capabilities =
        RLK_CAN_LOCK_KEYS | RLK_CAN_LOCK_WEAKER | RLK_FREES_AT_SAVEPOINT,
    .open = open_conn,
    .close = close_conn,
    .cancel = cancel,
    .begin = rlk_sqlite_begin,
    .savepoint = rlk_sqlite_savepoint,
    .rollback_to = rlk_sqlite_rollback_to,
    .release = rlk_sqlite_release,
    .commit = rlk_sqlite_commit,
    .durable = rlk_sqlite_durable,
    .rollback = rlk_sqlite_rollback,
    .transaction_lost = rlk_sqlite_transaction_lost,
    .table = rlk_sqlite_table,
    .select = rlk_sqlite_select,
    .lookup = rlk_sqlite_lookup,
    .lock_keys = rlk_sqlite_lock_keys,
    .start_write = rlk_sqlite_start_write,
    .insert = rlk_sqlite_insert,
    .update = rlk_sqlite_update,
    .remove = rlk_sqlite_remove,
    .held = held,
    .lock_mark = rlk_sqlite_lock_mark,
    .unlock_to = rlk_sqlite_unlock_to,
    .sql = rlk_sqlite_sql,
    .write_epoch = write_epoch,
    .commit_mark = commit_mark,
    .put = rlk_sqlite_put,
    .lock_row = lock_row,
    .check_deferred = rlk_sqlite_check_deferred,
    .scans = rlk_sqlite_scans,
    .scan = rlk_sqlite_scan,
};
