/* SPDX-License-Identifier: MIT */
#include "sync/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "source/json.h"

static struct rlk_json_parser *parser;
static struct rlk_arena arena;
static rowlock_error err;
static struct rlk_field field;
static struct rlk_goal goal;
static rowlock_value value;
static bool present;

/* The field's value out of {"v": json}; json NULL: {}. */
static int
take(const char *json)
{
    char text[2048] = "{}";
    const struct rlk_json *root;
    size_t at;
    if (json)
        snprintf(text, sizeof text - RLK_JSON_PADDING, "{\"v\":%s}", json);
    assert_int_equal(
        rlk_json_parse(parser, text, strlen(text), &root, &at, &err), 0);
    field.column.text = "name";
    assert_int_equal(rlk_pointer_parse("/v", &arena, &field.from, NULL), 0);
    int rc =
        rlk_field_value(&field, goal, root, &arena, &value, &present, &err);
    memset(&field, 0, sizeof field);
    return rc;
}

static void
as(enum rlk_column_type type)
{
    goal = (struct rlk_goal){.type = type};
}

static void
assert_text(const char *json, const char *expected)
{
    assert_int_equal(take(json), 0);
    assert_true(present);
    assert_int_equal(value.type, ROWLOCK_TEXT);
    assert_int_equal(value.u.s.len, strlen(expected));
    assert_memory_equal(value.u.s.ptr, expected, value.u.s.len);
}

static void
assert_integer(const char *json, int64_t expected)
{
    assert_int_equal(take(json), 0);
    assert_int_equal(value.type, ROWLOCK_INT);
    assert_int_equal(value.u.i, expected);
}

static void
assert_refused(const char *json, const char *message)
{
    assert_int_equal(take(json), ROWLOCK_BAD_VALUE);
    assert_string_equal(err.message, message);
}

static void
test_value__absent_is_not_null(void **state)
{
    (void)state;
    as(RLK_TYPE_TEXT);
    assert_int_equal(take(NULL), 0);
    assert_false(present);
    assert_int_equal(take("null"), 0);
    assert_true(present);
    assert_int_equal(value.type, ROWLOCK_NULL);
}

static void
test_value__the_default_is_for_what_is_absent(void **state)
{
    (void)state;
    as(RLK_TYPE_TEXT);
    field.has_default = true;
    field.default_value = rowlock_text("x");
    assert_text(NULL, "x");
    field.has_default = true;
    field.default_value = rowlock_text("x");
    assert_int_equal(take("null"), 0);
    assert_int_equal(value.type, ROWLOCK_NULL);
}

static void
test_value__text_columns_get_numbers_as_written(void **state)
{
    (void)state;
    as(RLK_TYPE_TEXT);
    assert_text("42", "42");
    assert_text("1.10", "1.10");
    assert_text("12345678901234567890123", "12345678901234567890123");
    as(RLK_TYPE_DECIMAL);
    assert_text("0.10000000000000000000000001", "0.10000000000000000000000001");
}

