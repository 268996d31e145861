/* SPDX-License-Identifier: MIT
 * What the catalogue tells about tables: one query a question, each row of its
 * answer one finding. */
#include <stdio.h>

#include <sqlite3.h>

#include "db/sqlite/doctor.h"

#define TABLES                                      \
    "SELECT name FROM pragma_table_list "           \
    "WHERE schema = 'main' AND type = 'table' AND " \
    "name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"

/* Each answers (what, what to do). */
static const struct question {
    const char *sql, *follows;
} questions[] = {
    {"SELECT 'table ' || t.name || ' has no primary key', "
     "'Give it one: INTEGER PRIMARY KEY, or a key of its own.' "
     "FROM (" TABLES ") t WHERE NOT EXISTS "
     "(SELECT 1 FROM pragma_table_info(t.name) WHERE pk > 0) ORDER BY 1",
     "Its records have no name to be locked by: Rowlock refuses the table."},

    {"SELECT 'foreign key ' || t.name || ' (' || "
     "group_concat(f.\"from\", ', ') || ') to ' || f.\"table\" || "
     "' has no index', "
     "printf('CREATE INDEX \"%w_%w\" ON \"%w\" (%s);', t.name, "
     "min(f.\"from\"), t.name, "
     "group_concat(printf('\"%w\"', f.\"from\"), ', ')) "
     "FROM (" TABLES ") t, pragma_foreign_key_list(t.name) f "
     "GROUP BY t.name, f.id HAVING NOT EXISTS "
     "(SELECT 1 FROM pragma_index_list(t.name) i, pragma_index_info(i.name) x "
     "WHERE i.partial = 0 AND x.seqno = 0 AND x.name IN "
     "(SELECT \"from\" FROM pragma_foreign_key_list(t.name) g "
     "WHERE g.id = f.id)) AND NOT EXISTS "
     "(SELECT 1 FROM pragma_table_info(t.name) p WHERE p.pk = 1 AND p.name IN "
     "(SELECT \"from\" FROM pragma_foreign_key_list(t.name) g "
     "WHERE g.id = f.id)) ORDER BY 1",
     "Deleting a parent, or changing its key, reads the whole table while "
     "everyone else's writes wait."},

    {"SELECT DISTINCT 'unique column ' || t.name || '.' || x.name || "
     "' has the collation ' || x.coll, '' "
     "FROM (" TABLES ") t, pragma_index_list(t.name) i, "
     "pragma_index_xinfo(i.name) x WHERE i.\"unique\" AND x.key AND "
     "upper(x.coll) NOT IN ('BINARY', 'NOCASE', 'RTRIM') ORDER BY 1",
     "Rowlock cannot tell which of its values are equal: one lock stands for "
     "the whole column."},
};

static const char summary[] =
    "SELECT count(*) || CASE count(*) WHEN 1 THEN ' table' ELSE ' tables' END "
    "|| coalesce('; unique: ' || (SELECT group_concat(u, ', ') FROM "
    "(SELECT t.name || '(' || (SELECT group_concat(x.name, ', ') "
    "FROM pragma_index_info(i.name) x) || ')' AS u "
    "FROM (" TABLES ") t, pragma_index_list(t.name) i "
    "WHERE i.\"unique\" AND NOT i.partial AND i.origin <> 'pk' "
    "ORDER BY 1)), '') FROM (" TABLES ")";

static int
tell_rows(const struct rlk_doctor *doctor, sqlite3_stmt *stmt,
          const char *follows)
{
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *what = (const char *)sqlite3_column_text(stmt, 0);
        const char *todo = (const char *)sqlite3_column_text(stmt, 1);
        rlk_doctor_tell(doctor, *follows ? RLK_GRADE_WARN : RLK_GRADE_OK,
                        follows, todo ? todo : "", "%s", what ? what : "");
    }
    return rc == SQLITE_DONE;
}

static int
answer(const struct rlk_doctor *doctor, sqlite3 *db, const char *sql,
       const char *follows, rowlock_error *err)
{
    sqlite3_stmt *stmt;
    int good = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
               tell_rows(doctor, stmt, follows);
    int rc = good ? 0 : rlk_doctor_fail(db, doctor->path, err);
    sqlite3_finalize(stmt);
    return rc;
}

int
rlk_doctor_tables(const struct rlk_doctor *doctor, struct sqlite3 *db,
                  rowlock_error *err)
{
    RLK_TRY(answer(doctor, db, summary, "", err));
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        RLK_TRY(
            answer(doctor, db, questions[i].sql, questions[i].follows, err));
    return 0;
}
