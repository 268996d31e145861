/* SPDX-License-Identifier: MIT
 * A server looked over, without a block: versions, the way there, settings, and
 * who waits now; the tables are looked at in doctor_tables.c. One query a
 * question, each row of its answer one finding.
 *
 * Settings are taken as a session begins with them (reset_val), since ours has
 * set some for itself. Invariant: nothing is written, nobody is waited for. */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
rlk_pg_tell(const struct rlk_server_doctor *doctor, enum rlk_grade grade,
            const char *follows, const char *todo, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    rlk_finding_tell((struct rlk_finding){grade, "", follows, todo},
                     doctor->tell, doctor->arg, format, list);
    va_end(list);
}

/* ---- questions ---- */

static void
tell_rows(const struct rlk_server_doctor *doctor, const struct rlk_pg *c,
          const struct rlk_pg_question *q, const PGresult *r)
{
    for (int i = 0; i < c->pq->PQntuples(r); i++)
        if (!c->pq->PQgetisnull(r, i, 0))
            rlk_pg_tell(doctor, q->grade, q->follows,
                        c->pq->PQgetvalue(r, i, 1), "%s",
                        c->pq->PQgetvalue(r, i, 0));
}

int
rlk_pg_answer(const struct rlk_server_doctor *doctor, struct rlk_pg *c,
              const struct rlk_pg_question *q, rowlock_error *err)
{
    PGresult *r;
    rowlock_error why = {0};
    rlk_pg_start(c);
    rlk_pg_sql(c, q->sql);
    int rc = rlk_pg_run(c, &r, &why);
    if (rc == ROWLOCK_CONNECTION || rc == ROWLOCK_NO_MEMORY ||
        rc == ROWLOCK_CANCELLED) {
        if (err)
            *err = why;
        return rc;
    }
    if (rc) {
        rlk_pg_tell(doctor, RLK_GRADE_WARN, "", "",
                    "%s could not be looked at: %s", q->about, why.message);
        return 0;
    }
    tell_rows(doctor, c, q, r);
    rlk_pg_clear(c, r);
    return 0;
}

/* A setting as a session begins with it, in milliseconds. */
#define MS(name)                                                           \
    "(SELECT reset_val::bigint * CASE unit WHEN 's' THEN 1000 WHEN 'min' " \
    "THEN 60000 ELSE 1 END FROM pg_settings WHERE name = '" name "')"
#define SPOKEN(name)                                                         \
    "(SELECT reset_val || coalesce(unit, '') FROM pg_settings WHERE name = " \
    "'" name "')"
/* PostgreSQL 14 and later know since when. */
#define WAITED                                                             \
    "(SELECT max(extract(epoch FROM clock_timestamp() - "                  \
    "coalesce((to_jsonb(l)->>'waitstart')::timestamptz, a.query_start))) " \
    "FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid "       \
    "WHERE NOT l.granted)"

static const struct rlk_pg_question questions[] = {
    {"whether it takes writes",
     "SELECT 'the server is a standby', 'Name the primary in the URL, or all "
     "of them with target_session_attrs=read-write.' WHERE pg_is_in_recovery()",
     RLK_GRADE_BAD, "Nothing can be locked or written there."},
    {"whether it takes writes",
     "SELECT 'sessions begin read-only (default_transaction_read_only)', "
     "'Switch it off for this user or database.' FROM pg_settings "
     "WHERE name = 'default_transaction_read_only' AND reset_val = 'on'",
     RLK_GRADE_BAD, "Nothing can be locked or written there."},
    {"the isolation",
     "SELECT 'transactions begin with ' || reset_val || ' isolation', '' "
     "FROM pg_settings WHERE name = 'default_transaction_isolation' "
     "AND reset_val <> 'read committed'",
     RLK_GRADE_WARN,
     "Rowlock's blocks ask for read committed. Other programs get 40001 where "
     "Rowlock waits, and have to begin anew."},
    {"deadlock_timeout",
     "SELECT 'deadlocks are looked for after ' || " SPOKEN(
         "deadlock_timeout") ", '' WHERE " MS("deadlock_timeout") " <= 10000",
     RLK_GRADE_OK, ""},
    {"deadlock_timeout",
     "SELECT 'deadlocks are looked for after ' || " SPOKEN(
         "deadlock_timeout") ", 'Set deadlock_timeout to a second or so.' "
                             "WHERE " MS("deadlock_timeout") " > 10000",
     RLK_GRADE_WARN, "So long those that are in one wait in vain."},
    {"statement_timeout",
     "SELECT 'statement_timeout is ' || " SPOKEN(
         "statement_timeout") ", "
                              "'For this program: PGOPTIONS=''-c "
                              "statement_timeout=0''' "
                              "WHERE " MS("statement_timeout") " > 0",
     RLK_GRADE_WARN,
     "A wait for a record is part of its statement: it ends with 57014 by "
     "then, whatever --wait says."},
    {"lock_timeout",
     "SELECT 'lock_timeout is ' || " SPOKEN(
         "lock_timeout") ", '' "
                         "WHERE " MS("lock_timeout") " > 0",
     RLK_GRADE_OK, "Rowlock's sessions set their own; it is for others."},
    {"the idle timeouts",
     "SELECT name || ' is ' || reset_val || unit, 'For this program: "
     "PGOPTIONS=''-c ' || name || '=0''' FROM pg_settings "
     "WHERE name IN ('idle_in_transaction_session_timeout', "
     "'idle_session_timeout', 'transaction_timeout') AND reset_val <> '0' "
     "ORDER BY name",
     RLK_GRADE_WARN,
     "A session that says nothing for so long is ended, and its locks go: a "
     "block that works long between two calls, what keeps two runs of one "
     "definition apart."},
    {"the lock table",
     "SELECT 'room for ' || n || ' locks (max_locks_per_transaction ' || m || "
     "'), ' || (SELECT count(*) FROM pg_locks WHERE NOT fastpath) || ' in "
     "use', "
     "'' FROM (SELECT m, m * (SELECT sum(setting::bigint) FROM pg_settings "
     "WHERE name IN ('max_connections', 'max_prepared_transactions')) AS n "
     "FROM (SELECT setting::bigint AS m FROM pg_settings "
     "WHERE name = 'max_locks_per_transaction') AS s) AS t WHERE m >= 64",
     RLK_GRADE_OK, ""},
    {"the lock table",
     "SELECT 'max_locks_per_transaction is ' || setting, "
     "'Set it to 64 or more, and restart the server.' FROM pg_settings "
     "WHERE name = 'max_locks_per_transaction' AND setting::bigint < 64",
     RLK_GRADE_WARN,
     "Records need no room there. The key locks of update_or_create do, where "
     "no unique index stands behind a match key: one for each new value until "
     "its block ends, else 53200."},
    {"who waits",
     "SELECT 'sessions that wait for a lock: ' || (SELECT count(*) "
     "FROM pg_locks WHERE NOT granted), '' "
     "WHERE coalesce(" WAITED ", 0) < 10",
     RLK_GRADE_OK, ""},
    {"who waits",
     "SELECT 'sessions that wait for a lock: ' || (SELECT count(*) "
     "FROM pg_locks WHERE NOT granted) || ', the longest for ' || "
     "floor(" WAITED ") || ' s', '' WHERE " WAITED " >= 10",
     RLK_GRADE_WARN,
     "Somebody holds a record for long: \"rowlock locks\" shows who."},
    {"who is idle in a transaction",
     "SELECT 'process ' || pid || coalesce(' (' || nullif(application_name, "
     "'') || ')', '') || ' has been idle in a transaction for ' || "
     "floor(extract(epoch FROM clock_timestamp() - state_change) / 60) || "
     "' min', 'To end it: SELECT pg_terminate_backend(' || pid || ');' "
     "FROM pg_stat_activity WHERE datname = current_database() "
     "AND state LIKE 'idle in transaction%' "
     "AND clock_timestamp() - state_change > interval '1 minute' "
     "ORDER BY state_change LIMIT 5",
     RLK_GRADE_WARN, "What it has locked stays locked until it ends."},
};

