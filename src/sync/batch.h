/* SPDX-License-Identifier: MIT
 * Some hundred records on their way into the table, in one block. What became
 * of each is known only after the commit. */
#ifndef RLK_SYNC_BATCH_H
#define RLK_SYNC_BATCH_H

#include "sync/plan.h"

enum { RLK_BATCH_RECORDS = 500 };

struct rlk_item {
    uint64_t number, line, byte;
    rowlock_upsert request;
    enum rowlock_outcome outcome;
    bool unusable;         /* rejected before it reached the database */
    rowlock_error *reason; /* of a rejection; else NULL */
};

struct rlk_batch {
    struct rlk_arena arena; /* what the items point to */
    size_t n;
    bool careful; /* each record in a savepoint of its own */
    struct rlk_item items[RLK_BATCH_RECORDS];
};

/* Adds what the reader gave (RLK_READ_RECORD or RLK_READ_REJECTED). The batch
 * must have room. Fails only for want of memory. */
int rlk_batch_add(struct rlk_batch *b, const struct rlk_plan *plan,
                  const struct rlk_remote *remote, enum rlk_read what,
                  rowlock_error *err);
/* Writes the items in one block and commits it; outcomes and reasons are then
 * final. On failure nothing of the batch is in the database. */
int rlk_batch_write(struct rlk_batch *b, rowlock_db *db, rowlock_error *err);
/* Empty again. */
void rlk_batch_reset(struct rlk_batch *b);

#endif
