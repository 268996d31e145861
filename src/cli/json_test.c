/* SPDX-License-Identifier: MIT */
#include "cli/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
check_text(const char *json, const char *expected)
{
    struct rlk_arena arena = {0};
    rowlock_value v;
    assert_int_equal(rlk_json_read(json, &arena, &v, NULL), 0);
    assert_int_equal(v.type, ROWLOCK_TEXT);
    assert_int_equal(v.u.s.len, strlen(expected));
    assert_memory_equal(v.u.s.ptr, expected, v.u.s.len);
    rlk_arena_done(&arena);
}

static void
test_read__words_and_numbers_have_their_types(void **state)
{
    (void)state;
    struct rlk_arena arena = {0};
    rowlock_value v;
    assert_int_equal(rlk_json_read(" null ", &arena, &v, NULL), 0);
    assert_int_equal(v.type, ROWLOCK_NULL);
    assert_int_equal(rlk_json_read("true", &arena, &v, NULL), 0);
    assert_int_equal(v.u.i, 1);
    assert_int_equal(rlk_json_read("false", &arena, &v, NULL), 0);
    assert_int_equal(v.u.i, 0);
    assert_int_equal(rlk_json_read("-9223372036854775808", &arena, &v, NULL),
                     0);
    assert_true(v.type == ROWLOCK_INT && v.u.i == INT64_MIN);
    assert_int_equal(rlk_json_read("1.5e1", &arena, &v, NULL), 0);
    assert_true(v.type == ROWLOCK_DOUBLE && v.u.d == 15.0);
    rlk_arena_done(&arena);
}

static void
test_read__strings_are_decoded_and_lists_kept(void **state)
{
    (void)state;
    check_text("\"a\\n\\u00e9\\ud83d\\ude00\"", "a\n\xC3\xA9\xF0\x9F\x98\x80");
    check_text("\"\"", "");
    check_text(" [1, {\"a\": [\"b\"]}] ", "[1, {\"a\": [\"b\"]}]");
    check_text("{}", "{}");
}

static void
test_read__refuses_what_json_does_not_allow(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "01",          "1.",
        ".5",         "+1",          "1e",
        "tru",        "truex",       "nul",
        "'a'",        "\"a",         "\"\\x\"",
        "\"\\u12\"",  "\"\\ud83d\"", "\"\\udc00\"",
        "\"\t\"",     "\"\xFF\"",    "[1,]",
        "[1",         "{\"a\"}",     "{a:1}",
        "{\"a\":1,}", "1 2",         "NaN",
        "-",          "[1]]",        "\"\\ud83d\\u0041\"",
    };
    struct rlk_arena arena = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rowlock_value v;
        rowlock_error err = {0};
        assert_int_equal(rlk_json_read(bad[i], &arena, &v, &err),
                         ROWLOCK_MISUSE);
    }
    rlk_arena_done(&arena);
}

static void
test_read__refuses_a_number_that_would_lose_digits(void **state)
{
    (void)state;
    static const char *const bad[] = {"9223372036854775808", "1e400", "1e-400",
                                      "0.12345678901234567890"};
    struct rlk_arena arena = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rowlock_value v;
        rowlock_error err = {0};
        assert_int_equal(rlk_json_read(bad[i], &arena, &v, &err),
                         ROWLOCK_BAD_VALUE);
        assert_string_equal(err.sqlstate, "22003");
    }
    rlk_arena_done(&arena);
}

static void
test_read__a_thousand_brackets_are_refused_not_followed(void **state)
{
    (void)state;
    char deep[1001];
    memset(deep, '[', 1000);
    deep[1000] = 0;
    struct rlk_arena arena = {0};
    rowlock_value v;
    assert_int_equal(rlk_json_read(deep, &arena, &v, NULL), ROWLOCK_MISUSE);
    rlk_arena_done(&arena);
}

static void
test_print__a_double_reads_back_as_itself(void **state)
{
    (void)state;
    struct rlk_buf buf = {0};
    rlk_buf_json_value(&buf, rowlock_double(0.1));
    rlk_buf_char(&buf, ' ');
    rlk_buf_json_value(&buf, rowlock_double(3));
    rlk_buf_char(&buf, ' ');
    rlk_buf_json_value(&buf, rowlock_blob("\x01\xFF", 2));
    assert_string_equal(buf.ptr, "0.1 3 \"01ff\"");
    rlk_buf_done(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read__words_and_numbers_have_their_types),
        cmocka_unit_test(test_read__strings_are_decoded_and_lists_kept),
        cmocka_unit_test(test_read__refuses_what_json_does_not_allow),
        cmocka_unit_test(test_read__refuses_a_number_that_would_lose_digits),
        cmocka_unit_test(
            test_read__a_thousand_brackets_are_refused_not_followed),
        cmocka_unit_test(test_print__a_double_reads_back_as_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
