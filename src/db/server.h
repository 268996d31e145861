/* SPDX-License-Identifier: MIT
 * What the program asks of a PostgreSQL server beside sessions and blocks.
 * Each call opens a connection of its own, if it needs one. Errors of all: as
 * rowlock_open(), then the server's. */
#ifndef RLK_DB_SERVER_H
#define RLK_DB_SERVER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/finding.h"
#include "base/lock_line.h"
#include "db/create.h"

/* url without what libpq keeps secret (passwords, also in its parameters), for
 * files and people; a secret that is a ${...} and nothing else stays. *ret is
 * for rlk_free(); *ret_left_out: something was. Opens nothing. */
int rlk_postgres_public_url(const char *url, char **ret, bool *ret_left_out,
                            rowlock_error *err);

/* ---- what is well with a database ---- */

struct rlk_server_doctor {
    const char *url;
    rlk_tell *tell;
    void *arg;
};

/* Tells what it finds: versions, the way there, rights, settings, tables, who
 * waits. Writes nothing and waits for nobody. A server or a client library that
 * is too old is a finding. */
int rlk_postgres_examine(const struct rlk_server_doctor *doctor,
                         rowlock_error *err);
/* Tells whether several records have the same match key; reads them all. */
int rlk_postgres_duplicates(const struct rlk_server_doctor *doctor,
                            const struct rlk_new_table *t, size_t key,
                            rowlock_error *err);

/* ---- who waits ---- */

/* Who waits for a lock in this database, and who is in the way; and the claims
 * of imports. What nobody waits for the server does not show. Owners are the
 * server's processes. The mode of a row's holder is not known; an age is that
 * of the wait, of a holder that of its transaction. *ret is filled when it
 * answers 0, and its arena then the caller's. */
int rlk_postgres_locks(const char *url, struct rlk_lock_lines *ret,
                       rowlock_error *err);

/* ---- a block that is held while nothing is asked in it ---- */

struct rlk_conn;
/* What conn's block has locked lasts from here on as long as any process that
 * inherits the connection, and no idle timeout of the server ends it. *ret_fd,
 * the connection's, is readable when the server says something. */
int rlk_postgres_hold(struct rlk_conn *conn, int *ret_fd, rowlock_error *err);
/* Takes in what it said: 08006 when the connection is gone, and the locks. Does
 * not block. */
int rlk_postgres_still_holds(struct rlk_conn *conn, rowlock_error *err);

#endif
