/* SPDX-License-Identifier: MIT
 * Rare moments, brought about on purpose: a process that is stopped, ends or
 * dies between two stores, and what the others then must not do.
 *
 * Built from the room's sources with RLK_OBSERVE_WRITES. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lock/fixture.h"
#include "lock/session.h"

static long writes_left = -1; /* to the signal; -1: none */
static int signal_then = SIGKILL;

void
rlk_wrote(void)
{
    if (writes_left > 0 && --writes_left == 0)
        kill(getpid(), signal_then);
}

static const struct rlk_patience for_ever = {RLK_NO_DEADLINE, NULL};

/* ---- stopped inside the latch ---- */

static void
close_and_stop(void *arg)
{
    const long *stop_after = arg;
    rowlock_locks *s = open_session();
    check(take_mode(s, 1, ROWLOCK_UPDATE, 0) == 0);
    signal_then = SIGSTOP;
    writes_left = *stop_after;
    rowlock_locks_close(s);
}

/* False once it came to its end without a stop. */
static bool
stands_still(const struct child *c)
{
    siginfo_t info;
    check(waitid(P_PID, (id_t)c->pid, &info, WSTOPPED | WEXITED | WNOWAIT) ==
          0);
    return info.si_code == CLD_STOPPED;
}

static void
test_latch__is_never_taken_from_a_stopped_process_that_ends(void **state)
{
    (void)state;
    rowlock_locks *s = open_session();
    long stop_after = 1;
    for (bool stopped = true; stopped; stop_after++) {
        struct child c;
        child_start(&c, close_and_stop, &stop_after);
        stopped = stands_still(&c);
        int rc = take_mode(s, 2, ROWLOCK_UPDATE, ROWLOCK_NOWAIT);
        check(rc == 0 || rc == ROWLOCK_NOT_AVAILABLE);
        if (rc == 0)
            rowlock_locks_release_to(s, 0);
        kill(c.pid, SIGCONT);
        child_end(&c);
    }
    assert_in_range(stop_after, 6, 1000);
    assert_int_equal(s->table.h->counters.rebuilds, 0);
    assert_int_equal(count_locks(s), 0);
    rowlock_locks_close(s);
}

/* Is told when to leave the latch. */
static void
stay_in_the_latch(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(rlk_enter(s, &for_ever, NULL) == 0);
    parent_tell("inside");
    parent_expect("leave");
    check(rlk_exit(s, NULL) == 0);
    rowlock_locks_close(s);
}

/* Waits in vain for record 1, and asks again when told so. */
static void
time_out_then_ask_again(void *arg)
{
    const enum rowlock_mode *before = arg;
    rowlock_locks *s = open_session();
    if (*before)
        check(take_mode(s, 1, *before, 0) == 0);
    parent_tell("waiting");
    check(take_mode(s, 1, ROWLOCK_UPDATE, 1000) == ROWLOCK_NOT_AVAILABLE);
    parent_tell("timed out");
    parent_expect("again");
    size_t mark = rowlock_locks_mark(s);
    check(take_mode(s, 1, ROWLOCK_UPDATE, ROWLOCK_NOWAIT) == 0);
    check(take_mode(s, 2, ROWLOCK_UPDATE, ROWLOCK_NOWAIT) == 0);
    const rowlock_value one = rowlock_int(1);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &one, 1};
    check(rowlock_locks_held(s, &name) == ROWLOCK_UPDATE);
    rowlock_locks_release_to(s, mark);
    check(rowlock_locks_held(s, &name) == *before);
    rowlock_locks_release_to(s, 0);
    check(count_locks(s) == 0);
    rowlock_locks_close(s);
}

static void
time_out_beside_a_stuck_latch(enum rowlock_mode before)
{
    struct child waiter, inside;
    rowlock_locks *s = open_session();
    assert_int_equal(take_mode(s, 1, before ? before : ROWLOCK_UPDATE, 0), 0);
    child_start(&waiter, time_out_then_ask_again, &before);
    child_expect(&waiter, "waiting");
    child_wait_asleep(&waiter);
    child_start(&inside, stay_in_the_latch, NULL);
    child_expect(&inside, "inside");
    child_expect(&waiter, "timed out"); /* although the latch is stuck */
    child_tell(&inside, "leave");
    child_end(&inside);
    rowlock_locks_release_to(s, 0); /* may grant what nobody wants any more */
    child_tell(&waiter, "again");
    child_end(&waiter);
    rowlock_locks_close(s);
}

static void
test_latch__stuck_at_a_timeout_leaves_no_lock_behind(void **state)
{
    (void)state;
    time_out_beside_a_stuck_latch(ROWLOCK_READ);
}

static void
test_latch__stuck_at_a_timeout_leaves_no_upgrade_behind(void **state)
{
    (void)state;
    time_out_beside_a_stuck_latch(ROWLOCK_SHARE);
}

static void
die_in_the_latch(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(rlk_enter(s, &for_ever, NULL) == 0);
    kill(getpid(), SIGKILL);
}

