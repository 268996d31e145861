/* SPDX-License-Identifier: MIT
 * Each row of a table here is a line of docs/values.md: what is given, what is
 * stored, or the SQLSTATE of the refusal. */
#include "value.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct line {
    rowlock_value given, stored;
    const char *sqlstate; /* NULL: it is stored */
};

static void
check_lines(const struct rlk_column *column, const struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct rlk_arena RLK_AUTOARENA arena = {0};
        rowlock_error err = {0};
        rowlock_value got = rowlock_null();
        char shown[RLK_SHOWN], was[RLK_SHOWN];
        rlk_value_show(lines[i].given, shown);
        int rc = rlk_value_for((struct rlk_place){"t", column}, lines[i].given,
                               &arena, &got, &err);
        rlk_value_show(got, was);
        if (rc ? !lines[i].sqlstate || strcmp(err.sqlstate, lines[i].sqlstate)
               : lines[i].sqlstate || !rlk_value_same(got, lines[i].stored))
            fail_msg("%s column, line %zu, %s: got %s, %s %s", column->declared,
                     i, shown, was, err.sqlstate, err.message);
        if (rc)
            assert_int_equal(rc, ROWLOCK_BAD_VALUE);
    }
}

#define CHECK(column, lines) \
    check_lines(&(column), lines, sizeof(lines) / sizeof(lines)[0])
#define I(n) rowlock_int(n)
#define D(x) rowlock_double(x)
#define T(s) rowlock_text(s)
#define NO   rowlock_null()

static void
test_integer__takes_whole_numbers_in_canonical_form_only(void **state)
{
    (void)state;
    const struct rlk_column c = {.name = "c",
                                 .declared = "INTEGER",
                                 .type = RLK_TYPE_INTEGER,
                                 .integer_bits = 64};
    const struct line lines[] = {
        {I(7), I(7), NULL},
        {D(7), I(7), NULL},
        {D(7.5), NO, "22P02"},
        {D(0x1p63), NO, "22003"},
        {D(-0x1p63), I(INT64_MIN), NULL},
        {D(NAN), NO, "22003"},
        {D(INFINITY), NO, "22003"},
        {T("7"), I(7), NULL},
        {T("-7"), I(-7), NULL},
        {T("0"), I(0), NULL},
        {T("-0"), NO, "22P02"},
        {T("007"), NO, "22P02"},
        {T("+7"), NO, "22P02"},
        {T(" 7"), NO, "22P02"},
        {T("7.0"), NO, "22P02"},
        {T(""), NO, "22P02"},
        {T("-"), NO, "22P02"},
        {T("true"), NO, "22P02"},
        {T("9223372036854775807"), I(INT64_MAX), NULL},
        {T("-9223372036854775808"), I(INT64_MIN), NULL},
        {T("9223372036854775808"), NO, "22003"},
        {T("99999999999999999999999"), NO, "22003"},
        {rowlock_blob("7", 1), NO, "22P02"},
        {NO, NO, NULL},
    };
    CHECK(c, lines);
}

static void
test_integer__holds_the_declared_bits(void **state)
{
    (void)state;
    const struct rlk_column c = {.name = "c",
                                 .declared = "SMALLINT",
                                 .type = RLK_TYPE_INTEGER,
                                 .integer_bits = 16};
    const struct line lines[] = {
        {I(32767), I(32767), NULL},
        {I(32768), NO, "22003"},
        {I(-32768), I(-32768), NULL},
        {T("-32769"), NO, "22003"},
    };
    CHECK(c, lines);
}

static void
test_boolean__takes_true_and_false(void **state)
{
    (void)state;
    const struct rlk_column c = {
        .name = "c", .declared = "BOOLEAN", .type = RLK_TYPE_BOOLEAN};
    const struct line lines[] = {
        {I(1), I(1), NULL},       {I(0), I(0), NULL},
        {I(2), NO, "22P02"},      {T("true"), I(1), NULL},
        {T("false"), I(0), NULL}, {T("True"), NO, "22P02"},
        {T("1"), I(1), NULL},     {T("yes"), NO, "22P02"},
        {D(1), I(1), NULL},       {D(0.5), NO, "22P02"},
    };
    CHECK(c, lines);
}

