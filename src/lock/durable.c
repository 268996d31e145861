/* SPDX-License-Identifier: MIT
 * One flush for all who wait: tickets, the leader, poison.
 *
 * A commit takes a ticket, the next number, after it is written and before the
 * writer slot goes back: so tickets are in the order of commits. A flush
 * publishes as durable the newest ticket that it read before it began, for all
 * that was written by then is in it, whoever wrote it. One waiter flushes, the
 * leader; the others sleep until the number has grown. (Group commit, as in
 * DeWitt et al., "Implementation techniques for main memory database systems",
 * 1984.)
 *
 * The leader is an economy, not an exclusion: two flushes at a time do no harm.
 * So who sees no end of one joins in, at once when its leader is dead.
 *
 * Invariant: poison is stored before the leader's word goes, so that nobody
 * flushes again, with success, what a flush has lost. (On Linux a second
 * fsync(2) of lost data succeeds.) */
#include "session.h"

#include <limits.h>

#include "platform.h"

/* A test makes them longer, to see that nobody needs them. */
#ifndef RLK_FLUSH_SLICE_MS
#define RLK_FLUSH_SLICE_MS 10
#endif
#ifndef RLK_FLUSH_JOIN_MS
#define RLK_FLUSH_JOIN_MS 1000
#endif

/* What a follower last saw, and since when. */
struct watch {
    uint64_t leader, durable;
    int64_t since_ns;
};

static const struct rlk_patience for_ever = {RLK_NO_DEADLINE, NULL};

static int
poisoned(rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_IO, "the database's disk has failed");
    rlk_detail(err, "A flush or a checkpoint failed: what was committed since "
                    "the last one may be lost, and what is read may be gone "
                    "after a restart.");
    rlk_hint(err, "Look at the disk. Then rowlock doctor --repair, with no "
                  "other program running, saves what can be read.");
    return ROWLOCK_IO;
}

static int
check_session(const rowlock_locks *s, rowlock_error *err)
{
    if (s && !rlk_attachment_is_forked(s->attachment))
        return 0;
    return rlk_fail(err, ROWLOCK_MISUSE,
                    "a session of the process that forked this one");
}

