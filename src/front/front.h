/* SPDX-License-Identifier: MIT
 * The room's front header: what a database's name means. Opening a session is
 * rowlock_open() of rowlock/session.h. */
#ifndef RLK_FRONT_FRONT_H
#define RLK_FRONT_FRONT_H

#include <stdbool.h>

#include "rowlock/session.h"

/* The path in a SQLite database's name, borrowed from url; nothing is opened.
 * Errors: 0A000 for other engines, ROWLOCK_MISUSE when it is empty. */
int rlk_front_path(const char *url, const char **ret, rowlock_error *err);

/* Is it the URL of a server that has a driver, and not a path? */
bool rlk_front_is_server(const char *url);

struct rlk_look {
    const char *schema; /* SQL that makes what is looked at as if it were there:
                           of rlk_front_create(); or NULL */
    bool unfit;         /* also a database that rowlock_open() refuses for its
                           journal mode */
};

/* As rowlock_open(), but to look only: nothing can be locked or written, and no
 * lock table is made. how may be NULL. */
int rlk_front_look(const char *url, const struct rlk_look *how,
                   rowlock_db **ret, rowlock_error *err);

#endif
