/* SPDX-License-Identifier: MIT
 * update_or_create between processes, step by step: the orders of events that
 * make duplicates, lost writes or deadlocks when keys are locked after records,
 * or not at all. The table has no unique index. Blocks are begun by hand, so
 * nothing is run again unless a test says "atomic". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actor.h"
#include "rowlock/lock.h"

static struct stage stage;
static struct actor a, b, c;

/* closer: who closes a cycle, if there is one. */
static void
start_cycle(const char *sql, struct actor *closer)
{
    stage_init(&stage, sql);
    a.closes = closer == &a;
    b.closes = closer == &b;
    actor_start(&a, &stage);
    actor_start(&b, &stage);
}

static void
start(const char *sql)
{
    start_cycle(sql, NULL);
}

static void
stop(const char *want)
{
    actor_end(&a);
    actor_end(&b);
    assert_string_equal(records(&stage), want);
    stage_done(&stage);
}

/* A number that was given out and rolled back is used again by SQLite, and not
 * by a server's sequence. */
static const char *
on_server(const char *server, const char *sqlite)
{
    return engine() == SQLITE ? sqlite : server;
}

/* ---- no duplicates ---- */

static void
test_create__of_one_key_waits_and_finds_what_was_committed(void **state)
{
    (void)state;
    start("");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 a 5", "created 1");
    act_waits(&b, "upsert r1 a 6");
    act(&a, "commit", "ok");
    answers(&b, "updated 1");
    act(&b, "commit", "ok");
    stop("1|r1|a|6");
}

static void
test_create__of_one_key_waits_and_creates_after_a_rollback(void **state)
{
    (void)state;
    start("");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 a 5", "created 1");
    act_waits(&b, "upsert r1 a 6");
    act(&a, "rollback", "ok");
    answers(&b, on_server("created 2", "created 1"));
    act(&b, "commit", "ok");
    stop(on_server("2|r1|a|6", "1|r1|a|6"));
}

static void
test_create__of_a_dead_process_leaves_nothing_and_holds_nobody(void **state)
{
    (void)state;
    stage_init(&stage, "");
    actor_start(&a, &stage);
    actor_start(&b, &stage);
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 a 5", "created 1");
    act_waits(&b, "upsert r1 a 6");
    child_kill(&a.child);
    answers(&b, on_server("created 2", "created 1"));
    act(&b, "commit", "ok");
    actor_end(&b);
    assert_string_equal(records(&stage), on_server("2|r1|a|6", "1|r1|a|6"));
    stage_done(&stage);
}

/* One knows the remote id and the slug, the other the slug alone. */
static void
test_create__by_the_other_key_waits_too(void **state)
{
    (void)state;
    start("");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 a 5", "created 1");
    act_waits(&b, "upsert - a 6");
    act(&a, "commit", "ok");
    answers(&b, "updated 1");
    act(&b, "commit", "ok");
    stop("1|r1|a|6");
}

/* The column compares without case, and so do its key locks. */
static void
test_create__of_a_key_in_another_case_is_the_same_key(void **state)
{
    (void)state;
    start("");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert - Apple 5", "created 1");
    act_waits(&b, "upsert - aPPLE 6");
    act(&a, "commit", "ok");
    answers(&b, "updated 1");
    act(&b, "commit", "ok");
    stop("1|NULL|Apple|6");
}

/* A gives the record of slug a the remote id r1; B looks for r1 meanwhile. */
static void
test_key_change__is_waited_for_by_who_looks_for_the_new_value(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, NULL, 'a', 0)");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 a 5 fill", "updated 1");
    act_waits(&b, "upsert r1 b 6");
    act(&a, "commit", "ok");
    answers(&b, "updated 1");
    act(&b, "commit", "ok");
    stop("1|r1|a|6");
}

/* A renames a to b; B creates a, which nobody has any more. */
static void
test_key_change__is_waited_for_by_who_looks_for_the_old_value(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0)");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 a 5 slug=b", "updated 1");
    act_waits(&b, "upsert - a 6");
    act(&a, "commit", "ok");
    answers(&b, "created 2");
    act(&b, "commit", "ok");
    stop("1|r1|b|5 2|NULL|a|6");
}

static bool
b_or_c_has_said(void *arg)
{
    (void)arg;
    return child_has_said(&b.child) || child_has_said(&c.child);
}

/* A creates r1 with slug a; B wants r2 or slug a, C wants r1 or slug b. Both
 * come to A's record, by different keys, in either order. */
