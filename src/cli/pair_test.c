/* SPDX-License-Identifier: MIT */
#include "cli/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_pair__the_first_equals_sign_parts_it(void **state)
{
    (void)state;
    struct rlk_arena arena = {0};
    rowlock_pair pair;
    assert_int_equal(rlk_pair_read("a=b=c:=d", &arena, &pair, NULL), 0);
    assert_string_equal(pair.column, "a");
    assert_string_equal(pair.value.u.s.ptr, "b=c:=d");
    assert_int_equal(rlk_pair_read("a:=1", &arena, &pair, NULL), 0);
    assert_string_equal(pair.column, "a");
    assert_true(pair.value.type == ROWLOCK_INT && pair.value.u.i == 1);
    assert_int_equal(rlk_pair_read("a=", &arena, &pair, NULL), 0);
    assert_int_equal(pair.value.u.s.len, 0);
    rlk_arena_done(&arena);
}

static void
test_pair__a_name_is_needed(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a", "=", "=b", ":=1"};
    struct rlk_arena arena = {0};
    rowlock_pair pair;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rlk_pair_read(bad[i], &arena, &pair, NULL),
                         ROWLOCK_MISUSE);
    rlk_arena_done(&arena);
}

static void
test_split__a_backslash_guards_what_follows(void **state)
{
    (void)state;
    struct rlk_arena arena = {0};
    char **parts;
    size_t n;
    assert_int_equal(
        rlk_split("a\\,b,c\\\\,d\\", ',', &arena, &parts, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(parts[0], "a,b");
    assert_string_equal(parts[1], "c\\");
    assert_string_equal(parts[2], "d\\");
    assert_int_equal(rlk_split_raw("a\\,b", ',', &arena, &parts, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_string_equal(parts[0], "a\\,b");
    rlk_arena_done(&arena);
}

static void
test_split__no_part_may_be_empty(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ",", "a,", ",a", "a,,b"};
    struct rlk_arena arena = {0};
    char **parts;
    size_t n;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rlk_split(bad[i], ',', &arena, &parts, &n, NULL),
                         ROWLOCK_MISUSE);
    rlk_arena_done(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair__the_first_equals_sign_parts_it),
        cmocka_unit_test(test_pair__a_name_is_needed),
        cmocka_unit_test(test_split__a_backslash_guards_what_follows),
        cmocka_unit_test(test_split__no_part_may_be_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
