/* SPDX-License-Identifier: MIT
 * The rounds of a batch over the driver for tests: how many blocks it takes,
 * who is waited for, what strangers do between a look and its write. */
#include "sync/batch.h"

#include <stdlib.h>

#include "base/text.h"
#include "sync/fixture.h"

enum { TRIES = 50, LONG_MS = 30 };

static struct {
    struct fixture f;
    struct rlk_work work;
    struct rlk_batch *batch;
} it;

static int
set_up(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    start(&it.f);
    define(&it.f, "[rid, slug]", "{rid: /rid, slug: /slug, name: /name}");
    it.work = (struct rlk_work){.plan = &it.f.plan, .db = it.f.db};
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
    rlk_seen_done(&it.work.seen);
    stop(&it.f);
    return 0;
}

static void
add(const char *rid, const char *slug, const char *name)
{
    char json[128];
    struct rlk_item *item = &it.batch->items[it.batch->n++];
    snprintf(json, sizeof json,
             "{\"rid\":\"%s\",\"slug\":\"%s\",\"name\":\"%s\"}", rid, slug,
             name);
    assert_int_equal(take(&it.f, json, &it.batch->arena, item), 0);
    item->number = it.batch->n;
    item->failure = &it.batch->failures[it.batch->n - 1];
}

static void
run(void)
{
    (void)rlk_fake_trace(it.f.c);
    if (rlk_batch_run(it.batch, &it.work, &it.f.err))
        fail_msg("%s", it.f.err.message);
}

/* ---- sharing the writer ---- */

/* Somebody else has it, for longer than a polite run keeps it. */
static void
be_long(struct rlk_conn *c, void *arg)
{
    (void)c;
    (void)arg;
    int64_t now = rlk_now_ms();
    while (rlk_now_ms() < now + LONG_MS)
        ;
}

/* In one block after the look, if the machine lets two inserts follow each
 * other at once. */
static bool
writes_both_at_once(int i)
{
    char rid[2][16];
    rlk_batch_reset(it.batch);
    for (int j = 0; j < 2; j++) {
        snprintf(rid[j], sizeof rid[j], "%d.%d", i, j);
        add(rid[j], rid[j], "x");
    }
    rlk_fake_at(it.f.c, "start_write", 1, be_long, NULL, 0);
    run();
    return count_calls(&it.f, "commit") == 2;
}

static void
test_batch__time_in_which_others_have_the_writer_is_not_its_own(void **state)
{
    (void)state;
    int i = 0;
    while (i < TRIES && !writes_both_at_once(i))
        i++;
    assert_in_range(i, 0, TRIES - 1);
}

/* ---- what others hold ---- */

static void
local(int id, const char *rid, const char *slug)
{
    rowlock_value values[N_COLUMNS];
    make_row(values, id, 0, rid, slug, NULL);
    rlk_fake_put(it.f.c, "t", values);
}

static void
note_wait(struct rlk_conn *c, void *arg)
{
    (void)c;
    *(int *)arg += 1;
}

static void
test_batch__leaves_what_is_held_and_waits_only_when_told_to(void **state)
{
    (void)state;
    int waits = 0;
    local(1, "1", "a");
    local(2, "2", "b");
    add("1", "a", "x");
    add("2", "b", "x");
    rlk_fake_hold(it.f.c, "record t(1)");
    rlk_fake_on_wait(it.f.c, note_wait, &waits);
    it.f.d->wait_ms = it.work.patience_ms = 60000;
    run();
    assert_int_equal(it.batch->items[0].fate, RLK_FATE_DEFERRED);
    assert_string_equal(it.batch->items[0].reason->sqlstate, "55P03");
    assert_int_equal(it.batch->items[1].fate, RLK_FATE_UPDATED);
    assert_cell(&it.f, 0, NAME, NULL);
    assert_cell(&it.f, 1, NAME, "x");
    assert_int_equal(waits, 0);
    assert_int_equal(rlk_batch_wait(it.batch, &it.work, &it.f.err), 0);
    assert_int_equal(waits, 1);
    assert_int_equal(it.batch->items[0].fate, RLK_FATE_UPDATED);
    assert_cell(&it.f, 0, NAME, "x");
}

static void
test_batch__what_is_still_held_stays_deferred(void **state)
{
    (void)state;
    local(1, "1", "a");
    add("1", "a", "x");
    rlk_fake_hold(it.f.c, "record t(1)");
    it.f.d->wait_ms = -1;
    run();
    assert_false(it.batch->items[0].waited_for);
    assert_int_equal(rlk_batch_wait(it.batch, &it.work, &it.f.err), 0);
    assert_int_equal(it.batch->items[0].fate, RLK_FATE_DEFERRED);
    assert_true(it.batch->items[0].waited_for);
    assert_string_equal(it.batch->items[0].reason->message,
                        "somebody holds record t(1)");
}

static void
test_batch__waits_for_its_turn_as_long_as_for_records(void **state)
{
    (void)state;
    it.work.patience_ms = 60000;
    add("1", "a", "x");
    for (int i = 1; i <= 3; i++)
        rlk_fake_at(it.f.c, "start_write", i, NULL, NULL,
                    ROWLOCK_NOT_AVAILABLE);
    run();
    assert_int_equal(it.batch->items[0].fate, RLK_FATE_CREATED);
}

static void
test_batch__without_its_turn_fails_and_defers_nothing(void **state)
{
    (void)state;
    it.work.patience_ms = 0;
    add("1", "a", "x");
    add("2", "b", "x");
    rlk_fake_at(it.f.c, "start_write", 1, NULL, NULL, ROWLOCK_NOT_AVAILABLE);
    assert_int_equal(rlk_batch_run(it.batch, &it.work, &it.f.err),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(it.f.err.sqlstate, RLK_NO_TURN);
    assert_int_equal(it.batch->items[0].fate, RLK_FATE_OPEN);
    assert_int_equal(it.batch->items[1].fate, RLK_FATE_OPEN);
    assert_int_equal(rlk_fake_count(it.f.c, "t"), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_batch__time_in_which_others_have_the_writer_is_not_its_own),
        TEST(test_batch__leaves_what_is_held_and_waits_only_when_told_to),
        TEST(test_batch__what_is_still_held_stays_deferred),
        TEST(test_batch__waits_for_its_turn_as_long_as_for_records),
        TEST(test_batch__without_its_turn_fails_and_defers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
