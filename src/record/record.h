/* SPDX-License-Identifier: MIT
 * The room's front header for the rooms above: making a session from a
 * driver's connection, and guards. All else is rowlock/session.h and
 * rowlock/record.h. */
#ifndef RLK_RECORD_RECORD_H
#define RLK_RECORD_RECORD_H

#include "db/driver.h"

/* What a caller's options say; an older caller's are shorter, and what they
 * lack is zero. o may be NULL. */
int rlk_options_read(const rowlock_options *o, rowlock_options *ret,
                     rowlock_error *err);
/* Takes conn over when it answers 0. o may be NULL. */
int rlk_session_new(struct rlk_conn *conn, const rowlock_options *o,
                    rowlock_db **ret, rowlock_error *err);

/* The catalogue's word on a table and on one of its columns; 42P01 and 42703
 * with the word that was meant. The table is the connection's, until the block
 * ends. Works in and outside a block and fails none. */
int rlk_session_table(rowlock_db *db, const char *name,
                      const struct rlk_table **ret, rowlock_error *err);
int rlk_table_column(const struct rlk_table *table, const char *name,
                     uint32_t *ret, rowlock_error *err);

/* Looks keys up in one snapshot, without locks; the values are in the form that
 * the columns store (rlk_value_for), none is NULL. *ret is the caller's;
 * ret_found[i]: the position of key i's record in it, or -1. */
int rlk_block_lookup(rowlock_block *b, const struct rlk_table *table,
                     const struct rlk_match *keys, size_t n_keys,
                     struct rlk_rows *ret, int *ret_found, rowlock_error *err);

/* What is about to be written: old is NULL for a new record, set is NULL for
 * a delete. */
struct rlk_write {
    const struct rlk_table *table;
    const struct rlk_row *old;
    const struct rlk_set *set;
    size_t n_set;
};
/* Asked before each write, under the record's lock; a failure refuses the
 * write and fails the block. Must not write itself. */
typedef int rlk_guard(rowlock_db *db, const struct rlk_write *write, void *arg,
                      rowlock_error *err);
/* At most four a session. */
int rlk_session_guard(rowlock_db *db, rlk_guard *guard, void *arg,
                      rowlock_error *err);

#endif
