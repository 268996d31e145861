/* SPDX-License-Identifier: MIT
 * The time in the form of its column; UUIDs of version 4, without dashes where
 * the column has room for 32 characters only (as Django declares it). */
#include "sync/generate.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <utf8proc.h>

enum { UUID_BYTES = 16 };

bool
rlk_generate_fits(int generated, struct rlk_goal goal)
{
    bool open = goal.type == RLK_TYPE_TEXT || goal.type == RLK_TYPE_ANY;
    if (generated == RLK_GENERATE_UUID)
        return open || goal.type == RLK_TYPE_UUID;
    return open || goal.type == RLK_TYPE_TIMESTAMP ||
           goal.type == RLK_TYPE_DATE || goal.type == RLK_TYPE_TIME;
}

static size_t
print_now(struct rlk_goal goal, char *ret_text, size_t size)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    const char *format = goal.type == RLK_TYPE_DATE   ? "%Y-%m-%d"
                         : goal.type == RLK_TYPE_TIME ? "%H:%M:%S"
                                                      : "%Y-%m-%dT%H:%M:%S";
    size_t n = strftime(ret_text, size, format, &utc);
    if (goal.type != RLK_TYPE_DATE)
        n += (size_t)snprintf(ret_text + n, size - n, ".%06ld",
                              now.tv_nsec / 1000);
    if (goal.type != RLK_TYPE_DATE && goal.type != RLK_TYPE_TIME)
        n += (size_t)snprintf(ret_text + n, size - n, "Z");
    return n;
}

static int
print_uuid(struct rlk_goal goal, char *ret_text, size_t size,
           rowlock_error *err)
{
    unsigned char b[UUID_BYTES];
    size_t n = 0;
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return rlk_fail_errno(err, ROWLOCK_IO, "no random numbers");
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0F));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3F));
    for (size_t i = 0; i < sizeof b; i++) {
        bool dash = goal.length != RLK_BARE_UUID &&
                    (i == 4 || i == 6 || i == 8 || i == 10);
        n += (size_t)snprintf(ret_text + n, size - n, "%s%02x", dash ? "-" : "",
                              b[i]);
    }
    return 0;
}

int
rlk_generate(int generated, struct rlk_goal goal, struct rlk_arena *arena,
             rowlock_value *ret, rowlock_error *err)
{
    char text[64];
    if (generated == RLK_GENERATE_UUID)
        RLK_TRY(print_uuid(goal, text, sizeof text, err));
    else
        print_now(goal, text, sizeof text);
    const char *copy = rlk_arena_copy(arena, text, strlen(text));
    if (!copy)
        return rlk_out_of_memory(err);
    *ret = rowlock_text(copy);
    return 0;
}

/* The one character whose lower case is two. */
static utf8proc_ssize_t
put_lower(utf8proc_int32_t c, utf8proc_uint8_t *to)
{
    if (c != 0x130)
        return utf8proc_encode_char(utf8proc_tolower(c), to);
    utf8proc_ssize_t n = utf8proc_encode_char('i', to);
    return n + utf8proc_encode_char(0x307, to + n);
}

char *
rlk_lower_text(const char *text, size_t len, struct rlk_arena *arena,
               size_t *ret_len)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    utf8proc_uint8_t *out = rlk_arena_alloc(arena, len + 1, 4);
    size_t n = 0;
    if (!out)
        return NULL;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t step =
            utf8proc_iterate(at + i, (utf8proc_ssize_t)(len - i), &c);
        if (step < 1) {
            out[n++] = at[i++];
            continue;
        }
        n += (size_t)put_lower(c, out + n);
        i += (size_t)step;
    }
    *ret_len = n;
    return (char *)out;
}