static void
test_three__that_share_keys_by_twos_make_one_record(void **state)
{
    (void)state;
    start("");
    actor_start(&c, &stage);
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&c, "begin", "ok");
    act(&a, "upsert r1 a 5", "created 1");
    act_waits(&b, "upsert r2 a 6");
    act_waits(&c, "upsert r1 b 7");
    act(&a, "commit", "ok");
    wait_until(b_or_c_has_said, NULL, "one of two");
    bool b_first = child_has_said(&b.child);
    struct actor *first = b_first ? &b : &c, *second = b_first ? &c : &b;
    answers(first, "updated 1");
    act(first, "commit", "ok");
    answers(second, "updated 1");
    act(second, "commit", "ok");
    actor_end(&c);
    stop(b_first ? "1|r1|a|7" : "1|r1|a|6");
}

static void
test_stranger__who_creates_while_we_wait_is_found(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0)");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "lock 1", "ok");
    act_waits(&b, "upsert r1 x 6");
    stranger(&stage, "DELETE FROM term;"
                     "INSERT INTO term VALUES (9, NULL, 'x', 3)");
    act(&a, "rollback", "ok");
    answers(&b, "updated 9");
    act(&b, "commit", "ok");
    stop("9|NULL|x|6");
}

/* ---- no deadlocks of our own making ---- */

/* A holds the record, found by its remote id, and wants to give it the slug b;
 * B, who found it by its slug, holds the keys a and b and waits for the record.
 * If A kept the record while it asks for b, neither could go on. */
static void
test_change__of_a_key_gives_the_record_to_who_has_the_key(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0)");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 - 5 change=b", "changing");
    act_waits(&b, "upsert - a 6 slug=b");
    child_tell(&a.child, "go on");
    answers(&b, "updated 1");
    database_wait_blocked(&stage.db, &a.child);
    assert_false(child_has_said(&a.child));
    act(&b, "commit", "ok");
    answers(&a, "changing");
    child_tell(&a.child, "go on");
    answers(&a, "updated 1");
    act(&a, "commit", "ok");
    stop("1|r1|b|5");
}

/* Two keys, taken in one request each, whatever the order they are given. */
static void
test_two_keys__crossed_never_wait_for_each_other(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0), (2, 'r2', 'b', 0)");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 b 5 slug=c", "updated 1");
    act_waits(&b, "upsert r2 a 6 slug=c");
    act(&a, "commit", "ok");
    answers(&b, "updated 2");
    act(&b, "commit", "ok");
    stop("1|r1|c|5 2|r2|c|6");
}

/* A has locked the record and will write; B has written already and waits for
 * it, so B must not keep the writer slot, and does its write again after. */
static void
test_wait__of_a_block_that_wrote_does_not_stop_the_holder(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0)");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "lock 1", "ok");
    act(&b, "upsert r7 x 7", "created 2");
    act_waits(&b, "upsert r1 - 6");
    act(&a, "rank 5", "ok");
    act(&a, "commit", "ok");
    answers(&b, "updated 1");
    act(&b, "commit", "ok");
    stop("1|r1|a|6 2|r7|x|7");
}

/* The lock table's counters tell an operator of it. */
static void
test_wait__of_a_block_that_wrote_is_counted_as_a_replay(void **state)
{
    (void)state;
    rowlock_locks *locks;
    rowlock_lock_counters n = ROWLOCK_LOCK_COUNTERS_INIT;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0)");
    assert_int_equal(rowlock_locks_open(stage.db.url, NULL, &locks, NULL), 0);
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "lock 1", "ok");
    act(&b, "upsert r7 x 7", "created 2");
    act_waits(&b, "upsert r1 - 6");
    assert_int_equal(rowlock_locks_counters(locks, &n, NULL), 0);
    assert_int_equal(n.replays, 0);
    act(&a, "rollback", "ok");
    answers(&b, "updated 1");
    act(&b, "commit", "ok");
    assert_int_equal(rowlock_locks_counters(locks, &n, NULL), 0);
    assert_int_equal(n.replays, 1);
    rowlock_locks_close(locks);
    stop("1|r1|a|6 2|r7|x|7");
}

/* Across calls a cycle can be the caller's own making: one is told 40P01 at
 * once, and the other goes on before the first ends its block. */
static void
test_cycle__across_calls_has_one_victim(void **state)
{
    (void)state;
    start_cycle(
        "INSERT INTO term VALUES (1, 'r1', NULL, 1), (2, 'r2', NULL, 2)", &b);
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "lock 1", "ok");
    act(&b, "lock 2", "ok");
    act_waits(&a, "upsert r2 - 3");
    act(&b, "upsert r1 - 4", "40P01");
    answers(&a, "updated 2");
    act(&a, "commit", "ok");
    act(&b, "upsert r1 - 4", "25P02");
    act(&b, "rollback", "ok");
    stop("1|r1|NULL|1 2|r2|NULL|3");
}

