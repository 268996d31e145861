/* SPDX-License-Identifier: MIT
 * Which records this block holds, by the hash of table and key. The server
 * has the locks; this only answers driver.h's held() without asking it. Two
 * records of one hash would let a save through that has no lock, whose UPDATE
 * then takes it: so nothing rests on it. */
#include "conn.h"

#include <string.h>

enum { FIRST = 64 };

static uint64_t
name_of(const struct rlk_table *t, const rowlock_value *pk)
{
    uint64_t h = rlk_pg_table_of(t)->oid;
    for (size_t i = 0; i < t->n_primary_key; i++) {
        rowlock_value v = pk[i];
        if (v.type == ROWLOCK_TEXT || v.type == ROWLOCK_BLOB)
            h = rlk_pg_hash(h + v.type, v.u.s.ptr, v.u.s.len);
        else if (v.type != ROWLOCK_NULL)
            h = rlk_pg_hash(h + v.type, &v.u.i, sizeof v.u.i);
    }
    return h ? h : 1;
}

static struct rlk_pg_held *
find(const struct rlk_pg_locks *l, uint64_t name)
{
    size_t i = name & (l->n_slots - 1);
    while (l->slots[i].name && l->slots[i].name != name)
        i = (i + 1) & (l->n_slots - 1);
    return &l->slots[i];
}

static bool
grow_slots(struct rlk_pg_locks *l)
{
    struct rlk_pg_locks bigger = *l;
    bigger.n_slots = l->n_slots ? l->n_slots * 2 : FIRST;
    bigger.slots = rlk_calloc(bigger.n_slots, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < l->n_slots; i++)
        if (l->slots[i].name)
            *find(&bigger, l->slots[i].name) = l->slots[i];
    rlk_free(l->slots);
    *l = bigger;
    return true;
}

static bool
grow_log(struct rlk_pg_locks *l)
{
    size_t cap = l->cap_log ? l->cap_log * 2 : FIRST;
    struct rlk_pg_held *log = rlk_reallocarray(l->log, cap, sizeof *log);
    if (!log)
        return false;
    l->log = log;
    l->cap_log = cap;
    return true;
}

bool
rlk_pg_hold(struct rlk_pg *c, const struct rlk_table *t,
            const rowlock_value *pk, enum rowlock_mode mode)
{
    struct rlk_pg_locks *l = &c->held;
    if (l->n_used * 4 >= l->n_slots * 3 && !grow_slots(l))
        return false;
    if (l->n_log == l->cap_log && !grow_log(l))
        return false;
    struct rlk_pg_held *held = find(l, name_of(t, pk));
    if (held->mode >= mode)
        return true;
    if (!held->name) {
        held->name = name_of(t, pk);
        l->n_used++;
    }
    l->log[l->n_log++] = *held;
    held->mode = mode;
    return true;
}

bool
rlk_pg_hold_row(struct rlk_pg *c, const struct rlk_table *t,
                const struct rlk_row *row, enum rowlock_mode mode)
{
    rowlock_value *pk =
        rlk_arena_alloc(&c->scratch, t->n_primary_key, sizeof *pk);
    if (!pk)
        return false;
    for (size_t i = 0; i < t->n_primary_key; i++)
        pk[i] = row->values[t->primary_key[i]];
    return rlk_pg_hold(c, t, pk, mode);
}

enum rowlock_mode
rlk_pg_held(struct rlk_conn *conn, const struct rlk_table *t,
            const rowlock_value *pk)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    return c->held.n_used ? find(&c->held, name_of(t, pk))->mode : ROWLOCK_READ;
}

void
rlk_pg_held_back_to(struct rlk_pg_locks *l, size_t mark)
{
    while (l->n_log > mark) {
        struct rlk_pg_held old = l->log[--l->n_log];
        find(l, old.name)->mode = old.mode;
    }
    if (!l->n_log && l->n_used) {
        memset(l->slots, 0, l->n_slots * sizeof *l->slots);
        l->n_used = 0;
    }
}

void
rlk_pg_held_done(struct rlk_pg_locks *l)
{
    rlk_free(l->slots);
    rlk_free(l->log);
    *l = (struct rlk_pg_locks){0};
}
