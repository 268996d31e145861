/* SPDX-License-Identifier: MIT
 * One JSON value of a command line. Its grammar is checked by the record room,
 * which checks JSON columns; what is left is to decode a scalar. */
#include "cli/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/value.h"

enum { DIGITS = 17 }; /* what a double carries */

/* ---- strings ---- */

static uint32_t
read_hex(const char *text)
{
    char digits[5] = {text[0], text[1], text[2], text[3], 0};
    return (uint32_t)strtoul(digits, NULL, 16);
}

static void
add_utf8(struct rlk_buf *buf, uint32_t c)
{
    if (c < 0x80) {
        rlk_buf_char(buf, (char)c);
        return;
    }
    if (c < 0x800) {
        rlk_buf_char(buf, (char)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            rlk_buf_char(buf, (char)(0xE0 | c >> 12));
        } else {
            rlk_buf_char(buf, (char)(0xF0 | c >> 18));
            rlk_buf_char(buf, (char)(0x80 | (c >> 12 & 0x3F)));
        }
        rlk_buf_char(buf, (char)(0x80 | (c >> 6 & 0x3F)));
    }
    rlk_buf_char(buf, (char)(0x80 | (c & 0x3F)));
}

/* Behind "\u"; answers how many characters it took, 0: half a pair. */
static size_t
add_unicode(struct rlk_buf *out, const char *text)
{
    uint32_t c = read_hex(text);
    if (c < 0xD800 || c >= 0xE000) {
        add_utf8(out, c);
        return 4;
    }
    if (c >= 0xDC00 || text[4] != '\\' || text[5] != 'u')
        return 0;
    uint32_t low = read_hex(text + 6);
    if (low < 0xDC00 || low >= 0xE000)
        return 0;
    add_utf8(out, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
    return 10;
}

/* From the opening quote on; *ret_bad is where a surrogate has no partner. */
static bool
decode(const char *json, struct rlk_buf *out, const char **ret_bad)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    for (const char *at = json + 1; *at != '"'; at++) {
        if (*at != '\\') {
            rlk_buf_char(out, *at);
            continue;
        }
        at++;
        if (*at != 'u') {
            rlk_buf_char(out, bytes[strchr(letters, *at) - letters]);
            continue;
        }
        size_t n = add_unicode(out, at + 1);
        if (n == 0) {
            *ret_bad = at - 1;
            return false;
        }
        at += n;
    }
    return true;
}

static int
refuse(const char *json, const char *bad, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_MISUSE, "\"%.100s\" is not valid JSON", json);
    if (*bad)
        rlk_detail(err, "It stops being JSON at character %zu.",
                   (size_t)(bad - json) + 1);
    rlk_hint(err, "Text is written COL=TEXT, without a colon.");
    return ROWLOCK_MISUSE;
}

static int
keep_text(const char *text, size_t len, struct rlk_arena *arena,
          rowlock_value *ret, rowlock_error *err)
{
    char *copy = rlk_arena_copy(arena, text, len);
    if (!copy)
        return rlk_out_of_memory(err);
    *ret = rowlock_text_n(copy, len);
    return 0;
}

static int
read_string(const char *json, const char *start, struct rlk_arena *arena,
            rowlock_value *ret, rowlock_error *err)
{
    RLK_AUTOBUF struct rlk_buf text = {0};
    const char *bad;
    if (!decode(start, &text, &bad))
        return refuse(json, bad, err);
    if (text.failed)
        return rlk_out_of_memory(err);
    return keep_text(text.ptr ? text.ptr : "", text.len, arena, ret, err);
}

/* ---- numbers ---- */

/* How many digits count: 0.00120 has two. */
static size_t
count_digits(const char *number)
{
    size_t n = 0, zeros = 0;
    for (; *number && *number != 'e' && *number != 'E'; number++) {
        if (*number == '0')
            zeros += n > 0;
        else if (isdigit((unsigned char)*number)) {
            n += zeros + 1;
            zeros = 0;
        }
    }
    return n;
}

