/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "writes.h"

static uint64_t
name_of(int64_t id)
{
    rowlock_value values[N_COLUMNS] = {[ID] = rowlock_int(id)};
    struct rlk_row row = {values, N_COLUMNS};
    return rlk_writes_name(&term_table, &row);
}

static void
test_writes__are_found_however_many_there_are(void **state)
{
    (void)state;
    struct rlk_writes w = {0};
    assert_int_equal(rlk_writes_last(&w, name_of(1)), 0);
    for (int64_t id = 1; id <= 5000; id++)
        assert_true(rlk_writes_note(&w, name_of(id)));
    for (int64_t id = 1; id <= 5000; id++)
        assert_int_equal(rlk_writes_last(&w, name_of(id)), id);
    assert_int_equal(rlk_writes_last(&w, name_of(5001)), 0);
    rlk_writes_done(&w);
}

static void
test_writes__go_back_to_a_mark_and_never_give_a_number_twice(void **state)
{
    (void)state;
    struct rlk_writes w = {0};
    assert_true(rlk_writes_note(&w, name_of(1)));
    size_t mark = w.n_log;
    assert_true(rlk_writes_note(&w, name_of(1)));
    assert_true(rlk_writes_note(&w, name_of(2)));
    rlk_writes_back_to(&w, mark);
    assert_int_equal(rlk_writes_last(&w, name_of(1)), 1);
    assert_int_equal(rlk_writes_last(&w, name_of(2)), 0);
    assert_true(rlk_writes_note(&w, name_of(2)));
    assert_int_equal(rlk_writes_last(&w, name_of(2)), 4);
    rlk_writes_back_to(&w, 0);
    assert_int_equal(rlk_writes_last(&w, name_of(1)), 0);
    assert_true(rlk_writes_note(&w, name_of(1)));
    assert_int_equal(rlk_writes_last(&w, name_of(1)), 5);
    rlk_writes_done(&w);
}

static void
test_name__tells_keys_and_tables_apart(void **state)
{
    (void)state;
    rowlock_value one[N_COLUMNS] = {[ID] = rowlock_int(1)};
    rowlock_value text[N_COLUMNS] = {[ID] = rowlock_text("1")};
    struct rlk_row a = {one, N_COLUMNS}, b = {text, N_COLUMNS};
    assert_int_equal(rlk_writes_name(&term_table, &a),
                     rlk_writes_name(&term_table, &a));
    assert_int_not_equal(rlk_writes_name(&term_table, &a),
                         rlk_writes_name(&term_table, &b));
    assert_int_not_equal(rlk_writes_name(&term_table, &a),
                         rlk_writes_name(&tag_table, &a));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes__are_found_however_many_there_are),
        cmocka_unit_test(
            test_writes__go_back_to_a_mark_and_never_give_a_number_twice),
        cmocka_unit_test(test_name__tells_keys_and_tables_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
