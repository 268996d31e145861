/* SPDX-License-Identifier: MIT */
#include "db/create.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char folder[] = "/tmp/rowlock-create-XXXXXX";
static char path[64];
static rowlock_error err;

static const struct rlk_new_column columns[] = {{"remote_id", "TEXT"},
                                                {"odd \"name", "INTEGER"}};
static const size_t first[] = {0}, both[] = {1, 0};
static const struct rlk_new_index indexes[] = {{first, 1}, {both, 2}};
static const struct rlk_new_table table = {"a \"table", columns, 2, indexes, 2};

static int
make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/app.db", folder);
    return 0;
}

static void
forget(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static int
remove_folder(void **state)
{
    (void)state;
    forget();
    return rmdir(folder);
}

/* The first column of the first row, or "(none)". */
static const char *
ask(const char *sql)
{
    static char text[512];
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), 0);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), 0);
    bool row = sqlite3_step(s) == SQLITE_ROW;
    snprintf(text, sizeof text, "%s",
             row ? (const char *)sqlite3_column_text(s, 0) : "(none)");
    sqlite3_finalize(s);
    sqlite3_close(db);
    return text;
}

static void
test_create__makes_the_table_its_indexes_and_wal(void **state)
{
    (void)state;
    forget();
    assert_int_equal(rlk_sqlite_create(path, &table, &err), 0);
    assert_string_equal(ask("PRAGMA journal_mode"), "wal");
    assert_string_equal(
        ask("SELECT group_concat(name || ':' || type || ':' || pk, ' ') FROM "
            "pragma_table_info('a \"table')"),
        "id:INTEGER:1 remote_id:TEXT:0 odd \"name:INTEGER:0");
    assert_string_equal(ask("SELECT sum(\"unique\") FROM "
                            "pragma_index_list('a \"table')"),
                        "2");
}

static void
test_create__a_table_that_is_there_stays_as_it_is(void **state)
{
    (void)state;
    forget();
    ask("CREATE TABLE \"A \"\"Table\" (x)");
    assert_int_equal(rlk_sqlite_create(path, &table, &err), 0);
    assert_string_equal(ask("SELECT count(*) FROM sqlite_schema"), "1");
    assert_string_equal(ask("PRAGMA journal_mode"), "delete");
}

static void
test_create__another_journal_mode_is_not_switched(void **state)
{
    (void)state;
    forget();
    ask("CREATE TABLE other (x)");
    assert_int_equal(rlk_sqlite_create(path, &table, &err),
                     ROWLOCK_UNSUPPORTED);
    assert_non_null(strstr(err.message, "journal mode delete"));
    assert_non_null(strstr(err.hint, "rowlock doctor"));
    assert_string_equal(ask("SELECT count(*) FROM sqlite_schema"), "1");
}

static void
test_create__what_is_no_database_is_refused(void **state)
{
    (void)state;
    forget();
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 200; i++)
        fputs("This is no database. ", f);
    fclose(f);
    assert_int_equal(rlk_sqlite_create(path, &table, &err), ROWLOCK_IO);
    assert_non_null(strstr(err.message, "it is not a database"));
}

static void
test_create__a_missing_folder_is_said(void **state)
{
    (void)state;
    assert_int_equal(rlk_sqlite_create("/nowhere/x.db", &table, &err),
                     ROWLOCK_IO);
    assert_string_equal(err.message,
                        "could not open '/nowhere/x.db': No such file or "
                        "directory");
}

static void
test_create__the_key_column_is_ours(void **state)
{
    (void)state;
    static const struct rlk_new_column id[] = {{"ID", "TEXT"}};
    static const struct rlk_new_table with_id = {"t", id, 1, NULL, 0};
    forget();
    assert_int_equal(rlk_sqlite_create(path, &with_id, &err),
                     ROWLOCK_UNSUPPORTED);
    assert_string_equal(ask("SELECT count(*) FROM sqlite_schema"), "0");
}

static void
test_create__any_number_of_processes_may_do_it_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 8, ROUNDS = 10 };
    for (int round = 0; round < ROUNDS; round++) {
        forget();
        for (int i = 0; i < PROCESSES; i++)
            if (fork() == 0)
                _exit(rlk_sqlite_create(path, &table, NULL) != 0);
        for (int i = 0; i < PROCESSES; i++) {
            int status;
            assert_true(wait(&status) > 0);
            assert_int_equal(status, 0);
        }
        assert_string_equal(
            ask("SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL"),
            "3");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create__makes_the_table_its_indexes_and_wal),
        cmocka_unit_test(test_create__a_table_that_is_there_stays_as_it_is),
        cmocka_unit_test(test_create__another_journal_mode_is_not_switched),
        cmocka_unit_test(test_create__what_is_no_database_is_refused),
        cmocka_unit_test(test_create__a_missing_folder_is_said),
        cmocka_unit_test(test_create__the_key_column_is_ours),
        cmocka_unit_test(
            test_create__any_number_of_processes_may_do_it_at_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
