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

enum { POINTS = 60, DRAWS = 2, SEEDS = 2, PROCESSES = 3 };

/* What is played, and what the machine must say of it. */
struct planted {
    void (*play)(const struct work *w);
    struct work work; /* what is not 0 here is taken */
    struct record_settings harm;
    int processes; /* 0: one */
    enum fault fault;
};

static void
set_stage(struct stage *s, const struct planted *p, uint64_t seed)
{
    stage_open(s, seed, 0);
    s->play = p->play;
    s->harm = p->harm;
    s->harm.seed = seed;
    s->harm.flush_us = p->processes ? 300 : 0;
    if (p->work.synchronous)
        s->work.synchronous = p->work.synchronous;
    s->work.flushes = p->work.flushes;
    s->work.checkpoints = p->work.checkpoints;
    s->work.silent = p->work.silent;
}

static struct examined
run(const struct planted *p, uint64_t seed)
{
    struct stage s;
    struct child c[PROCESSES];
    struct examined found;
    int n = p->processes ? p->processes : 1;
    set_stage(&s, p, seed);
    for (int i = 0; i < n; i++) {
        s.work.writer = i + 1;
        stage_child(&s, &c[i]);
    }
    for (int i = 0; i < n; i++)
        child_end(&c[i]);
    stage_examine(&s, POINTS, DRAWS, &found);
    stage_close(&s);
    return found;
}

static void
expect(const struct planted *p)
{
    for (uint64_t seed = 1; seed <= (uint64_t)soak(SEEDS); seed++) {
        struct examined found = run(p, seed);
        const char *why = found.fault ? found.why : "no fault";
        print_message("%zu points, %zu images: %.*s\n", found.points,
                      found.images, (int)strcspn(why, "\n"), why);
        assert_int_equal(found.fault, p->fault);
        assert_true(found.opened > 0);
    }
}

/* ---- what must be found ---- */

static void
test_planted__commits_at_synchronous_normal_are_not_durable(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_plainly,
                             .work = {.synchronous = "NORMAL"},
                             .fault = FAULT_LOST});
}

static void
test_planted__commits_at_synchronous_off_are_not_durable(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_plainly,
                             .work = {.synchronous = "OFF"},
                             .fault = FAULT_LOST});
}

static void
test_planted__checkpoints_at_synchronous_off_damage_the_database(void **state)
{
    (void)state;
    expect(&(struct planted){
        .play = work_plainly,
        .work = {.synchronous = "OFF", .checkpoints = true, .silent = true},
        .fault = FAULT_UNSOUND});
}

static void
test_planted__flushes_of_the_wal_that_never_happen(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_with_rowlock,
                             .harm = {.swallow = {[LOG_WAL] = true}},
                             .fault = FAULT_LOST});
}

static void
test_planted__flushes_of_the_database_that_never_happen(void **state)
{
    (void)state;
    expect(
        &(struct planted){.play = work_plainly,
                          .work = {.synchronous = "FULL", .checkpoints = true},
                          .harm = {.swallow = {[LOG_DB] = true}},
                          .fault = FAULT_LOST});
}

static void
test_planted__acknowledgements_before_the_flush_has_ended(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_with_rowlock,
                             .harm = {.early = true},
                             .fault = FAULT_LOST});
}

static void
test_planted__a_new_wal_whose_name_is_not_flushed(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_with_rowlock,
                             .harm = {.no_folder = true},
                             .fault = FAULT_LOST});
}

/* Linux says so once; the next flush finds nothing to write. */
static void
flush_again_after_an_error(const struct work *w)
{
    struct sqlite3 *db = work_open(w);
    for (int i = 0; i < w->commits; i++) {
        int64_t n = work_commit(db, w);
        if (!work_flush(db))
            check(work_flush(db));
        record_ack(n, w->writer);
    }
    check(sqlite3_close(db) == SQLITE_OK);
}

static void
test_planted__a_flush_that_failed_and_was_tried_again(void **state)
{
    (void)state;
    expect(&(struct planted){
        .play = flush_again_after_an_error,
        .work = {.synchronous = "NORMAL"},
        .harm = {.error = RECORD_FAIL_SYNC, .file = LOG_WAL, .error_at = 5},
        .fault = FAULT_LOST});
}

