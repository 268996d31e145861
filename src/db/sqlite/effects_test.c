/* SPDX-License-Identifier: MIT
 * What a write changes besides its record, and what a program without locks
 * changes under it: cascades, triggers, REPLACE, strangers. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "conn.h"

static struct fixture f;
static struct rlk_conn *a, *b;

#define ID(n) rowlock_int(n)

static void
open_both(const char *schema)
{
    fixture_init(&f, schema);
    a = connect_to(&f);
    b = connect_to(&f);
    begin(a);
    begin(b);
}

static void
close_both(void)
{
    hang_up(a);
    hang_up(b);
    fixture_done(&f);
}

/* ---- records that others hold ---- */

static const char family[] =
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id REFERENCES parent "
    "ON DELETE CASCADE, name TEXT);"
    "CREATE TABLE other (id INTEGER PRIMARY KEY, parent_id REFERENCES parent "
    "ON DELETE SET NULL);"
    "INSERT INTO parent VALUES (1, 'p'), (2, 'q');"
    "INSERT INTO child VALUES (1, 1, 'c'), (2, 2, 'd');"
    "INSERT INTO other VALUES (1, 1), (2, 2)";

static void
test_cascade__is_refused_a_record_that_another_holds(void **state)
{
    (void)state;
    open_both(family);
    assert_int_equal(fetch(b, "child", ID(1), ROWLOCK_SHARE, 0, 1), 0);
    assert_int_equal(fetch(a, "parent", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(drop(a, "parent", 0, ROWLOCK_NOWAIT),
                     ROWLOCK_NOT_AVAILABLE);
    a->driver->rollback_to(a, 0);
    rollback(b);
    assert_int_equal(drop(a, "parent", 0, ROWLOCK_NOWAIT), 0);
    assert_int_equal(mode_of(a, "child", ID(1)), ROWLOCK_UPDATE);
    assert_int_equal(mode_of(a, "other", ID(1)), ROWLOCK_NO_KEY_UPDATE);
    assert_int_equal(mode_of(a, "child", ID(2)), ROWLOCK_READ);
    commit(a);
    assert_string_equal(look(&f, "SELECT * FROM child"), "2|2|d");
    assert_string_equal(look(&f, "SELECT * FROM other"), "1|NULL 2|2");
    close_both();
}

static void
test_trigger__is_refused_a_record_that_another_holds(void **state)
{
    (void)state;
    open_both("CREATE TABLE item (id INTEGER PRIMARY KEY, n);"
              "CREATE TABLE total (name TEXT PRIMARY KEY, n);"
              "CREATE TABLE log (n);" /* no key: its records have no name */
              "CREATE TRIGGER t AFTER INSERT ON item BEGIN "
              "UPDATE total SET n = n + new.n WHERE name = 'all';"
              "INSERT INTO log VALUES (new.n); END;"
              "INSERT INTO total VALUES ('all', 0)");
    rowlock_value five = ID(5);
    assert_int_equal(
        fetch(b, "total", rowlock_text("all"), ROWLOCK_NO_KEY_UPDATE, 0, 1), 0);
    assert_int_equal(create(a, "item", "n", &five, ROWLOCK_NOWAIT, 0),
                     ROWLOCK_NOT_AVAILABLE);
    a->driver->rollback_to(a, 0);
    commit(b);
    assert_int_equal(create(a, "item", "n", &five, ROWLOCK_NOWAIT, 0), 0);
    commit(a);
    assert_string_equal(look(&f, "SELECT n FROM total"), "5");
    assert_string_equal(look(&f, "SELECT n FROM log"), "5");
    close_both();
}

static void
test_replace__is_refused_a_victim_that_another_holds(void **state)
{
    (void)state;
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, slug TEXT UNIQUE ON "
              "CONFLICT REPLACE);"
              "INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    rowlock_value slug = rowlock_text("a");
    assert_int_equal(fetch(b, "t", ID(1), ROWLOCK_KEY_SHARE, 0, 1), 0);
    assert_int_equal(create(a, "t", "slug", &slug, ROWLOCK_NOWAIT, 0),
                     ROWLOCK_NOT_AVAILABLE);
    a->driver->rollback_to(a, 0);
    assert_int_equal(fetch(a, "t", ID(2), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "t", 0, "slug", slug, ROWLOCK_NOWAIT),
                     ROWLOCK_NOT_AVAILABLE);
    a->driver->rollback_to(a, 0);
    commit(b);
    assert_int_equal(create(a, "t", "slug", &slug, ROWLOCK_NOWAIT, 0), 0);
    commit(a);
    assert_string_equal(look(&f, "SELECT * FROM t"), "2|b 3|a");
    close_both();
}

/* ---- foreign keys ---- */

static void
test_foreign_key__locks_its_parent_against_its_end(void **state)
{
    (void)state;
    open_both(family);
    rowlock_value to_one = ID(1);
    assert_int_equal(fetch(b, "parent", ID(1), ROWLOCK_UPDATE, 0, 1), 0);
    assert_int_equal(
        create(a, "child", "parent_id", &to_one, ROWLOCK_NOWAIT, 0),
        ROWLOCK_NOT_AVAILABLE);
    a->driver->rollback_to(a, 0);
    rollback(b);
    begin(b);
    assert_int_equal(fetch(b, "parent", ID(1), ROWLOCK_NO_KEY_UPDATE, 0, 1), 0);
    assert_int_equal(
        create(a, "child", "parent_id", &to_one, ROWLOCK_NOWAIT, 0), 0);
    assert_int_equal(mode_of(a, "parent", ID(1)), ROWLOCK_KEY_SHARE);
    assert_int_equal(save(a, "child", 0, "parent_id", ID(2), ROWLOCK_NOWAIT),
                     0);
    assert_int_equal(mode_of(a, "parent", ID(2)), ROWLOCK_KEY_SHARE);
    close_both();
}

static void
test_foreign_key__finds_a_parent_spelled_otherwise(void **state)
{
    (void)state;
    open_both("CREATE TABLE lang (id INTEGER PRIMARY KEY, code TEXT COLLATE "
              "NOCASE UNIQUE);"
              "CREATE TABLE word (id INTEGER PRIMARY KEY, lang TEXT "
              "REFERENCES lang (code));"
              "CREATE TABLE site (name TEXT COLLATE NOCASE PRIMARY KEY);"
              "CREATE TABLE page (id INTEGER PRIMARY KEY, site TEXT "
              "REFERENCES site);"
              "INSERT INTO lang VALUES (7, 'EN');"
              "INSERT INTO site VALUES ('Main')");
    rowlock_value code = rowlock_text("en"), site = rowlock_text("MAIN");
    assert_int_equal(create(a, "word", "lang", &code, 0, 0), 0);
    assert_int_equal(mode_of(a, "lang", ID(7)), ROWLOCK_KEY_SHARE);
    assert_int_equal(create(a, "page", "site", &site, 0, 0), 0);
    assert_int_equal(mode_of(a, "site", rowlock_text("Main")),
                     ROWLOCK_KEY_SHARE);
    close_both();
}

static void
test_foreign_key__checked_at_commit_fails_the_whole_block(void **state)
{
    (void)state;
    open_both("CREATE TABLE p (id INTEGER PRIMARY KEY);"
              "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p "
              "DEFERRABLE INITIALLY DEFERRED); INSERT INTO p VALUES (1)");
    rowlock_value missing = ID(9);
    assert_int_equal(create(a, "c", "p", &missing, 0, 0), 0);
    assert_int_equal(a->driver->commit(a, &last), ROWLOCK_CONSTRAINT);
    assert_string_equal(last.sqlstate, "23503");
    assert_string_equal(look(&f, "SELECT count(*) FROM c"), "0");
    assert_int_equal(b->driver->start_write(b, ROWLOCK_NOWAIT, &last), 0);
    begin(a); /* a session like new */
    close_both();
}

static void
test_foreign_key__left_to_the_commit_can_be_checked_before(void **state)
{
    (void)state;
    open_both("CREATE TABLE p (id INTEGER PRIMARY KEY);"
              "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p "
              "DEFERRABLE INITIALLY DEFERRED); INSERT INTO p VALUES (1)");
    rowlock_value missing = ID(9), there = ID(1);
    assert_int_equal(create(a, "c", "p", &there, 0, 0), 0);
    assert_int_equal(a->driver->check_deferred(a, &last), 0);
    assert_int_equal(a->driver->savepoint(a, 1, &last), 0);
    assert_int_equal(create(a, "c", "p", &missing, 0, 0), 0);
    assert_int_equal(a->driver->check_deferred(a, &last), ROWLOCK_CONSTRAINT);
    assert_string_equal(last.sqlstate, "23503");
    assert_string_equal(last.detail, "Key (p) is not present in table \"p\".");
    a->driver->rollback_to(a, 1);
    assert_int_equal(a->driver->check_deferred(a, &last), 0);
    assert_int_equal(create(a, "c", "p", &missing, 0, 0), 0);
    assert_int_equal(create(a, "p", "id", &missing, 0, 0), 0);
    assert_int_equal(a->driver->check_deferred(a, &last), 0);
    assert_int_equal(a->driver->commit(a, &last), 0);
    assert_string_equal(look(&f, "SELECT p FROM c"), "1 9");
    begin(a);
    close_both();
}

static void
test_foreign_key__that_restricts_keeps_its_parent(void **state)
{
    (void)state;
    open_both("CREATE TABLE p (id INTEGER PRIMARY KEY);"
              "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p);"
              "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)");
    assert_int_equal(fetch(a, "p", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(drop(a, "p", 0, 0), ROWLOCK_CONSTRAINT);
    assert_non_null(strstr(last.detail, "still referenced"));
    close_both();
}

/* ---- own changes ---- */

static void
test_own_trigger__is_no_stranger(void **state)
{
    (void)state;
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, changes INT "
              "DEFAULT 0);"
              "CREATE TRIGGER tr AFTER UPDATE OF n ON t BEGIN UPDATE t SET "
              "changes = changes + 1 WHERE id = new.id; END;"
              "INSERT INTO t VALUES (1, 1, 0)");
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 1), 0);
    assert_int_equal(save(a, "t", 0, "n", ID(2), 0), 0);
    assert_string_equal(seen(0), "1|2|1");
    assert_int_equal(save(a, "t", 0, "n", ID(3), 0), 0);
    /* Another copy of the record, read before. */
    assert_int_equal(save(a, "t", 1, "n", ID(4), 0), 0);
    assert_string_equal(seen(1), "1|4|3");
    commit(a);
    close_both();
}

static void
test_own_cascade__is_no_stranger(void **state)
{
    (void)state;
    open_both(family);
    assert_int_equal(fetch(a, "child", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(fetch(a, "other", ID(1), ROWLOCK_UPDATE, 0, 1), 0);
    assert_int_equal(fetch(a, "parent", ID(1), ROWLOCK_UPDATE, 0, 2), 0);
    assert_int_equal(drop(a, "parent", 2, 0), 0);
    assert_int_equal(save(a, "other", 1, "parent_id", ID(2), 0), 0);
    assert_int_equal(save(a, "child", 0, "name", rowlock_text("x"), 0),
                     ROWLOCK_MISUSE);
    assert_non_null(strstr(last.message, "deleted earlier in this block"));
    commit(a);
    assert_string_equal(look(&f, "SELECT * FROM other"), "1|2 2|2");
    close_both();
}

/* ---- strangers ---- */

static void
expect_stranger(int rc)
{
    assert_int_equal(rc, ROWLOCK_SERIALIZATION);
    assert_string_equal(last.sqlstate, "40001");
    assert_string_equal(last.detail, "The record was changed by a program that "
                                     "does not take record locks.");
    rollback(a);
    begin(a);
}

/* After each change by a stranger the save is refused. */
static void
refuse_each_change(const char *as_read)
{
    static const char *const changes[] = {
        "UPDATE t SET n = 2",        "UPDATE t SET n = NULL",
        "UPDATE t SET any = '7'",    "UPDATE t SET any = 7.0",
        "UPDATE t SET any = x'37'",  "DELETE FROM t",
        "UPDATE t SET s = s || ' '", "UPDATE t SET r = 1.5",
        "UPDATE t SET added = NULL", "UPDATE t SET added = 'x'",
        "UPDATE t SET s = upper(s)", "UPDATE t SET id = 2",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
        assert_string_equal(seen(0), as_read);
        stranger(&f, changes[i]);
        expect_stranger(save(a, "t", 0, "n", ID(9), 0));
        stranger(&f, "DELETE FROM t; INSERT INTO t (id, n, any, s, r) "
                     "VALUES (1, 1, 7, 'x', 1)");
    }
}

static void
test_stranger__between_locked_read_and_save_is_noticed(void **state)
{
    (void)state;
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, any, s TEXT "
              "COLLATE NOCASE, r REAL);"
              "INSERT INTO t (n, any, s, r) VALUES (1, 7, 'x', 1);"
              "ALTER TABLE t ADD COLUMN added TEXT DEFAULT 5");
    refuse_each_change("1|1|7|x|1.0|5");
    close_both();
}

static void
test_stranger__is_noticed_beside_computed_columns(void **state)
{
    (void)state;
    open_both("CREATE TABLE t (g AS (n + 1), id INTEGER PRIMARY KEY, n INT, "
              "any, s TEXT COLLATE NOCASE, r REAL);"
              "INSERT INTO t (n, any, s, r) VALUES (1, 7, 'x', 1);"
              "ALTER TABLE t ADD COLUMN added TEXT DEFAULT 5");
    refuse_each_change("2|1|1|7|x|1.0|5");
    close_both();
}

static void
test_row_older_than_a_column__is_saved_and_deleted(void **state)
{
    (void)state;
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, n INT);"
              "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);"
              "ALTER TABLE t ADD COLUMN a NUMERIC DEFAULT '5';"
              "ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'x'");
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "t", 0, "n", ID(9), 0), 0);
    assert_int_equal(save(a, "t", 0, "n", ID(8), 0), 0);
    assert_int_equal(fetch(a, "t", ID(2), ROWLOCK_UPDATE, 0, 1), 0);
    assert_int_equal(save(a, "t", 1, "b", rowlock_text("y"), 0), 0);
    assert_int_equal(fetch(a, "t", ID(3), ROWLOCK_UPDATE, 0, 2), 0);
    assert_int_equal(drop(a, "t", 2, 0), 0);
    commit(a);
    assert_string_equal(look(&f, "SELECT * FROM t"), "1|8|5|x 2|2|5|y");
    begin(a);
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    stranger(&f, "UPDATE t SET b = NULL WHERE id = 1");
    expect_stranger(drop(a, "t", 0, 0));
    assert_int_equal(fetch(a, "t", ID(2), ROWLOCK_UPDATE, 0, 0), 0);
    stranger(&f, "UPDATE t SET a = NULL WHERE id = 2");
    expect_stranger(save(a, "t", 0, "a", ID(6), 0));
    close_both();
}