static void
test_real__takes_what_a_double_holds_exactly(void **state)
{
    (void)state;
    const struct rlk_column c = {
        .name = "c", .declared = "REAL", .type = RLK_TYPE_REAL};
    const struct line lines[] = {
        {D(0.1), D(0.1), NULL},
        {I(7), D(7), NULL},
        {I((1LL << 53) + 1), NO, "22003"},
        {I(INT64_MAX), NO, "22003"},
        {T("0.1"), D(0.1), NULL},
        {T("1"), D(1), NULL},
        {T("1.0"), D(1), NULL},
        {T("1.5"), D(1.5), NULL},
        {T("1.50"), NO, "22P02"},
        {T("1.5.0"), NO, "22P02"},
        {T("01.5"), NO, "22P02"},
        {T(".5"), NO, "22P02"},
        {T("1e+20"), D(1e20), NULL},
        {T("1e20"), NO, "22P02"},
        {T("0.10000000000000001"), NO, "22P02"},
        {T("nan"), NO, "22P02"},
        {T("inf"), NO, "22P02"},
        {T(""), NO, "22P02"},
        {D(NAN), NO, "22003"},
    };
    CHECK(c, lines);
}

static void
test_decimal__must_survive_the_way_through_the_engine(void **state)
{
    (void)state;
    const struct rlk_column c = {.name = "c",
                                 .declared = "DECIMAL(10,2)",
                                 .type = RLK_TYPE_DECIMAL,
                                 .precision = 10,
                                 .scale = 2};
    const struct line lines[] = {
        {T("1.10"), D(1.1), NULL},
        {T("1.1"), D(1.1), NULL},
        {T("1.100"), D(1.1), NULL},
        {T("1.101"), NO, "22003"},
        {T("-3.00"), I(-3), NULL},
        {T("0.05"), D(0.05), NULL},
        {T("0"), I(0), NULL},
        {T("-0"), NO, "22P02"},
        {T("-0.00"), NO, "22P02"},
        {T("12345678"), I(12345678), NULL},
        {T("123456789"), NO, "22003"},
        {T("1e2"), NO, "22P02"},
        {T("01.1"), NO, "22P02"},
        {T(".1"), NO, "22P02"},
        {T("1."), NO, "22P02"},
        {T(""), NO, "22P02"},
        {I(99999999), I(99999999), NULL},
        {I(100000000), NO, "22003"},
        {D(0.1), D(0.1), NULL},
        {D(0.125), NO, "22003"},
        {D(-2), I(-2), NULL},
        {D(1e300), NO, "22003"},
        {D(NAN), NO, "22003"},
    };
    CHECK(c, lines);
    const struct rlk_column any = {
        .name = "c", .declared = "NUMERIC", .type = RLK_TYPE_DECIMAL};
    const struct line more[] = {
        {T("123456789.012345"), D(123456789.012345), NULL},
        {T("0.1234567890123456"), NO, "22003"},
        {T("9223372036854775807"), I(INT64_MAX), NULL},
        {T("9223372036854775808"), NO, "22003"},
        {D(1e-10), D(1e-10), NULL},
        {D(1.5e15), I(1500000000000000), NULL},
    };
    CHECK(any, more);
}

