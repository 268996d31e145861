/* SPDX-License-Identifier: MIT
 * When the next run begins. */
#include "cli/every.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_next__is_the_next_interval(void **state)
{
    (void)state;
    assert_int_equal(rlk_every_next(5000, 1000, 5000, 0), 6000);
    assert_int_equal(rlk_every_next(5000, 1000, 5999, 0), 6000);
    assert_int_equal(rlk_every_next(5000, 1000, 6000, 0), 7000);
}

static void
test_next__after_a_run_that_took_longer_is_not_at_once(void **state)
{
    (void)state;
    assert_int_equal(rlk_every_next(5000, 1000, 8500, 0), 9000);
}

static void
test_next__is_within_the_first_tenth(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t random = 0; random < 1000; random++) {
        int64_t at = rlk_every_next(5000, 1000, 6100, random);
        least = at < least ? at : least;
        most = at > most ? at : most;
    }
    assert_int_equal(least, 7000);
    assert_int_equal(most, 7100);
    assert_in_range(rlk_every_next(0, 1000, 0, UINT64_MAX), 1000, 1100);
}

static void
test_next__an_interval_of_a_millisecond_works(void **state)
{
    (void)state;
    assert_int_equal(rlk_every_next(0, 1, 10, UINT64_MAX), 11);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next__is_the_next_interval),
        cmocka_unit_test(
            test_next__after_a_run_that_took_longer_is_not_at_once),
        cmocka_unit_test(test_next__is_within_the_first_tenth),
        cmocka_unit_test(test_next__an_interval_of_a_millisecond_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