static void
test_computed_columns__are_read_back_and_not_compared(void **state)
{
    (void)state;
    open_both("CREATE TABLE t (g1 INT AS (n + 1), id INTEGER PRIMARY KEY, "
              "n INT, g2 INT AS (n + 2) STORED, s TEXT);"
              "INSERT INTO t (id, n, s) VALUES (1, 1, 'a');"
              "CREATE TABLE w (g AS (n + 1), k TEXT PRIMARY KEY, n REAL) "
              "WITHOUT ROWID; INSERT INTO w (k, n) VALUES ('a', 3)");
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "t", 0, "n", ID(5), 0), 0);
    assert_string_equal(seen(0), "6|1|5|7|a");
    assert_int_equal(save(a, "t", 0, "s", rowlock_text("b"), 0), 0);
    assert_int_equal(drop(a, "t", 0, 0), 0);
    assert_int_equal(fetch(a, "w", rowlock_text("a"), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "w", 0, "n", rowlock_double(4), 0), 0);
    assert_string_equal(seen(0), "5.0|a|4.0");
    assert_int_equal(save(a, "w", 0, "k", rowlock_text("b"), 0), 0);
    assert_int_equal(save(a, "w", 0, "n", rowlock_double(5), 0), 0);
    rowlock_value v[] = {rowlock_text("c"), rowlock_double(1)};
    assert_int_equal(create(a, "w", "k,n", v, 0, 1), 0);
    assert_int_equal(mode_of(a, "w", v[0]), ROWLOCK_UPDATE);
    commit(a);
    assert_string_equal(look(&f, "SELECT k, n FROM w"), "b|5.0 c|1.0");
    close_both();
}

