/* SPDX-License-Identifier: MIT
 * Timestamps, dates and times: ISO 8601 in, one stored form out. A timestamp
 * is an instant: with an offset it is moved to UTC, without one it is UTC. The
 * stored form is Django's: 'YYYY-MM-DD HH:MM:SS[.ffffff]'. Days are counted in
 * the proleptic Gregorian calendar. */
#include "value.h"

#include <stdio.h>
#include <string.h>

#define SECOND 1000000LL
#define DAY    (86400 * SECOND)

struct reader { /* what is left to read; past the end it gives NULs */
    const char *at;
    size_t left;
};

enum outcome { GOOD, BAD_FORM, BAD_FIELD };

static char
peek(const struct reader *r)
{
    return r->left ? *r->at : 0;
}

static bool
accept(struct reader *r, const char *any)
{
    char c = peek(r);
    if (!c || !strchr(any, c))
        return false;
    r->at++;
    r->left--;
    return true;
}

/* Exactly n digits. */
static bool
read_digits(struct reader *r, int n, int *ret)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        char c = peek(r);
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
        r->at++;
        r->left--;
    }
    *ret = value;
    return true;
}

static bool
leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
month_length(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
    return month == 2 && leap(year) ? 29 : lengths[month - 1];
}

/* Days from 0001-01-01. */
static int64_t
day_number(int year, int month, int day)
{
    int64_t y = year - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400;
    for (int m = 1; m < month; m++)
        days += month_length(year, m);
    return days + day - 1;
}

static enum outcome
read_date(struct reader *r, int64_t *ret_us)
{
    int year, month, day;
    if (!read_digits(r, 4, &year) || !accept(r, "-") ||
        !read_digits(r, 2, &month) || !accept(r, "-") ||
        !read_digits(r, 2, &day))
        return BAD_FORM;
    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > month_length(year, month))
        return BAD_FIELD;
    *ret_us = day_number(year, month, day) * DAY;
    return GOOD;
}

/* Microseconds; more digits only when they are zeros. */
static enum outcome
read_fraction(struct reader *r, int64_t *ret_us)
{
    int64_t us = 0, unit = SECOND / 10;
    if (peek(r) < '0' || peek(r) > '9')
        return BAD_FORM;
    int digit;
    while (read_digits(r, 1, &digit)) {
        if (unit == 0 && digit != 0)
            return BAD_FIELD;
        us += digit * unit;
        unit /= 10;
    }
    *ret_us = us;
    return GOOD;
}

