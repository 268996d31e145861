/* SPDX-License-Identifier: MIT
 * Conflicts, looked at again: which of them end, how often each is looked at,
 * and that each is told once or kept. */
#include "sync/settle.h"

#include <stdlib.h>

#include "base/text.h"
#include "sync/fixture.h"

enum { CHAIN = 20 };

static struct {
    struct fixture f;
    struct rlk_work work;
    struct rlk_batch *batch;
    struct rlk_later later;
    size_t left;         /* in held, after a wait */
    struct rlk_buf told; /* "3+ 1* 2!": number and fate of each */
} it;

/* What the batch of the pass, one item, has brought to an end. */
static void
take_settled(struct rlk_batch *b, void *arg)
{
    struct rlk_item *item = &b->items[0];
    static const char signs[] = {
        [RLK_FATE_OPEN] = '?',     [RLK_FATE_CREATED] = '+',
        [RLK_FATE_UPDATED] = '*',  [RLK_FATE_UNCHANGED] = '=',
        [RLK_FATE_CONFLICT] = '!', [RLK_FATE_DEFERRED] = '^',
        [RLK_FATE_REJECTED] = '~'};
    assert_ptr_equal(arg, &it);
    if (item->told || item->fate == RLK_FATE_OPEN ||
        item->fate == RLK_FATE_CONFLICT ||
        (item->fate == RLK_FATE_DEFERRED && !item->waited_for))
        return;
    item->told = true;
    rlk_buf_format(&it.told, "%s%d%c", it.told.len ? " " : "",
                   (int)item->number, signs[item->fate]);
}

static int
set_up(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    start(&it.f);
    define(&it.f, "[rid, slug]", "{rid: /rid, slug: /slug, name: /name}");
    it.work = (struct rlk_work){
        .plan = &it.f.plan, .db = it.f.db, .settled = take_settled, .arg = &it};
    it.batch = calloc(1, sizeof *it.batch);
    assert_non_null(it.batch);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    rlk_batch_done(it.batch);
    free(it.batch);
    rlk_later_done(&it.later);
    rlk_seen_done(&it.work.seen);
    rlk_buf_done(&it.told);
    stop(&it.f);
    return 0;
}

static void
local(int id, const char *rid, const char *slug)
{
    rowlock_value values[N_COLUMNS];
    make_row(values, id, 0, rid, slug, NULL);
    rlk_fake_put(it.f.c, "t", values);
}

/* The next remote record, which is in conflict. What it points to is gone, as
 * the batch that it came in, when it is looked at again. */
static void
conflict(const char *rid, const char *slug)
{
    char json[128];
    struct rlk_item item;
    rowlock_error reason = {0};
    rlk_arena_reset(&it.batch->arena);
    snprintf(json, sizeof json, "{\"rid\":\"%s\",\"slug\":\"%s\"}", rid, slug);
    assert_int_equal(take(&it.f, json, &it.batch->arena, &item), 0);
    item.number = it.later.n + 1;
    rlk_fail(&reason, ROWLOCK_UNIQUE, "as it was");
    assert_int_equal(rlk_item_end(&item, RLK_FATE_CONFLICT, &reason,
                                  &it.batch->arena, &it.f.err),
                     0);
    assert_int_equal(rlk_later_add(&it.later, &it.f.plan, &item, &it.f.err), 0);
}

static int
settle(void)
{
    (void)rlk_fake_trace(it.f.c);
    return rlk_later_settle(&it.later, &it.work, it.batch, &it.f.err);
}

static void
assert_told(const char *expected)
{
    assert_string_equal(it.told.len ? it.told.ptr : "", expected);
}

/* ---- chains ---- */

/* Local records r1/s1, r2/s2 ...; each remote one wants its neighbour's slug,
 * by steps of one; the last wants one that is free. */
static void
make_chain(int step)
{
    char rid[16], slug[16];
    for (int i = 1; i <= CHAIN; i++) {
        snprintf(rid, sizeof rid, "r%d", i);
        snprintf(slug, sizeof slug, "s%d", i);
        local(i, rid, slug);
    }
    for (int i = 1; i <= CHAIN; i++) {
        snprintf(rid, sizeof rid, "r%d", i);
        snprintf(slug, sizeof slug, "s%d", i + step);
        conflict(rid, slug);
    }
}

