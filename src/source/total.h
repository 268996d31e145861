/* SPDX-License-Identifier: MIT
 * How many records a listing in pages is told to have, and how many came: its
 * end is believed only if that many did. Where pages are asked for by position,
 * a record that came or went meanwhile shifts the rows behind it: a total that
 * changes, or a record that came on two pages, says so. */
#ifndef RLK_SOURCE_TOTAL_H
#define RLK_SOURCE_TOTAL_H

#include "source.h"

struct rlk_total {
    const char *where; /* NULL: none is expected; else where it is told */
    bool by_position;
    bool is_told;
    uint64_t told; /* last */
    uint64_t records;
    struct rlk_came { /* by position: each record */
        uint64_t hash, page;
    } * came;
    size_t n_came, room;
};

void rlk_total_done(struct rlk_total *t);
/* A record of this page, as it stands in the body. */
int rlk_total_record(struct rlk_total *t, uint64_t page, const char *text,
                     size_t len, rowlock_error *err);
/* What a page (shown) tells; "" when it does not. */
int rlk_total_tell(struct rlk_total *t, const char *shown, const char *text,
                   rowlock_error *err);
/* The listing (shown) has ended. */
int rlk_total_check(struct rlk_total *t, const char *shown, rowlock_error *err);

#endif
