/* SPDX-License-Identifier: MIT
 * A session's view of the lock table, and its storage: locks, names, queues.
 *
 * Nothing here sleeps, reads a clock or makes a system call: the few things
 * that need the world come in by struct rlk_world. All functions need the latch
 * unless they say otherwise.
 *
 * The map is not trusted: an index read from it is checked here, and a bad one
 * leads to a private spare object and sets damaged, so that no caller needs a
 * branch for it; who holds the latch looks at damaged before letting go. */
#ifndef RLK_LOCK_TABLE_H
#define RLK_LOCK_TABLE_H

#include <stdbool.h>

#include "layout.h"
#include "rowlock/lock.h"
#include "shared.h"

enum {
    RLK_MOST_VISITS = 256, /* entries that one hold of the latch visits */
    RLK_GATE = 64,         /* bypasses of one waiter before the gate closes */
    RLK_SLOT_BYPASSES = 8  /* of one that waits for the writer slot, before it
                              is handed over */
};

struct rlk_world {
    /* Does this owner live? Asked under the latch (quick: one system call at
     * most) and outside it (thorough). "Yes" when in doubt. */
    bool (*alive)(void *world, uint32_t owner, uint32_t incarnation,
                  bool thorough);
    /* Is the file large enough for so many locks? */
    bool (*has_room)(void *world, uint32_t capacity);
    void *arg;
};

struct rlk_table {
    unsigned char *map;
    struct rlk_header *h;
    struct rlk_owner *owners; /* RLK_OWNERS */
    struct rlk_queue *queues; /* RLK_OWNERS */
    uint32_t capacity;        /* of the header, as last checked */
    struct rlk_world world;
    bool damaged;
    int64_t now_ms;       /* the time, set by who takes the latch */
    int64_t believed_ms;  /* a waiter that waits for less is taken to live */
    int64_t courteous_ns; /* when this session last let others have it */
    uint32_t visits;      /* entries seen since the latch was taken */
    uint32_t n_wake;      /* owners to be woken after the latch is given back */
    uint32_t wake[RLK_MOST_VISITS + 2 * RLK_LINES];
    union {
        struct rlk_lock lock;
        struct rlk_name name;
        struct rlk_owner owner;
        struct rlk_queue queue;
        uint32_t bucket;
    } spare;
};

/* What a lock is called, ready for the table. */
struct rlk_id {
    uint32_t hash[4];
    uint8_t kind;
    char label[RLK_LABEL];
};

void rlk_table_init(struct rlk_table *t, void *map,
                    const struct rlk_world *world);
/* Write an empty table with room for capacity locks into a zeroed map, all but
 * the magic. */
void rlk_table_format(struct rlk_table *t, uint32_t capacity);

/* Slow paths of the accessors below. */
bool rlk_table_reaches(struct rlk_table *t, uint32_t index);
void *rlk_table_spare(struct rlk_table *t);

static inline unsigned char *
rlk_segment(const struct rlk_table *t, uint32_t index)
{
    return t->map + RLK_SEGMENTS_AT +
           (size_t)(index / RLK_SEGMENT) * RLK_SEGMENT_BYTES;
}

static inline bool
rlk_in_reach(struct rlk_table *t, uint32_t index)
{
    return index < t->capacity || rlk_table_reaches(t, index);
}

static inline struct rlk_lock *
rlk_lock_at(struct rlk_table *t, uint32_t index)
{
    if (index == 0 || !rlk_in_reach(t, index))
        return rlk_table_spare(t);
    return (struct rlk_lock *)rlk_segment(t, index) + index % RLK_SEGMENT;
}

static inline struct rlk_name *
rlk_name_at(struct rlk_table *t, uint32_t index)
{
    if (index == 0 || !rlk_in_reach(t, index))
        return rlk_table_spare(t);
    return (struct rlk_name *)(rlk_segment(t, index) + RLK_NAMES_AT) +
           index % RLK_SEGMENT;
}

static inline uint32_t *
rlk_bucket_at(struct rlk_table *t, uint32_t index)
{
    if (!rlk_in_reach(t, index))
        return rlk_table_spare(t);
    return (uint32_t *)(rlk_segment(t, index) + RLK_BUCKETS_AT) +
           index % RLK_SEGMENT;
}

static inline struct rlk_owner *
rlk_owner_at(struct rlk_table *t, uint32_t slot)
{
    if (slot >= RLK_OWNERS)
        return rlk_table_spare(t);
    return &t->owners[slot];
}

static inline struct rlk_queue *
rlk_queue_at(struct rlk_table *t, uint32_t index_plus_1)
{
    if (index_plus_1 == 0 || index_plus_1 > RLK_OWNERS)
        return rlk_table_spare(t);
    return &t->queues[index_plus_1 - 1];
}

/* ---- storage; 0 means none, or no room ---- */

uint32_t rlk_lock_alloc(struct rlk_table *t);
void rlk_lock_free(struct rlk_table *t, uint32_t lock);

uint32_t rlk_name_find(struct rlk_table *t, const uint32_t hash[4]);
/* Bring what rlk_name_find() will read near, without the latch: a guess. */
void rlk_name_prefetch(struct rlk_table *t, const uint32_t hash[4]);
uint32_t rlk_name_alloc(struct rlk_table *t, const struct rlk_id *id);
void rlk_name_free(struct rlk_table *t, uint32_t name);
/* Put a name into its bucket; one more bucket when there are too few. */
void rlk_name_link(struct rlk_table *t, uint32_t name);

/* The queue of a name, made when it has none. */
struct rlk_queue *rlk_queue_of(struct rlk_table *t, struct rlk_name *name);
void rlk_queue_free(struct rlk_table *t, struct rlk_name *name);

/* Remember to wake owner once the latch is given back. */
void rlk_wake_later(struct rlk_table *t, uint32_t owner);

static inline int64_t
rlk_since(const struct rlk_lock *lock)
{
    return (int64_t)lock->since_high << 32 | lock->since_low;
}

#endif
