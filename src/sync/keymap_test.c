/* SPDX-License-Identifier: MIT
 * A match key without an index: read once, never trusted. Strangers, who take
 * no locks, change the table behind the map and behind the look: nothing is
 * made twice, and no other record is written into. */
#include "sync/keymap.h"

#include <stdlib.h>

#include "base/scarce.h"
#include "base/text.h"
#include "sync/batch.h"
#include "sync/fixture.h"

static struct {
    struct fixture f;
    struct rlk_work work;
    struct rlk_batch *batch;
    size_t slow; /* keys that were told, as bits */
} it;

static void
take_slow(size_t k, void *arg)
{
    (void)arg;
    it.slow |= (size_t)1 << k;
}

static void
use_fields(const char *match, const char *fields)
{
    const struct rlk_keymap_told told = {take_slow, NULL};
    define(&it.f, match, fields);
    it.work = (struct rlk_work){.plan = &it.f.plan, .db = it.f.db};
    assert_int_equal(
        rlk_keymap_open(&it.f.plan, it.f.db, &told, &it.work.keymap, &it.f.err),
        0);
}

static void
use(const char *match)
{
    use_fields(match, "{rid: /rid, slug: /slug, name: /name}");
}

static int
set_up(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    start_over(&it.f, RLK_FAKE_FAST);
    it.batch = calloc(1, sizeof *it.batch);
    assert_non_null(it.batch);
    use("[rid]");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    rlk_batch_done(it.batch);
    free(it.batch);
    rlk_seen_done(&it.work.seen);
    rlk_keymap_close(it.work.keymap);
    stop(&it.f);
    return 0;
}

static void
add(const char *rid, const char *slug, const char *name)
{
    char json[128];
    struct rlk_item *item = &it.batch->items[it.batch->n];
    snprintf(json, sizeof json,
             "{\"rid\":\"%s\",\"slug\":\"%s\",\"name\":\"%s\"}", rid, slug,
             name);
    assert_int_equal(take(&it.f, json, &it.batch->arena, item), 0);
    item->failure = &it.batch->failures[it.batch->n++];
    item->number = it.batch->n;
}

static void
run(void)
{
    if (rlk_batch_run(it.batch, &it.work, &it.f.err))
        fail_msg("%s", it.f.err.message);
}

/* A batch of one record; its fate. */
static enum rlk_fate
run_one(const char *rid, const char *slug, const char *name)
{
    rlk_batch_reset(it.batch);
    add(rid, slug, name);
    run();
    return it.batch->items[0].fate;
}

static unsigned
reads(void)
{
    return rlk_keymap_reads(it.work.keymap);
}

static void
put_row(int id, const char *rid, const char *slug, const char *name)
{
    rowlock_value values[N_COLUMNS];
    make_row(values, id, 0, rid, slug, name);
    rlk_fake_put(it.f.c, "t", values);
}

static void
assert_rows(size_t n)
{
    assert_int_equal(rlk_fake_count(it.f.c, "t"), n);
}

/* ---- once ---- */

static void
test_keymap__the_table_is_read_once_for_all_that_the_run_writes(void **state)
{
    (void)state;
    put_row(1, "a", "a", "old");
    assert_int_equal(run_one("a", "a", "new"), RLK_FATE_UPDATED);
    assert_int_equal(run_one("b", "b", "x"), RLK_FATE_CREATED);
    assert_int_equal(run_one("c", "c", "x"), RLK_FATE_CREATED);
    assert_int_equal(run_one("b", "b", "x"), RLK_FATE_UNCHANGED);
    assert_int_equal(run_one("a", "a", "new"), RLK_FATE_UNCHANGED);
    assert_rows(3);
    assert_int_equal(reads(), 1);
}

static void
test_keymap__a_key_that_the_run_gives_away_is_free(void **state)
{
    (void)state;
    rlk_keymap_close(it.work.keymap);
    use("[rid, slug]");
    assert_int_equal(it.slow, 3);
    put_row(1, "a", "one", "x");
    assert_int_equal(run_one("a", "two", "x"), RLK_FATE_UPDATED);
    assert_int_equal(run_one("b", "one", "x"), RLK_FATE_CREATED);
    assert_int_equal(run_one("a", "two", "x"), RLK_FATE_UNCHANGED);
    assert_rows(2);
    assert_cell(&it.f, 0, SLUG, "two");
    assert_cell(&it.f, 1, SLUG, "one");
    assert_int_equal(reads(), 1);
}

