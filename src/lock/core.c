/* SPDX-License-Identifier: MIT
 * The rules. In short (the room's README has them with their reasons):
 *
 *  - A request that conflicts with no holder is granted, also past waiters,
 *    unless the gate is closed: a waiter that conflicts with it was bypassed
 *    RLK_GATE times, and the asking owner holds nothing but table locks.
 *  - When a lock goes back, waiters that conflict with no holder are granted:
 *    upgraders first, then in order of tickets. Of the writer slot the first of
 *    them is woken instead, to take it, until it was bypassed
 *    RLK_SLOT_BYPASSES times.
 *
 * Each change of the truth is one RLK_PUBLISH of a lock's word; what stands
 * before and after it is derived, and rebuilt if its writer dies. */
#include "core.h"

#include "lists.h"

/* Bit m - 1 is set where the mode conflicts with mode m. */
static const uint8_t conflicts[RLK_MODES + 1] = {
    [ROWLOCK_READ] = 0,
    [ROWLOCK_KEY_SHARE] = 8,
    [ROWLOCK_SHARE] = 8 | 4,
    [ROWLOCK_NO_KEY_UPDATE] = 8 | 4 | 2,
    [ROWLOCK_UPDATE] = 8 | 4 | 2 | 1,
};

bool
rlk_conflict(uint32_t a, uint32_t b)
{
    return a <= RLK_MODES && b > 0 && b <= RLK_MODES &&
           (conflicts[a] >> (b - 1) & 1);
}

/* No holder but the asker itself (who holds own) conflicts with mode. */
static bool
compatible(const struct rlk_name *name, uint32_t mode, uint32_t own)
{
    for (uint32_t m = 1; m <= RLK_MODES; m++) {
        uint32_t others = name->held[m - 1] - (m == own);
        if (others && rlk_conflict(mode, m))
            return false;
    }
    return true;
}

bool
rlk_compatible(struct rlk_table *t, uint32_t index)
{
    const struct rlk_lock *lock = rlk_lock_at(t, index);
    return compatible(rlk_name_at(t, lock->name), rlk_want(lock->word),
                      rlk_held(lock->word));
}

/* ---- gate and bypasses ---- */

/* Those waiters for name that stand before ticket, want what conflicts with
 * mode, and were bypassed at least so often. Heads of lines only: behind one,
 * nobody of its line was bypassed more often. */
static int
bypassed_heads(struct rlk_table *t, const struct rlk_name *name, uint32_t mode,
               uint64_t ticket, struct rlk_lock *ret_heads[])
{
    int n = 0;
    if (name->queue == 0)
        return 0;
    struct rlk_queue *queue = rlk_queue_at(t, name->queue);
    for (uint32_t i = 0; i < RLK_LINES; i++) {
        if (!rlk_conflict(mode, i % RLK_MODES + 1))
            continue;
        struct rlk_lock *head = rlk_head_of(t, rlk_line_at(queue, i));
        if (head && head->ticket < ticket)
            ret_heads[n++] = head;
    }
    return n;
}

static void
count_bypasses(struct rlk_table *t, const struct rlk_name *name, uint32_t mode,
               uint64_t ticket)
{
    struct rlk_lock *heads[RLK_LINES];
    int n = bypassed_heads(t, name, mode, ticket, heads);
    for (int i = 0; i < n; i++)
        if (heads[i]->bypassed < RLK_GATE)
            RLK_PUT(heads[i]->bypassed, heads[i]->bypassed + 1);
    if (n)
        RLK_PUT(t->h->counters.bypasses, t->h->counters.bypasses + 1);
}

int
rlk_gate_keepers(struct rlk_table *t, const struct rlk_name *name,
                 uint32_t mode, uint64_t ticket, uint32_t ret_owners[RLK_LINES])
{
    struct rlk_lock *heads[RLK_LINES];
    int n = bypassed_heads(t, name, mode, ticket, heads), kept = 0;
    for (int i = 0; i < n; i++)
        if (heads[i]->bypassed >= RLK_GATE)
            ret_owners[kept++] = heads[i]->owner;
    return kept;
}

