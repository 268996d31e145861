/* SPDX-License-Identifier: MIT
 * A lock table that is full. Built from the room's sources with a small limit,
 * so that it is soon reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock/fixture.h"
#include "lock/session.h"

/* Takes record after record of table t until that is refused. */
static int64_t
fill(rowlock_locks *s, rowlock_error *err)
{
    int64_t key = 0;
    int rc = 0;
    while (rc == 0 && key <= RLK_MAX_LOCKS)
        rc = take_for(s, key++, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, err);
    assert_int_equal(rc, ROWLOCK_NO_MEMORY);
    return key - 1;
}

static void
test_full__is_53200_and_loses_nothing(void **state)
{
    (void)state;
    rowlock_error err;
    rowlock_locks *s = open_session(), *other = open_session();
    int64_t n = fill(s, &err);
    assert_string_equal(err.sqlstate, "53200");
    assert_non_null(strstr(err.message, "full"));
    /* all but index 0, and the lock of the table */
    assert_int_equal(n, RLK_MAX_LOCKS - 2);
    assert_int_equal(count_locks(other), RLK_MAX_LOCKS - 1);
    for (int64_t key = 0; key < n; key++) {
        assert_int_equal(held(s, key), ROWLOCK_UPDATE);
        assert_int_equal(take(other, key, ROWLOCK_NOWAIT), ROWLOCK_NO_MEMORY);
    }
    rowlock_locks_close(s);
    rowlock_locks_close(other);
}

static void
test_full__upgrades_go_on_and_what_goes_back_is_room(void **state)
{
    (void)state;
    rowlock_error err;
    rowlock_locks *s = open_session(), *other = open_session();
    assert_int_equal(take_mode(other, -1, ROWLOCK_SHARE, 0), 0);
    fill(s, &err);
    assert_int_equal(take_mode(other, -1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(take(other, -2, ROWLOCK_NOWAIT), ROWLOCK_NO_MEMORY);
    rowlock_locks_release_to(s, 0);
    assert_int_equal(take(other, -2, ROWLOCK_NOWAIT), 0);
    fill(s, &err);
    rowlock_locks_close(s);
    rowlock_locks_close(other);
}

static void
test_full__a_session_that_comes_then_is_let_in(void **state)
{
    (void)state;
    rowlock_error err;
    rowlock_locks *s = open_session();
    int64_t n = fill(s, &err);
    rowlock_locks *late = open_session();
    assert_int_equal(take(late, n, ROWLOCK_NOWAIT), ROWLOCK_NO_MEMORY);
    rowlock_locks_close(s);
    assert_int_equal(take(late, n, ROWLOCK_NOWAIT), 0);
    rowlock_locks_close(late);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_full__is_53200_and_loses_nothing),
        TEST(test_full__upgrades_go_on_and_what_goes_back_is_room),
        TEST(test_full__a_session_that_comes_then_is_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
