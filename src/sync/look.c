/* SPDX-License-Identifier: MIT
 * The look: one snapshot for all records of a batch, no locks. What needs no
 * write ends here. Two remote records for one local one are noticed here too:
 * the second may say the same, but not change it. Next: write.c. */
#include <stdlib.h>
#include <string.h>

#include "sync/batch.h"
#include "sync/decide.h"

struct looking {
    struct rlk_batch *b;
    struct rlk_work *w;
    rowlock_db *db;
};

/* All live keys of all items in one list; at[]: where each key stands. */
static size_t
gather(const struct rlk_batch *b, size_t n_match, struct rlk_match *keys,
       int *at)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_todo; i++)
        for (size_t k = 0; k < n_match; k++) {
            const struct rlk_match *key = &b->todo[i]->keys[k];
            at[i * n_match + k] = key->n_columns ? (int)n : -1;
            if (key->n_columns)
                keys[n++] = *key;
        }
    return n;
}

static int
decide_all(const struct looking *l, const struct rlk_table *t, int *at,
           const int *found, rowlock_error *err)
{
    struct rlk_batch *b = l->b;
    const struct rlk_plan *plan = l->w->plan;
    size_t n_match = plan->d->n_match;
    for (size_t i = 0; i < b->n_todo; i++) {
        struct rlk_item *item = b->todo[i];
        int *mine = at + i * n_match;
        for (size_t k = 0; k < n_match; k++)
            mine[k] = mine[k] < 0 ? -1 : found[mine[k]];
        struct rlk_looked looked = {t, &b->rows, mine};
        RLK_TRY(rlk_decide(item, plan, &looked, &b->arena, err));
        if (item->hit)
            item->local = rlk_row_name(t, item->hit);
        if (l->w->keeps)
            RLK_TRY(rlk_item_keep_key(item, plan, item->hit, &b->arena, err));
    }
    return 0;
}

static int
compare_values(rowlock_value a, rowlock_value b)
{
    if (a.type != b.type)
        return a.type < b.type ? -1 : 1;
    if (a.type == ROWLOCK_INT)
        return (a.u.i > b.u.i) - (a.u.i < b.u.i);
    if (a.type == ROWLOCK_DOUBLE)
        return (a.u.d > b.u.d) - (a.u.d < b.u.d);
    if (a.type == ROWLOCK_NULL)
        return 0;
    size_t n = a.u.s.len < b.u.s.len ? a.u.s.len : b.u.s.len;
    int rc = memcmp(a.u.s.ptr, b.u.s.ptr, n);
    return rc ? rc : (a.u.s.len > b.u.s.len) - (a.u.s.len < b.u.s.len);
}

/* By primary key; new records behind, as they came. */
static int
compare_items(const void *pa, const void *pb, void *arg)
{
    const struct rlk_item *a = *(struct rlk_item *const *)pa;
    const struct rlk_item *b = *(struct rlk_item *const *)pb;
    const struct rlk_table *t = arg;
    int rc = (a->hit == NULL) - (b->hit == NULL);
    for (size_t i = 0; !rc && a->hit && b->hit && i < t->n_primary_key; i++)
        rc = compare_values(a->hit->values[t->primary_key[i]],
                            b->hit->values[t->primary_key[i]]);
    return rc ? rc : (a->number > b->number) - (a->number < b->number);
}

/* As the items of a source often are. */
static bool
is_sorted(const struct rlk_batch *b, const struct rlk_table *t)
{
    for (size_t i = 1; i < b->n_todo; i++)
        if (compare_items(&b->todo[i - 1], &b->todo[i], (void *)t) > 0)
            return false;
    return true;
}

static int
look_up(const struct looking *l, rowlock_block *block,
        const struct rlk_lookup *look, int *found, rowlock_error *err)
{
    struct rlk_rows *rows = &l->b->rows;
    return l->w->keymap
               ? rlk_keymap_lookup(l->w->keymap, block, look, rows, found, err)
               : rlk_block_lookup(block, look, rows, found, err);
}

