/* SPDX-License-Identifier: MIT
 * Values between SQLite and us. A view points into SQLite's memory and dies
 * with the next step; a copy lives in an arena. Hashes are of type and bytes,
 * so that equal hashes mean what rlk_value_same() means. */
#include "conn.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The caller's bytes outlive the step: nothing is copied. */
static int
bind(sqlite3_stmt *s, int n, rowlock_value v)
{
    const char *ptr = v.u.s.ptr ? v.u.s.ptr : "";
    switch (v.type) {
    case ROWLOCK_INT:
        return sqlite3_bind_int64(s, n, v.u.i);
    case ROWLOCK_DOUBLE:
        return sqlite3_bind_double(s, n, v.u.d);
    case ROWLOCK_TEXT:
        return sqlite3_bind_text64(s, n, ptr, v.u.s.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case ROWLOCK_BLOB:
        return sqlite3_bind_blob64(s, n, ptr, v.u.s.len, SQLITE_STATIC);
    case ROWLOCK_NULL:
        break;
    }
    return sqlite3_bind_null(s, n);
}

int
rlk_bind(struct rlk_sqlite *c, sqlite3_stmt *s, int n, rowlock_value v,
         rowlock_error *err)
{
    return bind(s, n, v) ? rlk_sqlite_fail(c, "cannot bind a value", err) : 0;
}

int
rlk_bind_all(struct rlk_sqlite *c, sqlite3_stmt *s, int *n,
             const rowlock_value *v, size_t count, rowlock_error *err)
{
    for (size_t i = 0; i < count; i++)
        RLK_TRY(rlk_bind(c, s, (*n)++, v[i], err));
    return 0;
}

static rowlock_value
bytes(rowlock_value (*make)(const void *, size_t), const void *ptr, int len)
{
    return make(ptr, ptr ? (size_t)len : 0);
}

static rowlock_value
text(const void *ptr, size_t len)
{
    return rowlock_text_n(ptr, len);
}

rowlock_value
rlk_column(sqlite3_stmt *s, int n)
{
    const void *ptr; /* asked for before its length: it may be converted */
    switch (sqlite3_column_type(s, n)) {
    case SQLITE_INTEGER:
        return rowlock_int(sqlite3_column_int64(s, n));
    case SQLITE_FLOAT:
        return rowlock_double(sqlite3_column_double(s, n));
    case SQLITE_TEXT:
        ptr = sqlite3_column_text(s, n);
        return bytes(text, ptr, sqlite3_column_bytes(s, n));
    case SQLITE_BLOB:
        ptr = sqlite3_column_blob(s, n);
        return bytes(rowlock_blob, ptr, sqlite3_column_bytes(s, n));
    default:
        return rowlock_null();
    }
}

rowlock_value
rlk_view(sqlite3_value *v)
{
    const void *ptr;
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        return rowlock_int(sqlite3_value_int64(v));
    case SQLITE_FLOAT:
        return rowlock_double(sqlite3_value_double(v));
    case SQLITE_TEXT:
        ptr = sqlite3_value_text(v);
        return bytes(text, ptr, sqlite3_value_bytes(v));
    case SQLITE_BLOB:
        ptr = sqlite3_value_blob(v);
        return bytes(rowlock_blob, ptr, sqlite3_value_bytes(v));
    default:
        return rowlock_null();
    }
}

int
rlk_row_add(struct rlk_sqlite *c, sqlite3_stmt *s, struct rlk_rows *rows,
            rowlock_error *err)
{
    return rlk_row_add_first(c, s, sqlite3_column_count(s), rows, err);
}

int
rlk_row_add_first(struct rlk_sqlite *c, sqlite3_stmt *s, int n,
                  struct rlk_rows *rows, rowlock_error *err)
{
    struct rlk_row *row = rlk_rows_add(rows, (size_t)n);
    if (!row)
        return rlk_out_of_memory(err);
    for (int i = 0; i < n; i++) {
        if (!rlk_rows_set(rows, &row->values[i], rlk_column(s, i)))
            return rlk_out_of_memory(err);
    }
    /* A conversion that ran out of memory left an empty text behind. */
    if (sqlite3_errcode(c->db) == SQLITE_NOMEM)
        return rlk_out_of_memory(err);
    return 0;
}

int
rlk_rows_copy(struct rlk_rows *rows, const rowlock_value *row, size_t n,
              rowlock_error *err)
{
    struct rlk_row *copy = rlk_rows_add(rows, n);
    bool ok = copy;
    for (size_t i = 0; ok && i < n; i++)
        ok = rlk_rows_set(rows, &copy->values[i], row[i]);
    return ok ? 0 : rlk_out_of_memory(err);
}

bool
rlk_stored_as_is(const struct rlk_table *t, uint32_t column, rowlock_value v)
{
    switch (rlk_sqlite_table_of(t)->columns[column].affinity) {
    case RLK_AFFINITY_NONE:
        return v.type != ROWLOCK_NULL;
    case RLK_AFFINITY_TEXT:
        return v.type == ROWLOCK_TEXT || v.type == ROWLOCK_BLOB;
    case RLK_AFFINITY_NUMERIC:
        return v.type == ROWLOCK_INT || v.type == ROWLOCK_BLOB;
    case RLK_AFFINITY_REAL:
        return v.type == ROWLOCK_DOUBLE || v.type == ROWLOCK_BLOB;
    }
    return false;
}

uint64_t
rlk_value_hash(uint64_t seed, rowlock_value v)
{
    seed += (uint64_t)v.type * 0x9E3779B97F4A7C15u;
    switch (v.type) {
    case ROWLOCK_INT:
        return XXH3_64bits_withSeed(&v.u.i, sizeof v.u.i, seed);
    case ROWLOCK_DOUBLE:
        return XXH3_64bits_withSeed(&v.u.d, sizeof v.u.d, seed);
    case ROWLOCK_TEXT:
    case ROWLOCK_BLOB:
        return XXH3_64bits_withSeed(v.u.s.ptr ? v.u.s.ptr : "", v.u.s.len,
                                    seed);
    case ROWLOCK_NULL:
        break;
    }
    return XXH3_64bits_withSeed("", 0, seed);
}

uint64_t
rlk_values_hash(uint64_t seed, const rowlock_value *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        seed = rlk_value_hash(seed, v[i]);
    return seed;
}

void
rlk_fold_number(rowlock_value *v)
{
    const double edge = 9223372036854775808.0; /* 2^63 */
    if (v->type == ROWLOCK_DOUBLE && v->u.d >= -edge && v->u.d < edge &&
        v->u.d == (double)(int64_t)v->u.d)
        *v = rowlock_int((int64_t)v->u.d);
}
