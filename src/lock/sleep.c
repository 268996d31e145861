/* SPDX-License-Identifier: MIT
 * Sleeping on a word of shared memory, in slices, so that the sleeper can look
 * whether the one it waits for still lives. Nothing else in the room sleeps. */
#include "sleep.h"

#include <stddef.h>

#include "platform.h"
#include "shared.h"

struct rlk_patience
rlk_patience_ms(int64_t ms)
{
    return (struct rlk_patience){rlk_clock_ns() + ms * RLK_MS, NULL};
}

static bool
is_stopped(const struct rlk_stop *stop)
{
    return stop && (__atomic_load_n(&stop->cancelled, __ATOMIC_ACQUIRE) ||
                    (stop->interrupted && stop->interrupted(stop->arg)));
}

enum rlk_slept
rlk_sleep(uint32_t *word, uint32_t expected, int64_t slice_ns,
          const struct rlk_patience *patience)
{
    int64_t limit = slice_ns;
    if (is_stopped(patience->stop))
        return RLK_CANCELLED;
    if (patience->deadline_ns != RLK_NO_DEADLINE) {
        int64_t left = patience->deadline_ns - rlk_clock_ns();
        if (left <= 0)
            return RLK_DEADLINE;
        if (left < limit)
            limit = left;
    }
    if (rlk_futex_wait(word, expected, limit) == RLK_WOKEN)
        return RLK_NEWS;
    return limit < slice_ns ? RLK_DEADLINE : RLK_SLICE_OVER;
}

void
rlk_wake(uint32_t *word)
{
    __atomic_add_fetch(word, 1, __ATOMIC_RELEASE);
    rlk_wrote();
    rlk_futex_wake(word, 1);
}
