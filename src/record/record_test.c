/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static void
test_save__writes_only_what_differs_by_type(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_value v;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rlk_fake_change(f.c, "term", 0, CHANGED,
                    rowlock_text("2024-05-01 12:00:00"));
    rowlock_record *r = lock_id(f.b, "term", 1);
    (void)rlk_fake_trace(f.c);
    v = rowlock_text("2024-05-01T14:00:00+02:00");
    assert_int_equal(rowlock_record_set(r, "changed", v, &f.err), 0);
    assert_int_equal(rowlock_record_set(r, "rank", rowlock_text("10"), &f.err),
                     0);
    assert_int_equal(rowlock_record_save(r, &f.err), 0);
    assert_string_equal(rlk_fake_trace(f.c), "");
    assert_int_equal(rowlock_record_set(r, "rank", rowlock_int(11), &f.err), 0);
    assert_int_equal(get_int(r, "rank"), 11);
    assert_int_equal(rowlock_record_save(r, &f.err), 0);
    assert_string_equal(rlk_fake_trace(f.c), "start_write update");
    assert_text(rlk_fake_cell(f.c, "term", 0, CHANGED), "2024-05-01 12:00:00");
    stop(&f);
}

static void
test_save__needs_the_record_lock(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_record *r;
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "term";
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    assert_int_equal(rowlock_query_first(f.b, &q, &r, &f.err), 0);
    assert_int_equal(rowlock_record_set(r, "rank", rowlock_int(11), &f.err), 0);
    assert_int_equal(rowlock_record_save(r, &f.err), ROWLOCK_MISUSE);
    q.lock = ROWLOCK_SHARE;
    assert_int_equal(rowlock_query_first(f.b, &q, &r, &f.err), 0);
    assert_int_equal(rowlock_record_save(r, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_record_delete(r, &f.err), 0);
    assert_int_equal(get_int(r, "rank"), 10);
    assert_int_equal(rlk_fake_count(f.c, "term"), 0);
    stop(&f);
}

static void
test_save__notices_a_program_that_takes_no_locks(void **state)
{
    (void)state;
    struct fixture f;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rowlock_record *r = lock_id(f.b, "term", 1);
    rlk_fake_change(f.c, "term", 0, NAME, rowlock_text("stranger"));
    assert_int_equal(rowlock_record_set(r, "rank", rowlock_int(11), &f.err), 0);
    assert_int_equal(rowlock_record_save(r, &f.err), ROWLOCK_SERIALIZATION);
    assert_text(rlk_fake_cell(f.c, "term", 0, NAME), "stranger");
    stop(&f);
}

static int
save_rank(rowlock_record *r, int64_t rank)
{
    int rc = rowlock_record_set(r, "rank", rowlock_int(rank), NULL);
    return rc ? rc : rowlock_record_save(r, NULL);
}

static void
test_save__through_a_second_handle_counts_own_writes_in(void **state)
{
    (void)state;
    struct fixture f;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rowlock_record *one = lock_id(f.b, "term", 1);
    rowlock_record *two = lock_id(f.b, "term", 1);
    rowlock_value v = rowlock_text("new");
    assert_int_equal(save_rank(one, 11), 0);
    assert_int_equal(rowlock_record_set(two, "name", v, &f.err), 0);
    assert_int_equal(rowlock_record_save(two, &f.err), 0);
    assert_int_equal(get_int(two, "rank"), 11);
    assert_int_equal(save_rank(one, 12), 0);
    assert_int_equal(rowlock_record_delete(two, &f.err), 0);
    assert_int_equal(save_rank(one, 13), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    stop(&f);
}

static void
test_save__still_sees_strangers_after_own_writes_were_rolled_back(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rowlock_record *one = lock_id(f.b, "term", 1);
    rowlock_record *two = lock_id(f.b, "term", 1);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    assert_int_equal(save_rank(one, 11), 0);
    rowlock_rollback(inner);
    rlk_fake_change(f.c, "term", 0, NAME, rowlock_text("stranger"));
    assert_int_equal(save_rank(two, 12), ROWLOCK_SERIALIZATION);
    stop(&f);
}

static void
test_create__locks_keys_of_unique_columns_before_it_writes(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_record *r;
    rowlock_pair values[] = {{"slug", rowlock_text("a")},
                             {"rank", rowlock_int(7)}};
    start_block(&f, RLK_FAKE_PLAIN);
    assert_int_equal(rowlock_record_create(f.b, "tag", values, 2, &r, &f.err),
                     0);
    assert_string_equal(
        rlk_fake_trace(f.c),
        "lock_keys key tag.slug(a) start_write insert record tag(1)");
    assert_int_equal(get_int(r, "id"), 1);
    assert_int_equal(save_rank(r, 8), 0);
    assert_int_equal(rowlock_record_set(r, "slug", rowlock_text("b"), &f.err),
                     0);
    (void)rlk_fake_trace(f.c);
    assert_int_equal(rowlock_record_save(r, &f.err), 0);
    assert_string_equal(rlk_fake_trace(f.c),
                        "lock_keys key tag.slug(b) update");
    assert_int_equal(rowlock_record_create(f.b, "tag", values, 2, NULL, &f.err),
                     0);
    values[0].value = rowlock_text("b");
    assert_int_equal(rowlock_record_create(f.b, "tag", values, 2, NULL, &f.err),
                     ROWLOCK_UNIQUE);
    stop(&f);
}

static void
test_get__names_the_column_that_was_meant(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_value v;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rowlock_record *r = lock_id(f.b, "term", 1);
    assert_int_equal(rowlock_record_get(r, "Remote_ID", &v, &f.err), 0);
    assert_int_equal(rowlock_record_get(r, "remoteid", &v, &f.err),
                     ROWLOCK_UNDEFINED);
    assert_state(&f.err, ROWLOCK_UNDEFINED, "42703");
    assert_non_null(strstr(f.err.hint, "remote_id"));
    stop(&f);
}

static int
refuse_rank_13(rowlock_db *db, const struct rlk_write *w, void *arg,
               rowlock_error *err)
{
    (void)db, (void)arg;
    for (size_t i = 0; i < w->n_set; i++)
        if (w->set[i].column == RANK && w->set[i].value.u.i == 13)
            return rlk_fail(err, ROWLOCK_CONSTRAINT, "held by an editor");
    return 0;
}

static void
test_guard__refuses_a_write_before_it_reaches_the_driver(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    assert_int_equal(rlk_session_guard(f.db, refuse_rank_13, NULL, &f.err), 0);
    assert_int_equal(rowlock_begin(f.db, &f.b, &f.err), 0);
    rowlock_record *r = lock_id(f.b, "term", 1);
    assert_int_equal(save_rank(r, 12), 0);
    (void)rlk_fake_trace(f.c);
    assert_int_equal(save_rank(r, 13), ROWLOCK_CONSTRAINT);
    assert_string_equal(rlk_fake_trace(f.c), "rollback_to");
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save__writes_only_what_differs_by_type),
        cmocka_unit_test(test_save__needs_the_record_lock),
        cmocka_unit_test(test_save__notices_a_program_that_takes_no_locks),
        cmocka_unit_test(
            test_save__through_a_second_handle_counts_own_writes_in),
        cmocka_unit_test(
            test_save__still_sees_strangers_after_own_writes_were_rolled_back),
        cmocka_unit_test(
            test_create__locks_keys_of_unique_columns_before_it_writes),
        cmocka_unit_test(test_get__names_the_column_that_was_meant),
        cmocka_unit_test(
            test_guard__refuses_a_write_before_it_reaches_the_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
