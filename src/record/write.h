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
/* Key locks on the values of unique indexes and declared match keys that w
 * changes, old and new. */
int rlk_lock_write_keys(rowlock_db *db, const struct rlk_write *w,
                        struct rlk_arena *arena, rowlock_error *err);
/* The record with row's primary key is written by this block. */
int rlk_note_write(rowlock_db *db, const struct rlk_table *t,
                   const struct rlk_row *row, rowlock_error *err);

/* Reads r again when this block has written it through another handle. */
int rlk_record_catch_up(rowlock_block *b, rowlock_record *r,
                        rowlock_error *err);
/* r was written and is now the first row of data, which is taken over. */
int rlk_record_written(rowlock_block *b, rowlock_record *r,
                       struct rlk_rows *data, rowlock_error *err);
/* What was set and differs is written; rowlock_record_save() without its
 * checks of who may call. */
int rlk_record_save_changes(rowlock_block *b, rowlock_record *r,
                            rowlock_error *err);

#endif
