/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static int
set_rank(rowlock_record *r, int64_t rank)
{
    int rc = rowlock_record_set(r, "rank", rowlock_int(rank), NULL);
    return rc ? rc : rowlock_record_save(r, NULL);
}

static int
break_block(rowlock_block *b, rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "nosuch";
    rowlock_rows *rows;
    return rowlock_query_all(b, &q, &rows, err);
}

/* ---- failure ---- */

static void
test_block__fails_at_an_error_and_gives_back_data_and_locks(void **state)
{
    (void)state;
    struct fixture f;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rowlock_record *r = lock_id(f.b, "term", 1);
    assert_int_equal(set_rank(r, 11), 0);
    assert_int_equal(rlk_fake_locks(f.c), 1);

    assert_int_equal(break_block(f.b, &f.err), ROWLOCK_UNDEFINED);
    assert_int_equal(rlk_fake_locks(f.c), 0);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 10);

    rowlock_value v;
    assert_int_equal(break_block(f.b, &f.err), ROWLOCK_ABORTED);
    assert_state(&f.err, ROWLOCK_ABORTED, "25P02");
    assert_non_null(strstr(f.err.detail, "42P01"));
    assert_int_equal(rowlock_record_get(r, "rank", &v, &f.err),
                     ROWLOCK_ABORTED);
    assert_int_equal(rowlock_commit(f.b, &f.err), ROWLOCK_ABORTED);
    stop(&f);
}

static void
test_block__stays_usable_after_misuse(void **state)
{
    (void)state;
    struct fixture f;
    start_block(&f, RLK_FAKE_PLAIN);
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "term";
    q.limit = -1;
    rowlock_rows *rows;
    assert_int_equal(rowlock_query_all(f.b, &q, &rows, &f.err), ROWLOCK_MISUSE);
    q.limit = 0;
    assert_int_equal(rowlock_query_all(f.b, &q, &rows, &f.err), 0);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    stop(&f);
}

static void
test_nested__failure_leaves_the_outer_block_usable(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    put(f.c, "term", 2, "r2", "b", 20);
    rowlock_record *outer_record = lock_id(f.b, "term", 1);
    assert_int_equal(set_rank(outer_record, 11), 0);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    rowlock_record *r = lock_id(inner, "term", 2);
    assert_int_equal(set_rank(r, 21), 0);
    assert_int_equal(break_block(inner, &f.err), ROWLOCK_UNDEFINED);
    assert_false(rlk_fake_holds(f.c, "record term(2)"));
    assert_true(rlk_fake_holds(f.c, "record term(1)"));
    rowlock_rollback(inner);
    assert_int_equal(get_int(outer_record, "rank"), 11);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 11);
    assert_int_equal(rlk_fake_cell(f.c, "term", 1, RANK).u.i, 20);
    stop(&f);
}

static void
test_lost__transaction_fails_every_level(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    assert_int_equal(set_rank(lock_id(f.b, "term", 1), 11), 0);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    rlk_fake_lose(f.c);
    assert_int_equal(break_block(inner, &f.err), ROWLOCK_UNDEFINED);
    assert_int_equal(rlk_fake_locks(f.c), 0);
    assert_int_equal(rowlock_commit(inner, &f.err), ROWLOCK_ABORTED);
    assert_int_equal(break_block(f.b, &f.err), ROWLOCK_ABORTED);
    assert_int_equal(rowlock_commit(f.b, &f.err), ROWLOCK_ABORTED);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 10);
    stop(&f);
}

/* ---- what a rollback brings back ---- */

static void
test_rollback__restores_records_read_before_it(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner, *deeper;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rowlock_record *r = lock_id(f.b, "term", 1);
    assert_int_equal(set_rank(r, 11), 0);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    assert_int_equal(set_rank(r, 12), 0);
    assert_int_equal(rowlock_savepoint(inner, &deeper, &f.err), 0);
    assert_int_equal(set_rank(r, 13), 0);
    assert_int_equal(rowlock_commit(deeper, &f.err), 0);
    assert_int_equal(get_int(r, "rank"), 13);
    rowlock_rollback(inner);
    assert_int_equal(get_int(r, "rank"), 11);
    assert_int_equal(set_rank(r, 14), 0);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 14);
    stop(&f);
}

