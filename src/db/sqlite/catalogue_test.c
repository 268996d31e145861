/* SPDX-License-Identifier: MIT
 * What the catalogue says of tables, columns and types, and when it is read
 * again. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fixture f;

static void
test_table__is_found_in_any_case_and_spelled_as_declared(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE \"My \"\"Table\" (\"Key\" TEXT PRIMARY KEY, "
                     "\"a b\" INT)");
    struct rlk_conn *c = connect_to(&f);
    const struct rlk_table *t = table_of(c, "my \"TABLE");
    assert_string_equal(t->name, "My \"Table");
    assert_string_equal(t->columns[0].name, "Key");
    begin(c);
    rowlock_value v[] = {rowlock_text("k"), rowlock_int(1)};
    assert_int_equal(create(c, "My \"table", "Key,a b", v, 0, 0), 0);
    assert_int_equal(save(c, "MY \"table", 0, "a b", rowlock_int(2), 0), 0);
    commit(c);
    assert_string_equal(look(&f, "SELECT * FROM \"My \"\"Table\""), "k|2");
    hang_up(c);
    fixture_done(&f);
}

static void
test_schema__may_use_the_engines_own_json_functions(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT NOT NULL "
                     "CHECK (JSON_VALID(j) OR j IS NULL), "
                     "a GENERATED ALWAYS AS (json_extract(j, '$.a')));"
                     "CREATE INDEX t_a ON t (json_extract(j, '$.a'))");
    struct rlk_conn *c = connect_to(&f);
    rowlock_value v[] = {rowlock_int(1), rowlock_text("{\"a\":7}")};
    begin(c);
    assert_int_equal(create(c, "t", "id,j", v, 0, 0), 0);
    commit(c);
    assert_string_equal(look(&f, "SELECT a FROM t"), "7");
    hang_up(c);
    fixture_done(&f);
}

static void
test_table__refuses_what_has_no_records_to_lock(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int code;
        const char *message;
    } cases[] = {
        {"none", ROWLOCK_UNDEFINED, "no such table: \"none\""},
        {"v", ROWLOCK_UNSUPPORTED, "\"v\" is a view, not a table"},
        {"ft", ROWLOCK_UNSUPPORTED,
         "\"ft\" is a virtual table, not an ordinary one"},
        {"ft_data", ROWLOCK_UNSUPPORTED, "\"ft_data\" is a shadow"},
        {"plain", ROWLOCK_UNSUPPORTED, "table \"plain\" has no primary key"},
        {"sqlite_schema", ROWLOCK_UNSUPPORTED, "system table"},
        {"sqlite_sequence", ROWLOCK_UNSUPPORTED, "system table"},
        {"", ROWLOCK_UNDEFINED, "no such table"},
    };
    fixture_init(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT);"
                     "CREATE VIEW v AS SELECT * FROM t;"
                     "CREATE TABLE plain (a);"
                     "CREATE VIRTUAL TABLE ft USING fts5(a)");
    struct rlk_conn *c = connect_to(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rlk_table *t;
        int rc = c->driver->table(c, cases[i].name, &t, &last);
        if (rc != cases[i].code || !strstr(last.message, cases[i].message))
            fail_msg("%s: %d %s", cases[i].name, rc, last.message);
    }
    hang_up(c);
    fixture_done(&f);
}

static void
test_type__follows_what_was_declared(void **state)
{
    (void)state;
    static const struct {
        const char *declared;
        enum rlk_column_type type;
        uint32_t length, precision, scale;
    } cases[] = {
        {"INTEGER", RLK_TYPE_INTEGER, 0, 0, 0},
        {"bigint", RLK_TYPE_INTEGER, 0, 0, 0},
        {"smallint", RLK_TYPE_INTEGER, 0, 0, 0},
        {"integer unsigned", RLK_TYPE_INTEGER, 0, 0, 0},
        {"INT(11)", RLK_TYPE_INTEGER, 0, 0, 0},
        {"bool", RLK_TYPE_BOOLEAN, 0, 0, 0},
        {"BOOLEAN", RLK_TYPE_BOOLEAN, 0, 0, 0},
        {"real", RLK_TYPE_REAL, 0, 0, 0},
        {"double  precision", RLK_TYPE_REAL, 0, 0, 0},
        {"float", RLK_TYPE_REAL, 0, 0, 0},
        {"decimal(10, 2)", RLK_TYPE_DECIMAL, 0, 10, 2},
        {"NUMERIC", RLK_TYPE_DECIMAL, 0, 0, 0},
        {"numeric(5)", RLK_TYPE_DECIMAL, 0, 5, 0},
        {"varchar(30)", RLK_TYPE_TEXT, 30, 0, 0},
        {"char(32)", RLK_TYPE_TEXT, 32, 0, 0},
        {"TEXT", RLK_TYPE_TEXT, 0, 0, 0},
        {"clob", RLK_TYPE_TEXT, 0, 0, 0},
        {"BLOB", RLK_TYPE_BLOB, 0, 0, 0},
        {"datetime", RLK_TYPE_TIMESTAMP, 0, 0, 0},
        {"timestamp with time zone", RLK_TYPE_TIMESTAMP, 0, 0, 0},
        {"timestamp(6)", RLK_TYPE_TIMESTAMP, 0, 0, 0},
        {"date", RLK_TYPE_DATE, 0, 0, 0},
        {"time", RLK_TYPE_TIME, 0, 0, 0},
        {"uuid", RLK_TYPE_UUID, 0, 0, 0},
        {"JSON", RLK_TYPE_JSON, 0, 0, 0},
        {"", RLK_TYPE_ANY, 0, 0, 0},
        {"money", RLK_TYPE_ANY, 0, 0, 0},
        {"varchar(99999999999)", RLK_TYPE_TEXT, 0, 0, 0},
        {"varchar(-1)", RLK_TYPE_TEXT, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[200];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE t (id INTEGER PRIMARY KEY, c %s)",
                 cases[i].declared);
        fixture_init(&f, sql);
        struct rlk_conn *c = connect_to(&f);
        const struct rlk_column *column = &table_of(c, "t")->columns[1];
        if (column->type != cases[i].type ||
            column->length != cases[i].length ||
            column->precision != cases[i].precision ||
            column->scale != cases[i].scale)
            fail_msg("%s: type %d, %u, %u, %u", column->declared,
                     (int)column->type, column->length, column->precision,
                     column->scale);
        hang_up(c);
        fixture_done(&f);
    }
}

static void
test_table__knows_keys_indexes_and_foreign_keys(void **state)
{
    (void)state;
    fixture_init(
        &f, "CREATE TABLE Parent (x TEXT COLLATE nocase, y INT, "
            "PRIMARY KEY (y, x));"
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT, "
            "c TEXT DEFAULT 'd' NOT NULL, px, py, g AS (b + 1) STORED, "
            "FOREIGN KEY (py, px) REFERENCES parent ON DELETE CASCADE, "
            "FOREIGN KEY (b) REFERENCES t (id));"
            "CREATE UNIQUE INDEX part ON t (b) WHERE c = 'x';"
            "CREATE UNIQUE INDEX expr ON t (b, lower(c));"
            "CREATE INDEX two ON t (c, a)");
    struct rlk_conn *c = connect_to(&f);
    const struct rlk_table *p = table_of(c, "parent");
    const struct rlk_table *t = table_of(c, "t");
    assert_int_equal(p->n_primary_key, 2);
    assert_int_equal(p->primary_key[0], 1);
    assert_string_equal(p->columns[0].collation, "NOCASE");
    assert_int_equal(t->n_columns, 7);
    assert_true(t->columns[3].not_null && t->columns[3].has_default);
    assert_true(t->columns[6].generated);
    assert_int_equal(t->n_indexes, 4);
    assert_true(t->indexes[0].unique && !t->indexes[0].partial);
    assert_int_equal(t->indexes[0].columns[0], 1);
    assert_true(t->indexes[1].unique && t->indexes[1].partial);
    assert_true(t->indexes[2].unique && t->indexes[2].partial);
    assert_int_equal(t->indexes[2].n_columns, 1);
    assert_false(t->indexes[3].unique);
    assert_int_equal(t->indexes[3].n_columns, 2);
    assert_int_equal(t->n_foreign_keys, 2);
    assert_string_equal(t->foreign_keys[0].parent, "Parent");
    assert_string_equal(t->foreign_keys[0].parent_columns[0], "y");
    assert_string_equal(t->foreign_keys[0].parent_columns[1], "x");
    assert_true(t->foreign_keys[0].cascades);
    assert_string_equal(t->foreign_keys[1].parent_columns[0], "id");
    assert_false(t->foreign_keys[1].cascades);
    assert_false(t->has_triggers);
    hang_up(c);
    fixture_done(&f);
}

static void
test_table__is_read_again_when_the_schema_has_changed(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY, a);"
                     "INSERT INTO t VALUES (1, 'x')");
    struct rlk_conn *c = connect_to(&f);
    begin(c);
    const struct rlk_table *before = table_of(c, "t");
    stranger(&f, "ALTER TABLE t ADD COLUMN b DEFAULT 7");
    assert_ptr_equal(table_of(c, "t"), before); /* until the block ends */
    assert_int_equal(fetch(c, "t", rowlock_int(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_string_equal(seen(0), "1|x");
    assert_int_equal(save(c, "t", 0, "a", rowlock_text("y"), 0), 0);
    commit(c);
    begin(c);
    assert_int_equal(table_of(c, "t")->n_columns, 3);
    assert_int_equal(fetch(c, "t", rowlock_int(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_string_equal(seen(0), "1|y|7");
    assert_int_equal(save(c, "t", 0, "b", rowlock_int(8), 0), 0);
    commit(c);
    assert_string_equal(look(&f, "SELECT * FROM t"), "1|y|8");
    hang_up(c);
    fixture_done(&f);
}

static void
test_utf16_database__gives_and_compares_text_as_utf8(void **state)
{
    (void)state;
    folder_init(&f.folder);
    f.path = folder_file(&f.folder, "app.db");
    stranger(&f, "PRAGMA encoding='UTF-16'; PRAGMA journal_mode=wal;"
                 "CREATE TABLE t (k TEXT PRIMARY KEY, a TEXT);"
                 "INSERT INTO t VALUES ('\xC3\xA4', '\xF0\x9F\x9A\xA3')");
    struct rlk_conn *c = connect_to(&f);
    rowlock_value key = rowlock_text("\xC3\xA4");
    begin(c);
    assert_int_equal(fetch(c, "t", key, ROWLOCK_UPDATE, 0, 0), 0);
    assert_string_equal(seen(0), "\xC3\xA4|\xF0\x9F\x9A\xA3");
    assert_int_equal(save(c, "t", 0, "a", rowlock_text("\xC3\xB6"), 0), 0);
    assert_string_equal(seen(0), "\xC3\xA4|\xC3\xB6");
    assert_int_equal(drop(c, "t", 0, 0), 0);
    commit(c);
    hang_up(c);
    fixture_done(&f);
}

static void
test_table__knows_whether_records_get_numbers(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE a (id integer NOT NULL PRIMARY KEY);"
                     "CREATE TABLE b (id INT PRIMARY KEY);"
                     "CREATE TABLE c (id INTEGER PRIMARY KEY) WITHOUT ROWID;"
                     "CREATE TABLE d (x INTEGER, y INTEGER, "
                     "PRIMARY KEY (x, y))");
    struct rlk_conn *c = connect_to(&f);
    assert_true(table_of(c, "a")->numbers_records);
    assert_false(table_of(c, "b")->numbers_records);
    assert_false(table_of(c, "c")->numbers_records);
    assert_false(table_of(c, "d")->numbers_records);
    hang_up(c);
    fixture_done(&f);
}

static bool
scans(struct rlk_conn *c, uint32_t first, uint32_t second, size_t n)
{
    const uint32_t columns[] = {first, second};
    bool ret;
    assert_int_equal(
        c->driver->scans(c, table_of(c, "t"), columns, n, &ret, &last), 0);
    return ret;
}

static void
test_scans__is_what_sqlite_would_do(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, "
                     "b, c, d);"
                     "CREATE INDEX bc ON t (b, c);"
                     "CREATE INDEX some ON t (d) WHERE d IS NOT NULL;"
                     "CREATE INDEX folded ON t (c COLLATE NOCASE)");
    struct rlk_conn *c = connect_to(&f);
    assert_false(scans(c, 0, 0, 1));
    assert_false(scans(c, 1, 0, 1));
    assert_false(scans(c, 2, 0, 1));
    assert_false(scans(c, 3, 2, 2));
    assert_false(scans(c, 4, 0, 1));
    assert_true(scans(c, 3, 0, 1));
    hang_up(c);
    fixture_done(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_table__is_found_in_any_case_and_spelled_as_declared),
        TEST(test_schema__may_use_the_engines_own_json_functions),
        TEST(test_table__refuses_what_has_no_records_to_lock),
        TEST(test_type__follows_what_was_declared),
        TEST(test_table__knows_keys_indexes_and_foreign_keys),
        TEST(test_table__is_read_again_when_the_schema_has_changed),
        TEST(test_table__knows_whether_records_get_numbers),
        TEST(test_scans__is_what_sqlite_would_do),
        TEST(test_utf16_database__gives_and_compares_text_as_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
