/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "front/front.h"
#include "rowlock/rowlock.h"
#include "support/support.h"
#include <sqlite3.h>

struct refusal {
    const char *url;
    int code;
    const char *said;
};

/* And the password in it is not. */
static void
expect_refused(struct refusal wanted)
{
    rowlock_db *db = NULL;
    rowlock_error err;
    char all[1400];
    assert_int_equal(rowlock_open(wanted.url, NULL, &db, &err), wanted.code);
    assert_null(db);
    snprintf(all, sizeof all, "%s %s %s %s", err.message, err.detail, err.hint,
             err.context);
    assert_non_null(strstr(all, wanted.said));
    assert_null(strstr(all, "secret"));
}

static void
test_open__refuses_what_it_has_no_driver_for(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"sqlite://app.db", ROWLOCK_UNSUPPORTED, "sqlite:PATH"},
        {"mariadb://u:secret@h/d", ROWLOCK_UNSUPPORTED, "MariaDB"},
        {"mysql://u:secret@h/d", ROWLOCK_UNSUPPORTED, "MariaDB"},
        {"oracle://u:secret@h/d", ROWLOCK_UNSUPPORTED, "oracle"},
        {"", ROWLOCK_MISUSE, "empty"},
        {"sqlite:", ROWLOCK_MISUSE, "empty"},
        {NULL, ROWLOCK_MISUSE, "no database"},
        {"postgresql:/u:secret@h/d", ROWLOCK_UNSUPPORTED, "postgresql://HOST"},
        {"host=h password=secret", ROWLOCK_UNSUPPORTED, "postgresql://HOST"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        expect_refused(refusals[i]);
}

static void
test_open__of_a_server_that_is_not_there_says_no_password(void **state)
{
    (void)state;
    expect_refused((struct refusal){"postgresql://u:secret@127.0.0.1:1/d",
                                    ROWLOCK_CONNECTION, "port 1"});
    expect_refused((struct refusal){"postgres://u:secret@127.0.0.1:1/d",
                                    ROWLOCK_CONNECTION, "port 1"});
    expect_refused((struct refusal){"postgresql://u:se%zzsecret@h/d",
                                    ROWLOCK_MISUSE, "cannot be read"});
    expect_refused(
        (struct refusal){"postgresql://u:s@secret@h/d", ROWLOCK_MISUSE, "%XX"});
    expect_refused(
        (struct refusal){"postgresql://u:s/secret@h/d", ROWLOCK_MISUSE, "%XX"});
}

static void
test_path__of_a_server_is_none(void **state)
{
    (void)state;
    const char *path;
    rowlock_error err;
    assert_int_equal(rlk_front_path("postgresql://u:secret@h/d", &path, &err),
                     ROWLOCK_UNSUPPORTED);
    assert_non_null(strstr(err.message, "SQLite"));
    assert_null(strstr(err.message, "secret"));
}

static void
make_database(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL;"
                     "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void
test_open__takes_a_path_verbatim(void **state)
{
    (void)state;
    struct folder folder;
    folder_init(&folder);
    struct path path = folder_file(&folder, "a%20b?c=d#e.db");
    char url[sizeof path.text + 8];
    rowlock_db *db;
    rowlock_error err;
    make_database(path.text);
    assert_int_equal(rowlock_open(path.text, NULL, &db, &err), 0);
    rowlock_close(db);
    snprintf(url, sizeof url, "sqlite:%s", path.text);
    assert_int_equal(rowlock_open(url, NULL, &db, &err), 0);
    rowlock_close(db);
    rowlock_close(NULL);
    folder_done(&folder);
}

static void
test_path__behind_sqlite_may_look_like_anything(void **state)
{
    (void)state;
    const char *path;
    assert_int_equal(rlk_front_path("sqlite:postgres:password=x", &path, NULL),
                     0);
    assert_string_equal(path, "postgres:password=x");
}

static void
test_open__checks_options_before_it_touches_anything(void **state)
{
    (void)state;
    rowlock_db *db;
    rowlock_error err;
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    o.size = sizeof o + 1;
    assert_int_equal(rowlock_open("/nowhere", &o, &db, &err), ROWLOCK_MISUSE);
    o = (rowlock_options)ROWLOCK_OPTIONS_INIT;
    o.wait_ms = -1;
    assert_int_equal(rowlock_open("/nowhere", &o, &db, &err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_open("/nowhere", NULL, NULL, &err),
                     ROWLOCK_MISUSE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open__refuses_what_it_has_no_driver_for),
        cmocka_unit_test(
            test_open__of_a_server_that_is_not_there_says_no_password),
        cmocka_unit_test(test_path__of_a_server_is_none),
        cmocka_unit_test(test_open__takes_a_path_verbatim),
        cmocka_unit_test(test_path__behind_sqlite_may_look_like_anything),
        cmocka_unit_test(test_open__checks_options_before_it_touches_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