/* A number that only grows. */
static void
raise_to(uint64_t *place, uint64_t value)
{
    uint64_t there = RLK_LOOK(*place);
    while (there < value &&
           !__atomic_compare_exchange_n(place, &there, value, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        ;
    rlk_wrote();
}

/* ---- sleeping ----
 *
 * Who is in the running flush sleeps on the number that it will raise; who is
 * not, on the turn. So the end of a flush wakes those whom it served, and one
 * more, to lead the next; which begins by taking the others in. */

/* Sequential consistency: a follower counts itself, then looks again; who
 * changes what it looks at asks for the count after that. One of them sees the
 * other. */
static bool
anybody_follows(const struct rlk_header *h)
{
    return __atomic_load_n(&h->followers, __ATOMIC_SEQ_CST) != 0;
}

static void
next_turn(struct rlk_header *h)
{
    __atomic_add_fetch(&h->turn, 1, __ATOMIC_SEQ_CST);
    rlk_wrote();
}

static void
take_in(struct rlk_header *h, uint64_t target)
{
    raise_to(&h->flushing, target);
    next_turn(h);
    if (anybody_follows(h))
        rlk_futex_move(&h->turn, rlk_low_half(&h->durable));
}

static void
wake_all(struct rlk_header *h)
{
    next_turn(h);
    if (!anybody_follows(h))
        return;
    rlk_futex_wake(rlk_low_half(&h->durable), INT_MAX);
    rlk_futex_wake(&h->turn, 1);
}

/* durable and turn: as they were when the leader's word was looked at. */
static void
follow(struct rlk_header *h, uint64_t ticket, uint64_t durable, uint32_t turn)
{
    __atomic_add_fetch(&h->followers, 1, __ATOMIC_SEQ_CST);
    rlk_wrote();
    if (__atomic_load_n(&h->turn, __ATOMIC_SEQ_CST) == turn) {
        bool served = ticket <= RLK_LOOK(h->flushing);
        rlk_sleep(served ? rlk_low_half(&h->durable) : &h->turn,
                  served ? (uint32_t)durable : turn,
                  RLK_FLUSH_SLICE_MS * RLK_MS, &for_ever);
    }
    __atomic_sub_fetch(&h->followers, 1, __ATOMIC_SEQ_CST);
    rlk_wrote();
}

static uint64_t
leader_of(const struct rlk_self *self)
{
    return (uint64_t)self->incarnation << 32 | (self->slot + 1);
}

/* Our own slot: one that had it before us and died, for we do not flush. */
static bool
is_dead(const rowlock_locks *s, uint64_t leader)
{
    const struct rlk_world *world = &s->table.world;
    uint32_t slot = (uint32_t)leader - 1;
    return slot >= RLK_OWNERS || slot == s->self.slot ||
           !world->alive(world->arg, slot, (uint32_t)(leader >> 32), true);
}

static bool
swap_leader(rowlock_locks *s, uint64_t expected, uint64_t wanted)
{
    bool done =
        __atomic_compare_exchange_n(&s->table.h->leader, &expected, wanted,
                                    false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    if (done)
        rlk_wrote();
    return done;
}

static int
lead(rowlock_locks *s, rowlock_flush *flush, void *arg, rowlock_error *err)
{
    struct rlk_header *h = s->table.h;
    uint64_t target = RLK_LOOK(h->ticket);
    take_in(h, target);
    int rc = flush(arg, err);
    if (rc)
        rowlock_locks_poison(s);
    else if (!RLK_LOOK(h->poison))
        raise_to(&h->durable, target);
    RLK_COUNT(h->counters.flushes, 1);
    swap_leader(s, leader_of(&s->self), 0); /* unless another has joined in */
    wake_all(h);
    return rc;
}

/* May this session flush now: nobody else does, or to no end? */
static bool
may_lead(const rowlock_locks *s, struct watch *w, uint64_t leader,
         uint64_t durable)
{
    int64_t now = rlk_clock_ns();
    if (w->leader != leader || w->durable != durable)
        *w = (struct watch){leader, durable, now};
    int64_t waited = now - w->since_ns;
    return leader == 0 || waited >= RLK_FLUSH_JOIN_MS * RLK_MS ||
           (waited >= RLK_FLUSH_SLICE_MS * RLK_MS && is_dead(s, leader));
}

uint64_t
rowlock_locks_ticket(rowlock_locks *s)
{
    if (check_session(s, NULL))
        return 0;
    uint64_t ticket =
        __atomic_add_fetch(&s->table.h->ticket, 1, __ATOMIC_ACQ_REL);
    rlk_wrote();
    return ticket;
}

int
rowlock_locks_make_durable(rowlock_locks *s, uint64_t ticket,
                           rowlock_flush *flush, void *arg, rowlock_error *err)
{
    RLK_TRY(check_session(s, err));
    struct rlk_header *h = s->table.h;
    struct watch watch = {0};
    for (;;) { /* each turn flushed, or slept while another does */
        uint32_t turn = RLK_LOOK(h->turn);
        uint64_t durable = RLK_LOOK(h->durable);
        if (RLK_LOOK(h->poison))
            return poisoned(err);
        if (durable >= ticket)
            return 0;
        uint64_t leader = RLK_LOOK(h->leader);
        if (!may_lead(s, &watch, leader, durable))
            follow(h, ticket, durable, turn);
        else if (swap_leader(s, leader, leader_of(&s->self)))
            RLK_TRY(lead(s, flush, arg, err));
    }
}

void
rowlock_locks_poison(rowlock_locks *s)
{
    if (check_session(s, NULL))
        return;
    RLK_PUBLISH(s->table.h->poison, 1);
    wake_all(s->table.h);
}

int
rowlock_locks_cure(rowlock_locks *s, rowlock_error *err)
{
    RLK_TRY(check_session(s, err));
    if (!s->options.alone)
        return rlk_fail(err, ROWLOCK_MISUSE, "the session is not alone");
    RLK_PUBLISH(s->table.h->poison, 0);
    return 0;
}

int
rowlock_locks_poisoned(rowlock_locks *s, rowlock_error *err)
{
    RLK_TRY(check_session(s, err));
    return RLK_LOOK(s->table.h->poison) ? poisoned(err) : 0;
}
