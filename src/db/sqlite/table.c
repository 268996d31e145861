/* SPDX-License-Identifier: MIT
 * Reading one table from SQLite's catalogue: columns, primary key, indexes,
 * foreign keys, and whether a write to it can reach other tables.
 *
 * Everything is copied into the catalogue's arena. What a half-read table has
 * put there stays until the session closes; that happens only on errors. */
#include "conn.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct reader {
    struct rlk_sqlite *c;
    struct rlk_sqlite_table *t;
    rowlock_error *err;
    bool strict;
};

/* Runs sql, with name bound to ?1, and hands each row to take. */
static int
query(struct reader *r, const char *sql, const char *name,
      int (*take)(struct reader *r, sqlite3_stmt *s, void *arg), void *arg)
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

static int
count(struct reader *r, sqlite3_stmt *s, void *arg)
{
    size_t *n = arg;
    (void)r;
    (void)s;
    ++*n;
    return 0;
}

static const char *
copy_text(struct reader *r, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return rlk_arena_copy(&r->c->catalogue.arena, text ? text : "",
                          text ? strlen(text) : 0);
}

static void *
alloc(struct reader *r, size_t n, size_t size)
{
    return rlk_arena_alloc(&r->c->catalogue.arena, n, size);
}

/* The array of n elements that *array becomes, for filling. */
#define ALLOC(r, array, n) ((array) = alloc((r), (n), sizeof *(array)))

/* ---- is it a table that records can be told apart in? ---- */

