/* SPDX-License-Identifier: MIT
 * A lookup by the map. In place of each slow key the records that the map names
 * for it are looked up by their primary keys, the first of each together with
 * all quick keys, in one snapshot; who has not the key (any more) gives way to
 * the next. */
#include <string.h>

#include "sync/keymap_parts.h"

enum { READS = 1 }; /* again, in one lookup */

struct asked { /* a slow key */
    size_t at; /* in the caller's list */
    const struct rlk_slow_key *k;
    uint64_t hash;
    size_t entry; /* the next to be tried */
    size_t slot;  /* then of those noted */
};

struct looking {
    struct rlk_keymap *m;
    rowlock_block *b;
    const struct rlk_lookup *look;
    struct rlk_rows *rows;
    int *found;
    struct asked *asked; /* still open */
    size_t n_asked;
    struct rlk_match *keys; /* that are sent */
    size_t *owners;         /* each one's key in the caller's list */
    size_t n_keys;
    struct rlk_mark mark;
    bool missed, torn; /* a slow key found nothing; several snapshots */
};

/* ---- what the map has ---- */

static const struct rlk_slow_key *
find_slow(const struct rlk_keymap *m, const struct rlk_match *key)
{
    for (size_t i = 0; i < m->n_keys; i++) {
        const struct rlk_slow_key *k = &m->keys[i];
        size_t n = 0;
        while (n < k->n_columns && n < key->n_columns &&
               k->columns[n] == key->columns[n].column)
            n++;
        if (n == k->n_columns && n == key->n_columns)
            return k;
    }
    return NULL;
}

static size_t
lower_bound(const struct rlk_slow_key *k, uint64_t hash)
{
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->entries[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
start_asking(const struct rlk_keymap *m, const struct rlk_match *key,
             struct asked *ret)
{
    rowlock_value values[RLK_KEYMAP_COLUMNS];
    for (size_t i = 0; i < key->n_columns; i++)
        values[i] = key->columns[i].value;
    ret->hash = rlk_keymap_name(m, ret->k, values);
    ret->entry = lower_bound(ret->k, ret->hash);
    ret->slot =
        ret->k->noted.cap ? (size_t)ret->hash & (ret->k->noted.cap - 1) : 0;
}

/* The next record that may have the key. */
static bool
next_record(struct asked *a, int64_t *ret)
{
    const struct rlk_slow_key *k = a->k;
    if (a->entry < k->n && k->entries[a->entry].hash == a->hash) {
        *ret = k->entries[a->entry++].record;
        return true;
    }
    while (k->noted.cap && k->noted.slots[a->slot].hash) {
        const struct rlk_entry *e = &k->noted.slots[a->slot];
        a->slot = (a->slot + 1) & (k->noted.cap - 1);
        if (e->hash == a->hash) {
            *ret = e->record;
            return true;
        }
    }
    return false;
}

/* ---- what is asked of the database ---- */

static int
name_by_key(struct looking *l, int64_t record, struct rlk_match *ret,
            rowlock_error *err)
{
    struct rlk_keymap *m = l->m;
    struct rlk_set *set = rlk_arena_alloc(&m->scratch, m->n_pk, sizeof *set);
    if (!set)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < m->n_pk; i++)
        set[i] =
            (struct rlk_set){m->columns[i], m->numbers ? rowlock_int(record)
                                                       : m->pks[record][i]};
    *ret = (struct rlk_match){set, m->n_pk};
    return 0;
}

/* The next candidate of each open key; a key without one is a miss. */
static int
list_candidates(struct looking *l, rowlock_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_asked; i++) {
        int64_t record;
        if (!next_record(&l->asked[i], &record)) {
            l->missed = true;
            continue;
        }
        l->owners[l->n_keys] = l->asked[i].at;
        RLK_TRY(name_by_key(l, record, &l->keys[l->n_keys++], err));
        l->asked[n++] = l->asked[i];
    }
    l->n_asked = n;
    return 0;
}

static bool
has_key(const struct looking *l, const struct rlk_row *row, size_t at)
{
    const struct rlk_match *key = &l->look->keys[at];
    for (size_t i = 0; i < key->n_columns; i++) {
        uint32_t column = key->columns[i].column;
        if (!rlk_keymap_same(&l->look->table->columns[column],
                             row->values[column], key->columns[i].value))
            return false;
    }
    return true;
}

/* Rows of a later snapshot join those of the first. */
static int
join_row(struct looking *l, const struct rlk_row *row, int *ret,
         rowlock_error *err)
{
    struct rlk_row *copy = rlk_rows_add(l->rows, row->n_values);
    for (size_t i = 0; copy && i < row->n_values; i++)
        if (!rlk_rows_set(l->rows, &copy->values[i], row->values[i]))
            return rlk_out_of_memory(err);
    *ret = (int)l->rows->n_rows - 1;
    return copy ? 0 : rlk_out_of_memory(err);
}

