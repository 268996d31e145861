/* SPDX-License-Identifier: MIT
 * Memory: one replaceable allocator (tests make its n-th call fail), cleanup
 * attributes for locals, and an arena for what dies together. */
#ifndef RLK_BASE_MEMORY_H
#define RLK_BASE_MEMORY_H

#include <stddef.h>

/* realloc's contract; size 0 frees. Set before any other call. */
extern void *(*rlk_allocator)(void *old, size_t size);

/* Zeroed; NULL when out of memory or when n * size overflows. */
void *rlk_calloc(size_t n, size_t size);
/* Not zeroed beyond the old part; old stays valid on failure. */
void *rlk_reallocarray(void *old, size_t n, size_t size);
void rlk_free(void *p);
char *rlk_strdup(const char *text);
char *rlk_strndup(const char *text, size_t len);

void rlk_free_ref(void *ref); /* frees what the pointer at ref points to */
#define RLK_AUTOFREE __attribute__((cleanup(rlk_free_ref)))

/* Bytes that die together; zeroed is empty. Nothing is freed alone. */
struct rlk_arena {
    struct rlk_arena_chunk *chunks;
    size_t left;
    size_t grown; /* bytes held in all */
};

/* Aligned for anything, zeroed; NULL when out of memory. */
void *rlk_arena_alloc(struct rlk_arena *arena, size_t n, size_t size);
/* A copy with a NUL behind it. */
char *rlk_arena_copy(struct rlk_arena *arena, const void *bytes, size_t len);
/* Forgets all that was given, keeping the newest chunk for what comes. */
void rlk_arena_reset(struct rlk_arena *arena);
void rlk_arena_done(struct rlk_arena *arena);
#define RLK_AUTOARENA __attribute__((cleanup(rlk_arena_done)))

#endif
