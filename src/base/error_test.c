/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_fail__fills_code_sqlstate_and_message(void **state)
{
    (void)state;
    rowlock_error err;
    int rc = rlk_fail(&err, ROWLOCK_DEADLOCK, "deadlock of %d", 3);
    assert_int_equal(rc, ROWLOCK_DEADLOCK);
    assert_int_equal(err.code, ROWLOCK_DEADLOCK);
    assert_string_equal(err.sqlstate, "40P01");
    assert_string_equal(err.message, "deadlock of 3");
    assert_string_equal(err.detail, "");
}

static void
test_fail__works_without_an_error_to_fill(void **state)
{
    (void)state;
    assert_int_equal(rlk_fail(NULL, ROWLOCK_IO, "x"), ROWLOCK_IO);
    rlk_detail(NULL, "x");
    rlk_sqlstate(NULL, "00000");
}

static void
test_fail_errno__says_the_reason_and_keeps_errno(void **state)
{
    (void)state;
    rowlock_error err;
    errno = ENOENT;
    rlk_fail_errno(&err, ROWLOCK_IO, "could not open \"%s\"", "x.db");
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(err.message,
                        "could not open \"x.db\": No such file or directory");
}

static void
test_fail__cuts_a_long_text_between_characters(void **state)
{
    (void)state;
    rowlock_error err;
    char text[400];
    memset(text, 'a', sizeof text);
    memcpy(text + 254, "\xC3\xA9", 2); /* would end at byte 256 */
    text[sizeof text - 1] = 0;
    rlk_fail(&err, ROWLOCK_IO, "%s", text);
    assert_int_equal(strlen(err.message), 254);
}

static void
test_context__the_innermost_stays(void **state)
{
    (void)state;
    rowlock_error err;
    rlk_fail(&err, ROWLOCK_BAD_VALUE, "x");
    rlk_context(&err, "record %d", 7);
    rlk_context(&err, "file");
    assert_string_equal(err.context, "record 7");
}

static void
test_table__every_code_has_a_name_and_a_sqlstate(void **state)
{
    (void)state;
    for (int code = 0; code <= ROWLOCK_NO_MEMORY; code++) {
        assert_true(strlen(rowlock_code_name(code)) > 1);
        assert_true(strlen(rowlock_code_text(code)) > 1);
        assert_int_equal(strlen(rowlock_code_sqlstate(code)), 5);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail__fills_code_sqlstate_and_message),
        cmocka_unit_test(test_fail__works_without_an_error_to_fill),
        cmocka_unit_test(test_fail_errno__says_the_reason_and_keeps_errno),
        cmocka_unit_test(test_fail__cuts_a_long_text_between_characters),
        cmocka_unit_test(test_context__the_innermost_stays),
        cmocka_unit_test(test_table__every_code_has_a_name_and_a_sqlstate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
