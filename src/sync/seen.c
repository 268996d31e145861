/* SPDX-License-Identifier: MIT
 * Open addressing over groups of 64 neighbouring names, a bit each; a group
 * without a bit is a free slot.
 *
 * Most names that are looked for were never added, and the groups of a set that
 * is full of keys are far apart in memory. So a filter comes first (Bloom,
 * 1970, with one hash): a bit for each group that has names, among eight a
 * slot, so that nine of ten such questions end in a few kilobytes. */
#include "sync/seen.h"

#include <string.h>

#include "base/memory.h"

enum {
    FIRST = 1024,
    SLOT = sizeof(struct rlk_seen_group) + 1 /* a byte of the filter */
};

static uint64_t
hash_of(uint64_t number)
{
    uint64_t hash = number * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

static struct rlk_seen_group *
group_of(const struct rlk_seen *s, uint64_t number, uint64_t hash)
{
    size_t at = (size_t)hash & (s->cap - 1);
    while (s->groups[at].bits && s->groups[at].number != number)
        at = (at + 1) & (s->cap - 1);
    return &s->groups[at];
}

/* The high half of the hash, since the low one chose the slot. */
static uint64_t *
filter_of(const struct rlk_seen *s, uint64_t hash, uint64_t *ret_bit)
{
    size_t at = (size_t)(hash >> 32) & (s->cap * 8 - 1);
    *ret_bit = UINT64_C(1) << at % 64;
    return &s->filter[at / 64];
}

static struct rlk_seen_group *
put(struct rlk_seen *s, uint64_t number)
{
    uint64_t hash = hash_of(number), bit;
    *filter_of(s, hash, &bit) |= bit;
    return group_of(s, number, hash);
}

static bool
grow(struct rlk_seen *s)
{
    struct rlk_seen more = {.cap = s->cap ? s->cap * 2 : FIRST, .n = s->n};
    more.groups = rlk_calloc(more.cap, SLOT);
    if (!more.groups)
        return false;
    more.filter = (uint64_t *)(more.groups + more.cap);
    for (size_t i = 0; i < s->cap; i++)
        if (s->groups[i].bits)
            *put(&more, s->groups[i].number) = s->groups[i];
    rlk_free(s->groups);
    *s = more;
    return true;
}

bool
rlk_seen_add(struct rlk_seen *s, uint64_t name)
{
    if (s->n * 4 >= s->cap * 3 && !grow(s))
        return false;
    struct rlk_seen_group *group = put(s, name / 64);
    s->n += group->bits == 0;
    group->number = name / 64;
    group->bits |= UINT64_C(1) << name % 64;
    return true;
}

bool
rlk_seen_has(const struct rlk_seen *s, uint64_t name)
{
    uint64_t hash = hash_of(name / 64), bit;
    return s->cap && *filter_of(s, hash, &bit) & bit &&
           group_of(s, name / 64, hash)->bits & UINT64_C(1) << name % 64;
}

void
rlk_seen_clear(struct rlk_seen *s)
{
    if (s->groups)
        memset(s->groups, 0, s->cap * SLOT);
    s->n = 0;
}

void
rlk_seen_done(struct rlk_seen *s)
{
    rlk_free(s->groups);
    memset(s, 0, sizeof *s);
}
