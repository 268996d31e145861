/* SPDX-License-Identifier: MIT
 * Between keymap.c (what it holds) and keymap_lookup.c (how it is asked). */
#ifndef RLK_SYNC_KEYMAP_PARTS_H
#define RLK_SYNC_KEYMAP_PARTS_H

#include "sync/keymap.h"

enum { RLK_KEYMAP_COLUMNS = 16 }; /* of a key that can be mapped, at most */

struct rlk_entry {
    uint64_t hash;  /* of a key's values; 0: no entry */
    int64_t record; /* the primary key, or where it is in pks */
};

struct rlk_noted { /* open addressing; several entries may have one hash */
    struct rlk_entry *slots;
    size_t n, cap;
};

struct rlk_slow_key {
    uint32_t *columns;
    size_t n_columns;
    struct rlk_entry *entries; /* as read: by hash, then by record */
    size_t n, cap;
    struct rlk_noted noted;
};

struct rlk_keymap {
    const struct rlk_plan *plan;
    rowlock_db *db;
    const struct rlk_table *table; /* of the call */
    struct rlk_arena fixed;        /* keys, columns */
    struct rlk_arena arena;        /* of pks */
    struct rlk_arena scratch;      /* of one lookup */
    struct rlk_slow_key *keys;
    size_t n_keys;
    uint32_t *columns; /* that are read: primary key, then each key's */
    size_t n_columns, n_pk;
    bool numbers;        /* the primary key is one integer */
    bool has_effects;    /* own writes change more than they say */
    rowlock_value **pks; /* else each record's */
    size_t n_pks, cap_pks;
    uint64_t seed;
    struct rlk_mark mark; /* as of its reading; others 0: not read */
    unsigned reads;
};

bool rlk_keymap_same(const struct rlk_column *c, rowlock_value a,
                     rowlock_value b);
uint64_t rlk_keymap_hash(const struct rlk_column *c, rowlock_value v,
                         uint64_t seed);
/* The hash of a key; 0: part of it is NULL. */
uint64_t rlk_keymap_name(const struct rlk_keymap *m,
                         const struct rlk_slow_key *k,
                         const rowlock_value *values);
int rlk_keymap_read(struct rlk_keymap *m, rowlock_block *b,
                    const struct rlk_table *t, rowlock_error *err);

#endif
