/* SPDX-License-Identifier: MIT
 * One session and its neighbour in the same process: reads, writes, savepoints,
 * what is refused. Waiting is in wait_test.c. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char items[] =
    "CREATE TABLE Item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, "
    "slug VARCHAR(20) UNIQUE, n INT, price REAL);"
    "INSERT INTO Item VALUES (1, 'one', 'a', 10, 1), (2, 'two', 'b', 20, 2.5),"
    "(3, 'three', 'c', 30, NULL)";

static struct fixture f;

#define ID(n) rowlock_int(n)

/* ---- opening ---- */

static int
try_open(const char *path)
{
    struct rlk_conn *c;
    struct rlk_open o = {.target = path};
    int rc = rlk_sqlite_driver.open(&o, &c, &last);
    if (!rc)
        hang_up(c);
    return rc;
}

static void
test_open__refuses_what_cannot_be_shared(void **state)
{
    (void)state;
    folder_init(&f.folder);
    f.path = folder_file(&f.folder, "delete.db");
    assert_int_equal(try_open(f.path.text), ROWLOCK_IO);
    assert_non_null(strstr(last.message, "No such file"));
    stranger(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    assert_int_equal(try_open(f.path.text), ROWLOCK_UNSUPPORTED);
    assert_non_null(strstr(last.message, "\"delete\""));
    assert_non_null(strstr(last.hint, "doctor --fix"));
    assert_int_equal(try_open(":memory:"), ROWLOCK_UNSUPPORTED);
    assert_int_equal(try_open(""), ROWLOCK_UNSUPPORTED);
    assert_int_equal(try_open(f.folder.path), ROWLOCK_IO);
    assert_non_null(strstr(last.message, "not a regular file"));
    folder_done(&f.folder);
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    check(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void
test_open__says_when_the_file_is_no_database(void **state)
{
    (void)state;
    folder_init(&f.folder);
    f.path = folder_file(&f.folder, "notes.txt");
    write_file(f.path.text, "This is a text, long enough to have a header that "
                            "could be one of a database, but is not: "
                            "....................");
    assert_int_equal(try_open(f.path.text), ROWLOCK_IO);
    assert_non_null(strstr(last.message, "not a SQLite database"));
    assert_string_equal(last.context, f.path.text);
    folder_done(&f.folder);
}

static void
open_read_only(void *arg)
{
    (void)arg;
    become_unprivileged();
    check(try_open(f.path.text) == ROWLOCK_IO);
    check(strcmp(last.sqlstate, "25006") == 0);
    check(strstr(last.message, "read-only"));
}

static void
test_open__says_when_file_or_folder_is_read_only(void **state)
{
    (void)state;
    struct child c;
    fixture_init(&f, items);
    give_away(f.folder.path);
    give_away(f.path.text);
    assert_int_equal(chmod(f.path.text, 0444), 0);
    child_start(&c, open_read_only, NULL);
    child_end(&c);
    assert_int_equal(chmod(f.path.text, 0644), 0);
    assert_int_equal(chmod(f.folder.path, 0555), 0);
    child_start(&c, open_read_only, NULL);
    child_end(&c);
    assert_int_equal(chmod(f.folder.path, 0755), 0);
    fixture_done(&f);
}

static void
test_open__takes_a_path_verbatim(void **state)
{
    (void)state;
    char here[1000];
    folder_init(&f.folder);
    f.path = folder_file(&f.folder, "file:a?mode=memory");
    assert_non_null(getcwd(here, sizeof here));
    write_file(f.path.text, "");
    assert_int_equal(chdir(f.folder.path), 0);
    assert_int_equal(try_open("file:a?mode=memory"), ROWLOCK_UNSUPPORTED);
    assert_non_null(strstr(last.message, "journal mode"));
    assert_int_equal(chdir(here), 0);
    folder_done(&f.folder);
}

/* ---- reading and writing ---- */

static void
test_write__answers_the_record_as_stored(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    begin(a);
    rowlock_value v[] = {rowlock_text("four"), rowlock_int(4)};
    assert_int_equal(create(a, "item", "name,price", v, 0, 0), 0);
    assert_string_equal(seen(0), "4|four|NULL|NULL|4.0");
    assert_int_equal(mode_of(a, "item", ID(4)), ROWLOCK_UPDATE);
    assert_int_equal(save(a, "item", 0, "name", rowlock_text("vier"), 0), 0);
    assert_int_equal(save(a, "item", 0, "price", rowlock_int(5), 0), 0);
    assert_string_equal(seen(0), "4|vier|NULL|NULL|5.0");
    assert_int_equal(fetch(a, "ITEM", ID(1), ROWLOCK_UPDATE, 0, 1), 0);
    assert_int_equal(drop(a, "item", 1, 0), 0);
    assert_string_equal(look(&f, "SELECT group_concat(id) FROM item"), "1,2,3");
    commit(a);
    assert_string_equal(look(&f, "SELECT id, name FROM item"),
                        "2|two 3|three 4|vier");
    assert_int_equal(mode_of(a, "item", ID(4)), ROWLOCK_READ);
    hang_up(a);
    fixture_done(&f);
}

static void
test_rollback__leaves_nothing(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    begin(a);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", rowlock_int(11), 0), 0);
    rollback(a);
    assert_string_equal(look(&f, "SELECT n FROM item WHERE id = 1"), "10");
    begin(a);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", rowlock_int(12), 0), 0);
    hang_up(a); /* in the middle */
    assert_string_equal(look(&f, "SELECT n FROM item WHERE id = 1"), "10");
    fixture_done(&f);
}

/* Moved away, and another one put in its place: what was open stays so. */
static void
test_moved_database__is_not_written_to(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    struct path moved = folder_file(&f.folder, "moved.db");
    begin(a);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    check(rename(f.path.text, moved.text) == 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(save(a, "item", 0, "n", ID(11), 0),
                         ROWLOCK_CONNECTION);
        assert_string_equal(last.sqlstate, "08006");
        assert_non_null(strstr(last.message, "was moved or replaced"));
        a->driver->rollback_to(a, 0);
        write_file(f.path.text, "");
    }
    check(rename(moved.text, f.path.text) == 0);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(11), 0), 0);
    commit(a);
    assert_string_equal(look(&f, "SELECT n FROM item WHERE id = 1"), "11");
    hang_up(a);
    fixture_done(&f);
}

static void
test_constraint__is_named_by_its_sqlstate_and_columns(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE p (id INTEGER PRIMARY KEY);"
                     "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, "
                     "c NOT NULL DEFAULT 1, d CHECK (d > 0), "
                     "p REFERENCES p, UNIQUE (a, b));"
                     "INSERT INTO t (a, b) VALUES ('x', 'y')");
    struct rlk_conn *a = connect_to(&f);
    struct {
        const char *columns;
        rowlock_value values[2];
        const char *sqlstate, *detail;
    } cases[] = {
        {"a,b", {rowlock_text("x"), rowlock_text("y")}, "23505", "Key (a, b)"},
        {"id", {ID(1)}, "23505", "Key (id)"},
        {"c", {rowlock_null()}, "23502", "c"},
        {"d", {ID(-1)}, "23514", ""},
        {"p", {ID(9)}, "23503", "Key (p) is not present in table \"p\"."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(a);
        assert_int_not_equal(
            create(a, "t", cases[i].columns, cases[i].values, 0, 0), 0);
        assert_string_equal(last.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(last.detail, cases[i].detail));
        a->driver->rollback_to(a, 0);
        assert_false(a->driver->transaction_lost(a));
        assert_int_equal(create(a, "t", "a", &(rowlock_value){0}, 0, 0), 0);
        commit(a);
    }
    hang_up(a);
    fixture_done(&f);
}

/* SQLite would store it, even twice. */
static void
test_null_primary_key__is_refused(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE t (a TEXT, b, n, PRIMARY KEY (a, b));"
                     "INSERT INTO t VALUES ('x', 1, 0)");
    struct rlk_conn *a = connect_to(&f);
    rowlock_value blank[] = {rowlock_null(), ID(1)}, one = ID(1);
    begin(a);
    assert_int_equal(create(a, "t", "a,b", blank, 0, 0), ROWLOCK_CONSTRAINT);
    assert_string_equal(last.sqlstate, "23502");
    assert_string_equal(last.detail, "It is about: a.");
    a->driver->rollback_to(a, 0);
    assert_int_equal(create(a, "t", "b", &one, 0, 0), ROWLOCK_CONSTRAINT);
    a->driver->rollback_to(a, 0);
    assert_int_equal(
        fetch(a, "t", rowlock_text("x"), ROWLOCK_UPDATE, ROWLOCK_WAIT, 0), 0);
    assert_int_equal(save(a, "t", 0, "b", rowlock_null(), 0),
                     ROWLOCK_CONSTRAINT);
    assert_string_equal(last.detail, "It is about: b.");
    a->driver->rollback_to(a, 0);
    commit(a);
    assert_string_equal(look(&f, "SELECT a, b, n FROM t"), "x|1|0");
    hang_up(a);
    fixture_done(&f);
}