static int
take_kind(struct reader *r, sqlite3_stmt *s, void *arg)
{
    const char *type = (const char *)sqlite3_column_text(s, 1);
    const char *name = copy_text(r, s, 0);
    (void)arg;
    if (!type || !name)
        return rlk_out_of_memory(r->err);
    if (strcmp(type, "table") != 0 || strncasecmp(name, "sqlite_", 7) == 0) {
        rlk_fail(r->err, ROWLOCK_UNSUPPORTED, "\"%s\" is a %s, not a table",
                 name, strcmp(type, "table") ? type : "system table");
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
suggest(struct reader *r, sqlite3_stmt *s, void *arg)
{
    (void)arg;
    const char *word = (const char *)sqlite3_column_text(s, 0);
    if (word)
        rlk_hint(r->err, "Did you mean \"%s\"?", word);
    return 0;
}

static int
no_such_table(struct reader *r, const char *name)
{
    int code =
        rlk_fail(r->err, ROWLOCK_UNDEFINED, "no such table: \"%s\"", name);
    /* A name that differs by case is found; by more than that, it is not. */
    (void)query(r,
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
read_default(struct reader *r, const char *expression,
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
read_collation(struct reader *r, struct rlk_column *column)
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
take_column(struct reader *r, sqlite3_stmt *s, void *arg)
{
    struct rlk_column *column = arg;
    size_t i = r->t->base.n_columns++;
    struct rlk_sqlite_column *more = &r->t->columns[i];
    int hidden = sqlite3_column_int(s, 4);
    column += i;
    column->name = copy_text(r, s, 0);
    column->declared = copy_text(r, s, 1);
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
read_columns(struct reader *r)
{
    static const char sql[] =
        "SELECT name, type, \"notnull\", dflt_value, hidden "
        "FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    const char *name = r->t->base.name;
    struct rlk_column *columns;
    size_t n = 0;
    RLK_TRY(query(r, sql, name, count, &n));
    if (!ALLOC(r, columns, n) || !ALLOC(r, r->t->columns, n))
        return rlk_out_of_memory(r->err);
    RLK_TRY(query(r, sql, name, take_column, columns));
    r->t->base.columns = columns;
    number_storage(r->t);
    return 0;
}

/* ---- keys and indexes ---- */

static uint32_t
position(const struct rlk_table *t, const char *column)
{
    uint32_t i = 0;
    while (i < t->n_columns && sqlite3_stricmp(t->columns[i].name, column))
        i++;
    return i;
}

struct positions {
    uint32_t *list;
    size_t n;
};

static int
take_position(struct reader *r, sqlite3_stmt *s, void *arg)
{
    struct positions *p = arg;
    const char *name = (const char *)sqlite3_column_text(s, 0);
    uint32_t i =
        name ? position(&r->t->base, name) : (uint32_t)r->t->base.n_columns;
    if (i < r->t->base.n_columns)
        p->list[p->n++] = i;
    return 0;
}

static int
read_positions(struct reader *r, const char *sql, const char *name,
               struct positions *ret)
{
    ret->n = 0;
    if (!ALLOC(r, ret->list, r->t->base.n_columns + 1))
        return rlk_out_of_memory(r->err);
    return query(r, sql, name, take_position, ret);
}

static void
mark_key(struct rlk_sqlite_table *t, const struct positions *p)
{
    for (size_t i = 0; i < p->n; i++)
        t->columns[p->list[i]].in_key = true;
}

static int
read_primary_key(struct reader *r)
{
    struct positions key;
    size_t n_indexes = 0; /* a rowid needs none */
    RLK_TRY(read_positions(r,
                           "SELECT name FROM pragma_table_info(?1) "
                           "WHERE pk > 0 ORDER BY pk",
                           r->t->base.name, &key));
    if (key.n == 0) {
        rlk_fail(r->err, ROWLOCK_UNSUPPORTED, "table \"%s\" has no primary key",
                 r->t->base.name);
        rlk_hint(r->err, "Records are locked by their primary key. Declare "
                         "one, such as id INTEGER PRIMARY KEY.");
        return ROWLOCK_UNSUPPORTED;
    }
    RLK_TRY(query(r, "SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk'",
                  r->t->base.name, count, &n_indexes));
    r->t->rowid_key = n_indexes == 0;
    mark_key(r->t, &key);
    r->t->base.primary_key = key.list;
    r->t->base.n_primary_key = key.n;
    return 0;
}

/* name, unique, partial, origin */
static int
take_index(struct reader *r, sqlite3_stmt *s, void *arg)
{
    struct rlk_index *index = arg;
    struct positions columns;
    size_t n_terms = 0;
    index += r->t->base.n_indexes++;
    if (!(index->name = copy_text(r, s, 0)))
        return rlk_out_of_memory(r->err);
    RLK_TRY(query(r, "SELECT 1 FROM pragma_index_info(?1)", index->name, count,
                  &n_terms));
    RLK_TRY(read_positions(
        r, "SELECT name FROM pragma_index_info(?1) ORDER BY seqno", index->name,
        &columns));
    index->columns = columns.list;
    index->n_columns = columns.n;
    index->unique = sqlite3_column_int(s, 1);
    index->partial = sqlite3_column_int(s, 2) || columns.n < n_terms;
    if (index->unique)
        mark_key(r->t, &columns);
    return 0;
}

static int
read_indexes(struct reader *r)
{
    static const char sql[] =
        "SELECT name, \"unique\", partial FROM pragma_index_list(?1) "
        "WHERE origin <> 'pk' ORDER BY seq DESC";
    const char *name = r->t->base.name;
    struct rlk_index *indexes;
    size_t n = 0;
    RLK_TRY(query(r, sql, name, count, &n));
    if (!ALLOC(r, indexes, n))
        return rlk_out_of_memory(r->err);
    RLK_TRY(query(r, sql, name, take_index, indexes));
    r->t->base.indexes = indexes;
    return 0;
}

/* ---- foreign keys ---- */

struct foreign_key { /* being filled, a row a column */
    const char *parent;
    uint32_t *columns;
    const char **parent_columns;
    size_t n;
};

static int
take_parent_key(struct reader *r, sqlite3_stmt *s, void *arg)
{
    struct foreign_key *key = arg;
    size_t i = (size_t)sqlite3_column_int(s, 1) - 1;
    if (i < r->t->base.n_columns && i < key->n)
        if (!(key->parent_columns[i] = copy_text(r, s, 0)))
            return rlk_out_of_memory(r->err);
    return 0;
}

static int
take_parent_name(struct reader *r, sqlite3_stmt *s, void *arg)
{
    struct foreign_key *key = arg;
    key->parent = copy_text(r, s, 0);
    return key->parent ? 0 : rlk_out_of_memory(r->err);
}

/* seq, from, to, of one foreign key */
static int
take_key_column(struct reader *r, sqlite3_stmt *s, void *arg)
{
    struct foreign_key *key = arg;
    const char *from = (const char *)sqlite3_column_text(s, 0);
    uint32_t i =
        from ? position(&r->t->base, from) : (uint32_t)r->t->base.n_columns;
    if (i == r->t->base.n_columns || key->n == r->t->base.n_columns)
        return 0;
    key->columns[key->n] = i;
    if (sqlite3_column_type(s, 1) != SQLITE_NULL &&
        !(key->parent_columns[key->n] = copy_text(r, s, 1)))
        return rlk_out_of_memory(r->err);
    key->n++;
    return 0;
}

static int
read_key_columns(struct reader *r, int id, struct foreign_key *ret)
{
    char sql[160];
    size_t room = r->t->base.n_columns;
    snprintf(sql, sizeof sql,
             "SELECT \"from\", \"to\" FROM pragma_foreign_key_list(?1) "
             "WHERE id = %d ORDER BY seq",
             id);
    if (!ALLOC(r, ret->columns, room) || !ALLOC(r, ret->parent_columns, room))
        return rlk_out_of_memory(r->err);
    RLK_TRY(query(r, sql, r->t->base.name, take_key_column, ret));
    RLK_TRY(query(r,
                  "SELECT name FROM pragma_table_list WHERE schema = 'main' "
                  "AND name = ?1 COLLATE NOCASE",
                  ret->parent, take_parent_name, ret));
    if (ret->n && !ret->parent_columns[0]) /* the parent's primary key */
        RLK_TRY(query(r,
                      "SELECT name, pk FROM pragma_table_info(?1) "
                      "WHERE pk > 0",
                      ret->parent, take_parent_key, ret));
    return 0;
}

/* id, table, whether something happens to the child */
static int
take_foreign_key(struct reader *r, sqlite3_stmt *s, void *arg)
{
    struct rlk_foreign_key *key = arg;
    struct foreign_key read = {.parent = copy_text(r, s, 1)};
    if (!read.parent)
        return rlk_out_of_memory(r->err);
    RLK_TRY(read_key_columns(r, sqlite3_column_int(s, 0), &read));
    for (size_t i = 0; i < read.n; i++)
        if (!read.parent_columns[i])
            return 0; /* no such parent: SQLite refuses the write itself */
    key += r->t->base.n_foreign_keys++;
    key->parent = read.parent;
    key->columns = read.columns;
    key->parent_columns = read.parent_columns;
    key->n_columns = read.n;
    key->cascades = sqlite3_column_int(s, 2);
    return 0;
}

#define DOES_SOMETHING                                         \
    "(on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR " \
    "on_update IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))"

static int
read_foreign_keys(struct reader *r)
{
    static const char sql[] =
        "SELECT id, \"table\", max(" DOES_SOMETHING ") "
        "FROM pragma_foreign_key_list(?1) GROUP BY id ORDER BY id DESC";
    const char *name = r->t->base.name;
    struct rlk_foreign_key *keys;
    size_t n = 0;
    RLK_TRY(query(r, sql, name, count, &n));
    if (!ALLOC(r, keys, n))
        return rlk_out_of_memory(r->err);
    RLK_TRY(query(r, sql, name, take_foreign_key, keys));
    r->t->base.foreign_keys = keys;
    return 0;
}

static int
read_reach(struct reader *r)
{
    size_t triggers = 0, children = 0, sequences = 0;
    RLK_TRY(query(r,
                  "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND "
                  "tbl_name = ?1 COLLATE NOCASE LIMIT 1",
                  r->t->base.name, count, &triggers));
    RLK_TRY(query(r,
                  "SELECT 1 FROM sqlite_schema m, "
                  "pragma_foreign_key_list(m.name) f WHERE m.type = 'table' "
                  "AND m.sql NOT LIKE 'create virtual%' AND "
                  "f.\"table\" = ?1 COLLATE NOCASE AND " DOES_SOMETHING
                  " LIMIT 1",
                  r->t->base.name, count, &children));
    RLK_TRY(query(r,
                  "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'",
                  "", count, &sequences));
    r->t->sequence = sequences > 0;
    r->t->base.has_triggers = triggers > 0;
    r->t->reaches_others = triggers > 0 || children > 0;
    return 0;
}

static int
find_table(struct reader *r, const char *name)
{
    RLK_TRY(query(r,
                  "SELECT name, type, strict, wr FROM pragma_table_list "
                  "WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
                  name, take_kind, NULL));
    return r->t->base.name ? 0 : no_such_table(r, name);
}

int
rlk_sqlite_read_table(struct rlk_sqlite *c, const char *name,
                      struct rlk_sqlite_table **ret, rowlock_error *err)
{
    struct reader r = {.c = c, .err = err};
    if (!ALLOC(&r, r.t, 1) || !ALLOC(&r, r.t->crowded, 1))
        return rlk_out_of_memory(err);
    RLK_TRY(find_table(&r, name));
    RLK_TRY(read_columns(&r));
    RLK_TRY(read_primary_key(&r));
    RLK_TRY(read_indexes(&r));
    RLK_TRY(read_foreign_keys(&r));
    RLK_TRY(read_reach(&r));
    *ret = r.t;
    return 0;
}
