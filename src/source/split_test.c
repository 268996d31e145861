/* SPDX-License-Identifier: MIT */
#include "split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static rowlock_error err;
static struct rlk_buf out; /* "line:byte:text;" of each record */
static size_t record_limit = 1 << 20;

static int
drain(struct rlk_split *s)
{
    for (;;) {
        struct rlk_slice slice;
        enum rlk_split_event event;
        RLK_TRY(rlk_split_next(s, &slice, &event, &err));
        if (event == RLK_SPLIT_MORE)
            return 0;
        rlk_buf_format(&out, "%d:%d:%.*s%s;", (int)slice.line, (int)slice.byte,
                       (int)slice.len, slice.text,
                       slice.oversize ? "(oversize)" : "");
    }
}

/* Feeds json in pieces of step bytes. */
static int
split_n(const char *json, size_t len, const char *pointer, size_t step)
{
    struct rlk_arena arena = {0};
    struct rlk_pointer p;
    struct rlk_split s;
    int rc = 0;
    rlk_buf_clear(&out);
    rlk_buf_text(&out, "");
    memset(&err, 0, sizeof err);
    if (pointer)
        assert_int_equal(rlk_pointer_parse(pointer, &arena, &p, NULL), 0);
    rlk_split_init(&s, pointer ? &p : NULL, record_limit);
    for (size_t i = 0; i < len && !rc; i += step) {
        size_t n = len - i < step ? len - i : step;
        rc = rlk_split_feed(&s, json + i, n, &err);
        if (!rc)
            rc = drain(&s);
    }
    if (!rc)
        rc = rlk_split_finish(&s, &err);
    rlk_split_done(&s);
    rlk_arena_done(&arena);
    return rc;
}

static int
split(const char *json, const char *pointer)
{
    return split_n(json, strlen(json), pointer, SIZE_MAX / 2);
}

static const char whole[] =
    "{\"meta\": {\"items\": [0, 01], \"n\": -1.5e+7, \"t\": [true, null]},\n"
    " \"items\" :\n [ {\"a\": \"],}{\\\"\"} ,\n{\"b\":[1,{\"c\":[]}]}\n,"
    " 3 ],\n \"z\": \"\\u00e9\\ud83d\\ude00\xC3\xA9\"}\n";

static char valid[sizeof whole];

static void
make_valid(void)
{
    memcpy(valid, whole, sizeof whole);
    *strstr(valid, "01") = ' ';
}

static const char expected[] =
    "3:77:{\"a\": \"],}{\\\"\"};4:95:{\"b\":[1,{\"c\":[]}]};5:116:3;";

static void
test_split__cuts_the_list_at_the_pointer(void **state)
{
    (void)state;
    assert_int_equal(split(valid, "/items"), 0);
    assert_string_equal(out.ptr, expected);
}

static void
test_split__the_size_of_reads_does_not_matter(void **state)
{
    (void)state;
    for (size_t step = 1; step < strlen(valid); step++) {
        assert_int_equal(split_n(valid, strlen(valid), "/items", step), 0);
        assert_string_equal(out.ptr, expected);
    }
}

static void
test_split__a_body_cut_at_any_byte_is_a_failure(void **state)
{
    (void)state;
    size_t end = strlen(valid) - 1; /* the last newline may be missing */
    for (size_t len = 0; len < end; len++) {
        assert_int_not_equal(split_n(valid, len, "/items", 7), 0);
        assert_memory_equal(out.ptr, expected, out.len);
    }
    assert_int_equal(split_n(valid, end, "/items", 7), 0);
}

static void
test_split__what_surrounds_the_list_is_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{\"i\":[]}x",
        "{\"i\":[]}{}",
        "{\"i\":[],}",
        "{,\"i\":[]}",
        "{\"i\":[] \"z\":1}",
        "{\"z\":01,\"i\":[]}",
        "{\"z\":1.,\"i\":[]}",
        "{\"z\":-,\"i\":[]}",
        "{\"z\":tru,\"i\":[]}",
        "{\"z\":nulll,\"i\":[]}",
        "{\"z\":\"\\x\",\"i\":[]}",
        "{\"z\":\"\\ud800\",\"i\":[]}",
        "{\"z\":\"\\udc00\",\"i\":[]}",
        "{\"z\":\"\\u00g0\",\"i\":[]}",
        "{\"z\":\"\xFF\",\"i\":[]}",
        "{\"z\":\"\xE2\x82\",\"i\":[]}",
        "{\"z\":\"\xED\xA0\x80\",\"i\":[]}",
        "{\"z\":\"a\nb\",\"i\":[]}",
        "{\"z\":[1 2],\"i\":[]}",
        "{\"z\":[1,],\"i\":[]}",
        "{\"z\":[},\"i\":[]}",
        "{z:1,\"i\":[]}",
        "{\"i\" []}",
        "{\"i\":[]]",
        "{\"i\":[,]}",
        "{\"i\":[{},]}",
        "{\"i\":[{},,{}]}",
        "{\"i\":[{}}",
        "{\"i\":[{]}",
        "{\"i\":[{\"a\":[}]]}",
        "{\"i\":[{}],\"i\":[{}]}",
        "{\"i\":[{}],\"\\u0069\":[{}]}",
        "{\"i\":{}}",
        "{\"i\":7}",
        "{\"j\":[]}",
        "[]",
        "7",
        "\xEF\xBB",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t step = 1; step < 40; step += 6)
            if (!split_n(bad[i], strlen(bad[i]), "/i", step))
                fail_msg("accepted: %s", bad[i]);
}

