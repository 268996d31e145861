/* SPDX-License-Identifier: MIT
 * Many threads of one process, each with sessions of its own, on one table:
 * they share the mapping, the descriptor and the list of slots. Some open and
 * close all the time, one lists, one cancels others. Clean under the thread
 * sanitizer, which sees one process only (b_sanitize=thread). */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock/fixture.h"

enum { THREADS = 12, RECORDS = 5, BLOCKS = 1000, BLOCKS_A_SESSION = 40 };

/* Plain, not atomic: written under UPDATE and read under SHARE, so that the
 * sanitizer sees two who hold what excludes each other. */
static int64_t records[RECORDS];
static int64_t written[THREADS][RECORDS]; /* what each thread added */

/* The session that a thread has open now, for the one that cancels. */
static pthread_mutex_t sessions_mutex = PTHREAD_MUTEX_INITIALIZER;
static rowlock_locks *sessions[THREADS];
static int n_running;

static int
take_or_fail(rowlock_locks *s, int64_t key, enum rowlock_mode mode,
             int32_t wait_ms)
{
    rowlock_error err;
    int rc = take_for(s, key, mode, wait_ms, &err);
    if (rc && rc != ROWLOCK_DEADLOCK && rc != ROWLOCK_NOT_AVAILABLE &&
        rc != ROWLOCK_CANCELLED)
        support_fail("%s: %s", err.message, err.detail);
    return rc;
}

static int32_t
any_wait(unsigned *seed)
{
    switch (rand_r(seed) % 8) {
    case 0:
        return ROWLOCK_NOWAIT;
    case 1:
        return ROWLOCK_SKIP_LOCKED;
    case 2:
        return 1 + rand_r(seed) % 5;
    default:
        return ROWLOCK_WAIT;
    }
}

/* Under the lock on a record: what its mode allows. */
static void
use_record(int thread, int64_t key, enum rowlock_mode mode)
{
    if (mode == ROWLOCK_UPDATE) {
        records[key]++;
        written[thread][key]++;
    } else if (mode >= ROWLOCK_KEY_SHARE) {
        check(records[key] >= 0);
    }
}

static void
one_block(rowlock_locks *s, int thread, unsigned *seed)
{
    int n = 1 + rand_r(seed) % 4, rc = 0;
    for (int i = 0; i < n && rc != ROWLOCK_DEADLOCK; i++) {
        int64_t key = rand_r(seed) % RECORDS;
        enum rowlock_mode mode = (enum rowlock_mode)(1 + rand_r(seed) % 4);
        size_t mark = rowlock_locks_mark(s);
        rc = take_or_fail(s, key, mode, any_wait(seed));
        if (rc == 0)
            use_record(thread, key, mode);
        if (rand_r(seed) % 2)
            sched_yield(); /* with what is held: others shall meet it */
        if (rand_r(seed) % 4 == 0)
            rowlock_locks_release_to(s, mark);
    }
    rowlock_locks_release_to(s, 0);
}

static void
show_session(int thread, rowlock_locks *s)
{
    pthread_mutex_lock(&sessions_mutex);
    sessions[thread] = s;
    pthread_mutex_unlock(&sessions_mutex);
}

static void *
work(void *arg)
{
    int thread = *(const int *)arg;
    unsigned seed = (unsigned)thread;
    for (int i = 0; i < soak(BLOCKS); i += BLOCKS_A_SESSION) {
        rowlock_locks *s = open_session();
        show_session(thread, s);
        for (int j = 0; j < BLOCKS_A_SESSION; j++)
            one_block(s, thread, &seed);
        show_session(thread, NULL);
        rowlock_locks_close(s);
    }
    __atomic_sub_fetch(&n_running, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Lists, and cancels whoever has a session, until all have finished. */
static void
disturb(rowlock_locks *s)
{
    unsigned seed = 99;
    while (__atomic_load_n(&n_running, __ATOMIC_SEQ_CST) > 0) {
        rowlock_lock_info *list;
        size_t n;
        int thread = rand_r(&seed) % THREADS;
        check(rowlock_locks_list(s, &list, &n, NULL) == 0);
        rowlock_locks_list_free(list);
        pthread_mutex_lock(&sessions_mutex);
        if (sessions[thread] && rand_r(&seed) % 64 == 0) /* most waits last */
            rowlock_locks_cancel(sessions[thread]);
        pthread_mutex_unlock(&sessions_mutex);
    }
}

static void
test_threads__with_a_session_each_exclude_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    rowlock_locks *s = open_session();
    n_running = THREADS;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        check(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
    }
    disturb(s);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int key = 0; key < RECORDS; key++) {
        int64_t sum = 0;
        for (int i = 0; i < THREADS; i++)
            sum += written[i][key];
        assert_int_equal(records[key], sum);
        assert_int_equal(take_or_fail(s, key, ROWLOCK_UPDATE, ROWLOCK_NOWAIT),
                         0);
    }
    rowlock_locks_close(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_threads__with_a_session_each_exclude_each_other, set_up,
            tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
