/* SPDX-License-Identifier: MIT
 * Conflicts, kept until the last record has come: what comes later may settle
 * them (a key that another record gives up). */
#ifndef RLK_SYNC_SETTLE_H
#define RLK_SYNC_SETTLE_H

#include "sync/batch.h"

struct rlk_later { /* zeroed is empty */
    struct rlk_arena arena;
    struct rlk_item *items;
    size_t n, cap;
};

/* Keeps a copy of the item. */
int rlk_later_add(struct rlk_later *l, const struct rlk_plan *plan,
                  const struct rlk_item *item, rowlock_error *err);
/* Passes until one settles none; b is used for them. Those that got another
 * fate are settled as any batch's; the others are left in l. */
int rlk_later_settle(struct rlk_later *l, struct rlk_work *w,
                     struct rlk_batch *b, rowlock_error *err);
void rlk_later_done(struct rlk_later *l);

#endif
