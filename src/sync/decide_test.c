/* SPDX-License-Identifier: MIT
 * The rules of docs/definition.md, "Matching", "Values" and the modes, row by
 * row. Each test says what the definition asks for, which local records there
 * are, what comes in, and what should be done: "same 1", "create",
 * "change 1: slug=b", or "clash" with its detail. */
#include "sync/decide.h"

#include <strings.h>

#include "base/text.h"
#include "record/value.h"
#include "sync/fixture.h"

enum { MOST = 4 };

#define PLAIN     "{rid: /rid, slug: /slug, name: /name}"
#define COMPOSITE "{site: /site, rid: /rid, slug: /slug}"

static struct {
    struct fixture f;
    rowlock_value values[MOST][N_COLUMNS];
    struct rlk_row list[MOST];
    struct rlk_rows rows;
    struct rlk_item item;
    rowlock_error failure;
    struct rlk_buf said;
} it;

static int
set_up(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    start(&it.f);
    it.rows.rows = it.list;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    stop(&it.f);
    rlk_buf_done(&it.said);
    return 0;
}

static void
local(int id, int site, const char *rid, const char *slug, const char *name)
{
    size_t n = it.rows.n_rows++;
    assert_in_range(n, 0, MOST - 1);
    make_row(it.values[n], id, site, rid, slug, name);
    it.list[n] = (struct rlk_row){it.values[n], N_COLUMNS};
}

/* By the column's collation. */
static bool
has(const struct rlk_row *row, const struct rlk_set *key)
{
    rowlock_value a = row->values[key->column], b = key->value;
    if (key->column != SLUG || a.type != ROWLOCK_TEXT)
        return rlk_value_same(a, b);
    return a.u.s.len == b.u.s.len &&
           strncasecmp(a.u.s.ptr, b.u.s.ptr, b.u.s.len) == 0;
}

/* The first local record that has the key, as a driver answers it. */
static int
find(const struct rlk_match *key)
{
    for (size_t i = 0; key->n_columns && i < it.rows.n_rows; i++) {
        bool same = true;
        for (size_t k = 0; k < key->n_columns; k++)
            same = same && has(&it.list[i], &key->columns[k]);
        if (same)
            return (int)i;
    }
    return -1;
}

static void
say_value(rowlock_value v)
{
    char shown[RLK_SHOWN];
    rlk_value_show(v, shown);
    rlk_buf_text(&it.said, shown);
}

static const char *
say(void)
{
    static const char *const verdicts[] = {[RLK_SAME] = "same",
                                           [RLK_CHANGE] = "change",
                                           [RLK_CREATE] = "create",
                                           [RLK_CLASH] = "clash"};
    const struct rlk_item *item = &it.item;
    rlk_buf_clear(&it.said);
    rlk_buf_text(&it.said, verdicts[item->verdict]);
    if (item->verdict == RLK_CREATE)
        return it.said.ptr;
    if (item->verdict == RLK_CLASH) {
        rlk_buf_format(&it.said, ": %s", item->failure->detail);
        return it.said.ptr;
    }
    rlk_buf_char(&it.said, ' ');
    say_value(item->hit->values[ID]);
    for (size_t i = 0; i < item->n_sets; i++) {
        rlk_buf_format(&it.said, "%s %s=", i ? "," : ":",
                       columns[item->sets[i].column].name);
        say_value(item->sets[i].value);
    }
    return it.said.ptr;
}

/* What should be done about the remote record. */
static const char *
decide(const char *json)
{
    int found[MOST];
    assert_int_equal(take(&it.f, json, &it.f.arena, &it.item), 0);
    it.item.failure = &it.failure;
    for (size_t k = 0; k < it.f.d->n_match; k++)
        found[k] = find(&it.item.keys[k]);
    struct rlk_looked looked = {&table, &it.rows, found};
    assert_int_equal(
        rlk_decide(&it.item, &it.f.plan, &looked, &it.f.arena, &it.f.err), 0);
    return say();
}

/* The same, as the record is once it is locked. */
static const char *
decide_again(int id, const char *rid, const char *slug, const char *name)
{
    rowlock_value values[N_COLUMNS];
    make_row(values, id, 0, rid, slug, name);
    const struct rlk_row locked = {values, N_COLUMNS};
    return rlk_decide_again(&it.item, &it.f.plan, &table, &locked) ? say()
                                                                   : "stale";
}

static void
report(const char *match)
{
    define(&it.f, match, PLAIN);
}