static void
test_select__filters_orders_and_pages(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    const struct rlk_table *t = table_of(a, "item");
    rowlock_value list[] = {rowlock_text("a"), rowlock_text("c"),
                            rowlock_text("x")};
    rowlock_value prefix = rowlock_text("t"), ten = ID(10);
    struct rlk_term terms[] = {
        {column_of(t, "slug"), ROWLOCK_IN, list, 3},
        {column_of(t, "name"), ROWLOCK_PREFIX, &prefix, 1},
        {column_of(t, "n"), ROWLOCK_GT, &ten, 1},
        {column_of(t, "price"), ROWLOCK_IS_NULL, NULL, 0},
    };
    struct rlk_order order = {column_of(t, "n"), true};
    struct rlk_select q = {.table = t, .order = &order, .n_order = 1};
    static const char *const expected[] = {"3", "2", "2", "1"};
    begin(a);
    for (size_t i = 0; i < 4; i++) {
        rlk_rows_done(kept(0));
        q.where = &terms[i];
        q.n_where = 1;
        q.limit = 1;
        q.offset = i == 0 ? 0 : i == 1 ? 1 : i == 2 ? 1 : 0;
        assert_int_equal(a->driver->select(a, &q, kept(0), &last), 0);
        assert_int_equal(kept(0)->n_rows, 1);
        assert_int_equal(kept(0)->rows[0].values[0].u.i,
                         i == 3 ? 3 : expected[i][0] - '0');
    }
    rollback(a);
    hang_up(a);
    fixture_done(&f);
}

