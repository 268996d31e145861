/* SPDX-License-Identifier: MIT
 * One JSON value of a command line (COL:=JSON), read strictly, and values
 * printed as JSON. */
#ifndef RLK_CLI_JSON_H
#define RLK_CLI_JSON_H

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "rowlock/value.h"

/* null; true and false as 1 and 0; a number as integer or double; a string as
 * text; an array or an object as its JSON text. What a number would lose (more
 * than 64 bits, more than 17 digits) is refused. Text lives in arena. */
int rlk_json_read(const char *json, struct rlk_arena *arena, rowlock_value *ret,
                  rowlock_error *err);

/* A blob becomes a string of hexadecimal digits. */
void rlk_buf_json_value(struct rlk_buf *buf, rowlock_value value);
/* The value as people write it: text as it is. */
void rlk_buf_plain_value(struct rlk_buf *buf, rowlock_value value);

#endif
