/* SPDX-License-Identifier: MIT
 * The one sleeper of the room. */
#ifndef RLK_LOCK_SLEEP_H
#define RLK_LOCK_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

#define RLK_NO_DEADLINE INT64_MAX
#define RLK_MS          INT64_C(1000000) /* in nanoseconds */

/* What ends a sleep early. */
struct rlk_stop {
    uint32_t cancelled;            /* atomic; non-zero: give up */
    int (*interrupted)(void *arg); /* the same, asked; may be NULL */
    void *arg;
};

/* Until when, and what ends it early. */
struct rlk_patience {
    int64_t deadline_ns;         /* of rlk_clock_ns() */
    const struct rlk_stop *stop; /* may be NULL */
};

/* So many milliseconds from now, and nothing else. */
struct rlk_patience rlk_patience_ms(int64_t ms);

enum rlk_slept { RLK_NEWS, RLK_SLICE_OVER, RLK_DEADLINE, RLK_CANCELLED };

/* Sleep while *word == expected, for one slice at most. RLK_NEWS: it changed,
 * or a signal came: look again. */
enum rlk_slept rlk_sleep(uint32_t *word, uint32_t expected, int64_t slice_ns,
                         const struct rlk_patience *patience);

/* The half of a 64-bit word that a futex can sleep on. */
static inline uint32_t *
rlk_low_half(uint64_t *word)
{
    return (uint32_t *)word + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* Change the word and wake who sleeps on it; async-signal-safe. */
void rlk_wake(uint32_t *word);

#endif