static void
test_prefix__takes_letters_of_patterns_as_they_are(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT);"
                     "INSERT INTO t VALUES (1, 'a*b'), (2, 'axb'), (3, '[a]?'),"
                     "(4, 'A*b')");
    struct rlk_conn *a = connect_to(&f);
    const struct rlk_table *t = table_of(a, "t");
    static const char *const cases[][2] = {
        {"a*", "1|a*b"}, {"[a", "3|[a]?"}, {"[a]?", "3|[a]?"}, {"?", ""}};
    begin(a);
    for (size_t i = 0; i < 4; i++) {
        rowlock_value v = rowlock_text(cases[i][0]);
        struct rlk_term term = {1, ROWLOCK_PREFIX, &v, 1};
        struct rlk_select q = {.table = t, .where = &term, .n_where = 1};
        rlk_rows_done(kept(0));
        assert_int_equal(a->driver->select(a, &q, kept(0), &last), 0);
        assert_string_equal(seen(0), cases[i][1]);
    }
    rollback(a);
    hang_up(a);
    fixture_done(&f);
}

static void
test_lookup__finds_all_keys_in_one_snapshot(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    const struct rlk_table *t = table_of(a, "item");
    struct rlk_set by_n = {column_of(t, "n"), ID(20)};
    struct rlk_set by_slug = {column_of(t, "slug"), rowlock_text("b")};
    struct rlk_set by_name = {column_of(t, "name"), rowlock_text("none")};
    struct rlk_match keys[] = {{&by_name, 1}, {&by_n, 1}, {&by_slug, 1}};
    int found[3];
    begin(a);
    assert_int_equal(a->driver->lookup(a, t, keys, 3, kept(0), found, &last),
                     0);
    assert_int_equal(found[0], -1);
    assert_int_equal(found[1], 0);
    assert_int_equal(found[2], 0);
    assert_string_equal(seen(0), "2|two|b|20|2.5");
    rollback(a);
    hang_up(a);
    fixture_done(&f);
}

