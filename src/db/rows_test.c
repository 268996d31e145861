/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
test_rows__keep_what_was_set_while_they_grow(void **state)
{
    (void)state;
    struct rlk_rows rows = {0};
    char text[32];
    for (int i = 0; i < 1000; i++) {
        struct rlk_row *row = rlk_rows_add(&rows, 3);
        assert_non_null(row);
        assert_int_equal(row->values[2].type, ROWLOCK_NULL);
        snprintf(text, sizeof text, "row %d", i);
        assert_true(rlk_rows_set(&rows, &row->values[0], rowlock_int(i)));
        assert_true(rlk_rows_set(&rows, &row->values[1], rowlock_text(text)));
    }
    assert_int_equal(rows.n_rows, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "row %d", i);
        assert_int_equal(rows.rows[i].n_values, 3);
        assert_int_equal(rows.rows[i].values[0].u.i, i);
        assert_string_equal(rows.rows[i].values[1].u.s.ptr, text);
    }
    rlk_rows_done(&rows);
    assert_int_equal(rows.n_rows, 0);
}

static void
test_same__goes_by_type_and_bytes(void **state)
{
    (void)state;
    assert_true(rlk_value_same(rowlock_null(), rowlock_null()));
    assert_true(rlk_value_same(rowlock_double(NAN), rowlock_double(NAN)));
    assert_true(rlk_value_same(rowlock_text("ab"), rowlock_text_n("abc", 2)));
    assert_true(rlk_value_same(rowlock_text(""), rowlock_text_n(NULL, 0)));
    assert_false(rlk_value_same(rowlock_int(1), rowlock_double(1)));
    assert_false(rlk_value_same(rowlock_double(0.0), rowlock_double(-0.0)));
    assert_false(rlk_value_same(rowlock_text("a"), rowlock_blob("a", 1)));
    assert_false(rlk_value_same(rowlock_text(""), rowlock_null()));
    assert_false(rlk_value_same(rowlock_text("a"), rowlock_text("A")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows__keep_what_was_set_while_they_grow),
        cmocka_unit_test(test_same__goes_by_type_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
