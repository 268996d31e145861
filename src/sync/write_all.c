/* SPDX-License-Identifier: MIT
 * Writing all of a block at once, where the engine can: see put_all() of
 * db/driver.h. A unique index behind each match key keeps others from making
 * the same record in between; a record that is found is compared under its
 * lock. What is not so any more is looked up again, as ever. */
#include "sync/decide.h"
#include "sync/writing.h"

static bool
is_of_columns(const struct rlk_plan *plan, const struct rlk_match_key *key,
              const uint32_t *columns, size_t n_columns)
{
    size_t same = 0;
    for (size_t i = 0; i < n_columns; i++)
        for (size_t k = 0; k < key->n_fields; k++)
            same += columns[i] == plan->columns[key->fields[k]];
    return same == key->n_fields && n_columns == key->n_fields;
}

static bool
is_guarded(const struct rlk_table *t, const struct rlk_plan *plan,
           const struct rlk_match_key *key)
{
    if (is_of_columns(plan, key, t->primary_key, t->n_primary_key))
        return true;
    for (size_t i = 0; i < t->n_indexes; i++) {
        const struct rlk_index *index = &t->indexes[i];
        if (index->unique && !index->partial &&
            is_of_columns(plan, key, index->columns, index->n_columns))
            return true;
    }
    return false;
}

bool
rlk_work_checks(const struct rlk_work *w, const struct rlk_table *t)
{
    const struct rlk_plan *plan = w->plan;
    bool plain = rlk_session_can_put_all(w->db) && !w->keymap && !plan->tree &&
                 !t->reaches_others && t->n_primary_key == 1;
    for (size_t k = 0; plain && k < plan->d->n_match; k++)
        plain = is_guarded(t, plan, &plan->d->match[k]);
    for (size_t i = 0; plain && i < plan->d->n_fields; i++)
        plain = !plan->goals[i].is_key ||
                rlk_writing_is_plain(&t->columns[plan->columns[i]]);
    return plain;
}

bool
rlk_writing_may_put_all(const struct rlk_writing *s)
{
    return s->w->checks && !s->b->careful && !s->firm &&
           s->wait_ms == ROWLOCK_NOWAIT;
}

struct many {
    struct rlk_item **items;
    struct rlk_write *writes;
    enum rlk_put_state *states;
    size_t *made_of;
    size_t n;
};

/* Every key found this record: while it is locked and as it was, no other can
 * have one of them. */
static bool
is_certain(const struct rlk_writing *s)
{
    const struct rlk_item *item = s->item;
    for (size_t k = 0; k < s->w->plan->d->n_match; k++)
        if (item->keys[k].n_columns && item->found[k] < 0)
            return false;
    return item->all_agree && !rlk_writing_changes_key(s);
}

static int
list_writes(struct rlk_writing *s, struct many *ret, rowlock_error *err)
{
    struct rlk_arena *arena = &s->b->arena;
    size_t most = s->b->n_order - s->next;
    *ret = (struct many){rlk_arena_alloc(arena, most, sizeof *ret->items),
                         rlk_arena_alloc(arena, most, sizeof *ret->writes),
                         rlk_arena_alloc(arena, most, sizeof *ret->states),
                         rlk_arena_alloc(arena, most, sizeof *ret->made_of), 0};
    if (!ret->items || !ret->writes || !ret->states || !ret->made_of)
        return rlk_out_of_memory(err);
    for (size_t i = s->next; i < s->b->n_order; i++) {
        struct rlk_item *item = s->item = s->b->order[i];
        struct rlk_write w = {.table = s->table};
        if (item->verdict == RLK_CREATE)
            RLK_TRY(rlk_writing_list_new(s, &w, err));
        else if (item->verdict == RLK_CHANGE && is_certain(s))
            w = (struct rlk_write){s->table, item->hit, item->sets,
                                   item->n_sets};
        if (w.n_set == 0)
            continue;
        ret->items[ret->n] = item;
        ret->writes[ret->n++] = w;
    }
    return 0;
}

static int
take_state(struct rlk_writing *s, const struct many *m, size_t i,
           rowlock_error *err)
{
    struct rlk_item *item = s->item = m->items[i];
    const struct rlk_write *w = &m->writes[i];
    item->stale = m->states[i] == RLK_PUT_CHANGED;
    item->held = m->states[i] == RLK_PUT_HELD;
    if (item->held)
        rlk_fail(item->failure, ROWLOCK_NOT_AVAILABLE,
                 "could not obtain lock on %s", s->table->name);
    if (m->states[i] != RLK_PUT_DONE)
        return 0;
    const struct rlk_row *row =
        w->old ? w->old : &s->b->made.rows[m->made_of[i]];
    item->outcome = w->old ? RLK_FATE_UPDATED : RLK_FATE_CREATED;
    item->local = rlk_row_name(s->table, row);
    if (s->w->ahead.db &&
        !rlk_item_touch(item, w->old != NULL, s->w->plan, &s->w->ahead))
        return rlk_out_of_memory(err);
    return rlk_writing_keep(s, row, err);
}

/* What is left to be done one by one stays in order, behind what is done. */
int
rlk_writing_put_all(struct rlk_writing *s, rowlock_block *block,
                    rowlock_error *err)
{
    struct many m;
    size_t n = 0;
    RLK_TRY(list_writes(s, &m, err));
    rlk_rows_clear(&s->b->made);
    RLK_TRY(rlk_block_put_all(block, m.writes, m.n, m.states, &s->b->made,
                              m.made_of, err));
    for (size_t i = 0; i < m.n; i++)
        RLK_TRY(take_state(s, &m, i, err));
    for (size_t i = s->next; i < s->b->n_order && m.n; i++) {
        struct rlk_item *item = s->b->order[i];
        if (n < m.n && m.items[n] == item) {
            s->b->order[i] = s->b->order[s->next + n];
            s->b->order[s->next + n++] = item;
        }
    }
    s->end = s->next + n;
    return 0;
}
