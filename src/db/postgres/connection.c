/* SPDX-License-Identifier: MIT
 * Opening, closing, cancelling; and connecting again, once a block is over
 * whose connection was lost. URLs are libpq's: what psql takes, with the PG*
 * variables, .pgpass and TLS. */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { OLDEST = 120000 };

/* What makes the server's text ours (values.c), whatever its defaults are. */
static const char settings[] =
    "SELECT set_config('TimeZone', 'UTC', false), "
    "set_config('DateStyle', 'ISO, YMD', false), "
    "set_config('bytea_output', 'hex', false), "
    "set_config('extra_float_digits', '1', false), "
    "set_config('standard_conforming_strings', 'on', false), "
    "set_config('lock_timeout', '0', false)";

/* ---- messages ---- */

/* libpq's texts for it are stable, and there is no SQLSTATE. */
static void
explain_failure(const char *why, rowlock_error *err)
{
    const char *fatal = strstr(why, "FATAL:");
    if (strstr(why, "password authentication failed") ||
        strstr(why, "no password supplied")) {
        rlk_sqlstate(err, "28P01");
        rlk_hint(err, "Look at user and password: in the URL, PGPASSWORD or "
                      "~/.pgpass.");
    } else if (fatal && strstr(fatal, "database \"") &&
               strstr(fatal, "does not exist")) {
        rlk_sqlstate(err, "3D000");
        rlk_hint(err, "Create it (createdb NAME), or look at the URL.");
    } else if (fatal && strstr(fatal, "role \"")) {
        rlk_sqlstate(err, "28000");
        rlk_hint(err, "Look at the user: in the URL, or PGUSER.");
    } else if (strstr(why, "does not support SSL")) {
        rlk_hint(err, "The URL asks for TLS (sslmode), and the server has "
                      "none: switch it on there (ssl = on).");
    } else {
        rlk_hint(err, "Does the server run, and does it listen there?");
    }
}

int
rlk_pg_connect_failed(const struct rlk_libpq *pq, PGconn *db,
                      rowlock_error *err)
{
    const char *why = pq->PQerrorMessage(db);
    rlk_fail(err, ROWLOCK_CONNECTION, "cannot connect to the server");
    rlk_detail(err, "%.*s", (int)strcspn(why, "\n"), why);
    explain_failure(why, err);
    return ROWLOCK_CONNECTION;
}

static void
name_place(struct rlk_pg *c)
{
    const char *host = c->pq->PQhost(c->db), *port = c->pq->PQport(c->db);
    snprintf(c->where, sizeof c->where, "database %.60s at %.60s:%.10s",
             c->pq->PQdb(c->db), host ? host : "", port ? port : "");
}

/* ---- connecting ---- */

static void
be_silent(void *arg, const PGresult *r)
{
    (void)arg, (void)r;
}

PGconn *
rlk_pg_dial(const struct rlk_libpq *pq, const char *url, const char *label)
{
    const char *names[] = {"client_encoding", "fallback_application_name",
                           getenv("PGCONNECT_TIMEOUT") ? "keepalives"
                                                       : "connect_timeout",
                           "dbname", NULL};
    const char *values[] = {"UTF8", label && *label ? label : "rowlock",
                            getenv("PGCONNECT_TIMEOUT") ? "1" : "10", url,
                            NULL};
    return pq->PQconnectdbParams(names, values, 1);
}

static int
check_server(struct rlk_pg *c, rowlock_error *err)
{
    int version = c->pq->PQserverVersion(c->db);
    if (version >= OLDEST)
        return 0;
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "the server is PostgreSQL %d.%d",
             version / 10000, version / 100 % 100);
    rlk_hint(err, "Version %d or later is needed.", OLDEST / 10000);
    rlk_context(err, "%s", c->where);
    return ROWLOCK_UNSUPPORTED;
}

/* CockroachDB and YugabyteDB speak the protocol, and have no advisory locks
 * that hold across their nodes. */
static int
choose_driver(struct rlk_pg *c, rowlock_error *err)
{
    PGresult *r;
    rlk_pg_start(c);
    rlk_pg_sql(c,
               "SELECT version() LIKE '%CockroachDB%' "
               "OR version() LIKE '%-YB-%' "
               "OR EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')");
    RLK_TRY(rlk_pg_run(c, &r, err));
    c->base.driver = c->pq->PQgetvalue(r, 0, 0)[0] == 't'
                         ? &rlk_postgres_distributed_driver
                         : &rlk_postgres_driver;
    rlk_pg_clear(c, r);
    return 0;
}

/* Tables that are looked at as if they were there; gone with the session. */
static int
make_schema(struct rlk_pg *c, rowlock_error *err)
{
    PGresult *r = c->pq->PQexec(c->db, c->schema);
    int rc = c->pq->PQresultStatus(r) == PGRES_COMMAND_OK
                 ? 0
                 : rlk_pg_fail(c, r, err);
    c->pq->PQclear(r);
    return rc;
}

