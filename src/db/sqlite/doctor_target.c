/* SPDX-License-Identifier: MIT
 * A table that is imported into: what only SQLite knows of it. Its indexes,
 * columns and parents are looked at where the definition is known
 * (src/sync/check.c). */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/memory.h"
#include "base/text.h"
#include "db/sqlite/doctor.h"

struct target {
    const struct rlk_doctor *doctor;
    const struct rlk_new_table *table;
    sqlite3 *db;
    rowlock_error *err;
};

static int
prepare(const struct target *t, const char *sql, sqlite3_stmt **ret)
{
    if (sqlite3_prepare_v2(t->db, sql, -1, ret, NULL))
        return rlk_doctor_fail(t->db, t->doctor->path, t->err);
    if (sqlite3_bind_parameter_count(*ret))
        sqlite3_bind_text(*ret, 1, t->table->name, -1, SQLITE_STATIC);
    return 0;
}

/* Ends s, whose last step answered rc. */
static int
end(const struct target *t, sqlite3_stmt *s, int rc)
{
    bool good = rc == SQLITE_ROW || rc == SQLITE_DONE;
    int code = good ? 0 : rlk_doctor_fail(t->db, t->doctor->path, t->err);
    sqlite3_finalize(s);
    return code;
}

static int
look_at_triggers(const struct target *t)
{
    sqlite3_stmt *s;
    RLK_TRY(prepare(t,
                    "SELECT count(*), group_concat(name, ', ') FROM (SELECT "
                    "name FROM sqlite_schema WHERE type = 'trigger' AND "
                    "tbl_name = ?1 COLLATE NOCASE ORDER BY name)",
                    &s));
    int rc = sqlite3_step(s), n = sqlite3_column_int(s, 0);
    const char *names = (const char *)sqlite3_column_text(s, 1);
    if (n)
        rlk_doctor_tell(
            t->doctor, RLK_GRADE_WARN,
            "They run at each write of the import, not for unchanged records. "
            "What they change is locked too: where somebody holds it, the "
            "import waits.",
            "", "%d trigger%s on table %s: %s", n, n == 1 ? "" : "s",
            t->table->name, names ? names : "");
    return end(t, s, rc);
}

/* ---- match keys ---- */

static bool
is_known(const char *collation)
{
    return sqlite3_stricmp(collation, "BINARY") == 0 ||
           sqlite3_stricmp(collation, "NOCASE") == 0 ||
           sqlite3_stricmp(collation, "RTRIM") == 0;
}

/* Columns that are in several keys are told once. */
static bool
was_before(const struct rlk_new_table *table, size_t key, size_t column)
{
    for (size_t k = 0; k < key; k++)
        for (size_t i = 0; i < table->indexes[k].n_columns; i++)
            if (table->indexes[k].columns[i] == column)
                return true;
    return false;
}

static void
look_at_collation(const struct target *t, const char *column)
{
    const char *collation = NULL;
    if (sqlite3_table_column_metadata(t->db, "main", t->table->name, column,
                                      NULL, &collation, NULL, NULL, NULL) ||
        !collation || is_known(collation))
        return;
    rlk_doctor_tell(t->doctor, RLK_GRADE_BAD,
                    "SQLite compares its values only in a program that defines "
                    "the collation, which Rowlock does not: no record could be "
                    "looked up.",
                    "Match by another column, or give this one BINARY, NOCASE "
                    "or RTRIM.",
                    "match column %s has the collation %s", column, collation);
}

static void
look_at_collations(const struct target *t)
{
    const struct rlk_new_table *table = t->table;
    for (size_t k = 0; k < table->n_indexes; k++)
        for (size_t i = 0; i < table->indexes[k].n_columns; i++) {
            size_t column = table->indexes[k].columns[i];
            if (!was_before(table, k, column))
                look_at_collation(t, table->columns[column].name);
        }
}

/* "a" IS NOT NULL AND ..., or "a", "b". */
static void
add_columns(sqlite3_str *sql, const struct target *t, size_t key,
            const char *between, const char *after)
{
    const struct rlk_new_index *index = &t->table->indexes[key];
    for (size_t i = 0; i < index->n_columns; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"%s", i ? between : "",
                            t->table->columns[index->columns[i]].name, after);
}

static char *
duplicates_sql(const struct target *t, size_t key, bool counted)
{
    sqlite3_str *sql = sqlite3_str_new(t->db);
    sqlite3_str_appendall(sql, counted ? "SELECT count(*) FROM (SELECT "
                                       : "SELECT ");
    add_columns(sql, t, key, ", ", "");
    sqlite3_str_appendf(sql, ", count(*) FROM \"%w\" WHERE ", t->table->name);
    add_columns(sql, t, key, " AND ", " IS NOT NULL");
    sqlite3_str_appendall(sql, " GROUP BY ");
    add_columns(sql, t, key, ", ", "");
    sqlite3_str_appendf(sql, " HAVING count(*) > 1%s", counted ? ")" : ";");
    return sqlite3_str_finish(sql);
}

static int
count_duplicates(const struct target *t, size_t key, int *ret)
{
    sqlite3_stmt *s = NULL;
    char *sql = duplicates_sql(t, key, true);
    int rc = sql ? prepare(t, sql, &s) : rlk_out_of_memory(t->err);
    sqlite3_free(sql);
    RLK_TRY(rc);
    rc = sqlite3_step(s);
    *ret = sqlite3_column_int(s, 0);
    return end(t, s, rc);
}

int
rlk_doctor_duplicates(const struct rlk_doctor *doctor,
                      const struct rlk_new_table *table, size_t key,
                      rowlock_error *err)
{
    struct target t = {doctor, table, NULL, err};
    int n = 0;
    int rc = rlk_doctor_open(doctor->path, &t.db, err);
    if (!rc)
        rc = count_duplicates(&t, key, &n);
    char *shows = rc || !n ? NULL : duplicates_sql(&t, key, false);
    if (shows)
        rlk_doctor_tell(doctor, RLK_GRADE_WARN,
                        "Of these records the one with the lowest primary key "
                        "is taken, and a unique index cannot be made before "
                        "they differ.",
                        shows,
                        "%d value%s of that key stand%s in several records", n,
                        n == 1 ? "" : "s", n == 1 ? "s" : "");
    sqlite3_free(shows);
    sqlite3_close(t.db);
    return rc;
}

int
rlk_doctor_target(const struct rlk_doctor *doctor,
                  const struct rlk_new_table *table, rowlock_error *err)
{
    struct target t = {doctor, table, NULL, err};
    int rc = rlk_doctor_open(doctor->path, &t.db, err);
    if (!rc)
        rc = look_at_triggers(&t);
    if (!rc)
        look_at_collations(&t);
    sqlite3_close(t.db);
    return rc;
}
