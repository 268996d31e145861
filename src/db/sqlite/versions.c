/* SPDX-License-Identifier: MIT
 * The rows that a block itself left, as hashes: by its writes, its triggers and
 * its cascades. A save that expects an earlier one of them was not overtaken by
 * a stranger.
 *
 * Invariant: tx.versions is in the order of the changes, and is cut back with
 * them at a savepoint; a replay makes it anew. */
#include "conn.h"

uint64_t
rlk_record_hash(const struct rlk_sqlite_table *t, const rowlock_value *key)
{
    return rlk_values_hash(t->id, key, t->base.n_primary_key);
}

/* A row that is older than a column shows that column's default, but NULL to
 * the hook: the two have one hash. */
uint64_t
rlk_row_hash(const struct rlk_sqlite_table *t, const rowlock_value *row)
{
    uint64_t hash = 1;
    if (t->misnumbered)
        return hash;
    for (size_t i = 0; i < t->base.n_columns; i++) {
        const struct rlk_sqlite_column *column = &t->columns[i];
        bool added = rlk_value_same(row[i], column->added);
        if (column->storage >= 0)
            hash = rlk_value_hash(hash, added ? rowlock_null() : row[i]);
    }
    return hash;
}

void
rlk_add_version(struct rlk_sqlite *c, uint64_t record, uint64_t row)
{
    struct rlk_sqlite_tx *tx = &c->tx;
    if (tx->n_versions == tx->cap_versions) {
        size_t cap = tx->cap_versions ? tx->cap_versions * 2 : 64;
        void *more = rlk_reallocarray(tx->versions, cap, sizeof *tx->versions);
        if (!more) {
            c->effects.rc = rlk_out_of_memory(&c->effects.err);
            return;
        }
        tx->versions = more;
        tx->cap_versions = cap;
    }
    tx->versions[tx->n_versions++] =
        (struct rlk_sqlite_version){.record = record, .row = row};
}

bool
rlk_own_version(const struct rlk_sqlite *c, uint64_t record, uint64_t *ret_row)
{
    for (size_t i = c->tx.n_versions; i-- > 0;) {
        if (c->tx.versions[i].record == record) {
            *ret_row = c->tx.versions[i].row;
            return true;
        }
    }
    return false;
}

static bool
had_version(const struct rlk_sqlite *c, uint64_t record, uint64_t row)
{
    for (size_t i = 0; i < c->tx.n_versions; i++)
        if (c->tx.versions[i].record == record && c->tx.versions[i].row == row)
            return true;
    return false;
}

bool
rlk_left_by_us(const struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
               uint64_t record, uint64_t there)
{
    uint64_t last;
    if (!rlk_own_version(c, record, &last) || last != there)
        return false;
    return c->tx.replaying || had_version(c, record, w->old);
}
