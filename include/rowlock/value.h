/* SPDX-License-Identifier: MIT
 * Values: what a column holds. A value borrows its bytes: inputs are borrowed
 * for the call, outputs are views that live as long as the call that gave them
 * says. */
#ifndef ROWLOCK_VALUE_H
#define ROWLOCK_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum rowlock_type {
    ROWLOCK_NULL,
    ROWLOCK_INT,
    ROWLOCK_DOUBLE,
    ROWLOCK_TEXT,
    ROWLOCK_BLOB
};

/** Zeroed, it is NULL. Text is UTF-8, len bytes, not necessarily terminated by
 * a NUL. */
typedef struct rowlock_value {
    enum rowlock_type type;
    union {
        int64_t i;
        double d;
        struct {
            const char *ptr;
            size_t len; /**< bytes */
        } s;
    } u;
} rowlock_value;

/** A column and its value; both borrowed. */
typedef struct rowlock_pair {
    const char *column;
    rowlock_value value;
} rowlock_pair;

static inline rowlock_value
rowlock_null(void)
{
    rowlock_value v;
    memset(&v, 0, sizeof v);
    return v;
}

static inline rowlock_value
rowlock_int(int64_t i)
{
    rowlock_value v = rowlock_null();
    v.type = ROWLOCK_INT;
    v.u.i = i;
    return v;
}

static inline rowlock_value
rowlock_double(double d)
{
    rowlock_value v = rowlock_null();
    v.type = ROWLOCK_DOUBLE;
    v.u.d = d;
    return v;
}

/** len bytes of UTF-8 at text, borrowed. */
static inline rowlock_value
rowlock_text_n(const char *text, size_t len)
{
    rowlock_value v = rowlock_null();
    v.type = ROWLOCK_TEXT;
    v.u.s.ptr = text;
    v.u.s.len = len;
    return v;
}

/** A C string, borrowed; NULL gives NULL. */
static inline rowlock_value
rowlock_text(const char *text)
{
    return text ? rowlock_text_n(text, strlen(text)) : rowlock_null();
}

static inline rowlock_value
rowlock_blob(const void *bytes, size_t len)
{
    rowlock_value v = rowlock_text_n((const char *)bytes, len);
    v.type = ROWLOCK_BLOB;
    return v;
}

#ifdef __cplusplus
}
#endif
#endif