static void
do_nothing(int signal)
{
    (void)signal;
}

static void
open_under_signals(void *arg)
{
    (void)arg;
    const struct itimerval rain = {{0, 100}, {0, 100}};
    signal(SIGALRM, do_nothing);
    setitimer(ITIMER_REAL, &rain, NULL);
    rowlock_locks *s = open_session();
    const struct itimerval none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &none, NULL);
    rowlock_locks_close(s);
    parent_tell("opened");
}

static void
test_latch__of_the_dead_is_taken_under_a_rain_of_signals(void **state)
{
    (void)state;
    struct child dead, other;
    rowlock_locks *s = open_session();
    child_start(&dead, die_in_the_latch, NULL);
    child_wait(&dead);
    child_start(&other, open_under_signals, NULL);
    child_expect(&other, "opened");
    child_end(&other);
    rowlock_locks_close(s);
}

/* ---- dying between two holds of the latch ---- */

enum { WAITERS = 300 }; /* more than one hold grants */
static int granted;     /* atomic */
static pthread_mutex_t all_granted = PTHREAD_MUTEX_INITIALIZER;

static void *
wait_for_share(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(take_mode(s, 1, ROWLOCK_SHARE, 0) == 0);
    __atomic_add_fetch(&granted, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&all_granted); /* nobody gives back before */
    pthread_mutex_unlock(&all_granted);
    rowlock_locks_close(s);
    return NULL;
}

static void
die_having_granted_some(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(take_mode(s, 1, ROWLOCK_UPDATE, 0) == 0);
    parent_tell("held");
    parent_expect("die");
    check(rlk_enter(s, &for_ever, NULL) == 0);
    rlk_lower(&s->table, s->log.entries[--s->log.n].lock, ROWLOCK_READ);
    check(rlk_exit(s, NULL) == 0);
    kill(getpid(), SIGKILL);
}

static bool
all_wait(void *arg)
{
    return count_locks(arg) == 2 + 2 * WAITERS;
}

static bool
all_are_granted(void *arg)
{
    (void)arg;
    return __atomic_load_n(&granted, __ATOMIC_SEQ_CST) == WAITERS;
}

static void
test_death__in_the_middle_of_many_grants_leaves_nobody_waiting(void **state)
{
    (void)state;
    struct child c;
    pthread_t threads[WAITERS];
    rowlock_locks *s = open_session();
    child_start(&c, die_having_granted_some, NULL);
    child_expect(&c, "held");
    pthread_mutex_lock(&all_granted);
    for (int i = 0; i < WAITERS; i++)
        check(pthread_create(&threads[i], NULL, wait_for_share, NULL) == 0);
    wait_until(all_wait, s, "all wait");
    child_tell(&c, "die");
    child_wait(&c);
    wait_until(all_are_granted, NULL, "all are granted");
    pthread_mutex_unlock(&all_granted);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    rowlock_locks_close(s);
}

/* ---- damage ---- */

/* Spoils the oldest lock, so that who rebuilds stops before the others. */
static void
spoil_and_die(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(rlk_enter(s, &for_ever, NULL) == 0);
    rlk_lock_at(&s->table, 1)->name = RLK_MAX_LOCKS - 1;
    kill(getpid(), SIGKILL);
}

