/* SPDX-License-Identifier: MIT
 * One remote record on its way into the table. */
#ifndef RLK_SYNC_ITEM_H
#define RLK_SYNC_ITEM_H

#include "sync/plan.h"

enum rlk_fate { /* what became of it; known after the commit only */
                RLK_FATE_OPEN,
                RLK_FATE_CREATED,
                RLK_FATE_UPDATED,
                RLK_FATE_UNCHANGED,
                RLK_FATE_CONFLICT,
                RLK_FATE_DEFERRED,
                RLK_FATE_REJECTED
};

struct rlk_sync_set { /* one column's old and new value */
    const char *column;
    rowlock_value old, new; /* old: NULL for a new record */
    int generated;          /* enum rlk_generated: what made new */
};

enum rlk_verdict { /* CLASH and REFUSE have their reason in failure */
                   RLK_SAME,
                   RLK_CHANGE,
                   RLK_CREATE,
                   RLK_CLASH,
                   RLK_REFUSE
};

struct rlk_item {
    uint64_t number, line, byte;
    rowlock_value *values; /* of each field, as its column stores them */
    bool *present;
    bool ready;             /* the values are in that form */
    struct rlk_match *keys; /* of each match key; n_columns 0: blank */
    uint64_t *names;        /* of each match key, hashed */
    enum rlk_fate fate;
    rowlock_error *reason; /* of a rejection, a conflict, a deferral */
    bool told;             /* counted and reported */

    /* for the report, where it is wanted: see keep.c */
    rowlock_value *key; /* the local record's primary key; NULL: none known */
    struct rlk_sync_set *told_sets;
    size_t n_told_sets;

    /* what the last look said */
    enum rlk_verdict verdict;
    const struct rlk_row *hit;
    const int *found;    /* of each match key: -1 for none */
    bool *leave, *force; /* of each field: see decide.c */
    bool all_agree;      /* every key that hits hits this record */
    struct rlk_set *sets;
    size_t n_sets;

    /* of the write that is under way */
    bool due, stale, held;
    bool waited_for; /* as long as is allowed: a deferral is final */
    enum rlk_fate outcome;
    rowlock_error *failure; /* its batch's */
    uint64_t local;         /* the record's name, hashed */
    unsigned clashes;       /* violations that a new look may explain */
    size_t written_then;    /* n_written of the batch, at the last of them */
};

/* The fields of a remote record. ROWLOCK_BAD_VALUE rejects it;
 * ROWLOCK_UNDEFINED: no row of this table has them all. */
int rlk_item_take(struct rlk_item *item, const struct rlk_plan *plan,
                  const struct rlk_json *root, struct rlk_arena *arena,
                  rowlock_error *err);
/* Brings the values into the form of their columns, and makes the keys.
 * ROWLOCK_BAD_VALUE rejects it. */
int rlk_item_ready(struct rlk_item *item, const struct rlk_plan *plan,
                   struct rlk_arena *arena, rowlock_error *err);
/* Ends it with this fate, for this reason (copied into arena). */
int rlk_item_end(struct rlk_item *item, enum rlk_fate fate,
                 const rowlock_error *reason, struct rlk_arena *arena,
                 rowlock_error *err);
/* A copy that outlives its batch: all that a new look needs. */
int rlk_item_copy(const struct rlk_item *item, const struct rlk_plan *plan,
                  struct rlk_arena *arena, struct rlk_item *ret,
                  rowlock_error *err);

/* The key alone, into another item; arena is that one's. */
int rlk_item_copy_key(const struct rlk_item *item, const struct rlk_plan *plan,
                      struct rlk_arena *arena, struct rlk_item *ret,
                      rowlock_error *err);
/* Its bytes, if any, into arena; false: out of memory. */
bool rlk_copy_value(rowlock_value *v, struct rlk_arena *arena);

/* ---- keep.c: copies for the report, in arena; each call anew ---- */

/* Whose primary key the local record has; row NULL: there is none. */
int rlk_item_keep_key(struct rlk_item *item, const struct rlk_plan *plan,
                      const struct rlk_row *row, struct rlk_arena *arena,
                      rowlock_error *err);
/* Its key, and the columns that its creation, or its change from what row has,
 * writes. */
int rlk_item_keep(struct rlk_item *item, const struct rlk_plan *plan,
                  const struct rlk_row *row, struct rlk_arena *arena,
                  rowlock_error *err);
/* A change of the key itself is committed. */
void rlk_item_move_key(struct rlk_item *item, const struct rlk_plan *plan);

#endif
