/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool
same(const rowlock_name *a, const rowlock_name *b)
{
    uint32_t x[4], y[4];
    rlk_name_hash(a, x);
    rlk_name_hash(b, y);
    return memcmp(x, y, sizeof x) == 0;
}

static void
test_hash__tells_kind_table_column_type_and_value_apart(void **state)
{
    (void)state;
    const rowlock_value v[] = {rowlock_int(7),       rowlock_text("7"),
                               rowlock_double(7),    rowlock_null(),
                               rowlock_blob("7", 1), rowlock_int(8)};
    const rowlock_name names[] = {
        {ROWLOCK_RECORD, "t", NULL, &v[0], 1},
        {ROWLOCK_RECORD, "t", NULL, &v[1], 1},
        {ROWLOCK_RECORD, "t", NULL, &v[2], 1},
        {ROWLOCK_RECORD, "t", NULL, &v[3], 1},
        {ROWLOCK_RECORD, "t", NULL, &v[4], 1},
        {ROWLOCK_RECORD, "t", NULL, &v[5], 1},
        {ROWLOCK_RECORD, "t", NULL, v, 2},
        {ROWLOCK_RECORD, "u", NULL, &v[0], 1},
        {ROWLOCK_KEY, "t", "id", &v[0], 1},
        {ROWLOCK_KEY, "t", "no", &v[0], 1},
        {ROWLOCK_KEY, "t", "id", NULL, 0},
        {ROWLOCK_TABLE, "t", NULL, NULL, 0},
        {ROWLOCK_WRITER, NULL, NULL, NULL, 0},
    };
    size_t n = sizeof names / sizeof names[0];
    for (size_t i = 0; i < n; i++) {
        assert_true(rlk_name_is_whole(&names[i]));
        for (size_t j = 0; j < n; j++)
            assert_int_equal(same(&names[i], &names[j]), i == j);
    }
}

static void
test_hash__does_not_run_values_together(void **state)
{
    (void)state;
    const rowlock_value a[] = {rowlock_text("ab"), rowlock_text("c")};
    const rowlock_value b[] = {rowlock_text("a"), rowlock_text("bc")};
    const rowlock_name x = {ROWLOCK_RECORD, "t", NULL, a, 2};
    const rowlock_name y = {ROWLOCK_RECORD, "t", NULL, b, 2};
    assert_false(same(&x, &y));
}

static void
test_hash__is_the_same_in_one_piece_and_in_many(void **state)
{
    (void)state;
    static char text[3000];
    memset(text, 'x', sizeof text);
    for (size_t len = 400; len < sizeof text; len += 37) {
        char copy[3000];
        memcpy(copy, text, len);
        const rowlock_value a = rowlock_text_n(text, len);
        const rowlock_value b = rowlock_text_n(copy, len);
        const rowlock_name x = {ROWLOCK_RECORD, "t", NULL, &a, 1};
        const rowlock_name y = {ROWLOCK_RECORD, "t", NULL, &b, 1};
        assert_true(same(&x, &y));
        copy[len - 1] = 'y';
        assert_false(same(&x, &y));
    }
}

static void
expect_label(const rowlock_name *name, const char *table, const char *key)
{
    char label[RLK_LABEL], t[RLK_LABEL + 1], k[RLK_LABEL + 1];
    rlk_name_label(name, label);
    rlk_label_split(label, t, k);
    assert_string_equal(t, table);
    assert_string_equal(k, key);
}

static void
test_label__shows_table_and_key_shortened_so_that_both_say_something(
    void **state)
{
    (void)state;
    const rowlock_value id[] = {rowlock_int(-42), rowlock_text("AZ-BAB")};
    const rowlock_value lng =
        rowlock_text("a-very-long-slug-that-goes-on-and-on-and-on");
    const rowlock_value odd = rowlock_text("a\nb\x1b[1m");
    expect_label(&(rowlock_name){ROWLOCK_RECORD, "region", NULL, id, 2},
                 "region", "-42,AZ-BAB");
    expect_label(&(rowlock_name){ROWLOCK_KEY, "region", "slug", &id[1], 1},
                 "region", "slug=AZ-BAB");
    expect_label(&(rowlock_name){ROWLOCK_RECORD, "wagtailcore_localizedpage",
                                 NULL, &lng, 1},
                 "wagtailcore_l~", "a-very-long-slug-that~");
    rowlock_value edges[] = {rowlock_int(INT64_MIN), rowlock_int(0),
                             rowlock_int(-7)};
    expect_label(&(rowlock_name){ROWLOCK_RECORD, "t", NULL, edges, 3}, "t",
                 "-9223372036854775808,0,-7");
    expect_label(&(rowlock_name){ROWLOCK_TABLE, "region", NULL, NULL, 0},
                 "region", "");
    expect_label(&(rowlock_name){ROWLOCK_RECORD, "t", NULL, &odd, 1}, "t",
                 "a b [1m");
}

static void
test_label__is_cut_between_characters(void **state)
{
    (void)state;
    char text[64];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'x', lead);
        for (size_t i = lead; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xC3\xA9", 2);
        const rowlock_value v = rowlock_text_n(text, 60);
        char label[RLK_LABEL], t[RLK_LABEL + 1], k[RLK_LABEL + 1];
        rlk_name_label(&(rowlock_name){ROWLOCK_RECORD, "t", NULL, &v, 1},
                       label);
        rlk_label_split(label, t, k);
        assert_int_equal((strlen(k) - lead - 1) % 2, 0);
        assert_int_equal(k[strlen(k) - 1], '~');
    }
}

static void
test_whole__refuses_names_that_lack_a_part(void **state)
{
    (void)state;
    const rowlock_value v = rowlock_int(1);
    const rowlock_name bad[] = {
        {ROWLOCK_RECORD, NULL, NULL, &v, 1},
        {ROWLOCK_RECORD, "", NULL, &v, 1},
        {ROWLOCK_RECORD, "t", NULL, NULL, 0},
        {ROWLOCK_RECORD, "t", NULL, NULL, 1},
        {ROWLOCK_KEY, "t", NULL, &v, 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rlk_name_is_whole(&bad[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_hash__tells_kind_table_column_type_and_value_apart),
        cmocka_unit_test(test_hash__does_not_run_values_together),
        cmocka_unit_test(test_hash__is_the_same_in_one_piece_and_in_many),
        cmocka_unit_test(
            test_label__shows_table_and_key_shortened_so_that_both_say_something),
        cmocka_unit_test(test_label__is_cut_between_characters),
        cmocka_unit_test(test_whole__refuses_names_that_lack_a_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
