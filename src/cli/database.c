/* SPDX-License-Identifier: MIT
 * DATABASE as a file. */
#include "cli/database.h"

#include <sys/stat.h>

#include "db/sqlite/repaired.h"
#include "front/front.h"

int
rlk_database_path(const char *database, const char **ret, rowlock_error *err)
{
    const char *path;
    struct stat st;
    RLK_TRY(rlk_front_path(database, &path, err));
    RLK_TRY(rlk_check_repaired(path, err));
    if (stat(path, &st))
        return rlk_fail_errno(err, ROWLOCK_IO,
                              "could not open database \"%.200s\"", path);
    if (!S_ISREG(st.st_mode))
        return rlk_fail(err, ROWLOCK_IO, "\"%.200s\" is not a database file",
                        path);
    *ret = path;
    return 0;
}