/* The gate is for owners without locks; the table locks that records imply do
 * not count, or it would be for nobody. */
static bool
gate_closed(struct rlk_table *t, uint32_t owner, const struct rlk_name *name,
            uint32_t mode, uint64_t ticket)
{
    uint32_t keepers[RLK_LINES];
    return name->queue && rlk_owner_at(t, owner)->n_firm == 0 &&
           rlk_gate_keepers(t, name, mode, ticket, keepers) > 0;
}

/* ---- holding ---- */

static void
set_since(struct rlk_table *t, struct rlk_lock *lock)
{
    RLK_PUT(lock->since_low, (uint32_t)t->now_ms);
    RLK_PUT(lock->since_high, (uint16_t)(t->now_ms >> 32));
}

/* Make the truth say that the lock is held in mode, then what follows. */
static void
hold(struct rlk_table *t, uint32_t index, uint32_t mode)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_name *name = rlk_name_at(t, lock->name);
    uint32_t before = rlk_held(lock->word);
    if (mode > RLK_MODES || before > RLK_MODES) {
        t->damaged = true;
        return;
    }
    RLK_PUBLISH(lock->word, rlk_word(mode, 0));
    if (before)
        RLK_PUT(name->held[before - 1], name->held[before - 1] - 1);
    if (mode)
        RLK_PUT(name->held[mode - 1], name->held[mode - 1] + 1);
    if (mode && !before)
        rlk_link_holder(t, index);
    if (before && !mode)
        rlk_unlink_holder(t, index);
}

/* A lock that is neither held nor waited for; with the last one, its name. */
static void
forget_lock(struct rlk_table *t, uint32_t index)
{
    uint32_t name_index = rlk_lock_at(t, index)->name;
    struct rlk_name *name = rlk_name_at(t, name_index);
    rlk_unlink_owned(t, index);
    rlk_lock_free(t, index);
    RLK_PUT(name->n_locks, name->n_locks - 1);
    if (name->n_locks == 0 && !t->damaged)
        rlk_name_free(t, name_index);
}

/* ---- requests ---- */

/* A new lock, its word still 0: nobody counts it before hold or enqueue. */
static uint32_t
new_lock(struct rlk_table *t, const struct rlk_request *r, uint32_t name)
{
    uint32_t index = rlk_lock_alloc(t);
    if (index == 0)
        return 0;
    struct rlk_lock *lock = rlk_lock_at(t, index);
    uint16_t *n_locks = &rlk_name_at(t, name)->n_locks;
    RLK_PUT(*n_locks, *n_locks + 1);
    RLK_PUT(lock->name, name);
    RLK_PUT(lock->owner, r->owner);
    RLK_PUT(lock->incarnation, rlk_owner_at(t, r->owner)->incarnation);
    RLK_PUT(lock->ticket, 0);
    RLK_PUT(lock->bypassed, 0);
    rlk_link_owned(t, index);
    return index;
}

/* Find or make the name and the owner's lock on it; false: no room. */
static bool
prepare(struct rlk_table *t, const struct rlk_request *r, uint32_t *ret_lock)
{
    uint32_t name = rlk_name_find(t, r->id->hash);
    if (name == 0)
        name = rlk_name_alloc(t, r->id);
    if (name == 0)
        return false;
    *ret_lock = new_lock(t, r, name);
    if (*ret_lock == 0 && rlk_name_at(t, name)->n_locks == 0)
        rlk_name_free(t, name);
    return *ret_lock != 0;
}

static void
start_waiting(struct rlk_table *t, const struct rlk_request *r, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    RLK_PUT(lock->ticket, t->h->next_ticket);
    RLK_PUT(t->h->next_ticket, t->h->next_ticket + 1);
    RLK_PUT(lock->bypassed, 0);
    set_since(t, lock);
    uint32_t held = rlk_held(lock->word);
    bool gated = compatible(rlk_name_at(t, lock->name), r->mode, held);
    RLK_PUBLISH(lock->word, rlk_word(held, r->mode) | (gated ? RLK_GATED : 0));
    rlk_enqueue(t, index);
    RLK_PUT(t->h->counters.waits, t->h->counters.waits + 1);
}

