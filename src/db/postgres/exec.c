/* SPDX-License-Identifier: MIT
 * Talking to the server: the one place that sends and waits. Each statement is
 * prepared once and then known by its text. A wait sleeps in poll(2), for the
 * server's answer and for cancel() alike, and ends with the server's own error.
 *
 * Invariant: between two calls nothing is under way on the connection. */
#include "conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NOTICE_MS = 1000, SLOTS = 2 * RLK_PG_STATEMENTS };

static int64_t
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
rlk_pg_start(struct rlk_pg *c)
{
    rlk_buf_clear(&c->sql);
    rlk_arena_reset(&c->scratch);
    c->params = (struct rlk_pg_params){0};
}

void
rlk_pg_clear(struct rlk_pg *c, PGresult *r)
{
    c->pq->PQclear(r);
}

/* ---- waiting ---- */

struct waiting {
    int64_t since;
    bool cancellable, asked, noticed;
};

/* The server is asked to end what runs; its error is what the call answers. */
static void
ask_to_cancel(struct rlk_pg *c)
{
    char why[256];
    PGcancel *cancel = c->pq->PQgetCancel(c->db);
    if (!cancel)
        return;
    c->pq->PQcancel(cancel, why, sizeof why);
    c->pq->PQfreeCancel(cancel);
}

static int
poll_once(struct rlk_pg *c, struct waiting *w, bool writing, rowlock_error *err)
{
    struct pollfd fds[] = {
        {.fd = c->pq->PQsocket(c->db),
         .events = (short)(POLLIN | (writing ? POLLOUT : 0))},
        {.fd = w->cancellable && !w->asked ? c->wake : -1, .events = POLLIN},
    };
    int64_t left = w->since + NOTICE_MS - now_ms();
    int timeout = w->noticed ? -1 : left > 0 ? (int)left : 0;
    int n = poll(fds, 2, timeout);
    if (n < 0 && errno != EINTR)
        return rlk_fail_errno(err, ROWLOCK_IO, "cannot wait for the server");
    if (n == 0) {
        w->noticed = true;
        rlk_pg_tell_holder(c, now_ms() - w->since);
    }
    if (w->cancellable && !w->asked && atomic_load(&c->cancelled)) {
        w->asked = true;
        ask_to_cancel(c);
    }
    if (n > 0 && fds[0].revents && !c->pq->PQconsumeInput(c->db))
        return rlk_pg_lost(c, err);
    return 0;
}

/* Until a result can be had without blocking. */
static int
await(struct rlk_pg *c, struct waiting *w, rowlock_error *err)
{
    for (;;) {
        int unsent = c->pq->PQflush(c->db);
        if (unsent < 0)
            return rlk_pg_lost(c, err);
        if (!unsent && !c->pq->PQisBusy(c->db))
            return 0;
        RLK_TRY(poll_once(c, w, unsent, err));
    }
}

static int
next_result(struct rlk_pg *c, struct waiting *w, PGresult **ret,
            rowlock_error *err)
{
    RLK_TRY(await(c, w, err));
    *ret = c->pq->PQgetResult(c->db);
    return 0;
}

/* What else comes belongs to the same statement, and says no more. */
static int
finish(struct rlk_pg *c, struct waiting *w, rowlock_error *err)
{
    PGresult *r;
    do {
        RLK_TRY(next_result(c, w, &r, err));
        rlk_pg_clear(c, r);
    } while (r);
    return 0;
}

static bool
good(const struct rlk_pg *c, const PGresult *r)
{
    ExecStatusType status = c->pq->PQresultStatus(r);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
           status == PGRES_SINGLE_TUPLE;
}

/* The one result of a statement, and that it is its last. */
static int
receive_one(struct rlk_pg *c, struct waiting *w, PGresult **ret,
            rowlock_error *err)
{
    PGresult *r;
    RLK_TRY(next_result(c, w, &r, err));
    if (!r)
        return rlk_pg_lost(c, err);
    bool skipped = c->pq->PQresultStatus(r) == PGRES_PIPELINE_ABORTED;
    int rc = good(c, r) ? 0
             : skipped  ? ROWLOCK_ABORTED /* what failed was told before */
                        : rlk_pg_fail(c, r, err);
    if (!c->tx.lost) {
        int end = finish(c, w, rc ? NULL : err);
        rc = rc ? rc : end;
    }
    if (rc)
        rlk_pg_clear(c, r);
    else
        *ret = r;
    return rc;
}

/* What went ahead, then the statement: the first failure counts, since all
 * behind it was skipped. Then the end of what was sent together. */
