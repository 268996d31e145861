/* SPDX-License-Identifier: MIT
 * Errors, filled in place: no allocation, so that this also works when memory
 * is used up. Texts that do not fit are cut at a character's start. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *sqlstate, *text, *hint;
} table[] = {
#define ROW(name, sqlstate, text, hint, meaning) {#name, sqlstate, text, hint},
    ROWLOCK_ERROR_TABLE(ROW)
#undef ROW
};

static size_t
row_of(enum rowlock_code code)
{
    size_t i = (size_t)code;
    return i < sizeof table / sizeof table[0] ? i : (size_t)ROWLOCK_MISUSE;
}

const char *
rowlock_code_name(enum rowlock_code code)
{
    return table[row_of(code)].name;
}

const char *
rowlock_code_text(enum rowlock_code code)
{
    return table[row_of(code)].text;
}

const char *
rowlock_code_sqlstate(enum rowlock_code code)
{
    return table[row_of(code)].sqlstate;
}

/* Take back the bytes of a UTF-8 sequence that the cut has split. */
static void
end_whole(char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0)
        text[start - 1] = 0;
}

static void
print_into(char *text, size_t size, const char *format, va_list args)
{
    int len = vsnprintf(text, size, format, args);
    if (len < 0)
        text[0] = 0;
    else if ((size_t)len >= size)
        end_whole(text, size - 1);
}

static void
start(rowlock_error *err, enum rowlock_code code, const char *format,
      va_list args)
{
    memset(err, 0, sizeof *err);
    err->code = code;
    memcpy(err->sqlstate, table[row_of(code)].sqlstate, 6);
    snprintf(err->hint, sizeof err->hint, "%s", table[row_of(code)].hint);
    print_into(err->message, sizeof err->message, format, args);
}

int
rlk_fail(rowlock_error *err, enum rowlock_code code, const char *format, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    start(err, code, format, args);
    va_end(args);
    return code;
}

int
rlk_fail_errno(rowlock_error *err, enum rowlock_code code, const char *format,
               ...)
{
    int saved = errno;
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    start(err, code, format, args);
    va_end(args);
    err->sys_errno = saved;
    size_t len = strlen(err->message);
    char reason[128];
    /* The GNU form: it may answer a static text, and is thread-safe. */
    snprintf(err->message + len, sizeof err->message - len, ": %s",
             strerror_r(saved, reason, sizeof reason));
    errno = saved;
    return code;
}

int
rlk_out_of_memory(rowlock_error *err)
{
    return rlk_fail(err, ROWLOCK_NO_MEMORY, "out of memory");
}

#define FILL(field)                                          \
    if (!err)                                                \
        return;                                              \
    va_list args;                                            \
    va_start(args, format);                                  \
    print_into(err->field, sizeof err->field, format, args); \
    va_end(args)

void
rlk_detail(rowlock_error *err, const char *format, ...)
{
    FILL(detail);
}

void
rlk_hint(rowlock_error *err, const char *format, ...)
{
    FILL(hint);
}

void
rlk_context(rowlock_error *err, const char *format, ...)
{
    if (err && err->context[0])
        return;
    FILL(context);
}

void
rlk_sqlstate(rowlock_error *err, const char *sqlstate)
{
    if (err)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
}
