/* SPDX-License-Identifier: MIT
 * Taking locks of the lock table. A record is named by its primary key as the
 * database gives it back.
 *
 * Invariant: the block never sleeps in here while it holds the writer slot. A
 * lock is tried first; only when it must be waited for is the slot given back.
 * Read next: slot.c. */
#include "conn.h"

void
rlk_key_of(const struct rlk_table *t, const rowlock_value *row,
           rowlock_value *ret)
{
    for (size_t i = 0; i < t->n_primary_key; i++)
        ret[i] = row[t->primary_key[i]];
}

/* One request to the lock table. A cancel that was answered already may have
 * left its wake-up behind: such a one is not an answer. */
int
rlk_sqlite_request(struct rlk_sqlite *c, const rowlock_name *name,
                   enum rowlock_mode mode, int32_t wait_ms, rowlock_error *err)
{
    for (;;) {
        RLK_TRY(rlk_sqlite_take_cancel(c, err));
        int rc = rowlock_locks_take(c->locks, name, mode, wait_ms, err);
        if (rc != ROWLOCK_CANCELLED || atomic_exchange(&c->cancelled, 0))
            return rc;
    }
}

int
rlk_sqlite_take(struct rlk_sqlite *c, const rowlock_name *name,
                enum rowlock_mode mode, int32_t wait_ms, rowlock_error *err)
{
    if (!c->tx.writing || wait_ms < 0)
        return rlk_sqlite_request(c, name, mode, wait_ms, err);
    int rc = rlk_sqlite_request(c, name, mode, ROWLOCK_SKIP_LOCKED, err);
    if (rc != ROWLOCK_NOT_AVAILABLE)
        return rc;
    rlk_sqlite_suspend(c);
    return rlk_sqlite_request(c, name, mode, wait_ms, err);
}

int
rlk_sqlite_take_record(struct rlk_sqlite *c, const struct rlk_table *t,
                       const rowlock_value *key, enum rowlock_mode mode,
                       int32_t wait_ms, rowlock_error *err)
{
    for (size_t i = 0; i < t->n_primary_key; i++) {
        if (key[i].type != ROWLOCK_NULL)
            continue;
        rlk_fail(err, ROWLOCK_UNSUPPORTED,
                 "a record of table \"%s\" has NULL in its primary key",
                 t->name);
        rlk_hint(err,
                 "Such records cannot be told apart. Give column \"%s\" "
                 "values and NOT NULL.",
                 t->columns[t->primary_key[i]].name);
        return ROWLOCK_UNSUPPORTED;
    }
    rowlock_name name = {ROWLOCK_RECORD, t->name, NULL, key, t->n_primary_key};
    return rlk_sqlite_take(c, &name, mode, wait_ms, err);
}
