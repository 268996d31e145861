/* SPDX-License-Identifier: MIT
 * The lists of the table: for core.c and rebuild.c. All need the latch. */
#ifndef RLK_LOCK_LISTS_H
#define RLK_LOCK_LISTS_H

#include "table.h"

/* ---- who waits for a name: lines of owners ---- */

static inline struct rlk_line *
rlk_line_at(struct rlk_queue *queue, uint32_t i)
{
    return &queue->lines[i / RLK_MODES][i % RLK_MODES];
}

/* The lock that the first of a line waits for, or NULL. */
struct rlk_lock *rlk_head_of(struct rlk_table *t, const struct rlk_line *line);
/* Put a lock, whose word says what it wants, at the end of its line. */
void rlk_enqueue(struct rlk_table *t, uint32_t lock);
/* Take it out, while its word still says what it wants. */
void rlk_dequeue(struct rlk_table *t, uint32_t lock);

/* ---- who holds a name; what an owner has ---- */

void rlk_link_holder(struct rlk_table *t, uint32_t lock);
void rlk_unlink_holder(struct rlk_table *t, uint32_t lock);
void rlk_link_owned(struct rlk_table *t, uint32_t lock);
void rlk_unlink_owned(struct rlk_table *t, uint32_t lock);

#endif
