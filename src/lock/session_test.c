/* SPDX-License-Identifier: MIT
 * What sessions of several processes take, wait for, give back and list. Their
 * deaths, and the file, are in life_test.c. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"

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

static rowlock_lock_counters
counters(rowlock_locks *s)
{
    rowlock_lock_counters ret = ROWLOCK_LOCK_COUNTERS_INIT;
    check(rowlock_locks_counters(s, &ret, NULL) == 0);
    return ret;
}

static void
test_counters__tell_waits_grants_and_deaths(void **state)
{
    (void)state;
    struct child holder, waiter;
    rowlock_locks *s = open_session();
    rowlock_lock_counters a = counters(s);
    start_holder(&holder); /* the record and its table */
    start_waiter(&waiter);
    rowlock_lock_counters b = counters(s);
    assert_int_equal(b.grants - a.grants, 3); /* the waiter has its table */
    assert_int_equal(b.waits - a.waits, 1);
    assert_int_equal(take(s, 1, 30), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(take(s, 1, ROWLOCK_NOWAIT), ROWLOCK_NOT_AVAILABLE);
    rowlock_lock_counters c = counters(s);
    assert_int_equal(c.waits - b.waits, 1); /* NOWAIT does not */
    assert_int_equal(c.in_vain - b.in_vain, 1);
    assert_in_range(c.longest_ms, 30, c.waited_ms);
    child_kill(&holder);
    child_expect(&waiter, "granted");
    rowlock_lock_counters d = counters(s);
    assert_int_equal(d.reaps - c.reaps, 1);
    assert_int_equal(d.in_vain, c.in_vain);
    end(&waiter);
    assert_int_equal(counters(s).reaps, d.reaps); /* it closed */
    assert_in_range(d.since_s, 1, INT64_MAX);
    rowlock_locks_close(s);
    s = open_session(); /* alone: the table is new, its counters are not */
    assert_int_equal(counters(s).waits, d.waits);
    rowlock_locks_count_replay(s);
    assert_int_equal(counters(s).replays, d.replays + 1);
    rowlock_locks_close(s);
}

