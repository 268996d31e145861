/* SPDX-License-Identifier: MIT
 * Pieces of a write that save, create, update_where and update_or_create
 * share. */
#ifndef RLK_RECORD_WRITE_H
#define RLK_RECORD_WRITE_H

#include "block.h"

/* What was set and differs from the row, by the columns' types; in arena.
 * Non-zero when out of memory. */
int rlk_changed_sets(const struct rlk_table *t, const struct rlk_state *state,
                     struct rlk_arena *arena, struct rlk_set **ret,
                     size_t *ret_n);
/* Key locks on the values of unique indexes that w changes, old and new. */
int rlk_lock_write_keys(rowlock_db *db, const struct rlk_write *w,
                        struct rlk_arena *arena, rowlock_error *err);
int rlk_note_write(rowlock_db *db, const struct rlk_table *t,
                   const struct rlk_row *row, rowlock_error *err);
/* ret may be NULL. */
int rlk_insert(rowlock_block *b, const struct rlk_write *w, int32_t wait_ms,
               rowlock_record **ret, rowlock_error *err);

#endif
