/* SPDX-License-Identifier: MIT
 * A set of names of local records: which of them a remote record of this run
 * has met already. Names that are neighbours, as integer keys are, share their
 * memory: half a byte each where there are no gaps, 45 where all are apart. */
#ifndef RLK_SYNC_SEEN_H
#define RLK_SYNC_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rlk_seen_group { /* of 64 names, from 64 * number on */
    uint64_t number, bits;
};

struct rlk_seen {                  /* zeroed is empty */
    struct rlk_seen_group *groups; /* and behind them the filter */
    uint64_t *filter;
    size_t n, cap;
};

/* false: out of memory. */
bool rlk_seen_add(struct rlk_seen *s, uint64_t name);
bool rlk_seen_has(const struct rlk_seen *s, uint64_t name);
void rlk_seen_clear(struct rlk_seen *s); /* keeps the memory */
void rlk_seen_done(struct rlk_seen *s);

#endif
