/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static struct rlk_json_parser *parser;
static rowlock_error err;
static size_t at;
static struct rlk_buf text; /* what was parsed last; nodes point into it */

static const struct rlk_json *
parse_n(const char *json, size_t len)
{
    static const char padding[RLK_JSON_PADDING];
    const struct rlk_json *root;
    rlk_buf_clear(&text);
    rlk_buf_add(&text, json, len);
    rlk_buf_add(&text, padding, sizeof padding);
    at = 9999;
    return rlk_json_parse(parser, text.ptr, len, &root, &at, &err) ? NULL
                                                                   : root;
}

static const struct rlk_json *
parse(const char *json)
{
    return parse_n(json, strlen(json));
}

static void
assert_text(const struct rlk_json *node, const char *expected)
{
    assert_int_equal(node->len, strlen(expected));
    assert_memory_equal(node->text, expected, node->len);
}

static void
test_json__every_type_keeps_its_text(void **state)
{
    (void)state;
    const struct rlk_json *n =
        parse("{ \"a\" : null , \"b\":true,\"c\":false,\"d\":-1.50e+3 ,"
              "\"e\":\"x\\ny\",\"f\":[1, {} ] ,\"g\":{\"h\":0}}");
    static const struct {
        enum rlk_json_type type;
        const char *text;
    } expected[] = {
        {RLK_JSON_NULL, "null"},        {RLK_JSON_TRUE, "true"},
        {RLK_JSON_FALSE, "false"},      {RLK_JSON_NUMBER, "-1.50e+3"},
        {RLK_JSON_STRING, "x\ny"},      {RLK_JSON_LIST, "[1, {} ]"},
        {RLK_JSON_OBJECT, "{\"h\":0}"},
    };
    assert_non_null(n);
    assert_int_equal(n->size, 11);
    n++;
    for (size_t i = 0; i < 7; i++, n += n->size) {
        assert_int_equal(n->type, expected[i].type);
        assert_int_equal(n->key_len, 1);
        assert_int_equal(n->key[0], 'a' + (int)i);
        assert_text(n, expected[i].text);
    }
}

static void
test_json__a_number_of_a_thousand_bytes_stays_as_written(void **state)
{
    (void)state;
    char json[1100] = "{\"n\":";
    memset(json + 5, '7', 1000);
    strcpy(json + 1005, "}");
    const struct rlk_json *n = parse(json);
    assert_non_null(n);
    assert_int_equal(n[1].type, RLK_JSON_NUMBER);
    assert_int_equal(n[1].len, 1000);
}

static void
test_json__what_the_grammar_forbids_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":0x10}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":nul}",
        "{\"a\":nulll}",
        "{\"a\":truex}",
        "{\"a\":True}",
        "{\"a\":1 2}",
        "{\"a\":[1 2]}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1}x",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":1}]",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"x\ny\"}",
        "{\"a\":\"x\ty\"}",
        "{\"\\q\":1}",
        "{1:2}",
        "{\"a\":1;\"b\":2}",
        "{/*c*/\"a\":1}",
        "{\"a\":\"b\"\"c\"}",
        "{\"a\":[}",
        "{\"a\":{\"b\":[1}}",
        "{\"a\":[1}",
        "{",
        "{\"a",
        "{\"a\":\"",
        "{\"a\":1",
        "{\"a\":[[]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse(bad[i]))
            fail_msg("accepted: %s", bad[i]);
        assert_true(at <= strlen(bad[i]));
    }
}

static void
test_json__a_record_is_an_object(void **state)
{
    (void)state;
    assert_null(parse("[1]"));
    assert_string_equal(err.message, "a record is an object, not a list");
    assert_null(parse("\"x\""));
    assert_string_equal(err.message, "a record is an object, not a text");
    assert_null(parse("-17"));
    assert_string_equal(err.message, "a record is an object, not a number");
    assert_null(parse("null"));
    assert_null(parse("xyz"));
    assert_string_equal(err.message, "not a JSON value");
}

static void
test_json__members_with_one_name_are_refused(void **state)
{
    (void)state;
    assert_null(parse("{\"a\":1,\"b\":2,\"\\u0061\":3}"));
    assert_string_equal(err.message, "member 'a' is there twice");
    assert_int_equal(at, 22);
    assert_null(parse("{\"x\":[{\"a\":1,\"a\":1}]}"));
    assert_non_null(parse("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}"));
}

static void
test_json__names_among_thousands_are_compared_too(void **state)
{
    (void)state;
    struct rlk_buf json = {0};
    rlk_buf_char(&json, '{');
    for (int i = 0; i < 5000; i++)
        rlk_buf_format(&json, "\"m%d\":{\"n\":%d},", i, i);
    size_t len = json.len;
    rlk_buf_text(&json, "\"z\":0}");
    assert_non_null(parse_n(json.ptr, json.len));
    json.len = len;
    rlk_buf_text(&json, "\"m2500\":0}");
    assert_null(parse_n(json.ptr, json.len));
    assert_string_equal(err.message, "member 'm2500' is there twice");
    rlk_buf_done(&json);
}

static void
test_json__invalid_utf8_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const bad[] = {"\xFF", "\xC0\x80", "\xED\xA0\x80",
                                      "\xE2\x82", "\xF5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"a\":\"%s\"}", bad[i]);
        assert_null(parse(json));
        assert_string_equal(err.message, "invalid UTF-8");
        assert_int_equal(at, 6);
    }
}

static void
test_json__surrogates_come_in_pairs(void **state)
{
    (void)state;
    const struct rlk_json *n = parse("{\"a\":\"\\uD83D\\uDE00\"}");
    assert_non_null(n);
    assert_text(n + 1, "\xF0\x9F\x98\x80");
}

static void
test_json__depth_is_limited(void **state)
{
    (void)state;
    char json[4 * RLK_JSON_DEPTH] = "{\"a\":";
    size_t len = strlen(json), n = RLK_JSON_DEPTH - 1;
    memset(json + len, '[', n);
    memset(json + len + n, ']', n);
    strcpy(json + len + 2 * n, "}");
    assert_non_null(parse(json));
    memset(json + len, '[', n + 1);
    memset(json + len + n + 1, ']', n + 1);
    strcpy(json + len + 2 * n + 2, "}");
    assert_null(parse(json));
    assert_string_equal(err.message, "nested too deep");
}

static void
test_json__a_text_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    const char *json = "{\"a\":[1,{\"b\":null}],\"c\":\"x\\u00e9\xC3\xA9\","
                       "\"d\":{\"e\":-1.5}}";
    assert_non_null(parse(json));
    for (size_t len = 0; len < strlen(json); len++)
        assert_null(parse_n(json, len));
}

int
main(void)
{
    parser = rlk_json_parser_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__every_type_keeps_its_text),
        cmocka_unit_test(
            test_json__a_number_of_a_thousand_bytes_stays_as_written),
        cmocka_unit_test(test_json__what_the_grammar_forbids_is_refused),
        cmocka_unit_test(test_json__a_record_is_an_object),
        cmocka_unit_test(test_json__members_with_one_name_are_refused),
        cmocka_unit_test(test_json__names_among_thousands_are_compared_too),
        cmocka_unit_test(test_json__invalid_utf8_is_refused_with_its_place),
        cmocka_unit_test(test_json__surrogates_come_in_pairs),
        cmocka_unit_test(test_json__depth_is_limited),
        cmocka_unit_test(test_json__a_text_cut_at_any_byte_is_refused),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rlk_json_parser_free(parser);
    rlk_buf_done(&text);
    return rc;
}
