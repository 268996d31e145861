/* SPDX-License-Identifier: MIT
 * A block that is held while nothing is asked in it: `rowlock lock` runs its
 * command meanwhile. The server ends a session once all copies of its socket
 * are closed, so whoever inherits one keeps the locks. */
#include <fcntl.h>

#include "conn.h"
#include "db/server.h"

int
rlk_postgres_hold(struct rlk_conn *conn, int *ret_fd, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    int fd = c->pq->PQsocket(c->db);
    RLK_TRY(rlk_pg_ready(c, err));
    RLK_TRY(rlk_pg_do(c,
                      "SELECT set_config(name, '0', true) FROM pg_settings "
                      "WHERE name IN ('idle_in_transaction_session_timeout', "
                      "'transaction_timeout') AND setting <> '0'",
                      err));
    if (fcntl(fd, F_SETFD, 0))
        return rlk_fail_errno(err, ROWLOCK_IO, "cannot pass a connection on");
    *ret_fd = fd;
    return 0;
}

/* PQisBusy() takes messages apart, so that they do not pile up. */
int
rlk_postgres_still_holds(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    if (!c->pq->PQconsumeInput(c->db))
        return rlk_pg_lost(c, err);
    c->pq->PQisBusy(c->db);
    return 0;
}
