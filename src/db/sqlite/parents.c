/* SPDX-License-Identifier: MIT
 * KEY SHARE on the records that a write's foreign keys point to, so that a
 * parent that somebody deletes or renumbers is waited for. A parent that is not
 * there is left to SQLite, which refuses the write. */
#include "conn.h"

#include <string.h>

static rowlock_value
value_after(const struct rlk_table *t, const struct rlk_row *old,
            const struct rlk_set *set, size_t n_set, uint32_t column)
{
    for (size_t i = 0; i < n_set; i++)
        if (set[i].column == column)
            return set[i].value;
    return old ? old->values[column]
               : rlk_sqlite_table_of(t)->columns[column].added;
}

static bool
points_elsewhere(const struct rlk_foreign_key *key, const struct rlk_row *old,
                 const struct rlk_match *match)
{
    for (size_t i = 0; i < key->n_columns; i++)
        if (!old || !rlk_value_same(old->values[key->columns[i]],
                                    match->columns[i].value))
            return true;
    return false;
}

static uint32_t
position(const struct rlk_table *t, const char *column)
{
    uint32_t i = 0;
    while (i < t->n_columns && sqlite3_stricmp(t->columns[i].name, column))
        i++;
    return i;
}

/* The parent's primary key, when the foreign key says it as it is stored. */
static bool
key_known(const struct rlk_table *parent, const struct rlk_match *match,
          rowlock_value *ret)
{
    if (match->n_columns != parent->n_primary_key)
        return false;
    for (size_t i = 0; i < parent->n_primary_key; i++) {
        uint32_t column = parent->primary_key[i];
        size_t j = 0;
        while (j < match->n_columns && match->columns[j].column != column)
            j++;
        if (j == match->n_columns ||
            strcmp(parent->columns[column].collation, "BINARY") != 0 ||
            !rlk_stored_as_is(parent, column, match->columns[j].value))
            return false;
        ret[i] = match->columns[j].value;
    }
    return true;
}

/* *ret_any: false when there is no such parent. */
static int
look_key_up(struct rlk_sqlite *c, const struct rlk_table *parent,
            const struct rlk_match *match, rowlock_value *ret, bool *ret_any,
            rowlock_error *err)
{
    struct rlk_rows rows = {0};
    int found;
    bool ok = true;
    RLK_TRY(rlk_sqlite_lookup(&c->base, parent, match, 1, &rows, &found, err));
    *ret_any = found >= 0;
    for (size_t i = 0; found >= 0 && ok && i < parent->n_primary_key; i++)
        ok = rlk_value_copy(
            &c->tx.arena, rows.rows[0].values[parent->primary_key[i]], &ret[i]);
    rlk_rows_done(&rows);
    return ok ? 0 : rlk_out_of_memory(err);
}

static int
lock_parent(struct rlk_sqlite *c, const struct rlk_table *parent,
            const struct rlk_match *match, int32_t wait_ms, rowlock_error *err)
{
    bool any = true;
    rowlock_value *key =
        rlk_arena_alloc(&c->tx.arena, parent->n_primary_key, sizeof *key);
    if (!key)
        return rlk_out_of_memory(err);
    if (!key_known(parent, match, key))
        RLK_TRY(look_key_up(c, parent, match, key, &any, err));
    if (!any)
        return 0;
    int rc =
        rlk_sqlite_take_record(c, parent, key, ROWLOCK_KEY_SHARE, wait_ms, err);
    if (rc == ROWLOCK_NOT_AVAILABLE && wait_ms == ROWLOCK_SKIP_LOCKED)
        return rlk_sqlite_not_available(err);
    return rc;
}

/* A parent without a primary key has no name, so nobody can hold it. */
static int
find_parent(struct rlk_sqlite *c, const char *name,
            const struct rlk_table **ret, rowlock_error *err)
{
    int rc = rlk_sqlite_table(&c->base, name, ret, err);
    if (rc == ROWLOCK_UNSUPPORTED || rc == ROWLOCK_UNDEFINED) {
        *ret = NULL;
        return 0;
    }
    return rc;
}

/* Turns set, the values of key's columns, into a match in the parent. *ret is
 * NULL when there is nothing to look for: a NULL, or no such parent. */
