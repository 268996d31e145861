/* SPDX-License-Identifier: MIT
 * A key of the remote record is blank, a miss or a hit. The first hit in order
 * is the record that is meant. Another key disagrees with it when it hits a
 * different record, or when it stands before the first hit and the record has
 * another value there that is not blank: then it may be a re-used or a moved
 * id, and a guess would overwrite something else. A later key with another
 * value is a rename. */
#include "sync/decide.h"

#include <stdio.h>
#include <string.h>

#include "record/value.h"
#include "record/writes.h"
#include "sync/guarded.h"

struct deciding {
    struct rlk_item *item;
    const struct rlk_plan *plan;
    const struct rlk_table *table;
    const struct rlk_looked *looked;
    bool *leave; /* fields that stay as they are: their key disagrees */
    bool *force; /* fields that are written whatever their mode */
};

uint64_t
rlk_row_name(const struct rlk_table *table, const struct rlk_row *row)
{
    rowlock_value key = row->values[table->primary_key[0]];
    if (table->n_primary_key == 1 && key.type == ROWLOCK_INT)
        return (uint64_t)key.u.i;
    return rlk_writes_name(table, row);
}

bool
rlk_is_blank(rowlock_value v)
{
    return rlk_value_strip(v).type == ROWLOCK_NULL;
}

/* ---- which record ---- */

static const struct rlk_row *
found_by(const struct deciding *d, size_t k)
{
    int at = d->looked->found[k];
    return at < 0 ? NULL : &d->looked->rows->rows[at];
}

static bool
same_record(const struct rlk_table *t, const struct rlk_row *a,
            const struct rlk_row *b)
{
    for (size_t i = 0; i < t->n_primary_key; i++)
        if (!rlk_value_same(a->values[t->primary_key[i]],
                            b->values[t->primary_key[i]]))
            return false;
    return true;
}

/* The record has this key already, or could get it without losing another:
 * part of it is blank there. */
static bool
has_key(const struct deciding *d, size_t k, bool *ret_blank)
{
    const struct rlk_match *key = &d->item->keys[k];
    bool same = true;
    *ret_blank = false;
    for (size_t i = 0; i < key->n_columns; i++) {
        const struct rlk_set *set = &key->columns[i];
        rowlock_value local = d->item->hit->values[set->column];
        *ret_blank = *ret_blank || rlk_is_blank(local);
        same = same && rlk_value_equal(&d->table->columns[set->column], local,
                                       set->value);
    }
    return same;
}

/* ---- disagreement ---- */

static void
show_key(const struct deciding *d, size_t k, const struct rlk_row *row,
         char *ret_text, size_t size)
{
    const struct rlk_match *key = &d->item->keys[k];
    size_t len = 0;
    ret_text[0] = 0;
    for (size_t i = 0; i < key->n_columns && len < size; i++) {
        char shown[RLK_SHOWN];
        uint32_t column = key->columns[i].column;
        rlk_value_show(row ? row->values[column] : key->columns[i].value,
                       shown);
        len += (size_t)snprintf(ret_text + len, size - len, "%s%s %s",
                                i ? ", " : "", d->table->columns[column].name,
                                shown);
    }
}

static void
show_record(const struct deciding *d, const struct rlk_row *row, char *ret_text,
            size_t size)
{
    char shown[RLK_SHOWN];
    rlk_value_show(row->values[d->table->primary_key[0]], shown);
    snprintf(ret_text, size, "%s/%s", d->table->name, shown);
}

static void
say_other_record(const struct deciding *d, size_t k, size_t first)
{
    char a[160], b[160], ra[160], rb[160];
    show_key(d, first, NULL, a, sizeof a);
    show_key(d, k, NULL, b, sizeof b);
    show_record(d, d->item->hit, ra, sizeof ra);
    show_record(d, found_by(d, k), rb, sizeof rb);
    rlk_fail(d->item->failure, ROWLOCK_UNIQUE,
             "its match keys find different records");
    rlk_detail(d->item->failure, "%s finds %s, %s finds %s.", a, ra, b, rb);
}

static void
say_other_value(const struct deciding *d, size_t k, size_t first)
{
    char a[160], mine[160], theirs[160], record[160];
    show_key(d, first, NULL, a, sizeof a);
    show_key(d, k, NULL, theirs, sizeof theirs);
    show_key(d, k, d->item->hit, mine, sizeof mine);
    show_record(d, d->item->hit, record, sizeof record);
    rlk_fail(d->item->failure, ROWLOCK_UNIQUE,
             "the record that it finds has another key");
    rlk_detail(d->item->failure, "%s finds %s, which has %s, not %s.", a,
               record, mine, theirs);
}

