/* SPDX-License-Identifier: MIT
 * The tables that this connection knows. They are read anew in a block that
 * begins more than a second after, and after each error that says that they
 * are out of date: PostgreSQL tells nobody of a changed schema, and asking it
 * in each block would cost every block a round trip. */
#include "conn.h"

#include <string.h>
#include <strings.h>
#include <time.h>

enum { FRESH_MS = 1000 };

static int64_t
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

void
rlk_pg_catalogue_clear(struct rlk_pg *c)
{
    c->catalogue.stale = true;
}

/* No pointer into it outlives its block, so that this is the moment. */
void
rlk_pg_catalogue_age(struct rlk_pg *c)
{
    struct rlk_pg_catalogue *k = &c->catalogue;
    if (!k->stale && (!k->read_ms || now_ms() - k->read_ms < FRESH_MS))
        return;
    rlk_arena_reset(&k->arena);
    k->tables = NULL;
    k->read_ms = 0;
    k->stale = false;
}

static const struct rlk_pg_table *
known(const struct rlk_pg *c, const char *name)
{
    const struct rlk_pg_table *t = c->catalogue.tables;
    while (t && strcmp(t->asked, name) != 0)
        t = t->next;
    return t;
}

int
rlk_pg_table(struct rlk_conn *conn, const char *name,
             const struct rlk_table **ret, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    struct rlk_pg_catalogue *k = &c->catalogue;
    if (c->tx.n_levels) {
        RLK_TRY(rlk_pg_ready(c, err));
    } else {
        RLK_TRY(rlk_pg_reconnect(c, err));
        rlk_pg_catalogue_age(c);
    }
    const struct rlk_pg_table *t = k->stale ? NULL : known(c, name);
    if (!t) {
        struct rlk_pg_table *read;
        RLK_TRY(rlk_pg_read_table(c, name, &read, err));
        read->next = k->tables;
        k->tables = read;
        if (!k->read_ms)
            k->read_ms = now_ms();
        t = read;
    }
    *ret = &t->base;
    return 0;
}
