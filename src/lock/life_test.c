/* SPDX-License-Identifier: MIT
 * The life of sessions and of their file: deaths, forks, what opening finds,
 * growth. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"

/* ---- deaths ---- */

static void
test_death__the_waiter_of_a_killed_holder_is_granted(void **state)
{
    (void)state;
    struct child a, b;
    start_holder(&a);
    start_waiter(&b);
    child_kill(&a);
    child_expect(&b, "granted");
    end(&b);
}

static void
test_death__nowait_looks_first_whether_the_holder_lives(void **state)
{
    (void)state;
    struct child c;
    rowlock_locks *s = open_session();
    start_holder(&c);
    child_kill(&c);
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(s);
}

static void
test_death__a_stopped_holder_is_never_robbed(void **state)
{
    (void)state;
    struct child c;
    start_holder(&c);
    child_stop(&c);
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(take(s, 1, 200), ROWLOCK_NOT_AVAILABLE);
    child_resume(&c);
    rowlock_locks_close(s);
    end(&c);
}

/* Forks a grandchild that lives on, then holds until killed. */
static void
hold_with_a_child(void *arg)
{
    rowlock_locks *s = open_session();
    check(take(s, 1, 0) == 0);
    pid_t pid = fork();
    check(pid != -1);
    if (pid == 0) {
        rowlock_locks_close(s); /* frees nothing of the parent's */
        for (;;)
            pause();
    }
    *(pid_t *)arg = pid;
    parent_tell("held");
    parent_expect("end");
}

static void
test_death__a_child_that_outlives_its_parent_keeps_nothing(void **state)
{
    (void)state;
    struct child a;
    pid_t *grandchild = shared_alloc(sizeof *grandchild);
    child_start(&a, hold_with_a_child, grandchild);
    child_expect(&a, "held");
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    child_kill(&a);
    assert_int_equal(kill(*grandchild, 0), 0);
    assert_int_equal(take(s, 1, ROWLOCK_WAIT), 0);
    kill(*grandchild, SIGKILL);
    rowlock_locks_close(s);
    shared_free(grandchild, sizeof *grandchild);
}

static void
test_fork__the_child_may_only_close(void **state)
{
    (void)state;
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        rowlock_error err;
        bool ok = take_for(s, 2, ROWLOCK_UPDATE, 0, &err) == ROWLOCK_MISUSE &&
                  held(s, 1) == ROWLOCK_READ;
        rowlock_locks_cancel(s);
        rowlock_locks_release_to(s, 0);
        rowlock_locks_close(s);
        rowlock_locks *own = open_session(); /* a session of its own works */
        ok = ok && take(own, 1, ROWLOCK_NOWAIT) == ROWLOCK_NOT_AVAILABLE;
        rowlock_locks_close(own);
        _exit(!ok);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    rowlock_locks *other = open_session();
    assert_int_equal(take(other, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    rowlock_locks_close(other);
    rowlock_locks_close(s);
}

/* Executes "cat" with the description, then dies. */
static void
hold_by_inheritance(void *arg)
{
    const int *pipe_ends = arg;
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    rowlock_locks *s;
    o.byte_only = 1;
    check(rowlock_locks_open(database, &o, &s, NULL) == 0);
    check(take(s, 1, 0) == 0);
    check(rowlock_locks_inherit(s, NULL) == 0);
    pid_t pid = vfork(); /* fork handlers do not run */
    if (pid == 0) {
        dup2(pipe_ends[0], 0);
        close(pipe_ends[1]);
        execlp("cat", "cat", (char *)NULL);
        _exit(127);
    }
    parent_tell("held");
    parent_expect("end");
}

static void
test_inherit__the_lock_lasts_as_long_as_the_command(void **state)
{
    (void)state;
    struct child c;
    int ends[2];
#ifdef __SANITIZE_THREAD__
    skip(); /* there vfork() is fork() */
#endif
    assert_int_equal(pipe(ends), 0);
    child_start(&c, hold_by_inheritance, ends);
    child_expect(&c, "held");
    close(ends[0]);
    child_kill(&c);
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    close(ends[1]); /* cat ends */
    assert_int_equal(take(s, 1, ROWLOCK_WAIT), 0);
    rowlock_locks_close(s);
}

/* ---- the file ---- */

static void
test_open__takes_the_mode_of_the_database(void **state)
{
    (void)state;
    struct stat st;
    rowlock_locks *s = open_session();
    char path[1100];
    snprintf(path, sizeof path, "%s-rowlock", database);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    rowlock_locks_close(s);
}

static void
test_open__refuses_a_file_that_is_no_lock_table(void **state)
{
    (void)state;
    rowlock_locks *s = NULL;
    rowlock_error err;
    char path[1100];
    snprintf(path, sizeof path, "%s-rowlock", database);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "somebody's letters", 18), 18);
    close(fd);
    assert_int_equal(rowlock_locks_open(database, NULL, &s, &err),
                     ROWLOCK_UNSUPPORTED);
    assert_null(s);
}

