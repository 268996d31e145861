/* SPDX-License-Identifier: MIT
 * The rules, in private memory, with owners that are only numbers. */
#include "core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "deadlock.h"
#include "log.h"
#include "name.h"
#include "session.h"

enum { ROOM = 16 * RLK_SEGMENT };

static struct world {
    struct rlk_table t;
    struct rlk_search *search;
    bool dead[RLK_OWNERS];
    uint32_t scratch[RLK_OWNERS];
} * w;

static bool
alive(void *arg, uint32_t owner, uint32_t incarnation, bool thorough)
{
    (void)incarnation, (void)thorough;
    return !((struct world *)arg)->dead[owner];
}

static bool
has_room(void *arg, uint32_t capacity)
{
    (void)arg;
    return capacity <= ROOM;
}

static int
set_up(void **state)
{
    (void)state;
    w = calloc(1, sizeof *w);
    void *map = calloc(1, rlk_file_bytes(ROOM));
    const struct rlk_world world = {alive, has_room, w};
    rlk_table_init(&w->t, map, &world);
    rlk_table_format(&w->t, ROOM);
    w->search = rlk_search_new();
    for (uint32_t i = 0; i < RLK_OWNERS; i++)
        w->t.owners[i].incarnation = 1;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    assert_false(w->t.damaged);
    rlk_search_free(w->search);
    free(w->t.map);
    free(w);
    return 0;
}

/* ---- small words for the tests ---- */

static rowlock_value values[1 << 17];

static struct rlk_id
id_of(int64_t key)
{
    struct rlk_id id = {.kind = ROWLOCK_RECORD};
    values[0] = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, values, 1};
    rlk_name_hash(&name, id.hash);
    rlk_name_label(&name, id.label);
    return id;
}

static uint32_t
lock_of(uint32_t owner, int64_t key)
{
    struct rlk_id id = id_of(key);
    uint32_t name = rlk_name_find(&w->t, id.hash);
    for (uint32_t i = w->t.owners[owner].locks; i;
         i = rlk_lock_at(&w->t, i)->own_next)
        if (name && rlk_lock_at(&w->t, i)->name == name)
            return i;
    return 0;
}

static enum rlk_answer
ask(uint32_t owner, int64_t key, enum rowlock_mode mode, bool may_wait)
{
    struct rlk_id id = id_of(key);
    uint32_t lock;
    const struct rlk_request r = {owner, lock_of(owner, key), &id, mode,
                                  may_wait};
    w->t.visits = 0;
    return rlk_request(&w->t, &r, &lock);
}

static enum rlk_answer
take(uint32_t owner, int64_t key, enum rowlock_mode mode)
{
    return ask(owner, key, mode, true);
}

static uint32_t
held(uint32_t owner, int64_t key)
{
    uint32_t lock = lock_of(owner, key);
    return lock ? rlk_held(rlk_lock_at(&w->t, lock)->word) : 0;
}

static bool
waits(uint32_t owner)
{
    return w->t.owners[owner].waiting != 0;
}

static void
drop(uint32_t owner, int64_t key)
{
    w->t.visits = 0;
    rlk_lower(&w->t, lock_of(owner, key), ROWLOCK_READ);
}

static enum rlk_found
search(uint32_t owner)
{
    enum rlk_found found = RLK_SEARCH_ON;
    rlk_search_start(w->search, owner);
    for (int i = 0; i < 1000 && found == RLK_SEARCH_ON; i++) {
        w->t.visits = 0;
        found = rlk_search_step(w->search, &w->t);
        assert_in_range(w->t.visits, 0, RLK_MOST_VISITS + 16);
    }
    return found;
}

/* ---- modes ---- */

static void
test_request__conflicts_as_in_the_contract(void **state)
{
    (void)state;
    static const int conflict[4][4] = {
        {0, 0, 0, 1}, {0, 0, 1, 1}, {0, 1, 1, 1}, {1, 1, 1, 1}};
    for (int a = 1; a <= 4; a++)
        for (int b = 1; b <= 4; b++) {
            assert_int_equal(take(1, 7, a), RLK_GRANTED);
            assert_int_equal(ask(2, 7, b, false), conflict[a - 1][b - 1]
                                                      ? RLK_MUST_WAIT
                                                      : RLK_GRANTED);
            if (held(2, 7))
                drop(2, 7);
            drop(1, 7);
        }
    assert_int_equal(w->t.h->n_names, 0);
}

