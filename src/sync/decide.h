/* SPDX-License-Identifier: MIT
 * The rules: which local record a remote one is, and what is to be written. No
 * locks, no I/O: given what a look has found, it says what should happen. */
#ifndef RLK_SYNC_DECIDE_H
#define RLK_SYNC_DECIDE_H

#include "sync/item.h"

struct rlk_looked { /* the rows of a look, and each key's row in them */
    const struct rlk_table *table;
    const struct rlk_rows *rows;
    const int *found; /* of each match key: -1 for none */
};

/* Fills what the last look said.
 * Fails only for want of memory. */
int rlk_decide(struct rlk_item *item, const struct rlk_plan *plan,
               const struct rlk_looked *looked, struct rlk_arena *arena,
               rowlock_error *err);
/* The same record, as it is under its lock: item->sets anew. false: its match
 * columns are not what they were, so that it must be looked for again. */
bool rlk_decide_again(struct rlk_item *item, const struct rlk_plan *plan,
                      const struct rlk_table *table,
                      const struct rlk_row *locked);
/* A name for the record's primary key. */
uint64_t rlk_row_name(const struct rlk_table *table, const struct rlk_row *row);
/* NULL, or white space only. */
bool rlk_is_blank(rowlock_value v);

#endif