/* What the definition says to do about key k. */
static void
resolve(struct deciding *d, size_t k, size_t first, bool other_record)
{
    const struct rlk_match_key *key = &d->plan->d->match[k];
    int how = d->plan->d->on_disagree;
    d->item->all_agree = d->item->all_agree && !other_record;
    if (how == RLK_DISAGREE_REPORT ||
        (how == RLK_DISAGREE_REKEY && other_record)) {
        d->item->verdict = RLK_CLASH;
        if (other_record)
            say_other_record(d, k, first);
        else
            say_other_value(d, k, first);
        return;
    }
    for (size_t i = 0; i < key->n_fields; i++) {
        bool *list = how == RLK_DISAGREE_REKEY ? d->force : d->leave;
        list[key->fields[i]] = true;
    }
}

static void
check_key(struct deciding *d, size_t k, size_t first)
{
    const struct rlk_row *row = found_by(d, k);
    bool blank;
    if (d->item->keys[k].n_columns == 0 || k == first ||
        has_key(d, k, &blank)) {
        if (row && !same_record(d->table, row, d->item->hit))
            d->item->all_agree = false; /* a duplicate of that key */
        return;
    }
    if (row && !same_record(d->table, row, d->item->hit))
        resolve(d, k, first, true);
    else if (k < first && !blank)
        resolve(d, k, first, false);
}

static void
check_keys(struct deciding *d, size_t first)
{
    const struct rlk_match_key *key = &d->plan->d->match[first];
    for (size_t k = 0; k < d->plan->d->n_match; k++)
        if (d->item->verdict != RLK_CLASH)
            check_key(d, k, first);
    for (size_t i = 0; i < key->n_fields; i++)
        d->leave[key->fields[i]] = false;
}

/* ---- what is written ---- */

/* A blank match value means "not known", and must not erase what another key
 * has found. */
static bool
is_wanted(const struct deciding *d, size_t i, const struct rlk_row *row)
{
    const struct rlk_field *f = &d->plan->d->fields[i];
    rowlock_value v = d->item->values[i];
    uint32_t column = d->plan->columns[i];
    if (!d->item->present[i] || d->leave[i] ||
        (d->plan->goals[i].is_key && v.type == ROWLOCK_NULL) ||
        rlk_value_equal_as(d->plan->goals[i].type, row->values[column], v))
        return false;
    if (d->force[i] || f->mode == RLK_FIELD_UPDATE)
        return true;
    return f->mode == RLK_FIELD_FILL && rlk_is_blank(row->values[column]) &&
           !rlk_is_blank(v);
}

static void
merge(struct deciding *d, const struct rlk_row *row)
{
    struct rlk_item *item = d->item;
    item->n_sets = 0;
    for (size_t i = 0; i < d->plan->d->n_fields; i++)
        if (!d->plan->d->fields[i].on_change && is_wanted(d, i, row))
            item->sets[item->n_sets++] =
                (struct rlk_set){d->plan->columns[i], item->values[i]};
    for (size_t i = 0; i < d->plan->d->n_fields && item->n_sets; i++)
        if (d->plan->d->fields[i].on_change && is_wanted(d, i, row))
            item->sets[item->n_sets++] =
                (struct rlk_set){d->plan->columns[i], item->values[i]};
    item->verdict = item->n_sets ? RLK_CHANGE : RLK_SAME;
}

static void
decide_new(struct rlk_item *item, const struct rlk_plan *plan)
{
    if (!plan->tree)
        return;
    item->verdict = RLK_REFUSE;
    (void)rlk_guarded_refuse_new(item->failure);
}

int
rlk_decide(struct rlk_item *item, const struct rlk_plan *plan,
           const struct rlk_looked *looked, struct rlk_arena *arena,
           rowlock_error *err)
{
    size_t n = plan->d->n_fields, first = 0;
    struct deciding d = {item, plan, looked->table, looked, NULL, NULL};
    item->leave = d.leave = rlk_arena_alloc(arena, n, sizeof *d.leave);
    item->force = d.force = rlk_arena_alloc(arena, n, sizeof *d.force);
    item->sets = rlk_arena_alloc(arena, n, sizeof *item->sets);
    if (!d.leave || !d.force || !item->sets)
        return rlk_out_of_memory(err);
    item->hit = NULL;
    item->found = looked->found;
    item->all_agree = true;
    while (first < plan->d->n_match && looked->found[first] < 0)
        first++;
    item->verdict = RLK_CREATE;
    if (first == plan->d->n_match) {
        decide_new(item, plan);
        return 0;
    }
    item->hit = found_by(&d, first);
    check_keys(&d, first);
    if (item->verdict != RLK_CLASH)
        merge(&d, item->hit);
    return 0;
}

bool
rlk_decide_again(struct rlk_item *item, const struct rlk_plan *plan,
                 const struct rlk_table *table, const struct rlk_row *locked)
{
    struct deciding d = {item, plan, table, NULL, item->leave, item->force};
    if (!same_record(table, locked, item->hit))
        return false;
    for (size_t i = 0; i < plan->d->n_fields; i++) {
        uint32_t column = plan->columns[i];
        if (plan->goals[i].is_key &&
            !rlk_value_same(locked->values[column], item->hit->values[column]))
            return false;
    }
    merge(&d, locked);
    return true;
}
