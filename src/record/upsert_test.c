/* SPDX-License-Identifier: MIT
 * update_or_create over the fake driver: what it answers, and in which order
 * it locks, looks and writes when others come in between. */
#include "fixture.h"

struct request {
    rowlock_pair remote_id, slug, updating[2], creating[2];
    rowlock_key match[2];
    rowlock_upsert u;
};

/* Match by remote id, then slug; found: rank is set; new: name and rank. */
static void
ask(struct request *q, const char *table, const char *remote_id,
    const char *slug, int64_t rank)
{
    memset(q, 0, sizeof *q);
    q->remote_id = (rowlock_pair){"remote_id", rowlock_text(remote_id)};
    q->slug = (rowlock_pair){"slug", rowlock_text(slug)};
    q->match[0] = (rowlock_key){&q->remote_id, 1};
    q->match[1] = (rowlock_key){&q->slug, 1};
    q->updating[0] = (rowlock_pair){"rank", rowlock_int(rank)};
    q->creating[0] = (rowlock_pair){"name", rowlock_text("new")};
    q->creating[1] = q->updating[0];
    q->u = (rowlock_upsert)ROWLOCK_UPSERT_INIT;
    q->u.table = table;
    q->u.match = q->match;
    q->u.n_match = 2;
    q->u.updating = q->updating;
    q->u.n_updating = 1;
    q->u.creating = q->creating;
    q->u.n_creating = 2;
}

static int
run(struct fixture *f, struct request *q, enum rowlock_outcome *ret)
{
    return rowlock_update_or_create(f->b, &q->u, NULL, ret, &f->err);
}

static void
assert_outcome(struct fixture *f, struct request *q, enum rowlock_outcome want)
{
    enum rowlock_outcome got = 0;
    int rc = run(f, q, &got);
    if (rc)
        fail_msg("%s: %s", f->err.message, f->err.detail);
    assert_int_equal(got, want);
}

#define assert_trace(f, text) assert_string_equal(rlk_fake_trace((f)->c), text)

/* ---- what it answers ---- */

static void
test_miss__creates_with_match_values_and_creating_pairs(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    rowlock_record *r;
    enum rowlock_outcome outcome;
    rowlock_value v;
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", " r1\t", "a", 5);
    assert_int_equal(rowlock_update_or_create(f.b, &q.u, &r, &outcome, &f.err),
                     0);
    assert_int_equal(outcome, ROWLOCK_CREATED);
    assert_int_equal(get_int(r, "rank"), 5);
    assert_int_equal(rowlock_record_get(r, "name", &v, &f.err), 0);
    assert_text(v, "new");
    assert_text(rlk_fake_cell(f.c, "term", 0, REMOTE_ID), "r1");
    assert_text(rlk_fake_cell(f.c, "term", 0, SLUG), "a");
    stop(&f);
}

static void
test_miss__creates_from_updating_pairs_when_none_else_are_given(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", "r1", "a", 5);
    q.u.n_creating = 0;
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 5);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, NAME).type, ROWLOCK_NULL);
    stop(&f);
}

static void
test_hit__first_key_wins_and_only_updating_pairs_are_written(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    put(f.c, "term", 2, "r2", "b", 20);
    ask(&q, "term", "r2", "a", 21);
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_outcome(&f, &q, ROWLOCK_UNCHANGED);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 10);
    assert_int_equal(rlk_fake_cell(f.c, "term", 1, RANK).u.i, 21);
    assert_text(rlk_fake_cell(f.c, "term", 1, SLUG), "b");
    assert_text(rlk_fake_cell(f.c, "term", 1, NAME), "b");
    stop(&f);
}

static void
test_hit__needs_no_good_creating_pairs(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    ask(&q, "term", "r1", "a", 11);
    q.creating[0] = (rowlock_pair){"changed", rowlock_text("never")};
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    q.remote_id.value = q.slug.value = rowlock_text("z");
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_BAD_VALUE);
    stop(&f);
}

static void
test_hit__blank_remote_id_is_not_looked_up(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "", "x", 10);
    put(f.c, "term", 2, NULL, "a", 20);
    ask(&q, "term", "  ", "a", 21);
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_int_equal(rlk_fake_cell(f.c, "term", 1, RANK).u.i, 21);
    stop(&f);
}

