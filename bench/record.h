/* SPDX-License-Identifier: MIT
 * One change by the record API: lock, read, think, change, save. For the
 * benches that measure it. */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include <rowlock/rowlock.h>

#include <stddef.h>

struct one_change {
    const char *table; /* with columns id and n */
    rowlock_value id;
    void (*asks)(void); /* right before the lock; may be NULL */
    void (*got)(void);  /* right behind it; may be NULL */
};

static inline int
change_one(rowlock_block *b, void *arg, rowlock_error *err)
{
    const struct one_change *c = arg;
    const rowlock_term where = {"id", ROWLOCK_EQ, &c->id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_record *r;
    rowlock_value n;
    q.table = c->table;
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_UPDATE;
    if (c->asks)
        c->asks();
    int rc = rowlock_query_first(b, &q, &r, err);
    if (!rc)
        rc = rowlock_record_get(r, "n", &n, err);
    if (!rc && c->got)
        c->got();
    if (!rc)
        rc = rowlock_record_set(r, "n", rowlock_int(n.u.i + 1), err);
    return rc ? rc : rowlock_record_save(r, err);
}

#endif
