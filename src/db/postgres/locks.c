/* SPDX-License-Identifier: MIT
 * Who waits for what, and who is in the way. PostgreSQL keeps the locks of rows
 * in the rows: of those pg_locks has only what somebody waits for. Who waits
 * for a row first holds the lock of its tuple, in a mode that tells the one
 * that it wants, and waits for the holder's transaction; who comes later waits
 * for that lock of the tuple. The row itself is still there to be read: its
 * primary key is what people know it by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "db/server.h"

#define KEYS   "1380931404" /* keys.c */
#define CLAIMS "1380931410" /* beside.c */

/* What is the same in two of its rows is one lock. */
#define WHAT "kind, relation, page, tuple, name"

static const char question[] =
    "WITH l AS (SELECT k.*, (to_jsonb(k)->>'waitstart')::timestamptz AS since, "
    "array_position(ARRAY['AccessShareLock', 'RowShareLock', "
    "'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', "
    "'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'], "
    "k.mode) AS strength FROM pg_locks k), "
    "a AS (SELECT * FROM pg_stat_activity), "
    /* who waits */
    "w AS (SELECT l.pid, l.locktype, l.classid, l.objid, l.objsubid, CASE "
    "WHEN coalesce(t.locktype, l.locktype) = 'tuple' THEN 'record' "
    "WHEN l.locktype = 'relation' THEN 'table' "
    "WHEN l.locktype = 'transactionid' THEN 'transaction' "
    "WHEN l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = " KEYS
    " THEN 'key' ELSE l.locktype END AS kind, "
    "coalesce(t.relation, l.relation) AS relation, "
    "coalesce(t.page, l.page) AS page, coalesce(t.tuple, l.tuple) AS tuple, "
    "CASE WHEN t.pid IS NOT NULL THEN NULL "
    "WHEN l.locktype = 'transactionid' THEN l.transactionid::text "
    "WHEN l.locktype = 'virtualxid' THEN l.virtualxid "
    "WHEN l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = " KEYS
    " THEN l.objid::text "
    "WHEN l.locktype = 'advisory' THEN l.classid || '/' || l.objid END AS "
    "name, "
    "coalesce(t.mode, l.mode) AS mode, l.since, "
    "pg_blocking_pids(l.pid) AS blockers "
    "FROM l JOIN a ON a.pid = l.pid LEFT JOIN LATERAL (SELECT * FROM l AS o "
    "WHERE o.pid = l.pid AND o.locktype = 'tuple' AND o.granted LIMIT 1) t "
    "ON l.locktype = 'transactionid' "
    "WHERE NOT l.granted AND a.datname = current_database()), "
    /* who is in the way, and does not wait there itself */
    "h AS (SELECT DISTINCT b.pid, " WHAT ", (SELECT l.mode FROM l "
    "WHERE l.pid = b.pid AND l.granted AND l.locktype = w.locktype "
    "AND w.locktype IN ('relation', 'advisory') "
    "AND l.relation IS NOT DISTINCT FROM w.relation "
    "AND (l.classid, l.objid, l.objsubid) IS NOT DISTINCT FROM "
    "(w.classid, w.objid, w.objsubid) ORDER BY strength DESC LIMIT 1) AS mode "
    "FROM w, unnest(w.blockers) AS b (pid) WHERE NOT EXISTS (SELECT FROM w o "
    "WHERE o.pid = b.pid AND (o.kind, o.relation, o.page, o.tuple, o.name) "
    "IS NOT DISTINCT FROM (w.kind, w.relation, w.page, w.tuple, w.name))), "
    "lines AS (SELECT pid, " WHAT ", mode, true AS waiting, blockers, since "
    "FROM w UNION ALL SELECT pid, " WHAT ", mode, false, '{}', NULL FROM h "
    /* runs of definitions */
    "UNION ALL SELECT pid, 'run', NULL, NULL, NULL, objid::text, mode, false, "
    "'{}', NULL FROM l WHERE locktype = 'advisory' AND granted "
    "AND objsubid = 2 AND classid = " CLAIMS " AND database = (SELECT oid "
    "FROM pg_database WHERE datname = current_database())) "
    "SELECT kind, CASE WHEN pg_table_is_visible(c.oid) THEN c.relname "
    "ELSE n.nspname || '.' || c.relname END, n.nspname || '.' || c.relname, "
    "coalesce('(' || page || ',' || tuple || ')', ''), coalesce(name, ''), "
    "coalesce(mode, ''), waiting, lines.pid, array_to_string(blockers, ','), "
    "greatest(0, extract(epoch FROM clock_timestamp() - CASE WHEN waiting "
    "THEN coalesce(since, a.query_start) WHEN kind = 'run' "
    "THEN a.backend_start ELSE a.xact_start END) * 1000)::bigint, "
    "coalesce(a.application_name, CASE lines.pid WHEN 0 "
    "THEN '(prepared transaction)' END, ''), coalesce(a.state, '') "
    "FROM lines LEFT JOIN a ON a.pid = lines.pid "
    "LEFT JOIN pg_class c ON c.oid = lines.relation "
    "LEFT JOIN pg_namespace n ON n.oid = c.relnamespace "
    "ORDER BY kind, 2, page, tuple, name, waiting, since, lines.pid";

