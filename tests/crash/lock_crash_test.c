/* SPDX-License-Identifier: MIT
 * A process dies right after its k-th write to the shared file, for every k of
 * each kind of operation. Then: the others go on, nothing they hold is lost,
 * nothing of the dead stays, and what is derived fits the truth.
 *
 * Built from the room's sources with RLK_OBSERVE_WRITES. */
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

#include "lock/fixture.h"
#include "lock/session.h"

static long writes_left = -1; /* -1: do not die */
static int deadly_signal = SIGKILL;

void
rlk_wrote(void)
{
    if (writes_left > 0 && --writes_left == 0)
        kill(getpid(), deadly_signal);
}

/* ---- what the one that dies does; the parent holds 1 SHARE and 2 UPDATE ----
 */

static void
take_and_release(rowlock_locks *s)
{
    size_t mark = 0;
    for (int64_t key = 10; key < 14; key++) {
        take_mode(s, key, ROWLOCK_SHARE, 0);
        mark = mark ? mark : rowlock_locks_mark(s);
    }
    take_mode(s, 10, ROWLOCK_UPDATE, 0); /* upgrade */
    take_mode(s, 1, ROWLOCK_KEY_SHARE, 0);
    rowlock_locks_release_to(s, mark);
    rowlock_locks_release_to(s, 0);
}

static void
be_refused(rowlock_locks *s)
{
    take_mode(s, 10, ROWLOCK_UPDATE, 0);
    take_mode(s, 2, ROWLOCK_UPDATE, ROWLOCK_NOWAIT);
    take_mode(s, 1, ROWLOCK_UPDATE, ROWLOCK_NOWAIT);
}

static void
wait_in_vain(rowlock_locks *s)
{
    take_mode(s, 1, ROWLOCK_SHARE, 0);
    take_mode(s, 1, ROWLOCK_UPDATE, 1); /* an upgrade that has to wait */
    take_mode(s, 2, ROWLOCK_UPDATE, 1);
}

static void
fill_a_segment(rowlock_locks *s)
{
    for (int64_t key = 100; key < 100 + RLK_SEGMENT + 8; key++)
        take_mode(s, key, ROWLOCK_UPDATE, 0);
}

/* The table is full but for a few when it comes: growth is among these. */
static void
take_a_few(rowlock_locks *s)
{
    for (int64_t key = 100; key < 108; key++)
        take_mode(s, key, ROWLOCK_UPDATE, 0);
}

/* Somebody else's death, before: who comes next has to bury it. */
static void
hold_much_and_die(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    for (int64_t key = 200; key < 240; key++)
        take_mode(s, key, ROWLOCK_SHARE, 0);
    for (int64_t key = 220; key < 240; key++)
        take_mode(s, key, ROWLOCK_UPDATE, 0);
    take_mode(s, 1, ROWLOCK_KEY_SHARE, 0);
    kill(getpid(), SIGKILL);
}

static void
bury_nothing(rowlock_locks *s)
{
    (void)s; /* opening has done it */
}

/* Long loops of stores that are all alike are sampled, but for `make soak`. */
static long
every(long n)
{
    return soak(1) > 1 ? 1 : n;
}

struct scenario {
    void (*act)(rowlock_locks *s);
    void (*before)(void *arg); /* NULL, or what a child does that dies first */
    long die_after;            /* the k-th write */
    long first;                /* sweep from here, in steps */
    long step;
};

static void
act_and_die(void *arg)
{
    const struct scenario *scenario = arg;
    writes_left = scenario->die_after;
    rowlock_locks *s = open_session();
    scenario->act(s);
    rowlock_locks_close(s);
}

/* ---- what the others see afterwards ---- */

/* Owner slots, locks and names are what the living have, and a rebuild from
 * the truth makes nothing else of it. */
