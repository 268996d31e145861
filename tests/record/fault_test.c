/* SPDX-License-Identifier: MIT
 * Every allocation fails once: the call answers 53200, its block is rolled
 * back, nothing is half-written and the session stays usable. (A sanitizer
 * build shows that nothing leaks.) Cancelling and forking stand here too. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/scarce.h"
#include "rowlock/rowlock.h"
#include "support/records.h"
#include "support/vfs.h"

static struct folder folder;
static struct path path;

static void
run_plain(const char *sql)
{
    sqlite3 *plain;
    check(sqlite3_open(path.text, &plain) == SQLITE_OK);
    check(sqlite3_exec(plain, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(plain);
}

static int64_t
number(const char *sql)
{
    sqlite3 *plain;
    sqlite3_stmt *stmt;
    check(sqlite3_open(path.text, &plain) == SQLITE_OK);
    check(sqlite3_prepare_v2(plain, sql, -1, &stmt, NULL) == SQLITE_OK);
    check(sqlite3_step(stmt) == SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(plain);
    return n;
}

/* Of the only record: how many there are, its slug, its rank. */
static const char *
plain_text(void)
{
    static char text[80];
    sqlite3 *plain;
    sqlite3_stmt *stmt;
    check(sqlite3_open(path.text, &plain) == SQLITE_OK);
    check(sqlite3_prepare_v2(plain,
                             "SELECT count(*) || ' ' || ifnull(slug, '-') || "
                             "' ' || ifnull(rank, '-') FROM term",
                             -1, &stmt, NULL) == SQLITE_OK);
    check(sqlite3_step(stmt) == SQLITE_ROW);
    snprintf(text, sizeof text, "%s", sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(plain);
    return text;
}

static rowlock_db *
start(void)
{
    rowlock_db *db;
    rowlock_error err;
    folder_init(&folder);
    path = folder_file(&folder, "term.db");
    run_plain("PRAGMA journal_mode = wal;"
              "CREATE TABLE term (id INTEGER PRIMARY KEY, remote_id TEXT,"
              "    slug TEXT UNIQUE, rank INTEGER)");
    if (rowlock_open(path.text, NULL, &db, &err))
        fail_msg("%s", err.message);
    return db;
}

/* ---- allocations ---- */

static int
add_one(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    rowlock_value v;
    (void)created, (void)arg;
    int rc = rowlock_record_get(r, "rank", &v, err);
    return rc ? rc
              : rowlock_record_set(
                    r, "rank",
                    rowlock_int(v.type == ROWLOCK_INT ? v.u.i + 1 : 1), err);
}

static int
bring(rowlock_block *b, const char *remote_id, const char *slug,
      rowlock_record **ret, rowlock_error *err)
{
    rowlock_pair keys[2] = {{"remote_id", rowlock_text(remote_id)},
                            {"slug", rowlock_text(slug)}};
    rowlock_key match[2] = {{&keys[0], 1}, {&keys[1], 1}};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = "term";
    u.match = match;
    u.n_match = 2;
    u.updating = keys;
    u.n_updating = 2;
    u.change = add_one;
    return rowlock_update_or_create(b, &u, ret, NULL, err);
}

static int
save_one(rowlock_block *b, void *arg, rowlock_error *err)
{
    (void)b;
    rowlock_record *r = arg;
    int rc = rowlock_record_set(r, "slug", rowlock_text("renamed"), err);
    return rc ? rc : rowlock_record_save(r, err);
}

static void
count(void *arg)
{
    ++*(int *)arg;
}

/* Something of everything. */
static int
everything(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_record *r;
    rowlock_rows *rows;
    rowlock_value one = rowlock_int(1);
    rowlock_term where = {"rank", ROWLOCK_GE, &one, 1};
    rowlock_pair rank = {"rank", rowlock_int(50)};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    int rc;
    q.table = "term";
    q.where = &where;
    q.n_where = 1;
    q.order = "-rank,slug";
    q.lock = ROWLOCK_UPDATE;
    if ((rc = bring(b, "r1", "a", &r, err)) ||
        (rc = bring(b, "r2", "a", &r, err)) ||
        (rc = rowlock_nested(b, save_one, r, err)) ||
        (rc = rowlock_query_all(b, &q, &rows, err)) ||
        (rc = rowlock_update_where(b, &q, &rank, 1, NULL, err)) ||
        (rc = rowlock_record_set(r, "rank", rowlock_int(60), err)) ||
        (rc = rowlock_record_save(r, err)) ||
        (rc = rowlock_sql(b, "SELECT count(*) AS n FROM term", NULL, 0, &rows,
                          err)))
        return rc;
    return rowlock_on_commit(b, count, arg, err);
}

static void
test_no_memory__at_any_allocation_leaves_nothing_half_done(void **state)
{
    (void)state;
    rowlock_db *db = start();
    rowlock_error err;
    int committed = 0, rc = 1;
    for (int n = 0; rc; n++) {
        assert_true(n < 10000);
        rlk_scarce_begin_once(n);
        rc = rowlock_atomic(db, everything, &committed, &err);
        rlk_scarce_end();
        if (rc && rc != ROWLOCK_NO_MEMORY)
            fail_msg("allocation %d: %s %s", n, err.sqlstate, err.message);
        assert_int_equal(number("SELECT count(*) FROM term"), rc ? 0 : 1);
        assert_int_equal(committed, rc ? 0 : 1);
    }
    assert_int_equal(number("SELECT rank FROM term WHERE slug = 'renamed'"),
                     60);
    rowlock_close(db);
    folder_done(&folder);
}

/* ---- SQLite's calls to the system ---- */

static long calls_left; /* until one fails; -1: none does */
static bool for_ever;   /* and all after it */
static enum vfs_op failed_op;

static int
fail_when_due(enum vfs_op op, const char *file)
{
    (void)file;
    if (calls_left < 0 || calls_left-- > 0)
        return 0;
    failed_op = op;
    calls_left = for_ever ? 0 : -1;
    return vfs_error(op);
}

/* A second block, in the state that the first one left. */
static int
rename_all(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    const rowlock_pair slug = {"slug", rowlock_text("second")};
    (void)arg;
    q.table = "term";
    return rowlock_update_where(b, &q, &slug, 1, NULL, err);
}

struct tried {
    int opened, first, second;
    bool poisoned;     /* afterwards nobody writes */
    rowlock_error err; /* of the last that failed */
};

static struct {
    int opened, first, second, poisoned;
} failures;

/* One that failed at the disk, with what it wrote there to be seen. */
static int
run(rowlock_db *db, rowlock_body *body, int *committed, rowlock_error *err)
{
    int rc = rowlock_atomic(db, body, committed, err);
    return rc && strstr(err->message, "committed, but") ? 0 : rc;
}

/* After a failed write or flush; answers whether it was so. */
static bool
cure(void)
{
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    rowlock_locks *locks;
    rowlock_error err;
    o.alone = 1;
    check(rowlock_locks_open(path.text, &o, &locks, &err) == 0);
    bool poisoned = rowlock_locks_poisoned(locks, NULL) != 0;
    if (poisoned && !for_ever && failed_op != VFS_WRITE &&
        failed_op != VFS_SYNC)
        fail_msg("poisoned by a failing %s", vfs_op_name(failed_op));
    check(rowlock_locks_cure(locks, &err) == 0);
    rowlock_locks_close(locks);
    return poisoned;
}

/* What a short life does: open, two blocks, close; each may fail. */
static rowlock_db *
live(struct tried *t)
{
    rowlock_db *db = NULL;
    int committed = 0;
    *t = (struct tried){1, 1, 1, false, {0}};
    t->opened = rowlock_open(path.text, NULL, &db, &t->err) != 0;
    if (!t->opened) {
        t->first = run(db, everything, &committed, &t->err);
        t->second = run(db, rename_all, NULL, &t->err);
        t->poisoned = rowlock_durable(db, NULL) == ROWLOCK_IO;
    }
    return db;
}

/* What the two blocks leave, when they said 0 and when not: never a part. */
static void
check_state(const struct tried *t, long n)
{
    const char *wanted = !t->first && !t->second ? "1 second 60"
                         : !t->first             ? "1 renamed 60"
                                                 : "0 - -";
    char text[80];
    snprintf(text, sizeof text, "%s", plain_text());
    if (strcmp(text, wanted) != 0)
        fail_msg("call %ld (%s): there is \"%s\" where \"%s\" should be", n,
                 vfs_op_name(failed_op), text, wanted);
    assert_int_equal(number("SELECT count(*) FROM pragma_integrity_check "
                            "WHERE integrity_check <> 'ok'"),
                     0);
}

/* Answers whether nothing failed, since all calls are behind. */
static bool
fail_at(long n)
{
    struct tried t;
    rowlock_error err;
    run_plain("DELETE FROM term");
    calls_left = n;
    rowlock_db *db = live(&t);
    bool over = for_ever ? calls_left > 0 : calls_left >= 0;
    calls_left = -1;
    if (t.opened || t.first || t.second) {
        assert_string_not_equal(t.err.message, "");
        assert_string_not_equal(t.err.sqlstate, "00000");
    }
    failures.opened += t.opened;
    failures.first += t.first && !t.opened;
    failures.second += t.second && !t.opened;
    records_check_no_locks(path.text);
    check_state(&t, n);
    if (db && !t.poisoned) { /* it goes on */
        int rc = rowlock_atomic(db, rename_all, NULL, &err);
        if (rc)
            fail_msg("call %ld (%s): the session does not go on: %s: %s", n,
                     vfs_op_name(failed_op), err.message, err.detail);
    }
    rowlock_close(db);
    failures.poisoned += cure();
    return over;
}

static void
fail_each(bool from_then_on)
{
    long n = 0;
    rowlock_close(start());
    for_ever = from_then_on;
    memset(&failures, 0, sizeof failures);
    calls_left = -1;
    vfs_watch(fail_when_due);
    while (!fail_at(n))
        n++;
    vfs_watch(NULL);
    print_message("%ld calls: %d times it could not open, %d and %d times the "
                  "first and second block failed; %d times poisoned\n",
                  n, failures.opened, failures.first, failures.second,
                  failures.poisoned);
    assert_in_range(n, 50, 5000);
    assert_in_range(failures.opened, 1, n);
    assert_in_range(failures.first, 5, n);
    assert_in_range(failures.second, 5, n);
    assert_in_range(failures.poisoned, 4, n);
    folder_done(&folder);
}

static void
test_io__that_fails_once_at_any_call_leaves_all_or_nothing(void **state)
{
    (void)state;
    fail_each(false);
}

static void
test_io__that_fails_from_any_call_on_leaves_all_or_nothing(void **state)
{
    (void)state;
    fail_each(true);
}

/* ---- cancel ---- */

static int
deadlocked(rowlock_block *b, void *arg, rowlock_error *err)
{
    (void)b, (void)arg;
    memset(err, 0, sizeof *err);
    err->code = ROWLOCK_SERIALIZATION;
    return ROWLOCK_SERIALIZATION;
}

static void *
cancel_once(void *arg)
{
    rowlock_cancel(arg);
    return NULL;
}

static int
cancel_then_fail(rowlock_block *b, void *arg, rowlock_error *err)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, cancel_once, arg) == 0);
    pthread_join(thread, NULL);
    return deadlocked(b, arg, err);
}