/* Those whose candidate has the key are answered; the others stay open. */
static int
settle(struct looking *l, const struct rlk_rows *rows, const int *found,
       rowlock_error *err)
{
    size_t first = l->n_keys - l->n_asked, open = 0;
    for (size_t i = 0; i < l->n_asked; i++) {
        struct asked a = l->asked[i];
        int at = found[first + i];
        if (at < 0 || !has_key(l, &rows->rows[at], a.at))
            l->asked[open++] = a;
        else if (rows == l->rows)
            l->found[a.at] = at;
        else
            RLK_TRY(join_row(l, &rows->rows[at], &l->found[a.at], err));
    }
    l->n_asked = open;
    return 0;
}

/* All quick keys, and the first candidate of each slow one. */
static int
ask_first(struct looking *l, int *found, rowlock_error *err)
{
    struct rlk_lookup look = {l->look->table, l->keys, l->n_keys, &l->mark};
    size_t quick = l->n_keys - l->n_asked;
    if (l->n_keys == 0) /* only to know when */
        return rlk_block_lookup(l->b, &look, l->rows, found, err);
    RLK_TRY(rlk_block_lookup(l->b, &look, l->rows, found, err));
    for (size_t i = 0; i < quick; i++)
        l->found[l->owners[i]] = found[i];
    return settle(l, l->rows, found, err);
}

static bool
same_mark(struct rlk_mark a, struct rlk_mark b)
{
    return a.others == b.others && a.own == b.own;
}

static int
ask_more(struct looking *l, int *found, rowlock_error *err)
{
    struct rlk_rows rows = {0};
    struct rlk_mark mark;
    struct rlk_lookup look = {l->look->table, l->keys, 0, &mark};
    l->n_keys = 0;
    RLK_TRY(list_candidates(l, err));
    look.n_keys = l->n_keys;
    if (!l->n_keys)
        return 0;
    RLK_TRY(rlk_block_lookup(l->b, &look, &rows, found, err));
    l->torn = l->torn || !same_mark(mark, l->mark);
    int rc = settle(l, &rows, found, err);
    rlk_rows_done(&rows);
    return rc;
}

/* ---- one lookup ---- */

static int
make_room(struct looking *l, int **ret_found, rowlock_error *err)
{
    struct rlk_arena *arena = &l->m->scratch;
    size_t n = l->look->n_keys;
    l->asked = rlk_arena_alloc(arena, n, sizeof *l->asked);
    l->keys = rlk_arena_alloc(arena, n, sizeof *l->keys);
    l->owners = rlk_arena_alloc(arena, n, sizeof *l->owners);
    *ret_found = rlk_arena_alloc(arena, n, sizeof **ret_found);
    return l->asked && l->keys && l->owners && *ret_found
               ? 0
               : rlk_out_of_memory(err);
}

static int
look_once(struct looking *l, rowlock_error *err)
{
    int *found;
    l->n_asked = l->n_keys = 0;
    l->missed = l->torn = false;
    l->mark = (struct rlk_mark){0, 0};
    rlk_arena_reset(&l->m->scratch);
    RLK_TRY(make_room(l, &found, err));
    for (size_t i = 0; i < l->look->n_keys; i++) {
        const struct rlk_match *key = &l->look->keys[i];
        struct asked a = {.at = i, .k = find_slow(l->m, key)};
        l->found[i] = -1;
        if (a.k) {
            start_asking(l->m, key, &a);
            l->asked[l->n_asked++] = a;
        } else {
            l->owners[l->n_keys] = i;
            l->keys[l->n_keys++] = *key;
        }
    }
    RLK_TRY(list_candidates(l, err));
    RLK_TRY(ask_first(l, found, err));
    while (l->n_asked)
        RLK_TRY(ask_more(l, found, err));
    return 0;
}

/* What the map lacks is not there. */
static bool
is_complete(const struct looking *l)
{
    const struct rlk_keymap *m = l->m;
    return m->mark.others && m->mark.others == l->mark.others &&
           (!m->has_effects || m->mark.own == l->mark.own);
}

int
rlk_keymap_lookup(struct rlk_keymap *m, rowlock_block *b,
                  const struct rlk_lookup *look, struct rlk_rows *ret,
                  int *ret_found, rowlock_error *err)
{
    struct looking l = {
        .m = m, .b = b, .look = look, .rows = ret, .found = ret_found};
    m->table = look->table;
    if (!m->mark.others)
        RLK_TRY(rlk_keymap_read(m, b, look->table, err));
    for (int i = 0;; i++) {
        RLK_TRY(look_once(&l, err));
        bool sure = !l.missed || is_complete(&l);
        if (sure || i == READS) {
            *look->ret_mark =
                sure && !l.torn ? l.mark : (struct rlk_mark){0, 0};
            return 0;
        }
        rlk_rows_done(ret);
        RLK_TRY(rlk_keymap_read(m, b, look->table, err));
    }
}
