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
}

static void
run(void)
{
    (void)rlk_fake_trace(it.f.c);
    if (rlk_batch_run(it.batch, &it.work, &it.f.err))
        fail_msg("%s", it.f.err.message);
}

/* Of looks and of writes. */
static unsigned
blocks(void)
{
    unsigned n = 0;
    const char *at = rlk_fake_trace(it.f.c);
    while ((at = strstr(at, "commit"))) {
        n++;
        at++;
    }
    return n;
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
    return blocks() == 2;
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

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_batch__time_in_which_others_have_the_writer_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
