/* SPDX-License-Identifier: MIT
 * Numbers by their column. Text goes into a numeric column only in the form
 * that the number itself prints as, so that '007' never becomes 7. No locale
 * is asked: a program that has set one reads and prints the same. */
#include "value.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- doubles and their text ---- */

static locale_t plain;
static pthread_once_t plain_once = PTHREAD_ONCE_INIT;

static void
make_plain(void)
{
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static double
read_double(const char *text)
{
    pthread_once(&plain_once, make_plain);
    return plain ? strtod_l(text, NULL, plain) : strtod(text, NULL);
}

enum { MOST_DIGITS = 17 };

struct digits { /* 0.d1d2d3... times ten to the power of point */
    char digit[MOST_DIGITS + 1];
    int n, point;
    bool negative;
};

/* d at n significant digits. Only digits are read from what printf gives,
 * since its point belongs to the locale. */
static void
round_to(double d, int n, struct digits *ret)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", n - 1, d);
    const char *p = text;
    ret->negative = *p == '-';
    ret->n = 0;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9' && ret->n < MOST_DIGITS)
            ret->digit[ret->n++] = *p;
    ret->point = *p ? atoi(p + 1) + 1 : 1;
    while (ret->n > 1 && ret->digit[ret->n - 1] == '0')
        ret->n--;
    ret->digit[ret->n] = 0;
}

static double
value_of(const struct digits *s)
{
    char text[64];
    snprintf(text, sizeof text, "%s0%se%d", s->negative ? "-" : "", s->digit,
             s->point - s->n);
    return read_double(text);
}

/* Fifteen digits survive the way through a double, so a shorter text that
 * reads back as d is found at 15, with zeros behind it; below DBL_MIN a double
 * has fewer. */
static void
shortest(double d, struct digits *ret)
{
    for (int n = fabs(d) < DBL_MIN ? 1 : 15; n <= MOST_DIGITS; n++) {
        round_to(d, n, ret);
        if (value_of(ret) == d)
            return;
    }
}

void
rlk_double_print(double d, char ret_text[RLK_NUMBER_TEXT])
{
    struct digits s;
    shortest(d, &s);
    const char *sign = s.negative ? "-" : "";
    int exponent = s.point - 1;
    if (d == 0)
        snprintf(ret_text, RLK_NUMBER_TEXT, "%s0", sign);
    else if (exponent < -4 || exponent >= 15)
        snprintf(ret_text, RLK_NUMBER_TEXT, "%s%c%s%se%+03d", sign, s.digit[0],
                 s.n > 1 ? "." : "", s.digit + 1, exponent);
    else if (s.point <= 0)
        snprintf(ret_text, RLK_NUMBER_TEXT, "%s0.%.*s%s", sign, -s.point,
                 "0000", s.digit);
    else if (s.n <= s.point)
        snprintf(ret_text, RLK_NUMBER_TEXT, "%s%s%.*s", sign, s.digit,
                 s.point - s.n, "000000000000000");
    else
        snprintf(ret_text, RLK_NUMBER_TEXT, "%s%.*s.%s", sign, s.point, s.digit,
                 s.digit + s.point);
}

rowlock_value
rlk_number_print(rowlock_value value, char ret_text[RLK_NUMBER_TEXT])
{
    if (value.type == ROWLOCK_INT)
        snprintf(ret_text, RLK_NUMBER_TEXT, "%lld", (long long)value.u.i);
    else if (value.type == ROWLOCK_DOUBLE && isfinite(value.u.d))
        rlk_double_print(value.u.d, ret_text);
    else
        return value;
    return rowlock_text(ret_text);
}

/* ---- integers ---- */

static const char not_canonical[] = "no whole number in canonical form";

enum reading { READ, NOT_CANONICAL, OUT_OF_RANGE };

static enum reading
read_integer(const char *text, size_t len, int64_t *ret)
{
    bool negative = len > 0 && text[0] == '-';
    size_t i = negative;
    if (i == len || (text[i] == '0' && (len - i > 1 || negative)))
        return NOT_CANONICAL;
    int64_t n = 0;
    bool over = false;
    for (; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return NOT_CANONICAL;
        int64_t digit = negative ? '0' - text[i] : text[i] - '0';
        over = over || __builtin_mul_overflow(n, 10, &n) ||
               __builtin_add_overflow(n, digit, &n);
    }
    *ret = n;
    return over ? OUT_OF_RANGE : READ;
}

