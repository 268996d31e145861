/* SPDX-License-Identifier: MIT
 * A definition put beside the table it writes to: everything that can be wrong
 * between the two is said before anything is written. */
#ifndef RLK_SYNC_PLAN_H
#define RLK_SYNC_PLAN_H

#include "rowlock/rowlock.h"
#include "sync/value.h"

struct rlk_plan {
    const struct rlk_definition *d;
    struct rlk_goal *goals; /* of each field */
    uint32_t *columns;      /* of each field: its position in the table */
    /* Copies, for the thread that has no session: */
    const char *table;       /* as the catalogue spells it */
    struct rlk_column *kept; /* of each field: its column */
    bool tree;               /* nothing may be created: see guarded.h */
    struct rlk_table names;  /* a copy that lasts, for reports: name, columns'
                                names, primary key; nothing else is filled */
};

/* Messages name the definition's line; goals are in arena. */
int rlk_plan_make(const struct rlk_definition *d, rowlock_db *db,
                  struct rlk_arena *arena, struct rlk_plan *ret,
                  rowlock_error *err);

/* The same in two steps, for whoever wants to hear of every field that does not
 * fit: without the fields; and one of them. */
int rlk_plan_start(const struct rlk_definition *d, rowlock_db *db,
                   struct rlk_arena *arena, struct rlk_plan *ret,
                   rowlock_error *err);
int rlk_plan_field(struct rlk_plan *plan, size_t i,
                   const struct rlk_table *table, struct rlk_arena *arena,
                   rowlock_error *err);

/* The table, when its columns and its primary key still stand where they stood.
 */
int rlk_plan_table(const struct rlk_plan *plan, rowlock_db *db,
                   const struct rlk_table **ret, rowlock_error *err);

#endif