static void
test_request__an_owner_never_conflicts_with_itself(void **state)
{
    (void)state;
    for (int mode = 1; mode <= 4; mode++)
        assert_int_equal(take(1, 7, mode), RLK_GRANTED);
    assert_int_equal(take(1, 7, ROWLOCK_SHARE), RLK_GRANTED);
    assert_int_equal(held(1, 7), ROWLOCK_UPDATE);
}

static void
test_nowait__leaves_nothing_behind(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_UPDATE);
    assert_int_equal(ask(2, 7, ROWLOCK_SHARE, false), RLK_MUST_WAIT);
    assert_false(waits(2));
    assert_int_equal(lock_of(2, 7), 0);
}

/* ---- order ---- */

static void
test_queue__serves_in_order_of_arrival(void **state)
{
    (void)state;
    take(0, 7, ROWLOCK_UPDATE);
    for (uint32_t i = 1; i <= 16; i++)
        take(i, 7, ROWLOCK_UPDATE);
    for (uint32_t i = 0; i < 16; i++) {
        drop(i, 7);
        assert_int_equal(held(i + 1, 7), ROWLOCK_UPDATE);
        for (uint32_t j = i + 2; j <= 16; j++)
            assert_true(waits(j));
    }
}

static void
test_queue__serves_modes_in_order_of_arrival_too(void **state)
{
    (void)state;
    take(0, 7, ROWLOCK_UPDATE);
    take(1, 7, ROWLOCK_NO_KEY_UPDATE);
    take(2, 7, ROWLOCK_UPDATE);
    take(3, 7, ROWLOCK_KEY_SHARE);
    drop(0, 7);
    assert_int_equal(held(1, 7), ROWLOCK_NO_KEY_UPDATE);
    assert_int_equal(held(3, 7), ROWLOCK_KEY_SHARE); /* conflicts with none */
    assert_true(waits(2));
}

static void
test_queue__a_compatible_request_goes_past_waiters(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_UPDATE);
    assert_int_equal(ask(3, 7, ROWLOCK_SHARE, false), RLK_GRANTED);
}

static void
test_queue__upgrade_goes_ahead_of_newcomers(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_SHARE);
    assert_int_equal(take(3, 7, ROWLOCK_UPDATE), RLK_MUST_WAIT);
    assert_int_equal(take(1, 7, ROWLOCK_UPDATE), RLK_MUST_WAIT);
    drop(2, 7);
    assert_int_equal(held(1, 7), ROWLOCK_UPDATE);
    assert_true(waits(3));
    assert_int_equal(held(3, 7), 0);
}

static void
test_queue__who_leaves_lets_others_in(void **state)
{
    (void)state;
    take(0, 7, ROWLOCK_SHARE);
    take(1, 7, ROWLOCK_UPDATE);
    w->t.owners[0].n_firm = 1;
    rlk_leave(&w->t, 1);
    assert_false(waits(1));
    assert_int_equal(take(2, 7, ROWLOCK_SHARE), RLK_GRANTED);
    drop(0, 7);
    drop(2, 7);
    assert_int_equal(w->t.h->n_names, 0);
}

static void
test_lower__wakes_who_waited_for_the_stronger_mode(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    take(1, 7, ROWLOCK_UPDATE);
    take(2, 7, ROWLOCK_SHARE);
    w->t.n_wake = 0;
    rlk_lower(&w->t, lock_of(1, 7), ROWLOCK_SHARE);
    assert_int_equal(held(1, 7), ROWLOCK_SHARE);
    assert_int_equal(held(2, 7), ROWLOCK_SHARE);
    assert_int_equal(w->t.n_wake, 1);
    assert_int_equal(w->t.wake[0], 2);
}

