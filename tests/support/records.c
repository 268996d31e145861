/* SPDX-License-Identifier: MIT
 * What tests of the record API share. */
#include "support/records.h"

#include <stdio.h>

enum { PATIENCE = 1000 };

rowlock_db *
records_open(const struct database *d, const char *label)
{
    rowlock_db *db = NULL;
    rowlock_error err;
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    o.retries = PATIENCE;
    o.label = label;
    if (rowlock_open(d->url, &o, &db, &err))
        support_fail("%s: %s", err.message, err.detail);
    return db;
}

void
records_check_no_locks(const char *path)
{
    rowlock_locks *locks;
    rowlock_lock_info *list;
    rowlock_error err;
    size_t n;
    if (rowlock_locks_open(path, NULL, &locks, &err))
        support_fail("%s: %s", err.message, err.detail);
    check(rowlock_locks_list(locks, &list, &n, &err) == 0);
    if (n != 0)
        support_fail("%zu locks stay; one is on %s/%s", n, list[0].table,
                     list[0].key);
    rowlock_locks_list_free(list);
    rowlock_locks_close(locks);
}

void
records_check_ledger(const struct database *d, int lives, const int64_t *done)
{
    for (int life = 0; life < lives; life++) {
        char sql[160];
        long long lines, next, distinct;
        snprintf(sql, sizeof sql,
                 "SELECT count(*), coalesce(max(number), -1) + 1, "
                 "count(DISTINCT number) FROM ledger WHERE life = %d",
                 life);
        const char *found = database_look(d, sql);
        check(sscanf(found, "%lld|%lld|%lld", &lines, &next, &distinct) == 3);
        if (lines < done[life] || lines > done[life] + 1 || next != lines ||
            distinct != lines)
            support_fail("life %d was told of %lld lines; there are, with the "
                         "next number and the distinct ones: %s",
                         life, (long long)done[life], found);
    }
}
