/* SPDX-License-Identifier: MIT
 * Writes that trust a look: when they may, and what they still lock. */
#include "fixture.h"

struct looking {
    struct rlk_set set;
    struct rlk_match key;
    struct rlk_rows rows;
    int found;
    struct rlk_mark mark;
};

/* Looks for the tag with this slug, in a block of its own. */
static void
look_for(struct fixture *f, const char *slug, struct looking *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->set = (struct rlk_set){SLUG, rowlock_text(slug)};
    ret->key = (struct rlk_match){&ret->set, 1};
    struct rlk_lookup look = {&tag_table, &ret->key, 1, &ret->mark};
    assert_int_equal(rowlock_begin(f->db, &f->b, &f->err), 0);
    assert_int_equal(
        rlk_block_lookup(f->b, &look, &ret->rows, &ret->found, &f->err), 0);
    assert_int_equal(rowlock_commit(f->b, &f->err), 0);
}

static bool
start_write(struct fixture *f, const struct looking *l)
{
    struct rlk_mark now;
    assert_int_equal(rowlock_begin(f->db, &f->b, &f->err), 0);
    assert_int_equal(rlk_block_start_write(f->b, &now, &f->err), 0);
    (void)rlk_fake_trace(f->c);
    return now.others && memcmp(&now, &l->mark, sizeof now) == 0;
}

static int
put_rank(struct fixture *f, const struct looking *l, int64_t rank,
         bool *ret_done)
{
    struct rlk_set set = {RANK, rowlock_int(rank)};
    struct rlk_put p = {.write = {&tag_table, &l->rows.rows[0], &set, 1}};
    return rlk_block_put(f->b, &p, NULL, ret_done, &f->err);
}

static int
put_new(struct fixture *f, const struct looking *l, struct rlk_rows *ret_row,
        bool *ret_done)
{
    struct rlk_put p = {
        .write = {&tag_table, NULL, &l->set, 1}, .keys = &l->key, .n_keys = 1};
    return rlk_block_put(f->b, &p, ret_row, ret_done, &f->err);
}

static void
test_put__locks_and_writes_without_another_look(void **state)
{
    (void)state;
    struct fixture f;
    struct looking l;
    bool done;
    start(&f, RLK_FAKE_FAST);
    put(f.c, "tag", 1, "r1", "a", 10);
    look_for(&f, "a", &l);
    assert_int_equal(l.found, 0);
    assert_true(start_write(&f, &l));
    assert_int_equal(put_rank(&f, &l, 11, &done), 0);
    assert_true(done);
    assert_string_equal(rlk_fake_trace(f.c), "record tag(1) update");
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    assert_int_equal(rlk_fake_cell(f.c, "tag", 0, RANK).u.i, 11);
    rlk_rows_done(&l.rows);
    stop(&f);
}

static void
test_put__locks_the_keys_of_a_new_record_each_once(void **state)
{
    (void)state;
    struct fixture f;
    struct looking l;
    struct rlk_rows row = {0};
    bool done;
    start(&f, RLK_FAKE_FAST);
    look_for(&f, "a", &l);
    assert_int_equal(l.found, -1);
    assert_true(start_write(&f, &l));
    assert_int_equal(put_new(&f, &l, &row, &done), 0);
    assert_true(done);
    assert_string_equal(rlk_fake_trace(f.c),
                        "lock_keys key tag.slug(a) insert record tag(1)");
    assert_int_equal(row.rows[0].values[ID].u.i, 1);
    rlk_rows_done(&row);
    rlk_rows_done(&l.rows);
    stop(&f);
}

static void
test_put__does_not_wait_for_a_key_that_somebody_holds(void **state)
{
    (void)state;
    struct fixture f;
    struct looking l;
    struct rlk_rows row = {0};
    bool done;
    start(&f, RLK_FAKE_FAST);
    look_for(&f, "a", &l);
    rlk_fake_hold(f.c, "key tag.slug(a)");
    assert_true(start_write(&f, &l));
    assert_int_equal(put_new(&f, &l, &row, &done), ROWLOCK_NOT_AVAILABLE);
    assert_state(&f.err, ROWLOCK_NOT_AVAILABLE, "55P03");
    assert_int_equal(rowlock_commit(f.b, &f.err), ROWLOCK_ABORTED);
    assert_int_equal(rlk_fake_count(f.c, "tag"), 0);
    rlk_rows_done(&l.rows);
    stop(&f);
}

