/* SPDX-License-Identifier: MIT */
#include "cli/grid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t right;

static void
check_printed(const char *const *cells, size_t n, const char *expected)
{
    struct rlk_grid grid = {.n_columns = 3, .right = right};
    for (size_t i = 0; i < n; i++)
        rlk_grid_add(&grid, cells[i]);
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    rlk_grid_print(&grid, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    rlk_grid_done(&grid);
}

static void
test_grid__columns_line_up_by_characters_not_bytes(void **state)
{
    (void)state;
    static const char *const cells[] = {
        "A", "KEY", "C", "aaa", "\xC3\xA9\xC3\xA9", "c", "a", "keys", "d"};
    check_printed(cells, 9,
                  "A    KEY   C\n"
                  "aaa  \xC3\xA9\xC3\xA9    c\n"
                  "a    keys  d\n");
}

static void
test_grid__no_line_ends_with_blanks(void **state)
{
    (void)state;
    static const char *const cells[] = {"A", "B", "C", "a", "b",
                                        "",  "a", "",  ""};
    check_printed(cells, 9, "A  B  C\na  b\na\n");
}

static void
test_grid__what_would_steer_a_terminal_is_made_visible(void **state)
{
    (void)state;
    static const char *const cells[] = {"a\x1b[m", "\n", "\xC2\x9Bm\xFF"};
    check_printed(cells, 3, "a\\x1b[m  \\x0a  \\x9bm\\xff\n");
}

static void
test_grid__numbers_line_up_at_their_right(void **state)
{
    (void)state;
    static const char *const cells[] = {"A", "SUM", "N", "a", "1,000",
                                        "",  "b",   "7", "12"};
    right = 1 << 1 | 1 << 2;
    check_printed(cells, 9,
                  "A    SUM   N\n"
                  "a  1,000\n"
                  "b      7  12\n");
    right = 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid__columns_line_up_by_characters_not_bytes),
        cmocka_unit_test(test_grid__no_line_ends_with_blanks),
        cmocka_unit_test(
            test_grid__what_would_steer_a_terminal_is_made_visible),
        cmocka_unit_test(test_grid__numbers_line_up_at_their_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
