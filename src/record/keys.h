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

/* The value that column has after set is written over old (either may be
 * NULL). false: not known here (an engine's default). */
bool rlk_keys_value(const struct rlk_row *old, const struct rlk_set *set,
                    size_t n_set, uint32_t column, rowlock_value *ret);
/* The key on columns as it is after set over old, unless a value is NULL or
 * not known, or the key is in the list. false when out of memory. Borrows the
 * values' bytes. */
bool rlk_keys_add(struct rlk_keys *keys, const uint32_t *columns,
                  size_t n_columns, const struct rlk_row *old,
                  const struct rlk_set *set, size_t n_set);
bool rlk_keys_has(const struct rlk_keys *keys, const struct rlk_match *key);
/* Of each unique index that set touches: the old key and the new one. */
bool rlk_keys_of_write(struct rlk_keys *keys, const struct rlk_table *table,
                       const struct rlk_row *old, const struct rlk_set *set,
                       size_t n_set);

#endif
