/* SPDX-License-Identifier: MIT
 * Values that come from here and not from the source: the time, a new UUID. */
#ifndef RLK_SYNC_GENERATE_H
#define RLK_SYNC_GENERATE_H

#include "sync/value.h"

enum { RLK_BARE_UUID = 32 }; /* characters: without dashes */

/* Whether a column of this kind can hold what the field generates. */
bool rlk_generate_fits(int generated, struct rlk_goal goal);
/* In arena. The time is now, in UTC. */
int rlk_generate(int generated, struct rlk_goal goal, struct rlk_arena *arena,
                 rowlock_value *ret, rowlock_error *err);
/* In lower case, character by character, as Python's str.lower() but for a
 * sigma that ends a word. The result is in arena; NULL: out of memory. */
char *rlk_lower_text(const char *text, size_t len, struct rlk_arena *arena,
                     size_t *ret_len);

#endif
