/* SPDX-License-Identifier: MIT
 * The one place of shared writes. Every store into the mapped file goes through
 * RLK_PUT, RLK_PUBLISH or rlk_put_bytes, so that a test can die after each of
 * them (built with RLK_OBSERVE_WRITES, which calls rlk_wrote). Only the latch
 * and futex words, written by compare-and-swap, have their own place (latch.c,
 * sleep.c), which calls rlk_wrote as well. */
#ifndef RLK_LOCK_SHARED_H
#define RLK_LOCK_SHARED_H

#include <stddef.h>
#include <string.h>

#ifdef RLK_OBSERVE_WRITES
void rlk_wrote(void);
#else
static inline void
rlk_wrote(void)
{
}
#endif

/* A field, before the word that makes it count. */
#define RLK_PUT(place, value)                                  \
    do {                                                       \
        __atomic_store_n(&(place), (value), __ATOMIC_RELAXED); \
        rlk_wrote();                                           \
    } while (0)

/* A counter that is counted without the latch. */
#define RLK_COUNT(place, n)                                  \
    do {                                                     \
        __atomic_fetch_add(&(place), (n), __ATOMIC_RELAXED); \
        rlk_wrote();                                         \
    } while (0)

/* The word itself: what was put before it is seen by who sees it. */
#define RLK_PUBLISH(place, value)                              \
    do {                                                       \
        __atomic_store_n(&(place), (value), __ATOMIC_RELEASE); \
        rlk_wrote();                                           \
    } while (0)

/* Read what another may write at any time (no latch held). */
#define RLK_LOOK(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)

static inline void
rlk_put_bytes(void *place, const void *bytes, size_t len)
{
    memcpy(place, bytes, len);
    rlk_wrote();
}

#endif
