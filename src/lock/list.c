/* SPDX-License-Identifier: MIT
 * Who holds what, who waits for whom. The array of locks is copied in pieces of
 * RLK_MOST_VISITS under the latch; sorting, and who blocks whom, is worked out
 * from the copy, so that a listing never stops the others. */
#include <stdlib.h>

#include "base/memory.h"
#include "name.h"
#include "session.h"

struct item { /* one line of the listing to be */
    struct rlk_name name;
    uint32_t owner, mode, held; /* held: beside a wish for more, else 0 */
    bool waiting;
    uint64_t ticket;
    int64_t since, pid;
    char label[RLK_OWNER_LABEL];
};

struct items {
    struct item *ptr;
    size_t n, room;
};

static bool
reserve(struct items *items, size_t more)
{
    if (items->n + more <= items->room)
        return true;
    size_t room = items->room * 2 + more;
    struct item *ptr = rlk_reallocarray(items->ptr, room, sizeof *ptr);
    if (!ptr)
        return false;
    items->ptr = ptr;
    items->room = room;
    return true;
}

static void
add(struct rlk_table *t, struct items *items, const struct rlk_lock *lock,
    bool waiting)
{
    const struct rlk_owner *owner = rlk_owner_at(t, lock->owner);
    struct item *item = &items->ptr[items->n++];
    memset(item, 0, sizeof *item);
    item->name = *rlk_name_at(t, lock->name);
    item->owner = lock->owner;
    item->mode = waiting ? rlk_want(lock->word) : rlk_held(lock->word);
    item->held = waiting ? rlk_held(lock->word) : 0;
    item->waiting = waiting;
    item->ticket = lock->ticket;
    item->since = rlk_since(lock);
    item->pid = owner->pid;
    memcpy(item->label, owner->label, sizeof item->label);
}

/* Copy the locks from .. from + RLK_MOST_VISITS; there is room. */
static uint32_t
copy_piece(struct rlk_table *t, struct items *items, uint32_t from)
{
    uint32_t to = t->h->used_locks;
    if (to > from + RLK_MOST_VISITS)
        to = from + RLK_MOST_VISITS;
    for (; from < to && !t->damaged; from++) {
        const struct rlk_lock *lock = rlk_lock_at(t, from);
        if (rlk_held(lock->word))
            add(t, items, lock, false);
        if (rlk_want(lock->word))
            add(t, items, lock, true);
    }
    return from;
}

static int
copy_all(rowlock_locks *s, struct items *items, int64_t *ret_now,
         rowlock_error *err)
{
    const struct rlk_patience patience = rlk_patience_ms(RLK_PATIENCE_MS);
    uint32_t next = 1, used;
    do {
        if (!reserve(items, 2 * RLK_MOST_VISITS))
            return rlk_out_of_memory(err);
        RLK_TRY(rlk_enter(s, &patience, err));
        next = copy_piece(&s->table, items, next);
        used = s->table.h->used_locks;
        *ret_now = s->table.now_ms;
        RLK_TRY(rlk_exit(s, err));
    } while (next < used);
    return 0;
}

/* By label, then name; holders first, then waiters as they will be served. */
static int
compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int by_label = memcmp(x->name.label, y->name.label, RLK_LABEL);
    int by_hash = memcmp(x->name.hash, y->name.hash, sizeof x->name.hash);
    if (by_label || by_hash)
        return by_label ? by_label : by_hash;
    if (x->waiting != y->waiting)
        return x->waiting - y->waiting;
    if (x->waiting && !x->held != !y->held)
        return !x->held - !y->held;
    if (x->ticket != y->ticket)
        return x->ticket < y->ticket ? -1 : 1;
    return x->owner < y->owner ? -1 : x->owner > y->owner;
}

/* The first item of the same name as item i. */
static size_t
first_of_name(const struct items *items, size_t i)
{
    const uint32_t *hash = items->ptr[i].name.hash;
    while (i > 0 &&
           memcmp(items->ptr[i - 1].name.hash, hash, 4 * sizeof *hash) == 0)
        i--;
    return i;
}

/* The owners that item i waits for: conflicting holders; else, behind a closed
 * gate, conflicting waiters before it. ret may be NULL, to count. */
static uint32_t
blocked_by(const struct items *items, size_t i, uint32_t *ret)
{
    const struct item *me = &items->ptr[i];
    uint32_t n = 0;
    if (!me->waiting)
        return 0;
    for (int waiting = 0; waiting <= 1 && n == 0; waiting++)
        for (size_t j = first_of_name(items, i); j < i; j++) {
            const struct item *other = &items->ptr[j];
            if (other->waiting != waiting || other->owner == me->owner ||
                !rlk_conflict(me->mode, other->mode))
                continue;
            if (ret)
                ret[n] = other->owner;
            n++;
        }
    return n;
}

