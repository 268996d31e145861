/* SPDX-License-Identifier: MIT
 * The dry run. A look decides about each record as in a real run; nothing is
 * written, so a second remote record for one local record does not find what
 * the first would have made. Names are kept for that: the second is unchanged
 * when it says the same, else a conflict, as it would be. What only a write
 * can tell (constraints, triggers, who holds a record) is not seen. */
#include "sync/dry.h"

struct drying {
    struct rlk_batch *b;
    struct rlk_work *w;
    struct rlk_dry *dry;
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
            names[n++] = item->names[k];
    return n;
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
    if (item->fate == RLK_FATE_OPEN && item->verdict == RLK_SAME)
        item->fate = RLK_FATE_UNCHANGED; /* it waited for one before it */
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
    RLK_TRY(rlk_item_keep(item, s->w->plan, item->hit, &s->b->arena, err));
    item->fate = item->hit ? RLK_FATE_UPDATED : RLK_FATE_CREATED;
    return 0;
}

int
rlk_batch_dry(struct rlk_batch *b, struct rlk_work *w, struct rlk_dry *dry,
              rowlock_error *err)
{
    struct drying s = {b, w, dry};
    uint64_t *names =
        rlk_arena_alloc(&b->arena, w->plan->d->n_match + 1, sizeof *names);
    if (!names)
        return rlk_out_of_memory(err);
    b->n_todo = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].fate == RLK_FATE_OPEN)
            b->todo[b->n_todo++] = &b->items[i];
    RLK_TRY(rlk_batch_look(b, w, err));
    int rc = 0;
    for (size_t i = 0; !rc && i < b->n; i++)
        rc = dry_one(&s, &b->items[i], names, err);
    rlk_work_settled(w, b);
    return rc;
}

void
rlk_dry_done(struct rlk_dry *dry)
{
    rlk_seen_done(&dry->names);
    rlk_seen_done(&dry->values);
}