/* ---- the way there ---- */

/* 150005 is 15.5. */
static void
add_version(char ret[16], int version)
{
    snprintf(ret, 16, "%d.%d", version / 10000, version % 10000);
}

static void
tell_versions(const struct rlk_server_doctor *doctor, const struct rlk_pg *c)
{
    char server[16], library[16];
    add_version(server, c->pq->PQserverVersion(c->db));
    add_version(library, c->pq->PQlibVersion());
    rlk_pg_tell(doctor, RLK_GRADE_OK, "", "", "PostgreSQL %s, libpq %s; %s",
                server, library, c->where);
    if (!(c->base.driver->capabilities & RLK_CAN_LOCK_KEYS))
        rlk_pg_tell(doctor, RLK_GRADE_WARN,
                    "Rowlock was never run on it. It has no advisory locks for "
                    "Rowlock: update_or_create needs a unique index on each "
                    "match key, and nothing keeps two runs of a definition "
                    "apart.",
                    "", "the server is CockroachDB, YugabyteDB or has Citus");
}

static bool
is_near(const char *host)
{
    static const char *const names[] = {"localhost", "127.", "::1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(host, names[i], strlen(names[i])) == 0)
            return true;
    return host[0] == '/' || host[0] == '@';
}

static void
tell_way(const struct rlk_server_doctor *doctor, const struct rlk_pg *c)
{
    const char *host = c->pq->PQhost(c->db);
    const char *protocol = c->pq->PQsslAttribute(c->db, "protocol");
    if (c->pq->PQsslInUse(c->db))
        rlk_pg_tell(doctor, RLK_GRADE_OK, "", "", "encrypted: %s",
                    protocol ? protocol : "TLS");
    else if (!host || is_near(host))
        rlk_pg_tell(doctor, RLK_GRADE_OK, "", "",
                    "not encrypted, and within this machine");
    else
        rlk_pg_tell(doctor, RLK_GRADE_WARN,
                    "What is read and written can be seen on the way, and "
                    "changed.",
                    "Add sslmode=verify-full to the URL (on the server: "
                    "ssl = on).",
                    "the connection is not encrypted");
}

static int
examine(const struct rlk_server_doctor *doctor, struct rlk_pg *c,
        rowlock_error *err)
{
    tell_versions(doctor, c);
    tell_way(doctor, c);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        RLK_TRY(rlk_pg_answer(doctor, c, &questions[i], err));
    return rlk_pg_examine_tables(doctor, c, err);
}

int
rlk_postgres_examine(const struct rlk_server_doctor *doctor, rowlock_error *err)
{
    const struct rlk_open o = {
        .target = doctor->url, .label = "rowlock doctor", .look_only = true};
    struct rlk_conn *conn;
    rowlock_error why = {0};
    int rc = rlk_postgres_driver.open(&o, &conn, &why);
    if (rc == ROWLOCK_UNSUPPORTED) { /* too old, or no library */
        rlk_pg_tell(doctor, RLK_GRADE_BAD, why.hint, "", "%s", why.message);
        return 0;
    }
    if (rc) {
        if (err)
            *err = why;
        return rc;
    }
    rc = examine(doctor, rlk_pg_of(conn), err);
    conn->driver->close(conn);
    return rc;
}