static int
receive_piped(struct rlk_pg *c, struct waiting *w, PGresult **ret,
              rowlock_error *err)
{
    PGresult *r = NULL, *sync = NULL;
    int rc = 0;
    for (int i = 0; i <= c->n_piped && !c->tx.lost; i++) {
        PGresult *one = NULL;
        int failed = receive_one(c, w, &one, rc ? NULL : err);
        rc = rc ? rc : failed;
        if (i < c->n_piped)
            rlk_pg_clear(c, one);
        else
            r = one;
    }
    c->n_piped = 0;
    if (!c->tx.lost) {
        int end = next_result(c, w, &sync, rc ? NULL : err);
        rc = rc ? rc : end;
        rlk_pg_clear(c, sync);
    }
    if (!c->tx.lost && !c->pq->PQexitPipelineMode(c->db))
        rc = rlk_pg_lost(c, rc ? NULL : err);
    if (rc)
        rlk_pg_clear(c, r);
    else
        *ret = r;
    return rc;
}

/* The one result of what was sent. */
static int
receive(struct rlk_pg *c, bool cancellable, PGresult **ret, rowlock_error *err)
{
    struct waiting w = {.since = now_ms(), .cancellable = cancellable};
    return c->n_piped ? receive_piped(c, &w, ret, err)
                      : receive_one(c, &w, ret, err);
}

static int
check_cancel(struct rlk_pg *c, rowlock_error *err)
{
    uint64_t count;
    if (!atomic_exchange(&c->cancelled, 0))
        return 0;
    if (read(c->wake, &count, sizeof count) < 0 && errno != EAGAIN)
        return rlk_fail_errno(err, ROWLOCK_IO, "cannot read an eventfd");
    return rlk_fail(err, ROWLOCK_CANCELLED, "cancelled on request");
}

/* What was to go ahead of a statement that is none of rlk_pg_run(). */
static int
send_prelude(struct rlk_pg *c, rowlock_error *err)
{
    int n = c->n_prelude;
    c->n_prelude = 0;
    for (int i = 0; i < n; i++)
        RLK_TRY(rlk_pg_do(c, c->prelude[i], err));
    return 0;
}

int
rlk_pg_later(struct rlk_pg *c, const char *sql, rowlock_error *err)
{
    if (c->n_prelude == RLK_PG_PRELUDE)
        RLK_TRY(send_prelude(c, err));
    snprintf(c->prelude[c->n_prelude++], sizeof *c->prelude, "%s", sql);
    return 0;
}

int
rlk_pg_do(struct rlk_pg *c, const char *sql, rowlock_error *err)
{
    PGresult *r;
    RLK_TRY(send_prelude(c, err));
    if (!c->pq->PQsendQuery(c->db, sql)) /* one message, where others are 5 */
        return rlk_pg_lost(c, err);
    RLK_TRY(receive(c, false, &r, err));
    rlk_pg_clear(c, r);
    return 0;
}

/* ---- prepared statements ---- */

static void
statement_name(const struct rlk_pg *c, const struct rlk_pg_statement *s,
               char ret[24])
{
    snprintf(ret, 24, "rowlock_%d", (int)(s - c->statements));
}

void
rlk_pg_statements_clear(struct rlk_pg *c)
{
    for (size_t i = 0; i < SLOTS; i++)
        rlk_free(c->statements[i].sql);
    memset(c->statements, 0, sizeof c->statements);
    c->n_statements = 0;
    c->begin_is_prepared = false;
}

static struct rlk_pg_statement *
statement_slot(struct rlk_pg *c, uint64_t hash)
{
    size_t i = hash % SLOTS;
    while (c->statements[i].sql && (c->statements[i].hash != hash ||
                                    strcmp(c->statements[i].sql, c->sql.ptr)))
        i = (i + 1) % SLOTS;
    return &c->statements[i];
}

/* Few programs have so many texts; those begin anew. */
static int
make_room(struct rlk_pg *c, rowlock_error *err)
{
    if (c->n_statements < RLK_PG_STATEMENTS)
        return 0;
    RLK_TRY(rlk_pg_do(c, "DEALLOCATE ALL", err));
    rlk_pg_statements_clear(c);
    return 0;
}

static int
prepare(struct rlk_pg *c, struct rlk_pg_statement *s, uint64_t hash,
        rowlock_error *err)
{
    char name[24];
    PGresult *r;
    statement_name(c, s, name);
    if (!c->pq->PQsendPrepare(c->db, name, c->sql.ptr, 0, NULL))
        return rlk_pg_lost(c, err);
    RLK_TRY(receive(c, true, &r, err));
    rlk_pg_clear(c, r);
    char *sql = rlk_strdup(c->sql.ptr);
    if (!sql)
        return rlk_out_of_memory(err);
    *s = (struct rlk_pg_statement){hash, sql};
    c->n_statements++;
    return 0;
}

