/* SPDX-License-Identifier: MIT
 * DATABASE as a file. */
#include "cli/database.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* "postgresql:" and the like: letters up to a colon and two slashes. */
static int
refuse_scheme(const char *database, rowlock_error *err)
{
    size_t len = strcspn(database, ":");
    if (strncmp(database, "sqlite", len) == 0 && len == strlen("sqlite")) {
        rlk_fail(err, ROWLOCK_UNSUPPORTED,
                 "\"%.200s\" is no database name of ours", database);
        rlk_hint(err, "Write sqlite:PATH or PATH, without slashes of its own.");
        return ROWLOCK_UNSUPPORTED;
    }
    /* The rest may hold a password. */
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "no driver for \"%.*s\" databases",
             (int)len, database);
    rlk_hint(err, "This version works with SQLite: a path, or sqlite:PATH.");
    return ROWLOCK_UNSUPPORTED;
}

int
rlk_database_path(const char *database, const char **ret, rowlock_error *err)
{
    const char *path = database;
    const char *colon = strchr(database, ':');
    if (colon && strncmp(colon, "://", 3) == 0)
        return refuse_scheme(database, err);
    if (strncmp(database, "sqlite:", 7) == 0)
        path += 7;
    struct stat st;
    if (stat(path, &st))
        return rlk_fail_errno(err, ROWLOCK_IO,
                              "could not open database \"%.200s\"", path);
    if (!S_ISREG(st.st_mode))
        return rlk_fail(err, ROWLOCK_IO, "\"%.200s\" is not a database file",
                        path);
    *ret = path;
    return 0;
}
