/* SPDX-License-Identifier: MIT
 * Match keys: what makes each of them quick, and what makes it safe. A unique
 * index does both; NULLs are distinct in one, and a key with a NULL matches
 * nothing, so that a plain one serves for columns that may be NULL too. Any
 * index makes lookups quick; without a unique one, programs that take no record
 * locks can still make duplicates. */
#include <string.h>

#include "sync/check.h"
#include "sync/plan.h"

struct key { /* its columns in the table */
    size_t k;
    struct rlk_buf name;
    uint32_t columns[RLK_YAML_ITEMS];
    size_t n;
};

static bool
has_column(const struct key *key, uint32_t column)
{
    for (size_t i = 0; i < key->n; i++)
        if (key->columns[i] == column)
            return true;
    return false;
}

/* All of columns are the key's: no two records agree in the key if none do in
 * these. */
static bool
is_within(const struct key *key, const uint32_t *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!has_column(key, columns[i]))
            return false;
    return n > 0;
}

/* The index that makes the key unique; "primary key" for that; or NULL. */
static const char *
find_unique(const struct rlk_table *t, const struct key *key)
{
    if (is_within(key, t->primary_key, t->n_primary_key))
        return "primary key";
    for (size_t i = 0; i < t->n_indexes; i++) {
        const struct rlk_index *index = &t->indexes[i];
        if (index->unique && !index->partial &&
            is_within(key, index->columns, index->n_columns))
            return index->name;
    }
    return NULL;
}

/* *ret_partial: a unique index that does not guard all records. */
static const char *
find_any(const struct rlk_table *t, const struct key *key, bool *ret_partial)
{
    const char *found = NULL;
    *ret_partial = false;
    for (size_t i = 0; i < t->n_indexes; i++) {
        const struct rlk_index *index = &t->indexes[i];
        if (!index->n_columns || !has_column(key, index->columns[0]))
            continue;
        *ret_partial =
            *ret_partial || (index->unique && index->partial &&
                             is_within(key, index->columns, index->n_columns));
        found = found ? found : index->name;
    }
    return found;
}

static const char stranger[] =
    "Rowlock's writers make no duplicate. A program that takes no record locks "
    "can: only a unique index stops it.";
static const char slow[] =
    "Each run reads the whole table for it, and again when others write "
    "meanwhile. A program that takes no record locks can make duplicates.";

static int
tell_open_key(const struct rlk_checking *s, const struct key *key)
{
    struct rlk_buf RLK_AUTOBUF todo = {0};
    rowlock_error why = {0};
    bool scans = true, partial;
    const char *index = find_any(s->table, key, &partial);
    if (rlk_session_scans(s->c->db, s->table, key->columns, key->n, &scans,
                          &why)) {
        rlk_check_tell(s->c, RLK_GRADE_BAD, why.detail, why.hint,
                       "match key %s cannot be looked up: %s", key->name.ptr,
                       why.message);
        return 0;
    }
    s->c->add_index(&todo, key->k, s->c->arg);
    if (todo.failed)
        return rlk_out_of_memory(s->err);
    if (scans)
        rlk_check_tell(s->c, RLK_GRADE_WARN, slow, todo.ptr,
                       "match key %s has no index", key->name.ptr);
    else
        rlk_check_tell(s->c, RLK_GRADE_WARN, stranger, todo.ptr,
                       "match key %s is not unique: index %s%s", key->name.ptr,
                       index ? index : "?",
                       partial ? " guards some records only"
                               : " is a plain one");
    return s->c->on_open_key(key->k, s->c->arg, s->err);
}

static int
check_key(const struct rlk_checking *s, const struct key *key)
{
    const char *unique = find_unique(s->table, key);
    if (!unique)
        return tell_open_key(s, key);
    rlk_check_tell(s->c, RLK_GRADE_OK, "", "", "match key %s is unique: %s",
                   key->name.ptr, unique);
    return 0;
}

/* An earlier key whose columns are all in this one: where it finds nothing,
 * this one cannot find anything either. */
static bool
is_idle(const struct rlk_match_key *earlier, const struct key *key,
        const struct rlk_plan *plan)
{
    for (size_t i = 0; i < earlier->n_fields; i++)
        if (!has_column(key, plan->columns[earlier->fields[i]]))
            return false;
    return true;
}

static void
check_idle(const struct rlk_checking *s, const struct key *key)
{
    const struct rlk_definition *d = s->plan->d;
    for (size_t k = 0; k < key->k; k++) {
        if (!is_idle(&d->match[k], key, s->plan))
            continue;
        struct rlk_buf RLK_AUTOBUF name = {0};
        rlk_check_key_name(d, k, &name);
        rlk_check_tell(s->c, RLK_GRADE_WARN,
                       "It only costs lookups, and a place for keys to "
                       "disagree.",
                       "Leave it out, or put it first.",
                       "match key %s finds nothing that %s does not find",
                       key->name.ptr, name.ptr ? name.ptr : "");
        return;
    }
}

int
rlk_check_keys(const struct rlk_checking *s)
{
    const struct rlk_definition *d = s->plan->d;
    for (size_t k = 0; k < d->n_match; k++) {
        struct key key = {.k = k, .n = d->match[k].n_fields};
        rlk_check_key_name(d, k, &key.name);
        for (size_t i = 0; i < key.n; i++)
            key.columns[i] = s->plan->columns[d->match[k].fields[i]];
        int rc =
            key.name.failed ? rlk_out_of_memory(s->err) : check_key(s, &key);
        if (!rc)
            check_idle(s, &key);
        rlk_buf_done(&key.name);
        RLK_TRY(rc);
    }
    return 0;
}
