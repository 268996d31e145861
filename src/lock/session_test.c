/* SPDX-License-Identifier: MIT
 * Sessions of several processes on one lock table: waits, deaths, forks. */
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

#include "rowlock/lock.h"
#include "support/support.h"

static struct folder folder;
static char database[1024];

static int
set_up(void **state)
{
    (void)state;
    folder_init(&folder);
    snprintf(database, sizeof database, "%s",
             folder_file(&folder, "app.db").text);
    int fd = open(database, O_CREAT | O_WRONLY, 0640);
    check(fd != -1);
    close(fd);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    folder_done(&folder);
    return 0;
}

/* ---- small words ---- */

static rowlock_locks *
open_session(void)
{
    rowlock_locks *s = NULL;
    rowlock_error err;
    int rc = rowlock_locks_open(database, NULL, &s, &err);
    if (rc)
        support_fail("%s: %s", err.message, err.detail);
    return s;
}

static int
take_for(rowlock_locks *s, int64_t key, enum rowlock_mode mode, int32_t wait_ms,
         rowlock_error *err)
{
    const rowlock_value value = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    return rowlock_locks_take(s, &name, mode, wait_ms, err);
}

static int
take(rowlock_locks *s, int64_t key, int32_t wait_ms)
{
    return take_for(s, key, ROWLOCK_UPDATE, wait_ms, NULL);
}

static enum rowlock_mode
held(rowlock_locks *s, int64_t key)
{
    const rowlock_value value = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    return rowlock_locks_held(s, &name);
}

/* A child that holds record 1 until it is told to end. */
static void
hold_one(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(take(s, 1, ROWLOCK_WAIT) == 0);
    parent_tell("held");
    parent_expect("end");
    rowlock_locks_close(s);
}

/* A child that waits for record 1. */
static void
wait_for_one(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    parent_tell("waiting");
    check(take(s, 1, ROWLOCK_WAIT) == 0);
    parent_tell("granted");
    parent_expect("end");
    rowlock_locks_close(s);
}

static void
start_holder(struct child *c)
{
    child_start(c, hold_one, NULL);
    child_expect(c, "held");
}

static void
start_waiter(struct child *c)
{
    child_start(c, wait_for_one, NULL);
    child_expect(c, "waiting");
    child_wait_asleep(c);
    check(!child_has_said(c));
}

static void
end(struct child *c)
{
    child_tell(c, "end");
    child_end(c);
}

static int
count_locks(rowlock_locks *s)
{
    rowlock_lock_info *list;
    size_t n;
    check(rowlock_locks_list(s, &list, &n, NULL) == 0);
    rowlock_locks_list_free(list);
    return (int)n;
}

/* ---- two processes ---- */

static void
test_take__two_processes_hold_two_records_at_once(void **state)
{
    (void)state;
    struct child c;
    start_holder(&c);
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 2, ROWLOCK_NOWAIT), 0);
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(held(s, 1), ROWLOCK_READ);
    assert_int_equal(held(s, 2), ROWLOCK_UPDATE);
    end(&c);
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(s);
}

