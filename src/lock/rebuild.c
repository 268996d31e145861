/* SPDX-License-Identifier: MIT
 * Rebuilding: who took the latch from the dead makes all that is derived anew
 * from the array of locks. Dying in here is harmless: the next one starts from
 * the same truth. The one step that changes the truth is to free locks whose
 * owner is over. */
#include "core.h"
#include "lists.h"

static void
clear_derived(struct rlk_table *t)
{
    struct rlk_header *h = t->h;
    if (h->n_buckets < RLK_SEGMENT || !rlk_in_reach(t, h->n_buckets - 1))
        RLK_PUT(h->n_buckets, RLK_SEGMENT);
    for (uint32_t i = 0; i < h->n_buckets && !t->damaged; i++)
        RLK_PUT(*rlk_bucket_at(t, i), 0);
    for (uint32_t i = 0; i < RLK_OWNERS; i++) {
        struct rlk_owner *owner = &t->owners[i];
        RLK_PUT(owner->locks, 0);
        RLK_PUT(owner->n_firm, 0);
        RLK_PUT(owner->waiting, 0);
        RLK_PUT(t->queues[i].next_free, i + 1 < RLK_OWNERS ? i + 2 : 0);
    }
    RLK_PUT(h->free_queue, 1);
    RLK_PUT(h->free_lock, 0);
    RLK_PUT(h->free_name, 0);
    RLK_PUT(h->n_names, 0);
}

static void
clear_name(struct rlk_name *name)
{
    RLK_PUT(name->holders, 0);
    RLK_PUT(name->queue, 0);
    RLK_PUT(name->n_locks, 0);
    for (int i = 0; i < RLK_MODES; i++)
        RLK_PUT(name->held[i], 0);
}

/* A lock counts when its owner is still the one that took it. */
static bool
is_true(struct rlk_table *t, const struct rlk_lock *lock)
{
    uint32_t held = rlk_held(lock->word), want = rlk_want(lock->word);
    if (lock->owner >= RLK_OWNERS || lock->name == 0 ||
        lock->name >= t->h->used_names || held > RLK_MODES ||
        want > RLK_MODES || held + want == 0) {
        t->damaged = true;
        return false;
    }
    return t->owners[lock->owner].incarnation == lock->incarnation &&
           (lock->incarnation & 1);
}

/* Hang one lock into all that is derived, but for the queue. */
static void
restore_lock(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_name *name = rlk_name_at(t, lock->name);
    uint32_t held = rlk_held(lock->word);
    if (name->n_locks == 0)
        rlk_name_link(t, lock->name);
    RLK_PUT(name->n_locks, name->n_locks + 1);
    rlk_link_owned(t, index);
    if (held) {
        RLK_PUT(name->held[held - 1], name->held[held - 1] + 1);
        rlk_link_holder(t, index);
    }
}

/* Keep the waiting locks in order of tickets, by insertion. */
static void
insert_waiter(struct rlk_table *t, uint32_t *waiters, uint32_t n,
              uint32_t index)
{
    uint64_t ticket = rlk_lock_at(t, index)->ticket;
    for (; n > 0 && rlk_lock_at(t, waiters[n - 1])->ticket > ticket; n--)
        waiters[n] = waiters[n - 1];
    waiters[n] = index;
}

static uint32_t
restore_locks(struct rlk_table *t, uint32_t *waiters)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < t->h->used_locks && !t->damaged; i++) {
        struct rlk_lock *lock = rlk_lock_at(t, i);
        if (lock->word == 0 || !is_true(t, lock)) {
            rlk_lock_free(t, i);
            continue;
        }
        restore_lock(t, i);
        if (rlk_want(lock->word) && n < RLK_OWNERS)
            insert_waiter(t, waiters, n++, i);
    }
    return n;
}

void
rlk_rebuild(struct rlk_table *t, uint32_t *scratch)
{
    RLK_PUT(t->h->counters.rebuilds, t->h->counters.rebuilds + 1);
    clear_derived(t);
    for (uint32_t i = 1; i < t->h->used_names && !t->damaged; i++)
        clear_name(rlk_name_at(t, i));
    uint32_t n = restore_locks(t, scratch);
    for (uint32_t i = 1; i < t->h->used_names && !t->damaged; i++) {
        struct rlk_name *name = rlk_name_at(t, i);
        if (name->n_locks == 0) {
            RLK_PUT(name->next, t->h->free_name);
            RLK_PUT(t->h->free_name, i);
        }
    }
    for (uint32_t i = 0; i < n; i++)
        rlk_enqueue(t, scratch[i]);
    for (uint32_t i = 0; i < n && !t->damaged; i++) {
        t->visits = 0;
        rlk_pass_on(t, rlk_lock_at(t, scratch[i])->name);
    }
}
