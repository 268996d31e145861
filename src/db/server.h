/* SPDX-License-Identifier: MIT
 * What the program asks of a PostgreSQL server beside sessions and blocks.
 * Each call opens a connection of its own, if it needs one. Errors of all: as
 * rowlock_open(), then the server's. */
#ifndef RLK_DB_SERVER_H
#define RLK_DB_SERVER_H

#include <stdbool.h>

#include "base/error.h"

/* url without what libpq keeps secret (passwords, also in its parameters), for
 * files and people; a secret that is a ${...} and nothing else stays. *ret is
 * for rlk_free(); *ret_left_out: something was. Opens nothing. */
int rlk_postgres_public_url(const char *url, char **ret, bool *ret_left_out,
                            rowlock_error *err);

#endif
