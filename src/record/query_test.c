/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static rowlock_query
query_of(const char *table, const rowlock_term *where, size_t n)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = table;
    q.where = where;
    q.n_where = n;
    return q;
}

static void
put_five(struct fixture *f)
{
    put(f->c, "term", 1, "r1", "apple", 3);
    put(f->c, "term", 2, "r2", "apricot", 1);
    put(f->c, "term", 3, NULL, "banana", 2);
    put(f->c, "term", 4, "r4", "cherry", 3);
    put(f->c, "term", 5, NULL, "Apple", 1);
}

static void
assert_ids(struct fixture *f, const rowlock_query *q, const char *ids)
{
    char got[64] = "", one[8];
    rowlock_rows *rows;
    assert_int_equal(rowlock_query_all(f->b, q, &rows, &f->err), 0);
    for (size_t i = 0; i < rowlock_rows_count(rows); i++) {
        snprintf(one, sizeof one, "%d",
                 (int)get_int(rowlock_rows_at(rows, i), "id"));
        strcat(got, one);
    }
    assert_null(rowlock_rows_at(rows, rowlock_rows_count(rows)));
    assert_string_equal(got, ids);
    rowlock_rows_free(rows);
}

static void
test_query__filters_with_every_operator(void **state)
{
    (void)state;
    struct fixture f;
    start_block(&f, RLK_FAKE_PLAIN);
    put_five(&f);
    const rowlock_value two = rowlock_int(2), ap = rowlock_text("ap");
    const rowlock_value some[] = {rowlock_int(1), rowlock_text("3")};
    const struct {
        rowlock_term term;
        const char *ids;
    } lines[] = {
        {{"rank", ROWLOCK_EQ, &two, 1}, "3"},
        {{"rank", ROWLOCK_NE, &two, 1}, "1245"},
        {{"rank", ROWLOCK_LT, &two, 1}, "25"},
        {{"rank", ROWLOCK_LE, &two, 1}, "235"},
        {{"rank", ROWLOCK_GT, &two, 1}, "14"},
        {{"rank", ROWLOCK_GE, &two, 1}, "134"},
        {{"rank", ROWLOCK_IN, some, 2}, "1245"},
        {{"rank", ROWLOCK_IN, NULL, 0}, ""},
        {{"remote_id", ROWLOCK_IS_NULL, NULL, 0}, "35"},
        {{"slug", ROWLOCK_PREFIX, &ap, 1}, "12"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        rowlock_query q = query_of("term", &lines[i].term, 1);
        assert_ids(&f, &q, lines[i].ids);
    }
    stop(&f);
}

static void
test_query__orders_limits_and_passes_over(void **state)
{
    (void)state;
    struct fixture f;
    start_block(&f, RLK_FAKE_PLAIN);
    put_five(&f);
    rowlock_query q = query_of("term", NULL, 0);
    q.order = "-rank, slug";
    assert_ids(&f, &q, "14352");
    q.limit = 2;
    q.offset = 1;
    assert_ids(&f, &q, "43");
    (void)rlk_fake_trace(f.c);
    q.lock = ROWLOCK_UPDATE;
    q.wait_ms = ROWLOCK_SKIP_LOCKED;
    rlk_fake_hold(f.c, "record term(4)");
    assert_ids(&f, &q, "35");
    stop(&f);
}

static void
test_query__refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, RLK_FAKE_PLAIN);
    const rowlock_value null = rowlock_null(), seven = rowlock_text("007");
    const struct {
        rowlock_term term;
        const char *order;
        int code;
    } lines[] = {
        {{"rank", ROWLOCK_EQ, &null, 1}, NULL, ROWLOCK_MISUSE},
        {{"rank", ROWLOCK_EQ, NULL, 0}, NULL, ROWLOCK_MISUSE},
        {{"rank", ROWLOCK_EQ, NULL, 1}, NULL, ROWLOCK_MISUSE},
        {{"rank", ROWLOCK_IS_NULL, &null, 1}, NULL, ROWLOCK_MISUSE},
        {{"rank", ROWLOCK_PREFIX, &seven, 1}, NULL, ROWLOCK_MISUSE},
        {{"rank", (enum rowlock_op)99, &null, 1}, NULL, ROWLOCK_MISUSE},
        {{"rank", ROWLOCK_EQ, &seven, 1}, NULL, ROWLOCK_BAD_VALUE},
        {{"rnak", ROWLOCK_IS_NULL, NULL, 0}, NULL, ROWLOCK_UNDEFINED},
        {{"rank", ROWLOCK_IS_NULL, NULL, 0}, "rank,,id", ROWLOCK_MISUSE},
        {{"rank", ROWLOCK_IS_NULL, NULL, 0}, "", ROWLOCK_MISUSE},
        {{"rank", ROWLOCK_IS_NULL, NULL, 0}, "-size", ROWLOCK_UNDEFINED},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        rowlock_block *b;
        rowlock_rows *rows;
        rowlock_query q = query_of("term", &lines[i].term, 1);
        q.order = lines[i].order;
        assert_int_equal(rowlock_begin(f.db, &b, &f.err), 0);
        assert_int_equal(rowlock_query_all(b, &q, &rows, &f.err),
                         lines[i].code);
        rowlock_rollback(b);
    }
    stop(&f);
}

static void
test_query__takes_an_older_callers_struct(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_rows *rows;
    start_block(&f, RLK_FAKE_PLAIN);
    put_five(&f);
    rowlock_query q = query_of("term", NULL, 0);
    q.limit = 1;
    q.size = offsetof(rowlock_query, limit);
    assert_ids(&f, &q, "12345");
    q.size = sizeof q + 8;
    assert_int_equal(rowlock_query_all(f.b, &q, &rows, &f.err), ROWLOCK_MISUSE);
    q.size = 0;
    assert_int_equal(rowlock_query_all(f.b, &q, &rows, &f.err), ROWLOCK_MISUSE);
    stop(&f);
}

static void
test_first__gives_null_when_nothing_matches(void **state)
{
    (void)state;
    struct fixture f;
    start_block(&f, RLK_FAKE_PLAIN);
    assert_null(lock_id(f.b, "term", 9));
    stop(&f);
}

static void
test_sql__gives_rows_that_are_no_records(void **state)
{
    (void)state;
    struct fixture f;
    rowlock_rows *rows;
    rowlock_value v = rowlock_int(7);
    start_block(&f, RLK_FAKE_PLAIN);
    assert_int_equal(rowlock_sql(f.b, "select ?1", &v, 1, &rows, &f.err), 0);
    rowlock_record *r = rowlock_rows_at(rows, 0);
    assert_int_equal(get_int(r, "answer"), 7);
    assert_int_equal(rowlock_record_save(r, &f.err), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_record_get(r, "question", &v, &f.err),
                     ROWLOCK_UNDEFINED);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query__filters_with_every_operator),
        cmocka_unit_test(test_query__orders_limits_and_passes_over),
        cmocka_unit_test(test_query__refuses_what_it_cannot_mean),
        cmocka_unit_test(test_query__takes_an_older_callers_struct),
        cmocka_unit_test(test_first__gives_null_when_nothing_matches),
        cmocka_unit_test(test_sql__gives_rows_that_are_no_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