/* ---- writes that SQLite ignores or ends ---- */

static void
test_write_that_the_schema_ignores__is_an_error(void **state)
{
    (void)state;
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, s UNIQUE ON CONFLICT "
              "IGNORE); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    rowlock_value v = rowlock_text("a");
    assert_int_equal(create(a, "t", "s", &v, 0, 0), ROWLOCK_CONSTRAINT);
    a->driver->rollback_to(a, 0);
    assert_int_equal(fetch(a, "t", ID(2), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "t", 0, "s", v, 0), ROWLOCK_CONSTRAINT);
    assert_string_equal(last.message, "the write was ignored");
    close_both();
}

static void
expect_lost(void)
{
    a->driver->rollback_to(a, 1);
    assert_true(a->driver->transaction_lost(a));
    assert_int_equal(save(a, "t", 0, "n", ID(7), 0), ROWLOCK_ABORTED);
    assert_int_equal(a->driver->commit(a, &last), ROWLOCK_ABORTED);
    assert_string_equal(look(&f, "SELECT n FROM t"), "1 2 3");
    begin(a);
    assert_false(a->driver->transaction_lost(a));
    assert_int_equal(mode_of(a, "t", ID(1)), ROWLOCK_READ);
    stranger(&f, "UPDATE t SET n = n"); /* neither slot nor SQLite's lock */
    assert_int_equal(b->driver->start_write(b, ROWLOCK_NOWAIT, &last), 0);
}