static void
test_text__is_valid_and_no_longer_than_declared(void **state)
{
    (void)state;
    const struct rlk_column c = {.name = "c",
                                 .declared = "VARCHAR(3)",
                                 .type = RLK_TYPE_TEXT,
                                 .length = 3};
    const struct line lines[] = {
        {T("abc"), T("abc"), NULL},
        {T("\xC3\xA9\xE2\x82\xACz"), T("\xC3\xA9\xE2\x82\xACz"), NULL},
        {T("abcd"), NO, "22001"},
        {T("abc "), NO, "22001"},
        {T("a\xFF"), NO, "22021"},
        {rowlock_text_n("a\0b", 3), NO, "22021"},
        {T(""), T(""), NULL},
        {I(42), T("42"), NULL},
        {I(1234), NO, "22001"},
        {D(1.5), T("1.5"), NULL},
        {D(NAN), NO, "22003"},
        {rowlock_blob("abc", 3), NO, "22P02"},
    };
    CHECK(c, lines);
}

static void
test_timestamp__is_an_instant_stored_as_utc(void **state)
{
    (void)state;
    const struct rlk_column c = {
        .name = "c", .declared = "TIMESTAMP", .type = RLK_TYPE_TIMESTAMP};
    const struct line lines[] = {
        {T("2024-05-01T12:00:00Z"), T("2024-05-01 12:00:00"), NULL},
        {T("2024-05-01 12:00:00"), T("2024-05-01 12:00:00"), NULL},
        {T("2024-05-01T12:00"), T("2024-05-01 12:00:00"), NULL},
        {T("2024-05-01T12:00:00.5Z"), T("2024-05-01 12:00:00.500000"), NULL},
        {T("2024-05-01T12:00:00.000Z"), T("2024-05-01 12:00:00"), NULL},
        {T("2024-05-01T12:00:00.1234567Z"), NO, "22008"},
        {T("2024-05-01T12:00:00.1234560Z"), T("2024-05-01 12:00:00.123456"),
         NULL},
        {T("2024-03-01T00:30:00+01:00"), T("2024-02-29 23:30:00"), NULL},
        {T("2023-12-31T23:30:00-0100"), T("2024-01-01 00:30:00"), NULL},
        {T("2024-05-01T12:00:00+02"), T("2024-05-01 10:00:00"), NULL},
        {T("0001-01-01T00:00:00+01:00"), NO, "22008"},
        {T("9999-12-31T23:59:59.999999Z"), T("9999-12-31 23:59:59.999999"),
         NULL},
        {T("9999-12-31T23:59:59-00:01"), NO, "22008"},
        {T("2023-02-29T00:00:00Z"), NO, "22008"},
        {T("1900-02-29T00:00:00Z"), NO, "22008"},
        {T("2000-02-29T00:00:00Z"), T("2000-02-29 00:00:00"), NULL},
        {T("2024-13-01T00:00:00Z"), NO, "22008"},
        {T("2024-00-01T00:00:00Z"), NO, "22008"},
        {T("2024-04-31T00:00:00Z"), NO, "22008"},
        {T("0000-01-01T00:00:00Z"), NO, "22008"},
        {T("2024-05-01T24:00:00Z"), NO, "22008"},
        {T("2024-05-01T12:60:00Z"), NO, "22008"},
        {T("2024-05-01T12:00:60Z"), NO, "22008"},
        {T("2024-05-01T12:00:00+24:00"), NO, "22008"},
        {T("2024-05-01"), NO, "22007"},
        {T("2024-5-1T12:00:00Z"), NO, "22007"},
        {T("2024-05-01T12:00:00Zx"), NO, "22007"},
        {T("2024-05-01T12:00:00."), NO, "22007"},
        {T("yesterday"), NO, "22007"},
        {T(""), NO, "22007"},
        {I(1714564800), NO, "22007"},
    };
    CHECK(c, lines);
}