static void
test_value__integer_columns_get_integers_however_written(void **state)
{
    (void)state;
    as(RLK_TYPE_INTEGER);
    assert_integer("0", 0);
    assert_integer("-0.0e9", 0);
    assert_integer("7.0", 7);
    assert_integer("70e-1", 7);
    assert_integer("1e3", 1000);
    assert_integer("9007199254740993.0", INT64_C(9007199254740993));
    assert_integer("7.00000000000000000000000000000000000000000000", 7);
    assert_integer("10000000000000000000000000000000000000000e-40", 1);
    assert_integer("0.00000000000000000000000000000000000000007e41", 7);
    assert_integer("0e999999999999999999999", 0);
    assert_integer("1002003", 1002003);
    assert_integer("9223372036854775807", INT64_MAX);
    assert_integer("-9223372036854775808", INT64_MIN);
    static const char *const refused[] = {"0.5",
                                          "9223372036854775808",
                                          "-9223372036854775809",
                                          "1e-1",
                                          "1e19",
                                          "1e999999999999999999999",
                                          "1e400",
                                          "1e-400"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_refused(refused[i],
                       "field 'name': the number is no integer of 64 bits");
}

static void
test_value__a_number_of_a_thousand_bytes_fits_text_only(void **state)
{
    (void)state;
    char number[1001];
    memset(number, '7', 1000);
    number[1000] = 0;
    as(RLK_TYPE_TEXT);
    assert_text(number, number);
    as(RLK_TYPE_INTEGER);
    assert_refused(number, "field 'name': the number is no integer of 64 bits");
    as(RLK_TYPE_REAL);
    assert_refused(number, "field 'name': the number is out of range");
    as(RLK_TYPE_ANY);
    assert_refused(number, "field 'name': the number is no integer of 64 bits");
}

static void
test_value__doubles_hold_fractions_and_exact_integers(void **state)
{
    (void)state;
    as(RLK_TYPE_REAL);
    assert_int_equal(take("0.1"), 0);
    assert_true(value.type == ROWLOCK_DOUBLE && value.u.d == 0.1);
    assert_int_equal(take("9007199254740992"), 0);
    assert_true(value.u.d == 9007199254740992.0);
    assert_refused("9007199254740993",
                   "field 'name': the number is too large to be held exactly");
    assert_refused("9223372036854775807",
                   "field 'name': the number is too large to be held exactly");
    assert_refused("1e999", "field 'name': the number is out of range");
    as(RLK_TYPE_ANY);
    assert_integer("7", 7);
    assert_int_equal(take("7.0"), 0);
    assert_int_equal(value.type, ROWLOCK_DOUBLE);
}

static void
test_value__true_and_false_fit_flags_and_integers(void **state)
{
    (void)state;
    as(RLK_TYPE_BOOLEAN);
    assert_integer("true", 1);
    assert_integer("false", 0);
    as(RLK_TYPE_INTEGER);
    assert_integer("true", 1);
    as(RLK_TYPE_TEXT);
    assert_refused("true", "field 'name': true does not fit the column's type");
}

static void
test_value__objects_fit_json_columns_only(void **state)
{
    (void)state;
    as(RLK_TYPE_JSON);
    assert_text("{\"a\": [1, \"x\"]}", "{\"a\": [1, \"x\"]}");
    assert_text("\"x\\n\"", "\"x\\n\"");
    assert_text("1.50", "1.50");
    assert_text("true", "true");
    as(RLK_TYPE_TEXT);
    assert_refused("{}", "field 'name': an object does not fit the column's "
                         "type");
    assert_refused("[]", "field 'name': a list does not fit the column's type");
}

static void
test_value__strip_takes_white_space_as_python_does(void **state)
{
    (void)state;
    as(RLK_TYPE_TEXT);
    field.strip = true;
    assert_text("\" \\t\\u00a0\\u3000x y\\u2028\\n\"", "x y");
    field.strip = true;
    assert_text("42", "42");
    field.strip = true;
    assert_int_equal(take("\" \\u2003 \""), 0);
    assert_true(present && value.type == ROWLOCK_NULL);
    field.strip = true;
    assert_refused("[1]", "field 'name': a list does not fit strip");
    assert_text("\" x \"", " x ");
}

static void
test_value__slugify_makes_slugs_and_blank_is_null(void **state)
{
    (void)state;
    as(RLK_TYPE_TEXT);
    field.slugify = true;
    assert_text("\"Sant Juli\\u00e0\"", "sant-julia");
    field.slugify = true;
    assert_int_equal(take("\"\\u65e5\""), 0);
    assert_int_equal(value.type, ROWLOCK_NULL);
}

static void
test_value__unescaping_comes_before_all_else(void **state)
{
    (void)state;
    as(RLK_TYPE_TEXT);
    field.unescape_html = 1;
    assert_text("\"R&amp;D\"", "R&D");
    field.unescape_html = 1;
    field.strip = true;
    assert_text("\"&nbsp; R&amp;D&#32;\"", "R&D");
    field.unescape_html = 1;
    field.lower = true;
    assert_text("\"&Eacute;&AMP;\"", "\u00E9&amp;");
    field.unescape_html = 1;
    field.slugify = true;
    assert_text("\"Caf&eacute; &amp; Bar\"", "cafe-bar");
    field.unescape_html = field.empty_null = 1;
    assert_int_equal(take("\"&nbsp;\""), 0);
    assert_int_equal(value.type, ROWLOCK_NULL);
    field.unescape_html = 1;
    assert_text("7", "7");
    field.unescape_html = 1;
    field.has_default = true;
    field.default_value = rowlock_text("&amp;");
    assert_text(NULL, "&amp;");
}

static void
test_value__unescaped_text_is_json_again_in_a_json_column(void **state)
{
    (void)state;
    as(RLK_TYPE_JSON);
    field.unescape_html = 1;
    assert_text("\"&quot;&amp;\"", "\"\\\"&\"");
}

static void
test_value__keys_are_stripped_as_match_does(void **state)
{
    (void)state;
    as(RLK_TYPE_TEXT);
    goal.is_key = true;
    assert_text("\" x \"", "x");
    assert_int_equal(take("\"\""), 0);
    assert_int_equal(value.type, ROWLOCK_NULL);
}

static void
test_value__uuids_are_laid_out_as_their_column_has_them(void **state)
{
    (void)state;
    const char *dashed = "0f14d0ab-9605-4a62-a9e4-5ed26688389b";
    as(RLK_TYPE_UUID);
    assert_text("\"0F14D0AB96054A62A9E45ED26688389B\"", dashed);
    goal.length = 36;
    assert_text("\"0f14d0ab-9605-4a62-a9e4-5ed26688389b\"", dashed);
    goal.length = 32;
    field.strip = true;
    assert_text("\" 0f14d0ab-9605-4A62-a9e4-5ed26688389b \"",
                "0f14d0ab96054a62a9e45ed26688389b");
    assert_int_equal(take("null"), 0);
    assert_int_equal(value.type, ROWLOCK_NULL);
    assert_refused("\"\"", "field 'name': '' is no UUID");
    assert_string_equal(err.sqlstate, "22P02");
    assert_refused("7", "field 'name': '7' is no UUID");
    goal.is_key = true;
    assert_int_equal(take("\" \""), 0);
    assert_int_equal(value.type, ROWLOCK_NULL);
}

int
main(void)
{
    parser = rlk_json_parser_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__absent_is_not_null),
        cmocka_unit_test(test_value__the_default_is_for_what_is_absent),
        cmocka_unit_test(test_value__text_columns_get_numbers_as_written),
        cmocka_unit_test(
            test_value__integer_columns_get_integers_however_written),
        cmocka_unit_test(
            test_value__a_number_of_a_thousand_bytes_fits_text_only),
        cmocka_unit_test(test_value__doubles_hold_fractions_and_exact_integers),
        cmocka_unit_test(test_value__true_and_false_fit_flags_and_integers),
        cmocka_unit_test(test_value__objects_fit_json_columns_only),
        cmocka_unit_test(
            test_value__uuids_are_laid_out_as_their_column_has_them),
        cmocka_unit_test(test_value__strip_takes_white_space_as_python_does),
        cmocka_unit_test(test_value__slugify_makes_slugs_and_blank_is_null),
        cmocka_unit_test(test_value__unescaping_comes_before_all_else),
        cmocka_unit_test(
            test_value__unescaped_text_is_json_again_in_a_json_column),
        cmocka_unit_test(test_value__keys_are_stripped_as_match_does),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rlk_json_parser_free(parser);
    rlk_arena_done(&arena);
    return rc;
}