static void
test_all_blank__always_creates(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", NULL, " ", 1);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_int_equal(rlk_fake_count(f.c, "term"), 2);
    stop(&f);
}

static void
test_composite__key_matches_as_a_whole(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    ask(&q, "term", "r1", "b", 11);
    rowlock_pair both[] = {q.remote_id, q.slug};
    q.match[0] = (rowlock_key){both, 2};
    q.u.n_match = 1;
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_outcome(&f, &q, ROWLOCK_UNCHANGED);
    both[1].value = rowlock_null();
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    stop(&f);
}

static void
test_match_all__refuses_keys_that_hit_different_records(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 17, "r1", "a", 10);
    put(f.c, "term", 23, "r2", "b", 20);
    ask(&q, "term", "r2", "b", 20);
    q.u.match_all = 1;
    assert_outcome(&f, &q, ROWLOCK_UNCHANGED);
    ask(&q, "term", "r2", "a", 20);
    q.u.match_all = 1;
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_UNIQUE);
    assert_state(&f.err, ROWLOCK_UNIQUE, "23505");
    assert_non_null(strstr(f.err.detail, "23"));
    assert_non_null(strstr(f.err.detail, "17"));
    stop(&f);
}

static void
test_misuse__is_told_and_leaves_the_block_usable(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", "r1", "a", 1);
    q.u.wait_ms = ROWLOCK_SKIP_LOCKED;
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_MISUSE);
    ask(&q, "term", "r1", "a", 1);
    q.u.n_match = 0;
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_MISUSE);
    ask(&q, "term", "r1", "a", 1);
    q.match[1].n_columns = 0;
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_MISUSE);
    ask(&q, "term", "r1", "a", 1);
    q.slug.column = "remote_id"; /* of which it wants another value */
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_MISUSE);
    ask(&q, "term", "r1", "a", 1);
    q.u.size = sizeof q.u + 1;
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_MISUSE);
    ask(&q, "term", "r1", "a", 1);
    q.u.size = offsetof(rowlock_upsert, change);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    stop(&f);
}

static void
test_keyless_engine__needs_a_unique_index_on_each_key(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    start_block(&f, RLK_FAKE_KEYLESS);
    ask(&q, "tag", "r1", "a", 1);
    q.match[0] = q.match[1];
    q.u.n_match = 1;
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_outcome(&f, &q, ROWLOCK_UNCHANGED);
    ask(&q, "tag", "r1", "a", 1);
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_UNSUPPORTED);
    assert_state(&f.err, ROWLOCK_UNSUPPORTED, "0A000");
    stop(&f);
}

/* ---- in which order ---- */

static void
test_create__locks_all_keys_before_it_looks_and_writes(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", "r1", "a", 1);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_trace(&f, "lookup lookup lock_keys key term.remote_id(r1) "
                     "key term.slug(a) start_write lookup "
                     "savepoint insert record term(1) release");
    stop(&f);
}

static void
test_create__in_an_open_write_transaction_looks_once(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_FAST);
    ask(&q, "term", "r1", "a", 1);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_trace(&f, "lookup lookup lock_keys key term.remote_id(r1) "
                     "key term.slug(a) start_write lookup lookup "
                     "insert record term(1)");
    ask(&q, "term", "r2", "b", 1);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    assert_trace(&f, "lookup lookup lock_keys key term.remote_id(r2) "
                     "key term.slug(b) start_write insert record term(2)");
    ask(&q, "term", "r2", "b", 2);
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_trace(&f, "lookup update");
    stop(&f);
}

static void
test_hit__locks_the_record_and_looks_again(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    ask(&q, "term", "r1", "a", 10);
    assert_outcome(&f, &q, ROWLOCK_UNCHANGED);
    assert_trace(&f, "lookup select record term(1) lookup");
    stop(&f);
    start_block(&f, RLK_FAKE_FAST);
    put(f.c, "term", 1, "r1", "a", 10);
    assert_outcome(&f, &q, ROWLOCK_UNCHANGED);
    assert_trace(&f, "lookup record term(1) lookup");
    stop(&f);
}