static int
aim(struct rlk_sqlite *c, const struct rlk_foreign_key *key,
    struct rlk_set *set, const struct rlk_table **ret, rowlock_error *err)
{
    const struct rlk_table *parent;
    *ret = NULL;
    for (size_t i = 0; i < key->n_columns; i++)
        if (set[i].value.type == ROWLOCK_NULL)
            return 0;
    RLK_TRY(find_parent(c, key->parent, &parent, err));
    for (size_t i = 0; parent && i < key->n_columns; i++) {
        set[i].column = position(parent, key->parent_columns[i]);
        if (set[i].column == parent->n_columns)
            return 0;
    }
    *ret = parent;
    return 0;
}

/* The values that key's columns have after the write. */
static struct rlk_set *
values_after(struct rlk_sqlite *c, const struct rlk_table *t,
             const struct rlk_foreign_key *key, const struct rlk_row *old,
             const struct rlk_set *set, size_t n_set)
{
    struct rlk_set *to =
        rlk_arena_alloc(&c->tx.arena, key->n_columns, sizeof *to);
    for (size_t i = 0; to && i < key->n_columns; i++)
        to[i].value = value_after(t, old, set, n_set, key->columns[i]);
    return to;
}

static int
lock_for(struct rlk_sqlite *c, const struct rlk_foreign_key *key,
         const struct rlk_row *old, struct rlk_set *to, int32_t wait_ms,
         rowlock_error *err)
{
    struct rlk_match match = {to, key->n_columns};
    const struct rlk_table *parent;
    if (!points_elsewhere(key, old, &match))
        return 0;
    RLK_TRY(aim(c, key, to, &parent, err));
    return parent ? lock_parent(c, parent, &match, wait_ms, err) : 0;
}

int
rlk_sqlite_lock_parents(struct rlk_sqlite *c, const struct rlk_table *t,
                        const struct rlk_row *old, const struct rlk_set *set,
                        size_t n_set, int32_t wait_ms, rowlock_error *err)
{
    for (size_t i = 0; i < t->n_foreign_keys; i++) {
        const struct rlk_foreign_key *key = &t->foreign_keys[i];
        struct rlk_set *to = values_after(c, t, key, old, set, n_set);
        if (!to)
            return rlk_out_of_memory(err);
        RLK_TRY(lock_for(c, key, old, to, wait_ms, err));
    }
    return 0;
}

/* SQLite does not say which foreign key a write breaks. */
static bool
is_missing(struct rlk_sqlite *c, const struct rlk_foreign_key *key,
           struct rlk_set *to)
{
    const struct rlk_table *parent;
    struct rlk_match match = {to, key->n_columns};
    struct rlk_rows rows = {0};
    int found = 0;
    if (!to || aim(c, key, to, &parent, NULL) || !parent)
        return false;
    if (rlk_sqlite_lookup(&c->base, parent, &match, 1, &rows, &found, NULL))
        return false;
    rlk_rows_done(&rows);
    return found < 0;
}

void
rlk_sqlite_explain_parent(struct rlk_sqlite *c, const struct rlk_table *t,
                          const struct rlk_row *old, const struct rlk_set *set,
                          size_t n_set, rowlock_error *err)
{
    for (size_t i = 0; i < t->n_foreign_keys && !c->tx.lost; i++) {
        const struct rlk_foreign_key *key = &t->foreign_keys[i];
        if (!is_missing(c, key, values_after(c, t, key, old, set, n_set)))
            continue;
        rlk_detail(err, "Key (%s%s) is not present in table \"%s\".",
                   t->columns[key->columns[0]].name,
                   key->n_columns > 1 ? ", ..." : "", key->parent);
        return;
    }
}

/* SQLite counts what is open; the last write is the one that is asked about. */
int
rlk_sqlite_check_deferred(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    int open = 0, most;
    RLK_TRY(rlk_sqlite_ready(c, err));
    sqlite3_db_status(c->db, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &most, 0);
    if (!open)
        return 0;
    rlk_fail(err, ROWLOCK_CONSTRAINT, "the write breaks a foreign key");
    rlk_sqlstate(err, "23503");
    const struct rlk_sqlite_write *w =
        c->tx.n_log ? &c->tx.log[c->tx.n_log - 1] : NULL;
    if (w && w->op != RLK_OP_DELETE)
        rlk_sqlite_explain_parent(c, &w->table->base, w->old_row, w->set,
                                  w->n_set, err);
    return ROWLOCK_CONSTRAINT;
}