static enum reading
whole(rowlock_value value, int64_t *ret)
{
    if (value.type == ROWLOCK_TEXT)
        return read_integer(value.u.s.ptr, value.u.s.len, ret);
    if (value.type == ROWLOCK_BLOB)
        return NOT_CANONICAL;
    if (value.type == ROWLOCK_INT) {
        *ret = value.u.i;
        return READ;
    }
    double d = value.u.d;
    if (!(d >= -0x1p63 && d < 0x1p63))
        return OUT_OF_RANGE;
    if (d != trunc(d))
        return NOT_CANONICAL;
    *ret = (int64_t)d;
    return READ;
}

int
rlk_value_integer(struct rlk_place place, rowlock_value value,
                  rowlock_value *ret, rowlock_error *err)
{
    int64_t n = 0;
    enum reading reading = whole(value, &n);
    if (reading == NOT_CANONICAL)
        return rlk_value_refuse(place, value, "22P02", not_canonical, err);
    uint32_t bits = place.column->integer_bits;
    if (bits >= 1 && bits < 64) {
        int64_t limit = (int64_t)1 << (bits - 1);
        if (n < -limit || n >= limit)
            reading = OUT_OF_RANGE;
    }
    if (reading == OUT_OF_RANGE)
        return rlk_value_refuse(place, value, "22003", "out of range", err);
    *ret = rowlock_int(n);
    return 0;
}

static bool
is_text(rowlock_value value, const char *text)
{
    return value.type == ROWLOCK_TEXT && value.u.s.len == strlen(text) &&
           memcmp(value.u.s.ptr, text, value.u.s.len) == 0;
}

int
rlk_value_boolean(struct rlk_place place, rowlock_value value,
                  rowlock_value *ret, rowlock_error *err)
{
    int64_t n = -1;
    if (is_text(value, "true"))
        n = 1;
    else if (is_text(value, "false"))
        n = 0;
    else if (whole(value, &n) != READ)
        n = -1;
    if (n != 0 && n != 1)
        return rlk_value_refuse(place, value, "22P02",
                                "neither true (1) nor false (0)", err);
    *ret = rowlock_int(n);
    return 0;
}

/* ---- REAL ---- */

/* As a double prints, or the same with ".0" behind it. */
static bool
read_real(rowlock_value value, double *ret)
{
    char text[RLK_NUMBER_TEXT + 2], canonical[RLK_NUMBER_TEXT];
    size_t len = value.u.s.len;
    if (len == 0 || len >= sizeof text || memchr(value.u.s.ptr, 0, len))
        return false;
    memcpy(text, value.u.s.ptr, len);
    text[len] = 0;
    double d = read_double(text);
    if (!isfinite(d))
        return false;
    rlk_double_print(d, canonical);
    size_t same = strlen(canonical);
    if (strncmp(text, canonical, same) != 0)
        return false;
    *ret = d;
    return len == same ||
           (strcmp(text + same, ".0") == 0 && !strpbrk(canonical, ".e"));
}

/* SQLite makes a number of it, since a column declared as JSON likes numbers;
 * so it must be written as that number prints. */
bool
rlk_json_number_is_exact(rowlock_value text)
{
    const char *at = text.u.s.ptr, *end = at + text.u.s.len;
    int64_t i;
    double d;
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    while (at < end && strchr(" \t\r\n", end[-1]))
        end--;
    if (at == end || (*at != '-' && (*at < '0' || *at > '9')))
        return true;
    size_t len = (size_t)(end - at);
    if (read_integer(at, len, &i) == READ)
        return true;
    bool plain_zero = len > 2 && end[-1] == '0' && end[-2] == '.';
    return !plain_zero && read_real(rowlock_text_n(at, len), &d);
}

int
rlk_value_real(struct rlk_place place, rowlock_value value, rowlock_value *ret,
               rowlock_error *err)
{
    double d = value.type == ROWLOCK_INT ? (double)value.u.i : value.u.d;
    if (value.type == ROWLOCK_BLOB ||
        (value.type == ROWLOCK_TEXT && !read_real(value, &d)))
        return rlk_value_refuse(place, value, "22P02",
                                "no number in canonical form", err);
    if (value.type == ROWLOCK_INT && (d >= 0x1p63 || (int64_t)d != value.u.i))
        return rlk_value_refuse(place, value, "22003",
                                "no double is exactly this number", err);
    if (isnan(d))
        return rlk_value_refuse(place, value, "22003", "not a number", err);
    *ret = rowlock_double(d);
    return 0;
}

/* ---- DECIMAL ---- */

struct decimal { /* a plain decimal number, within the text it was read from */
    const char *text;
    size_t len;
    size_t n_whole;       /* digits before the point; 0 for 0.x */
    size_t n_fraction;    /* digits behind it, without zeros at the end */
    size_t n_significant; /* without zeros at the start */
};

