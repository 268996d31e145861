/* SPDX-License-Identifier: MIT
 * The dry run. A look decides about each record as in a real run; nothing is
 * written, so a second remote record for one local record does not find what
 * the first would have made. Names are kept for that: the second is unchanged
 * when it says the same, else a conflict, as it would be. What only a write
 * can tell (constraints, triggers, who holds a record) is not seen. */
#include "sync/dry.h"

#include <string.h>

#include "sync/decide.h"

struct drying {
    struct rlk_batch *b;
    struct rlk_work *w;
    struct rlk_dry *dry;
    const struct rlk_table *table;
};

/* What every run would write into it again. */
static uint64_t
add_values(const struct drying *s, const struct rlk_item *item, uint64_t name)
{
    const struct rlk_definition *d = s->w->plan->d;
    for (size_t i = 0; i < d->n_fields; i++) {
        const struct rlk_field *f = &d->fields[i];
        if (item->present[i] && f->mode == RLK_FIELD_UPDATE && !f->on_change &&
            !f->generated)
            name = rlk_name_value(rlk_name_add(name, &i, sizeof i),
                                  item->values[i]);
    }
    return name;
}

/* The record's names: its own, or those of its keys. */
static size_t
name_item(const struct drying *s, const struct rlk_item *item, uint64_t *names)
{
    size_t n = 0;
    if (item->hit)
        names[n++] = item->local;
    for (size_t k = 0; !item->hit && k < s->w->plan->d->n_match; k++)
        if (item->keys[k].n_columns)
            names[n++] = rlk_key_name(&item->keys[k], k);
    return n;
}

/* ---- telling ---- */

static int
generated_of(const struct drying *s, uint32_t column)
{
    const struct rlk_plan *plan = s->w->plan;
    for (size_t i = 0; i < plan->d->n_fields; i++)
        if (plan->columns[i] == column)
            return plan->d->fields[i].generated;
    return RLK_GENERATE_NOTHING;
}

static size_t
list_sets(const struct drying *s, const struct rlk_item *item,
          struct rlk_sync_set *sets)
{
    const struct rlk_plan *plan = s->w->plan;
    size_t n = 0;
    for (size_t i = 0; item->hit && i < item->n_sets; i++) {
        uint32_t column = item->sets[i].column;
        sets[n++] = (struct rlk_sync_set){
            s->table->columns[column].name, item->hit->values[column],
            item->sets[i].value, generated_of(s, column)};
    }
    for (size_t i = 0; !item->hit && i < plan->d->n_fields; i++)
        if (item->present[i])
            sets[n++] = (struct rlk_sync_set){
                s->table->columns[plan->columns[i]].name, rowlock_null(),
                item->values[i], plan->d->fields[i].generated};
    return n;
}

static int
tell(const struct drying *s, struct rlk_item *item, rowlock_error *err)
{
    struct rlk_arena *arena = &s->b->arena;
    size_t n_key = s->table->n_primary_key;
    struct rlk_sync_set *sets =
        rlk_arena_alloc(arena, s->w->plan->d->n_fields, sizeof *sets);
    rowlock_value *key = rlk_arena_alloc(arena, n_key, sizeof *key);
    if (!sets || !key)
        return rlk_out_of_memory(err);
    for (size_t i = 0; item->hit && i < n_key; i++)
        key[i] = item->hit->values[s->table->primary_key[i]];
    item->fate = item->hit ? RLK_FATE_UPDATED : RLK_FATE_CREATED;
    struct rlk_sync_change change = {.fate = item->fate,
                                     .number = item->number,
                                     .line = item->line,
                                     .byte = item->byte,
                                     .table = s->table,
                                     .key = item->hit ? key : NULL,
                                     .sets = sets,
                                     .n_sets = list_sets(s, item, sets)};
    s->dry->tell(&change, s->dry->arg);
    return 0;
}

/* ---- deciding ---- */

/* Another record of this run would have written it. */
static int
end_repeated(const struct drying *s, struct rlk_item *item,
             const uint64_t *names, size_t n, rowlock_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (rlk_seen_has(&s->dry->values, add_values(s, item, names[i]))) {
            item->fate = RLK_FATE_UNCHANGED;
            return 0;
        }
    return rlk_batch_end_second(s->b, item, err);
}

static int
dry_one(const struct drying *s, struct rlk_item *item, uint64_t *names,
        rowlock_error *err)
{
    if (item->fate == RLK_FATE_UNCHANGED)
        return rlk_seen_has(&s->dry->names, item->local)
                   ? rlk_batch_end_second(s->b, item, err)
                   : 0;
    if (item->fate != RLK_FATE_OPEN)
        return 0;
    size_t n = name_item(s, item, names);
    for (size_t i = 0; i < n; i++)
        if (rlk_seen_has(&s->dry->names, names[i]))
            return end_repeated(s, item, names, n, err);
    for (size_t i = 0; i < n; i++)
        if (!rlk_seen_add(&s->dry->names, names[i]) ||
            !rlk_seen_add(&s->dry->values, add_values(s, item, names[i])))
            return rlk_out_of_memory(err);
    return tell(s, item, err);
}

int
rlk_batch_dry(struct rlk_batch *b, struct rlk_work *w, struct rlk_dry *dry,
              rowlock_error *err)
{
    struct drying s = {b, w, dry, NULL};
    uint64_t *names =
        rlk_arena_alloc(&b->arena, w->plan->d->n_match + 1, sizeof *names);
    if (!names)
        return rlk_out_of_memory(err);
    b->n_todo = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].fate == RLK_FATE_OPEN)
            b->todo[b->n_todo++] = &b->items[i];
    RLK_TRY(rlk_batch_look(b, w, err));
    RLK_TRY(rlk_plan_table(w->plan, w->db, &s.table, err));
    for (size_t i = 0; i < b->n; i++)
        RLK_TRY(dry_one(&s, &b->items[i], names, err));
    return 0;
}

void
rlk_dry_done(struct rlk_dry *dry)
{
    rlk_seen_done(&dry->names);
    rlk_seen_done(&dry->values);
}
