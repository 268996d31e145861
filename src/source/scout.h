/* SPDX-License-Identifier: MIT
 * Finds the list of records in a JSON body when the definition names none: the
 * body itself, or the only member of its root that is a list of objects. */
#ifndef RLK_SOURCE_SCOUT_H
#define RLK_SOURCE_SCOUT_H

#include "source.h"

enum { RLK_SCOUT_BYTES = 4 * 1024 * 1024 }; /* looked at before a decision */

/* head: the body's first bytes. ret is set in arena; no tokens: the body
 * itself, also where it is no JSON, which the reading will say. */
int rlk_scout(const char *head, size_t len, struct rlk_arena *arena,
              struct rlk_pointer *ret, rowlock_error *err);

#endif