static void
test_keymap__a_key_that_the_batch_itself_has_taken_is_not_free(void **state)
{
    (void)state;
    rlk_keymap_close(it.work.keymap);
    use("[rid, name]"); /* slug's values are not told apart by their bytes */
    put_row(1, "a", "x", "one");
    add("a", "x", "two");
    add("b", "x", "two");
    add("c", "x", "three");
    run();
    assert_int_equal(it.batch->items[0].fate, RLK_FATE_UPDATED);
    assert_int_equal(it.batch->items[1].fate, RLK_FATE_CONFLICT);
    assert_int_equal(it.batch->items[2].fate, RLK_FATE_CREATED);
    assert_rows(2);
}

static void
test_keymap__a_record_that_got_another_primary_key_is_still_found(void **state)
{
    (void)state;
    rlk_keymap_close(it.work.keymap);
    use_fields("[rid]", "{rid: /rid, id: /slug, name: /name}");
    put_row(1, "a", "x", "one");
    assert_int_equal(run_one("a", "7", "two"), RLK_FATE_UPDATED);
    assert_int_equal(run_one("a", "7", "two"), RLK_FATE_UNCHANGED);
    assert_int_equal(run_one("a", "8", "two"), RLK_FATE_CONFLICT);
    assert_rows(1);
    assert_int_equal(rlk_fake_cell(it.f.c, "t", 0, ID).u.i, 7);
}

static void
test_keymap__what_was_rolled_back_is_not_there(void **state)
{
    (void)state;
    rlk_fake_at(it.f.c, "commit", 2, NULL, NULL, ROWLOCK_IO);
    add("a", "a", "x");
    assert_int_equal(rlk_batch_run(it.batch, &it.work, &it.f.err), ROWLOCK_IO);
    assert_rows(0);
    assert_int_equal(run_one("a", "a", "x"), RLK_FATE_CREATED);
    assert_rows(1);
}

static void
test_keymap__of_several_records_the_first_is_meant(void **state)
{
    (void)state;
    put_row(1, "a", "a", "x");
    put_row(2, "a", "b", "x");
    assert_int_equal(run_one("a", "a", "new"), RLK_FATE_UPDATED);
    assert_cell(&it.f, 0, NAME, "new");
    assert_cell(&it.f, 1, NAME, "x");
}

static void
test_keymap__is_not_made_where_keys_have_an_index(void **state)
{
    (void)state;
    static const uint32_t rid_column[] = {RID};
    static const struct rlk_index index = {
        .name = "i", .columns = rid_column, .n_columns = 1};
    struct rlk_table indexed = table;
    struct rlk_keymap *m;
    indexed.name = "t";
    indexed.indexes = &index;
    indexed.n_indexes = 1;
    tear_down(NULL);
    memset(&it, 0, sizeof it);
    start_over(&it.f, RLK_FAKE_FAST);
    it.batch = calloc(1, sizeof *it.batch);
    struct rlk_conn *c = rlk_fake_open(RLK_FAKE_FAST);
    rowlock_db *db;
    rlk_fake_add_table(c, &indexed);
    assert_int_equal(rlk_session_new(c, NULL, &db, &it.f.err), 0);
    define(&it.f, "[rid]", "{rid: /rid}");
    assert_int_equal(rlk_keymap_open(&it.f.plan, db, NULL, &m, &it.f.err), 0);
    assert_null(m);
    rowlock_close(db);
}

/* ---- strangers between two batches ---- */

static void
test_keymap__a_stale_miss_is_looked_for_again(void **state)
{
    (void)state;
    assert_int_equal(run_one("a", "a", "x"), RLK_FATE_CREATED);
    put_row(7, "b", "b", "theirs");
    assert_int_equal(run_one("b", "b", "ours"), RLK_FATE_UPDATED);
    assert_rows(2);
    assert_cell(&it.f, 1, NAME, "ours");
    assert_int_equal(reads(), 2);
}

static void
test_keymap__a_stale_hit_is_not_written_into(void **state)
{
    (void)state;
    put_row(1, "a", "a", "one");
    put_row(2, "b", "b", "two");
    assert_int_equal(run_one("a", "a", "one"), RLK_FATE_UNCHANGED);
    rlk_fake_change(it.f.c, "t", 0, RID, rowlock_text("z"));
    rlk_fake_change(it.f.c, "t", 1, RID, rowlock_text("a"));
    assert_int_equal(run_one("a", "a", "new"), RLK_FATE_UPDATED);
    assert_cell(&it.f, 0, NAME, "one");
    assert_cell(&it.f, 1, NAME, "new");
    assert_rows(2);
    assert_int_equal(run_one("z", "a", "one"), RLK_FATE_UNCHANGED);
}

