/* SPDX-License-Identifier: MIT
 * Match keys without an index: their values are read once a run, so that a look
 * does not read the whole table for each of them. Costs 16 bytes a record and
 * key, and the primary key besides where it is no integer that the database
 * gives out.
 *
 * What the map says is never taken for true: each record that it names is read
 * by its primary key and must have the key; so what it has too much does no
 * harm. What it lacks would: so a miss counts only if nobody else has committed
 * since the map was read (what this run writes is noted in it), else the map is
 * read again. Where others are faster than that, the look is marked as out of
 * date, and each write looks for itself, under its locks. */
#ifndef RLK_SYNC_KEYMAP_H
#define RLK_SYNC_KEYMAP_H

#include "sync/plan.h"

struct rlk_keymap;

struct rlk_keymap_told { /* who hears of match keys that have no index */
    void (*tell)(size_t k, void *arg);
    void *arg;
};

/* *ret: NULL when every match key is looked up quickly, or the engine cannot
 * do without. told (NULL allowed) hears of each key that is not. The plan is
 * borrowed. */
int rlk_keymap_open(const struct rlk_plan *plan, rowlock_db *db,
                    const struct rlk_keymap_told *told, struct rlk_keymap **ret,
                    rowlock_error *err);
void rlk_keymap_close(struct rlk_keymap *m); /* NULL allowed */

/* As rlk_block_lookup(). */
int rlk_keymap_lookup(struct rlk_keymap *m, rowlock_block *b,
                      const struct rlk_lookup *look, struct rlk_rows *ret,
                      int *ret_found, rowlock_error *err);
/* This run writes set into the record row; none: row is a new record. */
int rlk_keymap_note(struct rlk_keymap *m, const struct rlk_table *t,
                    const struct rlk_row *row, const struct rlk_set *set,
                    size_t n_set, rowlock_error *err);

/* How often the table was read. */
unsigned rlk_keymap_reads(const struct rlk_keymap *m);

#endif