enum column {
    KIND,
    TABLE,
    FULL_NAME,
    PLACE,
    NAME,
    MODE,
    WAITING,
    PID,
    BLOCKERS,
    AGE,
    LABEL,
    ACTIVITY
};

struct looking {
    struct rlk_pg *c;
    const PGresult *r;
    struct rlk_lock_lines *ret;
};

static const char *
cell(const struct looking *s, int row, enum column column)
{
    return s->c->pq->PQgetvalue(s->r, row, column);
}

static const char *
keep(struct looking *s, const char *text)
{
    return rlk_arena_copy(&s->ret->arena, text, strlen(text));
}

/* ---- modes ---- */

/* "AccessExclusiveLock" is called access-exclusive. */
static const char *
spell_out(struct looking *s, const char *mode)
{
    struct rlk_buf RLK_AUTOBUF out = {0};
    size_t len = strlen(mode);
    len -= len > 4 && strcmp(mode + len - 4, "Lock") == 0 ? 4 : 0;
    for (size_t i = 0; i < len; i++) {
        bool upper = mode[i] >= 'A' && mode[i] <= 'Z';
        if (upper && i)
            rlk_buf_char(&out, '-');
        rlk_buf_char(&out, (char)(mode[i] | (upper ? 0x20 : 0)));
    }
    return out.failed ? NULL : keep(s, out.ptr ? out.ptr : "");
}

/* The lock of a tuple has one mode for each mode of its row. */
static const char *
mode_of(struct looking *s, int row)
{
    static const char *const of_rows[][2] = {
        {"AccessShareLock", "key-share"},
        {"RowShareLock", "share"},
        {"ExclusiveLock", "no-key-update"},
        {"AccessExclusiveLock", "update"},
    };
    const char *mode = cell(s, row, MODE), *kind = cell(s, row, KIND);
    for (size_t i = 0; i < 4 && strcmp(kind, "record") == 0; i++)
        if (strcmp(of_rows[i][0], mode) == 0)
            return of_rows[i][1];
    if (strcmp(kind, "key") == 0 || strcmp(kind, "run") == 0)
        return "update";
    return spell_out(s, mode);
}

/* ---- which record ---- */

static int
add_key(struct rlk_pg *c, const struct rlk_table *t, const PGresult *r,
        struct rlk_buf *out)
{
    for (int i = 0; i < c->pq->PQnfields(r); i++) {
        const char *name = t->columns[t->primary_key[i]].name;
        rlk_buf_text(out, i ? "," : "");
        if (c->pq->PQnfields(r) > 1)
            rlk_buf_format(out, "%s=", name);
        rlk_buf_text(out, c->pq->PQgetvalue(r, 0, i));
    }
    return out->failed ? ROWLOCK_NO_MEMORY : 0;
}

