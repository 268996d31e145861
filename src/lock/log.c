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

void
rlk_log_add(struct rlk_log *log, uint32_t lock, uint32_t before, uint32_t hash)
{
    log->entries[log->n++] = (struct rlk_entry){lock, before};
    if (before)
        return;
    put(log, (uint64_t)hash << 32 | lock);
    log->n_indexed++;
}

struct rlk_entry
rlk_log_pop(struct rlk_log *log)
{
    return log->entries[--log->n];
}

/* Is position p cyclically in (from, to]? */
static bool
between(size_t from, size_t p, size_t to)
{
    return from <= to ? from < p && p <= to : from < p || p <= to;
}

void
rlk_log_unindex(struct rlk_log *log, uint32_t lock, uint32_t hash)
{
    if (log->index_size == 0)
        return;
    uint64_t wanted = (uint64_t)hash << 32 | lock;
    size_t mask = log->index_size - 1, i = home(log, hash);
    while (log->index[i] != wanted) {
        if (log->index[i] == 0)
            return;
        i = (i + 1) & mask;
    }
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
        uint32_t lock = (uint32_t)log->index[i];
        if (hash_of(log->index[i]) == hash && look(arg, lock))
            return lock;
    }
    return 0;
}

void
rlk_log_strike(struct rlk_log *log, uint32_t lock, uint32_t hash)
{
    /* The entry that took it is the oldest that names it. */
    for (size_t i = log->n; i-- > 0;) {
        struct rlk_entry *entry = &log->entries[i];
        if (entry->lock != lock)
            continue;
        entry->lock = 0;
        if (entry->before == 0)
            break;
    }
    rlk_log_unindex(log, lock, hash);
}

void
rlk_log_done(struct rlk_log *log)
{
    rlk_free(log->entries);
    rlk_free(log->index);
    memset(log, 0, sizeof *log);
}
