/* SPDX-License-Identifier: MIT
 * When the n-th flush or write of a file fails, for every n of a short run: is
 * anything acknowledged that a power cut can take? What a failed flush should
 * have covered may be lost for ever, though later flushes end well: so does
 * Linux. And once a commit could not be told, is any told after it? And the
 * database stays sound, whatever goes on after the error. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "power/log.h"
#include "power/stage.h"
#include "rowlock/rowlock.h"

enum {
    POINTS = 4,
    DRAWS = 1,
    COMMITS = 5, /* of each process */
    LONG_COMMITS = 90,
    LONG_FILLER = 24000,
    SESSION = 3,
    MOST_PROCESSES = 3,
    DEADLY_FLUSH = 4,
    MOST_CALLS = 500
};

struct error {
    enum record_error error;
    enum log_file file;
    int at; /* the first process's at-th call */
    int processes;
    bool checkpoints; /* so much is written that sessions make them */
};

static bool
has_failed(enum log_file file)
{
    return log_number(LOG_REFUSED, file) + log_number(LOG_FLUSH_FAILED, file);
}

static int
acks_after_the_failure(void)
{
    bool failed = false;
    int n = 0;
    for (size_t i = 0; i < log_count(); i++) {
        enum log_kind kind = log_at(i)->kind;
        failed |= kind == LOG_REFUSED || kind == LOG_FLUSH_FAILED;
        n += failed && kind == LOG_ACK;
    }
    return n;
}

static void
play(struct stage *s, const struct error *e)
{
    struct child c[MOST_PROCESSES];
    s->work.commits = COMMITS;
    s->work.session = SESSION;
    s->work.goes_on = true;
    if (e->checkpoints) {
        s->work.commits = LONG_COMMITS;
        s->work.session = 0;
        s->work.filler = LONG_FILLER;
    }
    s->harm.flush_us = e->processes > 1 ? 300 : 0;
    for (int i = 0; i < e->processes; i++) {
        s->work.writer = i + 1;
        s->harm.seed = (uint64_t)i;
        s->harm.error = i == 0 ? e->error : RECORD_NO_ERROR;
        s->harm.file = e->file;
        s->harm.error_at = e->at;
        stage_child(s, &c[i]);
    }
    for (int i = 0; i < e->processes; i++)
        child_end(&c[i]);
}

/* False when there was no such call. ret_told: how many commits were. */
static bool
fail_at(const struct error *e, int *ret_told)
{
    struct stage s;
    struct examined found;
    stage_open(&s, 1, e->checkpoints ? 512 : 0);
    play(&s, e);
    bool failed = has_failed(e->file);
    *ret_told = log_acks(0);
    /* Where one was refused, none was told any more, in later sessions too. */
    int all = e->checkpoints ? LONG_COMMITS : COMMITS;
    if (e->processes == 1 && *ret_told < all && acks_after_the_failure())
        support_fail("call %d fails, and commits are told", e->at);
    stage_examine(&s, POINTS, DRAWS, &found);
    stage_close(&s);
    if (found.fault)
        support_fail("call %d fails: %s", e->at, found.why);
    return failed;
}

/* Each call fails once; in fewest runs at least a commit had to be refused. */
static void
fail_each(enum record_error error, enum log_file file, int fewest)
{
    struct error e = {error, file, 1, 1, false};
    int told = 0, refused = 0;
    for (; e.at < MOST_CALLS && fail_at(&e, &told); e.at++)
        refused += told < COMMITS;
    print_message("%d calls failed, in %d runs a commit was refused\n",
                  e.at - 1, refused);
    assert_in_range(e.at, 2, MOST_CALLS - 1);
    assert_in_range(refused, fewest, e.at - 1);
    assert_int_equal(told, COMMITS); /* without an error */
}

static void
test_error__a_commit_whose_flush_fails_is_not_acknowledged(void **state)
{
    (void)state;
    fail_each(RECORD_FAIL_SYNC, LOG_WAL, COMMITS);
}

static void
test_error__a_commit_whose_writes_fail_is_not_acknowledged(void **state)
{
    (void)state;
    fail_each(RECORD_FAIL_WRITE, LOG_WAL, COMMITS);
}