static void
assert_chain_is_settled(int step)
{
    char slug[16];
    assert_int_equal(it.later.n, 0);
    for (int i = 1; i <= CHAIN; i++) {
        snprintf(slug, sizeof slug, "s%d", i + step);
        assert_cell(&it.f, (size_t)i - 1, SLUG, slug);
    }
    /* A pass that settles but one of them would begin CHAIN * CHAIN / 2. */
    assert_in_range(count_calls(&it.f, "begin"), CHAIN, 4 * CHAIN);
}

static void
test_settle__a_chain_to_the_next_settles_in_two_passes(void **state)
{
    (void)state;
    make_chain(1);
    assert_int_equal(settle(), 0);
    assert_chain_is_settled(1);
}

static void
test_settle__a_chain_to_the_one_before_settles_in_two_passes(void **state)
{
    (void)state;
    make_chain(-1);
    assert_int_equal(settle(), 0);
    assert_chain_is_settled(-1);
}

static void
test_settle__chains_both_ways_at_once_settle(void **state)
{
    (void)state;
    local(1, "a1", "a1");
    local(2, "a2", "a2");
    local(3, "b1", "b1");
    local(4, "b2", "b2");
    conflict("a1", "a2");
    conflict("b1", "b0");
    conflict("b2", "b1");
    conflict("a2", "a3");
    assert_int_equal(settle(), 0);
    assert_told("4* 2* 1* 3*");
    assert_int_equal(it.later.n, 0);
    assert_cell(&it.f, 0, SLUG, "a2");
    assert_cell(&it.f, 3, SLUG, "b1");
}

/* ---- records that somebody holds ---- */

static int
wait_for_held(void)
{
    struct rlk_later held = it.later;
    memset(&it.later, 0, sizeof it.later);
    it.f.d->wait_ms = it.work.patience_ms = 60000;
    int rc = rlk_later_wait(&held, &it.later, &it.work, it.batch, &it.f.err);
    it.left = held.n;
    rlk_later_done(&held);
    return rc;
}

static void
test_wait__each_is_written_or_kept_as_a_conflict(void **state)
{
    (void)state;
    local(1, "r1", "s1");
    local(2, "r2", "s2");
    conflict("r1", "s3"); /* as if it had been held */
    conflict("r2", "s3");
    conflict("r9", "s9");
    rlk_fake_hold(it.f.c, "record t(1)");
    assert_int_equal(wait_for_held(), 0);
    assert_told("1* 3+");
    assert_int_equal(it.left, 0);
    assert_int_equal(it.later.n, 1);
    assert_int_equal(it.later.items[0].number, 2);
    assert_string_equal(it.later.items[0].reason->detail,
                        "rid 'r2' finds t/2, slug 's3' finds t/1.");
}

static void
test_settle__waits_for_a_record_that_somebody_holds(void **state)
{
    (void)state;
    it.f.d->wait_ms = it.work.patience_ms = 60000;
    local(1, "r1", "s1");
    local(2, "r2", "s2");
    conflict("r1", "s2"); /* s2 is free once record 2, which is held, has s3 */
    conflict("r2", "s3");
    rlk_fake_hold(it.f.c, "record t(2)");
    assert_int_equal(settle(), 0);
    assert_told("2* 1*");
    assert_cell(&it.f, 0, SLUG, "s2");
}

static void
test_wait__a_failure_leaves_the_rest(void **state)
{
    (void)state;
    make_chain(1);
    rlk_fake_at(it.f.c, "begin", 5, NULL, NULL, ROWLOCK_IO);
    assert_int_equal(wait_for_held(), ROWLOCK_IO);
    assert_in_range(it.left, 1, CHAIN - 1);
    assert_int_equal(it.left + it.later.n, CHAIN);
}

/* ---- what does not settle ---- */

