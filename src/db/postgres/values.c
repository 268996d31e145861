/* SPDX-License-Identifier: MIT
 * Values between PostgreSQL's text form and ours. What comes out is in the
 * stored form of docs/values.md, so that a record reads the same from every
 * engine: times with six digits or none, numbers as numbers, char(n) without
 * its padding. The session's settings (connection.c) make the server's form
 * known: UTC, ISO dates, hex bytes, shortest doubles. */
#include "conn.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
rlk_pg_hash(uint64_t seed, const void *bytes, size_t len)
{
    return XXH3_64bits_withSeed(len ? bytes : "", len, seed);
}

/* ---- to the server ---- */

static const char *
print_double(struct rlk_arena *arena, double d)
{
    char text[40];
    if (isnan(d))
        return "NaN";
    if (isinf(d))
        return d > 0 ? "Infinity" : "-Infinity";
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    return rlk_arena_copy(arena, text, strlen(text));
}

static const char *
print_bytes(struct rlk_arena *arena, const char *bytes, size_t len)
{
    char *text = rlk_arena_alloc(arena, len + 2, 2);
    if (!text)
        return NULL;
    memcpy(text, "\\x", 2);
    for (size_t i = 0; i < len; i++) {
        text[2 + 2 * i] = "0123456789abcdef"[(unsigned char)bytes[i] >> 4];
        text[3 + 2 * i] = "0123456789abcdef"[bytes[i] & 15];
    }
    return text;
}

const char *
rlk_pg_text(struct rlk_arena *arena, rowlock_value v)
{
    char text[24];
    switch (v.type) {
    case ROWLOCK_INT:
        return rlk_arena_copy(
            arena, text,
            (size_t)snprintf(text, sizeof text, "%" PRId64, v.u.i));
    case ROWLOCK_DOUBLE:
        return print_double(arena, v.u.d);
    case ROWLOCK_BLOB:
        return print_bytes(arena, v.u.s.ptr, v.u.s.len);
    default:
        return rlk_arena_copy(arena, v.u.s.ptr ? v.u.s.ptr : "", v.u.s.len);
    }
}

/* ---- what a column would change silently, or cannot take ---- */

static int
refuse(const struct rlk_table *t, uint32_t column, const char *sqlstate,
       const char *why, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_BAD_VALUE, "%s.%s cannot hold the value: %s", t->name,
             t->columns[column].name, why);
    rlk_sqlstate(err, sqlstate);
    return ROWLOCK_BAD_VALUE;
}

/* Digits of a second behind the last that the column keeps. */
static bool
too_fine(rowlock_value v, uint32_t digits)
{
    const char *dot = memchr(v.u.s.ptr ? v.u.s.ptr : "", '.', v.u.s.len);
    if (v.type != ROWLOCK_TEXT || !dot)
        return false;
    const char *end = v.u.s.ptr + v.u.s.len;
    for (const char *p = dot + 1 + digits; p < end; p++)
        if (*p >= '1' && *p <= '9')
            return true;
    return false;
}

int
rlk_pg_check(const struct rlk_table *t, uint32_t column, rowlock_value v,
             rowlock_error *err)
{
    const struct rlk_pg_column *c = &rlk_pg_table_of(t)->columns[column];
    if (v.type == ROWLOCK_NULL)
        return 0;
    if (c->kind == RLK_PG_OTHER) {
        rlk_fail(err, ROWLOCK_UNSUPPORTED, "%s.%s is of type %s", t->name,
                 t->columns[column].name, t->columns[column].declared);
        rlk_hint(err, "Such columns are read as text but not written: leave "
                      "it out, or give the table a column of another type.");
        return ROWLOCK_UNSUPPORTED;
    }
    if (c->kind == RLK_PG_FLOAT4 && v.type == ROWLOCK_DOUBLE &&
        (double)(float)v.u.d != v.u.d)
        return refuse(t, column, "22003", "a real has no such digits", err);
    if ((c->kind == RLK_PG_TIMESTAMP || c->kind == RLK_PG_TIME) &&
        c->digits < 6 && too_fine(v, c->digits))
        return refuse(t, column, "22008", "finer than the column keeps", err);
    return 0;
}

/* ---- from the server ---- */

static bool
copy_text(struct rlk_arena *arena, const char *text, size_t len,
          rowlock_value *ret)
{
    char *copy = rlk_arena_copy(arena, text, len);
    *ret = rowlock_text_n(copy, len);
    return copy;
}

