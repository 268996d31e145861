/* SPDX-License-Identifier: MIT
 * The private log and its index: linear probing with backward-shift deletion
 * (Knuth, TAOCP 3, 6.4, algorithm R), at most half full. */
#include "log.h"

#include <string.h>

#include "base/memory.h"

static size_t
home(const struct rlk_log *log, uint32_t hash)
{
    return hash & (log->index_size - 1);
}

static uint32_t
hash_of(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

static void
put(struct rlk_log *log, uint64_t slot)
{
    size_t i = home(log, hash_of(slot));
    while (log->index[i])
        i = (i + 1) & (log->index_size - 1);
    log->index[i] = slot;
}

static bool
grow_index(struct rlk_log *log)
{
    size_t size = log->index_size ? log->index_size * 2 : 64;
    uint64_t *old = log->index;
    size_t old_size = log->index_size;
    uint64_t *index = rlk_calloc(size, sizeof *index);
    if (!index)
        return false;
    log->index = index;
    log->index_size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            put(log, old[i]);
    rlk_free(old);
    return true;
}

bool
rlk_log_reserve(struct rlk_log *log)
{
    if (log->n == log->room) {
        size_t room = log->room ? log->room * 2 : 64;
        struct rlk_entry *entries =
            rlk_reallocarray(log->entries, room, sizeof *entries);
        if (!entries)
            return false;
        log->entries = entries;
        log->room = room;
    }
    return log->n_indexed + 1 <= log->index_size / 2 || grow_index(log);
}

static uint32_t
lock_of(const struct rlk_log *log, uint64_t slot)
{
    return log->entries[(uint32_t)slot - 1].lock;
}

/* Where the index speaks of lock; index_size when nowhere. */
static size_t
slot_of(const struct rlk_log *log, uint32_t lock, uint32_t hash)
{
    size_t mask = log->index_size - 1;
    for (size_t i = home(log, hash); log->index[i]; i = (i + 1) & mask)
        if (hash_of(log->index[i]) == hash &&
            lock_of(log, log->index[i]) == lock)
            return i;
    return log->index_size;
}

/* Needs room (rlk_log_reserve). */
void
rlk_log_add(struct rlk_log *log, uint32_t lock, uint32_t before, uint32_t hash)
{
    uint64_t newest = (uint64_t)hash << 32 | (log->n + 1);
    size_t i = before ? slot_of(log, lock, hash) : log->index_size;
    uint32_t older = 0;
    if (i < log->index_size) {
        older = (uint32_t)log->index[i];
        log->index[i] = newest;
    }
    log->entries[log->n++] = (struct rlk_entry){lock, before, older};
    if (older)
        return;
    put(log, newest);
    log->n_indexed++;
}

/* Is position p cyclically in (from, to]? */
static bool
between(size_t from, size_t p, size_t to)
{
    return from <= to ? from < p && p <= to : from < p || p <= to;
}

static void
empty_slot(struct rlk_log *log, size_t i)
{
    size_t mask = log->index_size - 1;
    for (size_t j = (i + 1) & mask; log->index[j]; j = (j + 1) & mask)
        if (!between(i, home(log, hash_of(log->index[j])), j)) {
            log->index[i] = log->index[j];
            i = j;
        }
    log->index[i] = 0;
    log->n_indexed--;
}

uint32_t
rlk_log_find(const struct rlk_log *log, uint32_t hash,
             bool (*look)(void *arg, uint32_t lock), void *arg)
{
    if (log->index_size == 0)
        return 0;
    size_t mask = log->index_size - 1;
    for (size_t i = home(log, hash); log->index[i]; i = (i + 1) & mask) {
        if (hash_of(log->index[i]) != hash)
            continue;
        uint32_t lock = lock_of(log, log->index[i]);
        if (look(arg, lock))
            return lock;
    }
    return 0;
}

void
rlk_log_strike(struct rlk_log *log, uint32_t lock, uint32_t hash)
{
    size_t i = log->index_size ? slot_of(log, lock, hash) : 0;
    if (i == log->index_size)
        return;
    uint32_t entry = (uint32_t)log->index[i];
    empty_slot(log, i);
    while (entry) {
        log->entries[entry - 1].lock = 0;
        entry = log->entries[entry - 1].older;
    }
}

/* Take the last entry, of a lock, out of log and index. */
static struct rlk_entry
pop(struct rlk_log *log, struct rlk_table *t)
{
    struct rlk_entry last = log->entries[log->n - 1];
    const struct rlk_name *name =
        rlk_name_at(t, rlk_lock_at(t, last.lock)->name);
    uint32_t hash = name->hash[0];
    size_t i = slot_of(log, last.lock, hash);
    if (i == log->index_size)
        t->damaged = true; /* its name is another now */
    else if (last.older)
        log->index[i] = (uint64_t)hash << 32 | last.older;
    else
        empty_slot(log, i);
    log->n--;
    return last;
}

bool
rlk_log_walk_back(struct rlk_log *log, struct rlk_table *t, size_t mark)
{
    while (log->n > mark && t->visits < RLK_MOST_VISITS / 2) {
        if (log->entries[log->n - 1].lock == 0) {
            log->n--;
            continue;
        }
        struct rlk_entry entry = pop(log, t);
        if (entry.older <= mark)
            rlk_lower(t, entry.lock, (enum rowlock_mode)entry.before);
    }
    return log->n <= mark;
}

void
rlk_log_done(struct rlk_log *log)
{
    rlk_free(log->entries);
    rlk_free(log->index);
    memset(log, 0, sizeof *log);
}
