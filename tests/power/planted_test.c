/* SPDX-License-Identifier: MIT
 * Does the machine that cuts the power see faults? Each way to acknowledge what
 * is not durable must be found, and what is right must not be blamed: SQLite at
 * synchronous=FULL, and one flush after COMMIT at NORMAL. */
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "power/cut.h"
#include "power/log.h"
#include "power/stage.h"

enum { POINTS = 100, DRAWS = 2, SEEDS = 2 };

/* What is played, and what the machine must say of it. */
struct planted {
    void (*play)(const struct work *w);
    const char *synchronous;
    bool flushes, checkpoints, swallow, early;
    enum fault fault;
};

static struct examined
run(const struct planted *p, uint64_t seed)
{
    struct stage s;
    struct examined found;
    stage_open(&s, seed, 0);
    s.play = p->play;
    s.work.synchronous = p->synchronous;
    s.work.flushes = p->flushes;
    s.work.checkpoints = p->checkpoints;
    s.harm.swallow = p->swallow;
    s.harm.early = p->early;
    stage_play(&s);
    stage_examine(&s, POINTS, DRAWS, &found);
    stage_close(&s);
    return found;
}

static void
expect(const struct planted *p)
{
    for (uint64_t seed = 1; seed <= (uint64_t)soak(SEEDS); seed++) {
        struct examined found = run(p, seed);
        print_message("%zu points, %zu images: %s\n", found.points,
                      found.images, found.fault ? found.why : "nothing");
        assert_int_equal(found.fault, p->fault);
        assert_true(found.opened > 0);
    }
}

/* ---- what must be found ---- */

static void
test_planted__commits_of_synchronous_normal_are_not_durable(void **state)
{
    (void)state;
    expect(&(struct planted){
        .play = work_plainly, .synchronous = "NORMAL", .fault = FAULT_LOST});
}

static void
test_planted__commits_of_synchronous_off_are_not_durable(void **state)
{
    (void)state;
    expect(&(struct planted){
        .play = work_plainly, .synchronous = "OFF", .fault = FAULT_LOST});
}

static void
test_planted__flushes_of_the_wal_that_never_happen(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_with_rowlock,
                             .synchronous = "FULL",
                             .swallow = true,
                             .fault = FAULT_LOST});
}

static void
test_planted__acknowledgements_before_the_flush_has_ended(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_with_rowlock,
                             .synchronous = "FULL",
                             .early = true,
                             .fault = FAULT_LOST});
}