static void
check_table(rowlock_locks *s, size_t expected)
{
    rowlock_lock_info *list;
    size_t n;
    check(rowlock_locks_list(s, &list, &n, NULL) == 0);
    if (n != expected)
        support_fail("%zu locks listed, not %zu", n, expected);
    rowlock_locks_list_free(list);
    check(rlk_enter(s, &(struct rlk_patience){RLK_NO_DEADLINE, NULL}, NULL) ==
          0);
    uint32_t names = s->table.h->n_names;
    rlk_rebuild(&s->table, s->self.scratch);
    check(s->table.h->n_names == names);
    check(rlk_exit(s, NULL) == 0);
}

/* Dies at the k-th write; true when it came to its end before. */
static bool
die_at(struct scenario *scenario, rowlock_locks *mine, long k)
{
    struct child c;
    if (scenario->before) {
        child_start(&c, scenario->before, NULL);
        child_wait(&c);
    }
    scenario->die_after = k;
    child_start(&c, act_and_die, scenario);
    int status = child_wait(&c);
    rowlock_locks *other = open_session(); /* joining buries the dead */
    check(take_mode(other, 1, ROWLOCK_UPDATE, ROWLOCK_NOWAIT) ==
          ROWLOCK_NOT_AVAILABLE);
    check(take_mode(other, 2, ROWLOCK_KEY_SHARE, ROWLOCK_NOWAIT) ==
          ROWLOCK_NOT_AVAILABLE);
    for (int64_t key = 10; key < 14; key++)
        check(take_mode(other, key, ROWLOCK_UPDATE, ROWLOCK_NOWAIT) == 0);
    rowlock_locks_close(other);
    check_table(mine, 3); /* 1, 2 and their table */
    if (WIFEXITED(status))
        return true;
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return false;
}

static void
sweep(struct scenario scenario)
{
    rowlock_locks *mine = open_session();
    assert_int_equal(take_mode(mine, 1, ROWLOCK_SHARE, 0), 0);
    assert_int_equal(take_mode(mine, 2, ROWLOCK_UPDATE, 0), 0);
    long k = scenario.first;
    while (!die_at(&scenario, mine, k))
        k += scenario.step;
    assert_in_range(k, 20, 1000000); /* it did write */
    rowlock_locks_close(mine);
}

static void
test_crash__while_taking_upgrading_and_going_back(void **state)
{
    (void)state;
    sweep((struct scenario){.act = take_and_release, .first = 1, .step = 1});
}

static void
test_crash__while_being_refused(void **state)
{
    (void)state;
    sweep((struct scenario){.act = be_refused, .first = 1, .step = 1});
}

static void
test_crash__while_waiting_and_leaving_the_queue(void **state)
{
    (void)state;
    sweep((struct scenario){.act = wait_in_vain, .first = 1, .step = 1});
}

/* The dead of the dead: 40 locks, some upgraded, given back a store at a time.
 */
static void
test_crash__while_burying_another(void **state)
{
    (void)state;
    sweep((struct scenario){.act = bury_nothing,
                            .before = hold_much_and_die,
                            .first = 1,
                            .step = 1});
}

static void
test_crash__while_the_table_is_filled(void **state)
{
    (void)state;
    sweep((struct scenario){
        .act = fill_a_segment, .first = 1, .step = every(997)});
}

/* In a new file each time, since a table stays as large as it grew. */
static void
test_crash__while_the_table_grows(void **state)
{
    (void)state;
    struct scenario scenario = {.act = take_a_few};
    char path[1100];
    snprintf(path, sizeof path, "%s-rowlock", database);
    bool done = false;
    for (scenario.die_after = 1; !done; scenario.die_after++) {
        struct child c;
        unlink(path);
        rowlock_locks *mine = open_session();
        /* all but index 0 and four; one is the table's own */
        for (int64_t key = 1000; key < 1000 + RLK_SEGMENT - 6; key++)
            check(take(mine, key, 0) == 0);
        child_start(&c, act_and_die, &scenario);
        done = WIFEXITED(child_wait(&c));
        rowlock_locks *other = open_session();
        take_a_few(other);
        check(held(other, 107) == ROWLOCK_UPDATE);
        check(mine->table.h->capacity > RLK_SEGMENT);
        rowlock_locks_close(other);
        check_table(mine, RLK_SEGMENT - 5);
        rowlock_locks_close(mine);
    }
    assert_in_range(scenario.die_after, 100, 1000);
}