static void
test_look__is_not_current_after_anybodys_commit(void **state)
{
    (void)state;
    struct fixture f;
    struct looking l;
    bool done;
    start(&f, RLK_FAKE_FAST);
    put(f.c, "tag", 1, "r1", "a", 10);
    look_for(&f, "a", &l);
    put(f.c, "tag", 2, "r2", "b", 10); /* a stranger's */
    assert_false(start_write(&f, &l));
    rowlock_rollback(f.b);
    rlk_rows_done(&l.rows);
    look_for(&f, "a", &l);
    assert_true(start_write(&f, &l));
    assert_int_equal(put_rank(&f, &l, 11, &done), 0);
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    assert_false(start_write(&f, &l)); /* our own */
    rowlock_rollback(f.b);
    rlk_rows_done(&l.rows);
    stop(&f);
}

static void
wait_for_record_9(rowlock_block *b, struct rlk_conn *c)
{
    rlk_fake_hold(c, "record tag(9)");
    (void)lock_id(b, "tag", 9);
}

static void
test_put__does_nothing_once_the_transaction_was_given_up(void **state)
{
    (void)state;
    struct fixture f;
    struct looking l;
    bool done = true;
    start(&f, RLK_FAKE_FAST);
    put(f.c, "tag", 1, "r1", "a", 10);
    put(f.c, "tag", 9, "r9", "z", 10);
    look_for(&f, "a", &l);
    assert_true(start_write(&f, &l));
    wait_for_record_9(f.b, f.c);
    (void)rlk_fake_trace(f.c);
    assert_int_equal(put_rank(&f, &l, 11, &done), 0);
    assert_false(done);
    assert_string_equal(rlk_fake_trace(f.c), "");
    rowlock_rollback(f.b);
    rlk_rows_done(&l.rows);
    stop(&f);
}

static void
test_look__is_never_current_without_a_commit_mark(void **state)
{
    (void)state;
    struct fixture f;
    struct looking l;
    start(&f, RLK_FAKE_PLAIN);
    put(f.c, "tag", 1, "r1", "a", 10);
    look_for(&f, "a", &l);
    assert_false(start_write(&f, &l));
    rowlock_rollback(f.b);
    rlk_rows_done(&l.rows);
    stop(&f);
}

static int
refuse(rowlock_db *db, const struct rlk_write *w, void *arg, rowlock_error *err)
{
    (void)db, (void)w, (void)arg;
    return rlk_fail(err, ROWLOCK_NOT_AVAILABLE, "an editor has it");
}

static void
test_put__asks_the_guards(void **state)
{
    (void)state;
    struct fixture f;
    struct looking l;
    bool done;
    start(&f, RLK_FAKE_FAST);
    put(f.c, "tag", 1, "r1", "a", 10);
    look_for(&f, "a", &l);
    assert_int_equal(rlk_session_guard(f.db, refuse, NULL, &f.err), 0);
    assert_true(start_write(&f, &l));
    assert_int_equal(put_rank(&f, &l, 11, &done), ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(f.err.message, "an editor has it");
    rowlock_rollback(f.b);
    rlk_rows_done(&l.rows);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put__locks_and_writes_without_another_look),
        cmocka_unit_test(test_put__locks_the_keys_of_a_new_record_each_once),
        cmocka_unit_test(test_put__does_not_wait_for_a_key_that_somebody_holds),
        cmocka_unit_test(test_look__is_not_current_after_anybodys_commit),
        cmocka_unit_test(
            test_put__does_nothing_once_the_transaction_was_given_up),
        cmocka_unit_test(test_look__is_never_current_without_a_commit_mark),
        cmocka_unit_test(test_put__asks_the_guards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
