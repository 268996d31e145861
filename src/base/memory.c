/* SPDX-License-Identifier: MIT
 * The allocator and the arena. Every size is checked for overflow here, so
 * callers pass count and size apart. */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *
system_allocator(void *old, size_t size)
{
    if (size)
        return realloc(old, size);
    free(old);
    return NULL;
}

void *(*rlk_allocator)(void *old, size_t size) = system_allocator;

void *
rlk_reallocarray(void *old, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return rlk_allocator(old, total ? total : 1);
}

void *
rlk_calloc(size_t n, size_t size)
{
    void *p = rlk_reallocarray(NULL, n, size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

void
rlk_free(void *p)
{
    if (p)
        rlk_allocator(p, 0);
}

void
rlk_free_ref(void *ref)
{
    rlk_free(*(void **)ref);
}

char *
rlk_strndup(const char *text, size_t len)
{
    char *copy = rlk_reallocarray(NULL, len + 1, 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *
rlk_strdup(const char *text)
{
    return rlk_strndup(text, strlen(text));
}

struct rlk_arena_chunk {
    struct rlk_arena_chunk *next;
    size_t size;
    _Alignas(max_align_t) unsigned char bytes[];
};

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20 };

static int
add_chunk(struct rlk_arena *arena, size_t need)
{
    size_t size = arena->chunks ? arena->chunks->size * 2 : FIRST_CHUNK;
    if (size > LARGEST_CHUNK)
        size = LARGEST_CHUNK;
    if (size < need)
        size = need;
    struct rlk_arena_chunk *chunk =
        rlk_reallocarray(NULL, 1, sizeof *chunk + size);
    if (!chunk)
        return -1;
    chunk->next = arena->chunks;
    chunk->size = size;
    arena->chunks = chunk;
    arena->left = size;
    arena->grown += size;
    return 0;
}

static void *
take(struct rlk_arena *arena, size_t n, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    size_t need;
    if (__builtin_mul_overflow(n, size, &need) ||
        need > SIZE_MAX / 2 - sizeof(struct rlk_arena_chunk))
        return NULL;
    need = (need + align - 1) / align * align;
    if (need == 0)
        need = align;
    if (arena->left < need && add_chunk(arena, need))
        return NULL;
    unsigned char *end = arena->chunks->bytes + arena->chunks->size;
    void *p = end - arena->left;
    arena->left -= need;
    return p;
}

void *
rlk_arena_alloc(struct rlk_arena *arena, size_t n, size_t size)
{
    void *p = take(arena, n, size);
    return p ? memset(p, 0, n * size) : NULL;
}

char *
rlk_arena_copy(struct rlk_arena *arena, const void *bytes, size_t len)
{
    char *copy = len < SIZE_MAX ? take(arena, len + 1, 1) : NULL;
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = 0;
    return copy;
}

void
rlk_arena_reset(struct rlk_arena *arena)
{
    struct rlk_arena_chunk *kept = arena->chunks;
    if (!kept)
        return;
    arena->chunks = kept->next;
    rlk_arena_done(arena);
    kept->next = NULL;
    arena->chunks = kept;
    arena->left = arena->grown = kept->size;
}

void
rlk_arena_done(struct rlk_arena *arena)
{
    struct rlk_arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct rlk_arena_chunk *next = chunk->next;
        rlk_free(chunk);
        chunk = next;
    }
    memset(arena, 0, sizeof *arena);
}
