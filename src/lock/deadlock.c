/* SPDX-License-Identifier: MIT
 * Who waits for whom: a waiter waits for each holder that conflicts with it. As
 * compatible requests go past waiters, the order of a queue adds nothing to
 * that, but for the gate: a waiter that only the gate keeps back waits for its
 * keepers.
 *
 * Only the last to arrive may find a cycle, or two would fall for one: the
 * search follows waits that began before its own (by ticket). The other edges
 * of a cycle stand still while the search runs in pieces, since their owners
 * sleep; what has changed meanwhile is found by checking the whole path again
 * before anyone is sacrificed. */
#include "deadlock.h"

#include <stdio.h>

#include "base/memory.h"
#include "core.h"
#include "name.h"

struct step { /* an owner on the path */
    uint32_t owner;
    uint32_t waits_for; /* its waiting lock */
    uint32_t via;       /* the lock by which the one before waits for it, or 0:
                           by the gate */
    uint32_t at;        /* the holder to look at next */
    uint32_t n_looked;  /* how many were */
    bool blocked;       /* one of them conflicts */
    int n_keepers;      /* of the gate, looked at */
};

struct rlk_search {
    uint32_t start;
    uint64_t ticket;
    uint32_t closing_via; /* the lock of start that closes the cycle, or 0 */
    uint32_t restarts;
    uint32_t depth;
    struct step path[RLK_OWNERS];
    uint8_t seen[RLK_OWNERS];
};

enum { MOST_RESTARTS = 64 };

struct rlk_search *
rlk_search_new(void)
{
    return rlk_calloc(1, sizeof(struct rlk_search));
}

void
rlk_search_free(struct rlk_search *s)
{
    rlk_free(s);
}

void
rlk_search_start(struct rlk_search *s, uint32_t owner)
{
    memset(s->seen, 0, sizeof s->seen);
    s->start = owner;
    s->ticket = 0;
    s->depth = 0;
    s->restarts = 0;
}

/* The lock that owner has waited for since before we did, or 0. */
static uint32_t
older_wait(const struct rlk_search *s, struct rlk_table *t, uint32_t owner)
{
    uint32_t waiting = rlk_owner_at(t, owner)->waiting;
    if (waiting == 0 || rlk_lock_at(t, waiting)->ticket > s->ticket)
        return 0;
    return waiting;
}

static void
push(struct rlk_search *s, struct rlk_table *t, uint32_t owner, uint32_t via)
{
    uint32_t waiting = older_wait(s, t, owner);
    if (owner >= RLK_OWNERS || s->seen[owner] || waiting == 0)
        return;
    s->seen[owner] = 1;
    s->path[s->depth++] =
        (struct step){.owner = owner, .waits_for = waiting, .via = via};
}

/* Go back to the beginning: the table changed under the search. */
static void
restart(struct rlk_search *s, struct rlk_table *t)
{
    memset(s->seen, 0, sizeof s->seen);
    s->depth = 0;
    if (++s->restarts < MOST_RESTARTS)
        push(s, t, s->start, 0);
}

/* Does the owner of held (a lock on the same name) stand in waiter's way? */
static bool
blocks(const struct rlk_lock *held, const struct rlk_lock *waiter)
{
    return held->name == waiter->name && held->owner != waiter->owner &&
           rlk_conflict(rlk_want(waiter->word), rlk_held(held->word));
}

/* The waits that lead from step i to the next owner of the cycle. */
static bool
edge_holds(struct rlk_search *s, struct rlk_table *t, uint32_t i)
{
    const struct step *from = &s->path[i];
    bool last = i + 1 == s->depth;
    uint32_t via = last ? s->closing_via : s->path[i + 1].via;
    uint32_t to = last ? s->start : s->path[i + 1].owner;
    if (older_wait(s, t, from->owner) != from->waits_for)
        return false;
    const struct rlk_lock *waiter = rlk_lock_at(t, from->waits_for);
    if (via)
        return rlk_lock_at(t, via)->owner == to &&
               blocks(rlk_lock_at(t, via), waiter);
    return rlk_compatible(t, from->waits_for);
}

/* The path is a cycle, if it still is. A waiter on it that only the gate keeps
 * back passes: then there is none. */