static void
test_hand_over__passes_a_dead_waiter_by(void **state)
{
    (void)state;
    take(0, 7, ROWLOCK_UPDATE);
    take(1, 7, ROWLOCK_UPDATE);
    take(2, 7, ROWLOCK_UPDATE);
    w->dead[1] = true;
    drop(0, 7);
    assert_int_equal(held(1, 7), 0);
    assert_int_equal(held(2, 7), ROWLOCK_UPDATE);
    w->dead[2] = true;
    drop(2, 7);
    assert_int_equal(w->t.h->n_names, 0);
}

static void
test_hand_over__the_last_waiter_is_dead(void **state)
{
    (void)state;
    take(0, 7, ROWLOCK_UPDATE);
    take(1, 7, ROWLOCK_UPDATE);
    w->dead[1] = true;
    drop(0, 7);
    assert_int_equal(w->t.h->n_names, 0);
    assert_int_equal(w->t.owners[1].locks, 0);
}

static void
test_walk_back__an_upgraded_lock_goes_back_in_one_step(void **state)
{
    (void)state;
    struct rlk_log log = {0};
    for (int mode = ROWLOCK_SHARE; mode <= ROWLOCK_UPDATE; mode += 2) {
        uint32_t before = held(1, 7);
        take(1, 7, (enum rowlock_mode)mode);
        assert_true(rlk_log_reserve(&log));
        rlk_log_add(&log, lock_of(1, 7), before, id_of(7).hash[0]);
    }
    take(2, 7, ROWLOCK_UPDATE);
    take(3, 7, ROWLOCK_SHARE);
    assert_true(rlk_log_walk_back(&log, &w->t, 0));
    assert_int_equal(held(2, 7), ROWLOCK_UPDATE); /* came first */
    assert_true(waits(3));
    rlk_log_done(&log);
}

static void
test_walk_back__to_a_savepoint_lowers_only_what_came_after(void **state)
{
    (void)state;
    struct rlk_log log = {0};
    for (int mode = ROWLOCK_KEY_SHARE; mode <= ROWLOCK_UPDATE; mode++) {
        take(1, 7, (enum rowlock_mode)mode);
        assert_true(rlk_log_reserve(&log));
        rlk_log_add(&log, lock_of(1, 7), (uint32_t)mode - 1, id_of(7).hash[0]);
    }
    assert_true(rlk_log_walk_back(&log, &w->t, 2));
    assert_int_equal(held(1, 7), ROWLOCK_SHARE);
    assert_true(rlk_log_walk_back(&log, &w->t, 0));
    assert_int_equal(held(1, 7), 0);
    rlk_log_done(&log);
}

/* ---- the gate ---- */

static void
bypass(int64_t key, int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(take(100, key, ROWLOCK_SHARE), RLK_GRANTED);
        drop(100, key);
    }
}

static void
test_gate__closes_after_64_bypasses_for_owners_without_locks(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_UPDATE);
    bypass(7, RLK_GATE);
    assert_int_equal(ask(3, 7, ROWLOCK_SHARE, false), RLK_MUST_WAIT);
    take(4, 99, ROWLOCK_SHARE); /* holds something: is let through */
    assert_int_equal(take(4, 7, ROWLOCK_SHARE), RLK_GRANTED);
    assert_int_equal(take(3, 7, ROWLOCK_SHARE), RLK_MUST_WAIT);
    drop(1, 7);
    drop(4, 7);
    assert_int_equal(held(2, 7), ROWLOCK_UPDATE); /* its turn has come */
    assert_true(waits(3));
    drop(2, 7);
    assert_int_equal(held(3, 7), ROWLOCK_SHARE);
}

static void
test_gate__opens_when_its_keeper_leaves(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_UPDATE);
    bypass(7, RLK_GATE);
    assert_int_equal(take(3, 7, ROWLOCK_SHARE), RLK_MUST_WAIT);
    rlk_leave(&w->t, 2);
    assert_int_equal(held(3, 7), ROWLOCK_SHARE);
}

