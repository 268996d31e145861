/* SPDX-License-Identifier: MIT
 * Storage of the lock table: free lists, and names by hash.
 *
 * Names stand in a hash table that grows a bucket at a time (linear hashing,
 * Litwin 1980), so that no hold of the latch ever moves more than one chain.
 * Invariant: bucket b of n holds the names whose hash, cut to enough bits, is
 * b; a hash that points past n loses its highest bit. */
#include "table.h"

void
rlk_table_init(struct rlk_table *t, void *map, const struct rlk_world *world)
{
    memset(t, 0, sizeof *t);
    t->map = map;
    t->h = map;
    t->owners = (void *)(t->map + RLK_OWNERS_AT);
    t->queues = (void *)(t->map + RLK_QUEUES_AT);
    t->world = *world;
}

void
rlk_table_format(struct rlk_table *t, uint32_t capacity)
{
    struct rlk_header *h = t->h;
    RLK_PUT(h->layout_version, RLK_LAYOUT_VERSION);
    RLK_PUT(h->n_owners, RLK_OWNERS);
    RLK_PUT(h->max_locks, RLK_MAX_LOCKS);
    RLK_PUT(h->segment_bytes, RLK_SEGMENT_BYTES);
    RLK_PUT(h->capacity, capacity);
    RLK_PUT(h->used_locks, 1);
    RLK_PUT(h->used_names, 1);
    RLK_PUT(h->n_buckets, RLK_SEGMENT);
    RLK_PUT(h->next_ticket, 1);
    RLK_PUT(h->ticket, 1);
    RLK_PUT(h->followers, 0);
    RLK_PUT(h->flushing, 0);
    RLK_PUT(h->turn, 0);
    for (uint32_t i = 0; i < RLK_OWNERS; i++)
        RLK_PUT(t->queues[i].next_free, i + 1 < RLK_OWNERS ? i + 2 : 0);
    RLK_PUT(h->free_queue, 1);
}

/* The table may have grown since this view looked. */
bool
rlk_table_reaches(struct rlk_table *t, uint32_t index)
{
    uint32_t capacity = RLK_LOOK(t->h->capacity);
    if (capacity == t->capacity || capacity > RLK_MAX_LOCKS ||
        capacity % RLK_SEGMENT || index >= capacity)
        return false;
    if (!t->world.has_room(t->world.arg, capacity))
        return false;
    t->capacity = capacity;
    return true;
}

void *
rlk_table_spare(struct rlk_table *t)
{
    t->damaged = true;
    memset(&t->spare, 0, sizeof t->spare);
    return &t->spare;
}

/* Is there room for one more, behind those once used? */
static bool
has_next(struct rlk_table *t, uint32_t index)
{
    uint32_t capacity = RLK_LOOK(t->h->capacity);
    if (index == 0 || index > capacity || capacity % RLK_SEGMENT)
        t->damaged = true; /* or it would grow for ever */
    return !t->damaged && rlk_in_reach(t, index);
}

uint32_t
rlk_lock_alloc(struct rlk_table *t)
{
    uint32_t index = t->h->free_lock;
    if (index) {
        RLK_PUT(t->h->free_lock, rlk_lock_at(t, index)->own_next);
        return index;
    }
    index = t->h->used_locks;
    if (!has_next(t, index))
        return 0;
    /* An older table may have left something here: free it before it counts. */
    RLK_PUBLISH(rlk_lock_at(t, index)->word, 0);
    RLK_PUBLISH(t->h->used_locks, index + 1);
    return index;
}

void
rlk_lock_free(struct rlk_table *t, uint32_t index)
{
    struct rlk_lock *lock = rlk_lock_at(t, index);
    RLK_PUBLISH(lock->word, 0);
    RLK_PUT(lock->own_next, t->h->free_lock);
    RLK_PUT(t->h->free_lock, index);
}

/* ---- names ---- */

static uint32_t
bucket_of(const struct rlk_table *t, uint32_t hash)
{
    uint32_t n = RLK_LOOK(t->h->n_buckets);
    if (n == 0)
        return 0;
    uint32_t half = 1u << (31 - __builtin_clz(n));
    uint32_t bucket = hash & (half * 2 - 1);
    return bucket < n ? bucket : hash & (half - 1);
}

static bool
same_hash(const uint32_t a[4], const uint32_t b[4])
{
    return memcmp(a, b, 4 * sizeof *a) == 0;
}

uint32_t
rlk_name_find(struct rlk_table *t, const uint32_t hash[4])
{
    uint32_t index = *rlk_bucket_at(t, bucket_of(t, hash[0]));
    while (index && !t->damaged) {
        const struct rlk_name *name = rlk_name_at(t, index);
        if (same_hash(name->hash, hash))
            return index;
        index = name->next;
        if (++t->visits > RLK_MAX_LOCKS)
            t->damaged = true; /* the chain bites its tail */
    }
    return 0;
}

