/* SPDX-License-Identifier: MIT
 * Every allocation of an import fails once, from the definition to the last
 * report: the run answers 53200, what it counted is what is there, no record
 * is half-written, nothing stays locked, and the next run completes. (A
 * sanitizer build shows that nothing leaks.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/scarce.h"
#include "support/records.h"
#include "sync/sync.h"

enum { RECORDS = 60, THERE = 30, BATCH = 20 };

static struct database database;
static struct path definition, body;
static rowlock_db *db;
static int told;
static long harmless; /* failures that the run could do without */

static int
open_target(const struct rlk_definition *d, bool make, rowlock_db **ret,
            void *arg, rowlock_error *err)
{
    (void)d, (void)make, (void)arg;
    int rc = rowlock_open(database.url, NULL, &db, err);
    *ret = db;
    return rc;
}

static int
open_look(const struct rlk_definition *d, rowlock_db **ret, void *arg,
          rowlock_error *err)
{
    (void)d, (void)arg;
    return rowlock_open(database.url, NULL, ret, err);
}

static void
tell(const struct rlk_sync_told *t, void *arg)
{
    (void)t, (void)arg;
    told++;
}

static int
run(struct rlk_sync_report *ret, rowlock_error *err)
{
    struct rlk_definition *d = NULL;
    const struct rlk_sync_options o = {.open_target = open_target,
                                       .open_look = open_look,
                                       .on_left = tell,
                                       .on_change = tell,
                                       .limits = RLK_SOURCE_LIMITS_INIT,
                                       .batch_records = BATCH};
    memset(ret, 0, sizeof *ret);
    db = NULL;
    told = 0;
    int rc = rlk_definition_read(definition.text, &d, err);
    if (!rc)
        rc = rlk_sync_run(d, &o, ret, err);
    rlk_definition_free(d);
    rowlock_close(db);
    return rc;
}

static int64_t
number(const char *sql)
{
    return database_number(&database, sql);
}

static void
start_anew(void)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "DELETE FROM t; WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL "
             "SELECT x + 1 FROM i WHERE x < %d) INSERT INTO t (code, name, "
             "copy) SELECT 'c' || x, 'old', 'old' FROM i",
             THERE - 1);
    database_run(&database, sql);
}

static void
check_whole(const struct rlk_sync_report *r)
{
    assert_int_equal(number("SELECT count(*) FROM t WHERE name IS NOT copy"),
                     0);
    assert_int_equal(number("SELECT count(*) - count(DISTINCT code) FROM t"),
                     0);
    assert_int_equal(number("SELECT count(*) FROM t"), THERE + r->created);
    assert_int_equal(number("SELECT count(*) FROM t WHERE name LIKE 'new%'"),
                     r->created + r->updated);
    records_check_no_locks(database.url);
}

/* Answers whether the run had fewer allocations. */
static bool
fail_at(long n)
{
    struct rlk_sync_report report;
    rowlock_error err;
    start_anew();
    rlk_scarce_begin_once(n);
    int rc = run(&report, &err);
    rlk_scarce_end();
    if (rc && rc != ROWLOCK_NO_MEMORY)
        fail_msg("allocation %ld: %s %s", n, err.sqlstate, err.message);
    if (rc == 0 && report.created + report.updated != RECORDS)
        fail_msg("allocation %ld: well, and yet %d created, %d updated", n,
                 (int)report.created, (int)report.updated);
    check_whole(&report);
    bool over = !rlk_scarce_failed;
    harmless += !over && rc == 0;
    assert_int_equal(run(&report, &err), 0);
    assert_int_equal(number("SELECT count(*) FROM t WHERE name LIKE 'new%'"),
                     RECORDS);
    return over;
}

static void
test_no_memory__at_any_allocation_of_a_run_counts_what_is_there(void **state)
{
    (void)state;
    long n = 0, tried = 0;
    while (!fail_at(n)) {
        tried++;
        n += n < 600 || soak(1) > 1 ? 1 : 5;
    }
    print_message("%ld allocations, %ld of them failed, %ld without harm\n", n,
                  tried, harmless);
    assert_in_range(n, 80, 100000);
    assert_in_range(harmless, 0, tried / 2); /* nobody looks ahead then */
}

/* ---- */

static int
set_up(void **state)
{
    (void)state;
    database_init(&database);
    database_run(&database,
                 "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, "
                 "name TEXT, copy TEXT)");
    definition = folder_file(&database.folder, "d.yml");
    body = folder_file(&database.folder, "s.ndjson");
    FILE *f = fopen(definition.text, "w");
    check(f);
    fputs("sync: d\ntarget: {database: app.db, table: t}\n"
          "source: {url: s.ndjson}\nmatch: [code]\n"
          "fields: {code: /code, name: {from: /name, strip: true}, "
          "copy: /name}\n",
          f);
    fclose(f);
    f = fopen(body.text, "w");
    check(f);
    for (int i = 0; i < RECORDS; i++)
        fprintf(f, "{\"code\": \"c%d\", \"name\": \"new%d\"}\n", i, i);
    fputs("{\"code\": null}\n{\"code\": 7\n{\"code\": \"c1\", \"name\": "
          "\"again\"}\n",
          f); /* rejected, rejected, two for one */
    fclose(f);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    database_done(&database);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_no_memory__at_any_allocation_of_a_run_counts_what_is_there,
            set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
