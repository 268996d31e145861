/* SPDX-License-Identifier: MIT
 * What is written as YAML reads back as it was, whoever wrote the text. */
#include "sync/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sync/tree.h"

static const char *const hostile[] = {
    "",
    "plain",
    "true",
    "No",
    "~",
    "null",
    "1.5",
    "-",
    "/a: b",
    "a # b",
    "'\"\\",
    "*alias",
    "&anchor",
    "!tag",
    "{a: b}",
    "[x",
    "%directive",
    "---",
    " white space ",
    "a\nb: c",
    "a\r\nb",
    "tab\there",
    "\xC2\x85next line",
    "\xE2\x80\xA8line separator",
    "\xE2\x80\xA9paragraph",
    "\xEF\xBB\xBF mark",
    "\xEF\xBF\xBF none",
    "\x1b[31m",
    "\x7f",
    "\xC2\x9b"
    "c1",
    "\xE2\x80\xAE"
    "turned",
    "\xF0\x9F\x98\x80 \xC3\xA4",
};

static void
test_quote__a_scalar_reads_back_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct rlk_buf yaml = {0};
        struct rlk_arena arena = {0};
        struct rlk_yaml *root;
        rowlock_error err = {0};
        rlk_buf_text(&yaml, "{a: ");
        rlk_buf_yaml(&yaml, hostile[i], strlen(hostile[i]));
        rlk_buf_text(&yaml, ", z: end}");
        assert_null(strchr(yaml.ptr, '\n'));
        assert_int_equal(
            rlk_yaml_parse("t", yaml.ptr, yaml.len, &arena, &root, &err), 0);
        assert_string_equal(root->first->text, hostile[i]);
        assert_string_equal(root->first->next->text, "end");
        rlk_arena_done(&arena);
        rlk_buf_done(&yaml);
    }
}

static void
test_quote__a_comment_stays_a_comment(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct rlk_buf yaml = {0};
        struct rlk_arena arena = {0};
        struct rlk_yaml *root;
        rowlock_error err = {0};
        rlk_buf_text(&yaml, "# ");
        rlk_buf_comment(&yaml, hostile[i], strlen(hostile[i]), 100);
        rlk_buf_text(&yaml, "\na: b\n");
        assert_int_equal(
            rlk_yaml_parse("t", yaml.ptr, yaml.len, &arena, &root, &err), 0);
        assert_int_equal(root->n, 1);
        assert_string_equal(root->first->name, "a");
        assert_int_equal(root->first->name_at.line, 2);
        rlk_arena_done(&arena);
        rlk_buf_done(&yaml);
    }
}

static void
assert_comment(const char *text, size_t len, size_t most, const char *expected)
{
    struct rlk_buf buf = {0};
    rlk_buf_comment(&buf, text, len, most);
    assert_string_equal(buf.ptr, expected);
    rlk_buf_done(&buf);
}

static void
test_quote__a_long_comment_is_cut_between_characters(void **state)
{
    (void)state;
    assert_comment("\xC3\xA4\xC3\xA4\xC3\xA4", 6, 2, "\xC3\xA4\xC3\xA4...");
    assert_comment("abc", 3, 3, "abc");
    assert_comment("a\0b\xFF", 4, 9, "a\\x00b\xEF\xBF\xBD");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote__a_scalar_reads_back_as_it_was),
        cmocka_unit_test(test_quote__a_comment_stays_a_comment),
        cmocka_unit_test(test_quote__a_long_comment_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
