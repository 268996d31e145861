/* SPDX-License-Identifier: MIT
 * Locks on values of keys. A value is named as its column would compare it:
 * after affinity and collation, so that 'A' and 'a' under NOCASE, or 7 and '7'
 * in an INTEGER column, are one name. Too coarse a name only makes someone
 * wait; too fine a one would let two in.
 *
 * Invariant: every caller takes its keys in one order, whatever the order it
 * was given them in. */
#include "conn.h"

#include <stdlib.h>
#include <string.h>

struct key_name { /* of one match key, in the arena of its call */
    const char *columns;
    rowlock_value *values;
    size_t n_values;
};

static int
by_column(const void *a, const void *b)
{
    const struct rlk_set *left = a, *right = b;
    return (left->column > right->column) - (left->column < right->column);
}

/* Affinity makes a number of a text only when all of it is one; comparing it
 * with a NUMERIC operand applies just that affinity to it. */
static const char to_text[] = "SELECT CAST(?1 AS TEXT)";
static const char to_number[] =
    "SELECT CASE WHEN CAST(?1 AS NUMERIC) = ?1 THEN CAST(?1 AS NUMERIC) END";

/* Asks SQLite what the column would make of a text or number. */
static int
convert(struct rlk_sqlite *c, const char *sql, struct rlk_arena *arena,
        rowlock_value *v, rowlock_error *err)
{
    sqlite3_stmt *s;
    rlk_shape_start(c, RLK_OP_CAST, NULL);
    rlk_shape_add(c, sql == to_number);
    if (!(s = rlk_shape_find(c))) {
        rlk_sql(c, sql);
        RLK_TRY(rlk_shape_make(c, &s, err));
    }
    int rc = rlk_bind(c, s, 1, *v, err);
    if (!rc && sqlite3_step(s) != SQLITE_ROW)
        rc = rlk_sqlite_fail(c, "cannot convert a key", err);
    if (!rc && sqlite3_column_type(s, 0) != SQLITE_NULL &&
        !rlk_value_copy(arena, rlk_column(s, 0), v))
        rc = rlk_out_of_memory(err);
    sqlite3_reset(s);
    return rc;
}

static int
apply_affinity(struct rlk_sqlite *c, enum rlk_affinity affinity,
               struct rlk_arena *arena, rowlock_value *v, rowlock_error *err)
{
    bool number = v->type == ROWLOCK_INT || v->type == ROWLOCK_DOUBLE;
    if (affinity == RLK_AFFINITY_TEXT && number)
        return convert(c, to_text, arena, v, err);
    if (affinity >= RLK_AFFINITY_NUMERIC && v->type == ROWLOCK_TEXT)
        return convert(c, to_number, arena, v, err);
    return 0;
}

static int
fold_text(const char *collation, struct rlk_arena *arena, rowlock_value *v,
          rowlock_error *err)
{
    if (v->type != ROWLOCK_TEXT)
        return 0;
    if (strcmp(collation, "RTRIM") == 0) {
        while (v->u.s.len && v->u.s.ptr[v->u.s.len - 1] == ' ')
            v->u.s.len--;
    } else if (strcmp(collation, "NOCASE") == 0) {
        char *folded = rlk_arena_copy(arena, v->u.s.ptr, v->u.s.len);
        if (!folded)
            return rlk_out_of_memory(err);
        for (size_t i = 0; i < v->u.s.len; i++)
            if (folded[i] >= 'A' && folded[i] <= 'Z')
                folded[i] = (char)(folded[i] + ('a' - 'A'));
        v->u.s.ptr = folded;
    }
    return 0;
}

static bool
is_foldable(const char *collation)
{
    return strcmp(collation, "BINARY") == 0 ||
           strcmp(collation, "NOCASE") == 0 || strcmp(collation, "RTRIM") == 0;
}

static int
normalise(struct rlk_sqlite *c, const struct rlk_table *t, uint32_t column,
          struct rlk_arena *arena, rowlock_value *v, rowlock_error *err)
{
    const struct rlk_sqlite_table *known = rlk_sqlite_table_of(t);
    RLK_TRY(apply_affinity(c, known->columns[column].affinity, arena, v, err));
    rlk_fold_number(v); /* 7.0 and 7 compare equal */
    return fold_text(t->columns[column].collation, arena, v, err);
}

