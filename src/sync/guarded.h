/* SPDX-License-Identifier: MIT
 * Tables with rules that no column shows: the trees of django-treebeard, whose
 * records have a place (path, depth, numchild), and Wagtail's pages, which have
 * locks and revisions of their own. What would break these rules is refused. */
#ifndef RLK_SYNC_GUARDED_H
#define RLK_SYNC_GUARDED_H

#include "record/record.h"
#include "sync/definition.h"

/* The table is a tree: found records may be changed, but for their place; a new
 * one can only be made by the application. */
bool rlk_guarded_is_tree(const struct rlk_table *table);
/* The column says where a record stands in a tree. */
bool rlk_guarded_is_place(const char *column);
/* Why a record of a tree is not created; answers ROWLOCK_UNSUPPORTED. */
int rlk_guarded_refuse_new(rowlock_error *err);
/* 0A000 when the table is one of pages. */
int rlk_guarded_check_table(const struct rlk_table *table, rowlock_error *err);
/* 0A000 when the field writes a place in a tree. */
int rlk_guarded_check_field(const struct rlk_table *table,
                            const struct rlk_field *f, rowlock_error *err);
/* As the table that create_table would make of them. */
bool rlk_guarded_would_be_tree(const struct rlk_definition *d);

#endif
