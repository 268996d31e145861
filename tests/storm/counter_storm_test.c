/* SPDX-License-Identifier: MIT
 * The case, from many processes at once: update_or_create a record by name, add
 * one to what was read, save. Nothing may be lost or doubled, whoever is killed
 * and whenever; and nobody fails who would not on a server. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/records.h"

enum { PROCESSES = 8, BLOCKS = 2000, KEYS = 50, FEWEST_DEATHS = 5 };

/* What the processes tell, each in its own place. */
struct board {
    int64_t limit; /* of blocks of each process */
    int64_t acknowledged[PROCESSES];
    int64_t failed[PROCESSES];
    int64_t changes[PROCESSES];
};

static struct board *board;
static struct database database;

/* ---- the database ---- */

static void
run(const char *sql)
{
    database_run(&database, sql);
}

static int64_t
number(const char *sql)
{
    return database_number(&database, sql);
}

/* A round trip to a server is worth some ten blocks of SQLite's. */
static int
blocks(int n)
{
    return engine() == SQLITE ? n : n / 10;
}

static int
set_up(void **state)
{
    (void)state;
    database_init_in_memory(&database);
    /* No unique index: only the key locks keep duplicates out. */
    run("CREATE TABLE counter (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)");
    board = shared_alloc(sizeof *board);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    shared_free(board, sizeof *board);
    database_done(&database);
    return 0;
}

/* ---- the case ---- */

static int
add_one(rowlock_block *b, void *arg, rowlock_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "key-%d", *(int *)arg);
    const rowlock_pair match = {"name", rowlock_text(name)};
    const rowlock_pair creating = {"n", rowlock_int(0)};
    const rowlock_key key = {&match, 1};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = "counter";
    u.match = &key;
    u.n_match = 1;
    u.creating = &creating;
    u.n_creating = 1;
    rowlock_record *r = NULL;
    rowlock_value n;
    int rc = rowlock_update_or_create(b, &u, &r, NULL, err);
    if (rc == 0)
        rc = rowlock_record_get(r, "n", &n, err);
    if (rc == 0)
        rc = rowlock_record_set(r, "n", rowlock_int(n.u.i + 1), err);
    return rc ? rc : rowlock_record_save(r, err);
}

struct worker {
    int number;
    unsigned seed;
};

static void
count(void *arg)
{
    struct worker *w = arg;
    rowlock_db *db = records_open(&database, NULL);
    while (board->acknowledged[w->number] <
           __atomic_load_n(&board->limit, __ATOMIC_ACQUIRE)) {
        rowlock_error err;
        int key = rand_r(&w->seed) % KEYS;
        if (rowlock_atomic(db, add_one, &key, &err))
            support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
        board->acknowledged[w->number]++;
    }
    rowlock_close(db);
}

static int64_t
acknowledged(void)
{
    int64_t n = 0;
    for (int i = 0; i < PROCESSES; i++)
        n += board->acknowledged[i];
    return n;
}

static void
start(struct child *c, int i, unsigned seed)
{
    struct worker w = {i, seed};
    child_start(c, count, &w);
}

static void
test_counter__eight_processes_lose_and_double_nothing(void **state)
{
    (void)state;
    struct child c[PROCESSES];
    board->limit = blocks(BLOCKS);
    for (int i = 0; i < PROCESSES; i++)
        start(&c[i], i, (unsigned)i);
    for (int i = 0; i < PROCESSES; i++)
        child_end(&c[i]);
    assert_int_equal(number("SELECT count(*) FROM counter"), KEYS);
    assert_int_equal(number("SELECT count(DISTINCT name) FROM counter"), KEYS);
    assert_int_equal(number("SELECT sum(n) FROM counter"),
                     PROCESSES * blocks(BLOCKS));
}

/* The moments of death are spread over time, not over events: that is the
 * point. */
static void
until_next_death(void)
{
    const struct timespec ms50 = {0, 50000000};
    nanosleep(&ms50, NULL);
}

static void
test_counter__no_acknowledged_increment_is_lost_when_processes_are_killed(
    void **state)
{
    (void)state;
    struct child c[PROCESSES];
    unsigned seed = 7;
    int64_t deaths = 0;
    board->limit = INT64_MAX; /* until it is enough */
    for (int i = 0; i < PROCESSES; i++)
        start(&c[i], i, (unsigned)i);
    while (acknowledged() < PROCESSES * (int64_t)blocks(BLOCKS) * 9 / 10 ||
           deaths < FEWEST_DEATHS) {
        until_next_death();
        int i = rand_r(&seed) % PROCESSES;
        child_kill(&c[i]);
        start(&c[i], i, (unsigned)(1000 + ++deaths));
    }
    __atomic_store_n(&board->limit, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < PROCESSES; i++)
        child_end(&c[i]);
    int64_t sum = number("SELECT sum(n) FROM counter");
    assert_int_equal(number("SELECT count(*) FROM counter"), KEYS);
    /* Killed between commit and acknowledgement: one more at most, each. */
    assert_in_range(sum, acknowledged(), acknowledged() + deaths);
    if (engine() == SQLITE)
        check(number("SELECT count(*) FROM pragma_integrity_check "
                     "WHERE integrity_check = 'ok'") == 1);
}

