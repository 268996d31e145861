/* SPDX-License-Identifier: MIT
 * The commits: by the record API, and by plain SQLite for planted faults and
 * controls. */
#include "power/work.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "power/dice.h"
#include "power/record_vfs.h"
#include "support/records.h"

const char work_schema[] =
    "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER);"
    "CREATE TABLE line (id INTEGER PRIMARY KEY, writer INTEGER, filler BLOB);"
    "CREATE TABLE side (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER);"
    "INSERT INTO counter VALUES (1, 0)";

/* Most lines are short, some take pages of their own. */
size_t
work_filler(uint64_t seed, int64_t n, size_t most,
            unsigned char ret[WORK_FILLER])
{
    uint64_t dice = dice_join(seed, (uint64_t)n);
    size_t limit = dice_roll(&dice, 4) ? most / 8 + 1 : most;
    size_t len = 1 + dice_roll(&dice, limit);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = dice_roll(&dice, UINT64_MAX);
        memcpy(ret + i, &word, len - i < 8 ? len - i : 8);
    }
    return len;
}

/* ---- with Rowlock ---- */

struct commit {
    const struct work *w;
    int64_t n; /* its number, once it is known */
};

static int
fetch(rowlock_block *b, const char *table, int64_t id, rowlock_record **ret,
      rowlock_error *err)
{
    const rowlock_value value = rowlock_int(id);
    const rowlock_term where = {"id", ROWLOCK_EQ, &value, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = table;
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_NO_KEY_UPDATE;
    return rowlock_query_first(b, &q, ret, err);
}

static int
set_column(rowlock_block *b, const char *table, int64_t id, const char *column,
           rowlock_value value, rowlock_error *err)
{
    rowlock_record *r = NULL;
    int rc = fetch(b, table, id, &r, err);
    if (!rc)
        rc = rowlock_record_set(r, column, value, err);
    return rc ? rc : rowlock_record_save(r, err);
}

static int
take_number(rowlock_block *b, int64_t *ret, rowlock_error *err)
{
    rowlock_record *r = NULL;
    rowlock_value n;
    int rc = fetch(b, "counter", 1, &r, err);
    if (!rc)
        rc = rowlock_record_get(r, "n", &n, err);
    if (rc)
        return rc;
    *ret = n.u.i + 1;
    rc = rowlock_record_set(r, "n", rowlock_int(*ret), err);
    return rc ? rc : rowlock_record_save(r, err);
}

static int
add_line(rowlock_block *b, const struct commit *c, rowlock_error *err)
{
    unsigned char filler[WORK_FILLER];
    size_t n = work_filler(c->w->seed, c->n, c->w->filler, filler);
    const rowlock_pair line[] = {{"id", rowlock_int(c->n)},
                                 {"writer", rowlock_int(c->w->writer)},
                                 {"filler", rowlock_blob(filler, n)}};
    return rowlock_record_create(b, "line", line, 3, NULL, err);
}

static int
set_side(rowlock_block *b, int64_t n, rowlock_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "side-%d", (int)(n % WORK_SIDES));
    const rowlock_pair by = {"name", rowlock_text(name)};
    const rowlock_pair set = {"n", rowlock_int(n)};
    const rowlock_key key = {&by, 1};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = "side";
    u.match = &key;
    u.n_match = 1;
    u.updating = &set;
    u.n_updating = 1;
    return rowlock_update_or_create(b, &u, NULL, NULL, err);
}

static void
acknowledge(void *arg)
{
    const struct commit *c = arg;
    record_ack(c->n, c->w->writer);
}

/* Every other commit is told of by on_commit, which comes first. */
static bool
is_told_early(const struct commit *c)
{
    return c->n % 2;
}

static int
body(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct commit *c = arg;
    int rc = take_number(b, &c->n, err);
    if (!rc)
        rc = add_line(b, c, err);
    if (!rc)
        rc = set_side(b, c->n, err);
    if (!rc && c->n > WORK_WINDOW)
        rc = set_column(b, "line", c->n - WORK_WINDOW, "filler",
                        rowlock_blob("", 0), err);
    if (!rc && is_told_early(c))
        rc = rowlock_on_commit(b, acknowledge, c, err);
    return rc;
}

