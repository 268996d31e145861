/* SPDX-License-Identifier: MIT
 * Read-only SQL of the caller. It runs in a savepoint in which the transaction
 * is read-only, so the server itself refuses what would write; only statements
 * that read are let through at all, since COMMIT writes nothing either. */
#include "conn.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- ?1 becomes $1 ---- */

/* Behind what is quoted or a comment at p; p itself when nothing is. */
static const char *
skip_quoted(const char *p)
{
    const char *end = NULL;
    if (*p == '\'' || *p == '"') {
        end = strchr(p + 1, *p);
        return end ? end + 1 : p + strlen(p);
    }
    if (p[0] == '-' && p[1] == '-')
        return p + strcspn(p, "\n");
    if (p[0] == '/' && p[1] == '*') {
        end = strstr(p + 2, "*/");
        return end ? end + 2 : p + strlen(p);
    }
    if (*p == '$' && !isdigit((unsigned char)p[1])) { /* $tag$ ... $tag$ */
        size_t tag = 1 + strspn(p + 1, "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
        if (p[tag] != '$' || tag > 62)
            return p;
        char mark[64] = {0};
        memcpy(mark, p, tag + 1);
        end = strstr(p + tag + 1, mark);
        return end ? end + tag + 1 : p + strlen(p);
    }
    return p;
}

static void
add_text(struct rlk_pg *c, const char *sql)
{
    for (const char *p = sql; *p;) {
        const char *behind = skip_quoted(p);
        if (behind > p) {
            rlk_buf_add(&c->sql, p, (size_t)(behind - p));
            p = behind;
        } else if (*p == '?' && isdigit((unsigned char)p[1])) {
            rlk_buf_char(&c->sql, '$');
            p++;
        } else {
            rlk_buf_char(&c->sql, *p++);
        }
    }
}

static const char *
first_word(const char *sql)
{
    for (;;) {
        const char *p = sql + strspn(sql, " \t\r\n\f(");
        sql = *p == '-' || *p == '/' ? skip_quoted(p) : p;
        if (sql == p)
            return p;
    }
}

static int
check_word(const char *sql, rowlock_error *err)
{
    static const char *const words[] = {"SELECT", "WITH",    "VALUES",
                                        "TABLE",  "EXPLAIN", "SHOW"};
    const char *word = first_word(sql);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);
        if (strncasecmp(word, words[i], len) == 0 &&
            !isalnum((unsigned char)word[len]) && word[len] != '_')
            return 0;
    }
    return rlk_fail(err, ROWLOCK_UNSUPPORTED, "the SQL is not read-only");
}

/* Parameters are of any type: their text is what the server reads. */
static int
add_params(struct rlk_pg *c, const rowlock_value *params, size_t n,
           rowlock_error *err)
{
    size_t len = c->sql.len;
    for (size_t i = 0; i < n; i++) {
        const char *text = NULL;
        if (params[i].type != ROWLOCK_NULL &&
            !(text = rlk_pg_text(&c->scratch, params[i])))
            return rlk_out_of_memory(err);
        rlk_pg_sql_text(c, text, 0);
    }
    if (!c->sql.failed)
        c->sql.ptr[c->sql.len = len] = 0; /* only the values were wanted */
    return 0;
}

/* ---- rows of any shape ---- */

static enum rlk_pg_kind
kind_of(Oid type)
{
    static const struct {
        Oid type;
        enum rlk_pg_kind kind;
    } kinds[] = {
        {16, RLK_PG_BOOL},        {17, RLK_PG_BYTES},
        {20, RLK_PG_INT},         {21, RLK_PG_INT},
        {23, RLK_PG_INT},         {26, RLK_PG_INT},
        {700, RLK_PG_FLOAT4},     {701, RLK_PG_FLOAT8},
        {1042, RLK_PG_PADDED},    {1083, RLK_PG_TIME},
        {1114, RLK_PG_TIMESTAMP}, {1184, RLK_PG_TIMESTAMP},
        {1700, RLK_PG_NUMERIC},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].type == type)
            return kinds[i].kind;
    return RLK_PG_TEXT;
}

static bool
take_names(struct rlk_pg *c, const PGresult *r, struct rlk_rows *ret)
{
    size_t n = (size_t)c->pq->PQnfields(r);
    const char **names = rlk_arena_alloc(&ret->arena, n, sizeof *names);
    bool ok = names;
    for (size_t i = 0; ok && i < n; i++) {
        const char *name = c->pq->PQfname(r, (int)i);
        ok = (names[i] = rlk_arena_copy(&ret->arena, name, strlen(name)));
    }
    ret->column_names = names;
    ret->n_columns = n;
    return ok;
}

static bool
take_row(struct rlk_pg *c, const PGresult *r, int at, struct rlk_rows *ret)
{
    struct rlk_row *row = rlk_rows_add(ret, ret->n_columns);
    bool ok = row;
    for (int i = 0; ok && i < (int)ret->n_columns; i++)
        if (!c->pq->PQgetisnull(r, at, i))
            ok = rlk_pg_value(&ret->arena, kind_of(c->pq->PQftype(r, i)),
                              c->pq->PQgetvalue(r, at, i),
                              (size_t)c->pq->PQgetlength(r, at, i),
                              &row->values[i]);
    return ok;
}

static int
take_all(struct rlk_pg *c, const PGresult *r, struct rlk_rows *ret,
         rowlock_error *err)
{
    struct rlk_rows rows = {0};
    bool ok = take_names(c, r, &rows);
    for (int i = 0; ok && i < c->pq->PQntuples(r); i++)
        ok = take_row(c, r, i, &rows);
    if (ok) {
        *ret = rows;
        return 0;
    }
    rlk_rows_done(&rows);
    return rlk_out_of_memory(err);
}

static int
run(struct rlk_pg *c, const char *sql, const rowlock_value *params, size_t n,
    struct rlk_rows *ret, rowlock_error *err)
{
    PGresult *r;
    rlk_pg_start(c);
    add_text(c, sql);
    RLK_TRY(add_params(c, params, n, err));
    int rc = rlk_pg_run(c, &r, err);
    if (rc) {
        if (err && strcmp(err->sqlstate, "25006") == 0)
            rc = rlk_fail(err, ROWLOCK_UNSUPPORTED, "the SQL is not read-only");
        return rc;
    }
    rc = take_all(c, r, ret, err);
    rlk_pg_clear(c, r);
    return rc;
}

int
rlk_pg_read_sql(struct rlk_conn *conn, const char *sql,
                const rowlock_value *params, size_t n_params,
                struct rlk_rows *ret, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    RLK_TRY(rlk_pg_ready(c, err));
    RLK_TRY(check_word(sql, err));
    RLK_TRY(rlk_pg_do(c, "SAVEPOINT rowlock_sql", err));
    RLK_TRY(rlk_pg_do(c, "SET LOCAL transaction_read_only = on", err));
    RLK_TRY(run(c, sql, params, n_params, ret, err));
    RLK_TRY(rlk_pg_do(c, "ROLLBACK TO SAVEPOINT rowlock_sql", err));
    return rlk_pg_do(c, "RELEASE SAVEPOINT rowlock_sql", err);
}