static void
test_lookup__of_a_unique_key_trusts_the_record_of_the_key_before(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    const struct rlk_table *t = table_of(a, "item");
    struct rlk_set by_n = {column_of(t, "n"), ID(20)};
    struct rlk_set same = {column_of(t, "slug"), rowlock_text("b")};
    struct rlk_set other = {column_of(t, "slug"), rowlock_text("c")};
    struct rlk_set twice = {column_of(t, "name"), rowlock_text("two")};
    struct rlk_match keys[] = {{&by_n, 1},  {&same, 1}, {&by_n, 1},
                               {&other, 1}, {&by_n, 1}, {&twice, 1}};
    int found[6];
    stranger(&f, "INSERT INTO Item VALUES (0, 'two', 'z', 0, 0)");
    begin(a);
    assert_int_equal(a->driver->lookup(a, t, keys, 6, kept(0), found, &last),
                     0);
    assert_int_equal(found[1], found[0]);
    assert_int_equal(kept(0)->rows[found[3]].values[0].u.i, 3);
    assert_int_equal(kept(0)->rows[found[5]].values[0].u.i, 0); /* not unique */
    rollback(a);
    hang_up(a);
    fixture_done(&f);
}

/* What one call for all keys finds is what a call for each finds. */
static void
test_lookup__of_many_keys_finds_what_one_by_one_finds(void **state)
{
    (void)state;
    enum { MOST = 120 };
    static const char *const texts[] = {"a", "A", "b ", "b", "0", "", "7"};
    struct rlk_set sets[MOST][2];
    struct rlk_match keys[MOST];
    int found[MOST], one, hits = 0;
    size_t n = 0;
    fixture_init(&f, "CREATE TABLE Item (id INTEGER PRIMARY KEY, t TEXT UNIQUE,"
                     " n INT UNIQUE, x TEXT, y INT, c TEXT COLLATE NOCASE "
                     "UNIQUE, UNIQUE (x, y));"
                     "INSERT INTO Item VALUES (1, 'a', 7, 'a', 7, 'a'), "
                     "(2, 'b', 0, 'a', 0, 'b'), (3, '', -1, 'b', 7, NULL), "
                     "(4, NULL, NULL, NULL, NULL, '7')");
    struct rlk_conn *a = connect_to(&f);
    const struct rlk_table *t = table_of(a, "item");
    for (size_t i = 0; n < MOST; i++) {
        rowlock_value text = rowlock_text(texts[i % 7]);
        rowlock_value number = ID((int)(i % 11) - 2);
        sets[n][0] = (struct rlk_set){column_of(t, "t"), text};
        keys[n] = (struct rlk_match){sets[n], 1};
        n++;
        sets[n][0] = (struct rlk_set){column_of(t, "n"), number};
        keys[n] = (struct rlk_match){sets[n], 1};
        n++;
        sets[n][0] = (struct rlk_set){column_of(t, "x"), text};
        sets[n][1] = (struct rlk_set){column_of(t, "y"), number};
        keys[n] = (struct rlk_match){sets[n], 2};
        n++;
        sets[n][0] = (struct rlk_set){column_of(t, "c"), text};
        keys[n] = (struct rlk_match){sets[n], 1};
        n++;
        sets[n][0] = (struct rlk_set){column_of(t, "id"), number};
        keys[n] = (struct rlk_match){sets[n], 1};
        n++;
    }
    begin(a);
    assert_int_equal(a->driver->lookup(a, t, keys, n, kept(0), found, &last),
                     0);
    for (size_t i = 0; i < n; i++) {
        struct rlk_rows rows = {0};
        assert_int_equal(
            a->driver->lookup(a, t, &keys[i], 1, &rows, &one, &last), 0);
        assert_int_equal(found[i] < 0, one < 0);
        if (one >= 0)
            assert_int_equal(kept(0)->rows[found[i]].values[0].u.i,
                             rows.rows[0].values[0].u.i);
        hits += one >= 0;
        rlk_rows_done(&rows);
    }
    assert_in_range(hits, 30, n - 30);
    rollback(a);
    hang_up(a);
    fixture_done(&f);
}

