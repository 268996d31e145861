/* SPDX-License-Identifier: MIT
 * Rows in one arena: the cells, the bytes that they point to and the array of
 * rows itself, so that a result is freed in one go. The array doubles inside
 * the arena; its capacity is the next power of two of n_rows, so it needs no
 * field. */
#include "driver.h"

#include <string.h>

enum { FIRST_ROWS = 4 };

void
rlk_rows_done(struct rlk_rows *rows)
{
    rlk_arena_done(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

void
rlk_rows_clear(struct rlk_rows *rows)
{
    rlk_arena_reset(&rows->arena);
    rows->rows = NULL;
    rows->n_rows = 0;
}

static bool
full(size_t n_rows)
{
    return n_rows == 0 || (n_rows >= FIRST_ROWS && !(n_rows & (n_rows - 1)));
}

static bool
grow(struct rlk_rows *rows)
{
    size_t n = rows->n_rows;
    struct rlk_row *more =
        rlk_arena_alloc(&rows->arena, n ? n * 2 : FIRST_ROWS, sizeof *more);
    if (!more)
        return false;
    if (n)
        memcpy(more, rows->rows, n * sizeof *more);
    rows->rows = more;
    return true;
}

struct rlk_row *
rlk_rows_add(struct rlk_rows *rows, size_t n_values)
{
    rowlock_value *values =
        rlk_arena_alloc(&rows->arena, n_values, sizeof *values);
    if (!values || (full(rows->n_rows) && !grow(rows)))
        return NULL;
    struct rlk_row *row = &rows->rows[rows->n_rows++];
    row->values = values;
    row->n_values = n_values;
    return row;
}

bool
rlk_value_copy(struct rlk_arena *arena, rowlock_value v, rowlock_value *ret)
{
    if (v.type == ROWLOCK_TEXT || v.type == ROWLOCK_BLOB) {
        v.u.s.ptr = rlk_arena_copy(arena, v.u.s.ptr, v.u.s.len);
        if (!v.u.s.ptr)
            return false;
    }
    *ret = v;
    return true;
}

bool
rlk_rows_set(struct rlk_rows *rows, rowlock_value *cell, rowlock_value value)
{
    return rlk_value_copy(&rows->arena, value, cell);
}

bool
rlk_value_same(rowlock_value a, rowlock_value b)
{
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case ROWLOCK_INT:
        return a.u.i == b.u.i;
    case ROWLOCK_DOUBLE:
        return memcmp(&a.u.d, &b.u.d, sizeof a.u.d) == 0 ||
               (a.u.d != a.u.d && b.u.d != b.u.d);
    case ROWLOCK_TEXT:
    case ROWLOCK_BLOB:
        return a.u.s.len == b.u.s.len &&
               (a.u.s.len == 0 || memcmp(a.u.s.ptr, b.u.s.ptr, a.u.s.len) == 0);
    case ROWLOCK_NULL:
        break;
    }
    return true;
}