static int
look_in_block(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct looking *l = arg;
    struct rlk_batch *b = l->b;
    const struct rlk_table *t;
    size_t n_match = l->w->plan->d->n_match;
    rlk_rows_done(&b->rows);
    RLK_TRY(rlk_plan_table(l->w->plan, l->db, &t, err));
    size_t most = b->n_todo * n_match;
    struct rlk_match *keys = rlk_arena_alloc(&b->arena, most, sizeof *keys);
    int *at = rlk_arena_alloc(&b->arena, most, sizeof *at);
    int *found = rlk_arena_alloc(&b->arena, most, sizeof *found);
    if (!keys || !at || !found)
        return rlk_out_of_memory(err);
    size_t n = gather(b, n_match, keys, at);
    struct rlk_lookup look = {t, keys, n, l->db == l->w->db ? &b->mark : NULL};
    if (n)
        RLK_TRY(look_up(l, block, &look, found, err));
    RLK_TRY(decide_all(l, t, at, found, err));
    if (!is_sorted(b, t))
        qsort_r(b->todo, b->n_todo, sizeof b->todo[0], compare_items,
                (void *)t);
    return 0;
}

/* ---- what follows from it ---- */

uint64_t
rlk_name_add(uint64_t name, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        name = (name ^ p[i]) * UINT64_C(0x100000001b3);
    return name ^ (name >> 29);
}

uint64_t
rlk_name_value(uint64_t name, rowlock_value v)
{
    bool bytes = v.type == ROWLOCK_TEXT || v.type == ROWLOCK_BLOB;
    name = rlk_name_add(name, &v.type, sizeof v.type);
    if (v.type == ROWLOCK_NULL)
        return name;
    return bytes ? rlk_name_add(name, v.u.s.ptr, v.u.s.len)
                 : rlk_name_add(name, &v.u, sizeof v.u.i);
}

uint64_t
rlk_key_name(const struct rlk_match *key, size_t k)
{
    uint64_t h = rlk_name_add(UINT64_C(0xcbf29ce484222325), &k, sizeof k);
    for (size_t i = 0; i < key->n_columns; i++)
        h = rlk_name_value(h, key->columns[i].value);
    return h;
}

bool
rlk_item_touch(const struct rlk_item *item, bool only_record,
               const struct rlk_plan *plan, struct rlk_ahead *a)
{
    bool ok = rlk_ahead_touch(a, item->local);
    for (size_t k = 0; !only_record && ok && k < plan->d->n_match; k++)
        if (item->keys[k].n_columns)
            ok = rlk_ahead_touch(a, item->names[k]);
    return ok;
}

/* A key that finds nothing yet. */
static bool
is_missed(const struct rlk_item *item, size_t k)
{
    return item->keys[k].n_columns && item->found[k] < 0;
}

/* One before it in the source writes its record, or may give its key to one:
 * this one waits for the next look, which sees what came of that. */
static bool
comes_later(const struct rlk_batch *b, const struct rlk_item *item,
            size_t n_match)
{
    if (!b->round.n)
        return false;
    bool later = item->hit && rlk_seen_has(&b->round, item->local);
    for (size_t k = 0; !later && k < n_match; k++)
        later = is_missed(item, k) && rlk_seen_has(&b->round, item->names[k]);
    return later;
}

static int
come_first(struct rlk_batch *b, const struct rlk_item *item, size_t n_match,
           rowlock_error *err)
{
    bool ok = !item->hit || rlk_seen_add(&b->round, item->local);
    for (size_t k = 0; ok && k < n_match; k++)
        if (is_missed(item, k))
            ok = rlk_seen_add(&b->round, item->names[k]);
    return ok ? 0 : rlk_out_of_memory(err);
}

int
rlk_batch_end_second(struct rlk_batch *b, struct rlk_item *item,
                     rowlock_error *err)
{
    rowlock_error reason = {0};
    rlk_fail(&reason, ROWLOCK_UNIQUE,
             "another record of this run has the same local record");
    rlk_detail(&reason, "It is left as the other one has it.");
    return rlk_item_end(item, RLK_FATE_CONFLICT, &reason, &b->arena, err);
}

static int
end_unchanged(struct rlk_work *w, struct rlk_item *item, rowlock_error *err)
{
    item->fate = RLK_FATE_UNCHANGED;
    return rlk_seen_add(&w->seen, item->local) ? 0 : rlk_out_of_memory(err);
}