static uint64_t
mark_of(struct rlk_conn *c)
{
    struct rlk_mark mark = {0, 0};
    assert_int_equal(c->driver->commit_mark(c, &mark, &last), 0);
    assert_true(mark.others);
    return (uint64_t)mark.others << 32 | mark.own;
}

static void
test_commit_mark__tells_every_commit_and_nothing_else(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    begin(a);
    uint64_t mark = mark_of(a);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(mark_of(a), mark);
    assert_int_equal(a->driver->start_write(a, 0, &last), 0);
    assert_int_equal(mark_of(a), mark);
    assert_int_equal(save(a, "item", 0, "n", ID(11), 0), 0);
    assert_int_equal(mark_of(a), mark);
    rollback(a);
    begin(a);
    assert_int_equal(mark_of(a), mark);
    stranger(&f, "UPDATE Item SET n = 21 WHERE id = 2");
    assert_int_equal(a->driver->start_write(a, 0, &last), 0);
    uint64_t second = mark_of(a);
    assert_true(second != mark);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(12), 0), 0);
    commit(a);
    begin(a);
    assert_true(mark_of(a) != second);
    rollback(a);
    hang_up(a);
    fixture_done(&f);
}

/* ---- savepoints ---- */

static void
test_savepoint__undoes_data_and_locks_since(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    begin(a);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_SHARE, 0, 0), 0);
    savepoint(a, 1);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(11), 0), 0);
    a->driver->rollback_to(a, 1); /* older than the first write */
    assert_int_equal(mode_of(a, "item", ID(1)), ROWLOCK_SHARE);
    stranger(&f, "UPDATE item SET n = 21 WHERE id = 2"); /* nothing is held */
    assert_int_equal(fetch(a, "item", ID(2), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(22), 0), 0);
    assert_int_equal(a->driver->release(a, 1, &last), 0);
    savepoint(a, 1);
    assert_int_equal(save(a, "item", 0, "n", ID(23), 0), 0);
    assert_int_equal(
        create(a, "item", "name", (rowlock_value[]){rowlock_text("new")}, 0, 1),
        0);
    a->driver->rollback_to(a, 1);
    assert_int_equal(a->driver->release(a, 1, &last), 0);
    assert_int_equal(mode_of(a, "item", ID(2)), ROWLOCK_UPDATE);
    assert_int_equal(mode_of(a, "item", ID(4)), ROWLOCK_READ);
    assert_int_equal(fetch(a, "item", ID(2), ROWLOCK_READ, 0, 0), 0);
    assert_string_equal(seen(0), "2|two|b|22|2.5");
    commit(a);
    assert_string_equal(look(&f, "SELECT id, n FROM item"), "1|10 2|22 3|30");
    hang_up(a);
    fixture_done(&f);
}

