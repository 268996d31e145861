/* SPDX-License-Identifier: MIT
 * From a remote record to values and keys. A value is brought into the form of
 * its column once, so that comparing it with what is stored costs nothing
 * more. Next: decide.c. */
#include "sync/item.h"

#include <string.h>

#include "base/text.h"
#include "record/value.h"
#include "sync/batch.h"

int
rlk_item_end(struct rlk_item *item, enum rlk_fate fate,
             const rowlock_error *reason, struct rlk_arena *arena,
             rowlock_error *err)
{
    item->reason = rlk_arena_alloc(arena, 1, sizeof *item->reason);
    if (!item->reason)
        return rlk_out_of_memory(err);
    *item->reason = *reason;
    if (item->line)
        rlk_context(item->reason, "line %llu, byte %llu",
                    (unsigned long long)item->line,
                    (unsigned long long)item->byte);
    item->fate = fate;
    return 0;
}

static int
make_room(struct rlk_item *item, size_t n, struct rlk_arena *arena,
          rowlock_error *err)
{
    item->values = rlk_arena_alloc(arena, n, sizeof *item->values);
    item->present = rlk_arena_alloc(arena, n, sizeof *item->present);
    return item->values && item->present ? 0 : rlk_out_of_memory(err);
}

/* Of a table all records lack it: the source or the definition is not what it
 * was, and its other columns would be written without it, run after run. */
static int
miss_column(const struct rlk_field *f, const struct rlk_json *row,
            struct rlk_arena *arena, rowlock_error *err)
{
    const char *name = f->from.n == 1 ? f->from.tokens[0] : f->from.text;
    const char **names = rlk_arena_alloc(arena, row->size, sizeof *names);
    for (uint32_t i = 1; i < row->size && names; i++)
        if (!(names[i - 1] = rlk_arena_copy(arena, row[i].key, row[i].key_len)))
            return rlk_out_of_memory(err);
    if (!names)
        return rlk_out_of_memory(err);
    names[row->size - 1] = NULL;
    const char *meant = rlk_nearest(name, names);
    rlk_fail(err, ROWLOCK_UNDEFINED,
             "the header has no column '%.60s'%s%.60s%s", name,
             meant ? " (did you mean '" : "", meant ? meant : "",
             meant ? "'?)" : "");
    rlk_sqlstate(err, "42703");
    rlk_detail(err, "Field '%.60s' comes from it.", f->column.text);
    rlk_hint(err, "A column that may be missing needs a 'default'.");
    return ROWLOCK_UNDEFINED;
}

int
rlk_item_take(struct rlk_item *item, const struct rlk_plan *plan,
              const struct rlk_json *root, struct rlk_arena *arena,
              rowlock_error *err)
{
    const struct rlk_definition *d = plan->d;
    RLK_TRY(make_room(item, d->n_fields, arena, err));
    for (size_t i = 0; i < d->n_fields; i++) {
        RLK_TRY(rlk_field_value(&d->fields[i], plan->goals[i], root, arena,
                                &item->values[i], &item->present[i], err));
        if (!item->present[i] && !root->raw)
            return miss_column(&d->fields[i], root, arena, err);
    }
    return 0;
}

/* ---- keys ---- */

/* A key with a blank part is not looked up: it stays without columns. */
static int
make_key(struct rlk_item *item, const struct rlk_plan *plan, size_t k,
         struct rlk_arena *arena, rowlock_error *err)
{
    const struct rlk_match_key *key = &plan->d->match[k];
    for (size_t i = 0; i < key->n_fields; i++)
        if (item->values[key->fields[i]].type == ROWLOCK_NULL)
            return 0;
    struct rlk_set *sets = rlk_arena_alloc(arena, key->n_fields, sizeof *sets);
    if (!sets)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < key->n_fields; i++)
        sets[i] = (struct rlk_set){plan->columns[key->fields[i]],
                                   item->values[key->fields[i]]};
    item->keys[k] = (struct rlk_match){sets, key->n_fields};
    item->names[k] = rlk_key_name(&item->keys[k], k);
    return 0;
}

static int
make_keys(struct rlk_item *item, const struct rlk_plan *plan,
          struct rlk_arena *arena, rowlock_error *err)
{
    size_t n = plan->d->n_match, live = 0;
    item->keys = rlk_arena_alloc(arena, n, sizeof *item->keys);
    item->names = rlk_arena_alloc(arena, n, sizeof *item->names);
    if (!item->keys || !item->names)
        return rlk_out_of_memory(err);
    for (size_t k = 0; k < n; k++) {
        RLK_TRY(make_key(item, plan, k, arena, err));
        live += item->keys[k].n_columns > 0;
    }
    if (live)
        return 0;
    rlk_fail(err, ROWLOCK_BAD_VALUE, "no match key has a value");
    rlk_detail(err, "It could never be found again.");
    return ROWLOCK_BAD_VALUE;
}

int
rlk_item_ready(struct rlk_item *item, const struct rlk_plan *plan,
               struct rlk_arena *arena, rowlock_error *err)
{
    for (size_t i = 0; i < plan->d->n_fields && !item->ready; i++) {
        struct rlk_place place = {plan->table, &plan->kept[i]};
        if (item->present[i])
            RLK_TRY(rlk_value_for(place, item->values[i], arena,
                                  &item->values[i], err));
    }
    item->ready = true;
    return make_keys(item, plan, arena, err);
}

/* ---- copies ---- */

bool
rlk_copy_value(rowlock_value *v, struct rlk_arena *arena)
{
    if (v->type != ROWLOCK_TEXT && v->type != ROWLOCK_BLOB)
        return true;
    v->u.s.ptr = rlk_arena_copy(arena, v->u.s.ptr, v->u.s.len);
    return v->u.s.ptr != NULL;
}

int
rlk_item_copy_key(const struct rlk_item *item, const struct rlk_plan *plan,
                  struct rlk_arena *arena, struct rlk_item *ret,
                  rowlock_error *err)
{
    size_t n = plan->names.n_primary_key;
    rowlock_value *key = NULL;
    if (item->key) {
        key = rlk_arena_alloc(arena, n, sizeof *key);
        bool ok = key != NULL;
        for (size_t i = 0; ok && i < n; i++) {
            key[i] = item->key[i];
            ok = rlk_copy_value(&key[i], arena);
        }
        if (!ok)
            return rlk_out_of_memory(err);
    }
    ret->key = key;
    return 0;
}

int
rlk_item_copy(const struct rlk_item *item, const struct rlk_plan *plan,
              struct rlk_arena *arena, struct rlk_item *ret, rowlock_error *err)
{
    size_t n = plan->d->n_fields;
    struct rlk_item copy = {.number = item->number,
                            .line = item->line,
                            .byte = item->byte,
                            .ready = item->ready};
    RLK_TRY(make_room(&copy, n, arena, err));
    memcpy(copy.present, item->present, n * sizeof *copy.present);
    memcpy(copy.values, item->values, n * sizeof *copy.values);
    for (size_t i = 0; i < n; i++)
        if (!rlk_copy_value(&copy.values[i], arena))
            return rlk_out_of_memory(err);
    RLK_TRY(rlk_item_copy_key(item, plan, arena, &copy, err));
    *ret = copy;
    if (item->reason)
        return rlk_item_end(ret, item->fate, item->reason, arena, err);
    return 0;
}
