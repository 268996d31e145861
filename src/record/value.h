/* SPDX-License-Identifier: MIT
 * Values by their column: what a column takes, in which form it is stored,
 * and when two stored values are equal. docs/values.md has the whole table.
 *
 * The one rule: what a column's type cannot hold exactly is an error (22xxx),
 * never a silent change. */
#ifndef RLK_RECORD_VALUE_H
#define RLK_RECORD_VALUE_H

#include "db/driver.h"

/* Where a value is going, for checks and error messages. */
struct rlk_place {
    const char *table;
    const struct rlk_column *column;
};

/* value as the column stores it; *ret may point into value or into arena. */
int rlk_value_for(struct rlk_place place, rowlock_value value,
                  struct rlk_arena *arena, rowlock_value *ret,
                  rowlock_error *err);
/* Equal as the column's type sees it: timestamps when they are the same
 * instant, numbers by value, text by bytes. */
bool rlk_value_equal(const struct rlk_column *column, rowlock_value a,
                     rowlock_value b);
/* The same for what is known to be of a type: a column of text may hold JSON.
 */
bool rlk_value_equal_as(enum rlk_column_type type, rowlock_value a,
                        rowlock_value b);
/* A text that is a UUID, with or without dashes, as 36 characters in lower
 * case; false: it is none. */
bool rlk_uuid_read(rowlock_value value, char ret_text[36]);
/* Text without the white space around it, as Python's str.strip(); blank text
 * becomes NULL. Other values stay. */
rowlock_value rlk_value_strip(rowlock_value value);

enum { RLK_SHOWN = 64 };
/* For messages: shortened, on one line; text in quotes. */
void rlk_value_show(rowlock_value value, char ret_text[RLK_SHOWN]);

/* ---- among the files of this room ---- */

/* 22xxx with place and value: "region.rank cannot hold '007': why". */
int rlk_value_refuse(struct rlk_place place, rowlock_value value,
                     const char *sqlstate, const char *why, rowlock_error *err);
/* One for each kind of column; as rlk_value_for(). */
int rlk_value_integer(struct rlk_place place, rowlock_value value,
                      rowlock_value *ret, rowlock_error *err);
int rlk_value_boolean(struct rlk_place place, rowlock_value value,
                      rowlock_value *ret, rowlock_error *err);
int rlk_value_real(struct rlk_place place, rowlock_value value,
                   rowlock_value *ret, rowlock_error *err);
int rlk_value_decimal(struct rlk_place place, rowlock_value value,
                      rowlock_value *ret, rowlock_error *err);
int rlk_value_time(struct rlk_place place, rowlock_value value,
                   struct rlk_arena *arena, rowlock_value *ret,
                   rowlock_error *err);

enum { RLK_NUMBER_TEXT = 48 };
/* The shortest text that reads back as d, laid out as PostgreSQL does; d is
 * finite. */
void rlk_double_print(double d, char ret_text[RLK_NUMBER_TEXT]);

/* A finite number as text, held in ret_text; any other value as it is. */
rowlock_value rlk_number_print(rowlock_value value,
                               char ret_text[RLK_NUMBER_TEXT]);
/* text is no JSON number, or one that is stored exactly, as text or as a
 * number. */
bool rlk_json_number_is_exact(rowlock_value text);

/* A TIMESTAMP, DATE or TIME in microseconds, dates counted from 0001-01-01;
 * false: it is none. */
bool rlk_time_read(enum rlk_column_type type, rowlock_value value,
                   int64_t *ret_us);

/* Is text one JSON value? Else *ret_bad is where it stops being one. */
bool rlk_json_valid(const char *text, size_t len, size_t *ret_bad);
/* Equal but for white space between tokens and the escapes in strings. */
bool rlk_json_equal(rowlock_value a, rowlock_value b);

#endif