static void
test_settle__a_cycle_is_kept_and_not_told(void **state)
{
    (void)state;
    local(1, "r1", "s1");
    local(2, "r2", "s2");
    local(3, "r3", "s3");
    conflict("r1", "s2");
    conflict("r2", "s3");
    conflict("r3", "s1");
    assert_int_equal(settle(), 0);
    assert_told("");
    assert_int_equal(it.later.n, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(it.later.items[i].number, i + 1);
    assert_string_equal(it.later.items[0].reason->detail,
                        "rid 'r1' finds t/1, slug 's2' finds t/2.");
    assert_cell(&it.f, 0, SLUG, "s1");
    assert_in_range(count_calls(&it.f, "begin"), 3, 3);
}

static void
test_settle__what_hangs_on_a_cycle_is_kept_in_order(void **state)
{
    (void)state;
    local(1, "r1", "s1");
    local(2, "r2", "s2");
    local(3, "r3", "s3");
    local(4, "r4", "s4");
    conflict("r3", "s1");
    conflict("r1", "s2");
    conflict("r4", "s9");
    conflict("r2", "s1");
    assert_int_equal(settle(), 0);
    assert_told("3*");
    assert_int_equal(it.later.n, 3);
    assert_int_equal(it.later.items[0].number, 1);
    assert_int_equal(it.later.items[1].number, 2);
    assert_int_equal(it.later.items[2].number, 4);
}

static void
test_settle__a_reason_is_that_of_the_last_look(void **state)
{
    (void)state;
    local(1, "r1", "s1");
    local(2, "r2", "s2");
    local(3, "r3", "s3");
    conflict("r1", "s2");
    conflict("r2", "s4");
    conflict("r3", "s2");
    assert_int_equal(settle(), 0);
    assert_told("2* 1*");
    assert_int_equal(it.later.n, 1);
    assert_string_equal(it.later.items[0].reason->detail,
                        "rid 'r3' finds t/3, slug 's2' finds t/1.");
}

/* ---- how it ends ---- */

static void
test_settle__ends_as_created_updated_or_unchanged(void **state)
{
    (void)state;
    local(1, "r1", "s1");
    local(2, "r2", "s2");
    local(3, "r3", "s3");
    conflict("r9", "s1"); /* s1 is r1's, until r1 gives it up */
    conflict("r1", "s5");
    conflict("r3", "s3");
    assert_int_equal(settle(), 0);
    assert_told("3= 2* 1+");
    assert_int_equal(it.later.n, 0);
    assert_int_equal(rlk_fake_count(it.f.c, "t"), 4);
}

static void
test_settle__a_second_record_for_one_local_one_stays_a_conflict(void **state)
{
    (void)state;
    local(1, "r1", "s1");
    conflict("r1", "s2");
    conflict("r1", "s3");
    assert_int_equal(settle(), 0);
    assert_told("2*");
    assert_int_equal(it.later.n, 1);
    assert_string_equal(it.later.items[0].reason->message,
                        "another record of this run has the same local record");
    assert_cell(&it.f, 0, SLUG, "s3");
}

static void
test_settle__nothing_to_settle_costs_nothing(void **state)
{
    (void)state;
    assert_int_equal(settle(), 0);
    assert_int_equal(count_calls(&it.f, "begin"), 0);
}

static void
test_settle__a_failure_keeps_what_was_not_settled(void **state)
{
    (void)state;
    make_chain(1);
    rlk_fake_at(it.f.c, "commit", 11, NULL, NULL, ROWLOCK_IO);
    assert_int_equal(settle(), ROWLOCK_IO);
    size_t told = 0;
    for (size_t i = 0; i < it.told.len; i++)
        told += it.told.ptr[i] == '*';
    assert_in_range(told, 1, CHAIN - 1);
    assert_int_equal(told + it.later.n, CHAIN);
    for (size_t i = 0; i < it.later.n; i++)
        assert_int_equal(it.later.items[i].number, i + 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_settle__a_chain_to_the_next_settles_in_two_passes),
        TEST(test_settle__a_chain_to_the_one_before_settles_in_two_passes),
        TEST(test_settle__chains_both_ways_at_once_settle),
        TEST(test_wait__each_is_written_or_kept_as_a_conflict),
        TEST(test_settle__waits_for_a_record_that_somebody_holds),
        TEST(test_wait__a_failure_leaves_the_rest),
        TEST(test_settle__a_cycle_is_kept_and_not_told),
        TEST(test_settle__what_hangs_on_a_cycle_is_kept_in_order),
        TEST(test_settle__a_reason_is_that_of_the_last_look),
        TEST(test_settle__ends_as_created_updated_or_unchanged),
        TEST(test_settle__a_second_record_for_one_local_one_stays_a_conflict),
        TEST(test_settle__nothing_to_settle_costs_nothing),
        TEST(test_settle__a_failure_keeps_what_was_not_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