static void
test_keymap__a_hit_needs_no_new_reading(void **state)
{
    (void)state;
    put_row(1, "a", "a", "x");
    put_row(2, "b", "b", "x");
    assert_int_equal(run_one("a", "a", "x"), RLK_FATE_UNCHANGED);
    put_row(3, "c", "c", "x");
    assert_int_equal(run_one("b", "b", "new"), RLK_FATE_UPDATED);
    assert_int_equal(reads(), 1);
}

/* ---- strangers between a look and its write ---- */

static void
make_b(struct rlk_conn *c, void *arg)
{
    (void)c;
    (void)arg;
    put_row(7, "b", "b", "theirs");
}

static void
test_keymap__a_miss_that_is_stale_at_the_write_makes_no_duplicate(void **state)
{
    (void)state;
    rlk_fake_at(it.f.c, "start_write", 1, make_b, NULL, 0);
    assert_int_equal(run_one("b", "b", "ours"), RLK_FATE_UPDATED);
    assert_rows(1);
    assert_cell(&it.f, 0, NAME, "ours");
}

static void
move_a(struct rlk_conn *c, void *arg)
{
    (void)arg;
    rlk_fake_change(c, "t", 0, RID, rowlock_text("z"));
}

static void
test_keymap__a_hit_that_is_stale_at_the_write_is_not_written_into(void **state)
{
    (void)state;
    put_row(1, "a", "a", "one");
    rlk_fake_at(it.f.c, "start_write", 1, move_a, NULL, 0);
    assert_int_equal(run_one("a", "a", "new"), RLK_FATE_CREATED);
    assert_rows(2);
    assert_cell(&it.f, 0, NAME, "one");
    assert_cell(&it.f, 1, NAME, "new");
}

static int commits; /* of strangers */

static void
commit_something(struct rlk_conn *c, void *arg)
{
    (void)c;
    (void)arg;
    char name[16];
    snprintf(name, sizeof name, "s%d", commits);
    put_row(100 + commits++, name, name, "x");
}

/* Whoever writes at each of our steps does not stop us: at last we look with
 * the writer in hand. */
static void
test_keymap__others_that_are_always_faster_do_not_stop_it(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++)
        rlk_fake_at(it.f.c, "start_write", i, commit_something, NULL, 0);
    add("a", "a", "x");
    add("s2", "s2", "ours");
    run();
    assert_int_equal(it.batch->items[0].fate, RLK_FATE_CREATED);
    assert_int_equal(it.batch->items[1].fate, RLK_FATE_UPDATED);
    assert_int_equal(commits, 3);
    assert_rows(4);
}

/* ---- memory ---- */

static int
run_scarcely(int n)
{
    set_up(NULL);
    put_row(1, "a", "a", "x");
    add("a", "a", "new");
    add("b", "b", "x");
    rlk_scarce_begin_once(n);
    int rc = rlk_batch_run(it.batch, &it.work, &it.f.err);
    rlk_scarce_end();
    tear_down(NULL);
    return rc;
}

static void
test_keymap__any_allocation_may_fail(void **state)
{
    (void)state;
    int rc = ROWLOCK_NO_MEMORY;
    for (int n = 0; rc; n++) {
        rc = run_scarcely(n);
        assert_true(rc == 0 || rc == ROWLOCK_NO_MEMORY);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_keymap__the_table_is_read_once_for_all_that_the_run_writes),
        TEST(test_keymap__a_key_that_the_run_gives_away_is_free),
        TEST(test_keymap__a_key_that_the_batch_itself_has_taken_is_not_free),
        TEST(test_keymap__a_record_that_got_another_primary_key_is_still_found),
        TEST(test_keymap__what_was_rolled_back_is_not_there),
        TEST(test_keymap__of_several_records_the_first_is_meant),
        TEST(test_keymap__is_not_made_where_keys_have_an_index),
        TEST(test_keymap__a_stale_miss_is_looked_for_again),
        TEST(test_keymap__a_stale_hit_is_not_written_into),
        TEST(test_keymap__a_hit_needs_no_new_reading),
        TEST(test_keymap__a_miss_that_is_stale_at_the_write_makes_no_duplicate),
        TEST(test_keymap__a_hit_that_is_stale_at_the_write_is_not_written_into),
        TEST(test_keymap__others_that_are_always_faster_do_not_stop_it),
        cmocka_unit_test(test_keymap__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