/* false: it would not be the same number. */
static bool
take_number(const char *number, rowlock_value *ret)
{
    errno = 0;
    if (!strpbrk(number, ".eE")) {
        *ret = rowlock_int(strtoll(number, NULL, 10));
        return errno == 0;
    }
    double d = strtod(number, NULL);
    *ret = rowlock_double(d);
    return isfinite(d) && !(errno == ERANGE && d == 0) &&
           count_digits(number) <= DIGITS;
}

static int
read_number(const char *number, rowlock_value *ret, rowlock_error *err)
{
    rowlock_value value;
    if (take_number(number, &value)) {
        *ret = value;
        return 0;
    }
    rlk_fail(err, ROWLOCK_BAD_VALUE,
             "number %.60s does not fit into 64 bits without loss", number);
    rlk_sqlstate(err, "22003");
    rlk_hint(err, "Give it as text, COL=%.60s, to a column that can hold it.",
             number);
    return ROWLOCK_BAD_VALUE;
}

/* ---- values ---- */

int
rlk_json_read(const char *json, struct rlk_arena *arena, rowlock_value *ret,
              rowlock_error *err)
{
    static const char blanks[] = " \t\r\n";
    size_t len = strlen(json), bad = rlk_utf8_check(json, len);
    if (bad < len || !rlk_json_valid(json, len, &bad))
        return refuse(json, json + bad, err);
    const char *start = json + strspn(json, blanks);
    while (strchr(blanks, json[len - 1]))
        len--;
    char *text = rlk_arena_copy(arena, start, (size_t)(json + len - start));
    if (!text)
        return rlk_out_of_memory(err);
    switch (*text) {
    case 'n':
        *ret = rowlock_null();
        return 0;
    case 't':
    case 'f':
        *ret = rowlock_int(*text == 't');
        return 0;
    case '"':
        return read_string(json, start, arena, ret, err);
    case '{':
    case '[':
        *ret = rowlock_text(text);
        return 0;
    default:
        return read_number(text, ret, err);
    }
}

/* ---- printing ---- */

static void
add_hex(struct rlk_buf *buf, rowlock_value value)
{
    for (size_t i = 0; i < value.u.s.len; i++)
        rlk_buf_format(buf, "%02x", (unsigned char)value.u.s.ptr[i]);
}

void
rlk_buf_plain_value(struct rlk_buf *buf, rowlock_value value)
{
    char number[RLK_NUMBER_TEXT];
    switch (value.type) {
    case ROWLOCK_NULL:
        rlk_buf_text(buf, "null");
        break;
    case ROWLOCK_INT:
        rlk_buf_format(buf, "%" PRId64, value.u.i);
        break;
    case ROWLOCK_DOUBLE:
        if (isfinite(value.u.d))
            rlk_double_print(value.u.d, number);
        else
            snprintf(number, sizeof number, "%g", value.u.d);
        rlk_buf_text(buf, number);
        break;
    case ROWLOCK_TEXT:
        rlk_buf_add(buf, value.u.s.ptr, value.u.s.len);
        break;
    case ROWLOCK_BLOB:
        add_hex(buf, value);
        break;
    }
}

void
rlk_buf_json_value(struct rlk_buf *buf, rowlock_value value)
{
    if (value.type == ROWLOCK_TEXT) {
        rlk_buf_json(buf, value.u.s.ptr, value.u.s.len);
    } else if (value.type == ROWLOCK_BLOB) {
        rlk_buf_char(buf, '"');
        add_hex(buf, value);
        rlk_buf_char(buf, '"');
    } else if (value.type == ROWLOCK_DOUBLE && !isfinite(value.u.d)) {
        rlk_buf_text(buf, "null"); /* JSON has no such number */
    } else {
        rlk_buf_plain_value(buf, value);
    }
}
