/* SPDX-License-Identifier: MIT
 * COL=TEXT and COL:=JSON, and lists of columns. */
#ifndef RLK_CLI_PAIR_H
#define RLK_CLI_PAIR_H

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "rowlock/value.h"

/* One pair of a command line; *ret lives in arena. Errors: ROWLOCK_MISUSE when
 * it is no pair, ROWLOCK_BAD_VALUE when the JSON is not valid. */
int rlk_pair_read(const char *text, struct rlk_arena *arena, rowlock_pair *ret,
                  rowlock_error *err);

/* text cut at each separator that no backslash stands before; the parts, in
 * arena, without those backslashes. None may be empty (ROWLOCK_MISUSE). */
int rlk_split(const char *text, char separator, struct rlk_arena *arena,
              char ***ret, size_t *ret_n, rowlock_error *err);
/* The same, but backslashes stay, for a second split of the parts. */
int rlk_split_raw(const char *text, char separator, struct rlk_arena *arena,
                  char ***ret, size_t *ret_n, rowlock_error *err);

#endif