/* As key 0; does not count as a lock for the gate. */
static void
take_table(uint32_t owner)
{
    struct rlk_id table = id_of(0);
    table.kind = ROWLOCK_TABLE;
    uint32_t lock;
    const struct rlk_request r = {owner, 0, &table, ROWLOCK_KEY_SHARE, true};
    assert_int_equal(rlk_request(&w->t, &r, &lock), RLK_GRANTED);
}

static void
test_gate__a_cycle_through_it_is_undone_without_a_victim(void **state)
{
    (void)state;
    take_table(3);
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_UPDATE); /* waits for 1 */
    bypass(7, RLK_GATE);
    assert_int_equal(take(3, 7, ROWLOCK_SHARE), RLK_MUST_WAIT); /* gate: 2 */
    assert_int_equal(search(3), RLK_NO_CYCLE);
    assert_int_equal(take(1, 0, ROWLOCK_UPDATE), RLK_MUST_WAIT); /* for 3 */
    assert_int_equal(search(1), RLK_NO_CYCLE);
    assert_int_equal(held(3, 7), ROWLOCK_SHARE);
    assert_true(waits(1) && waits(2));
    assert_int_equal(w->t.h->counters.deadlocks, 0);
}

static void
test_gate__a_cycle_through_its_second_keeper_is_found(void **state)
{
    (void)state;
    take_table(3);
    take(1, 7, ROWLOCK_KEY_SHARE);
    take(2, 7, ROWLOCK_SHARE);
    take(4, 7, ROWLOCK_NO_KEY_UPDATE); /* for 2 */
    take(5, 7, ROWLOCK_UPDATE);        /* for 1 and 2 */
    bypass(7, RLK_GATE);
    assert_int_equal(take(3, 7, ROWLOCK_SHARE), RLK_MUST_WAIT);  /* 4 and 5 */
    assert_int_equal(take(1, 0, ROWLOCK_UPDATE), RLK_MUST_WAIT); /* for 3 */
    assert_int_equal(search(1), RLK_NO_CYCLE);
    assert_int_equal(held(3, 7), ROWLOCK_SHARE);
    assert_int_equal(w->t.h->counters.deadlocks, 0);
}

static void
test_gate__its_keeper_is_named_to_who_does_not_wait(void **state)
{
    (void)state;
    struct rlk_blocker blocker;
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_UPDATE);
    bypass(7, RLK_GATE);
    assert_int_equal(ask(3, 7, ROWLOCK_SHARE, false), RLK_MUST_WAIT);
    uint32_t name = rlk_lock_at(&w->t, lock_of(1, 7))->name;
    assert_int_equal(rlk_blockers(&w->t, name, 3, ROWLOCK_SHARE, &blocker, 1),
                     1);
    assert_int_equal(blocker.slot, 2);
}

static void
test_blockers__one_is_found_behind_many_that_are_none(void **state)
{
    (void)state;
    struct rlk_blocker blocker;
    take(1, 7, ROWLOCK_SHARE);
    for (uint32_t i = 2; i < 2 + 2 * RLK_MOST_VISITS; i++)
        take(i, 7, ROWLOCK_KEY_SHARE);
    uint32_t name = rlk_lock_at(&w->t, lock_of(1, 7))->name;
    w->t.visits = 0;
    assert_int_equal(
        rlk_blockers(&w->t, name, 2000, ROWLOCK_NO_KEY_UPDATE, &blocker, 1), 1);
    assert_int_equal(blocker.slot, 1);
}

/* ---- deadlocks ---- */

static void
ring(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        take(i, i, ROWLOCK_UPDATE);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(take(i, (i + 1) % n, ROWLOCK_UPDATE), RLK_MUST_WAIT);
        assert_int_equal(search(i), i + 1 == n ? RLK_CYCLE : RLK_NO_CYCLE);
    }
    for (uint32_t i = 0; i + 1 < n; i++)
        assert_int_equal(search(i), RLK_NO_CYCLE); /* one victim only */
}

static void
test_deadlock__the_one_that_closed_the_cycle_finds_it(void **state)
{
    tear_down(state);
    static const uint32_t sizes[] = {2, 3, 8, 600};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        set_up(state);
        ring(sizes[i]);
        tear_down(state);
    }
    set_up(state);
}

