/* SPDX-License-Identifier: MIT
 * Many sessions in one process, a thread each, on one database: what they count
 * together is right, whoever is cancelled from another thread. For the thread
 * sanitizer too (make tsan). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/records.h"

enum { THREADS = 8, BLOCKS = 150, KEYS = 5 };

struct worker {
    pthread_t thread;
    unsigned seed;
    rowlock_db *db;
    int done, cancelled;
};

static struct database database;
static struct worker workers[THREADS];

static int
add_one(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    rowlock_value n;
    (void)created, (void)arg;
    int rc = rowlock_record_get(r, "n", &n, err);
    return rc ? rc : rowlock_record_set(r, "n", rowlock_int(n.u.i + 1), err);
}

static int
count(rowlock_block *b, void *arg, rowlock_error *err)
{
    const rowlock_pair match = {"name", rowlock_text(arg)};
    const rowlock_pair creating = {"n", rowlock_int(0)};
    const rowlock_key key = {&match, 1};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = "counter";
    u.match = &key;
    u.n_match = 1;
    u.creating = &creating;
    u.n_creating = 1;
    u.change = add_one;
    return rowlock_update_or_create(b, &u, NULL, NULL, err);
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < soak(BLOCKS); i++) {
        char name[16];
        rowlock_error err;
        snprintf(name, sizeof name, "key-%d", rand_r(&w->seed) % KEYS);
        int rc = rowlock_atomic(w->db, count, name, &err);
        if (rc && rc != ROWLOCK_CANCELLED)
            support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
        w->done += rc == 0;
        w->cancelled += rc != 0;
        if (rand_r(&w->seed) % 16 == 0)
            rowlock_cancel(workers[rand_r(&w->seed) % THREADS].db);
    }
    return NULL;
}

static void
test_threads__with_a_session_each_count_right(void **state)
{
    (void)state;
    int done = 0, cancelled = 0;
    database_init(&database);
    database_run(&database, "CREATE TABLE counter (id INTEGER PRIMARY KEY, "
                            "name TEXT, n INTEGER)");
    for (int i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.seed = (unsigned)i,
                                     .db = records_open(&database, NULL)};
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
        cancelled += workers[i].cancelled;
    }
    for (int i = 0; i < THREADS; i++)
        rowlock_close(workers[i].db);
    assert_int_equal(done + cancelled, THREADS * soak(BLOCKS));
    assert_in_range(cancelled, 1, THREADS * soak(BLOCKS) / 4);
    assert_int_equal(database_number(&database, "SELECT sum(n) FROM counter"),
                     done);
    assert_int_equal(
        database_number(&database, "SELECT count(DISTINCT name) FROM counter"),
        database_number(&database, "SELECT count(*) FROM counter"));
    database_done(&database);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads__with_a_session_each_count_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
