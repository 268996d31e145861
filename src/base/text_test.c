/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_json__escapes_controls_and_replaces_what_is_no_utf8(void **state)
{
    (void)state;
    struct rlk_buf buf = {0};
    const char text[] = "a\"\\\n\x01\xC3\xA9\xFFz";
    rlk_buf_json(&buf, text, sizeof text - 1);
    assert_string_equal(buf.ptr,
                        "\"a\\\"\\\\\\n\\u0001\xC3\xA9\xEF\xBF\xBDz\"");
    rlk_buf_done(&buf);
}

static void
test_utf8__finds_the_first_bad_byte(void **state)
{
    (void)state;
    assert_int_equal(rlk_utf8_check("abc", 3), 3);
    assert_int_equal(rlk_utf8_check("a\xC0\x80", 3), 1);        /* overlong */
    assert_int_equal(rlk_utf8_check("\xED\xA0\x80", 3), 0);     /* surrogate */
    assert_int_equal(rlk_utf8_check("\xF4\x90\x80\x80", 4), 0); /* > 10FFFF */
    assert_int_equal(rlk_utf8_check("\xE2\x82\xAC", 3), 3);
    assert_int_equal(rlk_utf8_check("x\xE2\x82", 3), 1); /* cut */
}

static void
test_duration__takes_whole_numbers_with_a_unit_only(void **state)
{
    (void)state;
    int32_t ms = -7;
    assert_true(rlk_duration_parse("5s", &ms));
    assert_int_equal(ms, 5000);
    assert_true(rlk_duration_parse("24d", &ms));
    assert_int_equal(ms, 24 * 86400000);
    static const char *const bad[] = {"",    "5",    "s",
                                      "-5s", "1.5s", "5 s",
                                      "5S",  "25d",  "99999999999999999999s",
                                      " 5s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rlk_duration_parse(bad[i], &ms));
}

static void
test_nearest__finds_the_word_that_was_meant(void **state)
{
    (void)state;
    static const char *const words[] = {"pagination", "records", "url", NULL};
    assert_string_equal(rlk_nearest("paginaton", words), "pagination");
    assert_string_equal(rlk_nearest("recrods", words), "records");
    assert_null(rlk_nearest("database", words));
    assert_null(rlk_nearest("x", words));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_json__escapes_controls_and_replaces_what_is_no_utf8),
        cmocka_unit_test(test_utf8__finds_the_first_bad_byte),
        cmocka_unit_test(test_duration__takes_whole_numbers_with_a_unit_only),
        cmocka_unit_test(test_nearest__finds_the_word_that_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
