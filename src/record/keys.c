/* SPDX-License-Identifier: MIT
 * Lists of key values. They are short (a table has few unique indexes), so
 * finding one is a walk. */
#include "keys.h"

#include <string.h>

/* The value that column has after set is written over old (either may be
 * NULL). false: not known here (an engine's default). */
static bool
value_after(const struct rlk_row *old, const struct rlk_set *set, size_t n_set,
            uint32_t column, rowlock_value *ret)
{
    for (size_t i = 0; i < n_set; i++)
        if (set[i].column == column) {
            *ret = set[i].value;
            return true;
        }
    if (!old)
        return false;
    *ret = old->values[column];
    return true;
}

static bool
same_key(const struct rlk_match *a, const struct rlk_match *b)
{
    if (a->n_columns != b->n_columns)
        return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (a->columns[i].column != b->columns[i].column ||
            !rlk_value_same(a->columns[i].value, b->columns[i].value))
            return false;
    return true;
}

static bool
has(const struct rlk_keys *keys, const struct rlk_match *key)
{
    for (size_t i = 0; i < keys->n; i++)
        if (same_key(&keys->list[i], key))
            return true;
    return false;
}

static bool
push(struct rlk_keys *keys, struct rlk_match key)
{
    if (keys->n == keys->cap) {
        size_t cap = keys->cap ? keys->cap * 2 : 8;
        struct rlk_match *more =
            rlk_arena_alloc(keys->arena, cap, sizeof *more);
        if (!more)
            return false;
        if (keys->n)
            memcpy(more, keys->list, keys->n * sizeof *more);
        keys->list = more;
        keys->cap = cap;
    }
    keys->list[keys->n++] = key;
    return true;
}

bool
rlk_keys_append(struct rlk_keys *keys, struct rlk_match key)
{
    return has(keys, &key) || push(keys, key);
}

static bool
copy_bytes(struct rlk_arena *arena, rowlock_value *value)
{
    if (value->type != ROWLOCK_TEXT && value->type != ROWLOCK_BLOB)
        return true;
    value->u.s.ptr = rlk_arena_copy(arena, value->u.s.ptr, value->u.s.len);
    return value->u.s.ptr;
}

bool
rlk_keys_add(struct rlk_keys *keys, const uint32_t *columns, size_t n_columns,
             const struct rlk_row *old, const struct rlk_set *set, size_t n_set)
{
    struct rlk_set *key = rlk_arena_alloc(keys->arena, n_columns, sizeof *key);
    if (!key)
        return false;
    for (size_t i = 0; i < n_columns; i++) {
        key[i].column = columns[i];
        if (!value_after(old, set, n_set, columns[i], &key[i].value) ||
            key[i].value.type == ROWLOCK_NULL)
            return true;
    }
    const struct rlk_match made = {key, n_columns};
    if (has(keys, &made))
        return true;
    for (size_t i = 0; i < n_columns; i++)
        if (!copy_bytes(keys->arena, &key[i].value))
            return false;
    return push(keys, made);
}

bool
rlk_keys_touched(const uint32_t *columns, size_t n_columns,
                 const struct rlk_set *set, size_t n_set)
{
    for (size_t i = 0; i < n_columns; i++)
        for (size_t j = 0; j < n_set; j++)
            if (set[j].column == columns[i])
                return true;
    return false;
}

bool
rlk_keys_of_write(struct rlk_keys *keys, const struct rlk_table *table,
                  const struct rlk_row *old, const struct rlk_set *set,
                  size_t n_set)
{
    for (size_t i = 0; i < table->n_indexes; i++) {
        const struct rlk_index *index = &table->indexes[i];
        if (!index->unique || index->partial ||
            !rlk_keys_touched(index->columns, index->n_columns, set, n_set))
            continue;
        if (old &&
            !rlk_keys_add(keys, index->columns, index->n_columns, old, NULL, 0))
            return false;
        if (!rlk_keys_add(keys, index->columns, index->n_columns, old, set,
                          n_set))
            return false;
    }
    return true;
}