static void
test_savepoint__of_levels_without_writes_costs_sqlite_nothing(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    begin(a);
    for (size_t i = 1; i < 40; i++)
        savepoint(a, i);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(11), 0), 0);
    a->driver->rollback_to(a, 20);
    assert_int_equal(a->driver->release(a, 20, &last), 0);
    assert_int_equal(a->driver->release(a, 20, &last), ROWLOCK_MISUSE);
    commit(a);
    assert_string_equal(look(&f, "SELECT n FROM item WHERE id = 1"), "10");
    hang_up(a);
    fixture_done(&f);
}

/* ---- locks among sessions ---- */

static void
test_lock__excludes_the_other_session_but_not_readers(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f), *b = connect_to(&f);
    begin(a);
    begin(b);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(fetch(b, "item", ID(1), ROWLOCK_UPDATE, ROWLOCK_NOWAIT, 1),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(last.sqlstate, "55P03");
    b->driver->rollback_to(b, 0);
    assert_int_equal(fetch(b, "item", ID(2), ROWLOCK_UPDATE, 0, 1), 0);
    assert_int_equal(fetch(b, "item", ID(1), ROWLOCK_READ, 0, 1), 0);
    assert_int_equal(kept(1)->n_rows, 1);
    assert_int_equal(
        fetch(b, "item", ID(1), ROWLOCK_SHARE, ROWLOCK_SKIP_LOCKED, 1), 0);
    assert_int_equal(kept(1)->n_rows, 0);
    rollback(a);
    rollback(b);
    hang_up(a);
    hang_up(b);
    fixture_done(&f);
}

static void
test_skip_locked__fills_the_limit_from_the_next_records(void **state)
{
    (void)state;
    fixture_init(&f,
                 "CREATE TABLE t (id INTEGER PRIMARY KEY);"
                 "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
                 "r WHERE i < 500) INSERT INTO t SELECT i FROM r");
    struct rlk_conn *a = connect_to(&f), *b = connect_to(&f);
    struct rlk_select q = {.lock = ROWLOCK_UPDATE, .limit = 200};
    begin(a);
    begin(b);
    q.table = table_of(a, "t");
    assert_int_equal(a->driver->select(a, &q, kept(0), &last), 0);
    assert_int_equal(kept(0)->n_rows, 200);
    q.table = table_of(b, "t");
    q.wait_ms = ROWLOCK_SKIP_LOCKED;
    q.limit = 3;
    q.offset = 2;
    assert_int_equal(b->driver->select(b, &q, kept(1), &last), 0);
    assert_string_equal(seen(1), "203 204 205");
    assert_int_equal(mode_of(b, "t", ID(201)), ROWLOCK_UPDATE);
    assert_int_equal(mode_of(b, "t", ID(206)), ROWLOCK_READ);
    q.limit = 1000;
    q.offset = 0;
    rlk_rows_done(kept(1));
    assert_int_equal(b->driver->select(b, &q, kept(1), &last), 0);
    assert_int_equal(kept(1)->n_rows, 300);
    rollback(a);
    rollback(b);
    hang_up(a);
    hang_up(b);
    fixture_done(&f);
}