static int
connect_once(struct rlk_pg *c, rowlock_error *err)
{
    c->db = rlk_pg_dial(c->pq, c->url, c->label);
    if (!c->db)
        return rlk_out_of_memory(err);
    if (c->pq->PQstatus(c->db) != CONNECTION_OK)
        return rlk_pg_connect_failed(c->pq, c->db, err);
    name_place(c);
    c->pq->PQsetNoticeReceiver(c->db, be_silent, NULL);
    c->pq->PQsetnonblocking(c->db, 1);
    c->tx.lost = false;
    c->wait_ms = ROWLOCK_WAIT;
    RLK_TRY(check_server(c, err));
    RLK_TRY(rlk_pg_do(c, settings, err));
    if (c->schema)
        RLK_TRY(make_schema(c, err));
    if (c->look_only)
        RLK_TRY(rlk_pg_do(c, "SET default_transaction_read_only = on", err));
    return choose_driver(c, err);
}

static void
hang_up(struct rlk_pg *c)
{
    if (c->db)
        c->pq->PQfinish(c->db);
    c->db = NULL;
    c->n_prelude = c->n_piped = 0;
    rlk_pg_statements_clear(c);
    rlk_pg_catalogue_clear(c);
}

int
rlk_pg_reconnect(struct rlk_pg *c, rowlock_error *err)
{
    if (c->db && !c->tx.lost && c->pq->PQstatus(c->db) == CONNECTION_OK)
        return 0;
    hang_up(c);
    int rc = connect_once(c, err);
    if (rc)
        hang_up(c);
    return rc;
}

/* ---- the driver's calls ---- */

/* A child that was forked has a copy of the socket: what it sent, be it a
 * farewell, would reach the server in the parent's name. */
static void
leave_to_parent(struct rlk_pg *c)
{
    if (c->db)
        close(c->pq->PQsocket(c->db));
    c->db = NULL;
}

static void
close_connection(struct rlk_conn *conn)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    if (c->pid != getpid())
        leave_to_parent(c);
    hang_up(c);
    if (c->wake >= 0)
        close(c->wake);
    rlk_buf_done(&c->sql);
    rlk_arena_done(&c->scratch);
    rlk_arena_done(&c->catalogue.arena);
    rlk_pg_held_done(&c->held);
    rlk_free(c->tx.levels);
    rlk_free(c->url);
    rlk_free(c->schema);
    rlk_free(c->label);
    rlk_free(c);
}

static int
fill(struct rlk_pg *c, const struct rlk_open *o, rowlock_error *err)
{
    c->pid = getpid();
    c->look_only = o->look_only;
    c->on_wait = o->on_wait;
    c->on_wait_arg = o->on_wait_arg;
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake < 0)
        return rlk_fail_errno(err, ROWLOCK_IO, "cannot make an eventfd");
    c->url = rlk_strdup(o->target);
    c->label = rlk_strdup(o->label ? o->label : "");
    c->schema = o->schema ? rlk_strdup(o->schema) : NULL;
    return c->url && c->label && !c->schema == !o->schema
               ? 0
               : rlk_out_of_memory(err);
}

static int
open_connection(const struct rlk_open *o, struct rlk_conn **ret,
                rowlock_error *err)
{
    const struct rlk_libpq *pq;
    RLK_TRY(rlk_libpq_load(&pq, err));
    RLK_TRY(rlk_pg_check_url(pq, o->target, err));
    struct rlk_pg *c = rlk_calloc(1, sizeof *c);
    if (!c)
        return rlk_out_of_memory(err);
    c->pq = pq;
    c->base.driver = &rlk_postgres_driver;
    int rc = fill(c, o, err);
    if (!rc)
        rc = rlk_pg_reconnect(c, err);
    if (rc)
        close_connection(&c->base);
    else
        *ret = &c->base;
    return rc;
}

/* In a signal handler too: sets a flag, wakes poll(2). */
static void
cancel(struct rlk_conn *conn)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    const uint64_t one = 1;
    int before = errno;
    atomic_store(&c->cancelled, 1);
    if (write(c->wake, &one, sizeof one) < 0)
        (void)0; /* full: it wakes anyway */
    errno = before;
}

#define CALLS(kind, can)                                                      \
    {                                                                         \
        .name = kind, .capabilities = (can), .open = open_connection,         \
        .close = close_connection, .cancel = cancel, .begin = rlk_pg_begin,   \
        .savepoint = rlk_pg_savepoint, .rollback_to = rlk_pg_rollback_to,     \
        .release = rlk_pg_release, .commit = rlk_pg_commit,                   \
        .rollback = rlk_pg_rollback,                                          \
        .transaction_lost = rlk_pg_transaction_lost, .table = rlk_pg_table,   \
        .select = rlk_pg_select, .lookup = rlk_pg_lookup,                     \
        .lock_keys = rlk_pg_lock_keys, .start_write = rlk_pg_start_write,     \
        .insert = rlk_pg_insert, .update = rlk_pg_update,                     \
        .remove = rlk_pg_remove, .held = rlk_pg_held, .sql = rlk_pg_read_sql, \
        .lock_row = rlk_pg_lock_row, .check_deferred = rlk_pg_check_deferred, \
        .scan = rlk_pg_scan, .put_all = rlk_pg_put_all,                       \
    }

const struct rlk_driver rlk_postgres_driver =
    CALLS("postgres",
          RLK_CAN_LOCK_KEYS | RLK_CAN_LOCK_WEAKER | RLK_FREES_AT_SAVEPOINT);
const struct rlk_driver rlk_postgres_distributed_driver =
    CALLS("postgres", RLK_CAN_LOCK_WEAKER | RLK_FREES_AT_SAVEPOINT);