static const char numbers[] = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT);"
                              "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);";

static void
test_transaction_that_sqlite_ends__fails_every_level(void **state)
{
    (void)state;
    open_both(numbers);
    stranger(&f, "CREATE TRIGGER tr AFTER UPDATE ON t WHEN new.n = 99 "
                 "BEGIN SELECT RAISE(ROLLBACK, 'no'); END");
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "t", 0, "n", ID(5), 0), 0);
    savepoint(a, 1);
    assert_int_equal(save(a, "t", 0, "n", ID(99), 0), ROWLOCK_CONSTRAINT);
    expect_lost();
    close_both();
}

static int
interrupt(void *arg)
{
    int *left = arg;
    return (*left)-- <= 0;
}

static void
test_interrupted_write__fails_every_level(void **state)
{
    (void)state;
    int left = 3;
    open_both(numbers);
    stranger(&f, "CREATE TABLE u (id INTEGER PRIMARY KEY, n INT);"
                 "CREATE TRIGGER tr AFTER UPDATE ON t WHEN new.n = 99 "
                 "BEGIN INSERT INTO u (n) WITH RECURSIVE r(i) AS (SELECT 1 "
                 "UNION ALL SELECT i + 1 FROM r WHERE i < 9999) SELECT i FROM "
                 "r; END");
    assert_int_equal(fetch(a, "t", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "t", 0, "n", ID(5), 0), 0);
    savepoint(a, 1);
    assert_int_equal(save(a, "t", 0, "n", ID(6), 0), 0);
    sqlite3_progress_handler(rlk_sqlite_of(a)->db, 1000, interrupt, &left);
    assert_int_equal(save(a, "t", 0, "n", ID(99), 0), ROWLOCK_CANCELLED);
    sqlite3_progress_handler(rlk_sqlite_of(a)->db, 0, NULL, NULL);
    expect_lost();
    close_both();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cascade__is_refused_a_record_that_another_holds),
        TEST(test_trigger__is_refused_a_record_that_another_holds),
        TEST(test_replace__is_refused_a_victim_that_another_holds),
        TEST(test_foreign_key__locks_its_parent_against_its_end),
        TEST(test_foreign_key__finds_a_parent_spelled_otherwise),
        TEST(test_foreign_key__checked_at_commit_fails_the_whole_block),
        TEST(test_foreign_key__left_to_the_commit_can_be_checked_before),
        TEST(test_foreign_key__that_restricts_keeps_its_parent),
        TEST(test_own_trigger__is_no_stranger),
        TEST(test_own_cascade__is_no_stranger),
        TEST(test_stranger__between_locked_read_and_save_is_noticed),
        TEST(test_stranger__is_noticed_beside_computed_columns),
        TEST(test_row_older_than_a_column__is_saved_and_deleted),
        TEST(test_computed_columns__are_read_back_and_not_compared),
        TEST(test_write_that_the_schema_ignores__is_an_error),
        TEST(test_transaction_that_sqlite_ends__fails_every_level),
        TEST(test_interrupted_write__fails_every_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
