/* SPDX-License-Identifier: MIT */
#include "sync/ahead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct rlk_ahead a;

static int
set_up(void **state)
{
    (void)state;
    memset(&a, 0, sizeof a);
    rlk_ahead_note(&a, (struct rlk_mark){7, 100});
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    rlk_ahead_done(&a);
    return 0;
}

/* A write transaction that touches name. */
static void
commit(uint64_t name)
{
    rlk_ahead_note(&a, a.mark);
    rlk_ahead_start(&a);
    assert_true(rlk_ahead_touch(&a, name));
    rlk_ahead_commit(&a);
}

static void
test_ahead__a_look_misses_what_was_committed_after_its_mark(void **state)
{
    (void)state;
    commit(1);
    struct rlk_mark mark = rlk_ahead_published(&a);
    assert_int_equal(mark.others, 7);
    assert_int_equal(mark.own, 101);
    commit(2);
    commit(3);
    assert_true(rlk_ahead_covers(&a, mark));
    assert_false(rlk_ahead_missed(&a, mark, 1));
    assert_true(rlk_ahead_missed(&a, mark, 2));
    assert_true(rlk_ahead_missed(&a, mark, 3));
    assert_false(rlk_ahead_missed(&a, mark, 4));
    assert_false(rlk_ahead_missed(&a, rlk_ahead_published(&a), 3));
}

static void
test_ahead__only_so_many_commits_are_remembered(void **state)
{
    (void)state;
    struct rlk_mark mark = rlk_ahead_published(&a);
    for (uint64_t i = 0; i < RLK_AHEAD_COMMITS; i++) {
        assert_true(rlk_ahead_covers(&a, mark));
        commit(i);
    }
    assert_false(rlk_ahead_covers(&a, mark));
}

static void
test_ahead__a_commit_that_may_touch_anything_is_not_covered(void **state)
{
    (void)state;
    struct rlk_mark mark = rlk_ahead_published(&a);
    rlk_ahead_start(&a);
    rlk_ahead_touch_all(&a);
    rlk_ahead_commit(&a);
    assert_false(rlk_ahead_covers(&a, mark));
    assert_true(rlk_ahead_covers(&a, rlk_ahead_published(&a)));
}

static void
test_ahead__nothing_holds_over_a_commit_that_nobody_told_of(void **state)
{
    (void)state;
    struct rlk_mark mark = rlk_ahead_published(&a);
    rlk_ahead_lose(&a);
    assert_int_equal(rlk_ahead_published(&a).others, 0);
    assert_false(rlk_ahead_covers(&a, mark));
    rlk_ahead_note(&a, (struct rlk_mark){7, 101});
    assert_false(rlk_ahead_covers(&a, mark));
    commit(1);
    assert_false(rlk_ahead_covers(&a, mark));
    assert_true(rlk_ahead_covers(&a, (struct rlk_mark){7, 101}));
}

/* The number is what was noted, whatever was counted. */
static void
test_ahead__a_count_that_does_not_fit_covers_nothing_before(void **state)
{
    (void)state;
    struct rlk_mark mark = rlk_ahead_published(&a);
    rlk_ahead_start(&a);
    rlk_ahead_commit(&a);
    rlk_ahead_note(&a, (struct rlk_mark){7, 100}); /* it wrote nothing */
    assert_true(rlk_ahead_covers(&a, mark));
    rlk_ahead_note(&a, (struct rlk_mark){7, 102});
    assert_false(rlk_ahead_covers(&a, mark));
}

static void
test_ahead__counts_go_round(void **state)
{
    (void)state;
    rlk_ahead_note(&a, (struct rlk_mark){7, UINT32_MAX});
    struct rlk_mark mark = rlk_ahead_published(&a);
    commit(1);
    commit(2);
    assert_int_equal(rlk_ahead_published(&a).own, 1);
    assert_true(rlk_ahead_covers(&a, mark));
    assert_true(rlk_ahead_missed(&a, mark, 1));
    assert_true(rlk_ahead_missed(&a, mark, 2));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_ahead__a_look_misses_what_was_committed_after_its_mark),
        TEST(test_ahead__only_so_many_commits_are_remembered),
        TEST(test_ahead__a_commit_that_may_touch_anything_is_not_covered),
        TEST(test_ahead__nothing_holds_over_a_commit_that_nobody_told_of),
        TEST(test_ahead__a_count_that_does_not_fit_covers_nothing_before),
        TEST(test_ahead__counts_go_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
