/* SPDX-License-Identifier: MIT
 * A hash from record names to the number of their last write, and a log that
 * takes it back. Names stay in the hash with number 0 after a rollback; a
 * commit forgets all. */
#include "writes.h"

#include <string.h>

enum { FIRST_SLOTS = 64, LARGEST_KEPT = 1 << 14 };

/* FNV-1a, then a finish that spreads it over the high bits too. */
static uint64_t
mix(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001B3ULL;
    return h;
}

uint64_t
rlk_writes_name(const struct rlk_table *table, const struct rlk_row *row)
{
    uint64_t h = 0xCBF29CE484222325ULL;
    h = mix(h, table->name, strlen(table->name) + 1);
    for (size_t i = 0; i < table->n_primary_key; i++) {
        rowlock_value v = row->values[table->primary_key[i]];
        unsigned char type = (unsigned char)v.type;
        h = mix(h, &type, 1);
        if (v.type == ROWLOCK_TEXT || v.type == ROWLOCK_BLOB) {
            h = mix(h, &v.u.s.len, sizeof v.u.s.len);
            h = mix(h, v.u.s.ptr, v.u.s.len);
        } else if (v.type != ROWLOCK_NULL) {
            h = mix(h, &v.u.i, sizeof v.u.i);
        }
    }
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93ULL;
    h ^= h >> 32;
    return h ? h : 1;
}

static struct rlk_written *
find(const struct rlk_writes *w, uint64_t name)
{
    size_t i = name & (w->n_slots - 1);
    while (w->slots[i].name && w->slots[i].name != name)
        i = (i + 1) & (w->n_slots - 1);
    return &w->slots[i];
}

static bool
grow_slots(struct rlk_writes *w)
{
    struct rlk_writes bigger = *w;
    bigger.n_slots = w->n_slots ? w->n_slots * 2 : FIRST_SLOTS;
    bigger.slots = rlk_calloc(bigger.n_slots, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < w->n_slots; i++)
        if (w->slots[i].name)
            *find(&bigger, w->slots[i].name) = w->slots[i];
    rlk_free(w->slots);
    *w = bigger;
    return true;
}

static bool
grow_log(struct rlk_writes *w)
{
    size_t cap = w->cap_log ? w->cap_log * 2 : FIRST_SLOTS;
    struct rlk_written *log = rlk_reallocarray(w->log, cap, sizeof *log);
    if (!log)
        return false;
    w->log = log;
    w->cap_log = cap;
    return true;
}

bool
rlk_writes_note(struct rlk_writes *w, uint64_t name)
{
    if (w->n_used * 4 >= w->n_slots * 3 && !grow_slots(w))
        return false;
    if (w->n_log == w->cap_log && !grow_log(w))
        return false;
    struct rlk_written *slot = find(w, name);
    if (!slot->name) {
        slot->name = name;
        w->n_used++;
    }
    w->log[w->n_log++] = *slot;
    slot->number = ++w->number;
    return true;
}

uint64_t
rlk_writes_last(const struct rlk_writes *w, uint64_t name)
{
    return w->n_used ? find(w, name)->number : 0;
}

void
rlk_writes_back_to(struct rlk_writes *w, size_t mark)
{
    while (w->n_log > mark) {
        struct rlk_written *old = &w->log[--w->n_log];
        find(w, old->name)->number = old->number;
    }
    if (w->n_log || !w->n_used)
        return;
    if (w->n_slots > LARGEST_KEPT) {
        rlk_writes_done(w);
        return;
    }
    memset(w->slots, 0, w->n_slots * sizeof *w->slots);
    w->n_used = 0;
}

void
rlk_writes_done(struct rlk_writes *w)
{
    uint64_t number = w->number;
    rlk_free(w->slots);
    rlk_free(w->log);
    memset(w, 0, sizeof *w);
    w->number = number; /* records remember numbers: never give one twice */
}
