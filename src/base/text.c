/* SPDX-License-Identifier: MIT
 * The growable buffer and small text services. */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static bool
reserve(struct rlk_buf *buf, size_t more)
{
    size_t need;
    if (buf->failed || __builtin_add_overflow(buf->len, more, &need) ||
        __builtin_add_overflow(need, (size_t)1, &need)) {
        buf->failed = true;
        return false;
    }
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need && cap <= SIZE_MAX / 2)
        cap *= 2;
    char *ptr = rlk_reallocarray(buf->ptr, cap < need ? need : cap, 1);
    if (!ptr) {
        buf->failed = true;
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

void
rlk_buf_add(struct rlk_buf *buf, const void *bytes, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
    buf->ptr[buf->len] = 0;
}

void
rlk_buf_text(struct rlk_buf *buf, const char *text)
{
    rlk_buf_add(buf, text, strlen(text));
}

void
rlk_buf_char(struct rlk_buf *buf, char c)
{
    rlk_buf_add(buf, &c, 1);
}

void
rlk_buf_format(struct rlk_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len >= 0 && reserve(buf, (size_t)len)) {
        vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

static void
json_char(struct rlk_buf *buf, unsigned char c)
{
    const char *found = c ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;
    if (found && (c == '"' || c == '\\' || c < 0x20)) {
        rlk_buf_char(buf, '\\');
        rlk_buf_char(buf, found[1]);
    } else if (c < 0x20 || c == 0x7F) {
        rlk_buf_format(buf, "\\u%04x", c);
    } else {
        rlk_buf_char(buf, (char)c);
    }
}

void
rlk_buf_json(struct rlk_buf *buf, const char *text, size_t len)
{
    rlk_buf_char(buf, '"');
    for (size_t i = 0; i < len;) {
        size_t n = rlk_utf8_length(text + i, len - i);
        if (n == 0)
            rlk_buf_text(buf, "\xEF\xBF\xBD");
        else if (n == 1)
            json_char(buf, (unsigned char)text[i]);
        else
            rlk_buf_add(buf, text + i, n);
        i += n ? n : 1;
    }
    rlk_buf_char(buf, '"');
}

void
rlk_buf_clear(struct rlk_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->ptr)
        buf->ptr[0] = 0;
}

void
rlk_buf_done(struct rlk_buf *buf)
{
    rlk_free(buf->ptr);
    memset(buf, 0, sizeof *buf);
}

/* Unicode 15, table 3-7: the second byte's range depends on the first. */
size_t
rlk_utf8_length(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || len < n)
        return 0;
    unsigned char low = 0x80, high = 0xBF;
    if (s[0] == 0xE0)
        low = 0xA0;
    if (s[0] == 0xED)
        high = 0x9F;
    if (s[0] == 0xF0)
        low = 0x90;
    if (s[0] == 0xF4)
        high = 0x8F;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

size_t
rlk_utf8_check(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len) {
        size_t n = rlk_utf8_length(text + i, len - i);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

bool
rlk_duration_parse(const char *text, int32_t *ret_ms)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (n > INT32_MAX / units[i].ms)
            return false;
        *ret_ms = (int32_t)(n * units[i].ms);
        return true;
    }
    return false;
}

void
rlk_duration_print(int64_t ms, char *ret_text, size_t size)
{
    if (ms < 0)
        ms = 0;
    if (ms < 1000)
        snprintf(ret_text, size, "%" PRId64 " ms", ms);
    else if (ms < 60000)
        snprintf(ret_text, size, "%.1f s", (double)ms / 1000);
    else if (ms < 2 * 3600000)
        snprintf(ret_text, size, "%" PRId64 " min", ms / 60000);
    else if (ms < 2 * 86400000LL)
        snprintf(ret_text, size, "%" PRId64 " h", ms / 3600000);
    else
        snprintf(ret_text, size, "%" PRId64 " d", ms / 86400000);
}

enum { LONGEST_WORD = 64 };

size_t
rlk_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    if (la > LONGEST_WORD || lb > LONGEST_WORD)
        return LONGEST_WORD;
    size_t d[LONGEST_WORD + 1][LONGEST_WORD + 1];
    for (size_t i = 0; i <= la; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= la; i++)
        for (size_t j = 1; j <= lb; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[la][lb];
}

const char *
rlk_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 1;
    for (; *words; words++) {
        size_t n = rlk_distance(word, *words);
        if (n <= best_distance && n < strlen(*words) &&
            (!best || n < best_distance)) {
            best = *words;
            best_distance = n;
        }
    }
    return best;
}