static void
test_date_and_time__are_what_they_say(void **state)
{
    (void)state;
    const struct rlk_column date = {
        .name = "c", .declared = "DATE", .type = RLK_TYPE_DATE};
    const struct line dates[] = {
        {T("2024-02-29"), T("2024-02-29"), NULL},
        {T("2023-02-29"), NO, "22008"},
        {T("2024-02-29T00:00:00Z"), NO, "22007"},
        {T("0001-01-01"), T("0001-01-01"), NULL},
        {T("9999-12-31"), T("9999-12-31"), NULL},
    };
    CHECK(date, dates);
    const struct rlk_column time = {
        .name = "c", .declared = "TIME", .type = RLK_TYPE_TIME};
    const struct line times[] = {
        {T("12:30"), T("12:30:00"), NULL},
        {T("12:30:15.25"), T("12:30:15.250000"), NULL},
        {T("25:00:00"), NO, "22008"},
        {T("12:30:00Z"), NO, "22007"},
    };
    CHECK(time, times);
}

static void
test_uuid_json_blob_any__take_their_own_kind(void **state)
{
    (void)state;
    const struct rlk_column uuid = {
        .name = "c", .declared = "UUID", .type = RLK_TYPE_UUID};
    const char *canonical = "0f14d0ab-9605-4a62-a9e4-5ed26688389b";
    const struct line uuids[] = {
        {T(canonical), T(canonical), NULL},
        {T("0F14D0AB-9605-4A62-A9E4-5ED26688389B"), T(canonical), NULL},
        {T("0f14d0ab96054a62a9e45ed26688389b"), T(canonical), NULL},
        {T("0f14d0ab-9605-4a62-a9e4-5ed26688389"), NO, "22P02"},
        {T("0f14d0ab+9605-4a62-a9e4-5ed26688389b"), NO, "22P02"},
        {T("0f14d0ab96054a62a9e45ed26688389g"), NO, "22P02"},
        {I(1), NO, "22P02"},
    };
    CHECK(uuid, uuids);
    const struct rlk_column json = {
        .name = "c", .declared = "JSON", .type = RLK_TYPE_JSON};
    const struct line documents[] = {
        {T("{\"a\": [1, 2.5e-3, null]}"), T("{\"a\": [1, 2.5e-3, null]}"),
         NULL},
        {T("\"x\\u00e9\\n\""), T("\"x\\u00e9\\n\""), NULL},
        {I(7), T("7"), NULL},
        {T(" [] "), T(" [] "), NULL},
        {T("1.5"), T("1.5"), NULL},
        {T("[1.10]"), T("[1.10]"), NULL},
        {T("1.10"), NO, "22003"},
        {T("1.0"), NO, "22003"},
        {T("1e2"), NO, "22003"},
        {T("12345678901234567890"), NO, "22003"},
        {T("[1,]"), NO, "22P02"},
        {T("{\"a\":1,}"), NO, "22P02"},
        {T("{a:1}"), NO, "22P02"},
        {T("01"), NO, "22P02"},
        {T("1 2"), NO, "22P02"},
        {T("[1"), NO, "22P02"},
        {T("\"a\nb\""), NO, "22P02"},
        {T("\"\\x\""), NO, "22P02"},
        {T("abc"), NO, "22P02"},
        {T(""), NO, "22P02"},
        {T("[[]}"), NO, "22P02"},
    };
    CHECK(json, documents);
    const struct rlk_column blob = {
        .name = "c", .declared = "BLOB", .type = RLK_TYPE_BLOB};
    const struct line blobs[] = {
        {rowlock_blob("a\0b", 3), rowlock_blob("a\0b", 3), NULL},
        {T("ab"), rowlock_blob("ab", 2), NULL},
        {I(1), NO, "22P02"},
    };
    CHECK(blob, blobs);
    const struct rlk_column any = {
        .name = "c", .declared = "", .type = RLK_TYPE_ANY};
    const struct line anything[] = {
        {I(1), I(1), NULL},
        {T("007"), T("007"), NULL},
        {D(NAN), NO, "22003"},
        {T("\xFF"), NO, "22021"},
    };
    CHECK(any, anything);
}

static void
test_json__deeper_than_the_limit_is_refused(void **state)
{
    (void)state;
    char text[1026];
    size_t bad;
    memset(text, '[', 513);
    memset(text + 513, ']', 513);
    assert_false(rlk_json_valid(text, 1026, &bad));
    assert_int_equal(bad, 512);
    assert_true(rlk_json_valid(text + 1, 1024, &bad));
}

