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

/* For what only its engine can do; it stays the session's. */
struct rlk_conn *rlk_session_conn(rowlock_db *db);

/* The catalogue's word on a table and on one of its columns; 42P01 and 42703
 * with the word that was meant. The table is the connection's, until the block
 * ends. Works in and outside a block and fails none. */
int rlk_session_table(rowlock_db *db, const char *name,
                      const struct rlk_table **ret, rowlock_error *err);
int rlk_table_column(const struct rlk_table *table, const char *name,
                     uint32_t *ret, rowlock_error *err);

/* ---- a look at many records ---- */

struct rlk_lookup {
    const struct rlk_table *table;
    /* The values are in the form that the columns store (rlk_value_for), none
     * is NULL. */
    const struct rlk_match *keys;
    size_t n_keys;
    struct rlk_mark *ret_mark; /* NULL, or: as a read before it saw it */
};
/* Looks keys up in one snapshot, without locks. *ret is the caller's;
 * ret_found[i]: the position of key i's record in it, or -1. */
int rlk_block_lookup(rowlock_block *b, const struct rlk_lookup *look,
                     struct rlk_rows *ret, int *ret_found, rowlock_error *err);

/* Does a lookup by these columns read the whole table? */
int rlk_session_scans(rowlock_db *db, const struct rlk_table *table,
                      const uint32_t *columns, size_t n_columns, bool *ret,
                      rowlock_error *err);

/* Hands some columns of every record to scan->take; *ret_mark as above. 0A000
 * where the engine cannot: rlk_session_can_scan(). */
int rlk_block_scan(rowlock_block *b, const struct rlk_scan *scan,
                   struct rlk_mark *ret_mark, rowlock_error *err);
bool rlk_session_can_scan(const rowlock_db *db);

/* Asked before each write, under the record's lock; a failure refuses the
 * write and fails the block. Must not write itself. */
typedef int rlk_guard(rowlock_db *db, const struct rlk_write *write, void *arg,
                      rowlock_error *err);
/* ---- writing what a look saw, without looking again: put.c ---- */

/* Starts the block's write transaction; *ret_mark: as it is in it. If it is the
 * mark of a look in an earlier block, what that saw is the newest version, and
 * rlk_block_put() may be used. */
int rlk_block_start_write(rowlock_block *b, struct rlk_mark *ret_mark,
                          rowlock_error *err);

/* Checks now what the schema leaves to the commit: see driver.h. */
int rlk_block_check_deferred(rowlock_block *b, rowlock_error *err);

struct rlk_put {
    struct rlk_write write; /* old: the row as it was looked up; set must change
                               no key then */
    const struct rlk_match *keys; /* of a new record: those that were looked up
                                     and missed; no columns: blank */
    size_t n_keys;
};
/* Writes one record under its locks, asked for with NOWAIT. The look must have
 * been current, and no write of this block may have changed what it saw of
 * this record and these keys. *ret_done: false when that is over, since the
 * transaction was given up for a wait; then nothing was done. A new
 * record as stored is added to ret_row, which is the caller's. What put points
 * to must stay until the block ends, and so long lasts ret_row. Errors: 55P03,
 * 23505, as update and insert of driver.h. */
int rlk_block_put(rowlock_block *b, const struct rlk_put *put,
                  struct rlk_rows *ret_row, bool *ret_done, rowlock_error *err);

/* put_all() of driver.h, within a block; as far as the session's driver has it.
 */
bool rlk_session_can_put_all(const rowlock_db *db);
int rlk_block_put_all(rowlock_block *b, const struct rlk_write *writes,
                      size_t n, enum rlk_put_state *ret_states,
                      struct rlk_rows *ret_made, size_t *ret_made_of,
                      rowlock_error *err);

/* At most four a session. */
int rlk_session_guard(rowlock_db *db, rlk_guard *guard, void *arg,
                      rowlock_error *err);

#endif