static void
test_open__existing_only_makes_no_file(void **state)
{
    (void)state;
    rowlock_locks *s = NULL;
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.existing_only = 1;
    assert_int_equal(rowlock_locks_open(database, &o, &s, NULL),
                     ROWLOCK_UNDEFINED);
    char path[1100];
    snprintf(path, sizeof path, "%s-rowlock", database);
    assert_int_equal(access(path, F_OK), -1);
}

/* The first lock of a block looks now and then; who asks is told at once. */
static void
test_check__notices_that_the_file_was_replaced(void **state)
{
    (void)state;
    char path[1100];
    int rc = 0;
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, 0), 0);
    snprintf(path, sizeof path, "%s-rowlock", database);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rowlock_locks_check(s, NULL), ROWLOCK_CONNECTION);
    for (long i = 0; rc == 0 && i < 100000000; i++) {
        rowlock_locks_release_to(s, 0);
        rc = take(s, 1, 0);
    }
    assert_int_equal(rc, ROWLOCK_CONNECTION);
    rowlock_locks *other = open_session(); /* makes a new one */
    assert_int_equal(take(other, 1, 0), 0);
    assert_int_equal(take(s, 1, 0), ROWLOCK_CONNECTION);
    rowlock_locks_close(s);
    rowlock_locks_close(other);
}

static void
test_open__by_another_path_is_the_same_table(void **state)
{
    (void)state;
    struct path link = folder_file(&folder, "link.db");
    assert_int_equal(symlink(database, link.text), 0);
    rowlock_locks *a = open_session(), *b;
    assert_int_equal(rowlock_locks_open(link.text, NULL, &b, NULL), 0);
    assert_int_equal(take(a, 1, 0), 0);
    assert_int_equal(take(b, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    rowlock_locks_close(a);
    rowlock_locks_close(b);
}

static void
test_growth__two_hundred_thousand_locks_in_one_session(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    rowlock_locks *a = open_session(), *b = open_session();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(take(a, i, 0), 0);
    assert_int_equal(take(b, MANY - 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(held(a, i), ROWLOCK_UPDATE);
    rowlock_locks_release_to(a, 0);
    assert_int_equal(take(b, MANY - 1, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(a);
    rowlock_locks_close(b);
}

static void
fill_a_full_disk(void *arg)
{
    (void)arg;
    rowlock_error err;
    struct stat st;
    char path[1100];
    int rc = 0;
    snprintf(path, sizeof path, "%s-rowlock", database);
    rowlock_locks *s = open_session();
    check(stat(path, &st) == 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {(rlim_t)st.st_size, (rlim_t)st.st_size};
    check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    int n = 0;
    while (rc == 0 && n < 5000)
        rc = take_for(s, n++, ROWLOCK_UPDATE, 0, &err);
    check(rc == ROWLOCK_IO && err.sys_errno == EFBIG);
    check(held(s, 0) == ROWLOCK_UPDATE && held(s, n - 2) == ROWLOCK_UPDATE);
    check(held(s, n - 1) == ROWLOCK_READ);
    rowlock_locks_release_to(s, 0);
    check(take(s, 1, 0) == 0);
    rowlock_locks_close(s);
}

static void
test_growth__without_room_on_disk_is_an_error_that_loses_nothing(void **state)
{
    (void)state;
    struct child c;
    child_start(&c, fill_a_full_disk, NULL);
    child_end(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_death__the_waiter_of_a_killed_holder_is_granted),
        TEST(test_death__nowait_looks_first_whether_the_holder_lives),
        TEST(test_death__a_stopped_holder_is_never_robbed),
        TEST(test_death__a_child_that_outlives_its_parent_keeps_nothing),
        TEST(test_fork__the_child_may_only_close),
        TEST(test_inherit__the_lock_lasts_as_long_as_the_command),
        TEST(test_open__takes_the_mode_of_the_database),
        TEST(test_open__refuses_a_file_that_is_no_lock_table),
        TEST(test_open__existing_only_makes_no_file),
        TEST(test_check__notices_that_the_file_was_replaced),
        TEST(test_open__by_another_path_is_the_same_table),
        TEST(test_growth__two_hundred_thousand_locks_in_one_session),
        TEST(test_growth__without_room_on_disk_is_an_error_that_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