static bool
equal(enum rlk_column_type type, rowlock_value a, rowlock_value b)
{
    const struct rlk_column c = {.name = "c", .declared = "", .type = type};
    bool result = rlk_value_equal(&c, a, b);
    assert_true(rlk_value_equal(&c, b, a) == result);
    return result;
}

static void
test_equal__goes_by_the_columns_type(void **state)
{
    (void)state;
    assert_true(equal(RLK_TYPE_INTEGER, I(7), D(7)));
    assert_false(equal(RLK_TYPE_INTEGER, I((1LL << 53) + 1), D(0x1p53)));
    assert_false(equal(RLK_TYPE_INTEGER, I(7), T("7")));
    assert_false(equal(RLK_TYPE_REAL, D(NAN), D(1)));
    assert_true(equal(RLK_TYPE_DECIMAL, I(3), D(3)));
    assert_false(equal(RLK_TYPE_TEXT, T("a"), T("A")));
    assert_false(equal(RLK_TYPE_TEXT, T("\xC3\xA9"), T("e\xCC\x81")));
    assert_true(equal(RLK_TYPE_TIMESTAMP, T("2024-05-01T12:00:00Z"),
                      T("2024-05-01 14:00:00+02:00")));
    assert_false(equal(RLK_TYPE_TIMESTAMP, T("2024-05-01T12:00:00Z"),
                       T("2024-05-01 12:00:01")));
    assert_false(equal(RLK_TYPE_TIMESTAMP, T("soon"), T("later")));
    assert_true(equal(RLK_TYPE_TIME, T("12:30"), T("12:30:00")));
    assert_true(equal(RLK_TYPE_UUID, T("0f14d0ab96054a62a9e45ed26688389b"),
                      T("0F14D0AB-9605-4A62-A9E4-5ED26688389B")));
    assert_true(equal(RLK_TYPE_JSON, T("{\"a\": [1, \"x y\"]}"),
                      T("{\"a\":[1,\"x y\"]}")));
    assert_true(equal(RLK_TYPE_JSON, T(" 7"), I(7)));
    assert_true(equal(
        RLK_TYPE_JSON, T("[\"\\u00e9\\uD83D\\udea3\\u20ac\\/\\\"\", \"\\n\"]"),
        T("[\"\xC3\xA9\xF0\x9F\x9A\xA3\xE2\x82\xAC/\\u0022\",\"\\u000A\"]")));
    assert_false(
        equal(RLK_TYPE_JSON, T("[\"a\\\",\\\"b\"]"), T("[\"a\",\"b\"]")));
    assert_false(equal(RLK_TYPE_JSON, T("\"\\ud83d\""), T("\"\\ud83dx\"")));
    assert_false(
        equal(RLK_TYPE_JSON, T("\"\\ud83d\\u0041\""), T("\"\\ud83d\"")));
    assert_true(
        equal(RLK_TYPE_JSON, T("\"\\ud83d\\u0041\""), T("\"\\uD83DA\"")));
    assert_false(equal(RLK_TYPE_JSON, T("\"\\u0000\""), T("\"\"")));
    assert_true(equal(RLK_TYPE_JSON, T("1.5"), D(1.5)));
    assert_false(equal(RLK_TYPE_JSON, T("\"7\""), I(7)));
    assert_false(equal(RLK_TYPE_JSON, T("\"x y\""), T("\"xy\"")));
    assert_false(equal(RLK_TYPE_JSON, T("\"\\\\\" "), T("\"\\\\ \"")));
    assert_false(equal(RLK_TYPE_TEXT, rowlock_null(), T("")));
    assert_true(equal(RLK_TYPE_TEXT, rowlock_null(), rowlock_null()));
}

