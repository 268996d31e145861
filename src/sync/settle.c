/* SPDX-License-Identifier: MIT
 * The end of a run, one item at a time: records that somebody holds are waited
 * for, then come the passes over conflicts, from alternating ends, so that a
 * chain of records that take each other's keys settles in two passes, whichever
 * way it runs. Invariant: the first kept items of the list are still in
 * conflict. */
#include "sync/settle.h"

#include <stdlib.h>
#include <string.h>

struct passing {
    struct rlk_later *l;
    struct rlk_work *w;
    struct rlk_batch *b;
    size_t kept;
};

int
rlk_later_add(struct rlk_later *l, const struct rlk_plan *plan,
              const struct rlk_item *item, rowlock_error *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        void *more = rlk_reallocarray(l->items, cap, sizeof *l->items);
        if (!more)
            return rlk_out_of_memory(err);
        l->items = more;
        l->cap = cap;
    }
    RLK_TRY(rlk_item_copy(item, plan, &l->arena, &l->items[l->n], err));
    l->n++;
    return 0;
}

/* Looks at it again, alone in b, and waits for it if somebody holds it. */
static int
look_again(struct rlk_item *was, struct rlk_work *w, struct rlk_batch *b,
           rowlock_error *err)
{
    struct rlk_item *now = &b->items[0];
    RLK_TRY(rlk_work_check(w, err));
    rlk_batch_reset(b);
    b->n = 1;
    *now = *was;
    now->failure = &b->failures[0];
    now->fate = RLK_FATE_OPEN;
    now->reason = NULL;
    RLK_TRY(rlk_item_ready(now, w->plan, &b->arena, err));
    int rc = rlk_batch_run(b, w, err);
    if (!rc)
        rc = rlk_batch_wait(b, w, err);
    was->told = now->told;
    return rc;
}

/* ---- records that somebody holds ---- */

int
rlk_later_wait(struct rlk_later *held, struct rlk_later *conflicts,
               struct rlk_work *w, struct rlk_batch *b, rowlock_error *err)
{
    size_t i = 0;
    int rc = 0;
    for (; !rc && i < held->n; i++) {
        rc = look_again(&held->items[i], w, b, err);
        if (!rc && b->items[0].fate == RLK_FATE_CONFLICT)
            rc = rlk_later_add(conflicts, w->plan, &b->items[0], err);
    }
    i -= rc != 0;
    held->n -= i;
    if (held->n)
        memmove(held->items, held->items + i, held->n * sizeof *held->items);
    return rc;
}

/* ---- conflicts ---- */

/* It leaves the list, or is kept. */
static int
settle_one(struct passing *p, struct rlk_item *was, rowlock_error *err)
{
    const struct rlk_item *now = &p->b->items[0];
    RLK_TRY(look_again(was, p->w, p->b, err));
    if (now->fate != RLK_FATE_CONFLICT)
        return 0;
    RLK_TRY(rlk_item_end(was, now->fate, now->reason, &p->l->arena, err));
    RLK_TRY(rlk_item_copy_key(now, p->w->plan, &p->l->arena, was, err));
    p->l->items[p->kept++] = *was;
    return 0;
}

/* After a failure the rest is kept as it is. */
static int
pass(struct passing *p, rowlock_error *err)
{
    int rc = 0;
    size_t i = 0;
    p->kept = 0;
    while (!rc && i < p->l->n)
        rc = settle_one(p, &p->l->items[i++], err);
    i -= rc != 0;
    memmove(p->l->items + p->kept, p->l->items + i,
            (p->l->n - i) * sizeof *p->l->items);
    p->l->n = p->kept + p->l->n - i;
    return rc;
}

static int
compare_numbers(const void *pa, const void *pb)
{
    const struct rlk_item *a = pa, *b = pb;
    return (a->number > b->number) - (a->number < b->number);
}

static void
turn(struct rlk_later *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        struct rlk_item item = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = item;
    }
}

int
rlk_later_settle(struct rlk_later *l, struct rlk_work *w, struct rlk_batch *b,
                 rowlock_error *err)
{
    struct passing p = {l, w, b, 0};
    size_t before = l->n + 1;
    int rc = 0;
    while (!rc && l->n && l->n < before) {
        before = l->n;
        turn(l);
        rc = pass(&p, err);
    }
    if (l->n)
        qsort(l->items, l->n, sizeof *l->items, compare_numbers);
    return rc;
}

void
rlk_later_done(struct rlk_later *l)
{
    rlk_arena_done(&l->arena);
    rlk_free(l->items);
    memset(l, 0, sizeof *l);
}