static void
test_deadlock__two_sharers_that_both_upgrade(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_SHARE);
    take(1, 7, ROWLOCK_UPDATE);
    assert_int_equal(search(1), RLK_NO_CYCLE);
    take(2, 7, ROWLOCK_UPDATE);
    assert_int_equal(search(2), RLK_CYCLE);
    char text[512];
    rlk_search_describe(w->search, &w->t, text, sizeof text);
    assert_non_null(strstr(text, "waits for UPDATE on t/7, held by"));
}

static void
test_deadlock__a_queue_alone_makes_none(void **state)
{
    (void)state;
    /* 2 waits ahead of 1 for what 3 holds; 3 waits for 1. Served in order of
     * arrival it would be a cycle: 1 - 2 - 3 - 1. */
    take(3, 7, ROWLOCK_KEY_SHARE);
    take(4, 7, ROWLOCK_SHARE);
    take(1, 8, ROWLOCK_UPDATE);
    take(2, 7, ROWLOCK_UPDATE);        /* for 3 and 4 */
    take(1, 7, ROWLOCK_NO_KEY_UPDATE); /* for 4; behind 2 */
    take(3, 8, ROWLOCK_UPDATE);        /* for 1 */
    assert_int_equal(search(3), RLK_NO_CYCLE);
    drop(4, 7);
    assert_int_equal(held(1, 7), ROWLOCK_NO_KEY_UPDATE);
    assert_true(waits(2));
}

/* ---- many ---- */

static void
test_reap__gives_back_in_pieces(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    for (int i = 0; i < MANY; i++)
        assert_int_equal(take(1, i, ROWLOCK_UPDATE), RLK_GRANTED);
    take(2, MANY / 2, ROWLOCK_UPDATE);
    int pieces = 0;
    for (bool done = false; !done; pieces++) {
        w->t.visits = 0;
        done = rlk_reap(&w->t, 1, 1);
        assert_in_range(w->t.visits, 0, RLK_MOST_VISITS + 16);
    }
    assert_in_range(pieces, MANY / RLK_MOST_VISITS, MANY);
    assert_int_equal(held(2, MANY / 2), ROWLOCK_UPDATE);
    assert_int_equal(w->t.owners[1].incarnation, 2);
    assert_int_equal(w->t.h->n_names, 1);
}

static void
test_pump__grants_many_in_pieces(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    take(0, 7, ROWLOCK_UPDATE);
    for (uint32_t i = 1; i <= MANY; i++)
        take(i, 7, ROWLOCK_SHARE);
    drop(0, 7);
    for (uint32_t next; waits(next = w->t.wake[w->t.n_wake - 1]);) {
        assert_in_range(w->t.visits, 0, RLK_MOST_VISITS + 16);
        w->t.n_wake = w->t.visits = 0; /* who is woken goes on */
        rlk_pump(&w->t, rlk_lock_at(&w->t, w->t.owners[next].waiting)->name);
    }
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(held(i, 7), ROWLOCK_SHARE);
}

static void
test_names__are_found_while_the_buckets_grow(void **state)
{
    (void)state;
    for (int i = 1; i < ROOM; i++)
        assert_int_equal(take(1, i, ROWLOCK_SHARE), RLK_GRANTED);
    assert_int_equal(take(1, ROOM, ROWLOCK_SHARE), RLK_NO_ROOM);
    for (int i = 1; i < ROOM; i++) {
        struct rlk_id id = id_of(i);
        assert_int_not_equal(rlk_name_find(&w->t, id.hash), 0);
    }
    assert_in_range(w->t.h->n_buckets, ROOM - 1, ROOM);
}

/* ---- any order of events ---- */

enum { OWNERS = 9, KEYS = 4 };

/* All that one can see: who holds what, who waits for what, in what order. */
static uint32_t
picture(uint32_t *ret)
{
    uint32_t n = 0;
    for (uint32_t o = 0; o < OWNERS; o++)
        for (int k = 0; k < KEYS; k++) {
            uint32_t lock = lock_of(o, k);
            ret[n++] = lock ? rlk_lock_at(&w->t, lock)->word : 0;
        }
    return n;
}