static void
test_split__finds_the_list_where_the_pointer_says(void **state)
{
    (void)state;
    assert_int_equal(split("[1,2]", NULL), 0);
    assert_string_equal(out.ptr, "1:2:1;1:4:2;");
    assert_int_equal(split(" [ ] ", ""), 0);
    assert_string_equal(out.ptr, "");
    assert_int_equal(split("{\"a\":[[0],{\"b\":[7]}]}", "/a/1/b"), 0);
    assert_string_equal(out.ptr, "1:17:7;");
    assert_int_equal(split("{\"b\":[1],\"a\":{\"b\":[2],\"c\":[3]}}", "/a/b"),
                     0);
    assert_string_equal(out.ptr, "1:20:2;");
    assert_int_equal(split("{\"x/y~\":[5]}", "/x~1y~0"), 0);
    assert_string_equal(out.ptr, "1:10:5;");
    assert_int_equal(split("{\"\\u00e9\":[5]}", "/\xC3\xA9"), 0);
    assert_int_equal(split("\xEF\xBB\xBF[5]", NULL), 0);
    assert_string_equal(out.ptr, "1:5:5;");
}

static void
test_split__a_missing_list_is_answered_with_those_there_are(void **state)
{
    (void)state;
    assert_int_not_equal(split("{\"a\":1,\"b/c\":[],\"d\":[]}", NULL), 0);
    assert_string_equal(err.message, "the body is not a list");
    assert_string_equal(err.hint,
                        "It has lists at /b~1c, /d: name one with 'records'.");
    assert_int_not_equal(split("{\"a\":{\"x\":[]},\"d\":[]}", "/a"), 0);
    assert_int_not_equal(split("{\"a\":{\"x\":[]},\"d\":[]}", "/q"), 0);
    assert_string_equal(err.message, "the body has no list at '/q'");
    assert_string_equal(err.hint,
                        "It has lists at /d: name one with 'records'.");
}

static void
test_split__a_bad_record_does_not_hide_the_next(void **state)
{
    (void)state;
    assert_int_equal(
        split("[{\"a\" 1}, {\"a\":01} x, {\"a\":\"\xFF\"}, nul]", NULL), 0);
    assert_string_equal(
        out.ptr,
        "1:2:{\"a\" 1};1:11:{\"a\":01} x;1:23:{\"a\":\"\xFF\"};1:34:nul;");
}

static void
test_split__a_record_over_the_limit_is_passed_over(void **state)
{
    (void)state;
    const char *json = "[{\"a\":\"0123456789\"},{\"b\":1},[1,2,3,4,5,6,7],2]";
    record_limit = 10;
    for (size_t step = 1; step < 60; step++) {
        assert_int_equal(split_n(json, strlen(json), NULL, step), 0);
        assert_string_equal(
            out.ptr, "1:2:(oversize);1:21:{\"b\":1};1:29:(oversize);1:45:2;");
    }
    record_limit = 1 << 20;
}

static void
test_split__the_place_of_damage_is_said(void **state)
{
    (void)state;
    assert_int_not_equal(split("[{},\n {}]\n x", NULL), 0);
    assert_string_equal(err.context, "line 3, byte 12");
    assert_int_not_equal(split("[{},\n {", NULL), 0);
    assert_string_equal(err.context, "line 2, byte 7");
}

static void
test_split__depth_is_limited(void **state)
{
    (void)state;
    static char deep[3 * RLK_NEST_DEEPEST];
    memset(deep, '[', sizeof deep - 1);
    assert_int_not_equal(split(deep, "/a"), 0);
    assert_string_equal(err.message, "the body is damaged: nested too deep");
    assert_int_not_equal(split(deep, NULL), 0);
    assert_string_equal(err.message, "the body is damaged: nested too deep");
}

int
main(void)
{
    make_valid();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split__cuts_the_list_at_the_pointer),
        cmocka_unit_test(test_split__the_size_of_reads_does_not_matter),
        cmocka_unit_test(test_split__a_body_cut_at_any_byte_is_a_failure),
        cmocka_unit_test(test_split__what_surrounds_the_list_is_checked),
        cmocka_unit_test(test_split__finds_the_list_where_the_pointer_says),
        cmocka_unit_test(
            test_split__a_missing_list_is_answered_with_those_there_are),
        cmocka_unit_test(test_split__a_bad_record_does_not_hide_the_next),
        cmocka_unit_test(test_split__a_record_over_the_limit_is_passed_over),
        cmocka_unit_test(test_split__the_place_of_damage_is_said),
        cmocka_unit_test(test_split__depth_is_limited),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rlk_buf_done(&out);
    return rc;
}
