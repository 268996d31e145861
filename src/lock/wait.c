/* SPDX-License-Identifier: MIT
 * A wait, from the queue to the grant. The waiter sleeps on a word of its own,
 * in slices; at the end of each it looks whether those in its way still live:
 * the first in line, and who waits for the writer slot, every 10 ms, the others
 * every 50. So a dead holder is found
 * by whoever waits for it, and by nobody else.
 *
 * Nothing is decided here: the lock's word, read with acquire, tells whether it
 * was granted; all else happens under the latch, in the core. */
#include <stdio.h>
#include <time.h>

#include "base/text.h"
#include "name.h"
#include "session.h"

enum { SLICE_FIRST_MS = 10, SLICE_MS = 50, MOST_BLOCKERS = 64 };

struct wait {
    rowlock_locks *s;
    const struct rlk_asking *asking;
    uint32_t lock;
    enum rowlock_mode before; /* what was held */
    int64_t began_ns;
    bool noticed; /* on_wait was called */
    bool first;   /* in line */
    uint32_t n_blockers;
    struct rlk_blocker blockers[MOST_BLOCKERS];
};

/* ---- who stands in the way ---- */

static void
describe(struct rlk_table *t, uint32_t slot, const struct rlk_lock *held,
         struct rlk_blocker *ret)
{
    const struct rlk_owner *owner = rlk_owner_at(t, slot);
    if (!(owner->incarnation & 1))
        t->damaged = true; /* a slot that nobody owns: it cannot be buried */
    ret->slot = slot;
    ret->incarnation = owner->incarnation;
    ret->pid = owner->pid;
    ret->held_ms = held ? t->now_ms - rlk_since(held) : 0;
    memcpy(ret->label, owner->label, sizeof ret->label);
    ret->label[sizeof ret->label - 1] = 0;
}

uint32_t
rlk_blockers(struct rlk_table *t, uint32_t index, uint32_t owner, uint32_t mode,
             struct rlk_blocker *ret, uint32_t most)
{
    const struct rlk_name *name = rlk_name_at(t, index);
    uint32_t n = 0, seen = 0;
    for (uint32_t i = name->holders; i && n < most && !t->damaged;) {
        const struct rlk_lock *held = rlk_lock_at(t, i);
        if (held->owner != owner && rlk_conflict(mode, rlk_held(held->word)))
            describe(t, held->owner, held, &ret[n++]);
        i = held->peer_next;
        if (++seen > RLK_OWNERS)
            t->damaged = true;
        if (++t->visits > RLK_MOST_VISITS && n)
            break;
    }
    uint32_t waiting = rlk_owner_at(t, owner)->waiting, keepers[RLK_LINES];
    uint64_t ticket = waiting ? rlk_lock_at(t, waiting)->ticket : UINT64_MAX;
    if (n)
        return n;
    int n_keepers = rlk_gate_keepers(t, name, mode, ticket, keepers);
    for (int i = 0; i < n_keepers && n < most; i++)
        describe(t, keepers[i], NULL, &ret[n++]);
    return n;
}

bool
rlk_bury_dead_blockers(rowlock_locks *s, const struct rlk_blocker *blockers,
                       uint32_t n, const struct rlk_patience *patience)
{
    struct rlk_table *t = &s->table;
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct rlk_blocker *b = &blockers[i];
        if (t->world.alive(t->world.arg, b->slot, b->incarnation, true))
            continue;
        rlk_bury(t, &s->self, b->slot, b->incarnation, patience);
        any = true;
    }
    return any;
}

static void
name_texts(const struct rlk_id *id, char *ret_table, char *ret_key)
{
    rlk_label_split(id->label, ret_table, ret_key);
    if (id->kind == ROWLOCK_WRITER)
        snprintf(ret_table, RLK_LABEL + 1, "writer slot");
}

int
rlk_not_available(const struct rlk_asking *asking, const char *message,
                  const struct rlk_blocker *blocker, rowlock_error *err)
{
    char table[RLK_LABEL + 1], key[RLK_LABEL + 1], held[32];
    name_texts(&asking->id, table, key);
    rlk_fail(err, ROWLOCK_NOT_AVAILABLE, "%s on %s%s%s", message, table,
             key[0] ? "/" : "", key);
    if (!blocker)
        return ROWLOCK_NOT_AVAILABLE;
    rlk_duration_print(blocker->held_ms, held, sizeof held);
    rlk_detail(err, "Process %lld (%s) has held it for %s.",
               (long long)blocker->pid, blocker->label, held);
    return ROWLOCK_NOT_AVAILABLE;
}

/* ---- the wait ---- */

static bool
is_granted(struct wait *w)
{
    const struct rlk_lock *lock = rlk_lock_at(&w->s->table, w->lock);
    uint32_t word = RLK_LOOK(lock->word);
    return rlk_want(word) == 0 && rlk_held(word) >= w->asking->mode &&
           lock->owner == w->s->self.slot &&
           lock->incarnation == w->s->self.incarnation;
}

/* Leave the queue because of code. Granted at the last moment counts as
 * granted: then 0. When the latch is stuck, the next to enter cleans up. */
static int
give_up(struct wait *w, int code)
{
    rowlock_locks *s = w->s;
    const struct rlk_patience patience = {rlk_clock_ns() + 100 * RLK_MS, NULL};
    int rc = rlk_enter(s, &patience, NULL);
    if (rc == ROWLOCK_NOT_AVAILABLE) {
        s->left_lock = w->lock;
        s->left_mode = w->before;
    }
    if (rc)
        return code;
    bool granted = is_granted(w);
    if (!granted)
        rlk_leave(&s->table, s->self.slot);
    rlk_exit(s, NULL);
    return granted ? 0 : code;
}