static void
fill(const struct item *item, int64_t now, rowlock_lock_info *info)
{
    char table[RLK_LABEL + 1], key[RLK_LABEL + 1];
    rlk_label_split(item->name.label, table, key);
    info->kind = (enum rowlock_kind)item->name.kind;
    info->mode = (enum rowlock_mode)item->mode;
    info->waiting = item->waiting;
    info->owner = item->owner;
    info->pid = item->pid;
    info->age_ms = now > item->since ? now - item->since : 0;
    memcpy(info->label, item->label, sizeof info->label);
    info->label[sizeof info->label - 1] = 0;
    memcpy(info->table, table, sizeof table);
    memcpy(info->key, key, sizeof key);
}

static int
build(const struct items *items, int64_t now, rowlock_lock_info **ret,
      rowlock_error *err)
{
    size_t n_blocked = 0;
    for (size_t i = 0; i < items->n; i++)
        n_blocked += blocked_by(items, i, NULL);
    rowlock_lock_info *list =
        rlk_calloc(1, (items->n + 1) * sizeof *list +
                          n_blocked * sizeof *list->blocked_by);
    if (!list)
        return rlk_out_of_memory(err);
    uint32_t *owners = (uint32_t *)(list + items->n + 1);
    for (size_t i = 0; i < items->n; i++) {
        fill(&items->ptr[i], now, &list[i]);
        list[i].blocked_by = owners;
        list[i].n_blocked_by = blocked_by(items, i, owners);
        owners += list[i].n_blocked_by;
    }
    *ret = list;
    return 0;
}

int
rowlock_locks_list(rowlock_locks *s, rowlock_lock_info **ret, size_t *ret_n,
                   rowlock_error *err)
{
    struct items items = {0};
    int64_t now = 0;
    if (!s || !ret || !ret_n || rlk_attachment_is_forked(s->attachment))
        return rlk_fail(err, ROWLOCK_MISUSE, "no session to list");
    int rc = copy_all(s, &items, &now, err);
    if (rc == 0) {
        if (items.n)
            qsort(items.ptr, items.n, sizeof *items.ptr, compare);
        rc = build(&items, now, ret, err);
    }
    if (rc == 0)
        *ret_n = items.n;
    rlk_free(items.ptr);
    return rc;
}

void
rowlock_locks_list_free(rowlock_lock_info *list)
{
    rlk_free(list);
}

int
rowlock_locks_counters(rowlock_locks *s, rowlock_lock_counters *ret,
                       rowlock_error *err)
{
    if (!s || !ret || ret->size < offsetof(rowlock_lock_counters, waits) ||
        rlk_attachment_is_forked(s->attachment))
        return rlk_fail(err, ROWLOCK_MISUSE, "no session to ask");
    const struct rlk_counters *c = &s->table.h->counters;
    size_t size = ret->size < sizeof *ret ? ret->size : sizeof *ret;
    const rowlock_lock_counters now = {
        .size = ret->size,
        .grants = RLK_LOOK(c->grants),
        .waits = RLK_LOOK(c->waits),
        .in_vain = RLK_LOOK(c->in_vain),
        .deadlocks = RLK_LOOK(c->deadlocks),
        .bypasses = RLK_LOOK(c->bypasses),
        .replays = RLK_LOOK(c->replays),
        .reaps = RLK_LOOK(c->reaps),
        .rebuilds = RLK_LOOK(c->rebuilds),
        .flushes = RLK_LOOK(c->flushes),
        .waited_ms = RLK_LOOK(c->waited_ms),
        .longest_ms = RLK_LOOK(c->longest_ms),
        .since_s = RLK_LOOK(c->since_s),
    };
    memcpy(ret, &now, size);
    return 0;
}

void
rowlock_locks_count_replay(rowlock_locks *s)
{
    if (s && !rlk_attachment_is_forked(s->attachment))
        RLK_COUNT(s->table.h->counters.replays, 1);
}

static_assert((int)ROWLOCK_CYCLES == (int)RLK_CYCLES, "the ring");
static_assert(sizeof((rowlock_lock_cycle *)0)->text == RLK_CYCLE_TEXT, "text");

size_t
rowlock_locks_cycles(rowlock_locks *s, rowlock_lock_cycle ret[ROWLOCK_CYCLES])
{
    size_t n = 0;
    if (!s || !ret || rlk_attachment_is_forked(s->attachment))
        return 0;
    const struct rlk_header *h = s->table.h;
    uint64_t newest = RLK_LOOK(h->counters.deadlocks);
    for (uint64_t i = 0; i < RLK_CYCLES && i < newest; i++) {
        const struct rlk_cycle *c = &h->cycles[(newest - i) % RLK_CYCLES];
        if (!c->at_s)
            continue;
        ret[n].at_s = c->at_s;
        ret[n].victim = c->pid;
        memcpy(ret[n].text, c->text, sizeof ret[n].text);
        ret[n].text[sizeof ret[n].text - 1] = 0;
        n++;
    }
    return n;
}
