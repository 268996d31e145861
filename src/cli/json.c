/* SPDX-License-Identifier: MIT
 * A strict scanner for one JSON value (RFC 8259), with a depth limit in place
 * of an endless recursion. Invariant: at never passes the NUL at the end. */
#include "cli/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 64, DIGITS = 17 };

struct scan {
    const char *text, *at;
    const char *wrong; /* what is wrong there; NULL: nothing yet */
};

static bool
refuse(struct scan *s, const char *wrong)
{
    s->wrong = wrong;
    return false;
}

static void
skip_blanks(struct scan *s)
{
    s->at += strspn(s->at, " \t\r\n");
}

static bool
scan_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(s->at, word, len) != 0)
        return refuse(s, "no JSON value");
    s->at += len;
    return true;
}

static bool
scan_digits(struct scan *s)
{
    if (!isdigit((unsigned char)*s->at))
        return refuse(s, "a digit is missing");
    while (isdigit((unsigned char)*s->at))
        s->at++;
    return true;
}

static bool
scan_number(struct scan *s)
{
    s->at += *s->at == '-';
    if (*s->at == '0' && isdigit((unsigned char)s->at[1]))
        return refuse(s, "a number has no leading zero");
    if (!scan_digits(s))
        return false;
    if (*s->at == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (*s->at == 'e' || *s->at == 'E') {
        s->at++;
        s->at += *s->at == '+' || *s->at == '-';
        return scan_digits(s);
    }
    return true;
}

static bool
scan_hex(struct scan *s, uint32_t *ret)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        unsigned char c = (unsigned char)*s->at;
        if (!isxdigit(c))
            return refuse(s, "\\u needs four hexadecimal digits");
        n = n * 16 + (uint32_t)(isdigit(c) ? c - '0' : (tolower(c) - 'a') + 10);
    }
    *ret = n;
    return true;
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