static void
test_damage__that_one_session_meets_stops_all(void **state)
{
    (void)state;
    struct child c;
    rowlock_locks *holder = open_session();
    rowlock_locks *first = open_session(), *second = open_session();
    assert_int_equal(take_mode(holder, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(take_mode(holder, 2, ROWLOCK_UPDATE, 0), 0);
    child_start(&c, spoil_and_die, NULL);
    child_wait(&c);
    assert_int_equal(take_mode(first, 3, ROWLOCK_UPDATE, 0), ROWLOCK_IO);
    /* What was not rebuilt looks free, and must not be given away. */
    assert_int_equal(take_mode(second, 2, ROWLOCK_UPDATE, ROWLOCK_NOWAIT),
                     ROWLOCK_IO);
    rowlock_locks_close(first);
    rowlock_locks_close(second);
    rowlock_locks_close(holder);
    holder = open_session(); /* alone: written anew */
    assert_int_equal(take_mode(holder, 2, ROWLOCK_UPDATE, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(holder);
}

/* A byte of what is used by few owners and few locks; not the latch, whose
 * holder everyone has to believe. */
static size_t
any_byte(unsigned *seed)
{
    static const struct {
        size_t at, size;
    } parts[] = {
        {offsetof(struct rlk_header, capacity), 64},
        {RLK_OWNERS_AT, 4 * sizeof(struct rlk_owner)},
        {RLK_QUEUES_AT, 4 * sizeof(struct rlk_queue)},
        {RLK_SEGMENTS_AT, 40 * sizeof(struct rlk_lock)},
        {RLK_SEGMENTS_AT + RLK_NAMES_AT, 12 * sizeof(struct rlk_name)},
    };
    int i = rand_r(seed) % 5;
    return parts[i].at + (size_t)rand_r(seed) % parts[i].size;
}

static void
any_call(rowlock_locks *s, unsigned *seed)
{
    rowlock_lock_info *list;
    size_t n;
    int kind = rand_r(seed) % 8;
    if (kind == 0)
        rowlock_locks_release_to(s, 0);
    else if (kind == 1 && rowlock_locks_list(s, &list, &n, NULL) == 0)
        rowlock_locks_list_free(list);
    else
        take_mode(s, rand_r(seed) % 8,
                  (enum rowlock_mode)(1 + rand_r(seed) % 4),
                  kind == 2 ? 1 : ROWLOCK_NOWAIT);
}

static void
work_on_damage(void *arg)
{
    enum { SESSIONS = 4, CALLS = 60, BYTES = 4 };
    unsigned seed = *(const unsigned *)arg;
    rowlock_locks *s[SESSIONS];
    alarm(SUPPORT_LIMIT_S);
    for (int i = 0; i < SESSIONS; i++)
        s[i] = open_session();
    for (int i = 0; i < CALLS; i++)
        any_call(s[rand_r(&seed) % SESSIONS], &seed);
    for (int i = 0; i < BYTES; i++)
        s[0]->table.map[any_byte(&seed)] = (unsigned char)rand_r(&seed) % 16;
    if (seed % 2 && rlk_enter(s[0], &for_ever, NULL) == 0) {
        rlk_rebuild(&s[0]->table, s[0]->self.scratch);
        rlk_exit(s[0], NULL);
    }
    for (int i = 0; i < CALLS; i++)
        any_call(s[rand_r(&seed) % SESSIONS], &seed);
    for (int i = 0; i < SESSIONS; i++)
        rowlock_locks_close(s[i]);
}

static void
test_damage__whatever_the_bytes_every_call_ends(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < (unsigned)soak(300); seed++) {
        struct child c;
        child_start(&c, work_on_damage, &seed);
        child_end(&c);
    }
}

/* ---- the poison word ---- */

static void
open_and_die(void *arg)
{
    writes_left = *(const long *)arg;
    rowlock_locks_close(open_session());
}

static void
test_poison__outlives_a_death_while_the_table_is_made_anew(void **state)
{
    (void)state;
    bool done = false;
    for (long k = 1; !done; k += k < 30 ? 1 : 131) {
        struct child c;
        rowlock_locks *s = open_session();
        s->table.h->poison = 7;
        rowlock_locks_close(s);
        child_start(&c, open_and_die, &k);
        done = WIFEXITED(child_wait(&c));
        s = open_session();
        assert_int_equal(s->table.h->poison, 7);
        rowlock_locks_close(s);
    }
}

/* ---- what /proc does not tell ---- */

static void
hold_one(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(take_mode(s, 1, ROWLOCK_UPDATE, 0) == 0);
    parent_tell("held");
    parent_expect("end");
    rowlock_locks_close(s);
}

/* As another user, who does not see the holder's process in /proc. */
static void
ask_without_seeing(void *arg)
{
    (void)arg;
    if (unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, 0) ||
        mount("proc", "/proc", "proc", 0, "hidepid=2")) {
        parent_tell("cannot"); /* not root */
        return;
    }
    become_unprivileged();
    rowlock_locks *s = open_session();
    int rc = take_mode(s, 1, ROWLOCK_UPDATE, ROWLOCK_NOWAIT);
    parent_tell(rc == ROWLOCK_NOT_AVAILABLE ? "kept" : "robbed");
    rowlock_locks_close(s);
}

static void
test_owner__whose_process_is_hidden_lives(void **state)
{
    (void)state;
    struct child holder, other;
    char text[SUPPORT_TEXT];
    int fd = open(database, O_CREAT | O_WRONLY, 0666);
    check(fd != -1 && fchmod(fd, 0666) == 0);
    close(fd);
    check(chmod(folder.path, 0777) == 0);
    child_start(&holder, hold_one, NULL);
    child_expect(&holder, "held");
    child_start(&other, ask_without_seeing, NULL);
    child_hear(&other, text);
    child_end(&other);
    child_tell(&holder, "end");
    child_end(&holder);
    if (strcmp(text, "cannot") == 0)
        skip();
    assert_string_equal(text, "kept");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_latch__is_never_taken_from_a_stopped_process_that_ends),
        TEST(test_latch__stuck_at_a_timeout_leaves_no_lock_behind),
        TEST(test_latch__stuck_at_a_timeout_leaves_no_upgrade_behind),
        TEST(test_latch__of_the_dead_is_taken_under_a_rain_of_signals),
        TEST(test_death__in_the_middle_of_many_grants_leaves_nobody_waiting),
        TEST(test_damage__that_one_session_meets_stops_all),
        TEST(test_damage__whatever_the_bytes_every_call_ends),
        TEST(test_poison__outlives_a_death_while_the_table_is_made_anew),
        TEST(test_owner__whose_process_is_hidden_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
