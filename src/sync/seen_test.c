/* SPDX-License-Identifier: MIT */
#include "sync/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/scarce.h"

enum { MANY = 50000 };

static struct rlk_seen seen;

static int
tear_down(void **state)
{
    (void)state;
    rlk_seen_done(&seen);
    return 0;
}

/* Names of every size, all different, none of them twice. */
static uint64_t
name_of(uint64_t i)
{
    return i * UINT64_C(0x9E3779B97F4A7C15);
}

static void
test_seen__nothing_is_in_an_empty_one(void **state)
{
    (void)state;
    assert_false(rlk_seen_has(&seen, 0));
    assert_false(rlk_seen_has(&seen, 1));
    assert_false(rlk_seen_has(&seen, UINT64_MAX));
}

static void
test_seen__has_what_was_added_and_nothing_else(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= MANY; i++)
        assert_true(rlk_seen_add(&seen, name_of(2 * i)));
    for (uint64_t i = 1; i <= MANY; i++) {
        assert_true(rlk_seen_has(&seen, name_of(2 * i)));
        assert_false(rlk_seen_has(&seen, name_of(2 * i + 1)));
    }
}

/* Neighbours, as integer keys are, and the edges of 64 bits. */
static void
test_seen__keeps_neighbours_and_edges_apart(void **state)
{
    (void)state;
    static const uint64_t added[] = {
        0,         2, 64, 4096, 65536, UINT64_C(1) << 32, UINT64_C(1) << 63,
        UINT64_MAX};
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++)
        assert_true(rlk_seen_add(&seen, added[i]));
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++) {
        assert_true(rlk_seen_has(&seen, added[i]));
        if (added[i] != 0 && added[i] != 2)
            assert_false(rlk_seen_has(&seen, added[i] - 1));
    }
    assert_false(rlk_seen_has(&seen, 3));
    assert_false(rlk_seen_has(&seen, 65));
}

static void
test_seen__adding_twice_changes_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 1; i <= MANY; i++)
            assert_true(rlk_seen_add(&seen, name_of(i)));
    for (uint64_t i = 1; i <= MANY; i++)
        assert_true(rlk_seen_has(&seen, name_of(i)));
    assert_false(rlk_seen_has(&seen, name_of(MANY + 1)));
}

static void
test_seen__is_empty_after_a_clear_and_can_be_filled_again(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MANY; i++)
        assert_true(rlk_seen_add(&seen, i));
    rlk_seen_clear(&seen);
    for (uint64_t i = 0; i < MANY; i++)
        assert_false(rlk_seen_has(&seen, i));
    assert_true(rlk_seen_add(&seen, 7));
    assert_true(rlk_seen_has(&seen, 7));
    assert_false(rlk_seen_has(&seen, 8));
}

/* ---- memory ---- */

static void
test_seen__a_clear_keeps_the_memory(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MANY; i++)
        assert_true(rlk_seen_add(&seen, name_of(i)));
    rlk_scarce_begin(0);
    for (int round = 0; round < 3; round++) {
        rlk_seen_clear(&seen);
        for (uint64_t i = 0; i < MANY; i++)
            assert_true(rlk_seen_add(&seen, name_of(i)));
    }
    rlk_scarce_end();
}

/* Fails at an allocation, and at later ones: the name is not in, all that was
 * added before still is, and the next try works. */
static void
test_seen__loses_nothing_when_memory_ends(void **state)
{
    (void)state;
    uint64_t n = 0;
    for (int failures = 0; failures < 4; failures++) {
        rlk_scarce_begin(0);
        while (n < MANY && rlk_seen_add(&seen, name_of(n + 1)))
            n++;
        rlk_scarce_end();
        assert_in_range(n, 0, MANY - 1);
        assert_false(rlk_seen_has(&seen, name_of(n + 1)));
        for (uint64_t i = 1; i <= n; i++)
            assert_true(rlk_seen_has(&seen, name_of(i)));
        assert_true(rlk_seen_add(&seen, name_of(++n)));
        assert_true(rlk_seen_has(&seen, name_of(n)));
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_seen__nothing_is_in_an_empty_one),
        TEST(test_seen__has_what_was_added_and_nothing_else),
        TEST(test_seen__keeps_neighbours_and_edges_apart),
        TEST(test_seen__adding_twice_changes_nothing),
        TEST(test_seen__is_empty_after_a_clear_and_can_be_filled_again),
        TEST(test_seen__a_clear_keeps_the_memory),
        TEST(test_seen__loses_nothing_when_memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