static size_t
count_digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)? and no -0 */
static bool
read_decimal(const char *text, size_t len, struct decimal *ret)
{
    size_t i = len > 0 && text[0] == '-';
    size_t n_whole = count_digits(text + i, len - i);
    if (n_whole == 0 || (n_whole > 1 && text[i] == '0'))
        return false;
    const char *fraction = text + i + n_whole + 1;
    size_t n_fraction = 0;
    if (i + n_whole < len) {
        n_fraction = len - i - n_whole - 1;
        if (fraction[-1] != '.' || n_fraction == 0 ||
            count_digits(fraction, n_fraction) != n_fraction)
            return false;
    }
    while (n_fraction > 0 && fraction[n_fraction - 1] == '0')
        n_fraction--;
    size_t zeros = 0;
    if (text[i] == '0') {
        n_whole = 0;
        while (zeros < n_fraction && fraction[zeros] == '0')
            zeros++;
    }
    *ret = (struct decimal){text, len, n_whole, n_fraction,
                            n_whole + n_fraction - zeros};
    return ret->n_significant > 0 || i == 0;
}

/* A number's text without an exponent, as a decimal column sees it. */
static bool
plain_text(rowlock_value value, char *ret_text, size_t size)
{
    if (value.type == ROWLOCK_INT) {
        snprintf(ret_text, size, "%lld", (long long)value.u.i);
        return true;
    }
    struct digits s;
    double d = value.u.d;
    if (!isfinite(d) || fabs(d) >= 0x1p63 || (d != 0 && fabs(d) < 1e-15))
        return false;
    shortest(d, &s);
    int places = s.n > s.point ? s.n - s.point : 0;
    char zeros[64];
    memset(zeros, '0', sizeof zeros);
    if (d == 0)
        snprintf(ret_text, size, "0");
    else if (s.point <= 0)
        snprintf(ret_text, size, "%s0.%.*s%s", s.negative ? "-" : "", -s.point,
                 zeros, s.digit);
    else
        snprintf(ret_text, size, "%s%.*s%.*s%s%s", s.negative ? "-" : "",
                 s.point < s.n ? s.point : s.n, s.digit,
                 s.point > s.n ? s.point - s.n : 0, zeros, places ? "." : "",
                 places ? s.digit + s.point : "");
    return true;
}

/* Fifteen significant digits survive in a double whoever reads it back, and
 * whole numbers of 64 bits do as integers. */
static bool
store_decimal(const struct decimal *n, rowlock_value *ret)
{
    int64_t whole_number;
    if (n->n_fraction == 0) {
        size_t len = (n->text[0] == '-') + (n->n_whole ? n->n_whole : 1);
        if (read_integer(n->text, len, &whole_number) != READ)
            return false;
        *ret = rowlock_int(whole_number);
        return true;
    }
    char text[64];
    if (n->n_significant > 15 || n->len >= sizeof text)
        return false;
    memcpy(text, n->text, n->len);
    text[n->len] = 0;
    *ret = rowlock_double(read_double(text));
    return true;
}

static int
fit_decimal(struct rlk_place place, rowlock_value value,
            const struct decimal *n, rowlock_value *ret, rowlock_error *err)
{
    const struct rlk_column *c = place.column;
    if (c->precision && n->n_fraction > c->scale)
        return rlk_value_refuse(place, value, "22003",
                                "more decimal places than declared", err);
    if (c->precision && c->precision >= c->scale &&
        n->n_whole > c->precision - c->scale)
        return rlk_value_refuse(place, value, "22003",
                                "more digits than declared", err);
    if (!store_decimal(n, ret))
        return rlk_value_refuse(place, value, "22003",
                                "more digits than can be stored exactly", err);
    return 0;
}

int
rlk_value_decimal(struct rlk_place place, rowlock_value value,
                  rowlock_value *ret, rowlock_error *err)
{
    char text[64];
    struct decimal n;
    if (value.type == ROWLOCK_BLOB)
        return rlk_value_refuse(place, value, "22P02", "a blob is no number",
                                err);
    if (value.type == ROWLOCK_TEXT) {
        if (!read_decimal(value.u.s.ptr, value.u.s.len, &n))
            return rlk_value_refuse(place, value, "22P02",
                                    "no decimal number in canonical form", err);
        return fit_decimal(place, value, &n, ret, err);
    }
    if (!plain_text(value, text, sizeof text) ||
        !read_decimal(text, strlen(text), &n))
        return rlk_value_refuse(place, value, "22003", "out of range", err);
    return fit_decimal(place, value, &n, ret, err);
}
