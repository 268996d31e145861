/* SPDX-License-Identifier: MIT
 * Slugs as Django's slugify() makes them (allow_unicode=False). */
#ifndef RLK_SYNC_SLUGIFY_H
#define RLK_SYNC_SLUGIFY_H

#include <stddef.h>

#include "base/memory.h"

/* NFKD, ASCII only, lower case, nothing but letters, digits, '_' and '-', white
 * space and dashes as one dash, neither '-' nor '_' at the ends. The result
 * (maybe "") is in arena; NULL: out of memory. */
char *rlk_slugify(const char *text, size_t len, struct rlk_arena *arena);

#endif
