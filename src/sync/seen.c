/* SPDX-License-Identifier: MIT
 * Open addressing over groups of 64 neighbouring names, a bit each; a group
 * without a bit is a free slot. */
#include "sync/seen.h"

#include <string.h>

#include "base/memory.h"

enum { FIRST = 1024 };

static struct rlk_seen_group *
group_of(const struct rlk_seen *s, uint64_t number)
{
    uint64_t hash = number * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(hash ^ hash >> 32) & (s->cap - 1);
    while (s->groups[at].bits && s->groups[at].number != number)
        at = (at + 1) & (s->cap - 1);
    return &s->groups[at];
}

static bool
grow(struct rlk_seen *s)
{
    struct rlk_seen more = {.cap = s->cap ? s->cap * 2 : FIRST, .n = s->n};
    more.groups = rlk_calloc(more.cap, sizeof *more.groups);
    if (!more.groups)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->groups[i].bits)
            *group_of(&more, s->groups[i].number) = s->groups[i];
    rlk_free(s->groups);
    *s = more;
    return true;
}

bool
rlk_seen_add(struct rlk_seen *s, uint64_t name)
{
    if (s->n * 4 >= s->cap * 3 && !grow(s))
        return false;
    struct rlk_seen_group *group = group_of(s, name / 64);
    s->n += group->bits == 0;
    group->number = name / 64;
    group->bits |= UINT64_C(1) << name % 64;
    return true;
}

bool
rlk_seen_has(const struct rlk_seen *s, uint64_t name)
{
    return s->cap && group_of(s, name / 64)->bits & UINT64_C(1) << name % 64;
}

void
rlk_seen_clear(struct rlk_seen *s)
{
    if (s->groups)
        memset(s->groups, 0, s->cap * sizeof *s->groups);
    s->n = 0;
}

void
rlk_seen_done(struct rlk_seen *s)
{
    rlk_free(s->groups);
    memset(s, 0, sizeof *s);
}