static void
disagree(const char *how)
{
    char match[64];
    snprintf(match, sizeof match, "{keys: [rid, slug], on_disagree: %s}", how);
    define(&it.f, match, PLAIN);
}

/* ---- which record: no hit, one hit ---- */

static void
test_decide__without_a_hit_a_record_is_created(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"2\",\"slug\":\"b\"}"), "create");
    assert_string_equal(decide("{\"rid\":\"2\"}"), "create");
    assert_null(it.item.hit);
}

static void
test_decide__a_record_as_the_source_says_is_the_same(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"a\",\"name\":\"x\"}"),
                        "same 1");
    assert_true(it.item.all_agree);
}

static void
test_decide__absent_is_left_alone_and_null_is_written(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"a\"}"), "same 1");
    assert_string_equal(decide("{\"rid\":\"1\",\"name\":null}"),
                        "change 1: name=NULL");
}

static void
test_decide__keys_without_a_value_are_no_record(void **state)
{
    (void)state;
    report("[rid, slug]");
    assert_int_equal(
        take(&it.f, "{\"rid\":\" \",\"slug\":null}", &it.f.arena, &it.item),
        ROWLOCK_BAD_VALUE);
    assert_string_equal(it.f.err.message, "no match key has a value");
    assert_int_equal(take(&it.f, "{\"name\":\"x\"}", &it.f.arena, &it.item),
                     ROWLOCK_BAD_VALUE);
}

static void
test_decide__a_blank_key_neither_finds_nor_erases(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"\",\"slug\":\"a\",\"name\":\"y\"}"),
                        "change 1: name='y'");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":null}"), "same 1");
    local(2, 0, NULL, NULL, "y");
    assert_string_equal(decide("{\"rid\":null,\"slug\":\"b\"}"), "create");
}

static void
test_decide__match_values_are_stripped(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\" 1\\t\",\"slug\":\"a \"}"),
                        "same 1");
}

/* ---- keys that differ ---- */

static void
test_decide__another_value_of_a_later_key_is_a_rename(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", " ", "x");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"),
                        "change 1: slug='b'");
    assert_true(it.item.all_agree);
    assert_string_equal(decide("{\"rid\":\"2\",\"slug\":\"b\"}"),
                        "change 2: slug='b'");
}

static void
test_decide__a_rename_obeys_the_mode(void **state)
{
    (void)state;
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", NULL, "x");
    define(&it.f, "[rid, slug]",
           "{rid: /rid, slug: {from: /slug, mode: create_only}}");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"), "same 1");
    assert_string_equal(decide("{\"rid\":\"2\",\"slug\":\"b\"}"), "same 2");
    define(&it.f, "[rid, slug]",
           "{rid: /rid, slug: {from: /slug, mode: fill}}");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"), "same 1");
    assert_string_equal(decide("{\"rid\":\"2\",\"slug\":\"b\"}"),
                        "change 2: slug='b'");
}

static void
test_decide__a_record_without_the_earlier_key_gets_it(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, NULL, "a", "x");
    local(2, 0, " \t", "b", "x");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"a\"}"),
                        "change 1: rid='1'");
    assert_string_equal(decide("{\"rid\":\"2\",\"slug\":\"b\"}"),
                        "change 2: rid='2'");
}

static void
test_decide__another_value_of_an_earlier_key_is_a_clash(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(
        decide("{\"rid\":\"2\",\"slug\":\"a\"}"),
        "clash: slug 'a' finds t/1, which has rid '1', not rid '2'.");
    assert_string_equal(it.item.failure->message,
                        "the record that it finds has another key");
}

static void
test_decide__a_key_that_finds_it_in_another_case_is_a_rename(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"A\"}"),
                        "change 1: slug='A'");
    assert_true(it.item.all_agree);
}

static void
test_decide__only_keys_before_the_first_hit_can_have_another_value(void **state)
{
    (void)state;
    report("[rid, slug, name]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":null,\"slug\":\"a\",\"name\":\"y\"}"),
                        "change 1: name='y'");
    assert_string_equal(
        decide("{\"rid\":null,\"slug\":\"b\",\"name\":\"x\"}"),
        "clash: name 'x' finds t/1, which has slug 'a', not slug 'b'.");
}

static void
test_decide__keys_that_find_different_records_clash(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", "b", "y");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"),
                        "clash: rid '1' finds t/1, slug 'b' finds t/2.");
    assert_string_equal(it.item.failure->message,
                        "its match keys find different records");
    assert_false(it.item.all_agree);
}

