/* SPDX-License-Identifier: MIT
 * Filling an error: one call where the failure is found, then detail, hint and
 * context by whoever knows more on the way up. All take err = NULL. */
#ifndef RLK_BASE_ERROR_H
#define RLK_BASE_ERROR_H

#include "rowlock/error.h"

#define RLK_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* Start a fresh error; returns code, so that it ends a function. */
int rlk_fail(rowlock_error *err, enum rowlock_code code, const char *format,
             ...) RLK_PRINTF(3, 4);
/* The same, with errno's text after the message. */
int rlk_fail_errno(rowlock_error *err, enum rowlock_code code,
                   const char *format, ...) RLK_PRINTF(3, 4);
int rlk_out_of_memory(rowlock_error *err);

void rlk_detail(rowlock_error *err, const char *format, ...) RLK_PRINTF(2, 3);
void rlk_hint(rowlock_error *err, const char *format, ...) RLK_PRINTF(2, 3);
/* Only the first context stays: the innermost knows best. */
void rlk_context(rowlock_error *err, const char *format, ...) RLK_PRINTF(2, 3);
/* A finer SQLSTATE of the same class, such as 22003. */
void rlk_sqlstate(rowlock_error *err, const char *sqlstate);

/* Return what failed; the only macro that hides control flow. */
#define RLK_TRY(call)             \
    do {                          \
        int rlk_try_rc_ = (call); \
        if (rlk_try_rc_)          \
            return rlk_try_rc_;   \
    } while (0)

#endif
