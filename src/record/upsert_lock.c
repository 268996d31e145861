/* SPDX-License-Identifier: MIT
 * The locks of update_or_create. Invariant: no key is asked for while this call
 * holds a record, or other keys, that it took itself: rlk_call_lock_keys()
 * gives all of that back and asks for the whole list at once, which the driver
 * takes in canonical order. */
#include "query.h"
#include "upsert.h"

void
rlk_call_drop_record(struct rlk_call *s)
{
    if (!s->record)
        return;
    rowlock_rows_free(s->record->rows);
    s->record = NULL;
    s->hit = NULL;
    s->looked = false;
}

void
rlk_call_give_back(struct rlk_call *s)
{
    rlk_call_drop_record(s);
    if (s->took && s->driver->unlock_to)
        s->driver->unlock_to(s->db->conn, s->mark);
    s->took = false;
    s->keys_held = false;
}

int
rlk_call_lock_keys(struct rlk_call *s, const struct rlk_keys *need,
                   bool *ret_asked, rowlock_error *err)
{
    size_t before = s->keys.n;
    *ret_asked = false;
    if (!need->n || !(s->driver->capabilities & RLK_CAN_LOCK_KEYS))
        return 0;
    for (size_t i = 0; i < need->n; i++)
        if (!rlk_keys_append(&s->keys, need->list[i]))
            return rlk_out_of_memory(err);
    if (s->keys_held && s->keys.n == before)
        return 0;
    rlk_call_give_back(s);
    s->took = true;
    *ret_asked = true;
    RLK_TRY(s->driver->lock_keys(s->db->conn, s->r.table, s->keys.list,
                                 s->keys.n, s->r.wait_ms, err));
    s->keys_held = true;
    return 0;
}

bool
rlk_call_keys_of(struct rlk_call *s, const struct rlk_row *old,
                 const struct rlk_set *sets, size_t n_sets,
                 struct rlk_keys *ret)
{
    const struct rlk_request *r = &s->r;
    *ret = (struct rlk_keys){.arena = s->arena};
    if (!rlk_keys_of_write(ret, r->table, old, sets, n_sets))
        return false;
    bool touched = !old || ret->n;
    for (size_t i = 0; !touched && i < r->n_match; i++)
        touched = rlk_keys_touched(r->match[i].columns, r->match[i].n_columns,
                                   sets, n_sets);
    for (size_t i = 0; touched && i < r->n_live; i++)
        if (!rlk_keys_append(ret, r->live[i]))
            return false;
    for (size_t i = 0; touched && i < r->n_match; i++) {
        const struct rlk_key_columns *k = &r->match[i];
        if (old && !rlk_keys_add(ret, k->columns, k->n_columns, old, NULL, 0))
            return false;
        if (!rlk_keys_add(ret, k->columns, k->n_columns, old, sets, n_sets))
            return false;
    }
    return true;
}

int
rlk_call_lock_hit(struct rlk_call *s, enum rowlock_mode mode, bool *ret_same,
                  rowlock_error *err)
{
    const struct rlk_table *t = s->r.table;
    if (s->driver->lock_row) {
        rowlock_value *pk =
            rlk_arena_alloc(s->arena, t->n_primary_key, sizeof *pk);
        if (!pk)
            return rlk_out_of_memory(err);
        for (size_t i = 0; i < t->n_primary_key; i++)
            pk[i] = s->hit->values[t->primary_key[i]];
        s->took = true;
        RLK_TRY(
            s->driver->lock_row(s->db->conn, t, pk, mode, s->r.wait_ms, err));
    } else {
        struct rlk_rows data = {0};
        s->took = true;
        RLK_TRY(
            rlk_select_one(s->db, t, s->hit, mode, s->r.wait_ms, &data, err));
        rlk_rows_done(&data);
    }
    *ret_same = true;
    return rlk_call_is_current(s)
               ? 0
               : rlk_call_look_again(s, RLK_SAME_RECORD, ret_same, err);
}
