/* SPDX-License-Identifier: MIT
 * Two processes: waiting for records, the replay of a block's writes after a
 * wait, strangers that hold SQLite's write lock, cancel, fork. Each step is
 * told and heard; "it waits" is asked of the kernel. */
#include "fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "conn.h"

static struct fixture f;

#define ID(n) rowlock_int(n)

static const char items[] =
    "CREATE TABLE item (id INTEGER PRIMARY KEY, n INT, made DEFAULT (hex("
    "randomblob(8))));"
    "INSERT INTO item (id, n) VALUES (1, 10), (2, 20), (3, 30);";

static void
create_two(struct rlk_conn *c)
{
    rowlock_value n = ID(50);
    check(create(c, "item", "n", &n, 0, 1) == 0);
    check(create(c, "item", "n", &n, 0, 2) == 0);
}

/* A neighbour: locks record 2 and says so; when told, sets its n (below 0:
 * creates two records; 0: deletes it) and commits. */
static void
hold_two(void *arg)
{
    const int *n = arg;
    struct rlk_conn *c = connect_to(&f);
    begin(c);
    check(fetch(c, "item", ID(2), ROWLOCK_UPDATE, 0, 0) == 0);
    parent_tell("held");
    parent_expect("go");
    if (*n < 0)
        create_two(c);
    else if (*n)
        check(save(c, "item", 0, "n", ID(*n), 0) == 0);
    else
        check(drop(c, "item", 0, 0) == 0);
    commit(c);
    parent_tell("done");
    hang_up(c);
}

/* The one that is tested, in a child so that the parent can see it wait. */
struct waiter {
    void (*body)(struct rlk_conn *c);
};

static void
run_waiter(void *arg)
{
    const struct waiter *w = arg;
    struct rlk_conn *c = connect_to(&f);
    begin(c);
    w->body(c);
    hang_up(c);
}

/* The neighbour holds something; body comes to wait for it; then the neighbour
 * does what to says and lets go. */
static void
meet_with(void (*neighbour)(void *arg), void (*body)(struct rlk_conn *c),
          int to)
{
    struct child holder, waiter;
    struct waiter w = {body};
    child_start(&holder, neighbour, &to);
    child_expect(&holder, "held");
    child_start(&waiter, run_waiter, &w);
    child_expect(&waiter, "waiting");
    child_wait_asleep(&waiter);
    child_tell(&holder, "go");
    child_expect(&holder, "done");
    child_end(&holder);
    child_end(&waiter);
}

/* With hold_two as the neighbour. */
static void
meet(void (*body)(struct rlk_conn *c), int to)
{
    meet_with(hold_two, body, to);
}

/* ---- the newest version after a wait ---- */

static struct rlk_select
where_n_is_small(struct rlk_conn *c, struct rlk_term *term, rowlock_value *v)
{
    const struct rlk_table *t = table_of(c, "item");
    *v = ID(100);
    *term = (struct rlk_term){column_of(t, "n"), ROWLOCK_LT, v, 1};
    return (struct rlk_select){.table = t,
                               .where = term,
                               .n_where = 1,
                               .limit = 2,
                               .lock = ROWLOCK_UPDATE};
}

static void
lock_two_small(struct rlk_conn *c)
{
    struct rlk_term term;
    rowlock_value v;
    struct rlk_select q = where_n_is_small(c, &term, &v);
    parent_tell("waiting");
    check(c->driver->select(c, &q, kept(0), &last) == 0);
}

static void
expect_21(struct rlk_conn *c)
{
    lock_two_small(c);
    check(kept(0)->n_rows == 2);
    check(kept(0)->rows[1].values[0].u.i == 2);
    check(kept(0)->rows[1].values[1].u.i == 21);
}

static void
test_wait__answers_the_newest_version(void **state)
{
    (void)state;
    fixture_init(&f, items);
    meet(expect_21, 21);
    fixture_done(&f);
}

/* Somebody works on the whole table; when told, no longer. */
static void
hold_table(void *arg)
{
    rowlock_locks *locks;
    const rowlock_name item = {.kind = ROWLOCK_TABLE, .table = "item"};
    (void)arg;
    check(rowlock_locks_open(f.path.text, NULL, &locks, NULL) == 0);
    check(rowlock_locks_take(locks, &item, ROWLOCK_UPDATE, 0, NULL) == 0);
    parent_tell("held");
    parent_expect("go");
    rowlock_locks_close(locks);
    parent_tell("done");
}