/* "a,b": in the order of the set. */
static int
name_columns(const struct rlk_table *t, const struct rlk_set *set, size_t n,
             struct rlk_arena *arena, const char **ret, rowlock_error *err)
{
    struct rlk_buf columns RLK_AUTOBUF = {0};
    *ret = t->columns[set[0].column].name;
    if (n == 1)
        return 0;
    for (size_t i = 0; i < n; i++) {
        rlk_buf_text(&columns, i ? "," : "");
        rlk_buf_text(&columns, t->columns[set[i].column].name);
    }
    *ret =
        columns.failed ? NULL : rlk_arena_copy(arena, columns.ptr, columns.len);
    return *ret ? 0 : rlk_out_of_memory(err);
}

/* *ret_any: false for a key with a NULL, which matches nothing. */
static int
name_key(struct rlk_sqlite *c, const struct rlk_table *t,
         const struct rlk_match *key, struct rlk_arena *arena,
         struct key_name *ret, bool *ret_any, rowlock_error *err)
{
    size_t n = key->n_columns;
    struct rlk_set *set = rlk_arena_alloc(arena, n, sizeof *set);
    ret->values = rlk_arena_alloc(arena, n, sizeof *ret->values);
    if (!set || !ret->values)
        return rlk_out_of_memory(err);
    memcpy(set, key->columns, n * sizeof *set);
    if (n > 1)
        qsort(set, n, sizeof *set, by_column);
    ret->n_values = n;
    for (size_t i = 0; i < n; i++) {
        const struct rlk_column *column = &t->columns[set[i].column];
        if (set[i].value.type == ROWLOCK_NULL)
            return 0;
        ret->values[i] = set[i].value;
        RLK_TRY(normalise(c, t, set[i].column, arena, &ret->values[i], err));
        if (!is_foldable(column->collation))
            ret->n_values = 0; /* one lock for all values */
    }
    *ret_any = true;
    return name_columns(t, set, n, arena, &ret->columns, err);
}

static int
compare_value(rowlock_value a, rowlock_value b)
{
    if (a.type != b.type)
        return a.type < b.type ? -1 : 1;
    if (a.type == ROWLOCK_INT)
        return (a.u.i > b.u.i) - (a.u.i < b.u.i);
    if (a.type == ROWLOCK_DOUBLE)
        return memcmp(&a.u.d, &b.u.d, sizeof a.u.d);
    size_t len = a.u.s.len < b.u.s.len ? a.u.s.len : b.u.s.len;
    int order = len ? memcmp(a.u.s.ptr, b.u.s.ptr, len) : 0;
    return order ? order : (a.u.s.len > b.u.s.len) - (a.u.s.len < b.u.s.len);
}

/* Every caller sorts alike: by columns, then by values. */
static int
canonical(const void *a, const void *b)
{
    const struct key_name *left = a, *right = b;
    int order = strcmp(left->columns, right->columns);
    for (size_t i = 0; !order && i < left->n_values && i < right->n_values; i++)
        order = compare_value(left->values[i], right->values[i]);
    return order;
}

static int
take_keys(struct rlk_sqlite *c, const struct rlk_table *t,
          const struct key_name *names, size_t n, int32_t wait_ms,
          rowlock_error *err)
{
    for (size_t i = 0; i < n; i++) {
        rowlock_name name = {ROWLOCK_KEY, t->name, names[i].columns,
                             names[i].values, names[i].n_values};
        int rc = rlk_sqlite_take(c, &name, ROWLOCK_UPDATE, wait_ms, err);
        if (rc == ROWLOCK_NOT_AVAILABLE && wait_ms == ROWLOCK_SKIP_LOCKED)
            return rlk_sqlite_not_available(err);
        RLK_TRY(rc);
    }
    return 0;
}

static int
name_and_take(struct rlk_sqlite *c, const struct rlk_table *t,
              const struct rlk_match *keys, size_t n_keys, int32_t wait_ms,
              struct rlk_arena *arena, rowlock_error *err)
{
    struct key_name *names = rlk_arena_alloc(arena, n_keys, sizeof *names);
    if (!names)
        return rlk_out_of_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < n_keys; i++) {
        bool any = false;
        RLK_TRY(name_key(c, t, &keys[i], arena, &names[n], &any, err));
        n += any;
    }
    qsort(names, n, sizeof *names, canonical);
    return take_keys(c, t, names, n, wait_ms, err);
}

int
rlk_sqlite_lock_keys(struct rlk_conn *conn, const struct rlk_table *t,
                     const struct rlk_match *keys, size_t n_keys,
                     int32_t wait_ms, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    RLK_TRY(rlk_sqlite_ready(c, err));
    rlk_arena_reset(&c->names);
    return name_and_take(c, t, keys, n_keys, wait_ms, &c->names, err);
}
