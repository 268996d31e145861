/* SPDX-License-Identifier: MIT
 * What a report tells of a record, copied before its block commits: afterwards
 * nothing may fail that would leave a committed change untold, and what was
 * read under the lock is gone. A body that runs again keeps it again; what an
 * earlier try kept is never told. */
#include "sync/item.h"

int
rlk_item_keep_key(struct rlk_item *item, const struct rlk_plan *plan,
                  const struct rlk_row *row, struct rlk_arena *arena,
                  rowlock_error *err)
{
    size_t n = plan->names.n_primary_key;
    item->key = NULL;
    if (!row)
        return 0;
    rowlock_value *key = rlk_arena_alloc(arena, n, sizeof *key);
    bool ok = key != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        key[i] = row->values[plan->names.primary_key[i]];
        ok = rlk_copy_value(&key[i], arena);
    }
    item->key = key;
    return ok ? 0 : rlk_out_of_memory(err);
}

static int
generated_of(const struct rlk_plan *plan, uint32_t column)
{
    for (size_t i = 0; i < plan->d->n_fields; i++)
        if (plan->columns[i] == column)
            return plan->d->fields[i].generated;
    return RLK_GENERATE_NOTHING;
}

static void
list_created(struct rlk_item *item, const struct rlk_plan *plan)
{
    for (size_t i = 0; i < plan->d->n_fields; i++)
        if (item->present[i])
            item->told_sets[item->n_told_sets++] = (struct rlk_sync_set){
                plan->names.columns[plan->columns[i]].name, rowlock_null(),
                item->values[i], plan->d->fields[i].generated};
}

static int
list_changed(struct rlk_item *item, const struct rlk_plan *plan,
             const struct rlk_row *row, struct rlk_arena *arena,
             rowlock_error *err)
{
    for (size_t i = 0; i < item->n_sets; i++) {
        uint32_t column = item->sets[i].column;
        struct rlk_sync_set *set = &item->told_sets[item->n_told_sets++];
        set->column = plan->names.columns[column].name;
        set->new = item->sets[i].value;
        set->old = row->values[column];
        set->generated = generated_of(plan, column);
        if (!rlk_copy_value(&set->old, arena))
            return rlk_out_of_memory(err);
    }
    return 0;
}

int
rlk_item_keep(struct rlk_item *item, const struct rlk_plan *plan,
              const struct rlk_row *row, struct rlk_arena *arena,
              rowlock_error *err)
{
    bool created = item->verdict == RLK_CREATE;
    size_t n = created ? plan->d->n_fields : item->n_sets;
    RLK_TRY(rlk_item_keep_key(item, plan, row, arena, err));
    item->n_told_sets = 0;
    item->told_sets = rlk_arena_alloc(arena, n, sizeof *item->told_sets);
    if (!item->told_sets)
        return rlk_out_of_memory(err);
    if (!created)
        return list_changed(item, plan, row, arena, err);
    list_created(item, plan);
    return 0;
}

void
rlk_item_move_key(struct rlk_item *item, const struct rlk_plan *plan)
{
    const struct rlk_table *t = &plan->names;
    for (size_t i = 0; i < item->n_sets && item->key; i++)
        for (size_t k = 0; k < t->n_primary_key; k++)
            if (t->primary_key[k] == item->sets[i].column)
                item->key[k] = item->sets[i].value;
}
