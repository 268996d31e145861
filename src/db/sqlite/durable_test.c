/* SPDX-License-Identifier: MIT
 * Commits and the disk: who flushes and when, what a failure ends, how long the
 * WAL gets. (What a power cut leaves is in tests/power.) */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "conn.h"

static struct fixture f;

#define ID(n) rowlock_int(n)

static const char schema[] = "CREATE TABLE t (id INTEGER PRIMARY KEY, s);"
                             "INSERT INTO t VALUES (1, 'x'), (2, 'y')";

static int
set_up(void **state)
{
    (void)state;
    fixture_init(&f, schema);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_done(&f);
    return 0;
}

static uint64_t
flushes(struct rlk_conn *c)
{
    rowlock_lock_counters now = ROWLOCK_LOCK_COUNTERS_INIT;
    assert_int_equal(
        rowlock_locks_counters(rlk_sqlite_of(c)->locks, &now, NULL), 0);
    return now.flushes;
}

static int
try_to_change(struct rlk_conn *c, int64_t id, const char *text)
{
    begin(c);
    int rc = fetch(c, "t", ID(id), ROWLOCK_UPDATE, 0, 0);
    if (!rc)
        rc = save(c, "t", 0, "s", rowlock_text(text), 0);
    if (!rc)
        return c->driver->commit(c, &last);
    rollback(c);
    return rc;
}

static void
change(struct rlk_conn *c, int64_t id, const char *text)
{
    if (try_to_change(c, id, text))
        support_fail("%s: %s", last.message, last.detail);
}

static struct rlk_conn *
connect_relaxed(void)
{
    struct rlk_conn *c;
    const struct rlk_open o = {.target = f.path.text, .relaxed = true};
    assert_int_equal(rlk_sqlite_driver.open(&o, &c, &last), 0);
    return c;
}

/* ---- who flushes ---- */

