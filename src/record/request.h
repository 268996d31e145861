/* SPDX-License-Identifier: MIT
 * An update_or_create made ready: names resolved, keys normalised. */
#ifndef RLK_RECORD_REQUEST_H
#define RLK_RECORD_REQUEST_H

#include "block.h"

struct rlk_key_columns {
    const uint32_t *columns;
    size_t n_columns;
};

struct rlk_request {
    const rowlock_upsert *u;
    const struct rlk_table *table;
    int32_t wait_ms;
    struct rlk_key_columns *match; /* all match keys */
    size_t n_match;
    struct rlk_match *live; /* those without a NULL, in their order */
    size_t n_live;
    struct rlk_set *updating; /* written into a record that is found */
    size_t n_updating;
    struct rlk_set *creating; /* a new record: match values and pairs; NULL
                                 until rlk_request_create() */
    size_t n_creating;
};

/* Makes ready what a new record is made of. Not before it is needed: a bad
 * value there is no reason to refuse an update. */
int rlk_request_create(struct rlk_request *r, struct rlk_arena *arena,
                       rowlock_error *err);

/* u is borrowed as long as *ret is used; the rest is in arena. */
int rlk_request_read(rowlock_db *db, const rowlock_upsert *u,
                     struct rlk_arena *arena, struct rlk_request *ret,
                     rowlock_error *err);

#endif
