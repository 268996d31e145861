/* SPDX-License-Identifier: MIT
 * Owners: slots of the table, each with one byte of the file that the kernel
 * unlocks when its process dies.
 *
 * Claim: the byte first, then the slot under the latch; so an owner that is
 * marked but whose byte is free died. A slot's incarnation is odd while it is
 * owned. Own slots are alive by definition and never probed: a probe through
 * the same file description says "free". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "attachment.h"
#include "core.h"

static bool
is_own(const struct rlk_attachment *a, uint32_t slot)
{
    return __atomic_load_n(&a->own[slot], __ATOMIC_ACQUIRE);
}

static void
set_own(struct rlk_attachment *a, uint32_t slot, uint8_t own)
{
    __atomic_store_n(&a->own[slot], own, __ATOMIC_RELEASE);
}

/* An incarnation that has not begun yet is one that is being claimed. */
bool
rlk_owner_is_alive(void *arg, uint32_t slot, uint32_t incarnation,
                   bool thorough)
{
    const struct rlk_attachment *a = arg;
    const struct rlk_owner *owners =
        (const void *)((const char *)a->map + RLK_OWNERS_AT);
    if (slot >= RLK_OWNERS)
        return false;
    const struct rlk_owner *owner = &owners[slot];
    if ((int32_t)(RLK_LOOK(owner->incarnation) - incarnation) > 0)
        return false;
    if (is_own(a, slot))
        return true;
    if (!rlk_byte_is_taken(a->fd, RLK_BYTE_OWNERS + slot))
        return false;
    /* The byte may outlive its process in a forked child. */
    if (!thorough || owner->byte_only || owner->pid_namespace == 0 ||
        owner->pid_namespace != a->self.namespace || owner->started == 0)
        return true;
    return !rlk_process_is_gone(owner->pid, owner->started);
}

/* Take the byte of a slot that nobody owns: a free one (parity 0), or that of
 * a dead owner whose locks were not given back yet (parity 1). */
static uint32_t
take_byte(struct rlk_attachment *a, const struct rlk_table *t, uint32_t parity)
{
    for (uint32_t slot = 0; slot < RLK_OWNERS; slot++)
        if (!is_own(a, slot) &&
            (RLK_LOOK(t->owners[slot].incarnation) & 1) == parity &&
            rlk_byte_try(a->fd, RLK_BYTE_OWNERS + slot, RLK_BYTE_EXCLUSIVE) ==
                0)
            return slot;
    return RLK_OWNERS;
}

static uint32_t
take_slot(struct rlk_attachment *a, const struct rlk_table *t)
{
    rlk_attachments_lock();
    uint32_t slot = take_byte(a, t, 0);
    if (slot == RLK_OWNERS)
        slot = take_byte(a, t, 1);
    if (slot < RLK_OWNERS)
        set_own(a, slot, 1);
    rlk_attachments_unlock();
    return slot;
}

static void
free_slot(struct rlk_attachment *a, uint32_t slot)
{
    rlk_byte_try(a->fd, RLK_BYTE_OWNERS + slot, RLK_BYTE_FREE);
    set_own(a, slot, 0);
}

/* Who we are; nobody else writes these words while we have the byte. */
static void
introduce(struct rlk_attachment *a, struct rlk_owner *owner, const char *label,
          bool byte_only)
{
    char text[RLK_OWNER_LABEL] = {0};
    snprintf(text, sizeof text, "%s",
             label ? label : program_invocation_short_name);
    RLK_PUT(owner->pid, a->self.pid);
    RLK_PUT(owner->started, a->self.started);
    RLK_PUT(owner->pid_namespace, a->self.namespace);
    RLK_PUT(owner->byte_only, byte_only);
    rlk_put_bytes(owner->label, text, sizeof text);
}

void
rlk_bury(struct rlk_table *t, const struct rlk_self *self, uint32_t slot,
         uint32_t incarnation, const struct rlk_patience *patience)
{
    bool done = false;
    bool leaving = slot == self->slot && incarnation == self->incarnation;
    while (!done && rlk_latch_take(t, self, patience) == RLK_LATCHED) {
        bool there = rlk_owner_at(t, slot)->incarnation == incarnation;
        done = rlk_reap(t, slot, incarnation);
        if (done && there && !leaving)
            RLK_PUT(t->h->counters.reaps, t->h->counters.reaps + 1);
        rlk_latch_give(t);
    }
}

/* Give back the locks of all that died since. */
static void
bury_the_dead(struct rlk_attachment *a, struct rlk_table *t,
              const struct rlk_self *self, const struct rlk_patience *patience)
{
    uint32_t n = RLK_LOOK(t->h->used_owners);
    for (uint32_t slot = 0; slot < n && slot < RLK_OWNERS; slot++) {
        uint32_t incarnation = RLK_LOOK(t->owners[slot].incarnation);
        if ((incarnation & 1) &&
            !rlk_owner_is_alive(a, slot, incarnation, false))
            rlk_bury(t, self, slot, incarnation, patience);
    }
}

/* Under the latch, after the slot's owner before us is buried. */
static bool
mark_slot(struct rlk_table *t, const struct rlk_self *self,
          const struct rlk_patience *patience)
{
    struct rlk_owner *owner = &t->owners[self->slot];
    uint32_t before = RLK_LOOK(owner->incarnation);
    if (before & 1)
        rlk_bury(t, self, self->slot, before, patience);
    if (rlk_latch_take(t, self, patience) != RLK_LATCHED)
        return false;
    bool is_free = !(owner->incarnation & 1);
    if (is_free && t->h->used_owners <= self->slot)
        RLK_PUT(t->h->used_owners, self->slot + 1);
    if (is_free)
        RLK_PUBLISH(owner->incarnation, self->incarnation);
    rlk_latch_give(t);
    return is_free;
}

int
rlk_claim(struct rlk_attachment *a, struct rlk_table *t, const char *label,
          bool byte_only, struct rlk_self *ret, rowlock_error *err)
{
    const struct rlk_patience patience = rlk_patience_ms(RLK_PATIENCE_MS);
    uint32_t slot = take_slot(a, t);
    if (slot == RLK_OWNERS)
        return rlk_fail(err, ROWLOCK_NO_MEMORY,
                        "too many sessions (%d) on one database", RLK_OWNERS);
    struct rlk_owner *owner = &t->owners[slot];
    uint32_t before = RLK_LOOK(owner->incarnation);
    const struct rlk_self self = {slot, (before + 1) | 1, a->scratch};
    introduce(a, owner, label, byte_only);
    if (!mark_slot(t, &self, &patience)) {
        free_slot(a, slot);
        return rlk_latch_is_stuck(t, err);
    }
    bury_the_dead(a, t, &self, &patience);
    *ret = self;
    return 0;
}

void
rlk_unclaim(struct rlk_attachment *a, struct rlk_table *t,
            const struct rlk_self *self)
{
    const struct rlk_patience patience = rlk_patience_ms(RLK_PATIENCE_MS);
    rlk_bury(t, self, self->slot, self->incarnation, &patience);
    free_slot(a, self->slot);
}