/* ---- commits ---- */

static struct disk { /* shared: what it has, as the flushes below know it */
    uint64_t has;
    bool failed;
} * disk;

static int
flush(void *arg, rowlock_error *err)
{
    (void)err;
    const rowlock_locks *s = arg;
    uint64_t written = RLK_LOOK(s->table.h->ticket);
    if (disk->has < written)
        disk->has = written;
    return 0;
}

static int
fail_to_flush(void *arg, rowlock_error *err)
{
    (void)arg;
    disk->failed = true;
    return rlk_fail(err, ROWLOCK_IO, "the disk is gone");
}

static void
commit_thrice(rowlock_locks *s)
{
    for (int i = 0; i < 3; i++)
        check(rowlock_locks_make_durable(s, rowlock_locks_ticket(s), flush, s,
                                         NULL) == 0);
}

static void
commit_and_fail(rowlock_locks *s)
{
    commit_thrice(s);
    check(rowlock_locks_make_durable(s, rowlock_locks_ticket(s), fail_to_flush,
                                     s, NULL) == ROWLOCK_IO);
    check(rowlock_locks_make_durable(s, rowlock_locks_ticket(s), flush, s,
                                     NULL) == ROWLOCK_IO);
}

/* Nothing is called durable that is not on disk, and whoever comes next can
 * flush; after a failure whose leader lived to tell it, nobody can. */
static void
sweep_commits(void (*act)(rowlock_locks *s))
{
    struct scenario scenario = {.act = act};
    bool done = false;
    disk = shared_alloc(sizeof *disk);
    for (scenario.die_after = 1; !done; scenario.die_after++) {
        struct child c;
        rowlock_locks *mine = open_session();
        *disk = (struct disk){0};
        child_start(&c, act_and_die, &scenario);
        done = WIFEXITED(child_wait(&c));
        struct rlk_header *h = mine->table.h;
        check(h->durable <= disk->has);
        check(!h->poison || disk->failed);
        check(!done || !h->poison == !disk->failed);
        if (!h->poison)
            commit_thrice(mine);
        h->poison = 0;
        check_table(mine, 0);
        rowlock_locks_close(mine);
    }
    assert_in_range(scenario.die_after, 20, 1000);
    shared_free(disk, sizeof *disk);
}

static void
test_crash__while_committing_and_flushing(void **state)
{
    (void)state;
    sweep_commits(commit_thrice);
}

static void
test_crash__around_a_failed_flush(void **state)
{
    (void)state;
    sweep_commits(commit_and_fail);
}

/* ---- a fresh file: nobody else is there ---- */

static void
do_nothing(rowlock_locks *s)
{
    (void)s;
}

static void
test_crash__while_making_the_table(void **state)
{
    (void)state;
    struct scenario scenario = {.act = do_nothing};
    char path[1100];
    snprintf(path, sizeof path, "%s-rowlock", database);
    bool done = false;
    for (long k = 1; !done; k += k < 30 ? 1 : every(131)) {
        struct child c;
        unlink(path);
        scenario.die_after = k;
        child_start(&c, act_and_die, &scenario);
        done = WIFEXITED(child_wait(&c));
        rowlock_locks *s = open_session();
        check(take_mode(s, 1, ROWLOCK_UPDATE, ROWLOCK_NOWAIT) == 0);
        check_table(s, 2);
        rowlock_locks_close(s);
    }
}

/* ---- handing over ---- */

static void
wait_for_three(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    parent_tell("waiting");
    check(take_mode(s, 3, ROWLOCK_UPDATE, 0) == 0);
    parent_tell("granted");
    rowlock_locks_close(s);
}