static void
test_nowait__names_the_holder(void **state)
{
    (void)state;
    struct child c;
    rowlock_error err;
    char pid[32];
    start_holder(&c);
    rowlock_locks *s = open_session();
    assert_int_equal(take_for(s, 1, ROWLOCK_SHARE, ROWLOCK_NOWAIT, &err),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(err.sqlstate, "55P03");
    assert_string_equal(err.message, "could not obtain lock on t/1");
    snprintf(pid, sizeof pid, "Process %d (", (int)c.pid);
    assert_non_null(strstr(err.detail, pid));
    rowlock_locks_close(s);
    end(&c);
}

static void
test_skip_locked__does_not_touch_the_error(void **state)
{
    (void)state;
    struct child c;
    rowlock_error err = {.message = "as it was"};
    start_holder(&c);
    rowlock_locks *s = open_session();
    assert_int_equal(take_for(s, 1, ROWLOCK_SHARE, ROWLOCK_SKIP_LOCKED, &err),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(err.message, "as it was");
    rowlock_locks_close(s);
    end(&c);
}

static void
test_take__a_failure_leaves_nothing_held_that_was_not(void **state)
{
    (void)state;
    struct child c;
    start_holder(&c);
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(rowlock_locks_mark(s), 0);
    assert_int_equal(count_locks(s), 2); /* the holder's record and table */
    rowlock_locks_close(s);
    end(&c);
}

static void
test_timeout__answers_55P03_and_leaves_the_queue(void **state)
{
    (void)state;
    struct child c;
    rowlock_error err;
    start_holder(&c);
    rowlock_locks *s = open_session();
    assert_int_equal(take_for(s, 1, ROWLOCK_UPDATE, 30, &err),
                     ROWLOCK_NOT_AVAILABLE);
    assert_non_null(strstr(err.message, "timed out"));
    assert_int_equal(count_locks(s), 2);
    rowlock_locks_close(s);
    end(&c);
}

static void
test_release__grants_to_the_waiter(void **state)
{
    (void)state;
    struct child a, b;
    start_holder(&a);
    start_waiter(&b);
    end(&a);
    child_expect(&b, "granted");
    end(&b);
}

static void
test_key__excludes_by_value_and_not_by_record(void **state)
{
    (void)state;
    rowlock_locks *a = open_session(), *b = open_session();
    const rowlock_value seven = rowlock_int(7), text = rowlock_text("7");
    const rowlock_name key = {ROWLOCK_KEY, "t", "id", &seven, 1};
    const rowlock_name other = {ROWLOCK_KEY, "t", "id", &text, 1};
    assert_int_equal(rowlock_locks_take(a, &key, ROWLOCK_UPDATE, 0, NULL), 0);
    assert_int_equal(
        rowlock_locks_take(b, &key, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, NULL),
        ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(take(b, 7, ROWLOCK_NOWAIT), 0);
    assert_int_equal(
        rowlock_locks_take(b, &other, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, NULL), 0);
    rowlock_locks_close(a);
    rowlock_locks_close(b);
}

static void
test_table__a_record_lock_keeps_others_from_the_whole_table(void **state)
{
    (void)state;
    rowlock_locks *a = open_session(), *b = open_session();
    const rowlock_name table = {.kind = ROWLOCK_TABLE, .table = "t"};
    assert_int_equal(take(a, 1, 0), 0);
    assert_int_equal(
        rowlock_locks_take(b, &table, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, NULL),
        ROWLOCK_NOT_AVAILABLE);
    rowlock_locks_release_to(a, 0);
    assert_int_equal(
        rowlock_locks_take(b, &table, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, NULL), 0);
    assert_int_equal(take(a, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    rowlock_locks_close(a);
    rowlock_locks_close(b);
}

/* ---- savepoints ---- */

static void
test_savepoint__gives_back_or_lowers_what_came_since(void **state)
{
    (void)state;
    rowlock_locks *a = open_session(), *b = open_session();
    assert_int_equal(take_for(a, 1, ROWLOCK_SHARE, 0, NULL), 0);
    size_t mark = rowlock_locks_mark(a);
    assert_int_equal(take(a, 1, 0), 0);
    assert_int_equal(take(a, 2, 0), 0);
    assert_int_equal(take_for(b, 1, ROWLOCK_SHARE, ROWLOCK_NOWAIT, NULL),
                     ROWLOCK_NOT_AVAILABLE);
    rowlock_locks_release_to(a, mark);
    assert_int_equal(held(a, 1), ROWLOCK_SHARE);
    assert_int_equal(held(a, 2), ROWLOCK_READ);
    assert_int_equal(take_for(b, 1, ROWLOCK_SHARE, ROWLOCK_NOWAIT, NULL), 0);
    assert_int_equal(take(b, 2, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(a);
    rowlock_locks_close(b);
}

static void
test_drop__frees_one_lock_and_the_writer_follows_no_savepoint(void **state)
{
    (void)state;
    rowlock_locks *a = open_session(), *b = open_session();
    const rowlock_name writer = {.kind = ROWLOCK_WRITER};
    const rowlock_value one = rowlock_int(1);
    const rowlock_name record = {ROWLOCK_RECORD, "t", NULL, &one, 1};
    assert_int_equal(take(a, 1, 0), 0);
    size_t mark = rowlock_locks_mark(a);
    assert_int_equal(rowlock_locks_take(a, &writer, ROWLOCK_UPDATE, 0, NULL),
                     0);
    assert_int_equal(take(a, 2, 0), 0);
    rowlock_locks_release_to(a, mark);
    assert_int_equal(rowlock_locks_held(a, &writer), ROWLOCK_UPDATE);
    rowlock_locks_drop(a, &writer);
    assert_int_equal(
        rowlock_locks_take(b, &writer, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, NULL),
        0);
    rowlock_locks_drop(a, &record);
    assert_int_equal(take(b, 1, ROWLOCK_NOWAIT), 0);
    assert_int_equal(take(a, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    rowlock_locks_release_to(b, 0);
    assert_int_equal(rowlock_locks_held(b, &writer), ROWLOCK_READ);
    rowlock_locks_release_to(a, 0);
    assert_int_equal(count_locks(a), 0);
    rowlock_locks_close(a);
    rowlock_locks_close(b);
}

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

/* ---- cancel ---- */

static rowlock_locks *to_cancel;

static void
on_signal(int signal)
{
    (void)signal;
    rowlock_locks_cancel(to_cancel);
}

static void
wait_and_be_cancelled(void *arg)
{
    (void)arg;
    rowlock_error err;
    to_cancel = open_session();
    signal(SIGINT, on_signal);
    parent_tell("waiting");
    check(take_for(to_cancel, 1, ROWLOCK_UPDATE, 0, &err) == ROWLOCK_CANCELLED);
    check(strcmp(err.sqlstate, "57014") == 0);
    check(take(to_cancel, 2, 0) == 0); /* the session stays usable */
    parent_tell("cancelled");
    rowlock_locks_close(to_cancel);
}

static void
test_cancel__from_a_signal_handler_ends_the_wait(void **state)
{
    (void)state;
    struct child a, b;
    start_holder(&a);
    child_start(&b, wait_and_be_cancelled, NULL);
    child_expect(&b, "waiting");
    child_wait_asleep(&b);
    kill(b.pid, SIGINT);
    child_expect(&b, "cancelled");
    child_end(&b);
    end(&a);
}

/* ---- deadlock ---- */

enum { RING = 8 };
struct seat {
    int i, n;
};

static void
sit_in_the_ring(void *arg)
{
    const struct seat *seat = arg;
    rowlock_error err;
    rowlock_locks *s = open_session();
    check(take(s, seat->i, 0) == 0);
    parent_tell("seated");
    parent_expect("go");
    int rc = take_for(s, (seat->i + 1) % seat->n, ROWLOCK_UPDATE, 0, &err);
    if (rc) {
        check(rc == ROWLOCK_DEADLOCK);
        check(strcmp(err.sqlstate, "40P01") == 0 && err.detail[0]);
    }
    rowlock_locks_close(s);
    parent_tell(rc ? "victim" : "granted");
}

static void
play_the_ring(int n)
{
    struct child c[RING];
    int victims = 0;
    for (int i = 0; i < n; i++) {
        struct seat seat = {i, n};
        child_start(&c[i], sit_in_the_ring, &seat);
        child_expect(&c[i], "seated");
    }
    for (int i = 0; i < n; i++)
        child_tell(&c[i], "go");
    for (int i = 0; i < n; i++) {
        char text[SUPPORT_TEXT];
        child_hear(&c[i], text);
        victims += strcmp(text, "victim") == 0;
        child_end(&c[i]);
    }
    assert_int_equal(victims, 1);
}

static void
test_deadlock__of_two_three_and_eight_has_one_victim(void **state)
{
    (void)state;
    for (int round = 0; round < soak(5); round++) {
        play_the_ring(2);
        play_the_ring(3);
        play_the_ring(8);
    }
}

/* ---- order ---- */

enum { WAITERS = 16 };
struct grants {
    uint32_t next;
    uint32_t order[WAITERS];
};
struct runner {
    struct grants *grants;
    uint32_t number;
};

static void
wait_in_order(void *arg)
{
    const struct runner *r = arg;
    rowlock_locks *s = open_session();
    parent_expect("go");
    check(take(s, 1, 0) == 0);
    r->grants->order[r->grants->next++] = r->number; /* under the lock */
    rowlock_locks_close(s);
}

static void
test_queue__sixteen_waiters_are_granted_in_order_of_arrival(void **state)
{
    (void)state;
    struct child c[WAITERS];
    struct grants *grants = shared_alloc(sizeof *grants);
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, 0), 0);
    for (uint32_t i = 0; i < WAITERS; i++) {
        struct runner r = {grants, i};
        child_start(&c[i], wait_in_order, &r);
        child_tell(&c[i], "go");
        while (count_locks(s) < (int)(2 + 2 * (i + 1)))
            usleep(200); /* it is in the queue once it is listed */
    }
    rowlock_locks_release_to(s, 0);
    for (uint32_t i = 0; i < WAITERS; i++)
        child_end(&c[i]);
    for (uint32_t i = 0; i < WAITERS; i++)
        assert_int_equal(grants->order[i], i);
    rowlock_locks_close(s);
    shared_free(grants, sizeof *grants);
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

static void
test_check__notices_that_the_file_was_replaced(void **state)
{
    (void)state;
    char path[1100];
    rowlock_error err;
    rowlock_locks *s = open_session();
    snprintf(path, sizeof path, "%s-rowlock", database);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(take_for(s, 1, ROWLOCK_UPDATE, 0, &err),
                     ROWLOCK_CONNECTION);
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

/* ---- the listing ---- */

static void
test_list__shows_holders_waiters_and_who_blocks_whom(void **state)
{
    (void)state;
    struct child a, b;
    rowlock_lock_info *list;
    size_t n;
    start_holder(&a);
    start_waiter(&b);
    rowlock_locks *s = open_session();
    assert_int_equal(rowlock_locks_list(s, &list, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_int_equal(list[0].kind, ROWLOCK_TABLE);
    assert_string_equal(list[2].table, "t");
    assert_string_equal(list[2].key, "1");
    assert_int_equal(list[2].waiting, 0);
    assert_int_equal(list[2].pid, a.pid);
    assert_int_equal(list[2].n_blocked_by, 0);
    assert_int_equal(list[3].waiting, 1);
    assert_int_equal(list[3].mode, ROWLOCK_UPDATE);
    assert_int_equal(list[3].pid, b.pid);
    assert_int_equal(list[3].n_blocked_by, 1);
    assert_int_equal(list[3].blocked_by[0], list[2].owner);
    rowlock_locks_list_free(list);
    rowlock_locks_close(s);
    end(&a);
    child_expect(&b, "granted");
    end(&b);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_take__two_processes_hold_two_records_at_once),
        TEST(test_nowait__names_the_holder),
        TEST(test_skip_locked__does_not_touch_the_error),
        TEST(test_take__a_failure_leaves_nothing_held_that_was_not),
        TEST(test_timeout__answers_55P03_and_leaves_the_queue),
        TEST(test_release__grants_to_the_waiter),
        TEST(test_key__excludes_by_value_and_not_by_record),
        TEST(test_table__a_record_lock_keeps_others_from_the_whole_table),
        TEST(test_savepoint__gives_back_or_lowers_what_came_since),
        TEST(test_drop__frees_one_lock_and_the_writer_follows_no_savepoint),
        TEST(test_death__the_waiter_of_a_killed_holder_is_granted),
        TEST(test_death__nowait_looks_first_whether_the_holder_lives),
        TEST(test_death__a_stopped_holder_is_never_robbed),
        TEST(test_death__a_child_that_outlives_its_parent_keeps_nothing),
        TEST(test_fork__the_child_may_only_close),
        TEST(test_inherit__the_lock_lasts_as_long_as_the_command),
        TEST(test_cancel__from_a_signal_handler_ends_the_wait),
        TEST(test_deadlock__of_two_three_and_eight_has_one_victim),
        TEST(test_queue__sixteen_waiters_are_granted_in_order_of_arrival),
        TEST(test_open__takes_the_mode_of_the_database),
        TEST(test_open__refuses_a_file_that_is_no_lock_table),
        TEST(test_open__existing_only_makes_no_file),
        TEST(test_check__notices_that_the_file_was_replaced),
        TEST(test_open__by_another_path_is_the_same_table),
        TEST(test_growth__two_hundred_thousand_locks_in_one_session),
        TEST(test_growth__without_room_on_disk_is_an_error_that_loses_nothing),
        TEST(test_list__shows_holders_waiters_and_who_blocks_whom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
