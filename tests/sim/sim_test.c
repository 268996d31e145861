/* SPDX-License-Identifier: MIT
 * Does any order of events break an invariant, or differ from the model? Longer
 * with ROWLOCK_SOAK; ROWLOCK_SEED=n plays one seed and tells it. */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/support.h"

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 20 }; /* five times slower */
#else
enum { SEEDS = 100 };
#endif
enum { EVENTS = 10000 };
static uint32_t events[EVENTS];

static void
tell(uint64_t seed, enum sim_mode mode, const struct sim_result *r)
{
    size_t n = sim_shrink(events, r->at, mode, SIM_NO_FAULT);
    struct sim_result small = sim_run(events, n, mode, SIM_NO_FAULT, stderr);
    fail_msg("ROWLOCK_SEED=%llu: after %zu events: %s; the %zu above suffice: "
             "%s",
             (unsigned long long)seed, r->at, r->failure, n,
             small.failure ? small.failure : "(not again)");
}

static void
add(struct sim_result *sum, const struct sim_result *r)
{
    sum->grants += r->grants;
    sum->waits += r->waits;
    sum->deadlocks += r->deadlocks;
    sum->gated += r->gated;
    sum->bypasses += r->bypasses;
    sum->burials += r->burials;
}

static struct sim_result
play(enum sim_mode mode)
{
    const char *only = getenv("ROWLOCK_SEED");
    struct sim_result sum = {.failure = NULL};
    uint64_t first = only ? strtoull(only, NULL, 10) : 1;
    uint64_t n = only ? 1 : (uint64_t)soak(SEEDS);
    for (uint64_t seed = first; seed < first + n; seed++) {
        sim_draw(seed, events, EVENTS);
        struct sim_result r = sim_run(events, EVENTS, mode, SIM_NO_FAULT, NULL);
        if (r.failure)
            tell(seed, mode, &r);
        add(&sum, &r);
    }
    print_message(
        "%llu events: %llu grants, %llu waits, %llu bypasses, %llu "
        "deadlocks, %llu let through the gate, %llu burials\n",
        (unsigned long long)(n * EVENTS), (unsigned long long)sum.grants,
        (unsigned long long)sum.waits, (unsigned long long)sum.bypasses,
        (unsigned long long)sum.deadlocks, (unsigned long long)sum.gated,
        (unsigned long long)sum.burials);
    if (!only) { /* the runs come into every corner */
        assert_in_range(sum.grants, n * EVENTS / 20, UINT32_MAX);
        assert_in_range(sum.waits, n * EVENTS / 60, UINT32_MAX);
        assert_in_range(sum.deadlocks, n, UINT32_MAX);
        assert_in_range(sum.burials, n, UINT32_MAX);
        assert_in_range(sum.bypasses, n * EVENTS / 60, UINT32_MAX);
    }
    return sum;
}

static void
test_sim__whole_operations_end_as_the_model_says(void **state)
{
    (void)state;
    play(SIM_WHOLE);
}

static void
test_sim__operations_cut_into_short_holds_come_to_a_good_rest(void **state)
{
    (void)state;
    play(SIM_CUT);
}

/* A simulation that finds nothing must be one that would have found it. */
static void
see(enum sim_plant plant, enum sim_mode mode)
{
    struct sim_result r = {.failure = NULL};
    for (uint64_t seed = 1; seed <= 40 && !r.failure; seed++) {
        sim_draw(seed, events, EVENTS);
        r = sim_run(events, EVENTS, mode, plant, NULL);
    }
    if (!r.failure)
        fail_msg("planted fault %d was not seen", (int)plant);
    const char *failure = r.failure;
    size_t n = sim_shrink(events, r.at, mode, plant);
    print_message("fault %d: \"%s\" after %zu events, shrunk to %zu\n",
                  (int)plant, failure ? failure : "", r.at, n);
    assert_in_range(n, 1, r.at);
    assert_non_null(sim_run(events, n, mode, plant, NULL).failure);
}

static void
test_sim__each_planted_fault_is_seen_and_shrinks(void **state)
{
    (void)state;
    for (enum sim_plant plant = 1; plant < SIM_PLANTS; plant++)
        see(plant, SIM_WHOLE);
}

/* Where there is no model to compare with, by what must hold. */
static void
test_sim__planted_faults_break_what_must_hold(void **state)
{
    (void)state;
    static const enum sim_plant plants[] = {
        SIM_GRANT_ANYWAY, SIM_FORGET_A_GRANT, SIM_SEE_NO_CYCLE,
        SIM_SEE_NO_DEATH, SIM_KEEP_A_LOCK};
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++)
        see(plants[i], SIM_CUT);
}

static void
test_sim__a_seed_plays_the_same_again(void **state)
{
    (void)state;
    struct sim_result runs[2];
    for (int i = 0; i < 2; i++) {
        sim_draw(7, events, EVENTS);
        runs[i] = sim_run(events, EVENTS, SIM_CUT, SIM_NO_FAULT, NULL);
    }
    assert_memory_equal(&runs[0], &runs[1], sizeof runs[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim__whole_operations_end_as_the_model_says),
        cmocka_unit_test(
            test_sim__operations_cut_into_short_holds_come_to_a_good_rest),
        cmocka_unit_test(test_sim__each_planted_fault_is_seen_and_shrinks),
        cmocka_unit_test(test_sim__planted_faults_break_what_must_hold),
        cmocka_unit_test(test_sim__a_seed_plays_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