static void
test_key_change__locks_old_and_new_values_before_the_record(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r0", "a", 10);
    ask(&q, "term", "r1", "a", 10);
    q.updating[1] = q.remote_id;
    q.u.n_updating = 2;
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_trace(&f, "lookup lookup lock_keys key term.remote_id(r0) "
                     "key term.remote_id(r1) key term.slug(a) "
                     "lookup select record term(1) lookup "
                     "start_write lookup savepoint update release");
    assert_text(rlk_fake_cell(f.c, "term", 0, REMOTE_ID), "r1");
    stop(&f);
}

/* ---- others come in between ---- */

static void
create_a(struct rlk_conn *c, void *arg)
{
    (void)arg;
    put(c, "term", 7, "r1", "a", 10);
}

static void
test_wait__for_a_key_finds_what_its_holder_created(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    for (int kind = RLK_FAKE_PLAIN; kind <= RLK_FAKE_FAST; kind++) {
        start_block(&f, (enum rlk_fake_kind)kind);
        ask(&q, "term", "r1", "a", 11);
        rlk_fake_hold(f.c, "key term.slug(a)");
        rlk_fake_on_wait(f.c, create_a, NULL);
        assert_outcome(&f, &q, ROWLOCK_UPDATED);
        assert_int_equal(rlk_fake_count(f.c, "term"), 1);
        assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 11);
        stop(&f);
    }
}

static void
test_wait__for_a_key_inside_a_write_transaction_looks_again(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_FAST);
    ask(&q, "term", "r0", "x", 1);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    ask(&q, "term", "r1", "a", 11);
    rlk_fake_hold(f.c, "key term.remote_id(r1)");
    rlk_fake_on_wait(f.c, create_a, NULL);
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_int_equal(rlk_fake_count(f.c, "term"), 2);
    stop(&f);
}

static void
test_stranger__who_creates_before_our_transaction_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", "r1", "a", 11);
    rlk_fake_at(f.c, "start_write", 1, create_a, NULL, 0);
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_int_equal(rlk_fake_count(f.c, "term"), 1);
    stop(&f);
}

static void
create_tag(struct rlk_conn *c, void *arg)
{
    (void)arg;
    put(c, "tag", 7, NULL, "a", 10);
}

static void
test_stranger__whose_insert_violates_ours_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    for (int kind = RLK_FAKE_PLAIN; kind <= RLK_FAKE_KEYLESS; kind++) {
        if (kind == RLK_FAKE_FAST)
            continue; /* nobody can come in between there */
        start_block(&f, (enum rlk_fake_kind)kind);
        ask(&q, "tag", "r1", "a", 11);
        q.match[0] = q.match[1];
        q.u.n_match = 1;
        rlk_fake_at(f.c, "insert", 1, create_tag, NULL, 0);
        assert_outcome(&f, &q, ROWLOCK_UPDATED);
        assert_int_equal(rlk_fake_count(f.c, "tag"), 1);
        assert_int_equal(rowlock_commit(f.b, &f.err), 0);
        stop(&f);
    }
}

static void
test_violation__of_a_column_that_is_no_match_key_is_told(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    for (int kind = RLK_FAKE_PLAIN; kind <= RLK_FAKE_FAST; kind++) {
        start_block(&f, (enum rlk_fake_kind)kind);
        put(f.c, "tag", 1, "r0", "a", 10);
        ask(&q, "tag", "r1", NULL, 11);
        q.u.n_match = 1;
        q.creating[0] = (rowlock_pair){"slug", rowlock_text("a")};
        assert_int_equal(run(&f, &q, &outcome), ROWLOCK_UNIQUE);
        assert_int_equal(rlk_fake_count(f.c, "tag"), 1);
        stop(&f);
    }
}

static void
rekey(struct rlk_conn *c, void *arg)
{
    (void)arg;
    rlk_fake_change(c, "term", 0, REMOTE_ID, rowlock_text("r9"));
}