static void
test_decide__a_key_that_several_records_have_is_no_clash(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", "a", "x");
    assert_string_equal(decide("{\"rid\":\"2\",\"slug\":\"a\",\"name\":\"y\"}"),
                        "change 2: name='y'");
    assert_false(it.item.all_agree);
    assert_string_equal(decide("{\"rid\":null,\"slug\":\"a\"}"), "same 1");
}

/* ---- on_disagree ---- */

static void
test_decide__first_leaves_the_columns_of_a_key_that_finds_another(void **state)
{
    (void)state;
    disagree("first");
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", "b", "y");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\",\"name\":\"z\"}"),
                        "change 1: name='z'");
    assert_false(it.item.all_agree);
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"), "same 1");
}

static void
test_decide__first_leaves_the_columns_of_an_earlier_key(void **state)
{
    (void)state;
    disagree("first");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"9\",\"slug\":\"a\",\"name\":\"z\"}"),
                        "change 1: name='z'");
    assert_true(it.item.all_agree);
}

static void
test_decide__first_and_rekey_leave_a_rename_a_rename(void **state)
{
    (void)state;
    local(1, 0, "1", "a", "x");
    disagree("first");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"),
                        "change 1: slug='b'");
    disagree("rekey");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"),
                        "change 1: slug='b'");
}

static void
test_decide__rekey_gives_an_earlier_key_whatever_its_mode(void **state)
{
    (void)state;
    local(1, 0, "1", "a", "x");
    disagree("rekey");
    assert_string_equal(decide("{\"rid\":\"9\",\"slug\":\"a\"}"),
                        "change 1: rid='9'");
    define(&it.f, "{keys: [rid, slug], on_disagree: rekey}",
           "{rid: {from: /rid, mode: create_only}, slug: /slug}");
    assert_string_equal(decide("{\"rid\":\"9\",\"slug\":\"a\"}"),
                        "change 1: rid='9'");
}

static void
test_decide__rekey_takes_no_key_from_another_record(void **state)
{
    (void)state;
    disagree("rekey");
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", "b", "y");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"),
                        "clash: rid '1' finds t/1, slug 'b' finds t/2.");
}

static void
test_decide__rekey_does_not_erase_with_a_blank_key(void **state)
{
    (void)state;
    disagree("rekey");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":null,\"slug\":\"a\"}"), "same 1");
}

/* ---- composite keys ---- */

static void
test_decide__a_composite_key_is_found_whole(void **state)
{
    (void)state;
    define(&it.f, "[[site, rid], [site, slug]]", COMPOSITE);
    local(1, 1, "1", "a", NULL);
    local(2, 2, "1", "b", NULL);
    assert_string_equal(decide("{\"site\":2,\"rid\":\"1\",\"slug\":\"c\"}"),
                        "change 2: slug='c'");
    assert_string_equal(decide("{\"site\":3,\"rid\":\"1\",\"slug\":\"a\"}"),
                        "create");
    assert_string_equal(
        decide("{\"site\":1,\"rid\":\"2\",\"slug\":\"a\"}"),
        "clash: site 1, slug 'a' finds t/1, which has site 1, rid '1', not "
        "site 1, rid '2'.");
}

static void
test_decide__a_composite_key_with_a_blank_part_is_blank(void **state)
{
    (void)state;
    define(&it.f, "[[site, rid], [site, slug]]", COMPOSITE);
    local(1, 1, "1", "a", NULL);
    local(2, 1, NULL, "b", NULL);
    assert_string_equal(decide("{\"site\":1,\"slug\":\"a\"}"), "same 1");
    assert_string_equal(decide("{\"site\":1,\"rid\":\"2\",\"slug\":\"b\"}"),
                        "change 2: rid='2'");
    assert_int_equal(
        take(&it.f, "{\"rid\":\"1\",\"slug\":\"a\"}", &it.f.arena, &it.item),
        ROWLOCK_BAD_VALUE);
}

static void
test_decide__each_part_of_a_composite_key_counts(void **state)
{
    (void)state;
    define(&it.f, "[[rid, site], slug]", COMPOSITE);
    local(1, 1, "1", "a", NULL);
    local(2, 1, NULL, "b", NULL);
    assert_string_equal(
        decide("{\"site\":1,\"rid\":\"2\",\"slug\":\"a\"}"),
        "clash: slug 'a' finds t/1, which has rid '1', site 1, not rid '2', "
        "site 1.");
    assert_string_equal(decide("{\"site\":2,\"rid\":\"2\",\"slug\":\"b\"}"),
                        "change 2: site=2, rid='2'");
}

