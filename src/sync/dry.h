/* SPDX-License-Identifier: MIT
 * A batch in a dry run: what a look has decided is told, not done. */
#ifndef RLK_SYNC_DRY_H
#define RLK_SYNC_DRY_H

#include "sync/batch.h"

struct rlk_dry {            /* zeroed is empty */
    struct rlk_seen names;  /* records that would have been written */
    struct rlk_seen values; /* the same with what would stand in them */
};

/* In place of rlk_batch_run(): every item has the fate that it would have, as
 * far as a look can tell. */
int rlk_batch_dry(struct rlk_batch *b, struct rlk_work *w, struct rlk_dry *dry,
                  rowlock_error *err);
void rlk_dry_done(struct rlk_dry *dry);

#endif
