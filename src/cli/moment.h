/* SPDX-License-Identifier: MIT
 * Moments as the database stores them, shown to people and programs. */
#ifndef RLK_CLI_MOMENT_H
#define RLK_CLI_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "rowlock/value.h"

enum { RLK_MOMENT_TEXT = 40 };

/* Microseconds since 1970; false: it is no timestamp, or an earlier one. */
bool rlk_moment_read(rowlock_value stored, int64_t *ret_us);
int64_t rlk_moment_now(void);
/* Milliseconds of a clock that never goes back. */
int64_t rlk_moment_clock_ms(void);
/* "2026-11-25 14:03:07", in local time. */
void rlk_moment_print(int64_t us, char ret_text[RLK_MOMENT_TEXT]);
/* "2026-11-25T13:03:07.635224Z" */
void rlk_moment_iso(int64_t us, char ret_text[RLK_MOMENT_TEXT]);

#endif