static void
test_counters__of_an_older_caller_are_those_that_it_knows(void **state)
{
    (void)state;
    rowlock_locks *s = open_session();
    rowlock_lock_counters c = {.waits = 99};
    c.size = offsetof(rowlock_lock_counters, waits);
    assert_int_equal(rowlock_locks_counters(s, &c, NULL), 0);
    assert_int_equal(c.waits, 99);
    c.size = 0;
    assert_int_equal(rowlock_locks_counters(s, &c, NULL), ROWLOCK_MISUSE);
    rowlock_locks_close(s);
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

static volatile sig_atomic_t signalled;

static void
note_signal(int signal)
{
    (void)signal;
    signalled = 1;
}

static int
is_signalled(void *arg)
{
    ++*(int *)arg;
    return signalled;
}

static void
wait_and_be_interrupted(void *arg)
{
    (void)arg;
    int asked = 0;
    rowlock_locks *s;
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.interrupted = is_signalled;
    o.interrupted_arg = &asked;
    check(rowlock_locks_open(database, &o, &s, NULL) == 0);
    signal(SIGINT, note_signal);
    check(take(s, 2, 0) == 0 && asked == 0); /* nothing to wait for */
    parent_tell("waiting");
    check(take(s, 1, 0) == ROWLOCK_CANCELLED && asked > 0);
    check(held(s, 1) == ROWLOCK_READ && held(s, 2) == ROWLOCK_UPDATE);
    signalled = 0;
    check(take(s, 3, 0) == 0); /* the session stays usable */
    parent_tell("interrupted");
    rowlock_locks_close(s);
}

static void
test_interrupted__ends_the_wait_when_it_says_so(void **state)
{
    (void)state;
    struct child a, b;
    start_holder(&a);
    child_start(&b, wait_and_be_interrupted, NULL);
    child_expect(&b, "waiting");
    child_wait_asleep(&b);
    kill(b.pid, SIGINT);
    child_expect(&b, "interrupted");
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

static void
test_deadlock__the_last_eight_are_remembered_the_newest_first(void **state)
{
    (void)state;
    rowlock_lock_cycle cycles[ROWLOCK_CYCLES];
    rowlock_locks *s = open_session();
    assert_int_equal(rowlock_locks_cycles(s, cycles), 0);
    play_the_ring(3);
    play_the_ring(2);
    assert_int_equal(rowlock_locks_cycles(s, cycles), 2);
    assert_non_null(strstr(cycles[0].text, "waits for UPDATE on t/"));
    assert_true(strlen(cycles[0].text) < strlen(cycles[1].text));
    assert_in_range(cycles[0].at_s, cycles[1].at_s, INT64_MAX);
    assert_int_not_equal(cycles[0].victim, cycles[1].victim);
    for (int i = 0; i < ROWLOCK_CYCLES; i++)
        play_the_ring(2);
    assert_int_equal(rowlock_locks_cycles(s, cycles), ROWLOCK_CYCLES);
    assert_int_equal(strlen(cycles[ROWLOCK_CYCLES - 1].text) / 100,
                     strlen(cycles[0].text) / 100);
    rowlock_locks_close(s);
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

struct listed {
    rowlock_locks *s;
    int n;
};

static bool
are_listed(void *arg)
{
    const struct listed *listed = arg;
    return count_locks(listed->s) >= listed->n;
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
        struct listed listed = {s, (int)(2 + 2 * (i + 1))};
        wait_until(are_listed, &listed, "the child to stand in the queue");
    }
    rowlock_locks_release_to(s, 0);
    for (uint32_t i = 0; i < WAITERS; i++)
        child_end(&c[i]);
    for (uint32_t i = 0; i < WAITERS; i++)
        assert_int_equal(grants->order[i], i);
    rowlock_locks_close(s);
    shared_free(grants, sizeof *grants);
}

/* ---- the latch is for all ---- */

static long *pairs; /* that the other process has made */

static void
lock_and_unlock(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    parent_tell("ready");
    while (!__atomic_load_n(&pairs[1], __ATOMIC_ACQUIRE)) {
        check(take(s, -1, ROWLOCK_WAIT) == 0);
        rowlock_locks_release_to(s, 0);
        __atomic_add_fetch(&pairs[0], 1, __ATOMIC_RELEASE);
    }
    rowlock_locks_close(s);
}

static void
test_release__of_very_many_locks_lets_others_in_between(void **state)
{
    (void)state;
    struct child other;
    rowlock_locks *s = open_session();
    pairs = shared_alloc(2 * sizeof *pairs);
    for (int64_t key = 0; key < 300000; key++)
        assert_int_equal(take(s, key, ROWLOCK_NOWAIT), 0);
    child_start(&other, lock_and_unlock, NULL);
    child_expect(&other, "ready");
    long before = __atomic_load_n(&pairs[0], __ATOMIC_ACQUIRE);
    rowlock_locks_release_to(s, 0);
    long meanwhile = __atomic_load_n(&pairs[0], __ATOMIC_ACQUIRE) - before;
    assert_in_range(meanwhile, 3, 1000000);
    __atomic_store_n(&pairs[1], 1, __ATOMIC_RELEASE);
    child_end(&other);
    shared_free(pairs, 2 * sizeof *pairs);
    rowlock_locks_close(s);
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
    const struct CMUnitTest tests[] = {
        TEST(test_take__two_processes_hold_two_records_at_once),
        TEST(test_nowait__names_the_holder),
        TEST(test_skip_locked__does_not_touch_the_error),
        TEST(test_take__a_failure_leaves_nothing_held_that_was_not),
        TEST(test_timeout__answers_55P03_and_leaves_the_queue),
        TEST(test_counters__tell_waits_grants_and_deaths),
        TEST(test_counters__of_an_older_caller_are_those_that_it_knows),
        TEST(test_release__grants_to_the_waiter),
        TEST(test_key__excludes_by_value_and_not_by_record),
        TEST(test_table__a_record_lock_keeps_others_from_the_whole_table),
        TEST(test_savepoint__gives_back_or_lowers_what_came_since),
        TEST(test_drop__frees_one_lock_and_the_writer_follows_no_savepoint),
        TEST(test_cancel__from_a_signal_handler_ends_the_wait),
        TEST(test_interrupted__ends_the_wait_when_it_says_so),
        TEST(test_deadlock__of_two_three_and_eight_has_one_victim),
        TEST(test_deadlock__the_last_eight_are_remembered_the_newest_first),
        TEST(test_queue__sixteen_waiters_are_granted_in_order_of_arrival),
        TEST(test_release__of_very_many_locks_lets_others_in_between),
        TEST(test_list__shows_holders_waiters_and_who_blocks_whom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