static void
test_wait__for_a_record_whose_key_changes_starts_over(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    for (int kind = RLK_FAKE_PLAIN; kind <= RLK_FAKE_FAST; kind++) {
        start_block(&f, (enum rlk_fake_kind)kind);
        put(f.c, "term", 1, "r1", "b", 10);
        ask(&q, "term", "r1", "a", 11);
        rlk_fake_hold(f.c, "record term(1)");
        rlk_fake_on_wait(f.c, rekey, NULL);
        assert_outcome(&f, &q, ROWLOCK_CREATED);
        assert_int_equal(rlk_fake_count(f.c, "term"), 2);
        assert_false(rlk_fake_holds(f.c, "record term(1)"));
        stop(&f);
    }
}

static void
create_earlier(struct rlk_conn *c, void *arg)
{
    (void)arg;
    put(c, "term", 2, "r1", "b", 20);
}

static void
test_wait__for_a_record_while_an_earlier_key_appears_starts_over(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, NULL, "a", 10);
    ask(&q, "term", "r1", "a", 11);
    rlk_fake_hold(f.c, "record term(1)");
    rlk_fake_on_wait(f.c, create_earlier, NULL);
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 10);
    assert_int_equal(rlk_fake_cell(f.c, "term", 1, RANK).u.i, 11);
    assert_false(rlk_fake_holds(f.c, "record term(1)"));
    stop(&f);
}

/* Every look finds another remote id on the record that the slug hits. */
static void
move_key(struct rlk_conn *c, void *arg)
{
    int *n = arg;
    char text[16];
    snprintf(text, sizeof text, "m%d", ++*n);
    rlk_fake_change(c, "term", 0, REMOTE_ID, rowlock_text(text));
    rlk_fake_at(c, "lookup", 1, move_key, arg, 0);
}

static void
test_rounds__are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    int n = 0;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r0", "a", 10);
    ask(&q, "term", "r1", "a", 10);
    q.updating[1] = q.remote_id;
    q.u.n_updating = 2;
    rlk_fake_at(f.c, "lookup", 1, move_key, &n, 0);
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_SERIALIZATION);
    assert_state(&f.err, ROWLOCK_SERIALIZATION, "40001");
    assert_int_equal(rlk_fake_locks(f.c), 0);
    stop(&f);
}

static void
test_nowait__answers_at_once_and_fails_the_block(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    ask(&q, "term", "r1", "a", 11);
    q.u.wait_ms = ROWLOCK_NOWAIT;
    rlk_fake_hold(f.c, "record term(1)");
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_ABORTED);
    stop(&f);
}

/* ---- the change function ---- */

struct counter {
    int calls, created;
    const char *slug; /* set it too */
    int answer;
};

static int
add_one(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    struct counter *counter = arg;
    counter->calls++;
    counter->created = created;
    rowlock_value v;
    RLK_TRY(rowlock_record_get(r, "rank", &v, err));
    RLK_TRY(rowlock_record_set(r, "rank", rowlock_int(v.u.i + 1), err));
    if (counter->slug)
        RLK_TRY(
            rowlock_record_set(r, "slug", rowlock_text(counter->slug), err));
    return counter->answer;
}

static void
test_change__computes_from_the_locked_record(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    struct counter counter = {0};
    for (int kind = RLK_FAKE_PLAIN; kind <= RLK_FAKE_FAST; kind++) {
        start_block(&f, (enum rlk_fake_kind)kind);
        ask(&q, "term", "r1", "a", 100);
        q.u.n_updating = 0;
        q.u.change = add_one;
        q.u.arg = &counter;
        assert_outcome(&f, &q, ROWLOCK_CREATED);
        assert_int_equal(counter.created, 1);
        assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 101);
        assert_outcome(&f, &q, ROWLOCK_UPDATED);
        assert_int_equal(counter.created, 0);
        assert_int_equal(rlk_fake_cell(f.c, "term", 0, RANK).u.i, 102);
        stop(&f);
    }
}

