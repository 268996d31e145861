/* SPDX-License-Identifier: MIT
 * One flush for all who wait: tickets, leaders that die or stop, poison. The
 * flush here only counts, and waits where a test wants it to. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "session.h"

static int *flushes; /* of all processes */

static int
set_up_shared(void **state)
{
    flushes = shared_alloc(sizeof *flushes);
    return set_up(state);
}

static int
tear_down_shared(void **state)
{
    shared_free(flushes, sizeof *flushes);
    return tear_down(state);
}

static int
flush(void *arg, rowlock_error *err)
{
    (void)arg, (void)err;
    __atomic_add_fetch(flushes, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int
flush_when_told(void *arg, rowlock_error *err)
{
    parent_tell("flushing");
    parent_expect("go on");
    return flush(arg, err);
}

static int
fail_when_told(void *arg, rowlock_error *err)
{
    parent_tell("flushing");
    parent_expect("go on");
    *(int *)arg = 1;
    return rlk_fail(err, ROWLOCK_IO, "the disk is gone");
}

static int
wait_for(rowlock_locks *s, uint64_t ticket)
{
    return rowlock_locks_make_durable(s, ticket, flush, NULL, NULL);
}

static void
commit_slowly(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    int rc = rowlock_locks_make_durable(s, rowlock_locks_ticket(s),
                                        flush_when_told, NULL, NULL);
    parent_tell(rc ? "failed" : "durable");
    parent_expect("end");
    rowlock_locks_close(s);
}

static void
commit_and_fail(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    rowlock_error err;
    int failed = 0;
    int rc = rowlock_locks_make_durable(s, rowlock_locks_ticket(s),
                                        fail_when_told, &failed, &err);
    check(failed && rc == ROWLOCK_IO);
    parent_tell("failed");
    parent_expect("end");
    rowlock_locks_close(s);
}

/* Its ticket is taken when it says so. */
static void
commit_quickly(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    uint64_t ticket = rowlock_locks_ticket(s);
    parent_tell("committed");
    parent_tell(wait_for(s, ticket) ? "failed" : "durable");
    parent_expect("end");
    rowlock_locks_close(s);
}

static void
start_leader(struct child *c, void (*act)(void *))
{
    child_start(c, act, NULL);
    child_expect(c, "flushing");
}

static void
start_follower(struct child *c)
{
    child_start(c, commit_quickly, NULL);
    child_expect(c, "committed");
    child_wait_asleep(c);
    check(!child_has_said(c));
}

/* ---- one flush for all ---- */

static void
test_ticket__is_durable_after_one_flush_and_stays_so(void **state)
{
    (void)state;
    rowlock_locks *s = open_session();
    uint64_t first = rowlock_locks_ticket(s), second = rowlock_locks_ticket(s);
    assert_true(second == first + 1);
    assert_int_equal(wait_for(s, second), 0);
    assert_int_equal(*flushes, 1);
    assert_int_equal(wait_for(s, first), 0);
    assert_int_equal(wait_for(s, second), 0);
    assert_int_equal(*flushes, 1);
    assert_int_equal(wait_for(s, rowlock_locks_ticket(s)), 0);
    assert_int_equal(*flushes, 2);
    assert_true(s->table.h->leader == 0);
    rowlock_locks_close(s);
}

static void
test_flush__serves_only_those_before_it_and_one_serves_all_others(void **state)
{
    (void)state;
    enum { FOLLOWERS = 6 };
    struct child leader, followers[FOLLOWERS];
    start_leader(&leader, commit_slowly);
    for (int i = 0; i < FOLLOWERS; i++)
        start_follower(&followers[i]);
    child_tell(&leader, "go on");
    child_expect(&leader, "durable");
    for (int i = 0; i < FOLLOWERS; i++)
        child_expect(&followers[i], "durable");
    assert_int_equal(*flushes, 2); /* the leader's, and one for the rest */
    end(&leader);
    for (int i = 0; i < FOLLOWERS; i++)
        end(&followers[i]);
}

static void
test_counters__tell_the_flushes(void **state)
{
    (void)state;
    rowlock_lock_counters c = ROWLOCK_LOCK_COUNTERS_INIT;
    rowlock_locks *s = open_session();
    for (int i = 0; i < 3; i++)
        assert_int_equal(wait_for(s, rowlock_locks_ticket(s)), 0);
    assert_int_equal(rowlock_locks_counters(s, &c, NULL), 0);
    assert_int_equal(c.flushes, 3);
    rowlock_locks_close(s);
}

/* ---- leaders that do not come back ---- */

static void
test_leader__killed_in_its_flush_is_replaced(void **state)
{
    (void)state;
    struct child leader, follower;
    start_leader(&leader, commit_slowly);
    start_follower(&follower);
    child_kill(&leader);
    child_expect(&follower, "durable");
    assert_int_equal(*flushes, 1);
    end(&follower);
}

/* It still is the leader, by its word; it publishes nothing that it has not
 * flushed, and does not take the word from who came after it. */
static void
test_leader__stopped_in_its_flush_is_not_waited_for(void **state)
{
    (void)state;
    struct child leader, follower, second;
    start_leader(&leader, commit_slowly);
    child_stop(&leader);
    start_follower(&follower);
    child_expect(&follower, "durable");
    start_leader(&second, commit_slowly);
    child_resume(&leader);
    child_tell(&leader, "go on");
    child_expect(&leader, "durable");
    rowlock_locks *s = open_session();
    assert_true(s->table.h->leader != 0);
    rowlock_locks_close(s);
    child_tell(&second, "go on");
    child_expect(&second, "durable");
    end(&leader);
    end(&second);
    end(&follower);
}

/* ---- poison ---- */

static void
expect_poison(rowlock_locks *s)
{
    int before = *flushes;
    assert_int_equal(rowlock_locks_poisoned(s, NULL), ROWLOCK_IO);
    assert_int_equal(wait_for(s, rowlock_locks_ticket(s)), ROWLOCK_IO);
    assert_int_equal(*flushes, before);
}

static void
test_poison__a_failed_flush_ends_all_acknowledgements(void **state)
{
    (void)state;
    struct child leader, follower;
    start_leader(&leader, commit_and_fail);
    start_follower(&follower);
    child_tell(&leader, "go on");
    child_expect(&leader, "failed");
    child_expect(&follower, "failed");
    assert_int_equal(*flushes, 0);
    rowlock_locks *s = open_session();
    expect_poison(s);
    rowlock_locks_close(s);
    end(&leader);
    end(&follower);
}

static void
test_poison__outlives_all_sessions_but_not_the_boot(void **state)
{
    (void)state;
    rowlock_locks *s = open_session();
    rowlock_locks_poison(s);
    rowlock_locks_close(s);
    s = open_session(); /* alone: the table is written anew */
    expect_poison(s);
    s->table.h->boot_id[0] ^= 1;
    rowlock_locks_close(s);
    s = open_session();
    assert_int_equal(rowlock_locks_poisoned(s, NULL), 0);
    assert_int_equal(wait_for(s, rowlock_locks_ticket(s)), 0);
    rowlock_locks_close(s);
}

static void
test_fresh_table__calls_nothing_durable(void **state)
{
    (void)state;
    rowlock_locks *s = open_session();
    assert_int_equal(wait_for(s, rowlock_locks_ticket(s)), 0);
    rowlock_locks_close(s);
    s = open_session();
    assert_true(s->table.h->durable < s->table.h->ticket);
    assert_int_equal(wait_for(s, rowlock_locks_ticket(s)), 0);
    assert_int_equal(*flushes, 2);
    rowlock_locks_close(s);
}

#undef TEST
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, set_up_shared, tear_down_shared)

/* With slices so long that nobody lives to see their end: who is not woken, or
 * finds a dead leader only by its long silence, hangs. */
int
main(void)
{
#ifdef RLK_FLUSH_SLICE_MS
    const struct CMUnitTest tests[] = {
        TEST(test_flush__serves_only_those_before_it_and_one_serves_all_others),
        TEST(test_poison__a_failed_flush_ends_all_acknowledgements),
    };
#elif defined(RLK_FLUSH_JOIN_MS)
    const struct CMUnitTest tests[] = {
        TEST(test_leader__killed_in_its_flush_is_replaced),
    };
#else
    const struct CMUnitTest tests[] = {
        TEST(test_ticket__is_durable_after_one_flush_and_stays_so),
        TEST(test_flush__serves_only_those_before_it_and_one_serves_all_others),
        TEST(test_counters__tell_the_flushes),
        TEST(test_leader__killed_in_its_flush_is_replaced),
        TEST(test_leader__stopped_in_its_flush_is_not_waited_for),
        TEST(test_poison__a_failed_flush_ends_all_acknowledgements),
        TEST(test_poison__outlives_all_sessions_but_not_the_boot),
        TEST(test_fresh_table__calls_nothing_durable),
    };
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
