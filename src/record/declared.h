/* SPDX-License-Identifier: MIT
 * The match keys that this session has used with update_or_create, by table:
 * create and save lock their values too. */
#ifndef RLK_RECORD_DECLARED_H
#define RLK_RECORD_DECLARED_H

#include "keys.h"
#include "record.h"

struct rlk_declared_key {
    struct rlk_declared_key *next;
    char *table;
    size_t n_columns;
    uint32_t columns[];
};

/* false when out of memory. */
bool rlk_declare(struct rlk_declared_key **list, const struct rlk_table *t,
                 const uint32_t *columns, size_t n_columns);
/* Adds the declared keys that set changes over old: the old value and the
 * new one. */
bool rlk_declared_keys(const struct rlk_declared_key *list,
                       struct rlk_keys *keys, const struct rlk_write *w);
void rlk_declared_free(struct rlk_declared_key **list);

#endif
