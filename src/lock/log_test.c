/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 3000 };

/* Few hashes for many locks: the index must bear collisions. */
static uint32_t
hash_of(uint32_t lock)
{
    return lock % 61 * 0x01000193u;
}

static bool
is_wanted(void *arg, uint32_t lock)
{
    return lock == *(uint32_t *)arg;
}

static uint32_t
find(const struct rlk_log *log, uint32_t lock)
{
    return rlk_log_find(log, hash_of(lock), is_wanted, &lock);
}

static void
add(struct rlk_log *log, uint32_t lock, uint32_t before)
{
    assert_true(rlk_log_reserve(log));
    rlk_log_add(log, lock, before, hash_of(lock));
}

static void
test_index__finds_what_is_held_and_nothing_else(void **state)
{
    (void)state;
    struct rlk_log log = {0};
    bool in[MANY + 1] = {false};
    unsigned seed = 3;
    for (int i = 0; i < 20000; i++) {
        uint32_t lock = 1 + (uint32_t)rand_r(&seed) % MANY;
        if (in[lock])
            rlk_log_strike(&log, lock, hash_of(lock));
        else
            add(&log, lock, 0);
        in[lock] = !in[lock];
        uint32_t other = 1 + (uint32_t)rand_r(&seed) % MANY;
        assert_int_equal(find(&log, other), in[other] ? other : 0);
    }
    for (uint32_t lock = 1; lock <= MANY; lock++)
        assert_int_equal(find(&log, lock), in[lock] ? lock : 0);
    rlk_log_done(&log);
}

static void
test_strike__takes_out_every_entry_of_the_lock(void **state)
{
    (void)state;
    struct rlk_log log = {0};
    add(&log, 5, 0);
    add(&log, 6, 0);
    add(&log, 5, 1); /* strengthened */
    rlk_log_strike(&log, 5, hash_of(5));
    assert_int_equal(find(&log, 5), 0);
    assert_int_equal(log.entries[0].lock, 0);
    assert_int_equal(log.entries[1].lock, 6);
    assert_int_equal(log.entries[2].lock, 0);
    assert_int_equal(find(&log, 6), 6);
    rlk_log_done(&log);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index__finds_what_is_held_and_nothing_else),
        cmocka_unit_test(test_strike__takes_out_every_entry_of_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
