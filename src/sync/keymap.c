/* SPDX-License-Identifier: MIT
 * The map has two parts: what was read, sorted by hash and then by primary key,
 * so that of several records with one key the lowest comes first; and what this
 * run has noted since, in a hash table. Hashes are seeded, since the values may
 * be anybody's. Read next: keymap_lookup.c. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sync/keymap_parts.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FIRST = 256 };

/* ---- equality ---- */

static bool
is_known(const char *collation)
{
    return strcmp(collation, "BINARY") == 0 ||
           strcmp(collation, "NOCASE") == 0 || strcmp(collation, "RTRIM") == 0;
}

static size_t
text_length(const struct rlk_column *c, rowlock_value v)
{
    size_t len = v.u.s.len;
    if (v.type == ROWLOCK_TEXT && strcmp(c->collation, "RTRIM") == 0)
        while (len && v.u.s.ptr[len - 1] == ' ')
            len--;
    return len;
}

/* Upper case of ASCII is the same as lower. */
static unsigned char
fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* 7.0 is 7. */
static rowlock_value
plain_number(rowlock_value v)
{
    bool whole = v.type == ROWLOCK_DOUBLE && v.u.d >= -0x1p63 &&
                 v.u.d < 0x1p63 && (double)(int64_t)v.u.d == v.u.d;
    return whole ? rowlock_int((int64_t)v.u.d) : v;
}

static bool
same_text(const struct rlk_column *c, rowlock_value a, rowlock_value b)
{
    size_t len = text_length(c, a);
    if (len != text_length(c, b))
        return false;
    if (a.type == ROWLOCK_BLOB || strcmp(c->collation, "NOCASE") != 0)
        return memcmp(a.u.s.ptr, b.u.s.ptr, len) == 0;
    for (size_t i = 0; i < len; i++)
        if (fold((unsigned char)a.u.s.ptr[i]) !=
            fold((unsigned char)b.u.s.ptr[i]))
            return false;
    return true;
}

bool
rlk_keymap_same(const struct rlk_column *c, rowlock_value a, rowlock_value b)
{
    a = plain_number(a);
    b = plain_number(b);
    if (a.type != b.type || a.type == ROWLOCK_NULL)
        return false;
    if (a.type == ROWLOCK_INT)
        return a.u.i == b.u.i;
    if (a.type == ROWLOCK_DOUBLE)
        return a.u.d == b.u.d;
    return same_text(c, a, b);
}

static uint64_t
hash_text(const struct rlk_column *c, rowlock_value v, uint64_t seed)
{
    size_t len = text_length(c, v);
    unsigned char folded[256];
    if (v.type == ROWLOCK_BLOB || strcmp(c->collation, "NOCASE") != 0)
        return XXH3_64bits_withSeed(v.u.s.ptr, len, seed);
    for (size_t at = 0; at < len; at += sizeof folded) {
        size_t n = len - at < sizeof folded ? len - at : sizeof folded;
        for (size_t i = 0; i < n; i++)
            folded[i] = fold((unsigned char)v.u.s.ptr[at + i]);
        seed = XXH3_64bits_withSeed(folded, n, seed);
    }
    return seed;
}

uint64_t
rlk_keymap_hash(const struct rlk_column *c, rowlock_value v, uint64_t seed)
{
    v = plain_number(v);
    if (v.type == ROWLOCK_TEXT || v.type == ROWLOCK_BLOB)
        return hash_text(c, v, seed + (uint64_t)v.type);
    return XXH3_64bits_withSeed(&v.u.i, sizeof v.u.i, seed + (uint64_t)v.type);
}

/* ---- what the run has noted ---- */

static size_t
slot_of(const struct rlk_noted *n, struct rlk_entry e)
{
    size_t at = (size_t)e.hash & (n->cap - 1);
    while (n->slots[at].hash &&
           (n->slots[at].hash != e.hash || n->slots[at].record != e.record))
        at = (at + 1) & (n->cap - 1);
    return at;
}

static bool
grow(struct rlk_noted *n)
{
    struct rlk_noted more = {.cap = n->cap ? n->cap * 2 : FIRST, .n = n->n};
    more.slots = rlk_calloc(more.cap, sizeof *more.slots);
    if (!more.slots)
        return false;
    for (size_t i = 0; i < n->cap; i++)
        if (n->slots[i].hash)
            more.slots[slot_of(&more, n->slots[i])] = n->slots[i];
    rlk_free(n->slots);
    *n = more;
    return true;
}

static bool
note_entry(struct rlk_noted *n, struct rlk_entry e)
{
    if (n->n * 4 >= n->cap * 3 && !grow(n))
        return false;
    size_t at = slot_of(n, e);
    n->n += n->slots[at].hash == 0;
    n->slots[at] = e;
    return true;
}

