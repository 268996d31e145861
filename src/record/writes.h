/* SPDX-License-Identifier: MIT
 * Which records this session's open block has written, so that a second handle
 * of a record tells the block's own change from a stranger's. */
#ifndef RLK_RECORD_WRITES_H
#define RLK_RECORD_WRITES_H

#include "db/driver.h"

struct rlk_writes { /* zeroed is empty */
    struct rlk_written {
        uint64_t name, number;
    } * slots; /* open addressing; name 0: free */
    size_t n_slots, n_used;
    struct rlk_written *log; /* name, and the number it had before */
    size_t n_log, cap_log;
    uint64_t number; /* of the last write */
};

/* A record's name, never 0. Equal names may be different records with a chance
 * of 2^-64: then a record is read once more than needed. */
uint64_t rlk_writes_name(const struct rlk_table *table,
                         const struct rlk_row *row);
/* false when out of memory. */
bool rlk_writes_note(struct rlk_writes *w, uint64_t name);
/* The number of name's last write; 0: none. */
uint64_t rlk_writes_last(const struct rlk_writes *w, uint64_t name);
void rlk_writes_back_to(struct rlk_writes *w, size_t mark);
void rlk_writes_done(struct rlk_writes *w);

#endif