/* Ends the item, or leaves it open: to be written, or to wait. */
static int
sift(struct rlk_batch *b, struct rlk_work *w, struct rlk_item *item,
     rowlock_error *err)
{
    size_t n_match = w->plan->d->n_match;
    item->due = false;
    if (item->verdict == RLK_CLASH)
        return rlk_item_end(item, RLK_FATE_CONFLICT, item->failure, &b->arena,
                            err);
    if (item->verdict == RLK_REFUSE)
        return rlk_item_end(item, RLK_FATE_REJECTED, item->failure, &b->arena,
                            err);
    if (comes_later(b, item, n_match))
        return 0;
    if (item->verdict == RLK_SAME)
        return end_unchanged(w, item, err);
    if (item->hit && rlk_seen_has(&w->seen, item->local))
        return rlk_batch_end_second(b, item, err);
    item->due = true;
    return come_first(b, item, n_match, err);
}

/* In the order of the source, so that the first of two comes first however the
 * source is cut into batches; then in the order of locks. */
static int
put_in_order(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    b->n_order = 0;
    rlk_seen_clear(&b->round);
    for (size_t i = 0; i < b->n; i++)
        b->items[i].due = false;
    for (size_t i = 0; i < b->n_todo; i++)
        b->todo[i]->due = true;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].due)
            RLK_TRY(sift(b, w, &b->items[i], err));
    for (size_t i = 0; i < b->n_todo; i++)
        if (b->todo[i]->due)
            b->order[b->n_order++] = b->todo[i];
    return 0;
}

/* ---- a look that was made ahead ---- */

int
rlk_batch_look_ahead(struct rlk_batch *b, struct rlk_work *w,
                     rowlock_error *err)
{
    struct looking l = {b, w, w->ahead.db};
    b->mark = rlk_ahead_published(&w->ahead);
    if (!b->mark.others)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED, "too early to look ahead");
    rlk_batch_choose(b);
    RLK_TRY(rowlock_atomic(l.db, look_in_block, &l, err));
    b->ahead = true;
    return 0;
}

/* What was written since may be what it was looked up by. */
static bool
may_have_changed(const struct rlk_item *item, const struct rlk_batch *b,
                 const struct rlk_work *w)
{
    const struct rlk_ahead *a = &w->ahead;
    bool missed = item->hit && rlk_ahead_missed(a, b->mark, item->local);
    for (size_t k = 0; !missed && k < w->plan->d->n_match; k++)
        missed = item->keys[k].n_columns &&
                 rlk_ahead_missed(a, b->mark, item->names[k]);
    return missed;
}

/* False: it is worth nothing any more. Items that may have changed leave
 * b->todo; they are open, so the next round looks them up. */
static bool
take_look(struct rlk_batch *b, const struct rlk_work *w)
{
    size_t n = 0;
    if (!b->ahead || !rlk_ahead_covers(&w->ahead, b->mark))
        return false;
    for (size_t i = 0; i < b->n_todo; i++)
        if (!may_have_changed(b->todo[i], b, w))
            b->todo[n++] = b->todo[i];
    b->n_todo = n;
    b->mark.own = w->ahead.mark.own;
    return true;
}

/* block: NULL for one of its own. */
static int
look_now(struct rlk_batch *b, struct rlk_work *w, rowlock_block *block,
         rowlock_error *err)
{
    struct looking l = {b, w, w->db};
    const struct rlk_table *t;
    RLK_TRY(rlk_plan_table(w->plan, w->db, &t, err));
    w->checks = rlk_work_checks(w, t);
    b->mark = (struct rlk_mark){0, 0};
    RLK_TRY(block ? look_in_block(block, &l, err)
                  : rowlock_atomic(w->db, look_in_block, &l, err));
    if (w->checks)
        b->mark = rlk_ahead_own(&w->ahead);
    if (b->mark.others)
        rlk_ahead_note(&w->ahead, b->mark);
    return 0;
}

static int
follow(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    b->trusted = true;
    return put_in_order(b, w, err);
}

int
rlk_batch_look(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    bool taken = take_look(b, w);
    b->ahead = false;
    if (!taken)
        RLK_TRY(look_now(b, w, NULL, err));
    return follow(b, w, err);
}

int
rlk_batch_look_in(struct rlk_batch *b, struct rlk_work *w, rowlock_block *block,
                  rowlock_error *err)
{
    b->ahead = false;
    RLK_TRY(look_now(b, w, block, err));
    return follow(b, w, err);
}
