/* SPDX-License-Identifier: MIT
 * For tests: memory that is used up after so many allocations, of all threads.
 * The n-th of them fails, and all after it, or it alone. */
#ifndef RLK_BASE_SCARCE_H
#define RLK_BASE_SCARCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/memory.h"

static atomic_long rlk_scarce_left;
static atomic_bool rlk_scarce_once, rlk_scarce_failed;
static void *(*rlk_scarce_usual)(void *old, size_t size);

static inline void *
rlk_scarce_allocate(void *old, size_t size)
{
    long left = size ? atomic_fetch_sub(&rlk_scarce_left, 1) : 1;
    if (left > 0 || (left < 0 && rlk_scarce_once))
        return rlk_scarce_usual(old, size);
    rlk_scarce_failed = true;
    return NULL;
}

static inline void
rlk_scarce_begin(long allocations)
{
    rlk_scarce_left = allocations;
    rlk_scarce_once = rlk_scarce_failed = false;
    rlk_scarce_usual = rlk_allocator;
    rlk_allocator = rlk_scarce_allocate;
}

static inline void
rlk_scarce_begin_once(long allocations)
{
    rlk_scarce_begin(allocations);
    rlk_scarce_once = true;
}

static inline void
rlk_scarce_end(void)
{
    rlk_allocator = rlk_scarce_usual;
}

#endif
