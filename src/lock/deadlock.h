/* SPDX-License-Identifier: MIT
 * Cycles of waiters, looked for when a waiter arrives: a depth-first search
 * that gives the latch back every RLK_MOST_VISITS entries. */
#ifndef RLK_LOCK_DEADLOCK_H
#define RLK_LOCK_DEADLOCK_H

#include "table.h"

struct rlk_search;

/* One for each session; NULL when out of memory. */
struct rlk_search *rlk_search_new(void);
void rlk_search_free(struct rlk_search *s);

/* Look for a cycle through owner, who waits. No latch needed. */
void rlk_search_start(struct rlk_search *s, uint32_t owner);

enum rlk_found { RLK_NO_CYCLE, RLK_CYCLE, RLK_SEARCH_ON };

/* A piece of the search, under the latch; RLK_SEARCH_ON: call again under a new
 * hold. A cycle that leads through the gate is undone here, by letting its
 * waiter pass. RLK_CYCLE: a real one, which owner closed. */
enum rlk_found rlk_search_step(struct rlk_search *s, struct rlk_table *t);

/* After RLK_CYCLE, under the same hold: the cycle as sentences. */
void rlk_search_describe(const struct rlk_search *s, struct rlk_table *t,
                         char *ret_text, size_t size);

#endif