/* Behind "\u". */
static bool
scan_unicode(struct scan *s, struct rlk_buf *out)
{
    uint32_t c, low;
    if (!scan_hex(s, &c))
        return false;
    if (c >= 0xD800 && c < 0xE000) {
        if (c >= 0xDC00 || s->at[0] != '\\' || s->at[1] != 'u')
            return refuse(s, "half a surrogate pair");
        s->at += 2;
        if (!scan_hex(s, &low))
            return false;
        if (low < 0xDC00 || low >= 0xE000)
            return refuse(s, "half a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    add_utf8(out, c);
    return true;
}

static bool
scan_escape(struct scan *s, struct rlk_buf *out)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    char c = *s->at;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (c != 'u' && !letter)
        return refuse(s, "no such escape");
    s->at++;
    if (c == 'u')
        return scan_unicode(s, out);
    rlk_buf_char(out, bytes[letter - letters]);
    return true;
}

static bool
scan_string(struct scan *s, struct rlk_buf *out)
{
    s->at++;
    while (*s->at != '"') {
        size_t n = rlk_utf8_length(s->at, strlen(s->at));
        if (!*s->at)
            return refuse(s, "the string does not end");
        if ((unsigned char)*s->at < 0x20)
            return refuse(s, "a control character in a string");
        if (n == 0)
            return refuse(s, "no valid UTF-8");
        if (*s->at == '\\') {
            s->at++;
            if (!scan_escape(s, out))
                return false;
        } else {
            rlk_buf_add(out, s->at, n);
            s->at += n;
        }
    }
    s->at++;
    return true;
}

static bool scan_value(struct scan *s, struct rlk_buf *scratch, int depth);

static bool
scan_member(struct scan *s, struct rlk_buf *scratch, int depth)
{
    if (*s->at != '"')
        return refuse(s, "a member's name is missing");
    if (!scan_string(s, scratch))
        return false;
    skip_blanks(s);
    if (*s->at != ':')
        return refuse(s, "':' is missing");
    s->at++;
    return scan_value(s, scratch, depth);
}

/* An array or an object, from its bracket on. */
static bool
scan_list(struct scan *s, struct rlk_buf *scratch, int depth)
{
    bool object = *s->at == '{';
    char end = object ? '}' : ']';
    if (depth == DEPTH)
        return refuse(s, "too deep");
    s->at++;
    skip_blanks(s);
    if (*s->at == end) {
        s->at++;
        return true;
    }
    for (;;) {
        skip_blanks(s);
        if (!(object ? scan_member(s, scratch, depth + 1)
                     : scan_value(s, scratch, depth + 1)))
            return false;
        skip_blanks(s);
        if (*s->at == end)
            break;
        if (*s->at != ',')
            return refuse(s, object ? "',' or '}' is missing"
                                    : "',' or ']' is missing");
        s->at++;
    }
    s->at++;
    return true;
}

/* Strings are decoded into scratch, which holds the last one. */
static bool
scan_value(struct scan *s, struct rlk_buf *scratch, int depth)
{
    skip_blanks(s);
    switch (*s->at) {
    case '"':
        rlk_buf_clear(scratch);
        return scan_string(s, scratch);
    case '{':
    case '[':
        return scan_list(s, scratch, depth);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    case '-':
        return scan_number(s);
    default:
        if (isdigit((unsigned char)*s->at))
            return scan_number(s);
        return refuse(s, *s->at ? "no JSON value" : "the value is missing");
    }
}

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

static int
read_number(const char *number, rowlock_value *ret, rowlock_error *err)
{
    errno = 0;
    if (!strpbrk(number, ".eE")) {
        long long i = strtoll(number, NULL, 10);
        if (errno == 0)
            *ret = rowlock_int(i);
    } else {
        double d = strtod(number, NULL);
        if (isinf(d) || (errno == ERANGE && d == 0) ||
            count_digits(number) > DIGITS)
            errno = ERANGE;
        else
            errno = 0;
        if (errno == 0)
            *ret = rowlock_double(d);
    }
    if (errno == 0)
        return 0;
    rlk_fail(err, ROWLOCK_BAD_VALUE,
             "number %.60s does not fit into 64 bits without loss", number);
    rlk_sqlstate(err, "22003");
    rlk_hint(err, "Give it as text, COL=%.60s, to a column that can hold it.",
             number);
    return ROWLOCK_BAD_VALUE;
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
read_value(const struct scan *s, const struct rlk_buf *string,
           struct rlk_arena *arena, rowlock_value *ret, rowlock_error *err)
{
    const char *json = s->text + strspn(s->text, " \t\r\n");
    size_t len = (size_t)(s->at - json);
    char *number;
    switch (*json) {
    case 'n':
        *ret = rowlock_null();
        return 0;
    case 't':
    case 'f':
        *ret = rowlock_int(*json == 't');
        return 0;
    case '"':
        return keep_text(string->ptr ? string->ptr : "", string->len, arena,
                         ret, err);
    case '{':
    case '[':
        return keep_text(json, len, arena, ret, err);
    default:
        number = rlk_arena_copy(arena, json, len);
        return number ? read_number(number, ret, err) : rlk_out_of_memory(err);
    }
}

int
rlk_json_read(const char *json, struct rlk_arena *arena, rowlock_value *ret,
              rowlock_error *err)
{
    RLK_AUTOBUF struct rlk_buf string = {0};
    struct scan s = {json, json, NULL};
    bool good = scan_value(&s, &string, 0);
    if (good) {
        const char *end = s.at;
        skip_blanks(&s);
        if (*s.at)
            good = refuse(&s, "more follows the value");
        else
            s.at = end;
    }
    if (string.failed)
        return rlk_out_of_memory(err);
    if (good)
        return read_value(&s, &string, arena, ret, err);
    rlk_fail(err, ROWLOCK_MISUSE, "no valid JSON: %s", s.wrong);
    rlk_detail(err, "At character %zu of %.100s", (size_t)(s.at - json) + 1,
               json);
    return ROWLOCK_MISUSE;
}

static void
add_hex(struct rlk_buf *buf, rowlock_value value)
{
    for (size_t i = 0; i < value.u.s.len; i++)
        rlk_buf_format(buf, "%02x", (unsigned char)value.u.s.ptr[i]);
}

/* The shortest text that reads back as the same number. */
static void
add_double(struct rlk_buf *buf, double d)
{
    char text[40];
    for (int digits = 15; digits <= DIGITS; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    rlk_buf_text(buf, text);
    if (!strpbrk(text, ".en"))
        rlk_buf_text(buf, ".0");
}

void
rlk_buf_plain_value(struct rlk_buf *buf, rowlock_value value)
{
    switch (value.type) {
    case ROWLOCK_NULL:
        rlk_buf_text(buf, "null");
        break;
    case ROWLOCK_INT:
        rlk_buf_format(buf, "%" PRId64, value.u.i);
        break;
    case ROWLOCK_DOUBLE:
        add_double(buf, value.u.d);
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
