/* SPDX-License-Identifier: MIT
 * The lists of the table, all of them derived from the array of locks: who
 * waits for a name, who holds it, what an owner has. */
#include "lists.h"

/* ---- who waits for a name ---- */

static struct rlk_line *
line_of(struct rlk_table *t, struct rlk_queue *queue,
        const struct rlk_lock *lock)
{
    uint32_t held = rlk_held(lock->word), want = rlk_want(lock->word);
    if (held >= RLK_MODES || want == 0 || want > RLK_MODES) {
        t->damaged = true;
        held = 0;
        want = 1;
    }
    return &queue->lines[held][want - 1];
}

void
rlk_enqueue(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_owner *owner = rlk_owner_at(t, lock->owner);
    struct rlk_queue *queue = rlk_queue_of(t, rlk_name_at(t, lock->name));
    struct rlk_line *line = line_of(t, queue, lock);
    uint16_t link = (uint16_t)(lock->owner + 1);
    RLK_PUT(owner->waiting, index);
    RLK_PUT(owner->ahead, line->last);
    RLK_PUT(owner->behind, 0);
    if (line->last)
        RLK_PUT(rlk_owner_at(t, line->last - 1)->behind, link);
    else
        RLK_PUT(line->first, link);
    RLK_PUT(line->last, link);
    RLK_PUT(queue->n_waiting, queue->n_waiting + 1);
}

/* While its word still says what it wants. */
void
rlk_dequeue(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_owner *owner = rlk_owner_at(t, lock->owner);
    struct rlk_name *name = rlk_name_at(t, lock->name);
    struct rlk_queue *queue = rlk_queue_at(t, name->queue);
    struct rlk_line *line = line_of(t, queue, lock);
    if (t->damaged)
        return;
    if (owner->ahead)
        RLK_PUT(rlk_owner_at(t, owner->ahead - 1)->behind, owner->behind);
    else
        RLK_PUT(line->first, (uint16_t)owner->behind);
    if (owner->behind)
        RLK_PUT(rlk_owner_at(t, owner->behind - 1)->ahead, owner->ahead);
    else
        RLK_PUT(line->last, (uint16_t)owner->ahead);
    RLK_PUT(owner->waiting, 0);
    RLK_PUT(queue->n_waiting, queue->n_waiting - 1);
    if (queue->n_waiting == 0)
        rlk_queue_free(t, name);
}

/* The lock that the first of a line waits for, or NULL. */
struct rlk_lock *
rlk_head_of(struct rlk_table *t, const struct rlk_line *line)
{
    if (line->first == 0)
        return NULL;
    uint32_t slot = line->first - 1u;
    struct rlk_lock *lock = rlk_lock_at(t, rlk_owner_at(t, slot)->waiting);
    if (lock->owner != slot)
        t->damaged = true;
    return t->damaged ? NULL : lock;
}

/* ---- who holds a name ---- */

void
rlk_link_holder(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_name *name = rlk_name_at(t, lock->name);
    RLK_PUT(lock->peer_prev, 0);
    RLK_PUT(lock->peer_next, name->holders);
    if (name->holders)
        RLK_PUT(rlk_lock_at(t, name->holders)->peer_prev, index);
    RLK_PUT(name->holders, index);
    if (name->kind != ROWLOCK_TABLE) {
        struct rlk_owner *owner = rlk_owner_at(t, lock->owner);
        RLK_PUT(owner->n_firm, owner->n_firm + 1);
    }
}

void
rlk_unlink_holder(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_name *name = rlk_name_at(t, lock->name);
    if (lock->peer_prev)
        RLK_PUT(rlk_lock_at(t, lock->peer_prev)->peer_next, lock->peer_next);
    else
        RLK_PUT(name->holders, lock->peer_next);
    if (lock->peer_next)
        RLK_PUT(rlk_lock_at(t, lock->peer_next)->peer_prev, lock->peer_prev);
    if (name->kind != ROWLOCK_TABLE) {
        struct rlk_owner *owner = rlk_owner_at(t, lock->owner);
        RLK_PUT(owner->n_firm, owner->n_firm - 1);
    }
}

/* ---- what an owner has ---- */

void
rlk_link_owned(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_owner *owner = rlk_owner_at(t, lock->owner);
    RLK_PUT(lock->own_prev, 0);
    RLK_PUT(lock->own_next, owner->locks);
    if (owner->locks)
        RLK_PUT(rlk_lock_at(t, owner->locks)->own_prev, index);
    RLK_PUT(owner->locks, index);
}

void
rlk_unlink_owned(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    if (lock->own_prev)
        RLK_PUT(rlk_lock_at(t, lock->own_prev)->own_next, lock->own_next);
    else
        RLK_PUT(rlk_owner_at(t, lock->owner)->locks, lock->own_next);
    if (lock->own_next)
        RLK_PUT(rlk_lock_at(t, lock->own_next)->own_prev, lock->own_prev);
}
