/* SPDX-License-Identifier: MIT
 * Open addressing; 0 marks a free slot. The names are hashes already. */
#include "sync/seen.h"

#include <string.h>

#include "base/memory.h"

enum { FIRST = 1024 };

static size_t
slot_of(const struct rlk_seen *s, uint64_t name)
{
    size_t at = (size_t)name & (s->cap - 1);
    while (s->slots[at] && s->slots[at] != name)
        at = (at + 1) & (s->cap - 1);
    return at;
}

static bool
grow(struct rlk_seen *s)
{
    struct rlk_seen more = {.cap = s->cap ? s->cap * 2 : FIRST, .n = s->n};
    more.slots = rlk_calloc(more.cap, sizeof *more.slots);
    if (!more.slots)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i])
            more.slots[slot_of(&more, s->slots[i])] = s->slots[i];
    rlk_free(s->slots);
    *s = more;
    return true;
}

bool
rlk_seen_add(struct rlk_seen *s, uint64_t name)
{
    name += name == 0;
    if (s->n * 4 >= s->cap * 3 && !grow(s))
        return false;
    size_t at = slot_of(s, name);
    s->n += s->slots[at] == 0;
    s->slots[at] = name;
    return true;
}

bool
rlk_seen_has(const struct rlk_seen *s, uint64_t name)
{
    name += name == 0;
    return s->cap && s->slots[slot_of(s, name)] == name;
}

void
rlk_seen_clear(struct rlk_seen *s)
{
    if (s->slots)
        memset(s->slots, 0, s->cap * sizeof *s->slots);
    s->n = 0;
}

void
rlk_seen_done(struct rlk_seen *s)
{
    rlk_free(s->slots);
    memset(s, 0, sizeof *s);
}
