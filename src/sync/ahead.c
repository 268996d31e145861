/* SPDX-License-Identifier: MIT
 * Why it is sound. A mark is published when the writing thread has seen it, and
 * read before the look begins: so the look's snapshot holds all that the mark
 * counts. If later, inside a write transaction, the mark's others is the same,
 * nobody else has committed in all that time; what the snapshot can lack are
 * own commits from mark.own on, and those are remembered here. */
#include "sync/ahead.h"

#include <string.h>

static void
publish(struct rlk_ahead *a)
{
    __atomic_store(&a->published, &a->mark, __ATOMIC_RELEASE);
}

struct rlk_mark
rlk_ahead_published(const struct rlk_ahead *a)
{
    struct rlk_mark mark;
    __atomic_load(&a->published, &mark, __ATOMIC_ACQUIRE);
    return mark;
}

void
rlk_ahead_note(struct rlk_ahead *a, struct rlk_mark mark)
{
    if (!a->mark.others || a->mark.own != mark.own)
        a->from = mark.own;
    a->mark = mark;
    publish(a);
}

static struct rlk_touched *
touched(struct rlk_ahead *a, uint32_t commit)
{
    return &a->touched[commit % RLK_AHEAD_COMMITS];
}

void
rlk_ahead_start(struct rlk_ahead *a)
{
    struct rlk_touched *t = touched(a, a->mark.own);
    rlk_seen_clear(&t->names);
    t->all = false;
}

bool
rlk_ahead_touch(struct rlk_ahead *a, uint64_t name)
{
    return rlk_seen_add(&touched(a, a->mark.own)->names, name);
}

void
rlk_ahead_touch_all(struct rlk_ahead *a)
{
    touched(a, a->mark.own)->all = true;
}

void
rlk_ahead_commit(struct rlk_ahead *a)
{
    a->mark.own++;
    publish(a);
}

void
rlk_ahead_lose(struct rlk_ahead *a)
{
    a->mark = (struct rlk_mark){0, 0};
    publish(a);
}

bool
rlk_ahead_covers(const struct rlk_ahead *a, struct rlk_mark mark)
{
    if (!mark.others || !a->mark.others ||
        a->mark.own - mark.own >= RLK_AHEAD_COMMITS ||
        a->mark.own - mark.own > a->mark.own - a->from)
        return false;
    for (uint32_t i = mark.own; i != a->mark.own; i++)
        if (a->touched[i % RLK_AHEAD_COMMITS].all)
            return false;
    return true;
}

bool
rlk_ahead_missed(const struct rlk_ahead *a, struct rlk_mark mark, uint64_t name)
{
    for (uint32_t i = mark.own; i != a->mark.own; i++)
        if (rlk_seen_has(&a->touched[i % RLK_AHEAD_COMMITS].names, name))
            return true;
    return false;
}

void
rlk_ahead_done(struct rlk_ahead *a)
{
    for (size_t i = 0; i < RLK_AHEAD_COMMITS; i++)
        rlk_seen_done(&a->touched[i].names);
}