static int
hex(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* "\x0af1" */
static bool
read_bytes(struct rlk_arena *arena, const char *text, size_t len,
           rowlock_value *ret)
{
    size_t n = len >= 2 ? len / 2 - 1 : 0;
    char *bytes = rlk_arena_alloc(arena, n + 1, 1);
    if (!bytes)
        return false;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(hex(text[2 + 2 * i]) << 4 | hex(text[3 + 2 * i]));
    *ret = rowlock_blob(bytes, n);
    return true;
}

/* "12:30:00.5+00" -> "12:30:00.500000", with the date before it, if any. What
 * is no time of ours (infinity, BC) stays as it is. */
static bool
read_time(struct rlk_arena *arena, const char *text, size_t len,
          rowlock_value *ret)
{
    if (len >= 3 && strcmp(text + len - 3, "+00") == 0)
        len -= 3;
    const char *dot = memchr(text, '.', len);
    size_t digits = dot ? len - (size_t)(dot - text) - 1 : 0;
    if (!dot || digits >= 6)
        return copy_text(arena, text, len, ret);
    char *copy = rlk_arena_alloc(arena, len + 7, 1);
    if (!copy)
        return false;
    memcpy(copy, text, len);
    memset(copy + len, '0', 6 - digits);
    *ret = rowlock_text_n(copy, len + 6 - digits);
    return true;
}

/* As docs/values.md stores a DECIMAL: an integer when it is whole, else a
 * double of at most 15 digits. More than that stays the text that it is. */
static bool
read_numeric(struct rlk_arena *arena, const char *text, size_t len,
             rowlock_value *ret)
{
    char *end;
    size_t whole = strcspn(text, ".");
    size_t digits = len - (whole < len) - (text[0] == '-');
    if (strspn(text, "-0123456789.") != len) /* NaN, Infinity */
        return copy_text(arena, text, len, ret);
    if (whole == len || strspn(text + whole + 1, "0") == len - whole - 1) {
        errno = 0;
        long long i = strtoll(text, &end, 10);
        if (errno)
            return copy_text(arena, text, len, ret);
        *ret = rowlock_int(i);
        return true;
    }
    for (; digits > 15 && text[len - 1] == '0'; digits--)
        len--;
    for (const char *p = text + (text[0] == '-'); digits > 15; p++) {
        if (*p != '0' && *p != '.')
            return copy_text(arena, text, len, ret);
        digits -= *p == '0';
    }
    *ret = rowlock_double(strtod(text, NULL));
    return true;
}

bool
rlk_pg_value(struct rlk_arena *arena, enum rlk_pg_kind kind, const char *text,
             size_t len, rowlock_value *ret)
{
    switch (kind) {
    case RLK_PG_BOOL:
        *ret = rowlock_int(text[0] == 't');
        return true;
    case RLK_PG_INT:
        *ret = rowlock_int(strtoll(text, NULL, 10));
        return true;
    case RLK_PG_FLOAT4:
        *ret = rowlock_double((double)strtof(text, NULL));
        return true;
    case RLK_PG_FLOAT8:
        *ret = rowlock_double(strtod(text, NULL));
        return true;
    case RLK_PG_NUMERIC:
        return read_numeric(arena, text, len, ret);
    case RLK_PG_BYTES:
        return read_bytes(arena, text, len, ret);
    case RLK_PG_TIMESTAMP:
    case RLK_PG_TIME:
        return read_time(arena, text, len, ret);
    case RLK_PG_PADDED:
        while (len && text[len - 1] == ' ')
            len--;
        break;
    default:
        break;
    }
    return copy_text(arena, text, len, ret);
}

int
rlk_pg_row_add(const struct rlk_table *t, const struct rlk_pg *c,
               const PGresult *r, int row, struct rlk_rows *ret,
               rowlock_error *err)
{
    const struct rlk_pg_table *known = rlk_pg_table_of(t);
    struct rlk_row *added = rlk_rows_add(ret, t->n_columns);
    bool ok = added;
    for (int i = 0; ok && i < (int)t->n_columns; i++)
        if (!c->pq->PQgetisnull(r, row, i))
            ok = rlk_pg_value(&ret->arena, known->columns[i].kind,
                              c->pq->PQgetvalue(r, row, i),
                              (size_t)c->pq->PQgetlength(r, row, i),
                              &added->values[i]);
    return ok ? 0 : rlk_out_of_memory(err);
}
