/* SPDX-License-Identifier: MIT
 * Reading one table from SQLite's catalogue: columns, primary key, indexes,
 * foreign keys, and whether a write to it can reach other tables.
 *
 * Everything is copied into the catalogue's arena. What a half-read table has
 * put there stays until the session closes; that happens only on errors. */
#include "reader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

int
rlk_reader_query(struct rlk_reader *r, const char *sql, const char *name,
                 rlk_take_row *take, void *arg)
{
    sqlite3_stmt *s;
    int step, rc = 0;
    if (sqlite3_prepare_v2(r->c->db, sql, -1, &s, NULL))
        return rlk_sqlite_fail(r->c, "cannot read the catalogue", r->err);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    while ((step = sqlite3_step(s)) == SQLITE_ROW && !rc)
        rc = take(r, s, arg);
    if (!rc && step != SQLITE_DONE)
        rc = rlk_sqlite_fail(r->c, "cannot read the catalogue", r->err);
    sqlite3_finalize(s);
    return rc;
}

int
rlk_reader_count(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    size_t *n = arg;
    (void)r;
    (void)s;
    ++*n;
    return 0;
}

const char *
rlk_reader_text(struct rlk_reader *r, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return rlk_arena_copy(&r->c->catalogue.arena, text ? text : "",
                          text ? strlen(text) : 0);
}

void *
rlk_reader_alloc(struct rlk_reader *r, size_t n, size_t size)
{
    return rlk_arena_alloc(&r->c->catalogue.arena, n, size);
}

/* ---- is it a table that records can be told apart in? ---- */

static int
take_kind(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    const char *type = (const char *)sqlite3_column_text(s, 1);
    const char *name = rlk_reader_text(r, s, 0);
    (void)arg;
    if (!type || !name)
        return rlk_out_of_memory(r->err);
    if (strcmp(type, "table") != 0 || strncasecmp(name, "sqlite_", 7) == 0) {
        bool view = strcmp(type, "view") == 0;
        rlk_fail(r->err, ROWLOCK_UNSUPPORTED, "\"%s\" is a %s%s", name,
                 strcmp(type, "table") ? type : "system",
                 view ? ", not a table" : " table, not an ordinary one");
        rlk_hint(r->err, "Only ordinary tables have records that can be "
                         "locked. Name the table behind it.");
        return ROWLOCK_UNSUPPORTED;
    }
    r->t->base.name = name;
    r->strict = sqlite3_column_int(s, 2);
    r->t->without_rowid = sqlite3_column_int(s, 3);
    return 0;
}

static int
suggest(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    (void)arg;
    const char *word = (const char *)sqlite3_column_text(s, 0);
    if (word)
        rlk_hint(r->err, "Did you mean \"%s\"?", word);
    return 0;
}

static int
no_such_table(struct rlk_reader *r, const char *name)
{
    int code =
        rlk_fail(r->err, ROWLOCK_UNDEFINED, "no such table: \"%s\"", name);
    /* A name that differs by case is found; by more than that, it is not. */
    (void)rlk_reader_query(
        r,
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND "
        "type = 'table' AND (name LIKE ?1 || '_' OR ?1 LIKE name || "
        "'_') LIMIT 1",
        name, suggest, NULL);
    return code;
}

/* ---- columns ---- */

/* What ALTER TABLE ADD COLUMN makes of a default: affinity is applied to it.
 * Only literals can be what older rows show; the rest is no concern. */
static int
read_default(struct rlk_reader *r, const char *expression,
             enum rlk_affinity affinity, rowlock_value *ret)
{
    static const char *const stored[] = {
        [RLK_AFFINITY_NONE] = "x",
        [RLK_AFFINITY_TEXT] = "iif(typeof(x) IN ('integer', 'real'), "
                              "CAST(x AS TEXT), x)",
        [RLK_AFFINITY_NUMERIC] = "iif(CAST(x AS NUMERIC) = x, "
                                 "CAST(x AS NUMERIC), x)",
        [RLK_AFFINITY_REAL] = "iif(CAST(x AS REAL) = x, CAST(x AS REAL), x)",
    };
    struct rlk_buf sql RLK_AUTOBUF = {0};
    sqlite3_stmt *s;
    if (!expression || strchr(expression, '(') ||
        strncasecmp(expression, "CURRENT_", 8) == 0)
        return 0;
    rlk_buf_format(&sql, "SELECT %s FROM (SELECT %s AS x)", stored[affinity],
                   expression);
    if (sql.failed)
        return rlk_out_of_memory(r->err);
    if (sqlite3_prepare_v2(r->c->db, sql.ptr, -1, &s, NULL))
        return 0;
    bool ok = true;
    if (sqlite3_stmt_readonly(s) && sqlite3_step(s) == SQLITE_ROW)
        ok = rlk_value_copy(&r->c->catalogue.arena, rlk_column(s, 0), ret);
    sqlite3_finalize(s);
    return ok ? 0 : rlk_out_of_memory(r->err);
}

