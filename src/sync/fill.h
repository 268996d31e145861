/* SPDX-License-Identifier: MIT
 * Columns that a new record must have a value in, and lines of a definition
 * that give them one. */
#ifndef RLK_SYNC_FILL_H
#define RLK_SYNC_FILL_H

#include "base/text.h"
#include "record/record.h"

/* Without a field of its own, no record could be created. */
bool rlk_fill_needs(const struct rlk_table *table, uint32_t column);
/* "live: {value: true, mode: create_only}", by the column's type and name, with
 * a comment where the value is for the user to say. */
void rlk_fill_add_line(struct rlk_buf *buf, const struct rlk_table *table,
                       uint32_t column);

#endif
