/* SPDX-License-Identifier: MIT
 * The helpers themselves: a test frame that lies makes every test lie. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
echo(void *arg)
{
    (void)arg;
    char text[SUPPORT_TEXT];
    parent_hear(text);
    parent_tell("%s too", text);
}

static void
test_child__messages_go_both_ways(void **state)
{
    (void)state;
    struct child c;
    child_start(&c, echo, NULL);
    assert_false(child_has_said(&c));
    child_tell(&c, "step %d", 1);
    child_expect(&c, "step 1 too");
    child_end(&c);
}

static void
fail_check(void *arg)
{
    (void)arg;
    close(STDERR_FILENO);
    check(1 + 1 == 3);
}

static void
test_check__ends_a_child_with_a_status_that_is_not_0(void **state)
{
    (void)state;
    struct child c;
    child_start(&c, fail_check, NULL);
    int status = child_wait(&c);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 0);
}

static void
test_child_kill__reaps_a_child_that_waits(void **state)
{
    (void)state;
    struct child c;
    child_start(&c, echo, NULL);
    child_wait_asleep(&c);
    pid_t pid = c.pid;
    child_kill(&c);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void
test_child_stop__a_stopped_child_answers_only_when_resumed(void **state)
{
    (void)state;
    struct child c;
    child_start(&c, echo, NULL);
    child_wait_asleep(&c);
    child_stop(&c);
    child_tell(&c, "x");
    assert_false(child_has_said(&c));
    child_resume(&c);
    child_expect(&c, "x too");
    child_end(&c);
}

static void
test_process_lives__not_when_it_is_a_zombie(void **state)
{
    (void)state;
    struct child c;
    child_start(&c, echo, NULL);
    assert_true(process_lives(c.pid));
    kill(c.pid, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(kill(c.pid, 0), 0);
    assert_false(process_lives(c.pid));
    pid_t pid = c.pid;
    child_kill(&c);
    assert_false(process_lives(pid));
}

static void
leave_a_child(void *arg)
{
    struct child inner;
    child_start(&inner, echo, arg);
    parent_tell("%d", (int)inner.pid);
    parent_expect("never");
}

static bool
is_gone(void *arg)
{
    return kill(*(pid_t *)arg, 0) && errno == ESRCH;
}

static void
test_child__dies_with_its_parent(void **state)
{
    (void)state;
    struct child c;
    char text[SUPPORT_TEXT];
    child_start(&c, leave_a_child, NULL);
    child_hear(&c, text);
    pid_t inner = (pid_t)strtol(text, NULL, 10);
    child_kill(&c);
    wait_until(is_gone, &inner, "the grandchild is gone");
}

static void
add_one(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
}

static void
test_shared_alloc__children_write_what_the_parent_reads(void **state)
{
    (void)state;
    int *n = shared_alloc(sizeof *n);
    struct child c[3];
    for (int i = 0; i < 3; i++)
        child_start(&c[i], add_one, n);
    for (int i = 0; i < 3; i++)
        child_end(&c[i]);
    assert_int_equal(*n, 3);
    shared_free(n, sizeof *n);
}

static void
test_folder__is_removed_with_all_in_it(void **state)
{
    (void)state;
    struct folder f;
    folder_init(&f);
    char path[SUPPORT_TEXT];
    strcpy(path, f.path);
    assert_int_equal(mkdir(folder_file(&f, "a").text, 0700), 0);
    int fd = open(folder_file(&f, "a/b").text, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    folder_done(&f);
    assert_int_equal(access(path, F_OK), -1);
}

static void
write_into_read_only(void *arg)
{
    const struct folder *f = arg;
    become_unprivileged();
    check(open(folder_file(f, "x").text, O_CREAT | O_WRONLY, 0600) < 0);
    check(errno == EACCES);
}

static void
test_become_unprivileged__a_read_only_folder_refuses(void **state)
{
    (void)state;
    struct folder f;
    struct child c;
    folder_init(&f);
    give_away(f.path);
    assert_int_equal(chmod(f.path, 0500), 0);
    child_start(&c, write_into_read_only, &f);
    child_end(&c);
    folder_done(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child__messages_go_both_ways),
        cmocka_unit_test(test_check__ends_a_child_with_a_status_that_is_not_0),
        cmocka_unit_test(test_child_kill__reaps_a_child_that_waits),
        cmocka_unit_test(
            test_child_stop__a_stopped_child_answers_only_when_resumed),
        cmocka_unit_test(test_process_lives__not_when_it_is_a_zombie),
        cmocka_unit_test(test_child__dies_with_its_parent),
        cmocka_unit_test(
            test_shared_alloc__children_write_what_the_parent_reads),
        cmocka_unit_test(test_folder__is_removed_with_all_in_it),
        cmocka_unit_test(test_become_unprivileged__a_read_only_folder_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
