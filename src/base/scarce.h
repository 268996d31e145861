/* SPDX-License-Identifier: MIT
 * For tests: memory that is used up after so many allocations. The n-th of them
 * fails, and all after it. */
#ifndef RLK_BASE_SCARCE_H
#define RLK_BASE_SCARCE_H

#include <stdlib.h>

#include "base/memory.h"

static long rlk_scarce_left;
static void *(*rlk_scarce_usual)(void *old, size_t size);

static void *
rlk_scarce_allocate(void *old, size_t size)
{
    if (size && rlk_scarce_left-- <= 0)
        return NULL;
    void *p = size ? realloc(old, size) : NULL;
    if (!size)
        free(old);
    return p;
}

static void
rlk_scarce_begin(long allocations)
{
    rlk_scarce_left = allocations;
    rlk_scarce_usual = rlk_allocator;
    rlk_allocator = rlk_scarce_allocate;
}

static void
rlk_scarce_end(void)
{
    rlk_allocator = rlk_scarce_usual;
}

#endif