static int
read_one(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_rows *rows;
    (void)arg;
    q.table = "term";
    q.lock = ROWLOCK_UPDATE;
    return rowlock_query_all(b, &q, &rows, err);
}

/* The cancel that comes while the body runs is the next call's that could
 * wait; the retries in between go on. */
static void
test_cancel__ends_one_call_and_leaves_the_session_usable(void **state)
{
    (void)state;
    rowlock_error err;
    rowlock_db *db = start();
    run_plain("INSERT INTO term (slug) VALUES ('a')");
    assert_int_equal(rowlock_atomic(db, cancel_then_fail, db, &err),
                     ROWLOCK_SERIALIZATION);
    assert_int_equal(rowlock_atomic(db, read_one, NULL, &err),
                     ROWLOCK_CANCELLED);
    assert_string_equal(err.sqlstate, "57014");
    assert_int_equal(rowlock_atomic(db, read_one, NULL, &err), 0);
    rowlock_close(db);
    folder_done(&folder);
}

struct canceller {
    rowlock_db *db;
    atomic_bool done;
};

static void *
cancel_until_done(void *arg)
{
    struct canceller *c = arg;
    while (!atomic_load(&c->done)) {
        rowlock_cancel(c->db);
        sched_yield();
    }
    return NULL;
}