static void
check_invariants(void)
{
    for (uint32_t o = 0; o < OWNERS; o++)
        for (uint32_t p = 0; p < o; p++)
            for (int k = 0; k < KEYS; k++)
                assert_false(rlk_conflict(held(o, k), held(p, k)));
    for (uint32_t o = 0; o < OWNERS; o++) {
        uint32_t index = w->t.owners[o].waiting, keepers[RLK_LINES];
        if (index == 0 || !rlk_compatible(&w->t, index))
            continue;
        const struct rlk_lock *lock = rlk_lock_at(&w->t, index);
        const struct rlk_name *name = rlk_name_at(&w->t, lock->name);
        assert_int_not_equal(rlk_gate_keepers(&w->t, name, rlk_want(lock->word),
                                              lock->ticket, keepers),
                             0);
    }
}

static void
check_rebuild(void)
{
    uint32_t before[OWNERS * KEYS], after[OWNERS * KEYS];
    uint32_t n_names = w->t.h->n_names;
    uint32_t n = picture(before);
    rlk_rebuild(&w->t, w->scratch);
    picture(after);
    assert_memory_equal(before, after, n * sizeof *before);
    assert_int_equal(w->t.h->n_names, n_names);
}

static void
one_event(uint32_t r)
{
    uint32_t owner = r % OWNERS;
    int key = (int)(r / 16 % KEYS);
    if (waits(owner)) {
        if (r >> 28 == 0)
            rlk_leave(&w->t, owner);
    } else if (r >> 10 & 1) {
        enum rowlock_mode mode = (enum rowlock_mode)(r / 2048 % 4 + 1);
        if (take(owner, key, mode) == RLK_MUST_WAIT &&
            search(owner) == RLK_CYCLE)
            rlk_leave(&w->t, owner);
    } else if (held(owner, key)) {
        uint32_t mode = r / 2048 % (held(owner, key));
        rlk_lower(&w->t, lock_of(owner, key), (enum rowlock_mode)mode);
    }
    w->t.n_wake = w->t.visits = 0;
}

static void
test_random__invariants_hold_after_each_event(void **state)
{
    (void)state;
    unsigned seed = 20;
    for (int i = 0; i < 60000; i++) {
        one_event((uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed));
        check_invariants();
        if (i % 64 == 0)
            check_rebuild();
        assert_false(w->t.damaged);
    }
    assert_in_range(w->t.h->counters.deadlocks, 100, 60000);
    for (uint32_t o = 0; o < OWNERS; o++)
        while (!rlk_reap(&w->t, o, 1))
            w->t.visits = 0;
    assert_int_equal(w->t.h->n_names, 0);
}

static void
test_damage__gives_an_answer_whatever_the_bytes(void **state)
{
    unsigned seed = 4;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 200; i++)
            one_event((uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed));
        size_t used = rlk_file_bytes(RLK_SEGMENT);
        for (int i = 0; i < 20; i++) {
            size_t at = (size_t)rand_r(&seed) * 7919 % used;
            w->t.map[at] = (unsigned char)rand_r(&seed);
        }
        for (int i = 0; i < 30; i++) {
            struct rlk_lock *lock = rlk_lock_at(&w->t, 1 + i % 12);
            uint32_t *words = (uint32_t *)lock;
            words[(size_t)rand_r(&seed) % 12] ^= (uint32_t)rand_r(&seed);
        }
        for (int i = 0; i < 50; i++) {
            uint32_t owner = (uint32_t)i % OWNERS, lock;
            struct rlk_id id = id_of(i % KEYS);
            const struct rlk_request r = {owner, 0, &id, ROWLOCK_UPDATE, true};
            if (w->t.owners[owner].waiting == 0)
                rlk_request(&w->t, &r, &lock);
            rlk_leave(&w->t, owner);
            rlk_reap(&w->t, owner, w->t.owners[owner].incarnation);
        }
        rlk_rebuild(&w->t, w->scratch);
        w->t.damaged = false;
        tear_down(state);
        set_up(state);
    }
}

