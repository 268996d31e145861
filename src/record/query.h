/* SPDX-License-Identifier: MIT
 * Queries made ready for the driver: columns resolved, values normalised, and
 * results handed to their block. */
#ifndef RLK_RECORD_QUERY_H
#define RLK_RECORD_QUERY_H

#include "block.h"

/* Copies a caller's struct of an older size: what it lacks is zero. */
int rlk_read_sized(const void *given, size_t given_size, void *ret, size_t size,
                   const char *name, rowlock_error *err);
int rlk_check_wait(int32_t wait_ms, rowlock_error *err);

/* q for the driver, in arena. *ret_nothing: no record can match. */
int rlk_query_resolve(rowlock_db *db, const rowlock_query *q,
                      struct rlk_arena *arena, struct rlk_select *ret,
                      bool *ret_nothing, rowlock_error *err);
/* Pairs for the driver; *ret has n sets, in arena. */
int rlk_pairs_resolve(const struct rlk_table *table, const rowlock_pair *pairs,
                      size_t n, struct rlk_arena *arena, struct rlk_set **ret,
                      rowlock_error *err);

/* data becomes a result of b's session, dying with b. Takes data over when it
 * answers 0. */
int rlk_publish(rowlock_block *b, const struct rlk_table *table,
                struct rlk_rows *data, rowlock_rows **ret, rowlock_error *err);

/* The record of table whose primary key is row's. ret: no row when it is
 * gone. */
int rlk_select_one(rowlock_db *db, const struct rlk_table *table,
                   const struct rlk_row *row, enum rowlock_mode lock,
                   int32_t wait_ms, struct rlk_rows *ret, rowlock_error *err);

#endif