static void
test_commit__that_wrote_is_flushed_once_and_others_not(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_to(&f);
    change(c, 1, "a");
    assert_int_equal(flushes(c), 1);
    begin(c);
    assert_int_equal(fetch(c, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    commit(c);
    begin(c);
    rollback(c);
    assert_int_equal(flushes(c), 1);
    change(c, 1, "b");
    assert_int_equal(flushes(c), 2);
    hang_up(c);
}

static void
test_relaxed__flushes_at_the_end_of_the_session_only(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_relaxed(), *other = connect_to(&f);
    for (int i = 0; i < 5; i++)
        change(c, 1, "a");
    assert_int_equal(flushes(other), 0);
    hang_up(c);
    assert_int_equal(flushes(other), 1);
    hang_up(other);
}

static void
test_durable__flushes_what_others_committed(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_relaxed(), *reader = connect_to(&f);
    change(c, 1, "a");
    assert_int_equal(reader->driver->durable(reader, &last), 0);
    assert_int_equal(flushes(c), 1);
    hang_up(reader);
    hang_up(c);
}

static void
test_durable__works_in_a_session_that_has_read_nothing(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_to(&f);
    assert_int_equal(c->driver->durable(c, &last), 0);
    hang_up(c);
}

/* ---- failures ---- */

static void
poison(struct rlk_conn *c)
{
    rowlock_locks_poison(rlk_sqlite_of(c)->locks);
}

static void
test_poison__ends_writes_but_not_reads(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_to(&f), *other = connect_to(&f);
    poison(other);
    assert_int_equal(try_to_change(c, 1, "a"), ROWLOCK_IO);
    assert_string_equal(last.message, "the database's disk has failed");
    assert_non_null(strstr(last.hint, "doctor --repair"));
    begin(c);
    assert_int_equal(fetch(c, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_string_equal(seen(0), "1|x");
    commit(c);
    assert_int_equal(c->driver->durable(c, &last), ROWLOCK_IO);
    hang_up(c);
    hang_up(other);
}

/* The flush of others failed between COMMIT and ours. */
static void
test_commit__that_may_be_lost_says_that_it_is_committed(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_to(&f);
    begin(c);
    assert_int_equal(fetch(c, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(c, "t", 0, "s", rowlock_text("a"), 0), 0);
    poison(c);
    assert_int_equal(c->driver->commit(c, &last), ROWLOCK_IO);
    assert_string_equal(last.message, "committed, but it may not be on disk");
    assert_non_null(strstr(last.detail, "disk has failed"));
    assert_string_equal(look(&f, "SELECT s FROM t"), "a y");
    assert_int_equal(mode_of(c, "t", ID(1)), ROWLOCK_READ);
    hang_up(c);
}

static int64_t
wal_bytes(void)
{
    struct stat st;
    char path[1200];
    snprintf(path, sizeof path, "%s-wal", f.path.text);
    return stat(path, &st) ? -1 : st.st_size;
}

static void
test_poison__keeps_the_wal_when_the_last_session_closes(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_to(&f);
    change(c, 1, "a");
    poison(c);
    hang_up(c);
    assert_true(wal_bytes() > 0);
}

/* ---- moments ---- */

static bool
moment_stays(struct rlk_sqlite *c, struct rlk_sqlite_moment *m)
{
    const struct rlk_sqlite_moment before = *m;
    *m = rlk_sqlite_moment(c);
    return rlk_sqlite_same_moment(&before, m);
}

static void
test_moment__tells_whether_anybody_has_committed(void **state)
{
    (void)state;
    struct rlk_conn *a = connect_to(&f), *b = connect_to(&f);
    struct rlk_sqlite *c = rlk_sqlite_of(a);
    change(a, 1, "a");
    struct rlk_sqlite_moment m = rlk_sqlite_moment(c);
    assert_true(moment_stays(c, &m));
    begin(a); /* a read */
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_true(moment_stays(c, &m));
    assert_int_equal(save(a, "t", 0, "s", rowlock_text("b"), 0), 0);
    rollback(a); /* of a write */
    assert_true(moment_stays(c, &m));
    change(b, 2, "c");
    assert_false(moment_stays(c, &m));
    stranger(&f, "UPDATE t SET s = 'd'");
    assert_false(moment_stays(c, &m));
    stranger(&f, "PRAGMA wal_checkpoint(RESTART); UPDATE t SET s = 'e'");
    assert_false(moment_stays(c, &m));
    hang_up(a);
    hang_up(b);
}

static void
test_moment__is_none_before_a_session_has_read(void **state)
{
    (void)state;
    sqlite3 *db;
    check(sqlite3_open(f.path.text, &db) == 0);
    struct rlk_sqlite blank = {.db = db};
    const struct rlk_sqlite_moment m = rlk_sqlite_moment(&blank);
    assert_false(rlk_sqlite_same_moment(&m, &m));
    sqlite3_close(db);
}

/* Behind own commits the schema is not asked for again; but a stranger's
 * change is seen, also one that falls between two of them. */
static void
test_moment__own_commits_hide_no_change_of_the_schema(void **state)
{
    (void)state;
    struct rlk_conn *c = connect_to(&f);
    change(c, 1, "a");
    change(c, 1, "b");
    assert_true(rlk_sqlite_of(c)->catalogue.checked_at.words[0] != 0);
    begin(c);
    assert_int_equal(fetch(c, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    stranger(&f, "ALTER TABLE t ADD more");
    assert_int_equal(save(c, "t", 0, "s", rowlock_text("c"), 0), 0);
    commit(c);
    begin(c);
    assert_int_equal(fetch(c, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_string_equal(seen(0), "1|c|NULL");
    commit(c);
    hang_up(c);
}

/* ---- how long the WAL gets ---- */

enum { FRAMES = 1000, FRAME_BYTES = 4096 + 24 };

/* A frame each, of the sessions by turns. */
static void
change_often(struct rlk_conn *a, struct rlk_conn *b, int n)
{
    for (int i = 0; i < n; i++)
        change(i % 2 ? a : b, 1, i % 2 ? "a" : "b");
}

static void
test_wal__is_emptied_by_the_commit_that_makes_it_long(void **state)
{
    (void)state;
    struct rlk_conn *a = connect_relaxed(), *b = connect_relaxed();
    change_often(a, b, 2 * FRAMES + FRAMES / 2);
    assert_true(wal_bytes() > (FRAMES - 1) * FRAME_BYTES);
    assert_true(wal_bytes() < (FRAMES + 10) * FRAME_BYTES);
    hang_up(a);
    hang_up(b);
}

static void
test_wal__that_a_reader_keeps_is_emptied_after_it(void **state)
{
    (void)state;
    sqlite3 *reader;
    struct rlk_conn *c = connect_relaxed();
    change(c, 1, "a");
    check(sqlite3_open(f.path.text, &reader) == 0);
    check(sqlite3_exec(reader, "BEGIN; SELECT * FROM t", 0, 0, 0) == 0);
    change_often(c, c, 2 * FRAMES + FRAMES / 2);
    int64_t kept_bytes = wal_bytes();
    assert_true(kept_bytes > 2 * FRAMES * FRAME_BYTES);
    check(sqlite3_exec(reader, "COMMIT", 0, 0, 0) == 0);
    change_often(c, c, 3 * FRAMES);
    assert_true(wal_bytes() < kept_bytes + FRAMES * FRAME_BYTES);
    sqlite3_close(reader);
    hang_up(c);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commit__that_wrote_is_flushed_once_and_others_not),
        TEST(test_relaxed__flushes_at_the_end_of_the_session_only),
        TEST(test_durable__flushes_what_others_committed),
        TEST(test_durable__works_in_a_session_that_has_read_nothing),
        TEST(test_poison__ends_writes_but_not_reads),
        TEST(test_commit__that_may_be_lost_says_that_it_is_committed),
        TEST(test_poison__keeps_the_wal_when_the_last_session_closes),
        TEST(test_moment__tells_whether_anybody_has_committed),
        TEST(test_moment__is_none_before_a_session_has_read),
        TEST(test_moment__own_commits_hide_no_change_of_the_schema),
        TEST(test_wal__is_emptied_by_the_commit_that_makes_it_long),
        TEST(test_wal__that_a_reader_keeps_is_emptied_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