static void
commit_once(rowlock_db *db, const struct work *w)
{
    struct commit c = {w, 0};
    rowlock_error err;
    int rc = rowlock_atomic(db, body, &c, &err);
    if (rc && !w->goes_on)
        support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
    if (!rc && !is_told_early(&c))
        acknowledge(&c);
}

/* NULL after an error that the work goes on after. */
static rowlock_db *
open_session(const struct work *w)
{
    rowlock_db *db = NULL;
    rowlock_error err;
    if (rowlock_open(w->path, NULL, &db, &err) && !w->goes_on)
        support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
    return db;
}

void
work_with_rowlock(const struct work *w)
{
    int session = w->session ? w->session : w->commits;
    for (int done = 0; done < w->commits; done += session) {
        rowlock_db *db = open_session(w);
        for (int i = 0; db && i < session && done + i < w->commits; i++)
            commit_once(db, w);
        rowlock_close(db);
    }
}

/* ---- plainly ---- */

static const char side_step[] = "INSERT INTO side (name, n) VALUES (?4, ?1) "
                                "ON CONFLICT (name) DO UPDATE SET n = ?1";

static const char *const steps[] = {
    "UPDATE counter SET n = ?1",
    "INSERT INTO line VALUES (?1, ?2, ?3)",
    side_step,
    "UPDATE line SET filler = x'' WHERE id = ?1 - ?5",
    "COMMIT",
};

static void
run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL))
        support_fail("%s: %s", sql, sqlite3_errmsg(db));
}

static int64_t
next_number(sqlite3 *db)
{
    sqlite3_stmt *s;
    check(sqlite3_prepare_v2(db, "SELECT n + 1 FROM counter", -1, &s, NULL) ==
          SQLITE_OK);
    check(sqlite3_step(s) == SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void
run_step(sqlite3 *db, const char *sql, const struct commit *c)
{
    unsigned char filler[WORK_FILLER];
    char name[32];
    sqlite3_stmt *s;
    size_t n = work_filler(c->w->seed, c->n, c->w->filler, filler);
    snprintf(name, sizeof name, "side-%d", (int)(c->n % WORK_SIDES));
    check(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
    /* Statements have as many of these as they name. */
    sqlite3_bind_int64(s, 1, c->n);
    sqlite3_bind_int(s, 2, c->w->writer);
    sqlite3_bind_blob(s, 3, filler, (int)n, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, name, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 5, WORK_WINDOW);
    if (sqlite3_step(s) != SQLITE_DONE)
        support_fail("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_finalize(s);
}

sqlite3 *
work_open(const struct work *w)
{
    sqlite3 *db;
    char pragma[64];
    check(sqlite3_open(w->path, &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, 1000 * SUPPORT_LIMIT_S);
    snprintf(pragma, sizeof pragma, "PRAGMA synchronous = %s", w->synchronous);
    run(db, pragma);
    return db;
}

int64_t
work_commit(sqlite3 *db, const struct work *w)
{
    run(db, "BEGIN IMMEDIATE");
    struct commit c = {w, next_number(db)};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        run_step(db, steps[i], &c);
    return c.n;
}

bool
work_flush(sqlite3 *db)
{
    sqlite3_file *wal = NULL;
    check(sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
                               &wal) == SQLITE_OK);
    return wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) == SQLITE_OK;
}

void
work_plainly(const struct work *w)
{
    sqlite3 *db = work_open(w);
    for (int i = 1; i <= w->commits; i++) {
        int64_t n = work_commit(db, w);
        if (w->flushes)
            check(work_flush(db));
        if (!w->silent)
            record_ack(n, w->writer);
        if (w->checkpoints && i % 5 == 0)
            run(db, "PRAGMA wal_checkpoint(RESTART)");
    }
    check(sqlite3_close(db) == SQLITE_OK);
}