static void
test_decide__first_writes_the_finding_key_as_it_is_spelled(void **state)
{
    (void)state;
    define(&it.f, "{keys: [[slug, rid], [slug, name]], on_disagree: first}",
           PLAIN);
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", "a", "y");
    assert_string_equal(decide("{\"slug\":\"A\",\"rid\":\"1\",\"name\":\"y\"}"),
                        "change 1: slug='A'");
}

static void
test_decide__first_keeps_what_the_finding_key_shares_with_another(void **state)
{
    (void)state;
    define(&it.f, "{keys: [[site, rid], [site, slug]], on_disagree: first}",
           COMPOSITE);
    local(1, 1, "1", "a", NULL);
    local(2, 1, "2", "b", NULL);
    assert_string_equal(decide("{\"site\":1,\"rid\":\"1\",\"slug\":\"b\"}"),
                        "same 1");
    assert_string_equal(decide("{\"site\":1,\"rid\":\"9\",\"slug\":\"b\"}"),
                        "same 2");
}

static void
test_decide__a_single_key_beside_a_composite_one(void **state)
{
    (void)state;
    define(&it.f, "{keys: [rid, [site, slug]], on_disagree: rekey}", COMPOSITE);
    local(1, 1, "1", "a", NULL);
    assert_string_equal(decide("{\"site\":2,\"rid\":\"1\",\"slug\":\"b\"}"),
                        "change 1: site=2, slug='b'");
    assert_string_equal(decide("{\"site\":1,\"rid\":\"2\",\"slug\":\"a\"}"),
                        "change 1: rid='2'");
}

/* ---- modes ---- */

static void
test_decide__each_mode_writes_what_it_may(void **state)
{
    (void)state;
    static const struct {
        const char *mode, *filled, *blank, *null;
    } cases[] = {
        {"update", "change 1: name='new'", "change 2: name='new'",
         "change 3: name='new'"},
        {"create_only", "same 1", "same 2", "same 3"},
        {"fill", "same 1", "change 2: name='new'", "change 3: name='new'"},
    };
    local(1, 0, "1", NULL, "old");
    local(2, 0, "2", NULL, " \n");
    local(3, 0, "3", NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char fields[96];
        snprintf(fields, sizeof fields,
                 "{rid: /rid, name: {from: /name, mode: %s}}", cases[i].mode);
        define(&it.f, "[rid]", fields);
        assert_string_equal(decide("{\"rid\":\"1\",\"name\":\"new\"}"),
                            cases[i].filled);
        assert_string_equal(decide("{\"rid\":\"2\",\"name\":\"new\"}"),
                            cases[i].blank);
        assert_string_equal(decide("{\"rid\":\"3\",\"name\":\"new\"}"),
                            cases[i].null);
        assert_string_equal(decide("{\"rid\":\"4\",\"name\":\"new\"}"),
                            "create");
    }
}

static void
test_decide__fill_has_nothing_to_fill_with_blank(void **state)
{
    (void)state;
    define(&it.f, "[rid]", "{rid: /rid, name: {from: /name, mode: fill}}");
    local(1, 0, "1", NULL, " ");
    assert_string_equal(decide("{\"rid\":\"1\",\"name\":\"\"}"), "same 1");
    assert_string_equal(decide("{\"rid\":\"1\",\"name\":null}"), "same 1");
}

static void
test_decide__on_change_is_written_only_with_something_else(void **state)
{
    (void)state;
    local(1, 0, "1", NULL, "x");
    define(&it.f, "[rid]",
           "{changed: {value: today, on: change}, rid: /rid, name: /name}");
    assert_string_equal(decide("{\"rid\":\"1\",\"name\":\"x\"}"), "same 1");
    assert_string_equal(decide("{\"rid\":\"1\",\"name\":\"y\"}"),
                        "change 1: name='y', changed='today'");
}

static void
test_decide__on_change_comes_with_a_rename_too(void **state)
{
    (void)state;
    local(1, 0, "1", "a", "x");
    define(&it.f, "[rid, slug]",
           "{changed: {value: today, on: change}, rid: /rid, slug: /slug}");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\"}"),
                        "change 1: slug='b', changed='today'");
}

/* ---- once more, under the lock ---- */