enum rlk_answer
rlk_request(struct rlk_table *t, const struct rlk_request *r,
            uint32_t *ret_lock)
{
    uint32_t index = r->lock;
    if (index == 0 && !prepare(t, r, &index))
        return RLK_NO_ROOM;
    t->visits++;
    struct rlk_lock *lock = rlk_lock_at(t, index);
    struct rlk_name *name = rlk_name_at(t, lock->name);
    uint32_t held = rlk_held(lock->word);
    *ret_lock = index;
    if (held >= r->mode)
        return RLK_GRANTED;
    if (compatible(name, r->mode, held) &&
        !gate_closed(t, r->owner, name, r->mode, UINT64_MAX)) {
        count_bypasses(t, name, r->mode, UINT64_MAX);
        set_since(t, lock);
        hold(t, index, r->mode);
        RLK_PUT(t->h->counters.grants, t->h->counters.grants + 1);
        return RLK_GRANTED;
    }
    if (r->may_wait) {
        start_waiting(t, r, index);
    } else if (held == 0) {
        forget_lock(t, index);
        *ret_lock = 0;
    }
    return RLK_MUST_WAIT;
}

/* ---- grants ---- */

static void
grant(struct rlk_table *t, struct rlk_lock *lock)
{
    uint32_t index = rlk_owner_at(t, lock->owner)->waiting;
    uint32_t want = rlk_want(lock->word);
    rlk_dequeue(t, index);
    if (t->damaged)
        return;
    count_bypasses(t, rlk_name_at(t, lock->name), want, lock->ticket);
    hold(t, index, want);
    RLK_PUT(t->h->counters.grants, t->h->counters.grants + 1);
    rlk_wake_later(t, lock->owner);
}

void
rlk_pass_gate(struct rlk_table *t, uint32_t index)
{
    if (rlk_want(rlk_lock_at(t, index)->word) && rlk_compatible(t, index))
        grant(t, rlk_lock_at(t, index));
}

/* Can the head of a line be granted? One that only the gate keeps back from
 * now on is woken, so that it looks for a cycle through the gate itself. */
static bool
grantable(struct rlk_table *t, const struct rlk_name *name,
          struct rlk_lock *head)
{
    uint32_t word = head->word;
    if (!compatible(name, rlk_want(word), rlk_held(word)))
        return false;
    if (!gate_closed(t, head->owner, name, rlk_want(word), head->ticket))
        return true;
    if (!(word & RLK_GATED)) {
        RLK_PUBLISH(head->word, word | RLK_GATED);
        rlk_wake_later(t, head->owner);
    }
    return false;
}

/* Upgraders go first, then who came first. */
static bool
goes_before(const struct rlk_lock *a, const struct rlk_lock *b)
{
    bool a_holds = rlk_held(a->word), b_holds = rlk_held(b->word);
    return a_holds != b_holds ? a_holds : a->ticket < b->ticket;
}

/* Of those that can be granted the one that goes before all others, or NULL. */
static struct rlk_lock *
next_to_serve(struct rlk_table *t, const struct rlk_name *name)
{
    struct rlk_queue *queue = rlk_queue_at(t, name->queue);
    struct rlk_lock *best = NULL;
    for (uint32_t i = 0; i < RLK_LINES; i++) {
        struct rlk_lock *head = rlk_head_of(t, rlk_line_at(queue, i));
        if (head && (!best || goes_before(head, best)) &&
            grantable(t, name, head))
            best = head;
    }
    return best;
}

/* Take a waiting lock out of its queue, without looking at the others. */
static void
stop_waiting(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    rlk_dequeue(t, index);
    RLK_PUBLISH(lock->word, rlk_word(rlk_held(lock->word), 0));
}

/* To ask takes as long as all else of a hand-over, so who has not waited for
 * long is believed to live. */