static bool
hand_over_and_die(struct scenario *scenario)
{
    struct child holder, waiter;
    scenario->die_after = -1;
    child_start(&holder, act_and_die, scenario);
    child_expect(&holder, "held");
    child_start(&waiter, wait_for_three, NULL);
    child_expect(&waiter, "waiting");
    child_wait_asleep(&waiter);
    child_tell(&holder, "release");
    int status = child_wait(&holder);
    child_expect(&waiter, "granted");
    child_end(&waiter);
    return WIFEXITED(status);
}

/* Counts from the release on: what is before is in the other sweeps. */
static long release_dies_after;

static void
hold_then_die_in_release(rowlock_locks *s)
{
    take_mode(s, 3, ROWLOCK_UPDATE, 0);
    parent_tell("held");
    parent_expect("release");
    writes_left = release_dies_after;
    rowlock_locks_release_to(s, 0);
}

/* The waiter gets a lock that was strengthened, and of which something stays.
 */
static void
hold_then_die_in_going_back(rowlock_locks *s)
{
    take_mode(s, 4, ROWLOCK_SHARE, 0);
    size_t mark = rowlock_locks_mark(s);
    take_mode(s, 4, ROWLOCK_NO_KEY_UPDATE, 0);
    take_mode(s, 4, ROWLOCK_UPDATE, 0);
    take_mode(s, 3, ROWLOCK_UPDATE, 0);
    parent_tell("held");
    parent_expect("release");
    writes_left = release_dies_after;
    rowlock_locks_release_to(s, mark);
    rowlock_locks_close(s);
    _exit(0);
}

static void
hand_over(void (*act)(rowlock_locks *s))
{
    struct scenario scenario = {.act = act};
    rowlock_locks *mine = open_session();
    release_dies_after = 1;
    while (!hand_over_and_die(&scenario)) {
        release_dies_after++;
        rowlock_locks *other = open_session();
        rowlock_locks_close(other);
        check_table(mine, 0);
    }
    assert_in_range(release_dies_after, 10, 1000);
    rowlock_locks_close(mine);
}

static void
test_crash__while_handing_over_the_waiter_is_granted_all_the_same(void **state)
{
    (void)state;
    hand_over(hold_then_die_in_release);
}

static void
test_crash__while_going_back_to_a_savepoint_the_waiter_is_granted(void **state)
{
    (void)state;
    hand_over(hold_then_die_in_going_back);
}

/* ---- a waiter that dies as it is granted ---- */

static long waiter_dies_after;

static void
wait_and_die(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    parent_tell("waiting");
    writes_left = waiter_dies_after;
    take_mode(s, 3, ROWLOCK_UPDATE, 0);
    rowlock_locks_close(s);
}

/* Two wait; the first dies at its k-th store, in the queue, as it looks around
 * or as it is granted; then the lock goes back. */
static bool
die_in_the_queue(void)
{
    struct child first, second;
    rowlock_locks *holder = open_session();
    check(take_mode(holder, 3, ROWLOCK_UPDATE, 0) == 0);
    child_start(&first, wait_and_die, NULL);
    child_expect(&first, "waiting");
    child_start(&second, wait_for_three, NULL);
    child_expect(&second, "waiting");
    child_wait_asleep(&second);
    rowlock_locks_release_to(holder, 0);
    int status = child_wait(&first);
    child_expect(&second, "granted");
    child_end(&second);
    rowlock_locks_close(open_session()); /* buries what nobody waited for */
    check_table(holder, 0);
    rowlock_locks_close(holder);
    return WIFEXITED(status);
}

static void
test_crash__of_a_waiter_lets_the_next_one_in(void **state)
{
    (void)state;
    waiter_dies_after = 1;
    while (!die_in_the_queue())
        waiter_dies_after++;
    assert_in_range(waiter_dies_after, 30, 1000);
}

/* ---- stopped, not dead, inside the latch ---- */

static void
stop_inside(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    deadly_signal = SIGSTOP;
    writes_left = 3; /* the latch's word is the first */
    take_mode(s, 3, ROWLOCK_UPDATE, 0);
    rowlock_locks_close(s);
}