/* Damage was found; the next test shall not see it. */
static void
forgive(void)
{
    assert_true(w->t.damaged);
    w->t.damaged = false;
}

static void
test_damage__a_list_that_bites_its_tail_ends_a_search(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_KEY_SHARE);
    take(2, 7, ROWLOCK_SHARE);
    take(3, 7, ROWLOCK_NO_KEY_UPDATE); /* for 2 */
    struct rlk_lock *lock = rlk_lock_at(&w->t, lock_of(1, 7));
    lock->peer_next = lock_of(1, 7);
    uint32_t name = lock->name;
    assert_int_equal(search(3), RLK_NO_CYCLE);
    struct rlk_blocker blocker;
    rlk_name_at(&w->t, name)->holders = lock_of(1, 7);
    rlk_blockers(&w->t, name, 3, ROWLOCK_NO_KEY_UPDATE, &blocker, 1);
    forgive();
}

static void
test_damage__a_lock_of_another_ends_a_burial(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    take(2, 7, ROWLOCK_SHARE);
    w->t.owners[1].locks = lock_of(2, 7);
    w->t.visits = 0;
    assert_true(rlk_reap(&w->t, 1, 1));
    forgive();
}

static void
test_damage__a_lock_of_nobody_is_not_waited_for(void **state)
{
    (void)state;
    struct rlk_blocker blocker;
    take(1, 7, ROWLOCK_UPDATE);
    uint32_t name = rlk_lock_at(&w->t, lock_of(1, 7))->name;
    w->t.owners[1].incarnation = 2;
    rlk_blockers(&w->t, name, 3, ROWLOCK_UPDATE, &blocker, 1);
    forgive();
}

static void
test_damage__a_count_beyond_the_table_is_not_grown_for(void **state)
{
    (void)state;
    take(1, 7, ROWLOCK_SHARE);
    w->t.h->used_locks = UINT32_MAX - 1;
    take(1, 8, ROWLOCK_SHARE);
    forgive();
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_request__conflicts_as_in_the_contract),
        TEST(test_request__an_owner_never_conflicts_with_itself),
        TEST(test_nowait__leaves_nothing_behind),
        TEST(test_queue__serves_in_order_of_arrival),
        TEST(test_queue__serves_modes_in_order_of_arrival_too),
        TEST(test_queue__a_compatible_request_goes_past_waiters),
        TEST(test_queue__upgrade_goes_ahead_of_newcomers),
        TEST(test_queue__who_leaves_lets_others_in),
        TEST(test_lower__wakes_who_waited_for_the_stronger_mode),
        TEST(test_hand_over__passes_a_dead_waiter_by),
        TEST(test_hand_over__the_last_waiter_is_dead),
        TEST(test_walk_back__an_upgraded_lock_goes_back_in_one_step),
        TEST(test_walk_back__to_a_savepoint_lowers_only_what_came_after),
        TEST(test_gate__closes_after_64_bypasses_for_owners_without_locks),
        TEST(test_gate__opens_when_its_keeper_leaves),
        TEST(test_gate__a_cycle_through_it_is_undone_without_a_victim),
        TEST(test_gate__a_cycle_through_its_second_keeper_is_found),
        TEST(test_gate__its_keeper_is_named_to_who_does_not_wait),
        TEST(test_blockers__one_is_found_behind_many_that_are_none),
        TEST(test_deadlock__the_one_that_closed_the_cycle_finds_it),
        TEST(test_deadlock__two_sharers_that_both_upgrade),
        TEST(test_deadlock__a_queue_alone_makes_none),
        TEST(test_reap__gives_back_in_pieces),
        TEST(test_pump__grants_many_in_pieces),
        TEST(test_names__are_found_while_the_buckets_grow),
        TEST(test_random__invariants_hold_after_each_event),
        TEST(test_damage__gives_an_answer_whatever_the_bytes),
        TEST(test_damage__a_list_that_bites_its_tail_ends_a_search),
        TEST(test_damage__a_lock_of_another_ends_a_burial),
        TEST(test_damage__a_lock_of_nobody_is_not_waited_for),
        TEST(test_damage__a_count_beyond_the_table_is_not_grown_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
