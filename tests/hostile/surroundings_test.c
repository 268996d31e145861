/* SPDX-License-Identifier: MIT
 * What surrounds the lock table is against us: files that are copied or come
 * from elsewhere, other kernels' words, two pid namespaces, a second copy of
 * the library in the process, users, file systems, a clock that jumps.
 *
 *   surroundings_test LIBROWLOCK */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lock/fixture.h"
#include "lock/layout.h"

static const char *library;

static const char *
table_path(void)
{
    static char path[1100];
    snprintf(path, sizeof path, "%s-rowlock", database);
    return path;
}

/* ---- other bytes in the header ---- */

static void
change_file(size_t at, const void *bytes, size_t len)
{
    int fd = open(table_path(), O_RDWR | O_CLOEXEC);
    assert_int_not_equal(fd, -1);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
    close(fd);
}

static const uint32_t other_version = RLK_LAYOUT_VERSION + 1;
static const char other_boot[] = "00000000-0000-4000-8000-000000000000";
static const struct other {
    size_t at;
    const void *bytes;
    size_t len;
    const char *why;
} others[] = {
    {offsetof(struct rlk_header, layout_version), &other_version,
     sizeof other_version, "another layout"},
    {offsetof(struct rlk_header, boot_id), other_boot, sizeof other_boot,
     "another boot"},
};

/* As another process: one process attaches but once. */
static void
be_refused(void *arg)
{
    const struct other *other = arg;
    rowlock_locks *s = NULL;
    rowlock_error err;
    check(rowlock_locks_open(database, NULL, &s, &err) == ROWLOCK_UNSUPPORTED);
    check(s == NULL && strstr(err.detail, other->why) && err.hint[0]);
}

static void
test_other__layout_or_boot_is_refused_while_it_is_in_use(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct child c;
        struct other other = others[i];
        rowlock_locks *s = open_session();
        change_file(other.at, other.bytes, other.len);
        child_start(&c, be_refused, &other);
        child_end(&c);
        rowlock_locks_close(s);
    }
}

static void
test_other__layout_or_boot_that_nobody_uses_is_written_anew(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        rowlock_locks *s = open_session();
        assert_int_equal(take(s, 1, 0), 0);
        rowlock_locks_close(s);
        change_file(others[i].at, others[i].bytes, others[i].len);
        s = open_session();
        assert_int_equal(count_locks(s), 0);
        assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), 0);
        rowlock_locks_close(s);
    }
}

/* ---- a copy of the database, with its lock table ---- */

static void
copy_file(const char *from, const char *to)
{
    char command[3000];
    snprintf(command, sizeof command, "cp -a '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* Copied in the middle of work: the copy says that records are held, by owners
 * that live, and of other files. */
static void
test_copy__of_a_table_in_use_holds_nothing(void **state)
{
    (void)state;
    struct path copy = folder_file(&folder, "copy.db"),
                copied_table = folder_file(&folder, "copy.db-rowlock");
    rowlock_locks *s = open_session(), *other = NULL;
    assert_int_equal(take(s, 1, 0), 0);
    copy_file(database, copy.text);
    copy_file(table_path(), copied_table.text);
    assert_int_equal(rowlock_locks_open(copy.text, NULL, &other, NULL), 0);
    assert_int_equal(count_locks(other), 0);
    assert_int_equal(take(other, 1, ROWLOCK_NOWAIT), 0);
    assert_int_equal(held(s, 1), ROWLOCK_UPDATE);
    rowlock_locks_close(other);
    rowlock_locks_close(s);
}

/* ---- pid namespaces ---- */

struct hermit {
    int64_t key;
    pid_t inner; /* told by the one outside */
};

static void
hold_as_process_1(const struct hermit *h)
{
    if (getpid() != 1)
        support_fail("not the first process of its namespace");
    rowlock_locks *s = open_session();
    check(take(s, h->key, ROWLOCK_NOWAIT) == 0);
    parent_tell("held");
    parent_expect("end");
    rowlock_locks_close(s);
}

/* Holds a record as process 1 of a pid namespace of its own. */
static void
live_as_hermit(void *arg)
{
    int status;
    if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID)) {
        parent_tell("cannot");
        return;
    }
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        hold_as_process_1(arg);
        _exit(0);
    }
    check(waitpid(pid, &status, 0) == pid);
}

/* False: this system gives its users no namespaces. */
static bool
start_hermit(struct child *c, int64_t key)
{
    struct hermit h = {.key = key};
    char text[SUPPORT_TEXT];
    child_start(c, live_as_hermit, &h);
    child_hear(c, text);
    if (strcmp(text, "cannot") != 0)
        check(strcmp(text, "held") == 0);
    return strcmp(text, "cannot") != 0;
}

