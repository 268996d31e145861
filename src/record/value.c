/* SPDX-License-Identifier: MIT
 * Values by their column: the dispatch, text, blobs and UUIDs; numbers, times
 * and JSON have files of their own. Nothing here knows of engines: what comes
 * out is a form that every driver stores as it is. Read next:
 * value_number.c. */
#include "value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* ---- white space, as Python's str.isspace() sees it ---- */

static uint32_t
decode(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    switch (len) {
    case 1:
        return s[0];
    case 2:
        return (s[0] & 0x1FU) << 6 | (s[1] & 0x3FU);
    case 3:
        return (s[0] & 0x0FU) << 12 | (s[1] & 0x3FU) << 6 | (s[2] & 0x3FU);
    default:
        return 0xFFFD; /* no white space above the first plane */
    }
}

static bool
space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 ||
           c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

static size_t
last_length(const char *text, size_t len)
{
    for (size_t n = 1; n <= 3 && n <= len; n++)
        if (rlk_utf8_length(text + len - n, n) == n)
            return n;
    return 0;
}

rowlock_value
rlk_value_strip(rowlock_value value)
{
    if (value.type != ROWLOCK_TEXT)
        return value;
    const char *text = value.u.s.ptr;
    size_t len = value.u.s.len, n;
    while ((n = rlk_utf8_length(text, len)) && space(decode(text, n))) {
        text += n;
        len -= n;
    }
    while ((n = last_length(text, len)) && space(decode(text + len - n, n)))
        len -= n;
    return len ? rowlock_text_n(text, len) : rowlock_null();
}

/* ---- messages ---- */

static void
show_text(rowlock_value value, char *ret_text, size_t size)
{
    struct rlk_buf RLK_AUTOBUF buf = {0};
    size_t len = value.u.s.len, most = size - 12;
    rlk_buf_json(&buf, value.u.s.ptr, len < most ? len : most);
    if (buf.failed || buf.len < 2) {
        snprintf(ret_text, size, "a text");
        return;
    }
    size_t shown = buf.len - 2 < most ? buf.len - 2 : most;
    while (shown > 0 && (buf.ptr[1 + shown] & 0xC0) == 0x80)
        shown--; /* never half a character */
    snprintf(ret_text, size, "'%.*s%s'", (int)shown, buf.ptr + 1,
             shown < buf.len - 2 || len > most ? "..." : "");
}

void
rlk_value_show(rowlock_value value, char ret_text[RLK_SHOWN])
{
    switch (value.type) {
    case ROWLOCK_NULL:
        snprintf(ret_text, RLK_SHOWN, "NULL");
        break;
    case ROWLOCK_INT:
        snprintf(ret_text, RLK_SHOWN, "%lld", (long long)value.u.i);
        break;
    case ROWLOCK_DOUBLE:
        if (isfinite(value.u.d))
            rlk_double_print(value.u.d, ret_text);
        else
            snprintf(ret_text, RLK_SHOWN, "%s",
                     isnan(value.u.d) ? "NaN" : "infinity");
        break;
    case ROWLOCK_TEXT:
        show_text(value, ret_text, RLK_SHOWN);
        break;
    case ROWLOCK_BLOB:
        snprintf(ret_text, RLK_SHOWN, "a blob of %zu bytes", value.u.s.len);
        break;
    }
}

int
rlk_value_refuse(struct rlk_place place, rowlock_value value,
                 const char *sqlstate, const char *why, rowlock_error *err)
{
    char shown[RLK_SHOWN];
    rlk_value_show(value, shown);
    int code = rlk_fail(err, ROWLOCK_BAD_VALUE, "%s.%s cannot hold %s: %s",
                        place.table, place.column->name, shown, why);
    rlk_sqlstate(err, sqlstate);
    return code;
}

/* ---- text ---- */

static size_t
characters(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += (text[i] & 0xC0) != 0x80;
    return n;
}

static int
check_text(struct rlk_place place, rowlock_value value, rowlock_error *err)
{
    const char *text = value.u.s.ptr;
    size_t len = value.u.s.len;
    if (rlk_utf8_check(text, len) != len)
        return rlk_value_refuse(place, value, "22021", "no valid UTF-8", err);
    if (len && memchr(text, 0, len))
        return rlk_value_refuse(place, value, "22021", "text cannot hold a NUL",
                                err);
    uint32_t length = place.column->length;
    if (length && len > length && characters(text, len) > length) {
        char why[64];
        snprintf(why, sizeof why, "longer than %u characters", length);
        return rlk_value_refuse(place, value, "22001", why, err);
    }
    return 0;
}

