/* SPDX-License-Identifier: MIT
 * What is kept until the last record has come: records that somebody holds, so
 * that all others are written before they are waited for, and conflicts, since
 * what comes later may settle them (a key that another record gives up). */
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
/* Waits for each of those that are held; b is used for them. They are settled
 * as any batch's, but conflicts, which are added to conflicts. After a failure
 * the rest is left in held. */
int rlk_later_wait(struct rlk_later *held, struct rlk_later *conflicts,
                   struct rlk_work *w, struct rlk_batch *b, rowlock_error *err);
/* Passes until one settles none; b is used for them. Those that got another
 * fate are settled as any batch's; the others are left in l. */
int rlk_later_settle(struct rlk_later *l, struct rlk_work *w,
                     struct rlk_batch *b, rowlock_error *err);
void rlk_later_done(struct rlk_later *l);

#endif
