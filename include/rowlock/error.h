/* SPDX-License-Identifier: MIT
 * Errors: every call that can fail returns 0 or a code, and fills *err when err
 * is not NULL. On failure no ret_ argument is touched. An error holds no
 * pointers: copy it, keep it, send it to a thread. */
#ifndef ROWLOCK_ERROR_H
#define ROWLOCK_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "error-table.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ROWLOCK_API        __attribute__((visibility("default")))
#define ROWLOCK_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ROWLOCK_API
#define ROWLOCK_MUST_CHECK
#endif

/** What went wrong, in a word; docs/errors.md explains each. Values are stable.
 */
enum rowlock_code {
#define ROWLOCK_ERROR_ENUM(name, sqlstate, text, hint, meaning) ROWLOCK_##name,
    ROWLOCK_ERROR_TABLE(ROWLOCK_ERROR_ENUM)
#undef ROWLOCK_ERROR_ENUM
};

/** An error in PostgreSQL's manner: the message is short, lower case and
 * without a full stop; detail and hint are sentences; context says where (a
 * file, a URL, a record). Texts that do not fit are cut, never overrun. */
typedef struct rowlock_error {
    enum rowlock_code code;
    int sys_errno;    /**< errno behind it, or 0 */
    char sqlstate[6]; /**< five characters and a NUL */
    char message[256];
    char detail[512];
    char hint[256];
    char context[256];
} rowlock_error;

/** The code's name ("DEADLOCK"), short text ("deadlock detected") and SQLSTATE;
 * never NULL. */
ROWLOCK_API const char *rowlock_code_name(enum rowlock_code code);
ROWLOCK_API const char *rowlock_code_text(enum rowlock_code code);
ROWLOCK_API const char *rowlock_code_sqlstate(enum rowlock_code code);

#ifdef __cplusplus
}
#endif
#endif