static void
test_rollback__restores_a_deleted_record(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    rowlock_record *r = lock_id(f.b, "term", 1);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    assert_int_equal(rowlock_record_delete(r, &f.err), 0);
    assert_int_equal(rowlock_record_save(r, &f.err), ROWLOCK_MISUSE);
    rowlock_rollback(inner);
    assert_int_equal(set_rank(r, 11), 0);
    stop(&f);
}

static void
test_rollback__kills_records_first_read_inside(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner;
    rowlock_value v;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    rowlock_record *r = lock_id(inner, "term", 1);
    rowlock_rollback(inner);
    assert_int_equal(rowlock_record_get(r, "rank", &v, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    stop(&f);
}

static void
test_nested__commit_keeps_its_records_alive(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner;
    rowlock_value v;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    rowlock_record *r = lock_id(inner, "term", 1);
    assert_int_equal(rowlock_commit(inner, &f.err), 0);
    assert_int_equal(set_rank(r, 11), 0);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    assert_int_equal(rowlock_record_get(r, "rank", &v, &f.err), ROWLOCK_MISUSE);
    stop(&f);
}

/* ---- misuse ---- */

static void
test_misuse__of_blocks_is_told(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner, *other;
    start_block(&f, RLK_FAKE_PLAIN);
    assert_int_equal(rowlock_begin(f.db, &other, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    assert_int_equal(break_block(f.b, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(f.b, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(inner, &f.err), 0);
    assert_int_equal(break_block(inner, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    assert_int_equal(break_block(f.b, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(f.b, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(NULL, &f.err), ROWLOCK_MISUSE);
    rowlock_rollback(f.b);
    rowlock_rollback(NULL);
    stop(&f);
}

static void
test_rollback__of_an_outer_block_ends_those_inside(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_block *inner, *deeper;
    start_block(&f, RLK_FAKE_PLAIN);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    assert_int_equal(rowlock_savepoint(inner, &deeper, &f.err), 0);
    rowlock_rollback(inner);
    assert_int_equal(break_block(deeper, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_savepoint(f.b, &inner, &f.err), 0);
    rowlock_rollback(f.b);
    assert_int_equal(rowlock_begin(f.db, &f.b, &f.err), 0);
    stop(&f); /* with a block open */
}

/* ---- atomic, nested, hooks ---- */

struct script {
    struct fixture *f;
    int tries, fail_until, code;
    bool swallow;
};

static int
fail_at_first(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct script *s = arg;
    if (s->tries++ >= s->fail_until)
        return 0;
    rlk_fake_at(s->f->c, "select", 1, NULL, NULL, s->code);
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "term";
    rowlock_rows *rows;
    int rc = rowlock_query_all(b, &q, &rows, err);
    return s->swallow ? 0 : rc;
}

static void
test_atomic__runs_again_after_deadlock_and_serialization(void **state)
{
    (void)state;
    static const int codes[] = {ROWLOCK_DEADLOCK, ROWLOCK_SERIALIZATION};
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        start(&f, RLK_FAKE_PLAIN);
        struct script s = {&f, 0, 3, codes[i], false};
        assert_int_equal(rowlock_atomic(f.db, fail_at_first, &s, &f.err), 0);
        assert_int_equal(s.tries, 4);
        stop(&f);
    }
}

static void
test_atomic__gives_up_after_the_last_try(void **state)
{
    (void)state;
    struct fixture f = {0};
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    o.retries = 2;
    f.c = rlk_fake_open(RLK_FAKE_PLAIN);
    rlk_fake_add_table(f.c, &term_table);
    assert_int_equal(rlk_session_new(f.c, &o, &f.db, &f.err), 0);
    struct script s = {&f, 0, 100, ROWLOCK_DEADLOCK, false};
    assert_int_equal(rowlock_atomic(f.db, fail_at_first, &s, &f.err),
                     ROWLOCK_DEADLOCK);
    assert_int_equal(s.tries, 3);
    stop(&f);
}

static void
test_atomic__does_not_run_again_after_other_errors(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, RLK_FAKE_PLAIN);
    struct script s = {&f, 0, 3, ROWLOCK_UNIQUE, false};
    assert_int_equal(rowlock_atomic(f.db, fail_at_first, &s, &f.err),
                     ROWLOCK_UNIQUE);
    assert_int_equal(s.tries, 1);
    stop(&f);
}

static void
test_atomic__a_swallowed_error_cannot_commit(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, RLK_FAKE_PLAIN);
    struct script s = {&f, 0, 1, ROWLOCK_UNIQUE, true};
    assert_int_equal(rowlock_atomic(f.db, fail_at_first, &s, &f.err),
                     ROWLOCK_ABORTED);
    s = (struct script){&f, 0, 1, ROWLOCK_DEADLOCK, true};
    assert_int_equal(rowlock_atomic(f.db, fail_at_first, &s, &f.err), 0);
    assert_int_equal(s.tries, 2);
    stop(&f);
}

static int
end_it_myself(rowlock_block *b, void *arg, rowlock_error *err)
{
    (void)arg;
    assert_int_equal(rowlock_commit(b, err), ROWLOCK_MISUSE);
    rowlock_rollback(b);
    assert_int_equal(break_block(b, err), ROWLOCK_ABORTED);
    return 0;
}

static int
leave_open(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_block *inner;
    (void)arg;
    return rowlock_savepoint(b, &inner, err);
}

static void
test_atomic__keeps_the_end_of_its_block_to_itself(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, RLK_FAKE_PLAIN);
    assert_int_equal(rowlock_atomic(f.db, end_it_myself, NULL, &f.err),
                     ROWLOCK_ABORTED);
    assert_int_equal(rowlock_atomic(f.db, leave_open, NULL, &f.err),
                     ROWLOCK_MISUSE);
    assert_int_equal(rowlock_begin(f.db, &f.b, &f.err), 0);
    stop(&f);
}

static void
note(void *arg)
{
    char *text = arg;
    strcat(text, "x");
}

struct hooks {
    char kept[8], dropped[8];
    int fail_commit;
};

static int
inner_hook(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct hooks *h = arg;
    return rowlock_on_commit(b, note, h->kept, err);
}

static int
dropped_hook(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct hooks *h = arg;
    assert_int_equal(rowlock_on_commit(b, note, h->dropped, err), 0);
    return 77;
}

static int
both_hooks(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct hooks *h = arg;
    assert_int_equal(rowlock_on_commit(b, note, h->kept, err), 0);
    assert_int_equal(rowlock_nested(b, inner_hook, h, err), 0);
    assert_int_equal(rowlock_nested(b, dropped_hook, h, err), 77);
    assert_string_equal(h->kept, "");
    return 0;
}

static void
test_on_commit__runs_after_the_commit_of_all_blocks_around(void **state)
{
    (void)state;
    struct fixture f;
    struct hooks h = {0};
    start(&f, RLK_FAKE_PLAIN);
    rlk_fake_at(f.c, "commit", 1, NULL, NULL, ROWLOCK_IO);
    assert_int_equal(rowlock_atomic(f.db, both_hooks, &h, &f.err), ROWLOCK_IO);
    assert_string_equal(h.kept, "");
    assert_int_equal(rowlock_atomic(f.db, both_hooks, &h, &f.err), 0);
    assert_string_equal(h.kept, "xx");
    assert_string_equal(h.dropped, "");
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_block__fails_at_an_error_and_gives_back_data_and_locks),
        cmocka_unit_test(test_block__stays_usable_after_misuse),
        cmocka_unit_test(test_nested__failure_leaves_the_outer_block_usable),
        cmocka_unit_test(test_lost__transaction_fails_every_level),
        cmocka_unit_test(test_rollback__restores_records_read_before_it),
        cmocka_unit_test(test_rollback__restores_a_deleted_record),
        cmocka_unit_test(test_rollback__kills_records_first_read_inside),
        cmocka_unit_test(test_nested__commit_keeps_its_records_alive),
        cmocka_unit_test(test_misuse__of_blocks_is_told),
        cmocka_unit_test(test_rollback__of_an_outer_block_ends_those_inside),
        cmocka_unit_test(
            test_atomic__runs_again_after_deadlock_and_serialization),
        cmocka_unit_test(test_atomic__gives_up_after_the_last_try),
        cmocka_unit_test(test_atomic__does_not_run_again_after_other_errors),
        cmocka_unit_test(test_atomic__a_swallowed_error_cannot_commit),
        cmocka_unit_test(test_atomic__keeps_the_end_of_its_block_to_itself),
        cmocka_unit_test(
            test_on_commit__runs_after_the_commit_of_all_blocks_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
