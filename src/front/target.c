/* SPDX-License-Identifier: MIT
 * What an import needs of its database beside blocks, by engine. */
#include "front/target.h"

#include <string.h>

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

void
rlk_front_add_index_sql(const char *url, struct rlk_buf *buf,
                        const struct rlk_new_table *t, size_t index)
{
    if (rlk_front_is_server(url))
        rlk_postgres_add_index_sql(buf, t, index);
    else
        rlk_sqlite_add_index_sql(buf, t, index);
}

#define TABLE "rowlock_runs"

/* A record lock of a table whose rows have integer keys: so the lock of a name
 * is none of theirs. */
static int
claim_in_table(const char *url, const char *label, const char *name,
               rowlock_locks **ret, rowlock_error *err)
{
    const char *path;
    rowlock_value key = rowlock_text(name);
    const rowlock_name lock = {ROWLOCK_RECORD, TABLE, NULL, &key, 1};
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.label = label;
    RLK_TRY(rlk_front_path(url, &path, err));
    RLK_TRY(rowlock_locks_open(path, &o, ret, err));
    return rowlock_locks_take(*ret, &lock, ROWLOCK_UPDATE, ROWLOCK_NOWAIT, err);
}

/* key is a name as a lock table shows it: cut with a '~' where it is long,
 * blanks for controls. */
static bool
is_shown_as(const char *name, const char *key)
{
    for (; *key; name++, key++) {
        unsigned char c = (unsigned char)*name;
        if (*key == '~' && !key[1] && c)
            return true;
        if (*key != (c < 0x20 || c == 0x7F ? ' ' : (char)c) || !c)
            return false;
    }
    return !*name;
}

static bool
has_claim(const rowlock_lock_info *lock, const char *name, int64_t pid)
{
    return lock->kind == ROWLOCK_RECORD && !lock->waiting && lock->pid == pid &&
           strcmp(lock->table, TABLE) == 0 && is_shown_as(name, lock->key);
}

static int
is_claimed_in_table(const char *url, const char *name, int64_t pid, bool *ret,
                    rowlock_error *err)
{
    const char *path;
    rowlock_locks *locks;
    rowlock_lock_info *list;
    size_t n;
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.existing_only = 1;
    *ret = false;
    RLK_TRY(rlk_front_path(url, &path, err));
    int rc = rowlock_locks_open(path, &o, &locks, err);
    if (rc)
        return rc == ROWLOCK_UNDEFINED ? 0 : rc; /* no table: nobody has it */
    rc = rowlock_locks_list(locks, &list, &n, err);
    for (size_t i = 0; !rc && i < n; i++)
        *ret = *ret || has_claim(&list[i], name, pid);
    if (!rc)
        rowlock_locks_list_free(list);
    rowlock_locks_close(locks);
    return rc;
}

int
rlk_front_is_claimed(const char *url, const char *name, int64_t pid, bool *ret,
                     rowlock_error *err)
{
    return rlk_front_is_server(url)
               ? rlk_postgres_is_claimed(url, name, ret, err)
               : is_claimed_in_table(url, name, pid, ret, err);
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