/* The number that stands for a record in the map. */
static bool
name_record(struct rlk_keymap *m, const rowlock_value *pk, int64_t *ret)
{
    if (m->numbers) {
        *ret = pk[0].u.i;
        return pk[0].type == ROWLOCK_INT;
    }
    if (m->n_pks == m->cap_pks) {
        size_t cap = m->cap_pks ? m->cap_pks * 2 : FIRST;
        void *more = rlk_reallocarray(m->pks, cap, sizeof *m->pks);
        if (!more)
            return false;
        m->pks = more;
        m->cap_pks = cap;
    }
    rowlock_value *copy = rlk_arena_alloc(&m->arena, m->n_pk, sizeof *copy);
    for (size_t i = 0; copy && i < m->n_pk; i++)
        if (!rlk_value_copy(&m->arena, pk[i], &copy[i]))
            return false;
    *ret = (int64_t)m->n_pks;
    m->pks[m->n_pks++] = copy;
    return copy != NULL;
}

/* ---- reading the table ---- */

static bool
push(struct rlk_slow_key *k, struct rlk_entry e)
{
    if (k->n == k->cap) {
        size_t cap = k->cap ? k->cap * 2 : FIRST;
        void *more = rlk_reallocarray(k->entries, cap, sizeof *k->entries);
        if (!more)
            return false;
        k->entries = more;
        k->cap = cap;
    }
    k->entries[k->n++] = e;
    return true;
}

/* values: the primary key, then each key's columns. */
static int
take_record(const rowlock_value *values, void *arg, rowlock_error *err)
{
    struct rlk_keymap *m = arg;
    const rowlock_value *at = values + m->n_pk;
    int64_t record;
    if (!name_record(m, values, &record))
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < m->n_keys; at += m->keys[i++].n_columns) {
        struct rlk_entry e = {rlk_keymap_name(m, &m->keys[i], at), record};
        if (e.hash && !push(&m->keys[i], e))
            return rlk_out_of_memory(err);
    }
    return 0;
}

static int
compare_entries(const void *pa, const void *pb)
{
    const struct rlk_entry *a = pa, *b = pb;
    return a->hash != b->hash
               ? (a->hash > b->hash ? 1 : -1)
               : (a->record > b->record) - (a->record < b->record);
}

static void
forget(struct rlk_keymap *m)
{
    for (size_t i = 0; i < m->n_keys; i++) {
        rlk_free(m->keys[i].noted.slots);
        m->keys[i].noted = (struct rlk_noted){0};
        m->keys[i].n = 0;
    }
    rlk_arena_reset(&m->arena);
    m->n_pks = 0;
    m->mark = (struct rlk_mark){0, 0};
}

int
rlk_keymap_read(struct rlk_keymap *m, rowlock_block *b,
                const struct rlk_table *t, rowlock_error *err)
{
    struct rlk_scan scan = {t, m->columns, m->n_columns, take_record, m};
    struct rlk_mark mark;
    forget(m);
    m->table = t;
    m->reads++;
    RLK_TRY(rlk_block_scan(b, &scan, &mark, err));
    for (size_t i = 0; i < m->n_keys; i++)
        if (m->keys[i].n)
            qsort(m->keys[i].entries, m->keys[i].n, sizeof(struct rlk_entry),
                  compare_entries);
    m->mark = mark;
    return 0;
}

/* ---- one key of one record ---- */

uint64_t
rlk_keymap_name(const struct rlk_keymap *m, const struct rlk_slow_key *k,
                const rowlock_value *values)
{
    uint64_t hash = m->seed;
    for (size_t i = 0; i < k->n_columns; i++) {
        if (values[i].type == ROWLOCK_NULL)
            return 0;
        hash =
            rlk_keymap_hash(&m->table->columns[k->columns[i]], values[i], hash);
    }
    return hash + (hash == 0);
}

struct change {
    const struct rlk_row *row;
    const struct rlk_set *set;
    size_t n_set;
};

/* The columns' values once set is written; false: it does not change them. */
static bool
values_after(const struct change *c, const uint32_t *columns, size_t n,
             rowlock_value *ret)
{
    bool touched = false;
    for (size_t i = 0; i < n; i++) {
        ret[i] = c->row->values[columns[i]];
        for (size_t j = 0; j < c->n_set; j++)
            if (c->set[j].column == columns[i]) {
                ret[i] = c->set[j].value;
                touched = true;
            }
    }
    return touched;
}

