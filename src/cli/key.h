/* SPDX-License-Identifier: MIT
 * KEY: one record's primary key on a command line, as `upsert` prints it and
 * `lock` takes it. One column: its value as it is. Several: COL=VALUE joined by
 * commas; in a value a comma or backslash has a backslash before it. */
#ifndef RLK_CLI_KEY_H
#define RLK_CLI_KEY_H

#include "base/memory.h"
#include "base/text.h"
#include "db/driver.h"
#include "rowlock/record.h"

/* The terms that find the record that text names: one for each column of the
 * primary key, in arena. Errors: ROWLOCK_MISUSE. */
int rlk_key_read(const struct rlk_table *table, const char *text,
                 struct rlk_arena *arena, rowlock_term **ret,
                 rowlock_error *err);

/* The record's primary key, in key order, copied into arena. */
int rlk_key_values(const struct rlk_table *table, const rowlock_record *record,
                   struct rlk_arena *arena, rowlock_value **ret,
                   rowlock_error *err);

void rlk_buf_key(struct rlk_buf *buf, const struct rlk_table *table,
                 const rowlock_value *values);
/* {"id": 7} */
void rlk_buf_json_key(struct rlk_buf *buf, const struct rlk_table *table,
                      const rowlock_value *values);

/* SQLite's order of values: NULL, numbers, text, blobs; text by bytes. */
int rlk_value_compare(rowlock_value a, rowlock_value b);

#endif
