/* SPDX-License-Identifier: MIT
 * Step 1 of update_or_create: match values are stripped, blank is NULL, and a
 * key with a NULL is not looked up. Here also stands what an engine without
 * key locks must have: a unique index on each match key. Read next:
 * upsert.c. */
#include "request.h"

#include <string.h>

#include "query.h"
#include "value.h"

static int
resolve_value(const struct rlk_table *t, const rowlock_pair *pair,
              struct rlk_arena *arena, struct rlk_set *ret, rowlock_error *err)
{
    RLK_TRY(rlk_table_column(t, pair->column, &ret->column, err));
    struct rlk_place place = {t->name, &t->columns[ret->column]};
    return rlk_value_for(place, rlk_value_strip(pair->value), arena,
                         &ret->value, err);
}

static int
resolve_key(struct rlk_request *r, const rowlock_key *key,
            struct rlk_arena *arena, rowlock_error *err)
{
    size_t n = key->n_columns;
    if (n == 0 || !key->columns)
        return rlk_fail(err, ROWLOCK_MISUSE, "a match key without columns");
    struct rlk_set *sets = rlk_arena_alloc(arena, n, sizeof *sets);
    uint32_t *columns = rlk_arena_alloc(arena, n, sizeof *columns);
    if (!sets || !columns)
        return rlk_out_of_memory(err);
    bool live = true;
    for (size_t i = 0; i < n; i++) {
        RLK_TRY(
            resolve_value(r->table, &key->columns[i], arena, &sets[i], err));
        columns[i] = sets[i].column;
        live = live && sets[i].value.type != ROWLOCK_NULL;
    }
    r->match[r->n_match++] = (struct rlk_key_columns){columns, n};
    /* Dead keys stand behind the live ones: a new record is made of both. */
    struct rlk_match *at =
        live ? &r->live[r->n_live++]
             : &r->live[r->u->n_match - r->n_match + r->n_live];
    *at = (struct rlk_match){sets, n};
    return 0;
}

/* ---- the new record ---- */

static struct rlk_set *
find_set(struct rlk_set *sets, size_t n, uint32_t column)
{
    for (size_t i = 0; i < n; i++)
        if (sets[i].column == column)
            return &sets[i];
    return NULL;
}

/* A column that cannot be NULL gets its default rather than a blank. */
static int
add_match_value(struct rlk_request *r, const struct rlk_set *set,
                rowlock_error *err)
{
    const struct rlk_column *c = &r->table->columns[set->column];
    struct rlk_set *old = find_set(r->creating, r->n_creating, set->column);
    if (old && !rlk_value_same(old->value, set->value))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "two match keys want different values of %s.%s",
                        r->table->name, c->name);
    if (old || c->generated || (set->value.type == ROWLOCK_NULL && c->not_null))
        return 0;
    r->creating[r->n_creating++] = *set;
    return 0;
}

static int
make_creating(struct rlk_request *r, const struct rlk_match *keys,
              const struct rlk_set *pairs, size_t n_pairs, rowlock_error *err)
{
    for (size_t i = 0; i < r->n_match; i++)
        for (size_t j = 0; j < keys[i].n_columns; j++)
            RLK_TRY(add_match_value(r, &keys[i].columns[j], err));
    for (size_t i = 0; i < n_pairs; i++) {
        struct rlk_set *old =
            find_set(r->creating, r->n_creating, pairs[i].column);
        if (old)
            old->value = pairs[i].value;
        else
            r->creating[r->n_creating++] = pairs[i];
    }
    return 0;
}

int
rlk_request_create(struct rlk_request *r, struct rlk_arena *arena,
                   rowlock_error *err)
{
    const rowlock_upsert *u = r->u;
    struct rlk_set *pairs = r->updating; /* none given: those, as in Django */
    size_t n_pairs = r->n_updating, most;
    if (r->creating)
        return 0;
    if (u->n_creating) {
        n_pairs = u->n_creating;
        RLK_TRY(rlk_pairs_resolve(r->table, u->creating, n_pairs, arena, &pairs,
                                  err));
    }
    most = n_pairs;
    for (size_t i = 0; i < r->n_match; i++)
        most += r->match[i].n_columns;
    r->creating = rlk_arena_alloc(arena, most, sizeof *r->creating);
    if (!r->creating)
        return rlk_out_of_memory(err);
    return make_creating(r, r->live, pairs, n_pairs, err);
}

/* ---- engines without key locks ---- */

static bool
same_columns(const uint32_t *a, size_t n_a, const struct rlk_key_columns *key)
{
    if (n_a != key->n_columns)
        return false;
    for (size_t i = 0; i < n_a; i++) {
        size_t j = 0;
        while (j < n_a && key->columns[j] != a[i])
            j++;
        if (j == n_a)
            return false;
    }
    return true;
}

static bool
unique(const struct rlk_table *t, const struct rlk_key_columns *key)
{
    if (same_columns(t->primary_key, t->n_primary_key, key))
        return true;
    for (size_t i = 0; i < t->n_indexes; i++)
        if (t->indexes[i].unique && !t->indexes[i].partial &&
            same_columns(t->indexes[i].columns, t->indexes[i].n_columns, key))
            return true;
    return false;
}

static int
check_keyless(const rowlock_db *db, const struct rlk_request *r,
              rowlock_error *err)
{
    if (db->driver->capabilities & RLK_CAN_LOCK_KEYS)
        return 0;
    for (size_t i = 0; i < r->n_match; i++) {
        if (unique(r->table, &r->match[i]))
            continue;
        int code = rlk_fail(
            err, ROWLOCK_UNSUPPORTED,
            "update_or_create on %s needs a unique index on %s here",
            r->table->name, r->table->columns[r->match[i].columns[0]].name);
        rlk_hint(err, "This engine has no key locks, so nothing else keeps "
                      "two processes from creating the same record.");
        return code;
    }
    return 0;
}

/* ---- the whole ---- */

static int
check(const rowlock_upsert *u, rowlock_error *err)
{
    RLK_TRY(rlk_check_wait(u->wait_ms, err));
    if (u->wait_ms == ROWLOCK_SKIP_LOCKED) {
        int code = rlk_fail(err, ROWLOCK_MISUSE,
                            "update_or_create cannot skip locked records");
        rlk_hint(err, "A skipped record would look like none, and be created "
                      "again.");
        return code;
    }
    if (u->n_match == 0 || !u->match)
        return rlk_fail(err, ROWLOCK_MISUSE, "no match keys given");
    return 0;
}

int
rlk_request_read(rowlock_db *db, const rowlock_upsert *u,
                 struct rlk_arena *arena, struct rlk_request *ret,
                 rowlock_error *err)
{
    RLK_TRY(check(u, err));
    *ret = (struct rlk_request){.u = u};
    RLK_TRY(rlk_session_table(db, u->table, &ret->table, err));
    ret->wait_ms = rlk_session_wait(db, u->wait_ms);
    ret->match = rlk_arena_alloc(arena, u->n_match, sizeof *ret->match);
    ret->live = rlk_arena_alloc(arena, u->n_match, sizeof *ret->live);
    if (!ret->match || !ret->live)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < u->n_match; i++)
        RLK_TRY(resolve_key(ret, &u->match[i], arena, err));
    RLK_TRY(check_keyless(db, ret, err));
    ret->n_updating = u->n_updating;
    return rlk_pairs_resolve(ret->table, u->updating, u->n_updating, arena,
                             &ret->updating, err);
}
