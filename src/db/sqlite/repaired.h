/* SPDX-License-Identifier: MIT
 * A repair (repair.c) that was cut short leaves a whole copy beside a database
 * that is old, or not there: nobody may open that one. */
#ifndef RLK_DB_SQLITE_REPAIRED_H
#define RLK_DB_SQLITE_REPAIRED_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define RLK_REPAIRED "-rowlock-repaired" /* behind the database's path */

static inline bool
rlk_repair_is_pending(const char *path)
{
    char whole[PATH_MAX + sizeof RLK_REPAIRED];
    snprintf(whole, sizeof whole, "%s" RLK_REPAIRED, path);
    return access(whole, F_OK) == 0;
}

#endif
