/* SPDX-License-Identifier: MIT
 * The checker finds each anomaly that is planted, and nothing in what is well.
 * Histories are written as they are read: "r" sees a list, "a" sees it and
 * appends. */
#include "checker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { X, Y, KEYS, MOST = 16 };

static struct history_txn txns[MOST];
static size_t n;
static char detail[1024];

/* A transaction from one time to another; ended by txns[n - 1].outcome. */
static void
begin(int64_t from, int64_t to)
{
    txns[n] = (struct history_txn){
        .invoked_ns = from, .completed_ns = to, .outcome = HISTORY_COMMITTED};
    n++;
}

/* The newest transaction sees digits ("12": 1, then 2), and appends. */
static void
op(int key, const char *seen, int32_t append)
{
    struct history_txn *t = &txns[n - 1];
    struct history_op *o = &t->ops[t->n_ops++];
    *o = (struct history_op){.key = key, .append = append};
    for (; *seen; seen++)
        o->seen[o->n_seen++] = *seen - '0';
}

static enum history_anomaly
check(enum history_level level)
{
    enum history_anomaly a =
        history_check(txns, n, KEYS, level, detail, sizeof detail);
    if (a > HISTORY_BAD_INPUT && !detail[0])
        fail_msg("%s without a word", history_anomaly_name(a));
    return a;
}

static int
set_up(void **state)
{
    (void)state;
    n = 0;
    memset(txns, 0, sizeof txns);
    return 0;
}

static void
test_clean__one_after_the_other(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    op(Y, "", 2);
    begin(3, 4);
    op(X, "1", 3);
    begin(5, 6);
    op(X, "13", 0);
    op(Y, "2", 0);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_CLEAN);
}

static void
test_clean__a_transaction_sees_its_own_appends(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    op(X, "1", 2);
    begin(3, 4);
    op(X, "12", 0);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_CLEAN);
}

static void
test_clean__an_unknown_one_may_have_happened_or_not(void **state)
{
    (void)state;
    begin(1, 0);
    op(X, "", 1);
    txns[0].outcome = HISTORY_UNKNOWN;
    begin(1, 0);
    op(X, "1", 2);
    txns[1].outcome = HISTORY_UNKNOWN;
    begin(9, 10);
    op(X, "1", 0);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_CLEAN);
}

static void
test_clean__the_aborted_left_nothing(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    txns[0].outcome = HISTORY_ABORTED;
    begin(3, 4);
    op(X, "", 0);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_CLEAN);
}

static void
test_input__that_is_no_history_is_refused(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    begin(3, 4);
    op(Y, "", 1);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_BAD_INPUT);
}

static void
test_planted__an_invented_value(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    begin(3, 4);
    op(X, "17", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_INVENTED);
}

static void
test_planted__a_value_in_another_list(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    begin(3, 4);
    op(X, "1", 0);
    op(Y, "1", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_INVENTED);
}

static void
test_planted__a_doubled_value(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    begin(3, 4);
    op(X, "11", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_DOUBLED);
}

static void
test_planted__a_lost_append(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    begin(1, 2);
    op(X, "", 2);
    begin(3, 4);
    op(X, "2", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_LOST);
}

static void
test_planted__a_forked_list(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    begin(1, 2);
    op(X, "", 2);
    begin(3, 4);
    op(X, "2", 0);
    begin(5, 6);
    op(X, "12", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_FORKED);
}

static void
test_planted__G1a_aborted_read(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    txns[0].outcome = HISTORY_ABORTED;
    begin(1, 2);
    op(X, "1", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_G1A);
}

static void
test_planted__G1b_intermediate_read(void **state)
{
    (void)state;
    begin(1, 4);
    op(X, "", 1);
    op(X, "1", 2);
    begin(2, 3);
    op(X, "1", 0);
    begin(5, 6);
    op(X, "12", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_G1B);
}

static void
test_planted__an_own_append_that_is_not_seen(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    op(X, "", 0);
    begin(3, 4);
    op(X, "1", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_OWN);
}

static void
test_planted__G0_two_writers_in_two_orders(void **state)
{
    (void)state;
    begin(1, 9);
    op(X, "", 1);
    op(Y, "3", 4);
    begin(1, 9);
    op(X, "1", 2);
    op(Y, "", 3);
    begin(10, 11);
    op(X, "12", 0);
    op(Y, "34", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_G0);
}

static void
test_planted__G1c_each_sees_the_other(void **state)
{
    (void)state;
    begin(1, 9);
    op(X, "", 1);
    op(Y, "2", 0);
    begin(1, 9);
    op(Y, "", 2);
    op(X, "1", 0);
    begin(10, 11);
    op(X, "1", 0);
    op(Y, "2", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_G1C);
}

/* Both saw the empty list; the second append went on top all the same. */
static void
test_planted__a_lost_update(void **state)
{
    (void)state;
    begin(1, 9);
    op(X, "", 1);
    begin(1, 9);
    op(X, "", 2);
    begin(10, 11);
    op(X, "12", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_CLEAN);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_G2);
}

static void
test_planted__read_skew(void **state)
{
    (void)state;
    begin(1, 9);
    op(X, "", 0);
    op(Y, "2", 0);
    begin(1, 9);
    op(X, "", 1);
    op(Y, "", 2);
    begin(10, 11);
    op(X, "1", 0);
    op(Y, "2", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_CLEAN);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_G2);
}

static void
test_planted__write_skew(void **state)
{
    (void)state;
    begin(1, 9);
    op(X, "", 1);
    op(Y, "", 0);
    begin(1, 9);
    op(X, "", 0);
    op(Y, "", 2);
    begin(10, 11);
    op(X, "1", 0);
    op(Y, "2", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_CLEAN);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_G2);
}

/* Serializable, and yet stale: it saw what had been done away with. */
static void
test_planted__a_stale_read(void **state)
{
    (void)state;
    begin(1, 2);
    op(X, "", 1);
    begin(3, 4);
    op(X, "", 0);
    begin(10, 11);
    op(X, "1", 0);
    assert_int_equal(check(HISTORY_READ_COMMITTED), HISTORY_CLEAN);
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_TIME);
    txns[1].invoked_ns = 2; /* at the same moment: concurrent */
    assert_int_equal(check(HISTORY_STRICT_SERIALIZABLE), HISTORY_CLEAN);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_clean__one_after_the_other),
        TEST(test_clean__a_transaction_sees_its_own_appends),
        TEST(test_clean__an_unknown_one_may_have_happened_or_not),
        TEST(test_clean__the_aborted_left_nothing),
        TEST(test_input__that_is_no_history_is_refused),
        TEST(test_planted__an_invented_value),
        TEST(test_planted__a_value_in_another_list),
        TEST(test_planted__a_doubled_value),
        TEST(test_planted__a_lost_append),
        TEST(test_planted__a_forked_list),
        TEST(test_planted__G1a_aborted_read),
        TEST(test_planted__G1b_intermediate_read),
        TEST(test_planted__an_own_append_that_is_not_seen),
        TEST(test_planted__G0_two_writers_in_two_orders),
        TEST(test_planted__G1c_each_sees_the_other),
        TEST(test_planted__a_lost_update),
        TEST(test_planted__read_skew),
        TEST(test_planted__write_skew),
        TEST(test_planted__a_stale_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
