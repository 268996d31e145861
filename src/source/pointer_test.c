/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"

static struct rlk_json_parser *parser;

static const struct rlk_json *
find(const char *json, const char *pointer)
{
    static char text[1024];
    static struct rlk_arena arena;
    struct rlk_pointer p;
    const struct rlk_json *root;
    size_t at;
    snprintf(text, sizeof text, "%s", json);
    assert_int_equal(rlk_pointer_parse(pointer, &arena, &p, NULL), 0);
    assert_int_equal(
        rlk_json_parse(parser, text, strlen(text), &root, &at, NULL), 0);
    const struct rlk_json *found = rlk_json_find(root, &p);
    rlk_arena_done(&arena);
    return found;
}

static void
test_pointer__follows_members_and_indexes(void **state)
{
    (void)state;
    const char *json = "{\"a\":[{\"b\":1},{\"b\":[2,{\"c\":\"x\"}]}],\"\":7}";
    assert_memory_equal(find(json, "/a/1/b/1/c")->text, "x", 1);
    assert_memory_equal(find(json, "/a/0/b")->text, "1", 1);
    assert_memory_equal(find(json, "/")->text, "7", 1);
    assert_int_equal(find(json, "")->type, RLK_JSON_OBJECT);
}

static void
test_pointer__absent_is_not_null(void **state)
{
    (void)state;
    const char *json = "{\"a\":null,\"l\":[1]}";
    assert_int_equal(find(json, "/a")->type, RLK_JSON_NULL);
    static const char *const absent[] = {
        "/b",   "/a/b", "/l/1",  "/l/-",
        "/l/x", "/l/",  "/l/00", "/l/18446744073709551616"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_null(find(json, absent[i]));
}

static void
test_pointer__unescapes_slash_and_tilde(void **state)
{
    (void)state;
    const char *json = "{\"a/b\":1,\"m~n\":2,\"~1\":3}";
    assert_memory_equal(find(json, "/a~1b")->text, "1", 1);
    assert_memory_equal(find(json, "/m~0n")->text, "2", 1);
    assert_memory_equal(find(json, "/~01")->text, "3", 1);
}

static void
test_pointer__bad_forms_are_refused(void **state)
{
    (void)state;
    struct rlk_arena arena = {0};
    struct rlk_pointer p;
    rowlock_error err;
    assert_int_not_equal(rlk_pointer_parse("name", &arena, &p, &err), 0);
    assert_string_equal(err.hint, "Write /name.");
    assert_int_not_equal(rlk_pointer_parse("/a~", &arena, &p, &err), 0);
    assert_int_not_equal(rlk_pointer_parse("/a~2", &arena, &p, &err), 0);
    char deep[2 * RLK_POINTER_TOKENS + 3] = "";
    for (int i = 0; i <= RLK_POINTER_TOKENS; i++)
        strcat(deep, "/a");
    assert_int_not_equal(rlk_pointer_parse(deep, &arena, &p, &err), 0);
    rlk_arena_done(&arena);
}

static bool
is_within(const char *text, const char *outer_text)
{
    struct rlk_arena arena = {0};
    struct rlk_pointer p, outer;
    assert_int_equal(rlk_pointer_parse(text, &arena, &p, NULL), 0);
    assert_int_equal(rlk_pointer_parse(outer_text, &arena, &outer, NULL), 0);
    bool within = rlk_pointer_is_within(&p, &outer);
    rlk_arena_done(&arena);
    return within;
}

static void
test_pointer__is_within_what_it_leads_through(void **state)
{
    (void)state;
    assert_true(is_within("/a/b", "/a"));
    assert_true(is_within("/a/b", "/a/b"));
    assert_true(is_within("/a", ""));
    assert_false(is_within("/a", "/a/b"));
    assert_false(is_within("/ab", "/a"));
    assert_false(is_within("/a~1b", "/a"));
}

int
main(void)
{
    parser = rlk_json_parser_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointer__follows_members_and_indexes),
        cmocka_unit_test(test_pointer__absent_is_not_null),
        cmocka_unit_test(test_pointer__unescapes_slash_and_tilde),
        cmocka_unit_test(test_pointer__bad_forms_are_refused),
        cmocka_unit_test(test_pointer__is_within_what_it_leads_through),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rlk_json_parser_free(parser);
    return rc;
}