static void
test_again__what_changed_meanwhile_is_compared_anew(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"1\",\"slug\":\"b\",\"name\":\"y\"}"),
                        "change 1: slug='b', name='y'");
    assert_string_equal(decide_again(1, "1", "a", "z"),
                        "change 1: slug='b', name='y'");
    assert_string_equal(decide_again(1, "1", "a", "y"), "change 1: slug='b'");
}

static void
test_again__nothing_is_left_when_somebody_wrote_the_same(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    assert_string_equal(decide("{\"rid\":\"1\",\"name\":\"y\"}"),
                        "change 1: name='y'");
    assert_string_equal(decide_again(1, "1", "a", "y"), "same 1");
    assert_int_equal(it.item.n_sets, 0);
}

static void
test_again__other_match_columns_make_the_look_stale(void **state)
{
    (void)state;
    report("[rid, slug]");
    local(1, 0, "1", "a", "x");
    decide("{\"rid\":\"1\",\"name\":\"y\"}");
    assert_string_equal(decide_again(1, "1", "b", "x"), "stale");
    assert_string_equal(decide_again(1, NULL, "a", "x"), "stale");
    assert_string_equal(decide_again(2, "1", "a", "x"), "stale");
}

static void
test_again__the_columns_of_disagreeing_keys_stay_left(void **state)
{
    (void)state;
    disagree("first");
    local(1, 0, "1", "a", "x");
    local(2, 0, "2", "b", "y");
    decide("{\"rid\":\"1\",\"slug\":\"b\",\"name\":\"z\"}");
    assert_string_equal(decide_again(1, "1", "a", "w"), "change 1: name='z'");
}

static void
test_again__on_change_goes_when_nothing_else_is_left(void **state)
{
    (void)state;
    local(1, 0, "1", NULL, "x");
    define(&it.f, "[rid]",
           "{changed: {value: today, on: change}, rid: /rid, name: /name}");
    decide("{\"rid\":\"1\",\"name\":\"y\"}");
    assert_string_equal(decide_again(1, "1", NULL, "y"), "same 1");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_decide__without_a_hit_a_record_is_created),
        TEST(test_decide__a_record_as_the_source_says_is_the_same),
        TEST(test_decide__absent_is_left_alone_and_null_is_written),
        TEST(test_decide__keys_without_a_value_are_no_record),
        TEST(test_decide__a_blank_key_neither_finds_nor_erases),
        TEST(test_decide__match_values_are_stripped),
        TEST(test_decide__another_value_of_a_later_key_is_a_rename),
        TEST(test_decide__a_rename_obeys_the_mode),
        TEST(test_decide__a_record_without_the_earlier_key_gets_it),
        TEST(test_decide__another_value_of_an_earlier_key_is_a_clash),
        TEST(test_decide__a_key_that_finds_it_in_another_case_is_a_rename),
        TEST(
            test_decide__only_keys_before_the_first_hit_can_have_another_value),
        TEST(test_decide__keys_that_find_different_records_clash),
        TEST(test_decide__a_key_that_several_records_have_is_no_clash),
        TEST(test_decide__first_leaves_the_columns_of_a_key_that_finds_another),
        TEST(test_decide__first_leaves_the_columns_of_an_earlier_key),
        TEST(test_decide__first_and_rekey_leave_a_rename_a_rename),
        TEST(test_decide__rekey_gives_an_earlier_key_whatever_its_mode),
        TEST(test_decide__rekey_takes_no_key_from_another_record),
        TEST(test_decide__rekey_does_not_erase_with_a_blank_key),
        TEST(test_decide__a_composite_key_is_found_whole),
        TEST(test_decide__a_composite_key_with_a_blank_part_is_blank),
        TEST(test_decide__each_part_of_a_composite_key_counts),
        TEST(test_decide__first_writes_the_finding_key_as_it_is_spelled),
        TEST(test_decide__first_keeps_what_the_finding_key_shares_with_another),
        TEST(test_decide__a_single_key_beside_a_composite_one),
        TEST(test_decide__each_mode_writes_what_it_may),
        TEST(test_decide__fill_has_nothing_to_fill_with_blank),
        TEST(test_decide__on_change_is_written_only_with_something_else),
        TEST(test_decide__on_change_comes_with_a_rename_too),
        TEST(test_again__what_changed_meanwhile_is_compared_anew),
        TEST(test_again__nothing_is_left_when_somebody_wrote_the_same),
        TEST(test_again__other_match_columns_make_the_look_stale),
        TEST(test_again__the_columns_of_disagreeing_keys_stay_left),
        TEST(test_again__on_change_goes_when_nothing_else_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