static void
test_strip__takes_unicode_white_space_and_makes_blank_null(void **state)
{
    (void)state;
    rowlock_value v =
        rlk_value_strip(T("\xC2\xA0 \t\xE2\x80\x83 a b\xE3\x80\x80\r\n\x1F"));
    assert_int_equal(v.u.s.len, 3);
    assert_memory_equal(v.u.s.ptr, "a b", 3);
    assert_int_equal(rlk_value_strip(T(" \xE2\x80\xA8 ")).type, ROWLOCK_NULL);
    assert_int_equal(rlk_value_strip(T("")).type, ROWLOCK_NULL);
    assert_int_equal(rlk_value_strip(I(0)).type, ROWLOCK_INT);
    /* U+200B is no white space in Python; half a character is not either */
    assert_int_equal(rlk_value_strip(T("\xE2\x80\x8B")).u.s.len, 3);
    assert_int_equal(rlk_value_strip(T("\xE2\x80")).u.s.len, 2);
}

static void
test_double__prints_the_shortest_text_as_postgresql_does(void **state)
{
    (void)state;
    static const struct {
        double d;
        const char *text;
    } lines[] = {
        {0, "0"},           {-0.0, "-0"},
        {1, "1"},           {-1.5, "-1.5"},
        {0.1, "0.1"},       {0.1 + 0.2, "0.30000000000000004"},
        {100000, "100000"}, {123456789012345, "123456789012345"},
        {1e15, "1e+15"},    {1.5e16, "1.5e+16"},
        {0.0001, "0.0001"}, {0.00001, "1e-05"},
        {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
        {4.35, "4.35"},     {9007199254740993.0, "9.007199254740992e+15"},
    };
    char text[RLK_NUMBER_TEXT];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        rlk_double_print(lines[i].d, text);
        assert_string_equal(text, lines[i].text);
    }
}

static void
test_refusal__names_column_value_and_reason(void **state)
{
    (void)state;
    struct rlk_arena RLK_AUTOARENA arena = {0};
    const struct rlk_column c = {
        .name = "rank", .type = RLK_TYPE_INTEGER, .integer_bits = 64};
    rowlock_error err;
    rowlock_value got;
    struct rlk_place place = {"region", &c};
    assert_int_equal(rlk_value_for(place, T("007"), &arena, &got, &err),
                     ROWLOCK_BAD_VALUE);
    assert_string_equal(
        err.message,
        "region.rank cannot hold '007': no whole number in canonical form");
    char longer[500];
    memset(longer, 'x', sizeof longer);
    longer[40] = '\n';
    assert_int_equal(rlk_value_for(place, rowlock_text_n(longer, sizeof longer),
                                   &arena, &got, &err),
                     ROWLOCK_BAD_VALUE);
    assert_non_null(strstr(err.message, "xxx\\nx"));
    assert_non_null(strstr(err.message, "...'"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_integer__takes_whole_numbers_in_canonical_form_only),
        cmocka_unit_test(test_integer__holds_the_declared_bits),
        cmocka_unit_test(test_boolean__takes_true_and_false),
        cmocka_unit_test(test_real__takes_what_a_double_holds_exactly),
        cmocka_unit_test(test_decimal__must_survive_the_way_through_the_engine),
        cmocka_unit_test(test_text__is_valid_and_no_longer_than_declared),
        cmocka_unit_test(test_timestamp__is_an_instant_stored_as_utc),
        cmocka_unit_test(test_date_and_time__are_what_they_say),
        cmocka_unit_test(test_uuid_json_blob_any__take_their_own_kind),
        cmocka_unit_test(test_json__deeper_than_the_limit_is_refused),
        cmocka_unit_test(test_equal__goes_by_the_columns_type),
        cmocka_unit_test(
            test_strip__takes_unicode_white_space_and_makes_blank_null),
        cmocka_unit_test(
            test_double__prints_the_shortest_text_as_postgresql_does),
        cmocka_unit_test(test_refusal__names_column_value_and_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
