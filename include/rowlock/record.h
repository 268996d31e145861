/* SPDX-License-Identifier: MIT
 * Records: locked reads, saves, and update_or_create.
 *
 * Records and rows belong to their block and die with it (with the outermost
 * one, when a nested block commits): copy out what you keep. Inputs are
 * borrowed for the call. Values follow the column's type: what it cannot hold
 * exactly is an error (22xxx), never a silent change (docs/values.md). Table
 * and column names are the catalogue's, in any case. */
#ifndef ROWLOCK_RECORD_H
#define ROWLOCK_RECORD_H

#include "session.h"
#include "value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rowlock_record rowlock_record;
typedef struct rowlock_rows rowlock_rows;

enum rowlock_op {
    ROWLOCK_EQ,
    ROWLOCK_NE,
    ROWLOCK_LT,
    ROWLOCK_LE,
    ROWLOCK_GT,
    ROWLOCK_GE,
    ROWLOCK_IN,
    ROWLOCK_IS_NULL,
    ROWLOCK_PREFIX
};

/** One condition. EQ and the others compare with values[0] (NULL there is
 * ROWLOCK_MISUSE: use IS_NULL); IN with any of n_values; IS_NULL takes none;
 * PREFIX is text, case-sensitive. */
typedef struct rowlock_term {
    const char *column;
    enum rowlock_op op;
    const rowlock_value *values;
    size_t n_values;
} rowlock_term;

typedef struct rowlock_query {
    size_t size; /**< sizeof(rowlock_query): see ROWLOCK_QUERY_INIT */
    const char *table;
    const rowlock_term *where; /**< joined by AND */
    size_t n_where;
    const char *order; /**< "name", "-rank,name"; NULL: by primary key */
    int64_t limit;     /**< records returned; 0: all */
    int64_t offset;    /**< records passed over; they are locked too */
    enum rowlock_mode lock;
    int32_t wait_ms; /**< a wait policy, or milliseconds for each lock */
} rowlock_query;
#define ROWLOCK_QUERY_INIT                                              \
    {                                                                   \
        sizeof(rowlock_query), NULL, NULL, 0, NULL, 0, 0, ROWLOCK_READ, \
            ROWLOCK_WAIT                                                \
    }

/** All records that match, in order, locked in that order when q->lock says so.
 * What a locked read returns is the newest committed version, and it still
 * matches the filter. *ret is its block's. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_query_all(rowlock_block *b,
                                                     const rowlock_query *q,
                                                     rowlock_rows **ret,
                                                     rowlock_error *err);
/** The first record that matches, or NULL in *ret. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_query_first(rowlock_block *b,
                                                       const rowlock_query *q,
                                                       rowlock_record **ret,
                                                       rowlock_error *err);
/** Read-only SQL, params bound to ?1, ?2 ...; anything that could write is
 * refused (0A000). Its rows have the columns that the statement names, take no
 * locks and cannot be saved. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_sql(
    rowlock_block *b, const char *sql, const rowlock_value *params,
    size_t n_params, rowlock_rows **ret, rowlock_error *err);
ROWLOCK_API size_t rowlock_rows_count(const rowlock_rows *rows);
/** NULL past the end. */
ROWLOCK_API rowlock_record *rowlock_rows_at(const rowlock_rows *rows, size_t i);
/** Optional, early; the locks stay. NULL allowed. */
ROWLOCK_API void rowlock_rows_free(rowlock_rows *rows);

/** A view, valid until the record's next set or save, or the block's end.
 * 42703: no such column. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_record_get(const rowlock_record *r,
                                                      const char *column,
                                                      rowlock_value *ret,
                                                      rowlock_error *err);
/** Copies v. Nothing is written before save. 22xxx: the column's type cannot
 * hold v; 0A000: a generated column. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_record_set(rowlock_record *r,
                                                      const char *column,
                                                      rowlock_value v,
                                                      rowlock_error *err);
/** Write the columns that differ; needs the record's lock (NO KEY UPDATE or
 * UPDATE, else ROWLOCK_MISUSE). 40001 when a program that takes no locks
 * changed it meanwhile. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_record_save(rowlock_record *r,
                                                       rowlock_error *err);
/** Takes its lock up to UPDATE, waiting. r stays readable. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_record_delete(rowlock_record *r,
                                                         rowlock_error *err);
/** Create a record, with key locks on its unique columns. ret may be NULL. The
 * record comes back as the database stores it, locked. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_record_create(
    rowlock_block *b, const char *table, const rowlock_pair *values, size_t n,
    rowlock_record **ret, rowlock_error *err);

/** Change (or delete) the records that match q: the keys are found, locked, and
 * those still matching are changed; what only now matches is left alone.
 * q->lock is ignored; NOWAIT and SKIP LOCKED work. ret_n (may be NULL): how
 * many. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_update_where(
    rowlock_block *b, const rowlock_query *q, const rowlock_pair *values,
    size_t n, int64_t *ret_n, rowlock_error *err);
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_delete_where(rowlock_block *b,
                                                        const rowlock_query *q,
                                                        int64_t *ret_n,
                                                        rowlock_error *err);

enum rowlock_outcome {
    ROWLOCK_CREATED = 1,
    ROWLOCK_UPDATED,
    ROWLOCK_UNCHANGED
};

/** A match key: one or several columns. Text is stripped of white space; blank
 * is NULL; a key with a NULL never matches. */
typedef struct rowlock_key {
    const rowlock_pair *columns;
    size_t n_columns;
} rowlock_key;

typedef struct rowlock_upsert {
    size_t size; /**< sizeof(rowlock_upsert): see ROWLOCK_UPSERT_INIT */
    const char *table;
    int32_t wait_ms; /**< a wait policy; SKIP LOCKED is ROWLOCK_MISUSE here: it
                        would make duplicates */
    int32_t match_all; /**< 0: the first key that hits wins; 1: all that hit
                          must agree (else 23505) */
    const rowlock_key *match; /**< in order */
    size_t n_match;
    const rowlock_pair *updating; /**< written when a record is found, and
                                     nothing else: a match column changes only
                                     when it stands here too */
    size_t n_updating;
    const rowlock_pair *creating; /**< written when none is found, besides the
                                     match values (which it may override);
                                     none given: the updating pairs */
    size_t n_creating;
    /** May be NULL; sees the locked record before the save (with the updating
     * pairs set; when created: just created), may set columns. It is called
     * again, with the record read afresh, when what it sets is a key whose lock
     * must come before the record's. A non-zero return fails the block. */
    int (*change)(rowlock_record *r, int created, void *arg,
                  rowlock_error *err);
    void *arg;
} rowlock_upsert;
#define ROWLOCK_UPSERT_INIT                                                    \
    {                                                                          \
        sizeof(rowlock_upsert), NULL, ROWLOCK_WAIT, 0, NULL, 0, NULL, 0, NULL, \
            0, NULL, NULL                                                      \
    }

/** The race-free update_or_create: look the keys up in order; update what is
 * found, else create. Any number of processes running it for one key leave one
 * record, also where the table has no unique index. When every key is blank
 * there is nothing to find, so it creates. Only columns whose value differs are
 * written. ret and ret_outcome may be NULL. The record is locked until the
 * block ends. Errors: 23505 (match_all: the detail names both records; or
 * another unique column), 40001 (another record at each of several looks),
 * 0A000 (an engine without key locks, and no unique index), 55P03, 40P01. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_update_or_create(
    rowlock_block *b, const rowlock_upsert *u, rowlock_record **ret,
    enum rowlock_outcome *ret_outcome, rowlock_error *err);

#ifdef __cplusplus
}
#endif
#endif