int
rlk_keymap_note(struct rlk_keymap *m, const struct rlk_table *t,
                const struct rlk_row *row, const struct rlk_set *set,
                size_t n_set, rowlock_error *err)
{
    rowlock_value pk[RLK_KEYMAP_COLUMNS], values[RLK_KEYMAP_COLUMNS];
    const struct change c = {row, set, n_set};
    int64_t record = -1;
    bool named = false;
    m->table = t;
    bool anew = values_after(&c, t->primary_key, m->n_pk, pk) || set == NULL;
    for (size_t i = 0; i < m->n_keys; i++) {
        struct rlk_slow_key *k = &m->keys[i];
        if (!values_after(&c, k->columns, k->n_columns, values) && !anew)
            continue;
        if (!named && !name_record(m, pk, &record))
            return rlk_out_of_memory(err);
        named = true;
        struct rlk_entry e = {rlk_keymap_name(m, k, values), record};
        if (e.hash && !note_entry(&k->noted, e))
            return rlk_out_of_memory(err);
    }
    return 0;
}

/* ---- making it ---- */

static bool
can_be_mapped(const struct rlk_table *t, const uint32_t *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_known(t->columns[columns[i]].collation))
            return false;
    return n <= RLK_KEYMAP_COLUMNS && t->n_primary_key <= RLK_KEYMAP_COLUMNS;
}

/* Is match key k slow to look up? Then it is told, and mapped if it can be. */
static int
add_key(struct rlk_keymap *m, const struct rlk_table *t, size_t k,
        const struct rlk_keymap_told *told, rowlock_error *err)
{
    const struct rlk_match_key *key = &m->plan->d->match[k];
    struct rlk_slow_key *slow = &m->keys[m->n_keys];
    bool scans;
    slow->columns =
        rlk_arena_alloc(&m->fixed, key->n_fields, sizeof *slow->columns);
    if (!slow->columns)
        return rlk_out_of_memory(err);
    slow->n_columns = key->n_fields;
    for (size_t i = 0; i < key->n_fields; i++)
        slow->columns[i] = m->plan->columns[key->fields[i]];
    RLK_TRY(rlk_session_scans(m->db, t, slow->columns, slow->n_columns, &scans,
                              err));
    if (scans && told)
        told->tell(k, told->arg);
    m->n_keys += scans && can_be_mapped(t, slow->columns, slow->n_columns);
    return 0;
}

static int
list_columns(struct rlk_keymap *m, const struct rlk_table *t,
             rowlock_error *err)
{
    size_t n = t->n_primary_key;
    for (size_t i = 0; i < m->n_keys; i++)
        n += m->keys[i].n_columns;
    m->columns = rlk_arena_alloc(&m->fixed, n, sizeof *m->columns);
    if (!m->columns)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < t->n_primary_key; i++)
        m->columns[m->n_columns++] = t->primary_key[i];
    for (size_t i = 0; i < m->n_keys; i++)
        for (size_t j = 0; j < m->keys[i].n_columns; j++)
            m->columns[m->n_columns++] = m->keys[i].columns[j];
    return 0;
}

static int
make(struct rlk_keymap *m, const struct rlk_keymap_told *told,
     rowlock_error *err)
{
    const struct rlk_definition *d = m->plan->d;
    const struct rlk_table *t;
    m->keys = rlk_arena_alloc(&m->fixed, d->n_match, sizeof *m->keys);
    if (!m->keys)
        return rlk_out_of_memory(err);
    RLK_TRY(rlk_session_table(m->db, d->table.text, &t, err));
    for (size_t k = 0; k < d->n_match; k++)
        RLK_TRY(add_key(m, t, k, told, err));
    if (!rlk_session_can_scan(m->db))
        m->n_keys = 0;
    m->n_pk = t->n_primary_key;
    m->numbers = t->numbers_records;
    m->has_effects = t->reaches_others;
    if (getrandom(&m->seed, sizeof m->seed, 0) != (ssize_t)sizeof m->seed)
        return rlk_fail_errno(err, ROWLOCK_IO, "no random numbers");
    return list_columns(m, t, err);
}

int
rlk_keymap_open(const struct rlk_plan *plan, rowlock_db *db,
                const struct rlk_keymap_told *told, struct rlk_keymap **ret,
                rowlock_error *err)
{
    struct rlk_keymap *m = rlk_calloc(1, sizeof *m);
    *ret = NULL;
    if (!m)
        return rlk_out_of_memory(err);
    m->plan = plan;
    m->db = db;
    int rc = make(m, told, err);
    if (rc || !m->n_keys)
        rlk_keymap_close(m);
    else
        *ret = m;
    return rc;
}

void
rlk_keymap_close(struct rlk_keymap *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_keys; i++) {
        rlk_free(m->keys[i].noted.slots);
        rlk_free(m->keys[i].entries);
    }
    rlk_free(m->pks);
    rlk_arena_done(&m->arena);
    rlk_arena_done(&m->scratch);
    rlk_arena_done(&m->fixed);
    rlk_free(m);
}

unsigned
rlk_keymap_reads(const struct rlk_keymap *m)
{
    return m->reads;
}
