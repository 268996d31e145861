/* SPDX-License-Identifier: MIT
 * For whom a call waits, told after a second of it. Our own connection is busy
 * waiting, so another one asks; where none is to be had, nothing is told. */
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who waits for a row holds, or waits for, the lock of its tuple. */
static const char question[] =
    "SELECT b.pid, coalesce(a.application_name, ''), "
    "coalesce((extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)"
    "::bigint, 0), coalesce("
    "(SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
    "WHERE l.pid = %d AND l.locktype = 'tuple' LIMIT 1), "
    "(SELECT 'a key' FROM pg_locks l WHERE l.pid = %d AND NOT l.granted "
    "AND l.locktype = 'advisory' LIMIT 1), 'a record') "
    "FROM unnest(pg_blocking_pids(%d)) AS b (pid) "
    "LEFT JOIN pg_stat_activity a ON a.pid = b.pid LIMIT 1";

static void
tell(struct rlk_pg *c, const PGresult *r, int64_t waited_ms)
{
    const rowlock_wait_notice notice = {
        .kind = ROWLOCK_RECORD,
        .table = c->pq->PQgetvalue(r, 0, 3),
        .key = "",
        .pid = strtoll(c->pq->PQgetvalue(r, 0, 0), NULL, 10),
        .owner_label = c->pq->PQgetvalue(r, 0, 1),
        .held_ms = strtoll(c->pq->PQgetvalue(r, 0, 2), NULL, 10),
        .waited_ms = waited_ms,
    };
    c->on_wait(&notice, c->on_wait_arg);
}

void
rlk_pg_tell_holder(struct rlk_pg *c, int64_t waited_ms)
{
    char sql[sizeof question + 32];
    int pid = c->pq->PQbackendPID(c->db);
    if (!c->on_wait)
        return;
    snprintf(sql, sizeof sql, question, pid, pid, pid);
    PGconn *other = rlk_pg_dial(c->pq, c->url, c->label);
    PGresult *r = c->pq->PQexec(other, sql);
    if (c->pq->PQresultStatus(r) == PGRES_TUPLES_OK && c->pq->PQntuples(r))
        tell(c, r, waited_ms);
    c->pq->PQclear(r);
    c->pq->PQfinish(other);
}
