/* SPDX-License-Identifier: MIT
 * A set of names of local records: which of them a remote record of this run
 * has met already. Eight bytes a record, twice that while it grows. */
#ifndef RLK_SYNC_SEEN_H
#define RLK_SYNC_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rlk_seen { /* zeroed is empty */
    uint64_t *slots;
    size_t n, cap;
};

/* false: out of memory. */
bool rlk_seen_add(struct rlk_seen *s, uint64_t name);
bool rlk_seen_has(const struct rlk_seen *s, uint64_t name);
void rlk_seen_clear(struct rlk_seen *s); /* keeps the memory */
void rlk_seen_done(struct rlk_seen *s);

#endif