enum { HIDDEN_VIRTUAL = 2, HIDDEN_STORED = 3 };

static int
read_collation(struct rlk_reader *r, struct rlk_column *column)
{
    const char *collation = NULL;
    if (sqlite3_table_column_metadata(r->c->db, "main", r->t->base.name,
                                      column->name, NULL, &collation, NULL,
                                      NULL, NULL))
        return rlk_sqlite_fail(r->c, "cannot read the catalogue", r->err);
    char *copy =
        rlk_arena_copy(&r->c->catalogue.arena, collation, strlen(collation));
    if (!copy)
        return rlk_out_of_memory(r->err);
    for (char *p = copy; *p; p++) /* names ignore case */
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    column->collation = copy;
    return 0;
}

/* name, type, notnull, dflt_value, hidden */
static int
take_column(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    struct rlk_column *column = arg;
    size_t i = r->t->base.n_columns++;
    struct rlk_sqlite_column *more = &r->t->columns[i];
    int hidden = sqlite3_column_int(s, 4);
    column += i;
    column->name = rlk_reader_text(r, s, 0);
    column->declared = rlk_reader_text(r, s, 1);
    if (!column->name || !column->declared)
        return rlk_out_of_memory(r->err);
    column->not_null = sqlite3_column_int(s, 2);
    column->has_default = sqlite3_column_type(s, 3) != SQLITE_NULL;
    column->generated = hidden == HIDDEN_VIRTUAL || hidden == HIDDEN_STORED;
    more->storage = hidden == HIDDEN_VIRTUAL ? -1 : 0;
    r->t->computed |= column->generated;
    r->t->misnumbered |= hidden == HIDDEN_VIRTUAL;
    rlk_sqlite_type(column, r->strict, &more->affinity);
    RLK_TRY(read_default(r, (const char *)sqlite3_column_text(s, 3),
                         more->affinity, &more->added));
    return read_collation(r, column);
}

/* Computed columns are not in the record: the others close up. */
static void
number_storage(struct rlk_sqlite_table *t)
{
    int next = 0;
    for (size_t i = 0; i < t->base.n_columns; i++)
        if (t->columns[i].storage >= 0)
            t->columns[i].storage = next++;
}

static int
read_columns(struct rlk_reader *r)
{
    static const char sql[] =
        "SELECT name, type, \"notnull\", dflt_value, hidden "
        "FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    const char *name = r->t->base.name;
    struct rlk_column *columns;
    size_t n = 0;
    RLK_TRY(rlk_reader_query(r, sql, name, rlk_reader_count, &n));
    if (!RLK_READER_ALLOC(r, columns, n) ||
        !RLK_READER_ALLOC(r, r->t->columns, n))
        return rlk_out_of_memory(r->err);
    RLK_TRY(rlk_reader_query(r, sql, name, take_column, columns));
    r->t->base.columns = columns;
    number_storage(r->t);
    return 0;
}

static int
read_reach(struct rlk_reader *r)
{
    size_t triggers = 0, children = 0, sequences = 0;
    RLK_TRY(rlk_reader_query(
        r,
        "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND "
        "tbl_name = ?1 COLLATE NOCASE LIMIT 1",
        r->t->base.name, rlk_reader_count, &triggers));
    RLK_TRY(rlk_reader_query(
        r,
        "SELECT 1 FROM sqlite_schema m, "
        "pragma_foreign_key_list(m.name) f WHERE m.type = 'table' "
        "AND m.sql NOT LIKE 'create virtual%' AND "
        "f.\"table\" = ?1 COLLATE NOCASE AND " RLK_DOES_SOMETHING " LIMIT 1",
        r->t->base.name, rlk_reader_count, &children));
    RLK_TRY(rlk_reader_query(
        r, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'", "",
        rlk_reader_count, &sequences));
    r->t->sequence = sequences > 0;
    r->t->base.has_triggers = triggers > 0;
    r->t->base.reaches_others = triggers > 0 || children > 0;
    return 0;
}

static int
find_table(struct rlk_reader *r, const char *name)
{
    RLK_TRY(
        rlk_reader_query(r,
                         "SELECT name, type, strict, wr FROM pragma_table_list "
                         "WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
                         name, take_kind, NULL));
    return r->t->base.name ? 0 : no_such_table(r, name);
}

int
rlk_sqlite_read_table(struct rlk_sqlite *c, const char *name,
                      struct rlk_sqlite_table **ret, rowlock_error *err)
{
    struct rlk_reader r = {.c = c, .err = err};
    if (!RLK_READER_ALLOC(&r, r.t, 1) || !RLK_READER_ALLOC(&r, r.t->crowded, 1))
        return rlk_out_of_memory(err);
    RLK_TRY(find_table(&r, name));
    RLK_TRY(read_columns(&r));
    RLK_TRY(rlk_read_primary_key(&r));
    RLK_TRY(rlk_read_indexes(&r));
    RLK_TRY(rlk_read_foreign_keys(&r));
    RLK_TRY(read_reach(&r));
    *ret = r.t;
    return 0;
}
