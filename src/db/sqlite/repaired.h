/* SPDX-License-Identifier: MIT
 * A repair (repair.c) that was cut short leaves a whole copy beside a database
 * that is old, or not there: nobody may open that one. */
#ifndef RLK_DB_SQLITE_REPAIRED_H
#define RLK_DB_SQLITE_REPAIRED_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

#define RLK_REPAIRED "-rowlock-repaired" /* behind the database's real path */

/* 58030 while that copy is there, whatever link leads to the database. */
static inline int
rlk_check_repaired(const char *path, rowlock_error *err)
{
    char real[PATH_MAX], copy[PATH_MAX + sizeof RLK_REPAIRED];
    snprintf(copy, sizeof copy, "%s" RLK_REPAIRED,
             realpath(path, real) ? real : path);
    if (access(copy, F_OK))
        return 0;
    rlk_fail(err, ROWLOCK_IO, "a repair of \"%.200s\" was cut short", path);
    rlk_hint(err, "rowlock doctor --repair %.200s ends it.", path);
    return ROWLOCK_IO;
}

#endif