/* ---- one flush for two commits ---- */

static struct {
    sqlite3 *db; /* of the one who commits while the other flushes */
    struct work work;
    int64_t n;
} other;

static void
commit_in_flush(enum log_file file)
{
    if (file == LOG_WAL && other.db && !other.n) {
        other.n = -1; /* the flush of a new log's header comes here too */
        other.n = work_commit(other.db, &other.work);
    }
}

static void
share_flushes(const struct work *w, bool rightly)
{
    sqlite3 *db = work_open(w);
    other.work = *w;
    other.work.writer = 2;
    for (int i = 0; i < w->commits / 2; i++) {
        int64_t n = work_commit(db, w);
        other.db = other.db ? other.db : work_open(&other.work);
        other.n = 0;
        check(work_flush(db) && other.n > n);
        record_ack(n, w->writer);
        if (rightly)
            check(work_flush(other.db));
        record_ack(other.n, other.work.writer);
    }
    check(sqlite3_close(other.db) == SQLITE_OK);
    check(sqlite3_close(db) == SQLITE_OK);
}

static void
share_rightly(const struct work *w)
{
    share_flushes(w, true);
}

static void
share_wrongly(const struct work *w)
{
    share_flushes(w, false);
}

static void
test_planted__a_flush_that_began_before_the_commit_it_is_taken_for(void **state)
{
    (void)state;
    expect(&(struct planted){.play = share_wrongly,
                             .work = {.synchronous = "NORMAL"},
                             .harm = {.in_flush = commit_in_flush},
                             .fault = FAULT_LOST});
}

static void
test_control__a_flush_that_began_after_the_commit(void **state)
{
    (void)state;
    expect(&(struct planted){.play = share_rightly,
                             .work = {.synchronous = "NORMAL"},
                             .harm = {.in_flush = commit_in_flush}});
}

/* ---- what must not be blamed ---- */

static void
test_control__sqlite_at_synchronous_full(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_plainly,
                             .work = {.synchronous = "FULL"},
                             .processes = PROCESSES});
    expect(&(struct planted){
        .play = work_plainly,
        .work = {.synchronous = "FULL", .checkpoints = true}});
}

static void
test_control__sqlite_at_normal_and_a_flush_after_commit(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_plainly,
                             .work = {.synchronous = "NORMAL", .flushes = true},
                             .processes = PROCESSES});
    expect(&(struct planted){.play = work_plainly,
                             .work = {.synchronous = "NORMAL",
                                      .flushes = true,
                                      .checkpoints = true}});
}

/* At NORMAL commits may be lost, and nothing else. */
static void
test_control__sqlite_at_normal_stays_sound(void **state)
{
    (void)state;
    expect(&(struct planted){.play = work_plainly,
                             .work = {.synchronous = "NORMAL",
                                      .checkpoints = true,
                                      .silent = true}});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_planted__commits_at_synchronous_normal_are_not_durable),
        cmocka_unit_test(
            test_planted__commits_at_synchronous_off_are_not_durable),
        cmocka_unit_test(
            test_planted__checkpoints_at_synchronous_off_damage_the_database),
        cmocka_unit_test(test_planted__flushes_of_the_wal_that_never_happen),
        cmocka_unit_test(
            test_planted__flushes_of_the_database_that_never_happen),
        cmocka_unit_test(
            test_planted__acknowledgements_before_the_flush_has_ended),
        cmocka_unit_test(test_planted__a_new_wal_whose_name_is_not_flushed),
        cmocka_unit_test(test_planted__a_flush_that_failed_and_was_tried_again),
        cmocka_unit_test(
            test_planted__a_flush_that_began_before_the_commit_it_is_taken_for),
        cmocka_unit_test(test_control__a_flush_that_began_after_the_commit),
        cmocka_unit_test(test_control__sqlite_at_synchronous_full),
        cmocka_unit_test(
            test_control__sqlite_at_normal_and_a_flush_after_commit),
        cmocka_unit_test(test_control__sqlite_at_normal_stays_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