static enum rlk_found
close_cycle(struct rlk_search *s, struct rlk_table *t, uint32_t via)
{
    uint32_t gated = 0;
    s->closing_via = via;
    for (uint32_t i = 0; i < s->depth; i++) {
        if (!edge_holds(s, t, i)) {
            restart(s, t);
            return RLK_SEARCH_ON;
        }
        bool last = i + 1 == s->depth;
        if ((last ? via : s->path[i + 1].via) == 0)
            gated = s->path[i].waits_for;
    }
    if (gated) {
        rlk_pass_gate(t, gated);
        restart(s, t);
        return RLK_SEARCH_ON;
    }
    RLK_PUT(t->h->counters.deadlocks, t->h->counters.deadlocks + 1);
    return RLK_CYCLE;
}

/* All holders were looked at and none conflicts: the gate keeps it back. Look
 * at one more of its keepers. */
static enum rlk_found
follow_gate(struct rlk_search *s, struct rlk_table *t, struct step *step)
{
    const struct rlk_lock *waiter = rlk_lock_at(t, step->waits_for);
    uint32_t keepers[RLK_LINES];
    int n = rlk_gate_keepers(t, rlk_name_at(t, waiter->name),
                             rlk_want(waiter->word), waiter->ticket, keepers);
    if (step->n_keepers >= n) {
        s->depth--; /* all looked at */
        return RLK_SEARCH_ON;
    }
    uint32_t keeper = keepers[step->n_keepers++];
    if (keeper == s->start)
        return close_cycle(s, t, 0);
    push(s, t, keeper, 0);
    return RLK_SEARCH_ON;
}

/* Look at one more holder of what the last of the path waits for. */
static enum rlk_found
advance(struct rlk_search *s, struct rlk_table *t)
{
    struct step *step = &s->path[s->depth - 1];
    if (older_wait(s, t, step->owner) != step->waits_for) {
        s->depth--; /* it waits no more */
        return RLK_SEARCH_ON;
    }
    const struct rlk_lock *waiter = rlk_lock_at(t, step->waits_for);
    if (step->n_looked++ == 0)
        step->at = rlk_name_at(t, waiter->name)->holders;
    if (step->at == 0 && step->blocked) {
        s->depth--; /* all looked at */
        return RLK_SEARCH_ON;
    }
    if (step->at == 0)
        return follow_gate(s, t, step);
    const struct rlk_lock *holder = rlk_lock_at(t, step->at);
    if (holder->name != waiter->name || rlk_held(holder->word) == 0 ||
        step->n_looked > RLK_OWNERS) {
        restart(s, t); /* given back meanwhile: the list may lead elsewhere */
        return RLK_SEARCH_ON;
    }
    uint32_t via = step->at;
    step->at = holder->peer_next;
    if (!blocks(holder, waiter))
        return RLK_SEARCH_ON;
    step->blocked = true;
    if (holder->owner == s->start)
        return close_cycle(s, t, via);
    push(s, t, holder->owner, via);
    return RLK_SEARCH_ON;
}

enum rlk_found
rlk_search_step(struct rlk_search *s, struct rlk_table *t)
{
    uint32_t waiting = rlk_owner_at(t, s->start)->waiting;
    if (waiting == 0)
        return RLK_NO_CYCLE; /* granted */
    if (s->ticket == 0) {
        s->ticket = rlk_lock_at(t, waiting)->ticket;
        push(s, t, s->start, 0);
    }
    while (s->depth && !t->damaged) {
        if (++t->visits > RLK_MOST_VISITS)
            return RLK_SEARCH_ON;
        if (advance(s, t) == RLK_CYCLE)
            return RLK_CYCLE;
    }
    return RLK_NO_CYCLE;
}

void
rlk_search_describe(const struct rlk_search *s, struct rlk_table *t,
                    char *ret_text, size_t size)
{
    size_t len = 0;
    ret_text[0] = 0;
    for (uint32_t i = 0; i < s->depth && len < size; i++) {
        const struct rlk_lock *waiter = rlk_lock_at(t, s->path[i].waits_for);
        const struct rlk_name *name = rlk_name_at(t, waiter->name);
        uint32_t to = i + 1 < s->depth ? s->path[i + 1].owner : s->start;
        char table[RLK_LABEL + 1], key[RLK_LABEL + 1];
        rlk_label_split(name->label, table, key);
        int n = snprintf(
            ret_text + len, size - len,
            "%sProcess %lld waits for %s on %s%s%s, held by process %lld.",
            i ? " " : "", (long long)rlk_owner_at(t, s->path[i].owner)->pid,
            rowlock_mode_name(rlk_want(waiter->word)), table, *key ? "/" : "",
            key, (long long)rlk_owner_at(t, to)->pid);
        len += n > 0 ? (size_t)n : 0;
    }
}
