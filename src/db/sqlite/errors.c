/* SPDX-License-Identifier: MIT
 * SQLite's errors in the contract's words. After each one SQLite is asked
 * whether it has ended the transaction by itself (I/O errors, an interrupted
 * write, a full disk): if so nothing more is sent, since it would run in
 * autocommit. */
#include "conn.h"

#include <string.h>

static const struct {
    int sqlite; /* an extended code, or a primary one */
    enum rowlock_code code;
    const char *sqlstate;
    const char *message;
} known[] = {
    {SQLITE_CONSTRAINT_UNIQUE, ROWLOCK_UNIQUE, "23505",
     "a record with this key exists already"},
    {SQLITE_CONSTRAINT_PRIMARYKEY, ROWLOCK_UNIQUE, "23505",
     "a record with this key exists already"},
    {SQLITE_CONSTRAINT_ROWID, ROWLOCK_UNIQUE, "23505",
     "a record with this key exists already"},
    {SQLITE_CONSTRAINT_NOTNULL, ROWLOCK_CONSTRAINT, "23502",
     "a column that must have a value is null"},
    {SQLITE_CONSTRAINT_FOREIGNKEY, ROWLOCK_CONSTRAINT, "23503",
     "the write breaks a foreign key"},
    {SQLITE_CONSTRAINT_CHECK, ROWLOCK_CONSTRAINT, "23514",
     "the write breaks a check constraint"},
    {SQLITE_CONSTRAINT_DATATYPE, ROWLOCK_BAD_VALUE, "22P02",
     "the column's type cannot hold the value"},
    {SQLITE_CONSTRAINT, ROWLOCK_CONSTRAINT, "23000",
     "a constraint or trigger refused the write"},
    {SQLITE_BUSY, ROWLOCK_NOT_AVAILABLE, "55P03",
     "another program holds the database's write lock"},
    {SQLITE_LOCKED, ROWLOCK_NOT_AVAILABLE, "55P03",
     "another program holds the database's write lock"},
    {SQLITE_SCHEMA, ROWLOCK_SERIALIZATION, "40001",
     "the tables were changed meanwhile"},
    {SQLITE_NOMEM, ROWLOCK_NO_MEMORY, "53200", "out of memory"},
    {SQLITE_FULL, ROWLOCK_IO, "53100", "the disk is full"},
    {SQLITE_READONLY, ROWLOCK_IO, "25006", "the database is read-only"},
    {SQLITE_PERM, ROWLOCK_IO, "58030", "the database cannot be used"},
    {SQLITE_CANTOPEN, ROWLOCK_IO, "58030", "cannot open the database"},
    {SQLITE_CORRUPT, ROWLOCK_IO, "XX001", "the database file is damaged"},
    {SQLITE_NOTADB, ROWLOCK_IO, "XX001", "the file is not a SQLite database"},
    {SQLITE_TOOBIG, ROWLOCK_BAD_VALUE, "22001", "the value is too long"},
    {SQLITE_MISMATCH, ROWLOCK_BAD_VALUE, "22P02",
     "the column's type cannot hold the value"},
    {SQLITE_RANGE, ROWLOCK_MISUSE, "HY000", "wrong number of parameters"},
    {SQLITE_AUTH, ROWLOCK_UNSUPPORTED, "0A000", "the SQL is not read-only"},
};

static int
row_of(int sqlite)
{
    const int n = (int)(sizeof known / sizeof known[0]);
    for (int i = 0; i < n; i++)
        if (known[i].sqlite == sqlite)
            return i;
    for (int i = 0; i < n; i++)
        if (known[i].sqlite == (sqlite & 0xFF))
            return i;
    return -1;
}

/* "UNIQUE constraint failed: item.site, item.code" -> "site, code". */
static void
name_columns(const char *said, char *ret, size_t size)
{
    size_t len = 0;
    const char *p = strstr(said, "failed: ");
    for (p = p ? p + 8 : ""; *p && len + 1 < size;) {
        size_t piece = strcspn(p, ",");
        const char *dot = memchr(p, '.', piece);
        const char *from = dot ? dot + 1 : p;
        for (; from < p + piece && len + 3 < size; from++)
            ret[len++] = *from;
        p += piece;
        if (*p && len + 3 < size) {
            memcpy(ret + len, ", ", 2);
            len += 2;
            p += strspn(p, ", ");
        }
    }
    ret[len] = 0;
}

static void
explain(rowlock_error *err, enum rowlock_code code, const char *said)
{
    char columns[256];
    name_columns(said, columns, sizeof columns);
    if (code == ROWLOCK_UNIQUE && columns[0])
        rlk_detail(err, "Key (%s) already exists.", columns);
    else if (code == ROWLOCK_CONSTRAINT && columns[0])
        rlk_detail(err, "It is about: %s.", columns);
    else if (code != ROWLOCK_NO_MEMORY)
        rlk_detail(err, "SQLite says: %s.", said);
    if (code == ROWLOCK_NOT_AVAILABLE)
        rlk_hint(err, "It is a program that does not use Rowlock: a shell, an "
                      "application or a backup with an open transaction.");
}

/* Out of the transaction that we believe to be in. */
static void
note_loss(struct rlk_sqlite *c)
{
    if (!c->tx.writing || !sqlite3_get_autocommit(c->db))
        return;
    c->tx.lost = true;
    rlk_sqlite_suspend(c);
}

/* A disk that fails is looked for by the file's name. */
static void
say_where(struct rlk_sqlite *c, int rc, rowlock_error *err)
{
    char reason[128];
    rlk_context(err, "%s", sqlite3_db_filename(c->db, "main"));
    if (!err || (rc & 0xFF) != SQLITE_IOERR)
        return;
    err->sys_errno = sqlite3_system_errno(c->db);
    if (err->sys_errno)
        rlk_detail(err, "The system says: %s.",
                   strerror_r(err->sys_errno, reason, sizeof reason));
}

int
rlk_sqlite_fail(struct rlk_sqlite *c, const char *doing, rowlock_error *err)
{
    int rc = sqlite3_extended_errcode(c->db);
    c->failed = rc;
    int row = row_of(rc);
    enum rowlock_code code = ROWLOCK_IO;
    bool busy = (rc & 0xFF) == SQLITE_BUSY;
    if ((rc & 0xFF) == SQLITE_INTERRUPT ||
        (busy && atomic_load(&c->cancelled))) {
        atomic_store(&c->cancelled, 0);
        code = ROWLOCK_CANCELLED;
        rlk_fail(err, code, "cancelled on request");
    } else if (row >= 0) {
        code = known[row].code;
        rlk_fail(err, code, "%s", known[row].message);
        rlk_sqlstate(err, known[row].sqlstate);
        explain(err, code, sqlite3_errmsg(c->db));
    } else {
        if ((rc & 0xFF) == SQLITE_ERROR)
            code = ROWLOCK_UNSUPPORTED;
        rlk_fail(err, code, "%s: %s", doing, sqlite3_errmsg(c->db));
    }
    if (code == ROWLOCK_IO)
        say_where(c, rc, err);
    note_loss(c);
    return code;
}

int
rlk_sqlite_not_available(rowlock_error *err)
{
    return rlk_fail(err, ROWLOCK_NOT_AVAILABLE,
                    "another session holds the record");
}