static void
test_change__of_a_key_gives_the_record_back_to_lock_the_key(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    struct counter counter = {.slug = "b"};
    rowlock_record *r;
    enum rowlock_outcome outcome;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    ask(&q, "term", "r1", NULL, 20);
    q.u.change = add_one;
    q.u.arg = &counter;
    assert_int_equal(rowlock_update_or_create(f.b, &q.u, &r, &outcome, &f.err),
                     0);
    assert_trace(&f, "lookup select record term(1) lookup "
                     "unlock_to lock_keys key term.remote_id(r1) "
                     "key term.slug(a) key term.slug(b) "
                     "lookup select record term(1) lookup "
                     "start_write lookup savepoint update release");
    assert_int_equal(counter.calls, 2);
    assert_int_equal(get_int(r, "rank"), 21);
    assert_text(rlk_fake_cell(f.c, "term", 0, SLUG), "b");
    stop(&f);
}

static void
test_change__any_failure_fails_the_block(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    struct counter counter = {.answer = ROWLOCK_MISUSE};
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", "r1", "a", 100);
    q.u.change = add_one;
    q.u.arg = &counter;
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_MISUSE);
    assert_int_equal(rlk_fake_count(f.c, "term"), 0);
    assert_int_equal(rowlock_commit(f.b, &f.err), ROWLOCK_ABORTED);
    stop(&f);
}

static int
save_it(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    (void)created, (void)arg;
    RLK_TRY(rowlock_record_set(r, "name", rowlock_text("saved"), err));
    return rowlock_record_save(r, err);
}

static void
test_change__that_saves_by_itself_counts_as_updated(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    ask(&q, "term", "r1", "a", 10);
    q.u.change = save_it;
    assert_outcome(&f, &q, ROWLOCK_UPDATED);
    assert_outcome(&f, &q, ROWLOCK_UNCHANGED);
    assert_text(rlk_fake_cell(f.c, "term", 0, NAME), "saved");
    stop(&f);
}

static int
end_the_block(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    rowlock_block *inner;
    (void)r, (void)created;
    assert_int_equal(rowlock_commit(arg, err), ROWLOCK_MISUSE);
    return rowlock_savepoint(arg, &inner, err);
}

static void
test_change__cannot_end_the_block_nor_leave_one_open(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    enum rowlock_outcome outcome;
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", "r1", "a", 100);
    q.u.change = end_the_block;
    q.u.arg = f.b;
    assert_int_equal(run(&f, &q, &outcome), ROWLOCK_MISUSE);
    assert_int_equal(rowlock_commit(f.b, &f.err), ROWLOCK_ABORTED);
    stop(&f);
}

/* ---- what create and save owe to match keys ---- */

static void
test_declared__match_keys_are_locked_by_create_and_save(void **state)
{
    (void)state;
    struct fixture f;
    struct request q;
    rowlock_record *r;
    rowlock_pair values[] = {{"slug", rowlock_text("z")}};
    start_block(&f, RLK_FAKE_PLAIN);
    ask(&q, "term", "r1", "a", 1);
    assert_outcome(&f, &q, ROWLOCK_CREATED);
    (void)rlk_fake_trace(f.c);
    assert_int_equal(rowlock_record_create(f.b, "term", values, 1, &r, &f.err),
                     0);
    assert_trace(&f, "lock_keys key term.slug(z) insert record term(2)");
    assert_int_equal(rowlock_record_set(r, "slug", rowlock_text("y"), &f.err),
                     0);
    assert_int_equal(rowlock_record_save(r, &f.err), 0);
    assert_trace(&f, "lock_keys key term.slug(y) update");
    stop(&f);
}

/* ---- writes by filter ---- */

