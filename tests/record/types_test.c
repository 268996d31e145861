/* SPDX-License-Identifier: MIT
 * Values through an engine and back: what is brought in twice is unchanged the
 * second time, in whatever form it comes, and what is stored is what
 * docs/values.md says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rowlock/rowlock.h"
#include "support/engine.h"

static struct database database;
static rowlock_db *db;
static rowlock_error err;

static const char schema[] =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, key TEXT UNIQUE, i BIGINT,"
    "    small SMALLINT, flag BOOLEAN, r DOUBLE PRECISION, d DECIMAL(10,2),"
    "    n NUMERIC, v VARCHAR(3), x TEXT, b BLOB, ts TIMESTAMP, dt DATETIME,"
    "    day DATE, at TIME, u UUID, j JSON, anything,"
    "    twice BIGINT GENERATED ALWAYS AS (i + 1) STORED)";

static void
start(void)
{
    database_init(&database);
    database_run(&database, schema);
    if (rowlock_open(database.url, NULL, &db, &err))
        fail_msg("%s: %s", err.message, err.detail);
}

static void
stop(void)
{
    rowlock_close(db);
    database_done(&database);
}

struct bringing {
    rowlock_pair pair;
    enum rowlock_outcome outcome;
};

static int
bring(rowlock_block *b, void *arg, rowlock_error *e)
{
    struct bringing *s = arg;
    rowlock_pair key = {"key", rowlock_text("k")};
    rowlock_key match = {&key, 1};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = "t";
    u.match = &match;
    u.n_match = 1;
    u.updating = &s->pair;
    u.n_updating = 1;
    return rowlock_update_or_create(b, &u, NULL, &s->outcome, e);
}

static enum rowlock_outcome
bring_in(const char *column, rowlock_value value)
{
    struct bringing s = {{column, value}, 0};
    if (rowlock_atomic(db, bring, &s, &err))
        fail_msg("%s: %s", err.sqlstate, err.message);
    return s.outcome;
}

/* quote(column), as SQLite itself writes it; a server stores types of its own.
 */
static void
assert_stored(const char *column, const char *want)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT quote(%s) FROM t", column);
    if (engine() == SQLITE)
        assert_string_equal(database_look(&database, sql), want);
}

static void
test_each_type__brought_in_twice_is_unchanged(void **state)
{
    (void)state;
    const struct {
        const char *column;
        rowlock_value first, again;
        const char *stored;
    } lines[] = {
        {"i", rowlock_text("-7"), rowlock_double(-7), "-7"},
        {"i", rowlock_int(INT64_MIN), rowlock_text("-9223372036854775808"),
         "-9223372036854775808"},
        {"small", rowlock_int(32767), rowlock_text("32767"), "32767"},
        {"flag", rowlock_text("true"), rowlock_int(1), "1"},
        {"r", rowlock_int(3), rowlock_text("3.0"), "3.0"},
        {"r", rowlock_double(0.1), rowlock_text("0.1"), "0.1"},
        {"d", rowlock_text("1.10"), rowlock_double(1.1), "1.1"},
        {"d", rowlock_text("5.00"), rowlock_int(5), "5"},
        {"n", rowlock_text("123456789.012345"),
         rowlock_text("123456789.0123450"), "123456789.012345"},
        {"v", rowlock_int(42), rowlock_text("42"), "'42'"},
        {"v", rowlock_text("\xC3\xA9\xC3\xA9\xC3\xA9"),
         rowlock_text("\xC3\xA9\xC3\xA9\xC3\xA9"),
         "'\xC3\xA9\xC3\xA9\xC3\xA9'"},
        {"x", rowlock_text("007"), rowlock_text("007"), "'007'"},
        {"x", rowlock_text(""), rowlock_text(""), "''"},
        {"b", rowlock_blob("a\0b", 3), rowlock_blob("a\0b", 3), "X'610062'"},
        {"ts", rowlock_text("2024-05-01T14:00:00.5+02:00"),
         rowlock_text("2024-05-01 12:00:00.500Z"),
         "'2024-05-01 12:00:00.500000'"},
        {"dt", rowlock_text("2024-05-01T12:00:00Z"),
         rowlock_text("2024-05-01T12:00"), "'2024-05-01 12:00:00'"},
        {"day", rowlock_text("2024-02-29"), rowlock_text("2024-02-29"),
         "'2024-02-29'"},
        {"at", rowlock_text("12:30"), rowlock_text("12:30:00.000"),
         "'12:30:00'"},
        {"u", rowlock_text("0F14D0AB96054A62A9E45ED26688389B"),
         rowlock_text("0f14d0ab-9605-4a62-a9e4-5ed26688389b"),
         "'0f14d0ab-9605-4a62-a9e4-5ed26688389b'"},
        {"j", rowlock_text("{\"a\": [1, 2]}"), rowlock_text("{\"a\":[1,2]}"),
         "'{\"a\": [1, 2]}'"},
        {"j", rowlock_int(7), rowlock_text(" 7 "), "7"},
        {"j", rowlock_text("1.5"), rowlock_double(1.5), "1.5"},
        {"j", rowlock_text("\"7\""), rowlock_text("\"7\""), "'\"7\"'"},
        {"anything", rowlock_text("1.10"), rowlock_text("1.10"), "'1.10'"},
        {"anything", rowlock_double(2), rowlock_double(2), "2.0"},
    };
    start();
    assert_int_equal(bring_in("i", rowlock_null()), ROWLOCK_CREATED);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(bring_in(lines[i].column, lines[i].first),
                         ROWLOCK_UPDATED);
        assert_stored(lines[i].column, lines[i].stored);
        if (bring_in(lines[i].column, lines[i].again) != ROWLOCK_UNCHANGED)
            fail_msg("line %zu: %s changed the second time", i,
                     lines[i].column);
        assert_int_equal(bring_in(lines[i].column, rowlock_null()),
                         ROWLOCK_UPDATED);
        assert_int_equal(bring_in(lines[i].column, rowlock_null()),
                         ROWLOCK_UNCHANGED);
    }
    stop();
}

