/* SPDX-License-Identifier: MIT
 * What a session holds, privately: a log in order of taking, which a savepoint
 * walks back, and an index by name, so that asking again for what one has costs
 * no latch. Nothing of it is shared: when the process dies, it is not needed.
 */
#ifndef RLK_LOCK_LOG_H
#define RLK_LOCK_LOG_H

#include "core.h"

struct rlk_entry {
    uint32_t lock;   /* 0: given back early */
    uint32_t before; /* the mode held before; 0: none */
    uint32_t older;  /* the entry of the same lock before, + 1; 0: none */
};

struct rlk_log {
    struct rlk_entry *entries;
    size_t n, room;
    uint64_t *index; /* open addressing; hash << 32 | a lock's newest entry, +
                        1; 0: empty */
    size_t n_indexed, index_size; /* index_size: a power of two, or 0 */
};

/* Make room for one more; false when out of memory. */
bool rlk_log_reserve(struct rlk_log *log);
/* lock was taken or strengthened; hash: its name's first word. */
void rlk_log_add(struct rlk_log *log, uint32_t lock, uint32_t before,
                 uint32_t hash);
/* Call look for each lock indexed under hash until it says true; 0: none. */
uint32_t rlk_log_find(const struct rlk_log *log, uint32_t hash,
                      bool (*look)(void *arg, uint32_t lock), void *arg);
/* Strike lock out of the log, wherever it stands. */
void rlk_log_strike(struct rlk_log *log, uint32_t lock, uint32_t hash);
/* Under the latch: undo what was logged after mark, as far as one hold may go.
 * A lock goes back in one step, however often it was strengthened, so that
 * nobody is granted by a mode in between. True when all is undone. */
bool rlk_log_walk_back(struct rlk_log *log, struct rlk_table *t, size_t mark);
void rlk_log_done(struct rlk_log *log);

#endif