static void
skip_to_all(struct rlk_conn *c)
{
    struct rlk_select q = {.table = table_of(c, "item"),
                           .lock = ROWLOCK_UPDATE,
                           .wait_ms = ROWLOCK_SKIP_LOCKED};
    parent_tell("waiting");
    check(c->driver->select(c, &q, kept(0), &last) == 0);
    check(kept(0)->n_rows == 3);
}

static void
test_wait__skip_locked_waits_for_who_has_the_whole_table(void **state)
{
    (void)state;
    fixture_init(&f, items);
    meet_with(hold_table, skip_to_all, 0);
    fixture_done(&f);
}

static void
expect_1_and_3(struct rlk_conn *c)
{
    lock_two_small(c);
    check(kept(0)->n_rows == 2);
    check(kept(0)->rows[0].values[0].u.i == 1);
    check(kept(0)->rows[1].values[0].u.i == 3);
    check(mode_of(c, "item", ID(2)) == ROWLOCK_UPDATE); /* stays locked */
}

static void
test_wait__passes_over_what_no_longer_matches_and_fills_the_limit(void **state)
{
    (void)state;
    fixture_init(&f, items);
    meet(expect_1_and_3, 200);
    fixture_done(&f);
}

static void
test_wait__passes_over_what_vanished_and_fills_the_limit(void **state)
{
    (void)state;
    fixture_init(&f, items);
    meet(expect_1_and_3, 0);
    fixture_done(&f);
}

/* ---- replay ---- */

