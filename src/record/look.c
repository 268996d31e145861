/* SPDX-License-Identifier: MIT
 * The lookups of update_or_create: all keys in one snapshot, the first hit in
 * their order wins.
 *
 * When the last lookup still holds: write_epoch() is what it was then, and not
 * 0. One write transaction of ours has been open all the time, so nobody else
 * has written anything. A lock that was granted without a wait meanwhile
 * changes nothing about this: its last holder either committed before our
 * transaction began, and we saw what it wrote, or wrote nothing; and a wait
 * gives the transaction up, which changes the epoch. */
#include <string.h>

#include "upsert.h"
#include "value.h"

static uint64_t
epoch(const struct rlk_call *s)
{
    return s->driver->write_epoch ? s->driver->write_epoch(s->db->conn) : 0;
}

bool
rlk_call_is_current(const struct rlk_call *s)
{
    return s->looked && s->looked_in && s->looked_in == epoch(s);
}

static int
look_at(struct rlk_call *s, size_t from, size_t n, rowlock_error *err)
{
    rlk_rows_done(&s->rows);
    return s->driver->lookup(s->db->conn, s->r.table, &s->r.live[from], n,
                             &s->rows, &s->found[from], err);
}

/* When the first key hits, no other is needed, and in a write transaction of
 * ours nothing changes between two lookups: then the keys are looked up one by
 * one. A miss outside of it asks for all keys in one snapshot, also when we
 * look again. */
static int
look_in_order(struct rlk_call *s, bool stable, rowlock_error *err)
{
    size_t n = s->r.n_live;
    if (!stable && s->first_missed)
        return look_at(s, 0, n, err);
    for (size_t i = 0; i < n; i++) {
        RLK_TRY(look_at(s, i, 1, err));
        if (s->found[i] >= 0)
            return 0;
        s->first_missed = true;
        if (!stable && n > 1)
            return look_at(s, 0, n, err);
    }
    return 0;
}

static void
print_key(const struct rlk_table *t, const struct rlk_row *row,
          char ret_text[RLK_SHOWN])
{
    rlk_value_show(row->values[t->primary_key[0]], ret_text);
}

static int
disagree(const struct rlk_call *s, const struct rlk_row *a,
         const struct rlk_row *b, rowlock_error *err)
{
    const struct rlk_table *t = s->r.table;
    char first[RLK_SHOWN], second[RLK_SHOWN];
    print_key(t, a, first);
    print_key(t, b, second);
    int code = rlk_fail(err, ROWLOCK_UNIQUE,
                        "match keys of %s hit different records", t->name);
    rlk_detail(err, "Their %s are %s and %s.",
               t->columns[t->primary_key[0]].name, first, second);
    return code;
}

static int
pick(struct rlk_call *s, rowlock_error *err)
{
    s->hit = NULL;
    for (size_t i = 0; i < s->r.n_live; i++) {
        if (s->found[i] < 0)
            continue;
        const struct rlk_row *row = &s->rows.rows[s->found[i]];
        if (s->hit && s->r.u->match_all && row != s->hit)
            return disagree(s, s->hit, row, err);
        if (!s->hit)
            s->hit = row;
    }
    return 0;
}

int
rlk_call_look(struct rlk_call *s, rowlock_error *err)
{
    rlk_rows_done(&s->rows);
    s->hit = NULL;
    s->looked = false;
    uint64_t now = epoch(s);
    for (size_t i = 0; i < s->r.n_live; i++)
        s->found[i] = -1;
    if (!s->r.u->match_all)
        RLK_TRY(look_in_order(s, now != 0, err));
    else if (s->r.n_live)
        RLK_TRY(s->driver->lookup(s->db->conn, s->r.table, s->r.live,
                                  s->r.n_live, &s->rows, s->found, err));
    s->looked = true;
    s->looked_in = now;
    return pick(s, err);
}

static bool
same_on(const struct rlk_row *a, const struct rlk_row *b,
        const uint32_t *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!rlk_value_same(a->values[columns[i]], b->values[columns[i]]))
            return false;
    return true;
}

static bool
same_values(const struct rlk_row *a, const struct rlk_row *b)
{
    for (size_t i = 0; i < a->n_values; i++)
        if (!rlk_value_same(a->values[i], b->values[i]))
            return false;
    return true;
}

int
rlk_call_look_again(struct rlk_call *s, enum rlk_sameness how, bool *ret_same,
                    rowlock_error *err)
{
    const struct rlk_table *t = s->r.table;
    const struct rlk_row *before = s->hit;
    struct rlk_rows old = s->rows;
    memset(&s->rows, 0, sizeof s->rows);
    int rc = rlk_call_look(s, err);
    *ret_same =
        !rc && (before && s->hit
                    ? same_on(before, s->hit, t->primary_key, t->n_primary_key)
                    : before == s->hit);
    if (*ret_same && before && how == RLK_SAME_VALUES)
        *ret_same = same_values(before, s->hit);
    rlk_rows_done(&old);
    return rc;
}