static bool
is_stopped(void *arg)
{
    siginfo_t info = {.si_pid = 0};
    const struct child *c = arg;
    return waitid(P_PID, (id_t)c->pid, &info, WSTOPPED | WNOHANG | WNOWAIT) ==
               0 &&
           info.si_pid == c->pid;
}

static void
test_stop__inside_the_latch_is_told_to_who_cannot_wait(void **state)
{
    (void)state;
    struct child c;
    rowlock_error err;
    char pid[64];
    rowlock_locks *s = open_session();
    child_start(&c, stop_inside, NULL);
    wait_until(is_stopped, &c, "the child to stop inside the latch");
    const rowlock_value value = rowlock_int(4);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    snprintf(pid, sizeof pid, "Process %d (", (int)c.pid);
    static const int32_t waits[] = {ROWLOCK_NOWAIT, 30};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            rowlock_locks_take(s, &name, ROWLOCK_UPDATE, waits[i], &err),
            ROWLOCK_NOT_AVAILABLE);
        assert_non_null(strstr(err.detail, pid));
    }
    rowlock_lock_info *list;
    size_t n;
    assert_int_equal(rowlock_locks_list(s, &list, &n, &err),
                     ROWLOCK_NOT_AVAILABLE);
    assert_non_null(strstr(err.detail, pid));
    rowlock_locks *other = NULL;
    assert_int_equal(rowlock_locks_open(database, NULL, &other, &err),
                     ROWLOCK_NOT_AVAILABLE);
    assert_non_null(strstr(err.detail, pid));
    kill(c.pid, SIGCONT); /* it was not robbed, and goes on */
    child_end(&c);
    assert_int_equal(take_mode(s, 4, ROWLOCK_UPDATE, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(s);
}

/* ---- dying again in the rebuild ---- */

static void
rebuild_and_die(rowlock_locks *s)
{
    rlk_enter(s, &(struct rlk_patience){RLK_NO_DEADLINE, NULL}, NULL);
    rlk_rebuild(&s->table, s->self.scratch);
    rlk_exit(s, NULL);
}

static void
test_crash__in_the_middle_of_a_rebuild(void **state)
{
    (void)state;
    sweep((struct scenario){
        .act = rebuild_and_die, .first = 1, .step = every(61)});
}

/* One dies inside the latch, so whoever comes next takes it over and makes the
 * derived anew; that one dies in it, at each of these stores, and a third goes
 * on. */
static void
die_in_the_latch(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    for (int64_t key = 200; key < 230; key++)
        take_mode(s, key, ROWLOCK_UPDATE, 0);
    writes_left = 12; /* the latch's word is the first */
    take_mode(s, 230, ROWLOCK_UPDATE, 0);
    support_fail("a lock takes fewer stores than that");
}

static void
test_crash__in_the_rebuild_that_another_death_made_necessary(void **state)
{
    (void)state;
    sweep((struct scenario){.act = bury_nothing,
                            .before = die_in_the_latch,
                            .first = 1,
                            .step = every(61)});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_crash__while_taking_upgrading_and_going_back),
        TEST(test_crash__while_being_refused),
        TEST(test_crash__while_waiting_and_leaving_the_queue),
        TEST(test_crash__while_burying_another),
        TEST(test_crash__while_the_table_is_filled),
        TEST(test_crash__while_the_table_grows),
        TEST(test_crash__while_making_the_table),
        TEST(test_crash__while_committing_and_flushing),
        TEST(test_crash__around_a_failed_flush),
        TEST(test_crash__while_handing_over_the_waiter_is_granted_all_the_same),
        TEST(test_crash__while_going_back_to_a_savepoint_the_waiter_is_granted),
        TEST(test_crash__of_a_waiter_lets_the_next_one_in),
        TEST(test_stop__inside_the_latch_is_told_to_who_cannot_wait),
        TEST(test_crash__in_the_middle_of_a_rebuild),
        TEST(test_crash__in_the_rebuild_that_another_death_made_necessary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
