/* SPDX-License-Identifier: MIT
 * The rules of the lock table: who gets a lock, who waits, who is next.
 *
 * Pure: neither sleeps nor reads a clock, so that a simulator can run it under
 * every order of events. All functions need the latch. Who gives it back wakes
 * whom t->wake names. */
#ifndef RLK_LOCK_CORE_H
#define RLK_LOCK_CORE_H

#include "table.h"

enum rlk_answer {
    RLK_GRANTED,
    RLK_MUST_WAIT, /* now in the queue, or would have to be (may_wait = 0) */
    RLK_NO_ROOM    /* the file must grow; nothing was changed */
};

struct rlk_request {
    uint32_t owner;
    uint32_t lock; /* the owner's lock on this name already, or 0 */
    const struct rlk_id *id;
    enum rowlock_mode mode;
    bool may_wait;
};

/* Ask for a lock. *ret_lock: the lock, held or queued; 0 when neither. */
enum rlk_answer rlk_request(struct rlk_table *t, const struct rlk_request *r,
                            uint32_t *ret_lock);
/* Leave the queue; the lock falls back to what was held before. */
void rlk_leave(struct rlk_table *t, uint32_t owner);
/* Lower a held lock to mode; ROWLOCK_READ gives it back. */
void rlk_lower(struct rlk_table *t, uint32_t lock, enum rowlock_mode mode);
/* Grant what can be granted on a name; at RLK_MOST_VISITS the next to be served
 * is woken instead, to go on. */
void rlk_pump(struct rlk_table *t, uint32_t name);
/* The same, by who gives it back: of the writer slot the next is only woken. */
void rlk_pass_on(struct rlk_table *t, uint32_t name);
/* Give back a dead or leaving owner's locks, RLK_MOST_VISITS at most, and at
 * the end its slot. True when all is done (or the incarnation is over). */
bool rlk_reap(struct rlk_table *t, uint32_t owner, uint32_t incarnation);
/* Grant a waiting lock now, although the gate is closed for it. */
void rlk_pass_gate(struct rlk_table *t, uint32_t lock);

/* Do two modes conflict? PostgreSQL's table of row-level locks. */
bool rlk_conflict(uint32_t a, uint32_t b);
/* Could owner's waiting lock be granted, but for the gate? */
bool rlk_compatible(struct rlk_table *t, uint32_t lock);
/* The waiters for a name that close the gate for a request of this mode and
 * ticket (UINT64_MAX: one that does not wait): slots. */
int rlk_gate_keepers(struct rlk_table *t, const struct rlk_name *name,
                     uint32_t mode, uint64_t ticket,
                     uint32_t ret_owners[RLK_LINES]);
/* Is owner the next to be served among those that wait for its name? */
bool rlk_first_in_line(struct rlk_table *t, uint32_t owner);

/* Make all that is derived anew from the truth. scratch: RLK_OWNERS words. */
void rlk_rebuild(struct rlk_table *t, uint32_t *scratch);

#endif
