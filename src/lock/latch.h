/* SPDX-License-Identifier: MIT
 * The latch: a short mutual exclusion around the table's words, whose holder
 * may die. */
#ifndef RLK_LOCK_LATCH_H
#define RLK_LOCK_LATCH_H

#include "sleep.h"
#include "table.h"

/* Who takes it. */
struct rlk_self {
    uint32_t slot, incarnation;
    uint32_t *scratch; /* RLK_OWNERS words for a rebuild */
};

enum rlk_latched { RLK_LATCHED, RLK_LATCH_DEADLINE, RLK_LATCH_CANCELLED };

/* Take it, waiting if need be. When its holder is dead, take it from the dead
 * and rebuild what is derived. */
enum rlk_latched rlk_latch_take(struct rlk_table *t,
                                const struct rlk_self *self,
                                const struct rlk_patience *patience);
/* Give it back, then wake whom the table wants woken. */
void rlk_latch_give(struct rlk_table *t);
/* Its holder's slot at this moment, or RLK_OWNERS. */
uint32_t rlk_latch_holder(const struct rlk_table *t);

#endif
