/* SPDX-License-Identifier: MIT
 * The latch: a short mutual exclusion around the table's words, whose holder
 * may die. */
#ifndef RLK_LOCK_LATCH_H
#define RLK_LOCK_LATCH_H

#include "base/error.h"
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
/* Fill err with 55P03 and who holds it at this moment. */
int rlk_latch_is_stuck(const struct rlk_table *t, rowlock_error *err);

#endif
