/* SPDX-License-Identifier: MIT
 * Calls that fail under the driver: the n-th allocation, a full database, a
 * file that may not grow. Nothing is half-written, nothing stays locked, and
 * the session goes on. */
#include "fixture.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/scarce.h"
#include "conn.h"

static struct fixture f;

#define ID(n) rowlock_int(n)

static const char schema[] =
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
    "CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE "
    "CASCADE, s TEXT);"
    "INSERT INTO parent VALUES (1, 'a'), (2, 'b');"
    "INSERT INTO child VALUES (1, 1, 'x'), (2, 2, 'y')";

/* ---- memory ---- */

/* One block of everything; the first error ends it. */
static int
work(struct rlk_conn *c)
{
    const struct rlk_table *t;
    const struct rlk_driver *d = c->driver;
    RLK_TRY(d->table(c, "child", &t, &last));
    rowlock_value v = ID(3), text = rowlock_text("z");
    struct rlk_term term = {0, ROWLOCK_LT, &v, 1};
    struct rlk_select q = {.table = t,
                           .where = &term,
                           .n_where = 1,
                           .limit = 1,
                           .lock = ROWLOCK_UPDATE};
    struct rlk_set key = {2, rowlock_text("y")},
                   set[] = {{1, ID(2)}, {2, text}};
    struct rlk_match match = {&key, 1};
    int found;
    rlk_rows_done(kept(0));
    RLK_TRY(d->select(c, &q, kept(0), &last));
    RLK_TRY(d->lock_keys(c, t, &match, 1, 0, &last));
    rlk_rows_done(kept(1));
    RLK_TRY(d->lookup(c, t, &match, 1, kept(1), &found, &last));
    rlk_rows_done(kept(2));
    RLK_TRY(d->update(c, t, &kept(0)->rows[0], set, 2, 0, kept(2), &last));
    RLK_TRY(d->savepoint(c, 1, &last));
    rlk_rows_done(kept(3));
    RLK_TRY(d->insert(c, t, set, 2, 0, kept(3), &last));
    RLK_TRY(d->release(c, 1, &last));
    RLK_TRY(d->remove(c, t, &kept(3)->rows[0], 0, &last));
    rlk_sqlite_suspend(rlk_sqlite_of(c)); /* as for a wait */
    rlk_rows_done(kept(4));
    return d->sql(c, "SELECT count(*) FROM child", NULL, 0, kept(4), &last);
}

/* Answers whether it went through. */
static bool
try_with(long n)
{
    struct rlk_conn *c;
    struct rlk_open o = {.target = f.path.text};
    rlk_scarce_begin(n);
    int rc = rlk_sqlite_driver.open(&o, &c, &last);
    if (rc) {
        rlk_scarce_end();
        check(rc == ROWLOCK_NO_MEMORY);
        return false;
    }
    rc = c->driver->begin(c, &last);
    if (!rc && (rc = work(c)) == 0)
        rc = c->driver->commit(c, &last);
    check(rc == 0 || rc == ROWLOCK_NO_MEMORY);
    if (rc)
        rollback(c);
    rlk_scarce_end();
    begin(c); /* the session goes on */
    check(fetch(c, "child", ID(2), ROWLOCK_UPDATE, ROWLOCK_NOWAIT, 5) == 0);
    if (save(c, "child", 5, "s", rowlock_text("y"), 0))
        support_fail("%ld: %s %s", n, last.message, last.detail);
    commit(c);
    hang_up(c);
    return rc == 0;
}

static void
test_memory__that_runs_out_at_any_call_leaves_nothing(void **state)
{
    (void)state;
    fixture_init(&f, schema);
    long n = 0;
    while (!try_with(n)) {
        assert_string_equal(look(&f, "SELECT * FROM child"), "1|1|x 2|2|y");
        n++;
        assert_true(n < 10000);
    }
    assert_true(n > 20);
    assert_string_equal(look(&f, "SELECT * FROM child"), "1|2|z 2|2|y");
    fixture_done(&f);
}

/* ---- the disk ---- */

static void
test_full_database__is_said_and_leaves_nothing(void **state)
{
    (void)state;
    static char large[200000];
    memset(large, 'x', sizeof large - 1);
    fixture_init(&f, schema);
    struct rlk_conn *a = connect_to(&f);
    check(sqlite3_exec(rlk_sqlite_of(a)->db, "PRAGMA max_page_count=20", NULL,
                       NULL, NULL) == SQLITE_OK);
    begin(a);
    assert_int_equal(fetch(a, "child", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "child", 0, "s", rowlock_text("new"), 0), 0);
    assert_int_equal(save(a, "child", 0, "s", rowlock_text(large), 0),
                     ROWLOCK_IO);
    assert_string_equal(last.sqlstate, "53100");
    a->driver->rollback_to(a, 0);
    rollback(a);
    assert_string_equal(look(&f, "SELECT s FROM child"), "x y");
    begin(a);
    assert_int_equal(fetch(a, "child", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "child", 0, "s", rowlock_text("new"), 0), 0);
    commit(a);
    hang_up(a);
    fixture_done(&f);
}

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* The -wal file may not grow: at the n-th write of a block, or its commit. */
static void
write_until_refused(void *arg)
{
    static char large[300000];
    (void)arg;
    memset(large, 'x', sizeof large - 1);
    signal(SIGXFSZ, SIG_IGN);
    struct rlk_conn *a = connect_to(&f);
    for (rlim_t bytes = 4096; bytes < 290000; bytes += 40000) {
        begin(a);
        check(fetch(a, "child", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
        limit_files(bytes);
        int rc = save(a, "child", 0, "s", rowlock_text(large), 0);
        if (!rc)
            rc = a->driver->commit(a, &last);
        else
            rollback(a);
        limit_files(RLIM_INFINITY);
        check(rc == ROWLOCK_IO);
        check(strstr(last.context, f.path.text)); /* which file */
        check(last.sys_errno == 0 || strstr(last.detail, "system says"));
        check(strcmp(look(&f, "SELECT s FROM child"), "x y") == 0);
    }
    begin(a);
    check(fetch(a, "child", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    check(save(a, "child", 0, "s", rowlock_text("new"), 0) == 0);
    commit(a);
    hang_up(a);
}

static void
test_file_that_cannot_grow__fails_the_block_whole(void **state)
{
    (void)state;
    struct child c;
    fixture_init(&f, schema);
    child_start(&c, write_until_refused, NULL);
    child_end(&c);
    assert_string_equal(look(&f, "SELECT s FROM child"), "new y");
    fixture_done(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_memory__that_runs_out_at_any_call_leaves_nothing),
        TEST(test_full_database__is_said_and_leaves_nothing),
        TEST(test_file_that_cannot_grow__fails_the_block_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
