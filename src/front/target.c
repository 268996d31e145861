/* SPDX-License-Identifier: MIT
 * What an import needs of its database beside blocks, by engine. */
#include "front/target.h"

#include "front/front.h"

int
rlk_front_create(const char *url, const struct rlk_new_table *t, char **ret_sql,
                 rowlock_error *err)
{
    const char *path;
    if (rlk_front_is_server(url))
        return rlk_postgres_create(url, t, ret_sql, err);
    RLK_TRY(rlk_front_path(url, &path, err));
    return ret_sql ? rlk_sqlite_create_look(path, t, ret_sql, err)
                   : rlk_sqlite_create(path, t, err);
}

/* A record lock of rowlock_runs, whose rows have integer keys: so the lock of a
 * name is none of theirs. */
static int
claim_in_table(const char *url, const char *label, const char *name,
               rowlock_locks **ret, rowlock_error *err)
{
    const char *path;
    rowlock_value key = rowlock_text(name);
    const rowlock_name lock = {ROWLOCK_RECORD, "rowlock_runs", NULL, &key, 1};
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.label = label;
    RLK_TRY(rlk_front_path(url, &path, err));
    RLK_TRY(rowlock_locks_open(path, &o, ret, err));
    return rowlock_locks_take(*ret, &lock, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, err);
}

int
rlk_front_claim(const char *url, const char *label, const char *name,
                struct rlk_claim *ret, rowlock_error *err)
{
    int rc = rlk_front_is_server(url)
                 ? rlk_postgres_claim(url, label, name, &ret->server, err)
                 : claim_in_table(url, label, name, &ret->locks, err);
    if (rc)
        rlk_front_unclaim(ret);
    return rc;
}

void
rlk_front_unclaim(struct rlk_claim *c)
{
    rowlock_locks_close(c->locks);
    rlk_postgres_unclaim(c->server);
    *c = (struct rlk_claim){NULL, NULL};
}