/* Its primary key; nothing, where it cannot be read any more, or not by us. */
static int
read_key(struct looking *s, int row, struct rlk_buf *out)
{
    struct rlk_pg *c = s->c;
    const struct rlk_table *t;
    const char *place = cell(s, row, PLACE);
    PGresult *r;
    RLK_TRY(rlk_pg_table(&c->base, cell(s, row, FULL_NAME), &t, NULL));
    rlk_pg_start(c);
    for (size_t i = 0; i < t->n_primary_key; i++) {
        rlk_pg_sql(c, i ? ", " : "SELECT ");
        rlk_pg_sql_name(&c->sql, t->columns[t->primary_key[i]].name);
    }
    rlk_pg_sql(c, " FROM ");
    rlk_pg_sql(c, rlk_pg_table_of(t)->sql_name);
    rlk_pg_sql(c, " WHERE ctid = ");
    rlk_pg_sql_text(c, place, strlen(place));
    rlk_pg_sql(c, "::tid");
    RLK_TRY(rlk_pg_run(c, &r, NULL));
    int rc = c->pq->PQntuples(r) ? add_key(c, t, r, out) : 0;
    rlk_pg_clear(c, r);
    return rc;
}

static int
key_of(struct looking *s, int row, const char **ret)
{
    struct rlk_buf RLK_AUTOBUF key = {0};
    const char *place = cell(s, row, PLACE);
    int rc = *place ? read_key(s, row, &key) : 0;
    if (rc == ROWLOCK_CONNECTION || rc == ROWLOCK_NO_MEMORY)
        return rc;
    *ret = keep(s, key.len ? key.ptr : *place ? place : cell(s, row, NAME));
    return *ret ? 0 : ROWLOCK_NO_MEMORY;
}

/* ---- lines ---- */

static bool
take_blockers(struct looking *s, int row, struct rlk_lock_line *line)
{
    const char *text = cell(s, row, BLOCKERS);
    uint32_t *list =
        rlk_arena_alloc(&s->ret->arena, strlen(text) / 2 + 1, sizeof *list);
    while (list && *text) {
        char *end;
        list[line->n_blocked_by++] = (uint32_t)strtoul(text, &end, 10);
        text = *end ? end + 1 : end;
    }
    line->blocked_by = list;
    return list;
}

static int
take_line(struct looking *s, int row, struct rlk_lock_line *line)
{
    line->kind = keep(s, cell(s, row, KIND));
    line->table = keep(s, cell(s, row, TABLE));
    line->mode = mode_of(s, row);
    line->waiting = cell(s, row, WAITING)[0] == 't';
    line->pid = strtoll(cell(s, row, PID), NULL, 10);
    line->owner = (uint32_t)line->pid;
    line->age_ms = strtoll(cell(s, row, AGE), NULL, 10);
    line->label = keep(s, cell(s, row, LABEL));
    line->activity = keep(s, cell(s, row, ACTIVITY));
    if (!line->kind || !line->table || !line->mode || !line->label ||
        !line->activity || !take_blockers(s, row, line))
        return ROWLOCK_NO_MEMORY;
    return key_of(s, row, &line->key);
}

static int
take_lines(struct looking *s, rowlock_error *err)
{
    int n = s->c->pq->PQntuples(s->r), rc = 0;
    s->ret->list =
        rlk_arena_alloc(&s->ret->arena, (size_t)n, sizeof *s->ret->list);
    if (!s->ret->list)
        return rlk_out_of_memory(err);
    for (int i = 0; i < n && !rc; i++)
        rc = take_line(s, i, &s->ret->list[s->ret->n++]);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(err);
    return rc ? rlk_pg_lost(s->c, err) : 0;
}

int
rlk_postgres_locks(const char *url, struct rlk_lock_lines *ret,
                   rowlock_error *err)
{
    const struct rlk_open o = {
        .target = url, .label = "rowlock locks", .look_only = true};
    struct rlk_conn *conn;
    PGresult *r = NULL;
    *ret = (struct rlk_lock_lines){0};
    RLK_TRY(rlk_postgres_driver.open(&o, &conn, err));
    struct looking s = {.c = rlk_pg_of(conn), .ret = ret};
    /* for the keys: who looks who waits must not wait */
    int rc = rlk_pg_do(s.c, "SET lock_timeout = 1", err);
    rlk_pg_start(s.c);
    rlk_pg_sql(s.c, question);
    if (!rc)
        rc = rlk_pg_run(s.c, &r, err);
    if (!rc) {
        s.r = r;
        rc = take_lines(&s, err);
        rlk_pg_clear(s.c, r);
    }
    conn->driver->close(conn);
    if (rc)
        rlk_arena_done(&ret->arena);
    return rc;
}
