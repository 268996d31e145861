/* SPDX-License-Identifier: MIT
 * Locks on values of keys: advisory transaction locks, in the form of two
 * integers, of which the first is ours. The second is a hash: two keys of one
 * hash can only make someone wait.
 *
 * Invariant: every caller takes its keys in one order, that of their hashes. */
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASS "1380931404" /* "ROWL" */

static int
by_column(const void *a, const void *b)
{
    const struct rlk_set *left = a, *right = b;
    return (left->column > right->column) - (left->column < right->column);
}

static int
by_number(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

/* As the column compares it: char(n) knows no trailing spaces; of a column
 * that folds letters all values are one. */
static uint64_t
hash_value(uint64_t h, const struct rlk_pg_column *column, rowlock_value v,
           struct rlk_arena *arena, bool *ret_ok)
{
    if (column->folds)
        return h;
    const char *text = rlk_pg_text(arena, v);
    size_t len = text ? strlen(text) : 0;
    while (column->kind == RLK_PG_PADDED && len && text[len - 1] == ' ')
        len--;
    *ret_ok &= text != NULL;
    return rlk_pg_hash(h, text, len);
}

/* false: a key with a NULL, which matches nothing. */
static bool
hash_key(struct rlk_pg *c, const struct rlk_table *t,
         const struct rlk_match *key, int32_t *ret, bool *ret_ok)
{
    const struct rlk_pg_table *known = rlk_pg_table_of(t);
    size_t n = key->n_columns;
    struct rlk_set *set = rlk_arena_alloc(&c->scratch, n, sizeof *set);
    uint64_t h = known->oid;
    if (!set) {
        *ret_ok = false;
        return false;
    }
    memcpy(set, key->columns, n * sizeof *set);
    qsort(set, n, sizeof *set, by_column);
    for (size_t i = 0; i < n; i++) {
        const char *name = t->columns[set[i].column].name;
        if (set[i].value.type == ROWLOCK_NULL)
            return false;
        h = rlk_pg_hash(h, name, strlen(name));
        h = hash_value(h, &known->columns[set[i].column], set[i].value,
                       &c->scratch, ret_ok);
    }
    *ret = (int32_t)(uint32_t)(h ^ h >> 32);
    return true;
}

static int
add_hashes(struct rlk_pg *c, const int32_t *hashes, size_t n,
           rowlock_error *err)
{
    struct rlk_buf list RLK_AUTOBUF = {0};
    for (size_t i = 0; i < n; i++)
        rlk_buf_format(&list, "%s%d", i ? "," : "{", (int)hashes[i]);
    rlk_buf_text(&list, "}");
    const char *copy =
        list.failed ? NULL : rlk_arena_copy(&c->scratch, list.ptr, list.len);
    if (!copy)
        return rlk_out_of_memory(err);
    rlk_pg_sql_text(c, copy, list.len);
    return 0;
}

static int
take(struct rlk_pg *c, const int32_t *hashes, size_t n, bool may_wait,
     rowlock_error *err)
{
    PGresult *r;
    rlk_pg_sql(c, may_wait ? "SELECT pg_advisory_xact_lock(" CLASS ", h) "
                             "FROM unnest("
                           : "SELECT pg_try_advisory_xact_lock(" CLASS ", h) "
                             "FROM unnest(");
    RLK_TRY(add_hashes(c, hashes, n, err));
    rlk_pg_sql(c, "::int[]) AS h");
    RLK_TRY(rlk_pg_run(c, &r, err));
    bool all = true;
    for (int i = 0; !may_wait && i < c->pq->PQntuples(r); i++)
        all &= c->pq->PQgetvalue(r, i, 0)[0] == 't';
    rlk_pg_clear(c, r);
    return all ? 0 : rlk_pg_not_available(err);
}

int
rlk_pg_lock_keys(struct rlk_conn *conn, const struct rlk_table *t,
                 const struct rlk_match *keys, size_t n_keys, int32_t wait_ms,
                 rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    bool ok = true;
    size_t n = 0;
    RLK_TRY(rlk_pg_ready(c, err));
    RLK_TRY(rlk_pg_set_wait(c, wait_ms < 0 ? ROWLOCK_WAIT : wait_ms, err));
    rlk_pg_start(c);
    int32_t *hashes = rlk_arena_alloc(&c->scratch, n_keys, sizeof *hashes);
    for (size_t i = 0; hashes && i < n_keys; i++)
        n += hash_key(c, t, &keys[i], &hashes[n], &ok);
    if (!hashes || !ok)
        return rlk_out_of_memory(err);
    if (!n)
        return 0;
    qsort(hashes, n, sizeof *hashes, by_number);
    return take(c, hashes, n, wait_ms >= 0, err);
}
