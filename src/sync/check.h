/* SPDX-License-Identifier: MIT
 * A definition put beside its table, for `rowlock doctor`: not only whether a
 * run would be refused, but what would be slow, unsafe or rejected, and what to
 * write about it. What only the engine knows is not looked at here. */
#ifndef RLK_SYNC_CHECK_H
#define RLK_SYNC_CHECK_H

#include "base/finding.h"
#include "base/text.h"
#include "rowlock/rowlock.h"
#include "sync/definition.h"

struct rlk_check {
    const struct rlk_definition *d;
    rowlock_db *db; /* may be one that can only look */
    rlk_tell *tell;
    /* Adds the statement that makes match key k unique, in the words of the
     * engine. */
    void (*add_index)(struct rlk_buf *buf, size_t k, void *arg);
    /* It was told that match key k is not unique: the engine may know more. */
    int (*on_open_key)(size_t k, void *arg, rowlock_error *err);
    void *arg;
};

/* The definition alone: what it is about. */
int rlk_check_definition(const struct rlk_check *c, rowlock_error *err);
/* The table and its columns. *ret_fits: the sync would not be refused. Fails
 * only when it cannot look. */
int rlk_check_table(const struct rlk_check *c, bool *ret_fits,
                    rowlock_error *err);

/* ---- among the files of the check ---- */

struct rlk_checking {
    const struct rlk_check *c;
    const struct rlk_table *table;
    const struct rlk_plan *plan;
    rowlock_error *err;
};

void rlk_check_tell(const struct rlk_check *c, enum rlk_grade grade,
                    const char *follows, const char *todo, const char *format,
                    ...) RLK_PRINTF(5, 6);
/* "slug", or "(site, slug)". */
void rlk_check_key_name(const struct rlk_definition *d, size_t k,
                        struct rlk_buf *buf);
/* check_keys.c, check_columns.c. They fail only when they cannot look. */
int rlk_check_keys(const struct rlk_checking *s);
int rlk_check_columns(const struct rlk_checking *s);

#endif