static void
test_without_rowid__and_composite_keys_name_records(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE w (site TEXT, code INT, v, g INT AS (code), "
                     "x TEXT, PRIMARY KEY (code, site)) WITHOUT ROWID;"
                     "INSERT INTO w (site, code, v, x) VALUES ('s', 1, 5, 'x'),"
                     "('s', 2, 6, 'y')");
    struct rlk_conn *a = connect_to(&f), *b = connect_to(&f);
    const struct rlk_table *t = table_of(a, "w");
    assert_int_equal(t->n_primary_key, 2);
    begin(a);
    begin(b);
    assert_int_equal(fetch(a, "w", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(fetch(b, "w", ID(1), ROWLOCK_UPDATE, ROWLOCK_NOWAIT, 1),
                     ROWLOCK_NOT_AVAILABLE);
    b->driver->rollback_to(b, 0);
    assert_int_equal(fetch(b, "w", ID(2), ROWLOCK_UPDATE, 0, 1), 0);
    rollback(b);
    assert_int_equal(save(a, "w", 0, "v", ID(7), 0), 0);
    assert_int_equal(save(a, "w", 0, "code", ID(9), 0), 0);
    assert_string_equal(seen(0), "s|9|7|9|x");
    rowlock_value new_key[] = {ID(9), rowlock_text("s")};
    assert_int_equal(a->driver->held(a, t, new_key), ROWLOCK_UPDATE);
    commit(a);
    assert_string_equal(look(&f, "SELECT code, v FROM w"), "2|6 9|7");
    hang_up(a);
    hang_up(b);
    fixture_done(&f);
}

static void
test_key_lock__takes_values_as_the_column_compares_them(void **state)
{
    (void)state;
    fixture_init(&f, "CREATE TABLE k (id INTEGER PRIMARY KEY, i INTEGER, "
                     "t TEXT, nc TEXT COLLATE NOCASE, rt TEXT COLLATE RTRIM, "
                     "r REAL, none)");
    struct rlk_conn *a = connect_to(&f), *b = connect_to(&f);
    struct {
        const char *column;
        rowlock_value mine, other;
        int answer;
    } cases[] = {
        {"i", ID(7), rowlock_text("7"), ROWLOCK_NOT_AVAILABLE},
        {"i", ID(7), rowlock_double(7.0), ROWLOCK_NOT_AVAILABLE},
        {"i", rowlock_text("7x"), ID(7), 0},
        {"i", rowlock_text(" 7.0 "), ID(7), ROWLOCK_NOT_AVAILABLE},
        {"t", ID(7), rowlock_text("7"), ROWLOCK_NOT_AVAILABLE},
        {"t", rowlock_text("A"), rowlock_text("a"), 0},
        {"t", rowlock_double(7.0), rowlock_text("7.0"), ROWLOCK_NOT_AVAILABLE},
        {"nc", rowlock_text("Ab"), rowlock_text("aB"), ROWLOCK_NOT_AVAILABLE},
        {"nc", rowlock_text("\xC3\x84"), rowlock_text("\xC3\xA4"), 0},
        {"rt", rowlock_text("a  "), rowlock_text("a"), ROWLOCK_NOT_AVAILABLE},
        {"rt", rowlock_text(" a"), rowlock_text("a"), 0},
        {"r", ID(7), rowlock_double(7), ROWLOCK_NOT_AVAILABLE},
        {"none", ID(7), rowlock_double(7), ROWLOCK_NOT_AVAILABLE},
        {"none", ID(7), rowlock_text("7"), 0},
        {"i", rowlock_null(), rowlock_null(), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(a);
        begin(b);
        assert_int_equal(lock_key(a, "k", cases[i].column, cases[i].mine, 0),
                         0);
        int rc =
            lock_key(b, "k", cases[i].column, cases[i].other, ROWLOCK_NOWAIT);
        if (rc != cases[i].answer)
            fail_msg("case %zu: %d", i, rc);
        rollback(a);
        rollback(b);
    }
    hang_up(a);
    hang_up(b);
    fixture_done(&f);
}

static void
test_unlock__gives_back_what_was_taken_since_the_mark(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    begin(a);
    size_t mark = a->driver->lock_mark(a);
    assert_int_equal(lock_key(a, "item", "slug", rowlock_text("a"), 0), 0);
    assert_int_equal(a->driver->start_write(a, 0, &last), 0);
    uint64_t epoch = a->driver->write_epoch(a);
    assert_int_not_equal(epoch, 0);
    a->driver->unlock_to(a, mark);
    assert_int_equal(a->driver->write_epoch(a), 0); /* the slot went too */
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(1), 0), 0);
    assert_int_not_equal(a->driver->write_epoch(a), epoch);
    mark = a->driver->lock_mark(a);
    assert_int_equal(lock_key(a, "item", "slug", rowlock_text("a"), 0), 0);
    epoch = a->driver->write_epoch(a);
    a->driver->unlock_to(a, mark);
    assert_int_equal(a->driver->write_epoch(a), epoch);
    commit(a);
    assert_string_equal(look(&f, "SELECT n FROM item WHERE id = 1"), "1");
    hang_up(a);
    fixture_done(&f);
}

/* ---- read-only SQL ---- */

static void
test_sql__reads_and_refuses_what_could_write(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "BEGIN",
        "COMMIT",
        "SAVEPOINT x",
        "ATTACH ':memory:' AS m",
        "PRAGMA journal_mode=delete",
        "PRAGMA wal_checkpoint",
        "PRAGMA user_version=5",
        "UPDATE item SET n = 1",
        "INSERT INTO item (name) VALUES ('x') RETURNING id",
        "VACUUM",
        "CREATE TABLE x (a)",
        "SELECT 1; SELECT 2",
        "DROP TABLE item",
        "SELECT load_extension('x')",
        "ANALYZE",
        "REINDEX",
    };
    static const char *const fine[] = {
        "SELECT id, name FROM item WHERE n = ?1",
        "SELECT ?1 ; ",
        "WITH a AS (SELECT ?1) SELECT * FROM a",
        "SELECT value, ?1 FROM json_each('[1]')",
        "SELECT name, ?1 FROM pragma_table_info('item')",
    };
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    rowlock_value twenty = ID(20);
    begin(a);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        int rc = a->driver->sql(a, refused[i], NULL, 0, kept(0), &last);
        if (rc != ROWLOCK_UNSUPPORTED)
            fail_msg("%s: %d %s", refused[i], rc, last.message);
    }
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        rlk_rows_done(kept(0));
        if (a->driver->sql(a, fine[i], &twenty, 1, kept(0), &last))
            fail_msg("%s: %s", fine[i], last.message);
        assert_true(kept(0)->n_rows > 0);
    }
    assert_int_equal(
        a->driver->sql(a, "PRAGMA user_version", NULL, 0, kept(1), &last), 0);
    assert_string_equal(kept(1)->column_names[0], "user_version");
    assert_int_equal(a->driver->sql(a, "SELEC", NULL, 0, kept(2), &last),
                     ROWLOCK_UNDEFINED);
    assert_string_equal(last.sqlstate, "42601");
    rollback(a);
    hang_up(a);
    fixture_done(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open__refuses_what_cannot_be_shared),
        TEST(test_open__says_when_the_file_is_no_database),
        TEST(test_open__says_when_file_or_folder_is_read_only),
        TEST(test_open__takes_a_path_verbatim),
        TEST(test_write__answers_the_record_as_stored),
        TEST(test_rollback__leaves_nothing),
        TEST(test_moved_database__is_not_written_to),
        TEST(test_constraint__is_named_by_its_sqlstate_and_columns),
        TEST(test_null_primary_key__is_refused),
        TEST(test_select__filters_orders_and_pages),
        TEST(test_prefix__takes_letters_of_patterns_as_they_are),
        TEST(test_lookup__finds_all_keys_in_one_snapshot),
        TEST(test_lookup__of_a_unique_key_trusts_the_record_of_the_key_before),
        TEST(test_lookup__of_many_keys_finds_what_one_by_one_finds),
        TEST(test_commit_mark__tells_every_commit_and_nothing_else),
        TEST(test_savepoint__undoes_data_and_locks_since),
        TEST(test_savepoint__of_levels_without_writes_costs_sqlite_nothing),
        TEST(test_lock__excludes_the_other_session_but_not_readers),
        TEST(test_skip_locked__fills_the_limit_from_the_next_records),
        TEST(test_without_rowid__and_composite_keys_name_records),
        TEST(test_key_lock__takes_values_as_the_column_compares_them),
        TEST(test_unlock__gives_back_what_was_taken_since_the_mark),
        TEST(test_sql__reads_and_refuses_what_could_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