/* A number's text form: exact, and what a remote id becomes that a JSON
 * source gives as a number. */
static int
number_text(struct rlk_place place, rowlock_value value,
            struct rlk_arena *arena, rowlock_value *ret, rowlock_error *err)
{
    char text[RLK_NUMBER_TEXT];
    rowlock_value printed = rlk_number_print(value, text);
    if (printed.type != ROWLOCK_TEXT)
        return rlk_value_refuse(place, value, "22003", "not finite", err);
    char *copy = rlk_arena_copy(arena, text, printed.u.s.len);
    if (!copy)
        return rlk_out_of_memory(err);
    *ret = rowlock_text_n(copy, printed.u.s.len);
    return 0;
}

static int
text_for(struct rlk_place place, rowlock_value value, struct rlk_arena *arena,
         rowlock_value *ret, rowlock_error *err)
{
    rowlock_value text = value;
    if (value.type == ROWLOCK_BLOB)
        return rlk_value_refuse(place, value, "22P02", "a blob is no text",
                                err);
    if (value.type != ROWLOCK_TEXT)
        RLK_TRY(number_text(place, value, arena, &text, err));
    RLK_TRY(check_text(place, text, err));
    *ret = text;
    return 0;
}

static int
blob_for(struct rlk_place place, rowlock_value value, rowlock_value *ret,
         rowlock_error *err)
{
    if (value.type != ROWLOCK_BLOB && value.type != ROWLOCK_TEXT)
        return rlk_value_refuse(place, value, "22P02", "a number is no blob",
                                err);
    uint32_t length = place.column->length;
    if (length && value.u.s.len > length)
        return rlk_value_refuse(place, value, "22001", "longer than declared",
                                err);
    *ret = rowlock_blob(value.u.s.ptr, value.u.s.len);
    return 0;
}

/* No declared type: stored as given, if any engine could give it back. */
static int
any_for(struct rlk_place place, rowlock_value value, rowlock_value *ret,
        rowlock_error *err)
{
    if (value.type == ROWLOCK_TEXT)
        RLK_TRY(check_text(place, value, err));
    if (value.type == ROWLOCK_DOUBLE && isnan(value.u.d))
        return rlk_value_refuse(place, value, "22003", "not a number", err);
    *ret = value;
    return 0;
}

static int
json_for(struct rlk_place place, rowlock_value value, struct rlk_arena *arena,
         rowlock_value *ret, rowlock_error *err)
{
    rowlock_value text;
    RLK_TRY(text_for(place, value, arena, &text, err));
    size_t bad;
    if (!rlk_json_valid(text.u.s.ptr, text.u.s.len, &bad)) {
        char why[64];
        snprintf(why, sizeof why, "no JSON from byte %zu on", bad);
        return rlk_value_refuse(place, value, "22P02", why, err);
    }
    if (!rlk_json_number_is_exact(text))
        return rlk_value_refuse(place, value, "22003",
                                "a number that cannot be stored exactly", err);
    *ret = text;
    return 0;
}

/* An engine may give a JSON number back as a number. */
static bool
same_json(rowlock_value a, rowlock_value b)
{
    char a_text[RLK_NUMBER_TEXT], b_text[RLK_NUMBER_TEXT];
    return rlk_json_equal(rlk_number_print(a, a_text),
                          rlk_number_print(b, b_text));
}

/* ---- UUIDs: 36 characters in lower case; 32 without dashes are read too ---
 */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
rlk_uuid_read(rowlock_value value, char ret_text[36])
{
    if (value.type != ROWLOCK_TEXT ||
        (value.u.s.len != 36 && value.u.s.len != 32))
        return false;
    const char *from = value.u.s.ptr;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash)
            ret_text[i] = '-';
        if (dash && value.u.s.len == 32)
            continue;
        int digit = hex_digit(*from);
        if (dash ? *from != '-' : digit < 0)
            return false;
        if (!dash)
            ret_text[i] = "0123456789abcdef"[digit];
        from++;
    }
    return true;
}

