/* SPDX-License-Identifier: MIT
 * One 64-bit word: incarnation in the high half; in the low half slot + 1,
 * shifted left by one, and whether somebody sleeps for it. 0: free. Taken by
 * compare-and-swap, slept for by futex on the low half (as in Drepper, "Futexes
 * are tricky", mutex 2, with an owner).
 *
 * Why not a robust pthread mutex: it names its holder by thread id, which means
 * another process in another pid namespace; and its layout is the C library's.
 *
 * A sleeper that meets the same holder for a whole slice asks whether it lives.
 * Dead: it swaps the dead holder's word for its own, which only one can do, and
 * rebuilds. Dying in the rebuild is the same case again. */
#include "latch.h"

#include "core.h"
#include "platform.h"

enum { SLEEPERS = 1, SPINS = 100, SLICE_MS = 10 };
enum { HOG_NS = 200 * 1000, COURTESY_NS = 100 * 1000 };

static uint64_t
word_of(const struct rlk_self *self)
{
    return (uint64_t)self->incarnation << 32 | (uint64_t)(self->slot + 1) << 1;
}

static uint32_t
slot_of(uint64_t word)
{
    return (uint32_t)(word & UINT32_MAX) / 2 - 1;
}

static bool
swap(struct rlk_table *t, uint64_t expected, uint64_t wanted)
{
    bool done =
        __atomic_compare_exchange_n(&t->h->latch, &expected, wanted, false,
                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    if (done)
        rlk_wrote();
    return done;
}

/* Our own slot: we never take it twice, and nobody else has our byte, so this
 * is one that claimed the slot before us and died. An owner that ends does so
 * in here: its end (incarnation + 1) does not make it dead. */
static bool
is_dead(struct rlk_table *t, const struct rlk_self *self, uint64_t word)
{
    uint32_t slot = slot_of(word), incarnation = (uint32_t)(word >> 32);
    if (slot >= RLK_OWNERS)
        return true; /* nobody can be called so: the word is damaged */
    if (slot == self->slot)
        return true;
    return !t->world.alive(t->world.arg, slot, incarnation + 1, true);
}

static bool
take_from_dead(struct rlk_table *t, const struct rlk_self *self, uint64_t word)
{
    if (!is_dead(t, self, word) || !swap(t, word, word_of(self) | SLEEPERS))
        return false;
    rlk_rebuild(t, self->scratch);
    return true;
}

static bool
try_for_a_while(struct rlk_table *t, uint64_t mine)
{
    for (int i = 0; i < SPINS; i++) {
        if (__atomic_load_n(&t->h->latch, __ATOMIC_RELAXED) == 0 &&
            swap(t, 0, mine))
            return true;
        rlk_pause();
    }
    return false;
}

/* Having slept once we take it with SLEEPERS set: others may sleep too. */
static enum rlk_latched
sleep_for_it(struct rlk_table *t, const struct rlk_self *self,
             const struct rlk_patience *patience)
{
    uint64_t mine = word_of(self) | SLEEPERS;
    for (;;) {
        uint64_t word = RLK_LOOK(t->h->latch);
        if (word == 0 && swap(t, 0, mine))
            return RLK_LATCHED;
        if (word == 0)
            continue;
        if (!(word & SLEEPERS) && !swap(t, word, word | SLEEPERS))
            continue;
        word |= SLEEPERS;
        enum rlk_slept slept =
            rlk_sleep(rlk_low_half(&t->h->latch), (uint32_t)word,
                      SLICE_MS * RLK_MS, patience);
        /* Not only when the slice is over: signals may cut short each one. */
        bool same = RLK_LOOK(t->h->latch) == word;
        if (same && take_from_dead(t, self, word))
            return RLK_LATCHED;
        if (slept == RLK_DEADLINE)
            return RLK_LATCH_DEADLINE;
        if (slept == RLK_CANCELLED)
            return RLK_LATCH_CANCELLED;
    }
}

enum rlk_latched
rlk_latch_take(struct rlk_table *t, const struct rlk_self *self,
               const struct rlk_patience *patience)
{
    if (!swap(t, 0, word_of(self)) && !try_for_a_while(t, word_of(self))) {
        enum rlk_latched rc = sleep_for_it(t, self, patience);
        if (rc != RLK_LATCHED)
            return rc;
    }
    t->visits = 0;
    t->now_ms = rlk_clock_ms();
    if (t->h->damaged)
        t->damaged = true;
    return RLK_LATCHED;
}

/* Who gives the latch back and takes it again at once (a million locks go back
 * in thousands of holds) is always faster than a sleeper wakes. So once in a
 * while it waits until another has had it, or has not come. */
static void
let_others_in(struct rlk_table *t)
{
    int64_t now = rlk_clock_ns(), limit = now + COURTESY_NS;
    if (now - t->courteous_ns < HOG_NS)
        return;
    while (RLK_LOOK(t->h->latch) == 0 && rlk_clock_ns() < limit)
        rlk_yield();
    t->courteous_ns = rlk_clock_ns();
}

void
rlk_latch_give(struct rlk_table *t)
{
    /* What one cannot read no other may trust: a lock that was lost would be
     * given away. */
    if (t->damaged)
        RLK_PUT(t->h->damaged, 1);
    uint64_t word = __atomic_exchange_n(&t->h->latch, 0, __ATOMIC_RELEASE);
    rlk_wrote();
    if (word & SLEEPERS)
        rlk_futex_wake(rlk_low_half(&t->h->latch), 1);
    uint32_t n = t->n_wake;
    t->n_wake = 0;
    for (uint32_t i = 0; i < n; i++)
        rlk_wake(&rlk_owner_at(t, t->wake[i])->wake);
    if (word & SLEEPERS) /* who was granted is awake by now */
        let_others_in(t);
}

int
rlk_latch_is_stuck(const struct rlk_table *t, rowlock_error *err)
{
    uint64_t word = RLK_LOOK(t->h->latch);
    uint32_t slot = slot_of(word);
    rlk_fail(err, ROWLOCK_NOT_AVAILABLE, "could not enter the lock table");
    if (word && slot < RLK_OWNERS)
        rlk_detail(err, "Process %lld (%.*s) is inside, maybe stopped.",
                   (long long)t->owners[slot].pid, RLK_OWNER_LABEL,
                   t->owners[slot].label);
    return ROWLOCK_NOT_AVAILABLE;
}
