/* SPDX-License-Identifier: MIT
 * The server's errors in the contract's words. SQLSTATE, message, detail and
 * hint are its own; the code says what a program does about it. Nothing that
 * libpq says of a URL is repeated, since that may hold a password. */
#include "conn.h"

#include <string.h>

static const struct {
    const char *sqlstate; /* or the beginning of one */
    enum rowlock_code code;
} known[] = {
    {"55P03", ROWLOCK_NOT_AVAILABLE},
    {"40P01", ROWLOCK_DEADLOCK},
    {"40", ROWLOCK_SERIALIZATION},
    {"23505", ROWLOCK_UNIQUE},
    {"23", ROWLOCK_CONSTRAINT},
    {"25P02", ROWLOCK_ABORTED},
    {"25006", ROWLOCK_IO}, /* as of a read-only file */
    {"57014", ROWLOCK_CANCELLED},
    {"42P01", ROWLOCK_UNDEFINED},
    {"42703", ROWLOCK_UNDEFINED},
    {"22", ROWLOCK_BAD_VALUE},
    {"08", ROWLOCK_CONNECTION},
    {"57P", ROWLOCK_CONNECTION},
    {"28", ROWLOCK_CONNECTION},
    {"3D000", ROWLOCK_CONNECTION},
    {"53300", ROWLOCK_CONNECTION},
    {"53200", ROWLOCK_NO_MEMORY},
    {"53", ROWLOCK_IO},
    {"58", ROWLOCK_IO},
    {"XX", ROWLOCK_IO},
    {"", ROWLOCK_UNSUPPORTED},
};

static enum rowlock_code
code_of(const char *sqlstate)
{
    size_t i = 0;
    while (strncmp(sqlstate, known[i].sqlstate, strlen(known[i].sqlstate)) != 0)
        i++;
    return known[i].code;
}

/* "Key (slug)=(x) already exists." without what may be private. */
static void
explain_unique(const char *detail, rowlock_error *err)
{
    const char *end = strstr(detail, ")=(");
    const char *key = strchr(detail, '(');
    if (key && end && key < end)
        rlk_detail(err, "Key (%.*s) already exists.", (int)(end - key - 1),
                   key + 1);
}

static const char *
field(const struct rlk_pg *c, const PGresult *r, int code)
{
    const char *text = c->pq->PQresultErrorField(r, code);
    return text ? text : "";
}

static void
explain(const struct rlk_pg *c, const PGresult *r, enum rowlock_code code,
        rowlock_error *err)
{
    const char *detail = field(c, r, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = field(c, r, PG_DIAG_MESSAGE_HINT);
    const char *column = field(c, r, PG_DIAG_COLUMN_NAME);
    if (code == ROWLOCK_UNIQUE)
        explain_unique(detail, err);
    else if (*detail)
        rlk_detail(err, "%s", detail);
    else if (*column)
        rlk_detail(err, "It is about: %s.", column);
    if (*hint)
        rlk_hint(err, "%s", hint);
}

/* The catalogue that we read is not the one that is there. */
static bool
is_out_of_date(const char *sqlstate, const char *message)
{
    return strncmp(sqlstate, "42", 2) == 0 ||
           (strcmp(sqlstate, "0A000") == 0 && strstr(message, "cached plan"));
}

/* FATAL and PANIC: the server's last words, before it hangs up. */
static bool
hangs_up(const struct rlk_pg *c, const PGresult *r)
{
    const char *severity = field(c, r, PG_DIAG_SEVERITY_NONLOCALIZED);
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 ||
           c->pq->PQstatus(c->db) != CONNECTION_OK;
}

int
rlk_pg_fail(struct rlk_pg *c, const PGresult *r, rowlock_error *err)
{
    const char *sqlstate = field(c, r, PG_DIAG_SQLSTATE);
    const char *message = field(c, r, PG_DIAG_MESSAGE_PRIMARY);
    if (!*sqlstate || hangs_up(c, r))
        return rlk_pg_lost(c, err);
    enum rowlock_code code = code_of(sqlstate);
    if (is_out_of_date(sqlstate, message)) {
        rlk_pg_catalogue_clear(c);
        if (strcmp(sqlstate, "0A000") == 0) {
            code = rlk_fail(err, ROWLOCK_SERIALIZATION,
                            "the tables were changed meanwhile");
            c->forget_statements = true;
            return code;
        }
    }
    if (code == ROWLOCK_CANCELLED && atomic_exchange(&c->cancelled, 0))
        return rlk_fail(err, code, "cancelled on request");
    rlk_fail(err, code, "%s", message);
    rlk_sqlstate(err, sqlstate);
    explain(c, r, code, err);
    if (code == ROWLOCK_IO || code == ROWLOCK_CONNECTION)
        rlk_context(err, "%s", c->where);
    return code;
}

/* The first line of what libpq says, which has no newline at its end then. */
static int
first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

int
rlk_pg_lost(struct rlk_pg *c, rowlock_error *err)
{
    const char *why = c->pq->PQerrorMessage(c->db);
    c->tx.lost = true;
    rlk_fail(err, ROWLOCK_CONNECTION, "the connection to the server was lost");
    if (*why)
        rlk_detail(err, "%.*s", first_line(why), why);
    rlk_hint(err, "What the block did is undone; the next block connects "
                  "again.");
    rlk_context(err, "%s", c->where);
    return ROWLOCK_CONNECTION;
}

int
rlk_pg_not_available(rowlock_error *err)
{
    return rlk_fail(err, ROWLOCK_NOT_AVAILABLE,
                    "another session holds the record");
}