/* In the latch, after the search has counted it. */
static void
remember_cycle(struct wait *w, const char *text)
{
    struct rlk_table *t = &w->s->table;
    struct rlk_cycle cycle = {.at_s = time(NULL),
                              .pid = t->owners[w->s->self.slot].pid};
    snprintf(cycle.text, sizeof cycle.text, "%s", text);
    rlk_put_bytes(&t->h->cycles[t->h->counters.deadlocks % RLK_CYCLES], &cycle,
                  sizeof cycle);
}

/* Look for a cycle that this wait closed; the cycle's text goes to err. */
static int
search(struct wait *w, rowlock_error *err)
{
    rowlock_locks *s = w->s;
    enum rlk_found found = RLK_SEARCH_ON;
    char cycle[sizeof err->detail] = "";
    rlk_search_start(s->search, s->self.slot);
    while (found == RLK_SEARCH_ON) {
        RLK_TRY(rlk_enter(s, &w->asking->patience, err));
        found = rlk_search_step(s->search, &s->table);
        if (found == RLK_CYCLE) {
            rlk_search_describe(s->search, &s->table, cycle, sizeof cycle);
            remember_cycle(w, cycle);
            rlk_leave(&s->table, s->self.slot);
        }
        RLK_TRY(rlk_exit(s, err));
    }
    if (found == RLK_NO_CYCLE)
        return 0;
    rlk_fail(err, ROWLOCK_DEADLOCK, "deadlock detected");
    rlk_detail(err, "%s", cycle);
    return ROWLOCK_DEADLOCK;
}

static void
tell(struct wait *w)
{
    rowlock_locks *s = w->s;
    int64_t waited = (rlk_clock_ns() - w->began_ns) / RLK_MS;
    if (w->noticed || waited < s->options.notice_ms || !s->options.on_wait ||
        w->n_blockers == 0)
        return;
    char table[RLK_LABEL + 1], key[RLK_LABEL + 1];
    name_texts(&w->asking->id, table, key);
    const struct rlk_blocker *b = &w->blockers[0];
    const rowlock_wait_notice notice = {
        .kind = w->asking->name->kind,
        .table = table,
        .key = key,
        .owner = b->slot,
        .pid = b->pid,
        .owner_label = b->label,
        .held_ms = b->held_ms,
        .waited_ms = waited,
    };
    w->noticed = true;
    s->options.on_wait(&notice, s->options.on_wait_arg);
}

/* Who stands in the way now; do they live; is there a cycle? */
static int
look_around(struct wait *w, rowlock_error *err)
{
    rowlock_locks *s = w->s;
    struct rlk_table *t = &s->table;
    RLK_TRY(rlk_enter(s, &w->asking->patience, err));
    const struct rlk_lock *lock = rlk_lock_at(t, w->lock);
    /* Who gave the name back may have been cut short, or have died. */
    rlk_pump(t, lock->name);
    w->n_blockers = 0;
    if (!is_granted(w)) {
        w->first = rlk_first_in_line(t, s->self.slot);
        w->n_blockers =
            rlk_blockers(t, lock->name, s->self.slot, w->asking->mode,
                         w->blockers, MOST_BLOCKERS);
    }
    RLK_TRY(rlk_exit(s, err));
    rlk_bury_dead_blockers(s, w->blockers, w->n_blockers, &w->asking->patience);
    tell(w);
    return search(w, err);
}

static int64_t
slice(const struct wait *w)
{
    bool soon = w->first || w->asking->name->kind == ROWLOCK_WRITER;
    return (soon ? SLICE_FIRST_MS : SLICE_MS) * RLK_MS;
}

static int
sleep_until_granted(struct wait *w, rowlock_error *err)
{
    rowlock_locks *s = w->s;
    uint32_t *word = &s->table.owners[s->self.slot].wake;
    for (;;) { /* ended by a grant, the deadline, cancel or an error */
        uint32_t seen = RLK_LOOK(*word);
        if (is_granted(w))
            return 0;
        switch (rlk_sleep(word, seen, slice(w), &w->asking->patience)) {
        case RLK_DEADLINE:
            return rlk_not_available(w->asking,
                                     "timed out waiting for the lock",
                                     w->n_blockers ? w->blockers : NULL, err);
        case RLK_CANCELLED:
            return rlk_fail(err, ROWLOCK_CANCELLED, "cancelled on request");
        case RLK_NEWS:
        case RLK_SLICE_OVER:
            break;
        }
        if (!is_granted(w))
            RLK_TRY(look_around(w, err));
    }
}

static void
count(const struct wait *w, bool in_vain)
{
    struct rlk_counters *c = &w->s->table.h->counters;
    uint64_t ms = (uint64_t)(rlk_clock_ns() - w->began_ns) / RLK_MS;
    uint64_t longest = RLK_LOOK(c->longest_ms);
    RLK_COUNT(c->waited_ms, ms);
    RLK_COUNT(c->in_vain, in_vain);
    while (ms > longest &&
           !__atomic_compare_exchange_n(&c->longest_ms, &longest, ms, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ; /* longest is what another has put there: it only grows */
}

int
rlk_wait_for_grant(rowlock_locks *s, uint32_t lock, enum rowlock_mode before,
                   const struct rlk_asking *asking, rowlock_error *err)
{
    struct wait w = {.s = s,
                     .asking = asking,
                     .lock = lock,
                     .before = before,
                     .first = true,
                     .began_ns = rlk_clock_ns()};
    if (!s->search)
        s->search = rlk_search_new();
    int rc = s->search ? search(&w, err) : rlk_out_of_memory(err);
    if (rc == 0)
        rc = sleep_until_granted(&w, err);
    if (rc && rc != ROWLOCK_DEADLOCK)
        rc = give_up(&w, rc);
    count(&w, rc != 0);
    return rc;
}