static int
find_statement(struct rlk_pg *c, char ret_name[24], rowlock_error *err)
{
    uint64_t hash = rlk_pg_hash(0, c->sql.ptr, c->sql.len);
    struct rlk_pg_statement *s = statement_slot(c, hash);
    if (!s->sql) { /* which may fail, so its savepoint comes first */
        RLK_TRY(send_prelude(c, err));
        RLK_TRY(make_room(c, err));
        s = statement_slot(c, hash);
        RLK_TRY(prepare(c, s, hash, err));
    }
    statement_name(c, s, ret_name);
    return 0;
}

/* Each block has it, so the server shall not take it apart each time. */
static bool
pipe_begin(struct rlk_pg *c)
{
    static const char name[] = "rowlock_begin";
    bool sent = true;
    if (!c->begin_is_prepared) {
        sent = c->pq->PQsendPrepare(c->db, name, RLK_PG_BEGIN, 0, NULL);
        c->begin_is_prepared = true;
        c->n_piped++;
    }
    c->n_piped++;
    return sent &&
           c->pq->PQsendQueryPrepared(c->db, name, 0, NULL, NULL, NULL, 0);
}

static bool
pipe_one(struct rlk_pg *c, const char *sql)
{
    if (strcmp(sql, RLK_PG_BEGIN) == 0)
        return pipe_begin(c);
    c->n_piped++;
    return c->pq->PQsendQueryParams(c->db, sql, 0, NULL, NULL, NULL, NULL, 0);
}

/* Sends what goes ahead, without waiting for it. */
static bool
start_pipe(struct rlk_pg *c)
{
    bool sent = c->n_prelude == 0 || c->pq->PQenterPipelineMode(c->db);
    c->n_piped = 0;
    for (int i = 0; i < c->n_prelude && sent; i++)
        sent = pipe_one(c, c->prelude[i]);
    c->n_prelude = 0;
    return sent;
}

static int
send_statement(struct rlk_pg *c, rowlock_error *err)
{
    char name[24];
    const struct rlk_pg_params *p = &c->params;
    if (c->sql.failed || p->failed)
        return rlk_out_of_memory(err);
    RLK_TRY(check_cancel(c, err));
    RLK_TRY(find_statement(c, name, err));
    if (!start_pipe(c))
        return rlk_pg_lost(c, err);
    if (!c->pq->PQsendQueryPrepared(c->db, name, p->n, p->values, p->lengths,
                                    p->formats, 0))
        return rlk_pg_lost(c, err);
    if (c->n_piped && !c->pq->PQpipelineSync(c->db))
        return rlk_pg_lost(c, err);
    return 0;
}

int
rlk_pg_run(struct rlk_pg *c, PGresult **ret, rowlock_error *err)
{
    RLK_TRY(send_statement(c, err));
    return receive(c, true, ret, err);
}

int
rlk_pg_stream(struct rlk_pg *c,
              int (*take)(struct rlk_pg *c, PGresult *r, void *arg,
                          rowlock_error *err),
              void *arg, rowlock_error *err)
{
    struct waiting w = {.since = now_ms(), .cancellable = true};
    PGresult *r;
    int rc = 0;
    RLK_TRY(send_prelude(c, err));
    RLK_TRY(send_statement(c, err));
    c->pq->PQsetSingleRowMode(c->db);
    do {
        RLK_TRY(next_result(c, &w, &r, err));
        if (r && !rc && !good(c, r))
            rc = rlk_pg_fail(c, r, err);
        if (r && !rc && c->pq->PQntuples(r))
            rc = take(c, r, arg, err);
        rlk_pg_clear(c, r);
        if (rc && !w.asked) { /* the rest is not wanted */
            w.asked = true;
            ask_to_cancel(c);
        }
    } while (r && !c->tx.lost);
    return rc;
}

/* ---- lock_timeout ---- */

int
rlk_pg_set_wait(struct rlk_pg *c, int32_t wait_ms, rowlock_error *err)
{
    char sql[48];
    int32_t wanted = wait_ms < 0 ? 1 : wait_ms;
    if (c->wait_ms == wanted)
        return 0;
    snprintf(sql, sizeof sql, "SET lock_timeout = %d", (int)wanted);
    RLK_TRY(rlk_pg_later(c, sql, err));
    c->wait_ms = wanted;
    return 0;
}
