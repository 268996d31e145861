/* SPDX-License-Identifier: MIT
 * Many processes lock, strengthen, go back and die at random. A board in shared
 * memory, written only by who holds the lock, tells whether two ever held what
 * excludes each other. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rowlock/lock.h"
#include "support/support.h"

enum { PROCESSES = 8, RECORDS = 6, BLOCKS = 10000 };

struct board {
    int32_t writer[RECORDS]; /* pid of who holds UPDATE */
    int32_t clashes;
    int64_t finished[PROCESSES];
};

static struct board *board;
static struct folder folder;
static char database[1024];

static int
set_up(void **state)
{
    (void)state;
    folder_init(&folder);
    snprintf(database, sizeof database, "%s",
             folder_file(&folder, "app.db").text);
    board = shared_alloc(sizeof *board);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    shared_free(board, sizeof *board);
    folder_done(&folder);
    return 0;
}

static int
take(rowlock_locks *s, int64_t key, enum rowlock_mode mode, int32_t wait_ms)
{
    rowlock_error err;
    const rowlock_value value = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    int rc = rowlock_locks_take(s, &name, mode, wait_ms, &err);
    if (rc && rc != ROWLOCK_DEADLOCK && rc != ROWLOCK_NOT_AVAILABLE)
        support_fail("%s: %s", err.message, err.detail);
    return rc;
}

/* The writer before may have died before it could sign off. */
static void
sign(int64_t key, int32_t before)
{
    int32_t me = getpid();
    int32_t seen = __atomic_exchange_n(&board->writer[key], before ? 0 : me,
                                       __ATOMIC_SEQ_CST);
    if (before ? seen != me : seen != 0 && process_lives(seen))
        __atomic_add_fetch(&board->clashes, 1, __ATOMIC_SEQ_CST);
}

static void
one_block(rowlock_locks *s, unsigned *seed)
{
    int n = 1 + rand_r(seed) % 4, rc = 0;
    bool signed_by_me[RECORDS] = {0};
    for (int i = 0; i < n && rc != ROWLOCK_DEADLOCK; i++) {
        int64_t key = rand_r(seed) % RECORDS;
        enum rowlock_mode mode = (enum rowlock_mode)(1 + rand_r(seed) % 4);
        int32_t wait = rand_r(seed) % 8 == 0   ? ROWLOCK_NOWAIT
                       : rand_r(seed) % 8 == 0 ? 1 + rand_r(seed) % 5
                                               : ROWLOCK_WAIT;
        rc = take(s, key, mode, wait);
        if (rc == 0 && mode == ROWLOCK_UPDATE && !signed_by_me[key]) {
            sign(key, 0);
            signed_by_me[key] = true;
        }
    }
    for (int key = 0; key < RECORDS; key++)
        if (signed_by_me[key])
            sign(key, 1);
    rowlock_locks_release_to(s, 0);
}

struct worker {
    int number;
    unsigned seed;
};

static void
work(void *arg)
{
    struct worker *worker = arg;
    rowlock_locks *s = NULL;
    check(rowlock_locks_open(database, NULL, &s, NULL) == 0);
    while (board->finished[worker->number] < soak(BLOCKS)) {
        one_block(s, &worker->seed);
        board->finished[worker->number]++;
    }
    rowlock_locks_close(s);
}

static void
check_empty(void)
{
    rowlock_locks *s = NULL;
    rowlock_lock_info *list;
    size_t n;
    check(rowlock_locks_open(database, NULL, &s, NULL) == 0);
    check(rowlock_locks_list(s, &list, &n, NULL) == 0);
    assert_int_equal(n, 0);
    rowlock_locks_list_free(list);
    rowlock_locks_close(s);
    assert_int_equal(board->clashes, 0);
}

static void
test_storm__nobody_holds_what_another_excludes(void **state)
{
    (void)state;
    struct child c[PROCESSES];
    rowlock_locks *s = NULL; /* one stays, or the last to leave would reset */
    check(rowlock_locks_open(database, NULL, &s, NULL) == 0);
    for (int i = 0; i < PROCESSES; i++) {
        struct worker worker = {i, (unsigned)i};
        child_start(&c[i], work, &worker);
    }
    for (int i = 0; i < PROCESSES; i++)
        child_end(&c[i]);
    check_empty();
    rowlock_locks_close(s);
}

struct progress {
    int process;
    int64_t finished;
};

/* So many blocks are finished, or all. */
static bool
has_got_on(void *arg)
{
    const struct progress *p = arg;
    int64_t now =
        __atomic_load_n(&board->finished[p->process], __ATOMIC_ACQUIRE);
    return now >= p->finished || now >= soak(BLOCKS);
}

static void
test_storm__processes_are_killed_and_nobody_waits_for_the_dead(void **state)
{
    (void)state;
    struct child c[PROCESSES];
    unsigned seed = 1;
    rowlock_locks *s = NULL;
    check(rowlock_locks_open(database, NULL, &s, NULL) == 0);
    for (int i = 0; i < PROCESSES; i++) {
        struct worker worker = {i, (unsigned)i};
        child_start(&c[i], work, &worker);
    }
    for (int round = 0; round < soak(200); round++) {
        int i = rand_r(&seed) % PROCESSES;
        struct progress progress = {i, board->finished[i] + 3};
        wait_until(has_got_on, &progress, "a process to get on");
        struct worker worker = {i, (unsigned)round};
        child_kill(&c[i]);
        child_start(&c[i], work, &worker);
    }
    for (int i = 0; i < PROCESSES; i++)
        child_end(&c[i]);
    check_empty();
    rowlock_locks_close(s);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_storm__nobody_holds_what_another_excludes),
        TEST(test_storm__processes_are_killed_and_nobody_waits_for_the_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