static void
fail_for_ever(void *arg)
{
    struct canceller c = {0};
    rowlock_error err;
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    pthread_t thread;
    (void)arg;
    o.retries = INT32_MAX;
    check(rowlock_open(path.text, &o, &c.db, &err) == 0);
    check(pthread_create(&thread, NULL, cancel_until_done, &c) == 0);
    int rc = rowlock_atomic(c.db, deadlocked, NULL, &err);
    atomic_store(&c.done, true);
    pthread_join(thread, NULL);
    check(rc == ROWLOCK_CANCELLED);
    rowlock_close(c.db);
}

/* Its body never waits, so only the pause between two tries can be ended. */
static void
test_cancel__ends_the_pause_between_two_tries(void **state)
{
    (void)state;
    struct child child;
    rowlock_close(start());
    child_start(&child, fail_for_ever, NULL);
    child_end(&child);
    folder_done(&folder);
}

/* ---- fork ---- */

struct family {
    rowlock_db *db;
    rowlock_block *b;
};

static void
use_the_parents(void *arg)
{
    struct family *f = arg;
    rowlock_error err;
    check(read_one(f->b, NULL, &err) == ROWLOCK_MISUSE);
    check(rowlock_commit(f->b, &err) == ROWLOCK_MISUSE);
    rowlock_rollback(f->b);
    check(rowlock_atomic(f->db, read_one, NULL, &err) == ROWLOCK_MISUSE);
    rowlock_close(f->db);
}

static void
test_fork__child_may_only_close(void **state)
{
    (void)state;
    struct family f;
    struct child child;
    rowlock_error err;
    f.db = start();
    assert_int_equal(rowlock_begin(f.db, &f.b, &err), 0);
    assert_int_equal(bring(f.b, "r1", "a", NULL, &err), 0);
    child_start(&child, use_the_parents, &f);
    child_end(&child);
    assert_int_equal(bring(f.b, "r2", "b", NULL, &err), 0);
    assert_int_equal(rowlock_commit(f.b, &err), 0);
    assert_int_equal(number("SELECT count(*) FROM term"), 2);
    rowlock_close(f.db);
    folder_done(&folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_no_memory__at_any_allocation_leaves_nothing_half_done),
        cmocka_unit_test(
            test_io__that_fails_once_at_any_call_leaves_all_or_nothing),
        cmocka_unit_test(
            test_io__that_fails_from_any_call_on_leaves_all_or_nothing),
        cmocka_unit_test(
            test_cancel__ends_one_call_and_leaves_the_session_usable),
        cmocka_unit_test(test_cancel__ends_the_pause_between_two_tries),
        cmocka_unit_test(test_fork__child_may_only_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