/* HH:MM[:SS[.ffffff]] */
static enum outcome
read_time(struct reader *r, int64_t *ret_us)
{
    int hour, minute, second = 0;
    int64_t us = 0;
    if (!read_digits(r, 2, &hour) || !accept(r, ":") ||
        !read_digits(r, 2, &minute))
        return BAD_FORM;
    if (accept(r, ":")) {
        if (!read_digits(r, 2, &second))
            return BAD_FORM;
        enum outcome outcome = accept(r, ".,") ? read_fraction(r, &us) : GOOD;
        if (outcome)
            return outcome;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return BAD_FIELD;
    *ret_us = (hour * 3600LL + minute * 60LL + second) * SECOND + us;
    return GOOD;
}

/* Z, or +HH, +HHMM, +HH:MM, or nothing. */
static enum outcome
read_offset(struct reader *r, int64_t *ret_us)
{
    int hour, minute = 0;
    *ret_us = 0;
    if (r->left == 0 || accept(r, "Zz"))
        return GOOD;
    char sign = peek(r);
    if (!accept(r, "+-") || !read_digits(r, 2, &hour))
        return BAD_FORM;
    if (r->left && ((void)accept(r, ":"), !read_digits(r, 2, &minute)))
        return BAD_FORM;
    if (hour > 23 || minute > 59)
        return BAD_FIELD;
    *ret_us = (hour * 60LL + minute) * 60 * SECOND * (sign == '-' ? -1 : 1);
    return GOOD;
}

static enum outcome
read_timestamp(struct reader *r, int64_t *ret_us)
{
    int64_t date, time, offset;
    enum outcome outcome = read_date(r, &date);
    if (outcome)
        return outcome;
    if (!accept(r, "Tt "))
        return BAD_FORM;
    outcome = read_time(r, &time);
    if (outcome)
        return outcome;
    outcome = read_offset(r, &offset);
    *ret_us = date + time - offset;
    if (!outcome && (*ret_us < 0 || *ret_us >= day_number(10000, 1, 1) * DAY))
        return BAD_FIELD;
    return outcome;
}

static enum outcome
read_as(enum rlk_column_type type, rowlock_value value, int64_t *ret_us)
{
    if (value.type != ROWLOCK_TEXT)
        return BAD_FORM;
    struct reader r = {value.u.s.ptr, value.u.s.len};
    enum outcome outcome;
    if (type == RLK_TYPE_DATE)
        outcome = read_date(&r, ret_us);
    else if (type == RLK_TYPE_TIME)
        outcome = read_time(&r, ret_us);
    else
        outcome = read_timestamp(&r, ret_us);
    return outcome == GOOD && r.left ? BAD_FORM : outcome;
}

bool
rlk_time_read(enum rlk_column_type type, rowlock_value value, int64_t *ret_us)
{
    return read_as(type, value, ret_us) == GOOD;
}

static int
print_date(int64_t days, char *ret_text, size_t size)
{
    int year = (int)(days / 366) + 1; /* never too late, soon exact */
    while (day_number(year + 1, 1, 1) <= days)
        year++;
    int64_t left = days - day_number(year, 1, 1);
    int month = 1;
    while (left >= month_length(year, month))
        left -= month_length(year, month++);
    return snprintf(ret_text, size, "%04d-%02d-%02d", year, month,
                    (int)left + 1);
}

static int
print_time(int64_t us, char *ret_text, size_t size)
{
    int64_t s = us / SECOND;
    int n = snprintf(ret_text, size, "%02d:%02d:%02d", (int)(s / 3600),
                     (int)(s / 60 % 60), (int)(s % 60));
    if (us % SECOND)
        n += snprintf(ret_text + n, size - (size_t)n, ".%06d",
                      (int)(us % SECOND));
    return n;
}

static int
print_as(enum rlk_column_type type, int64_t us, char *text, size_t size)
{
    if (type == RLK_TYPE_DATE)
        return print_date(us / DAY, text, size);
    if (type == RLK_TYPE_TIME)
        return print_time(us, text, size);
    int n = print_date(us / DAY, text, size);
    text[n++] = ' ';
    return n + print_time(us % DAY, text + n, size - (size_t)n);
}

static const char *
wanted_form(enum rlk_column_type type)
{
    if (type == RLK_TYPE_DATE)
        return "no date; write YYYY-MM-DD";
    if (type == RLK_TYPE_TIME)
        return "no time of day; write HH:MM:SS";
    return "no ISO 8601 timestamp; write YYYY-MM-DDTHH:MM:SSZ";
}

int
rlk_value_time(struct rlk_place place, rowlock_value value,
               struct rlk_arena *arena, rowlock_value *ret, rowlock_error *err)
{
    enum rlk_column_type type = place.column->type;
    int64_t us = 0;
    enum outcome outcome = read_as(type, value, &us);
    if (outcome == BAD_FORM)
        return rlk_value_refuse(place, value, "22007", wanted_form(type), err);
    if (outcome == BAD_FIELD)
        return rlk_value_refuse(place, value, "22008",
                                "no such moment, or finer than a microsecond",
                                err);
    char text[48];
    int len = print_as(type, us, text, sizeof text);
    char *copy = rlk_arena_copy(arena, text, (size_t)len);
    if (!copy)
        return rlk_out_of_memory(err);
    *ret = rowlock_text_n(copy, (size_t)len);
    return 0;
}
