/* SPDX-License-Identifier: MIT
 * Results and the records in them.
 *
 * A result owns its records' memory. It dies with its block: its data is freed
 * then, but the records themselves stay recognisable as dead until the
 * session's next outermost block, so that a late call gets ROWLOCK_MISUSE and
 * not freed memory. */
#ifndef RLK_RECORD_RESULT_H
#define RLK_RECORD_RESULT_H

#include "db/driver.h"

struct rlk_image { /* a row behind a record's first save; counted, since undo
                      may hold it too */
    unsigned refs;
    struct rlk_rows rows;
};

struct rlk_pending { /* values that were set and are not saved yet */
    struct rlk_arena arena;
    bool *is_set;
    rowlock_value *values;
    size_t n_values;
};

struct rlk_state {               /* of a record: what a rollback brings back */
    struct rlk_row row;          /* as stored */
    struct rlk_image *image;     /* where row lives; NULL: in the result */
    struct rlk_pending *pending; /* NULL: nothing is set */
    bool deleted;
    uint64_t seen; /* own writes up to this number are in row */
};

struct rowlock_record {
    rowlock_rows *rows;
    struct rlk_state now;
    uint64_t undone_in; /* the block whose rollback restores it already */
};

struct rowlock_rows {
    rowlock_rows *prev, *next;
    rowlock_db *db;
    uint64_t serial; /* results and blocks are numbered by one counter */
    bool dead;
    const struct rlk_table *table; /* NULL: of rowlock_sql() */
    struct rlk_rows data;
    size_t n;
    rowlock_record records[];
};

struct rlk_results {
    rowlock_rows *first, *last;
};

/* Takes data over; NULL when out of memory (data is then still the
 * caller's). */
rowlock_rows *rlk_rows_new(const struct rlk_table *table,
                           struct rlk_rows *data);
void rlk_rows_free(rowlock_rows *rows); /* not linked any more */
void rlk_results_add(struct rlk_results *list, rowlock_rows *rows);
void rlk_results_take(struct rlk_results *list, rowlock_rows *rows);
/* Results with this serial or a later one: dead, their data freed, moved. */
void rlk_results_bury(struct rlk_results *list, uint64_t serial,
                      struct rlk_results *graves);
void rlk_results_free(struct rlk_results *list);

/* The record's row is now the first of data, which is taken over. */
bool rlk_record_replace(rowlock_record *r, struct rlk_rows *data);
void rlk_state_done(struct rlk_state *state);
/* A second holder of state's memory, for undo. */
bool rlk_state_copy(const struct rlk_state *state, struct rlk_state *ret);
bool rlk_pending_set(struct rlk_state *state, size_t column,
                     rowlock_value value);
void rlk_pending_clear(struct rlk_state *state);

#endif