/* B waits for its turn to write, of which a server knows nothing. */
static void
test_turn__to_write_is_waited_for_until_the_outermost_commit(void **state)
{
    (void)state;
    start("");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 - 1", "created 1");
    act(&a, "savepoint", "ok");
    act_waits(&b, "upsert r2 - 2");
    act(&a, "commit", "ok");
    act(&a, "commit", "ok");
    answers(&b, "created 2");
    act(&b, "commit", "ok");
    stop("1|r1|NULL|1 2|r2|NULL|2");
}

static void
test_cycle__inside_atomic_is_run_again(void **state)
{
    (void)state;
    start_cycle("INSERT INTO term VALUES (1, 'r1', 'a', 0), (2, 'r2', 'b', 0)",
                &a);
    act(&a, "begin", "ok");
    act(&a, "lock 1", "ok");
    act_waits(&b, "atomic lock 2;upsert r1 - 6");
    act(&a, "upsert r2 - 5", "40P01");
    answers(&b, "updated 1");
    act(&a, "rollback", "ok");
    act(&a, "atomic upsert r2 - 5;upsert r1 - 5", "updated 1");
    stop("1|r1|a|5 2|r2|b|5");
}

/* ---- others' records ---- */

static void
test_record__that_vanishes_while_waited_for_is_created(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0)");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&a, "lock 1", "ok");
    act_waits(&b, "upsert r1 a 6");
    stranger(&stage, "DELETE FROM term");
    act(&a, "rollback", "ok");
    answers(&b, "created 1");
    act(&b, "commit", "ok");
    stop("1|r1|a|6");
}

static void
test_stranger__between_locked_read_and_save_is_noticed(void **state)
{
    (void)state;
    start("INSERT INTO term VALUES (1, 'r1', 'a', 0)");
    act(&a, "begin", "ok");
    act(&a, "lock 1", "ok");
    stranger(&stage, "UPDATE term SET slug = 'z'");
    act(&a, "rank 5", "40001");
    act(&a, "rollback", "ok");
    act(&a, "atomic lock 1;rank 5", "ok");
    stop("1|r1|z|5");
}

static void
test_create__waits_for_a_match_key_that_its_session_uses(void **state)
{
    (void)state;
    start("");
    act(&a, "begin", "ok");
    act(&b, "begin", "ok");
    act(&b, "upsert r9 z 9", "created 1");
    act(&b, "commit", "ok");
    act(&b, "begin", "ok");
    act(&a, "upsert r1 a 5", "created 2");
    act_waits(&b, "create r1 q");
    act(&a, "commit", "ok");
    answers(&b, "ok");
    act(&b, "rollback", "ok");
    stop("1|r9|z|9 2|r1|a|5");
}

/* A stranger's write waits for a server's locks, so it cannot come in between;
 * and a server gives no lock back before a savepoint or the block ends. */
static const struct CMUnitTest on_sqlite[] = {
    cmocka_unit_test(test_wait__of_a_block_that_wrote_is_counted_as_a_replay),
    cmocka_unit_test(test_stranger__who_creates_while_we_wait_is_found),
    cmocka_unit_test(test_change__of_a_key_gives_the_record_to_who_has_the_key),
    cmocka_unit_test(
        test_turn__to_write_is_waited_for_until_the_outermost_commit),
    cmocka_unit_test(test_record__that_vanishes_while_waited_for_is_created),
    cmocka_unit_test(test_stranger__between_locked_read_and_save_is_noticed),
};

static const struct CMUnitTest everywhere[] = {
    cmocka_unit_test(
        test_create__of_one_key_waits_and_finds_what_was_committed),
    cmocka_unit_test(
        test_create__of_one_key_waits_and_creates_after_a_rollback),
    cmocka_unit_test(
        test_create__of_a_dead_process_leaves_nothing_and_holds_nobody),
    cmocka_unit_test(test_create__by_the_other_key_waits_too),
    cmocka_unit_test(test_create__of_a_key_in_another_case_is_the_same_key),
    cmocka_unit_test(
        test_key_change__is_waited_for_by_who_looks_for_the_new_value),
    cmocka_unit_test(
        test_key_change__is_waited_for_by_who_looks_for_the_old_value),
    cmocka_unit_test(test_three__that_share_keys_by_twos_make_one_record),
    cmocka_unit_test(test_two_keys__crossed_never_wait_for_each_other),
    cmocka_unit_test(test_wait__of_a_block_that_wrote_does_not_stop_the_holder),
    cmocka_unit_test(test_cycle__across_calls_has_one_victim),
    cmocka_unit_test(test_cycle__inside_atomic_is_run_again),
    cmocka_unit_test(test_create__waits_for_a_match_key_that_its_session_uses),
};

int
main(void)
{
    int failed = cmocka_run_group_tests(everywhere, NULL, NULL);
    if (engine() == SQLITE)
        failed += cmocka_run_group_tests(on_sqlite, NULL, NULL);
    return failed;
}