static void
test_update_where__changes_what_is_locked_and_still_matches(void **state)
{
    (void)state;
    struct fixture f;
    int64_t n;
    rowlock_value ten = rowlock_int(10);
    rowlock_term where = {"rank", ROWLOCK_EQ, &ten, 1};
    rowlock_pair values[] = {{"name", rowlock_text("x")}};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "term";
    q.where = &where;
    q.n_where = 1;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "term", 1, "r1", "a", 10);
    put(f.c, "term", 2, "r2", "b", 20);
    put(f.c, "term", 3, "r3", "c", 10);
    assert_int_equal(rowlock_update_where(f.b, &q, values, 1, &n, &f.err), 0);
    assert_int_equal(n, 2);
    assert_trace(&f, "select record term(1) record term(3) "
                     "start_write update update");
    assert_text(rlk_fake_cell(f.c, "term", 1, NAME), "b");
    assert_text(rlk_fake_cell(f.c, "term", 2, NAME), "x");
    q.wait_ms = ROWLOCK_SKIP_LOCKED;
    assert_int_equal(rowlock_commit(f.b, &f.err), 0);
    assert_int_equal(rowlock_begin(f.db, &f.b, &f.err), 0);
    rlk_fake_hold(f.c, "record term(1)");
    assert_int_equal(rowlock_delete_where(f.b, &q, &n, &f.err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(rlk_fake_count(f.c, "term"), 2);
    stop(&f);
}

static void
test_update_where__locks_keys_before_records(void **state)
{
    (void)state;
    struct fixture f;
    int64_t n;
    rowlock_value one = rowlock_int(1);
    rowlock_term where = {"id", ROWLOCK_EQ, &one, 1};
    rowlock_pair values[] = {{"slug", rowlock_text("b")}};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "tag";
    q.where = &where;
    q.n_where = 1;
    start_block(&f, RLK_FAKE_PLAIN);
    put(f.c, "tag", 1, "r1", "a", 10);
    assert_int_equal(rowlock_update_where(f.b, &q, values, 1, &n, &f.err), 0);
    assert_trace(&f, "select lock_keys key tag.slug(a) key tag.slug(b) "
                     "select record tag(1) start_write update");
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_miss__creates_with_match_values_and_creating_pairs),
        cmocka_unit_test(
            test_miss__creates_from_updating_pairs_when_none_else_are_given),
        cmocka_unit_test(
            test_hit__first_key_wins_and_only_updating_pairs_are_written),
        cmocka_unit_test(test_hit__needs_no_good_creating_pairs),
        cmocka_unit_test(test_hit__blank_remote_id_is_not_looked_up),
        cmocka_unit_test(test_all_blank__always_creates),
        cmocka_unit_test(test_composite__key_matches_as_a_whole),
        cmocka_unit_test(
            test_match_all__refuses_keys_that_hit_different_records),
        cmocka_unit_test(test_misuse__is_told_and_leaves_the_block_usable),
        cmocka_unit_test(test_keyless_engine__needs_a_unique_index_on_each_key),
        cmocka_unit_test(
            test_create__locks_all_keys_before_it_looks_and_writes),
        cmocka_unit_test(test_create__in_an_open_write_transaction_looks_once),
        cmocka_unit_test(test_hit__locks_the_record_and_looks_again),
        cmocka_unit_test(
            test_key_change__locks_old_and_new_values_before_the_record),
        cmocka_unit_test(test_wait__for_a_key_finds_what_its_holder_created),
        cmocka_unit_test(
            test_wait__for_a_key_inside_a_write_transaction_looks_again),
        cmocka_unit_test(
            test_stranger__who_creates_before_our_transaction_is_found),
        cmocka_unit_test(test_stranger__whose_insert_violates_ours_is_found),
        cmocka_unit_test(
            test_violation__of_a_column_that_is_no_match_key_is_told),
        cmocka_unit_test(test_wait__for_a_record_whose_key_changes_starts_over),
        cmocka_unit_test(
            test_wait__for_a_record_while_an_earlier_key_appears_starts_over),
        cmocka_unit_test(test_rounds__are_bounded),
        cmocka_unit_test(test_nowait__answers_at_once_and_fails_the_block),
        cmocka_unit_test(test_change__computes_from_the_locked_record),
        cmocka_unit_test(
            test_change__of_a_key_gives_the_record_back_to_lock_the_key),
        cmocka_unit_test(test_change__any_failure_fails_the_block),
        cmocka_unit_test(test_change__that_saves_by_itself_counts_as_updated),
        cmocka_unit_test(test_change__cannot_end_the_block_nor_leave_one_open),
        cmocka_unit_test(
            test_declared__match_keys_are_locked_by_create_and_save),
        cmocka_unit_test(
            test_update_where__changes_what_is_locked_and_still_matches),
        cmocka_unit_test(test_update_where__locks_keys_before_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