/* Bring the first name of a bucket near. */
static void
prefetch_chain(struct rlk_table *t, uint32_t bucket)
{
    if (bucket >= t->capacity)
        return;
    uint32_t index = RLK_LOOK(*rlk_bucket_at(t, bucket));
    if (index < t->capacity)
        __builtin_prefetch(
            (struct rlk_name *)(rlk_segment(t, index) + RLK_NAMES_AT) +
            index % RLK_SEGMENT);
}

void
rlk_name_prefetch(struct rlk_table *t, const uint32_t hash[4])
{
    prefetch_chain(t, bucket_of(t, hash[0]));
}

/* Share the chain of one bucket with a new bucket behind the last. */
static void
split_bucket(struct rlk_table *t)
{
    uint32_t n = t->h->n_buckets;
    if (n == 0 || !rlk_in_reach(t, n))
        return;
    uint32_t from = n - (1u << (31 - __builtin_clz(n)));
    uint32_t index = *rlk_bucket_at(t, from);
    uint32_t keep = 0, move = 0;
    RLK_PUT(t->h->n_buckets, n + 1);
    while (index && !t->damaged) {
        struct rlk_name *name = rlk_name_at(t, index);
        uint32_t next = name->next;
        uint32_t *chain = bucket_of(t, name->hash[0]) == n ? &move : &keep;
        RLK_PUT(name->next, *chain);
        *chain = index;
        index = next;
        if (++t->visits > RLK_MAX_LOCKS)
            t->damaged = true;
    }
    RLK_PUT(*rlk_bucket_at(t, from), keep);
    RLK_PUT(*rlk_bucket_at(t, n), move);
    prefetch_chain(t, from + 1); /* the next to be shared */
}

void
rlk_name_link(struct rlk_table *t, uint32_t index)
{
    if (t->h->n_names >= t->h->n_buckets)
        split_bucket(t);
    struct rlk_name *name = rlk_name_at(t, index);
    uint32_t *bucket = rlk_bucket_at(t, bucket_of(t, name->hash[0]));
    RLK_PUT(name->next, *bucket);
    RLK_PUT(*bucket, index);
    RLK_PUT(t->h->n_names, t->h->n_names + 1);
}

uint32_t
rlk_name_alloc(struct rlk_table *t, const struct rlk_id *id)
{
    uint32_t index = t->h->free_name;
    if (index == 0) {
        index = t->h->used_names;
        if (!has_next(t, index))
            return 0;
        RLK_PUT(t->h->used_names, index + 1);
    } else {
        RLK_PUT(t->h->free_name, rlk_name_at(t, index)->next);
    }
    struct rlk_name *name = rlk_name_at(t, index);
    rlk_put_bytes(name->hash, id->hash, sizeof name->hash);
    RLK_PUT(name->kind, id->kind);
    rlk_put_bytes(name->label, id->label, sizeof name->label);
    RLK_PUT(name->holders, 0);
    RLK_PUT(name->queue, 0);
    RLK_PUT(name->n_locks, 0);
    for (int i = 0; i < RLK_MODES; i++)
        RLK_PUT(name->held[i], 0);
    rlk_name_link(t, index);
    return index;
}

static void
unlink_name(struct rlk_table *t, uint32_t index, const struct rlk_name *name)
{
    uint32_t *link = rlk_bucket_at(t, bucket_of(t, name->hash[0]));
    while (*link != index && *link && !t->damaged) {
        link = &rlk_name_at(t, *link)->next;
        if (++t->visits > RLK_MAX_LOCKS)
            t->damaged = true;
    }
    if (*link != index)
        t->damaged = true;
    if (t->damaged)
        return;
    RLK_PUT(*link, name->next);
    RLK_PUT(t->h->n_names, t->h->n_names - 1);
}

void
rlk_name_free(struct rlk_table *t, uint32_t index)
{
    struct rlk_name *name = rlk_name_at(t, index);
    unlink_name(t, index, name);
    RLK_PUT(name->next, t->h->free_name);
    RLK_PUT(t->h->free_name, index);
}

/* ---- queues ---- */

struct rlk_queue *
rlk_queue_of(struct rlk_table *t, struct rlk_name *name)
{
    if (name->queue)
        return rlk_queue_at(t, name->queue);
    uint32_t index = t->h->free_queue;
    struct rlk_queue *queue = rlk_queue_at(t, index);
    if (t->damaged)
        return queue;
    RLK_PUT(t->h->free_queue, queue->next_free);
    for (int i = 0; i < RLK_LINES; i++) {
        struct rlk_line *line = &queue->lines[i / RLK_MODES][i % RLK_MODES];
        RLK_PUT(line->first, 0);
        RLK_PUT(line->last, 0);
    }
    RLK_PUT(queue->n_waiting, 0);
    RLK_PUT(name->queue, index);
    return queue;
}

void
rlk_queue_free(struct rlk_table *t, struct rlk_name *name)
{
    RLK_PUT(rlk_queue_at(t, name->queue)->next_free, t->h->free_queue);
    RLK_PUT(t->h->free_queue, name->queue);
    RLK_PUT(name->queue, 0);
}

void
rlk_wake_later(struct rlk_table *t, uint32_t owner)
{
    if (t->n_wake < sizeof t->wake / sizeof t->wake[0])
        t->wake[t->n_wake++] = owner;
}