static void
write_then_wait(struct rlk_conn *c)
{
    rowlock_value n = ID(40);
    check(fetch(c, "item", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    check(save(c, "item", 0, "n", ID(11), 0) == 0);
    check(create(c, "item", "n", &n, 0, 1) == 0); /* id and made answered */
    uint64_t epoch = c->driver->write_epoch(c);
    check(epoch != 0);
    parent_tell("waiting");
    check(fetch(c, "item", ID(2), ROWLOCK_UPDATE, 0, 2) == 0);
    check(kept(2)->rows[0].values[1].u.i == 21);
    check(c->driver->write_epoch(c) != epoch);
    check(fetch(c, "item", kept(1)->rows[0].values[0], ROWLOCK_READ, 0, 3) ==
          0);
    check(
        rlk_value_same(kept(1)->rows[0].values[2], kept(3)->rows[0].values[2]));
    check(save(c, "item", 0, "n", ID(12), 0) == 0);
    check(save(c, "item", 2, "n", ID(22), 0) == 0);
    check(drop(c, "item", 1, 0) == 0);
    commit(c);
}

static void
test_replay__repeats_the_writes_of_a_block_that_waited(void **state)
{
    (void)state;
    fixture_init(&f, items);
    meet(write_then_wait, 21);
    assert_string_equal(look(&f, "SELECT id, n FROM item"), "1|12 2|22 3|30");
    fixture_done(&f);
}

static void
create_and_wait(struct rlk_conn *c)
{
    rowlock_value n = ID(40);
    check(create(c, "item", "n", &n, 0, 1) == 0);
    check(kept(1)->rows[0].values[0].u.i == 4);
    parent_tell("waiting");
    check(fetch(c, "item", ID(2), ROWLOCK_UPDATE, 0, 2) == 0);
    check(save(c, "item", 2, "n", ID(22), 0) == 0);
    commit(c);
}

static void
test_replay__keeps_the_number_of_a_new_record_and_nobody_waits_for_it(
    void **state)
{
    (void)state;
    static const char *const schemas[] = {
        items,
        "CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT);"
        "INSERT INTO item (id, n) VALUES (1, 10), (2, 20), (3, 30);"};
    for (size_t i = 0; i < 2; i++) {
        fixture_init(&f, schemas[i]);
        meet(create_and_wait, -1); /* the holder creates meanwhile */
        assert_string_equal(look(&f, "SELECT id, n FROM item WHERE id <> 3"),
                            "1|10 2|22 4|40 5|50 6|50");
        fixture_done(&f);
    }
}

static void
wait_in_a_savepoint(struct rlk_conn *c)
{
    check(fetch(c, "item", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    check(fetch(c, "item", ID(3), ROWLOCK_UPDATE, 0, 1) == 0);
    check(save(c, "item", 0, "n", ID(11), 0) == 0);
    savepoint(c, 1);
    check(save(c, "item", 0, "n", ID(12), 0) == 0);
    savepoint(c, 2);
    check(save(c, "item", 1, "n", ID(31), 0) == 0);
    parent_tell("waiting");
    check(fetch(c, "item", ID(2), ROWLOCK_UPDATE, 0, 2) == 0);
    c->driver->rollback_to(c, 2);
    check(c->driver->release(c, 2, &last) == 0);
    check(fetch(c, "item", ID(3), ROWLOCK_READ, 0, 1) == 0);
    check(kept(1)->rows[0].values[1].u.i == 30);
    check(save(c, "item", 0, "n", ID(13), 0) == 0);
    c->driver->rollback_to(c, 1);
    check(c->driver->release(c, 1, &last) == 0);
    check(mode_of(c, "item", ID(2)) == ROWLOCK_READ);
    check(mode_of(c, "item", ID(3)) == ROWLOCK_UPDATE);
    commit(c);
}

static void
test_replay__sets_the_savepoints_again(void **state)
{
    (void)state;
    fixture_init(&f, items);
    meet(wait_in_a_savepoint, 21);
    assert_string_equal(look(&f, "SELECT id, n FROM item"), "1|11 2|21 3|30");
    fixture_done(&f);
}

static void
roll_back_without_a_read(struct rlk_conn *c)
{
    check(fetch(c, "item", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    check(save(c, "item", 0, "n", ID(11), 0) == 0);
    savepoint(c, 1);
    check(save(c, "item", 0, "n", ID(12), 0) == 0);
    parent_tell("waiting");
    rowlock_value two = ID(2);
    check(c->driver->lock_row(c, table_of(c, "item"), &two, ROWLOCK_UPDATE, 0,
                              &last) == 0);
    check(c->driver->write_epoch(c) == 0);
    c->driver->rollback_to(c, 1);
    check(c->driver->release(c, 1, &last) == 0);
    commit(c); /* does what is left of the log */
}

static void
test_replay__happens_at_commit_when_nothing_came_before(void **state)
{
    (void)state;
    fixture_init(&f, items);
    meet(roll_back_without_a_read, 21);
    assert_string_equal(look(&f, "SELECT id, n FROM item"), "1|11 2|21 3|30");
    fixture_done(&f);
}

static void
be_overtaken(struct rlk_conn *c)
{
    check(fetch(c, "item", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    check(save(c, "item", 0, "n", ID(11), 0) == 0);
    parent_tell("waiting");
    check(fetch(c, "item", ID(2), ROWLOCK_UPDATE, 0, 2) ==
          ROWLOCK_SERIALIZATION);
    check(strcmp(last.sqlstate, "40001") == 0);
    rollback(c);
}

static void
test_replay__that_meets_a_strangers_change_is_refused(void **state)
{
    (void)state;
    struct child holder, waiter;
    struct waiter w = {be_overtaken};
    int to = 21;
    fixture_init(&f, items);
    child_start(&holder, hold_two, &to);
    child_expect(&holder, "held");
    child_start(&waiter, run_waiter, &w);
    child_expect(&waiter, "waiting");
    child_wait_asleep(&waiter);
    stranger(&f, "UPDATE item SET n = 5 WHERE id = 1");
    child_tell(&holder, "go");
    child_end(&holder);
    child_end(&waiter);
    assert_string_equal(look(&f, "SELECT id, n FROM item"), "1|5 2|21 3|30");
    fixture_done(&f);
}

static void
cascade_into_two(struct rlk_conn *c)
{
    check(fetch(c, "item", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    check(fetch(c, "item", ID(3), ROWLOCK_UPDATE, 0, 1) == 0);
    check(save(c, "item", 0, "n", ID(11), 0) == 0);
    parent_tell("waiting");
    check(save(c, "item", 1, "n", ID(31), 0) == 0);
    check(mode_of(c, "item", ID(2)) == ROWLOCK_NO_KEY_UPDATE);
    commit(c);
}

static void
test_side_effect__on_a_held_record_waits_without_the_slot(void **state)
{
    (void)state;
    fixture_init(&f, items);
    stranger(&f, "CREATE TRIGGER tr AFTER UPDATE ON item WHEN new.id = 3 BEGIN "
                 "UPDATE item SET n = n + 100 WHERE id = 2; END");
    meet(cascade_into_two, 21); /* the holder writes while we wait */
    assert_string_equal(look(&f, "SELECT id, n FROM item"), "1|11 2|121 3|31");
    fixture_done(&f);
}

/* ---- strangers that write ---- */

static void
test_stranger__that_holds_sqlites_write_lock_is_waited_for(void **state)
{
    (void)state;
    sqlite3 *other;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    assert_int_equal(sqlite3_open(f.path.text, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0), 0);
    begin(a);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(11), 20),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(last.message,
                        "another program holds the database's write lock");
    assert_string_equal(last.sqlstate, RLK_NO_TURN);
    a->driver->rollback_to(a, 0);
    assert_int_equal(sqlite3_exec(other, "COMMIT", 0, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(11), 20), 0);
    commit(a);
    sqlite3_close(other);
    hang_up(a);
    fixture_done(&f);
}

static void
test_turn__that_a_session_keeps_is_told_from_a_record_that_it_holds(
    void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f), *b = connect_to(&f);
    begin(a);
    begin(b);
    assert_int_equal(fetch(b, "item", ID(2), ROWLOCK_UPDATE, 0, 1), 0);
    assert_int_equal(save(b, "item", 1, "n", ID(21), 20), 0);
    assert_int_equal(fetch(a, "item", ID(2), ROWLOCK_UPDATE, 20, 0),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(last.sqlstate, "55P03");
    a->driver->rollback_to(a, 0);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 20, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(11), 20),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(last.sqlstate, RLK_NO_TURN);
    a->driver->rollback_to(a, 0);
    commit(b);
    commit(a);
    hang_up(a);
    hang_up(b);
    fixture_done(&f);
}

/* ---- cancel ---- */

static struct rlk_conn *interrupted;

static void
on_signal(int number)
{
    (void)number;
    interrupted->driver->cancel(interrupted);
}

static void
catch_usr1(struct rlk_conn *c)
{
    struct sigaction action = {.sa_handler = on_signal};
    interrupted = c;
    check(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void
wait_for_two_and_be_cancelled(struct rlk_conn *c)
{
    catch_usr1(c);
    check(fetch(c, "item", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    check(save(c, "item", 0, "n", ID(11), 0) == 0);
    parent_tell("waiting");
    check(fetch(c, "item", ID(2), ROWLOCK_UPDATE, 0, 2) == ROWLOCK_CANCELLED);
    check(strcmp(last.sqlstate, "57014") == 0);
    c->driver->rollback_to(c, 0);
    check(!c->driver->transaction_lost(c));
    check(fetch(c, "item", ID(3), ROWLOCK_UPDATE, 0, 0) == 0);
    check(save(c, "item", 0, "n", ID(31), 0) == 0);
    commit(c);
}

static void
test_cancel__ends_a_wait_and_leaves_the_session_usable(void **state)
{
    (void)state;
    struct child holder, waiter;
    struct waiter w = {wait_for_two_and_be_cancelled};
    int to = 21;
    fixture_init(&f, items);
    child_start(&holder, hold_two, &to);
    child_expect(&holder, "held");
    child_start(&waiter, run_waiter, &w);
    child_expect(&waiter, "waiting");
    child_wait_asleep(&waiter);
    assert_int_equal(kill(waiter.pid, SIGUSR1), 0);
    child_end(&waiter);
    child_tell(&holder, "go");
    child_end(&holder);
    assert_string_equal(look(&f, "SELECT id, n FROM item"), "1|10 2|21 3|31");
    fixture_done(&f);
}

static void
wait_for_a_stranger(struct rlk_conn *c)
{
    catch_usr1(c);
    check(fetch(c, "item", ID(1), ROWLOCK_UPDATE, 0, 0) == 0);
    parent_tell("found");
    parent_expect("save");
    parent_tell("waiting");
    check(save(c, "item", 0, "n", ID(11), 0) == ROWLOCK_CANCELLED);
    rollback(c);
}

static void
test_cancel__ends_a_wait_for_a_stranger(void **state)
{
    (void)state;
    sqlite3 *other;
    struct child waiter;
    struct waiter w = {wait_for_a_stranger};
    fixture_init(&f, items);
    child_start(&waiter, run_waiter, &w);
    child_expect(&waiter, "found"); /* opening a database locks it too */
    assert_int_equal(sqlite3_open(f.path.text, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0), 0);
    child_tell(&waiter, "save");
    child_expect(&waiter, "waiting");
    assert_int_equal(kill(waiter.pid, SIGUSR1), 0);
    child_end(&waiter);
    sqlite3_close(other);
    fixture_done(&f);
}

static void
test_cancel__while_nothing_runs_is_answered_once(void **state)
{
    (void)state;
    fixture_init(&f, items);
    struct rlk_conn *a = connect_to(&f);
    begin(a);
    a->driver->cancel(a);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_READ, 0, 0), 0);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0),
                     ROWLOCK_CANCELLED);
    a->driver->rollback_to(a, 0);
    assert_int_equal(fetch(a, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(a, "item", 0, "n", ID(1), 0), 0);
    commit(a);
    hang_up(a);
    fixture_done(&f);
}

/* ---- fork ---- */

static struct rlk_conn *parents;
static const struct rlk_table *parents_table;

static void
use_parents_session(void *arg)
{
    (void)arg;
    const struct rlk_table *t;
    struct rlk_select q = {.table = parents_table, .lock = ROWLOCK_UPDATE};
    check(parents->driver->table(parents, "item", &t, &last) == ROWLOCK_MISUSE);
    check(parents->driver->select(parents, &q, kept(1), &last) ==
          ROWLOCK_MISUSE);
    check(parents->driver->begin(parents, &last) == ROWLOCK_MISUSE);
    check(parents->driver->commit(parents, &last) == ROWLOCK_MISUSE);
    parents->driver->rollback(parents);
    hang_up(parents);
}

static void
test_fork__a_child_can_only_close_and_frees_nothing(void **state)
{
    (void)state;
    struct child c;
    fixture_init(&f, items);
    parents = connect_to(&f);
    struct rlk_conn *b = connect_to(&f);
    begin(parents);
    begin(b);
    assert_int_equal(fetch(parents, "item", ID(1), ROWLOCK_UPDATE, 0, 0), 0);
    assert_int_equal(save(parents, "item", 0, "n", ID(11), 0), 0);
    parents_table = table_of(parents, "item");
    child_start(&c, use_parents_session, NULL);
    child_end(&c);
    assert_int_equal(fetch(b, "item", ID(1), ROWLOCK_UPDATE, ROWLOCK_NOWAIT, 1),
                     ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(save(parents, "item", 0, "n", ID(12), 0), 0);
    commit(parents);
    assert_string_equal(look(&f, "SELECT n FROM item WHERE id = 1"), "12");
    hang_up(parents);
    hang_up(b);
    fixture_done(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wait__answers_the_newest_version),
        TEST(test_wait__skip_locked_waits_for_who_has_the_whole_table),
        TEST(test_wait__passes_over_what_no_longer_matches_and_fills_the_limit),
        TEST(test_wait__passes_over_what_vanished_and_fills_the_limit),
        TEST(test_replay__repeats_the_writes_of_a_block_that_waited),
        TEST(
            test_replay__keeps_the_number_of_a_new_record_and_nobody_waits_for_it),
        TEST(test_replay__sets_the_savepoints_again),
        TEST(test_replay__happens_at_commit_when_nothing_came_before),
        TEST(test_replay__that_meets_a_strangers_change_is_refused),
        TEST(test_side_effect__on_a_held_record_waits_without_the_slot),
        TEST(test_stranger__that_holds_sqlites_write_lock_is_waited_for),
        TEST(
            test_turn__that_a_session_keeps_is_told_from_a_record_that_it_holds),
        TEST(test_cancel__ends_a_wait_and_leaves_the_session_usable),
        TEST(test_cancel__ends_a_wait_for_a_stranger),
        TEST(test_cancel__while_nothing_runs_is_answered_once),
        TEST(test_fork__a_child_can_only_close_and_frees_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