/* What others stored in a form that is not ours is left as it is when it says
 * the same. */
static void
test_other_forms__of_the_same_value_are_left_alone(void **state)
{
    (void)state;
    start();
    assert_int_equal(bring_in("i", rowlock_null()), ROWLOCK_CREATED);
    database_run(&database, "UPDATE t SET ts = '2024-05-01T14:00:00+02:00', "
                            "u = '0f14d0ab96054a62a9e45ed26688389b', "
                            "i = 7.0, j = '[1,   2]'");
    assert_int_equal(bring_in("ts", rowlock_text("2024-05-01T12:00:00Z")),
                     ROWLOCK_UNCHANGED);
    assert_int_equal(
        bring_in("u", rowlock_text("0f14d0ab-9605-4a62-a9e4-5ed26688389b")),
        ROWLOCK_UNCHANGED);
    assert_int_equal(bring_in("i", rowlock_int(7)), ROWLOCK_UNCHANGED);
    assert_int_equal(bring_in("j", rowlock_text("[1,2]")), ROWLOCK_UNCHANGED);
    stop();
}

static void
test_refusals__leave_nothing_behind(void **state)
{
    (void)state;
    const struct {
        const char *column;
        rowlock_value value;
        const char *sqlstate;
    } lines[] = {
        {"i", rowlock_text("007"), "22P02"},
        {"j", rowlock_text("1.10"), "22003"},
        {"j", rowlock_text("12345678901234567890"), "22003"},
        {"flag", rowlock_int(2), "22P02"},
        {"d", rowlock_text("1.101"), "22003"},
        {"v", rowlock_text("four"), "22001"},
        {"x", rowlock_text("\xFF"), "22021"},
        {"ts", rowlock_text("2023-02-29T00:00:00Z"), "22008"},
        {"day", rowlock_text("tomorrow"), "22007"},
        {"j", rowlock_text("{"), "22P02"},
        {"twice", rowlock_int(1), "0A000"},
        {"nosuch", rowlock_int(1), "42703"},
    };
    start();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct bringing s = {{lines[i].column, lines[i].value}, 0};
        if (rowlock_atomic(db, bring, &s, &err) == 0)
            fail_msg("%s took line %zu", lines[i].column, i);
        assert_string_equal(err.sqlstate, lines[i].sqlstate);
    }
    assert_int_equal(bring_in("i", rowlock_int(1)), ROWLOCK_CREATED);
    stop();
}

/* A server's types have one form each. */
static const struct CMUnitTest on_sqlite[] = {
    cmocka_unit_test(test_other_forms__of_the_same_value_are_left_alone),
};

static const struct CMUnitTest everywhere[] = {
    cmocka_unit_test(test_each_type__brought_in_twice_is_unchanged),
    cmocka_unit_test(test_refusals__leave_nothing_behind),
};

int
main(void)
{
    int failed = cmocka_run_group_tests(everywhere, NULL, NULL);
    if (engine() == SQLITE)
        failed += cmocka_run_group_tests(on_sqlite, NULL, NULL);
    return failed;
}
