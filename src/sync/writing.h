/* SPDX-License-Identifier: MIT
 * The writing of one batch: for write.c and write_all.c. */
#ifndef RLK_SYNC_WRITING_H
#define RLK_SYNC_WRITING_H

#include "sync/batch.h"

struct rlk_writing {
    struct rlk_batch *b;
    struct rlk_work *w;
    const struct rlk_table *table;
    struct rlk_item *item;   /* that is being written */
    bool current;            /* the look still says what is there */
    bool told;               /* what this block touches is told to w->ahead */
    bool firm;               /* the block looks by itself, with the writer */
    struct rlk_seen touched; /* keys that were changed since the look */
    const bool *keyed;       /* of each column: it is part of some key */
    int32_t wait_ms;
    size_t next, end; /* of b->order: this block's */
    int64_t since_ms; /* this block has the writer since then; 0: not yet */
    struct rlk_item *faulty; /* the last one that failed by its own fault */
};

/* For the report, if one wants it; row is as the record was, or was created. */
int rlk_writing_keep(const struct rlk_writing *s, const struct rlk_row *row,
                     rowlock_error *err);
/* Two of its values are the same only if their types and bytes are. */
bool rlk_writing_is_plain(const struct rlk_column *c);
/* Does the item's change reach a column of some key? */
bool rlk_writing_changes_key(const struct rlk_writing *s);
/* The item as a new record: table and columns. */
int rlk_writing_list_new(const struct rlk_writing *s, struct rlk_write *ret,
                         rowlock_error *err);

/* May what is left of the batch be written at once? */
bool rlk_writing_may_put_all(const struct rlk_writing *s);
/* What could be written so stands before s->end then, the rest behind it. */
int rlk_writing_put_all(struct rlk_writing *s, rowlock_block *block,
                        rowlock_error *err);

#endif