static void
test_namespaces__equal_pids_are_told_apart(void **state)
{
    (void)state;
    struct child a, b;
    rowlock_locks *s = open_session();
    if (!start_hermit(&a, 1)) {
        child_end(&a);
        rowlock_locks_close(s);
        skip();
    }
    check(start_hermit(&b, 2));
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(take(s, 2, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    child_tell(&a, "end");
    child_end(&a);
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), 0);
    assert_int_equal(take(s, 2, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    child_tell(&b, "end");
    child_end(&b);
    assert_int_equal(take(s, 2, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(s);
}

/* Waits for the first process of a namespace that is killed, and with it all
 * that is in there. */
static void
test_namespaces__the_waiter_of_a_killed_one_is_granted(void **state)
{
    (void)state;
    struct child a, waiter;
    if (!start_hermit(&a, 1)) {
        child_end(&a);
        skip();
    }
    start_waiter(&waiter);
    char path[64], pid[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)a.pid,
             (int)a.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0 && read(fd, pid, sizeof pid - 1) > 0);
    close(fd);
    check(kill(atoi(pid), SIGKILL) == 0);
    child_expect(&waiter, "granted");
    end(&waiter);
    child_wait(&a);
}

/* ---- a second copy of the library ---- */

struct copy {
    int (*open)(const char *, const rowlock_locks_options *, rowlock_locks **,
                rowlock_error *);
    int (*take)(rowlock_locks *, const rowlock_name *, enum rowlock_mode,
                int32_t, rowlock_error *);
    void (*close)(rowlock_locks *);
};

static void *
find(void *handle, const char *name)
{
    void *place = dlsym(handle, name);
    if (!place)
        fail_msg("%s", dlerror());
    return place;
}

static struct copy
load_copy(void)
{
    struct copy c;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail_msg("%s", dlerror());
    *(void **)&c.open = find(handle, "rowlock_locks_open");
    *(void **)&c.take = find(handle, "rowlock_locks_take");
    *(void **)&c.close = find(handle, "rowlock_locks_close");
    assert_true(c.open != rowlock_locks_open);
    return c;
}

static int
take_by(const struct copy *c, rowlock_locks *s, int64_t key)
{
    const rowlock_value value = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    return c->take(s, &name, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, NULL);
}

static void
test_copies__of_the_library_in_one_process_exclude_each_other(void **state)
{
    (void)state;
    const struct copy c = load_copy();
    rowlock_locks *mine = open_session(), *theirs = NULL, *again = NULL;
    assert_int_equal(c.open(database, NULL, &theirs, NULL), 0);
    assert_int_equal(take(mine, 1, 0), 0);
    assert_int_equal(take_by(&c, theirs, 1), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(take_by(&c, theirs, 2), 0);
    assert_int_equal(take(mine, 2, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    /* What one closes is not the other's, nor another session's. */
    assert_int_equal(c.open(database, NULL, &again, NULL), 0);
    c.close(again);
    rowlock_locks *more = open_session();
    rowlock_locks_close(more);
    assert_int_equal(take(mine, 2, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(take_by(&c, theirs, 1), ROWLOCK_NOT_AVAILABLE);
    c.close(theirs);
    assert_int_equal(take(mine, 2, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(mine);
}

static void
fork_with_both(void *arg)
{
    const struct copy *c = arg;
    rowlock_locks *mine = open_session(), *theirs = NULL;
    check(c->open(database, NULL, &theirs, NULL) == 0);
    check(take(mine, 1, 0) == 0 && take_by(c, theirs, 2) == 0);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        check(take(mine, 3, 0) == ROWLOCK_MISUSE);
        check(take_by(c, theirs, 3) == ROWLOCK_MISUSE);
        c->close(theirs);
        rowlock_locks_close(mine);
        _exit(0);
    }
    int status;
    check(waitpid(pid, &status, 0) == pid && status == 0);
    parent_tell("forked");
    parent_expect("end");
    c->close(theirs);
    rowlock_locks_close(mine);
}

static void
test_copies__of_the_library_both_bear_a_fork(void **state)
{
    (void)state;
    struct copy c = load_copy();
    struct child child;
    child_start(&child, fork_with_both, &c);
    child_expect(&child, "forked");
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(take(s, 2, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    child_tell(&child, "end");
    child_end(&child);
    rowlock_locks_close(s);
}

/* ---- users and folders ---- */

static void
open_in_vain(void *arg)
{
    rowlock_locks *s = NULL;
    rowlock_error err;
    (void)arg;
    become_unprivileged();
    check(rowlock_locks_open(database, NULL, &s, &err) == ROWLOCK_IO);
    check(s == NULL && err.sys_errno == EACCES);
    check(strstr(err.message, "could not ") && strstr(err.message, database));
}

static void
test_folder__that_is_read_only_is_said(void **state)
{
    (void)state;
    struct child c;
    check(chmod(folder.path, 0555) == 0);
    child_start(&c, open_in_vain, NULL);
    child_end(&c);
    check(chmod(folder.path, 0700) == 0);
}

enum { GROUP = 54321, USER = 12345 };

/* As a user of the database's group. */
static void
join_in(void *arg)
{
    const gid_t group = GROUP;
    (void)arg;
    check(setgroups(1, &group) == 0 && setgid(65534) == 0 && setuid(USER) == 0);
    rowlock_locks *s = open_session();
    check(take(s, 1, ROWLOCK_NOWAIT) == ROWLOCK_NOT_AVAILABLE);
    check(take(s, 2, ROWLOCK_NOWAIT) == 0);
    parent_tell("held");
    parent_expect("end");
    rowlock_locks_close(s);
}

static void
stay_out(void *arg)
{
    (void)arg;
    check(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(USER) == 0);
    open_in_vain(NULL);
}

static void
test_users__of_the_databases_group_share_its_locks(void **state)
{
    (void)state;
    struct child c;
    if (geteuid() != 0)
        skip(); /* only root can be two users */
    check(chown(database, 0, GROUP) == 0 && chmod(database, 0660) == 0);
    check(chown(folder.path, 0, GROUP) == 0 && chmod(folder.path, 02770) == 0);
    rowlock_locks *s = open_session();
    assert_int_equal(take(s, 1, 0), 0);
    child_start(&c, join_in, NULL);
    child_expect(&c, "held");
    assert_int_equal(take(s, 2, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    child_tell(&c, "end");
    child_end(&c);
    child_start(&c, stay_out, NULL);
    child_end(&c);
    rowlock_locks_close(s);
}

/* ---- file systems and clocks: the C library's words are changed ---- */

static long file_system; /* 0: as it is */

int __real_fstatfs64(int fd, struct statfs *ret);
int __wrap_fstatfs64(int fd, struct statfs *ret);
int
__wrap_fstatfs64(int fd, struct statfs *ret)
{
    int rc = __real_fstatfs64(fd, ret);
    if (rc == 0 && file_system)
        ret->f_type = (__typeof__(ret->f_type))file_system;
    return rc;
}

static void
test_network__file_systems_are_refused(void **state)
{
    (void)state;
    static const long magics[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,
                                  0xFE534D42 /* SMB2 */};
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        rowlock_locks *s = NULL;
        rowlock_error err;
        file_system = magics[i];
        int rc = rowlock_locks_open(database, NULL, &s, &err);
        file_system = 0;
        assert_int_equal(rc, ROWLOCK_UNSUPPORTED);
        assert_non_null(strstr(err.message, "network file system"));
        assert_null(s);
    }
    rowlock_locks_close(open_session());
}

static bool jumping;
static int64_t jump_s;

/* The clock on the wall goes back a year, then forward two, and so on. */
static int64_t
next_jump(void)
{
    static const int64_t year = 365 * 86400;
    jump_s = jump_s > 0 ? -year : year;
    return jumping ? jump_s : 0;
}

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int
__wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
    int rc = __real_clock_gettime(id, ret);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        ret->tv_sec += next_jump();
    return rc;
}

time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret);
time_t
__wrap_time(time_t *ret)
{
    time_t now = __real_time(NULL) + next_jump();
    if (ret)
        *ret = now;
    return now;
}

static int64_t
monotonic_ms(void)
{
    struct timespec t;
    __real_clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Neither does a wait end early, nor does it last; and what is granted is not
 * a year old. */
static void
test_clock__that_jumps_moves_no_deadline(void **state)
{
    (void)state;
    struct child holder, waiter;
    rowlock_lock_info *list;
    size_t n;
    jumping = true;
    rowlock_locks *s = open_session();
    start_holder(&holder);
    for (int i = 0; i < 5; i++) {
        int64_t from = monotonic_ms();
        assert_int_equal(take(s, 1, 60), ROWLOCK_NOT_AVAILABLE);
        assert_in_range(monotonic_ms() - from, 50, SUPPORT_LIMIT_S * 1000);
    }
    assert_int_equal(rowlock_locks_list(s, &list, &n, NULL), 0);
    for (size_t i = 0; i < n; i++)
        assert_in_range(list[i].age_ms, 0, SUPPORT_LIMIT_S * 1000);
    rowlock_locks_list_free(list);
    start_waiter(&waiter);
    end(&holder);
    child_expect(&waiter, "granted");
    end(&waiter);
    rowlock_locks_close(s);
    jumping = false;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_other__layout_or_boot_is_refused_while_it_is_in_use),
        TEST(test_other__layout_or_boot_that_nobody_uses_is_written_anew),
        TEST(test_copy__of_a_table_in_use_holds_nothing),
        TEST(test_namespaces__equal_pids_are_told_apart),
        TEST(test_namespaces__the_waiter_of_a_killed_one_is_granted),
        TEST(test_copies__of_the_library_in_one_process_exclude_each_other),
        TEST(test_copies__of_the_library_both_bear_a_fork),
        TEST(test_folder__that_is_read_only_is_said),
        TEST(test_users__of_the_databases_group_share_its_locks),
        TEST(test_network__file_systems_are_refused),
        TEST(test_clock__that_jumps_moves_no_deadline),
    };
    if (argc != 2)
        return 2;
    library = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