static void
test_error__a_checkpoint_whose_flush_fails_loses_nothing(void **state)
{
    (void)state;
    fail_each(RECORD_FAIL_SYNC, LOG_DB, 0);
}

static void
test_error__a_checkpoint_whose_writes_fail_loses_nothing(void **state)
{
    (void)state;
    fail_each(RECORD_FAIL_WRITE, LOG_DB, 0);
}

/* At the end of the run one at close fails, which ends nothing: all commits are
 * in the -wal, which stays. */
static void
test_error__a_session_whose_checkpoint_fails_acknowledges_nothing_more(
    void **state)
{
    (void)state;
    struct error e = {RECORD_FAIL_SYNC, LOG_DB, 1, 1, true};
    int told = 0;
    assert_true(fail_at(&e, &told));
    assert_in_range(told, 1, LONG_COMMITS - 1);
    e.error = RECORD_FAIL_WRITE;
    assert_true(fail_at(&e, &told));
    assert_in_range(told, 1, LONG_COMMITS - 1);
}

/* How many flushes the one has depends on the others. */
static void
test_error__nobody_acknowledges_what_another_could_not_flush(void **state)
{
    (void)state;
    struct error e = {RECORD_FAIL_SYNC, LOG_WAL, 1, MOST_PROCESSES, false};
    int told = 0, failed = 0;
    for (; e.at <= COMMITS; e.at++)
        for (int i = 0; i < soak(2); i++)
            failed += fail_at(&e, &told);
    assert_in_range(failed, 1, MOST_CALLS);
}

/* ---- what nobody waited for ---- */

static void
read_and_close(const struct work *w)
{
    rowlock_db *db;
    rowlock_block *b;
    rowlock_record *r;
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "counter";
    check(rowlock_open(w->path, NULL, &db, NULL) == 0);
    check(rowlock_begin(db, &b, NULL) == 0);
    check(rowlock_query_first(b, &q, &r, NULL) == 0);
    rowlock_rollback(b);
    rowlock_close(db);
}

static void
run_alone(struct stage *s, void (*act)(const struct work *), int writer)
{
    struct child c;
    s->play = act;
    s->work.writer = writer;
    stage_child(s, &c);
    child_wait(&c);
}

/* Who is killed in its flush leaves a commit that is not on disk. A session
 * that only reads is the last to close, and its flush fails: what the next one
 * commits hangs on the lost frames, so it must not be acknowledged. */
static void
test_error__a_flush_that_fails_as_the_last_session_closes_is_known(void **state)
{
    (void)state;
    struct stage s;
    struct examined found;
    stage_open(&s, 1, 0);
    s.work.commits = COMMITS;
    s.harm.die_in_flush = DEADLY_FLUSH;
    run_alone(&s, work_with_rowlock, 1);
    int told = log_acks(0);
    s.harm = (struct record_settings){
        .error = RECORD_FAIL_SYNC, .file = LOG_WAL, .error_at = 1};
    run_alone(&s, read_and_close, 2);
    assert_int_equal(log_number(LOG_FLUSH_FAILED, LOG_WAL), 1);
    s.harm = (struct record_settings){0};
    run_alone(&s, work_with_rowlock, 3);
    assert_int_equal(log_acks(0), told);
    stage_examine(&s, 1 << 20, DRAWS, &found);
    stage_close(&s);
    if (found.fault)
        support_fail("%s", found.why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_error__a_commit_whose_flush_fails_is_not_acknowledged),
        cmocka_unit_test(
            test_error__a_commit_whose_writes_fail_is_not_acknowledged),
        cmocka_unit_test(
            test_error__a_checkpoint_whose_flush_fails_loses_nothing),
        cmocka_unit_test(
            test_error__a_checkpoint_whose_writes_fail_loses_nothing),
        cmocka_unit_test(
            test_error__a_session_whose_checkpoint_fails_acknowledges_nothing_more),
        cmocka_unit_test(
            test_error__a_flush_that_fails_as_the_last_session_closes_is_known),
        cmocka_unit_test(
            test_error__nobody_acknowledges_what_another_could_not_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
