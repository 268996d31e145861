/* SPDX-License-Identifier: MIT
 * The history's row where things go wrong: blocks that run again or fail, old
 * rows that somebody holds. */
#include "sync/history.h"

#include "sync/fixture.h"

enum { N_ALL = RLK_HISTORY_COLUMNS + 1 };

static struct rlk_column all[N_ALL];
static const struct rlk_table runs = {.name = RLK_HISTORY_TABLE,
                                      .columns = all,
                                      .n_columns = N_ALL,
                                      .primary_key = id_column,
                                      .n_primary_key = 1};

static struct {
    struct fixture f;
    struct rlk_history history;
    struct rlk_sync_report report;
} it;

/* As the program makes the table. */
static int
describe(void **state)
{
    (void)state;
    all[ID] = columns[ID];
    for (size_t i = 0; i < RLK_HISTORY_COLUMNS; i++) {
        const struct rlk_history_spec *spec = &rlk_history_columns[i];
        all[i + 1] = spec->type[0] == 'I' ? columns[ID] : columns[RID];
        all[i + 1].name = spec->name;
        if (strcmp(spec->type, "TIMESTAMP") == 0)
            all[i + 1].type = RLK_TYPE_TIMESTAMP;
    }
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    start(&it.f);
    rlk_fake_add_table(it.f.c, &runs);
    define(&it.f, "[rid]", "{rid: /rid}");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    stop(&it.f);
    return 0;
}

static int
begin(void)
{
    return rlk_history_begin(&it.history, it.f.d, it.f.db, &it.f.err);
}

static int
end(const char *error)
{
    const struct rlk_history_end e = {.status =
                                          error ? RLK_RUN_FAILED : RLK_RUN_DONE,
                                      .exit_status = error != NULL,
                                      .report = &it.report,
                                      .error = error};
    return rlk_history_end(&it.history, &e, &it.f.err);
}

static void
assert_text(size_t row, enum rlk_history_column column, const char *expected)
{
    rowlock_value v = rlk_fake_cell(it.f.c, RLK_HISTORY_TABLE, row, column + 1);
    assert_int_equal(v.type, ROWLOCK_TEXT);
    assert_int_equal(v.u.s.len, strlen(expected));
    assert_memory_equal(v.u.s.ptr, expected, v.u.s.len);
}

static void
test_history__a_block_that_runs_again_leaves_one_row(void **state)
{
    (void)state;
    rlk_fake_at(it.f.c, "commit", 1, NULL, NULL, ROWLOCK_SERIALIZATION);
    assert_int_equal(begin(), 0);
    rlk_fake_at(it.f.c, "commit", 1, NULL, NULL, ROWLOCK_SERIALIZATION);
    assert_int_equal(end(NULL), 0);
    assert_int_equal(rlk_fake_count(it.f.c, RLK_HISTORY_TABLE), 1);
    assert_text(0, RLK_RUNS_STATUS, RLK_RUN_DONE);
}

static void
test_history__a_beginning_that_fails_leaves_nothing_to_end(void **state)
{
    (void)state;
    rlk_fake_at(it.f.c, "commit", 1, NULL, NULL, ROWLOCK_IO);
    assert_int_equal(begin(), ROWLOCK_IO);
    assert_int_equal(it.history.id, 0);
    assert_int_equal(end(NULL), 0);
    assert_int_equal(rlk_fake_count(it.f.c, RLK_HISTORY_TABLE), 0);
}

static void
test_history__an_old_row_that_somebody_holds_is_not_waited_for(void **state)
{
    (void)state;
    assert_int_equal(begin(), 0); /* and its process dies */
    rlk_fake_hold(it.f.c, "record rowlock_runs(1)");
    assert_int_equal(begin(), 0);
    assert_text(0, RLK_RUNS_STATUS, RLK_RUN_RUNNING);
    rlk_fake_hold(it.f.c, NULL);
    assert_int_equal(begin(), 0);
    assert_text(0, RLK_RUNS_STATUS, RLK_RUN_BROKEN);
    assert_text(1, RLK_RUNS_STATUS, RLK_RUN_BROKEN);
    assert_text(2, RLK_RUNS_STATUS, RLK_RUN_RUNNING);
}

static void
test_history__an_error_that_is_cut_within_a_character_is_kept(void **state)
{
    (void)state;
    assert_int_equal(begin(), 0);
    assert_int_equal(end("not \xC3\xA9 but \xC3"), 0);
    assert_text(0, RLK_RUNS_ERROR, "not \xC3\xA9 but ?");
}

static void
test_history__what_one_run_knew_is_not_given_to_the_next(void **state)
{
    (void)state;
    rowlock_value record[N_COLUMNS];
    make_row(record, 1, 0, "r", NULL, NULL);
    rlk_fake_put(it.f.c, "t", record);
    assert_int_equal(begin(), 0);
    strcpy(it.report.validator, "place \"etag\" -");
    assert_int_equal(end(NULL), 0);
    assert_int_equal(begin(), 0);
    assert_string_equal(it.history.known.validator, "place \"etag\" -");
    it.report.source_unchanged = true;
    assert_int_equal(end(NULL), 0);
    assert_string_equal(it.history.known.validator, "");
    assert_text(1, RLK_RUNS_VALIDATOR, "place \"etag\" -");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_history__a_block_that_runs_again_leaves_one_row),
        TEST(test_history__a_beginning_that_fails_leaves_nothing_to_end),
        TEST(test_history__an_old_row_that_somebody_holds_is_not_waited_for),
        TEST(test_history__an_error_that_is_cut_within_a_character_is_kept),
        TEST(test_history__what_one_run_knew_is_not_given_to_the_next),
    };
    return cmocka_run_group_tests(tests, describe, NULL);
}
