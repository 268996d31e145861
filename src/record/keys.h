/* SPDX-License-Identifier: MIT
 * Which key values a write touches: a list of matches for lock_keys(), each
 * once. */
#ifndef RLK_RECORD_KEYS_H
#define RLK_RECORD_KEYS_H

#include "db/driver.h"

struct rlk_keys { /* zeroed, but for arena, is empty */
    struct rlk_arena *arena;
    struct rlk_match *list;
    size_t n, cap;
};

/* The key on columns as it is after set over old, unless a value is NULL or
 * not known, or the key is in the list. Copies the values' bytes into the
 * arena. false when out of memory. */
bool rlk_keys_add(struct rlk_keys *keys, const uint32_t *columns,
                  size_t n_columns, const struct rlk_row *old,
                  const struct rlk_set *set, size_t n_set);
/* A key whose bytes live as long as the list, unless it is in it. */
bool rlk_keys_append(struct rlk_keys *keys, struct rlk_match key);
/* Does set write one of columns? */
bool rlk_keys_touched(const uint32_t *columns, size_t n_columns,
                      const struct rlk_set *set, size_t n_set);
/* Of each unique index that set touches: the old key and the new one. */
bool rlk_keys_of_write(struct rlk_keys *keys, const struct rlk_table *table,
                       const struct rlk_row *old, const struct rlk_set *set,
                       size_t n_set);

#endif