static int
uuid_for(struct rlk_place place, rowlock_value value, struct rlk_arena *arena,
         rowlock_value *ret, rowlock_error *err)
{
    char text[36];
    if (!rlk_uuid_read(value, text))
        return rlk_value_refuse(place, value, "22P02", "no UUID", err);
    char *copy = rlk_arena_copy(arena, text, sizeof text);
    if (!copy)
        return rlk_out_of_memory(err);
    *ret = rowlock_text_n(copy, sizeof text);
    return 0;
}

/* ---- the dispatch ---- */

int
rlk_value_for(struct rlk_place place, rowlock_value value,
              struct rlk_arena *arena, rowlock_value *ret, rowlock_error *err)
{
    if (value.type == ROWLOCK_NULL) {
        *ret = value;
        return 0;
    }
    if (value.type > ROWLOCK_BLOB)
        return rlk_fail(err, ROWLOCK_MISUSE, "a value of no known type");
    switch (place.column->type) {
    case RLK_TYPE_INTEGER:
        return rlk_value_integer(place, value, ret, err);
    case RLK_TYPE_BOOLEAN:
        return rlk_value_boolean(place, value, ret, err);
    case RLK_TYPE_REAL:
        return rlk_value_real(place, value, ret, err);
    case RLK_TYPE_DECIMAL:
        return rlk_value_decimal(place, value, ret, err);
    case RLK_TYPE_TEXT:
        return text_for(place, value, arena, ret, err);
    case RLK_TYPE_BLOB:
        return blob_for(place, value, ret, err);
    case RLK_TYPE_TIMESTAMP:
    case RLK_TYPE_DATE:
    case RLK_TYPE_TIME:
        return rlk_value_time(place, value, arena, ret, err);
    case RLK_TYPE_UUID:
        return uuid_for(place, value, arena, ret, err);
    case RLK_TYPE_JSON:
        return json_for(place, value, arena, ret, err);
    case RLK_TYPE_ANY:
        break;
    }
    return any_for(place, value, ret, err);
}

static bool
number(rowlock_value v)
{
    return v.type == ROWLOCK_INT || v.type == ROWLOCK_DOUBLE;
}

/* Exactly: 2^53 + 1 is not the double beside it. */
static bool
same_number(rowlock_value a, rowlock_value b)
{
    if (a.type == b.type)
        return a.type == ROWLOCK_INT ? a.u.i == b.u.i : a.u.d == b.u.d;
    int64_t i = a.type == ROWLOCK_INT ? a.u.i : b.u.i;
    double d = a.type == ROWLOCK_DOUBLE ? a.u.d : b.u.d;
    return d >= -0x1p63 && d < 0x1p63 && d == trunc(d) && (int64_t)d == i;
}

static bool
same_time(enum rlk_column_type type, rowlock_value a, rowlock_value b)
{
    int64_t at, bt;
    return rlk_time_read(type, a, &at) && rlk_time_read(type, b, &bt) &&
           at == bt;
}

static bool
same_uuid(rowlock_value a, rowlock_value b)
{
    char at[36], bt[36];
    return rlk_uuid_read(a, at) && rlk_uuid_read(b, bt) &&
           memcmp(at, bt, 36) == 0;
}

bool
rlk_value_equal_as(enum rlk_column_type type, rowlock_value a, rowlock_value b)
{
    if (rlk_value_same(a, b))
        return true;
    switch (type) {
    case RLK_TYPE_INTEGER:
    case RLK_TYPE_BOOLEAN:
    case RLK_TYPE_REAL:
    case RLK_TYPE_DECIMAL:
        return number(a) && number(b) && same_number(a, b);
    case RLK_TYPE_TIMESTAMP:
    case RLK_TYPE_DATE:
    case RLK_TYPE_TIME:
        return same_time(type, a, b);
    case RLK_TYPE_UUID:
        return same_uuid(a, b);
    case RLK_TYPE_JSON:
        return same_json(a, b);
    case RLK_TYPE_ANY:
    case RLK_TYPE_TEXT:
    case RLK_TYPE_BLOB:
        break;
    }
    return false;
}

bool
rlk_value_equal(const struct rlk_column *column, rowlock_value a,
                rowlock_value b)
{
    return rlk_value_equal_as(column->type, a, b);
}
