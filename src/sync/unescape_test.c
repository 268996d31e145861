/* SPDX-License-Identifier: MIT */
#include "sync/unescape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rlk_arena arena;

static int
done(void **state)
{
    (void)state;
    rlk_arena_done(&arena);
    return 0;
}

static void
assert_becomes(const char *text, const char *expected)
{
    size_t len;
    char *out = rlk_unescape_html(text, strlen(text), &arena, &len);
    assert_non_null(out);
    assert_string_equal(out, expected);
    assert_int_equal(len, strlen(expected));
}

static void
test_unescape__references_become_characters(void **state)
{
    (void)state;
    assert_becomes("", "");
    assert_becomes("plain", "plain");
    assert_becomes("Arts &amp; Crafts", "Arts & Crafts");
    assert_becomes("&lt;a href=&quot;x&quot;&gt;&apos;", "<a href=\"x\">'");
    assert_becomes("a&nbsp;b", "a\u00A0b");
    assert_becomes("&#39;&#039;&#x27;&#X27;&#0000000000039;", "'''''");
    assert_becomes("&#8217;&ndash;&#x1F600;&#x1f600;", "\u2019\u2013"
                                                       "\U0001F600\U0001F600");
    assert_becomes("&eacute;&Eacute;&yuml;&szlig;", "\u00E9\u00C9\u00FF\u00DF");
    assert_becomes("&#9;&#10;&#13;", "\t\n\r");
    assert_becomes("&#x10FFFF;&#xE000;&#xD7FF;", "\U0010FFFF\uE000\uD7FF");
}

static void
test_unescape__windows_characters_are_what_was_meant(void **state)
{
    (void)state;
    assert_becomes("&#146;&#x96;&#128;&#159;", "\u2019\u2013\u20AC\u0178");
    assert_becomes("&#129;&#x9D;", "&#129;&#x9D;");
}

static void
test_unescape__what_is_none_stays_as_it_stands(void **state)
{
    (void)state;
    static const char *const none[] = {
        "&",
        "&&",
        "AT&T",
        "a & b; c",
        "&;",
        "&#;",
        "&#x;",
        "&#X;",
        "&amp",
        "&unknown;",
        "&AMP;",
        "&Amp;",
        "&#-1;",
        "&#+1;",
        "&# 39;",
        "&#3 9;",
        "&#3a;",
        "&#xg;",
        "&amp ;",
        "&eacut;",
        "&#0;",
        "&#x0000;",
        "&#1;",
        "&#x1B;",
        "&#127;",
        "&#xD800;",
        "&#xDFFF;",
        "&#55296;",
        "&#x110000;",
        "&#1114112;",
        "&#99999999;",
        "&#xFFFFFFFF;",
        "&#4294967335;",
        "&#x100000027;",
        "&#00000000000000000000000000000000000000000039;",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_becomes(none[i], none[i]);
}

static void
test_unescape__it_is_done_once(void **state)
{
    (void)state;
    assert_becomes("&amp;lt;", "&lt;");
    assert_becomes("&amp;amp;amp;", "&amp;amp;");
    assert_becomes("&#38;#39;", "&#39;");
    assert_becomes("&&amp;;", "&&;");
}

static void
test_unescape__the_end_of_the_text_is_not_passed(void **state)
{
    (void)state;
    size_t len;
    for (size_t n = 0; n <= 6; n++) { /* the ';' is behind the text */
        char *bytes = malloc(n + 1);
        memcpy(bytes, "&#039;", n);
        char *out = rlk_unescape_html(bytes, n, &arena, &len);
        assert_int_equal(len, n < 6 ? n : 1);
        assert_memory_equal(out, n < 6 ? "&#039;" : "'", len);
        free(bytes);
    }
    char *out = rlk_unescape_html("a\0&lt;\0", 7, &arena, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(out, "a\0<\0", 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unescape__references_become_characters),
        cmocka_unit_test(test_unescape__windows_characters_are_what_was_meant),
        cmocka_unit_test(test_unescape__what_is_none_stays_as_it_stands),
        cmocka_unit_test(test_unescape__it_is_done_once),
        cmocka_unit_test(test_unescape__the_end_of_the_text_is_not_passed),
    };
    return cmocka_run_group_tests(tests, NULL, done);
}