/* ---- replay: write, then wait for a record whose holder wants to write ----
 */

enum { MIXED_BLOCKS = 100000 };

static int
change(rowlock_block *b, int64_t id, rowlock_error *err)
{
    const rowlock_value value = rowlock_int(id);
    const rowlock_term where = {"id", ROWLOCK_EQ, &value, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "counter";
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_NO_KEY_UPDATE;
    rowlock_record *r = NULL;
    rowlock_value n;
    int rc = rowlock_query_first(b, &q, &r, err);
    if (rc == 0)
        rc = rowlock_record_get(r, "n", &n, err);
    if (rc == 0)
        rc = rowlock_record_set(r, "n", rowlock_int(n.u.i + 1), err);
    return rc ? rc : rowlock_record_save(r, err);
}

/* Two or three records, each written before the next is locked; always in one
 * order, so that PostgreSQL has no victim. */
static int
mixed_block(rowlock_block *b, unsigned *seed, int n, rowlock_error *err)
{
    int64_t id = 1 + rand_r(seed) % 10;
    for (int i = n; i > 0; i--) {
        int rc = change(b, id, err);
        if (rc)
            return rc;
        id += 1 + rand_r(seed) % 10;
    }
    return 0;
}

static void
mix(void *arg)
{
    struct worker *w = arg;
    rowlock_db *db = records_open(&database, NULL);
    for (int i = 0; i < blocks(MIXED_BLOCKS) / PROCESSES; i++) {
        rowlock_block *b = NULL;
        rowlock_error err;
        int rc = rowlock_begin(db, &b, &err); /* no retry */
        int n = 2 + rand_r(&w->seed) % 2;
        if (rc == 0) {
            rc = mixed_block(b, &w->seed, n, &err);
            if (rc == 0)
                rc = rowlock_commit(b, &err);
            else
                rowlock_rollback(b);
        }
        if (rc && board->failed[w->number]++ == 0)
            fprintf(stderr, "%s %s: %s\n", err.sqlstate, err.message,
                    err.detail);
        board->changes[w->number] += rc ? 0 : n;
    }
    rowlock_close(db);
}

static void
test_replay__a_hundred_thousand_mixed_blocks_have_no_victim(void **state)
{
    (void)state;
    struct child c[PROCESSES];
    run("WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i "
        "WHERE x < 40) INSERT INTO counter SELECT x, 'r', 0 FROM i");
    for (int i = 0; i < PROCESSES; i++) {
        struct worker w = {i, (unsigned)i};
        child_start(&c[i], mix, &w);
    }
    for (int i = 0; i < PROCESSES; i++)
        child_end(&c[i]);
    int64_t failed = 0, changes = 0;
    for (int i = 0; i < PROCESSES; i++) {
        failed += board->failed[i];
        changes += board->changes[i];
    }
    assert_int_equal(failed, 0);
    assert_in_range(changes, 2 * blocks(MIXED_BLOCKS),
                    3 * blocks(MIXED_BLOCKS));
    assert_int_equal(number("SELECT sum(n) FROM counter"), changes);
}

/* ---- readers beside a stopped writer ---- */

static int
write_and_stop(rowlock_block *b, void *arg, rowlock_error *err)
{
    (void)arg;
    int rc = change(b, 1, err);
    check(rc == 0);
    parent_tell("written");
    parent_expect("end");
    return 0;
}

static void
write_until_told(void *arg)
{
    (void)arg;
    rowlock_db *db = records_open(&database, NULL);
    check(rowlock_atomic(db, write_and_stop, NULL, NULL) == 0);
    rowlock_close(db);
}

static int
read_one(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_record *r = NULL;
    rowlock_value n;
    q.table = "counter";
    int rc = rowlock_query_first(b, &q, &r, err);
    if (rc == 0)
        rc = rowlock_record_get(r, "n", &n, err);
    if (rc == 0)
        *(int64_t *)arg += n.u.i == 0; /* what is committed */
    return rc;
}

static void
test_readers__a_thousand_reads_beside_a_writer_stopped_in_its_transaction(
    void **state)
{
    (void)state;
    struct child c;
    int64_t seen = 0;
    run("INSERT INTO counter VALUES (1, 'a', 0), (2, 'b', 0)");
    child_start(&c, write_until_told, NULL);
    child_expect(&c, "written");
    child_stop(&c);
    rowlock_db *db = records_open(&database, NULL);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rowlock_atomic(db, read_one, &seen, NULL), 0);
    assert_int_equal(seen, 1000);
    child_resume(&c);
    child_tell(&c, "end");
    child_end(&c);
    rowlock_close(db);
    assert_int_equal(number("SELECT n FROM counter WHERE id = 1"), 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_counter__eight_processes_lose_and_double_nothing),
        TEST(
            test_counter__no_acknowledged_increment_is_lost_when_processes_are_killed),
        TEST(test_replay__a_hundred_thousand_mixed_blocks_have_no_victim),
        TEST(
            test_readers__a_thousand_reads_beside_a_writer_stopped_in_its_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