static bool
seems_alive(struct rlk_table *t, const struct rlk_lock *lock)
{
    return t->now_ms - rlk_since(lock) < t->believed_ms ||
           t->world.alive(t->world.arg, lock->owner, lock->incarnation, false);
}

/* Grant to who lives; who died in the queue only leaves it here: its other
 * locks are given back by who finds it dead as a holder. */
static void
serve(struct rlk_table *t, struct rlk_lock *next)
{
    if (seems_alive(t, next)) {
        grant(t, next);
        return;
    }
    uint32_t index = rlk_owner_at(t, next->owner)->waiting;
    stop_waiting(t, index);
    if (next->word == 0)
        forget_lock(t, index);
}

void
rlk_pump(struct rlk_table *t, uint32_t index)
{
    struct rlk_name *name = rlk_name_at(t, index);
    while (name->queue && !t->damaged) {
        struct rlk_lock *next = next_to_serve(t, name);
        if (!next)
            return;
        if (++t->visits > RLK_MOST_VISITS) {
            rlk_wake_later(t, next->owner);
            return;
        }
        serve(t, next);
    }
}

/* ---- giving back ---- */

/* The turn to write is not handed over: who is next is woken and takes it, if
 * nobody who runs already has come past meanwhile. Handed over it would be idle
 * until the next one runs, which takes as long as a commit does. */
void
rlk_pass_on(struct rlk_table *t, uint32_t index)
{
    struct rlk_name *name = rlk_name_at(t, index);
    if (name->kind == ROWLOCK_WRITER && name->queue && !t->damaged) {
        struct rlk_lock *next = next_to_serve(t, name);
        if (next && next->bypassed < RLK_SLOT_BYPASSES &&
            seems_alive(t, next)) {
            rlk_wake_later(t, next->owner);
            return;
        }
    }
    rlk_pump(t, index);
}

/* In rlk_lower and rlk_leave the lock itself keeps the name alive while the
 * others are looked at. */
void
rlk_lower(struct rlk_table *t, uint32_t index, enum rowlock_mode mode)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    t->visits++;
    if (rlk_want(lock->word))
        stop_waiting(t, index);
    if (rlk_held(lock->word) > mode)
        hold(t, index, mode);
    rlk_pass_on(t, lock->name);
    if (lock->word == 0)
        forget_lock(t, index);
}

void
rlk_leave(struct rlk_table *t, uint32_t slot)
{
    uint32_t index = rlk_owner_at(t, slot)->waiting;
    if (index == 0)
        return;
    struct rlk_lock *lock = rlk_lock_at(t, index);
    stop_waiting(t, index);
    rlk_pass_on(t, lock->name);
    if (lock->word == 0)
        forget_lock(t, index);
}

bool
rlk_reap(struct rlk_table *t, uint32_t slot, uint32_t incarnation)
{
    struct rlk_owner *owner = rlk_owner_at(t, slot);
    if (owner->incarnation != incarnation || !(incarnation & 1))
        return true;
    while (owner->locks && t->visits < RLK_MOST_VISITS / 2 && !t->damaged) {
        if (rlk_lock_at(t, owner->locks)->owner != slot)
            t->damaged = true;
        else
            rlk_lower(t, owner->locks, ROWLOCK_READ);
    }
    if (t->damaged)
        return true;
    if (owner->locks)
        return false;
    RLK_PUBLISH(owner->incarnation, incarnation + 1);
    return true;
}

bool
rlk_first_in_line(struct rlk_table *t, uint32_t slot)
{
    const struct rlk_lock *mine =
        rlk_lock_at(t, rlk_owner_at(t, slot)->waiting);
    const struct rlk_name *name = rlk_name_at(t, mine->name);
    struct rlk_queue *queue = rlk_queue_at(t, name->queue);
    for (uint32_t i = 0; i < RLK_LINES; i++) {
        const struct rlk_lock *head = rlk_head_of(t, rlk_line_at(queue, i));
        if (head && goes_before(head, mine))
            return false;
    }
    return true;
}
