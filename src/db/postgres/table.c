/* SPDX-License-Identifier: MIT
 * Reading one table from the server's catalogue: columns, keys, indexes,
 * foreign keys. Columns become positions. Each query answers one row a fact, as
 * text; an array would have to be taken apart again. */
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct rlk_pg *c;
    struct rlk_arena *arena;
    struct rlk_pg_table *t;
    int32_t *numbers; /* of the columns: pg_attribute.attnum */
    PGresult *r;
    rowlock_error *err;
};

static const char *
cell(const struct reader *r, int row, int column)
{
    return r->c->pq->PQgetvalue(r->r, row, column);
}

static bool
is_true(const struct reader *r, int row, int column)
{
    return cell(r, row, column)[0] == 't';
}

static const char *
keep(const struct reader *r, int row, int column)
{
    const char *text = cell(r, row, column);
    return rlk_arena_copy(r->arena, text, strlen(text));
}

/* sql has one parameter. */
static int
ask(struct reader *r, const char *sql, const char *param)
{
    if (r->r)
        rlk_pg_clear(r->c, r->r);
    r->r = NULL;
    rlk_pg_start(r->c);
    const char *place = strstr(sql, "$1");
    rlk_buf_add(&r->c->sql, sql, (size_t)(place - sql));
    rlk_pg_sql_text(r->c, param, strlen(param));
    rlk_pg_sql(r->c, place + 2);
    return rlk_pg_run(r->c, &r->r, r->err);
}

static int
count(const struct reader *r)
{
    return r->c->pq->PQntuples(r->r);
}

static int
ask_by_oid(struct reader *r, const char *sql)
{
    char oid[16];
    snprintf(oid, sizeof oid, "%u", r->t->oid);
    char *param = rlk_arena_copy(r->arena, oid, strlen(oid));
    return param ? ask(r, sql, param) : rlk_out_of_memory(r->err);
}

/* ---- which table ---- */

#define ABOUT                                                        \
    "SELECT c.oid, c.relname, c.relkind, "                           \
    "quote_ident(n.nspname) || '.' || quote_ident(c.relname), "      \
    "EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid "      \
    "  AND NOT g.tgisinternal AND g.tgenabled <> 'D'), "             \
    "EXISTS (SELECT FROM pg_constraint f WHERE f.confrelid = c.oid " \
    "  AND f.contype = 'f' AND (f.confdeltype NOT IN ('a','r') "     \
    "  OR f.confupdtype NOT IN ('a','r'))) "                         \
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
#define KINDS " AND c.relkind IN ('r','p','v','m','f')"

/* As the catalogue spells it, then in any case, then with a schema before. */
static const char *const searches[] = {
    ABOUT "c.relname = $1 AND pg_table_is_visible(c.oid)" KINDS,
    ABOUT "lower(c.relname) = lower($1) AND pg_table_is_visible(c.oid)" KINDS,
    ABOUT "n.nspname || '.' || c.relname = $1" KINDS,
};

static int
refuse_kind(struct reader *r, const char *name, char kind)
{
    const char *what = kind == 'f' ? "a foreign table" : "a view";
    rlk_fail(r->err, ROWLOCK_UNSUPPORTED, "\"%s\" is %s", name, what);
    rlk_hint(r->err, "Records are locked in the table that holds them.");
    return ROWLOCK_UNSUPPORTED;
}

static int
not_found(struct reader *r, const char *name)
{
    rlk_fail(r->err, ROWLOCK_UNDEFINED, "no such table: \"%s\"", name);
    rlk_hint(r->err, "Tables are looked for along the search_path; "
                     "schema.table names one elsewhere.");
    rlk_context(r->err, "%s", r->c->where);
    return ROWLOCK_UNDEFINED;
}

static int
find_table(struct reader *r, const char *name)
{
    int n = 0;
    for (size_t i = 0; !n && i < sizeof searches / sizeof searches[0]; i++) {
        RLK_TRY(ask(r, searches[i], name));
        n = count(r);
    }
    if (!n)
        return not_found(r, name);
    if (n > 1) {
        rlk_fail(r->err, ROWLOCK_UNDEFINED,
                 "more than one table is called \"%s\" but for upper and "
                 "lower case",
                 name);
        return ROWLOCK_UNDEFINED;
    }
    char kind = cell(r, 0, 2)[0];
    if (kind != 'r' && kind != 'p')
        return refuse_kind(r, cell(r, 0, 1), kind);
    r->t->oid = (uint32_t)strtoul(cell(r, 0, 0), NULL, 10);
    r->t->base.made = (int64_t)r->t->oid;
    r->t->base.name = keep(r, 0, 1);
    r->t->sql_name = keep(r, 0, 3);
    r->t->base.has_triggers = is_true(r, 0, 4);
    r->t->base.reaches_others = is_true(r, 0, 5) || is_true(r, 0, 4);
    return r->t->base.name && r->t->sql_name ? 0 : rlk_out_of_memory(r->err);
}

/* ---- columns ---- */

/* With -1, not NULL: "bpchar", since a cast to "character" is one to
 * character(1), and cuts without a word. */
static const char columns_sql[] =
    "SELECT a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), "
    "coalesce(b.typname, t.typname), "
    "CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, "
    "coalesce(b.typcategory, t.typcategory), a.attnotnull OR t.typnotnull, "
    "a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, "
    "a.attgenerated <> '', format_type(a.atttypid, -1), "
    "coalesce(NOT l.collisdeterministic, false), "
    "coalesce(l.collname, '') "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype "
    "LEFT JOIN pg_collation l ON l.oid = a.attcollation "
    "WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped "
    "ORDER BY a.attnum";

static bool
take_column(struct reader *r, int row, struct rlk_column *column,
            struct rlk_pg_column *more)
{
    rlk_pg_type(cell(r, row, 3), (int32_t)strtol(cell(r, row, 4), NULL, 10),
                cell(r, row, 5)[0], column, more);
    column->name = keep(r, row, 0);
    column->declared = keep(r, row, 2);
    column->not_null = is_true(r, row, 6);
    column->has_default = is_true(r, row, 7) && !is_true(r, row, 8);
    column->generated = is_true(r, row, 8);
    column->collation = "BINARY";
    more->type = keep(r, row, 9);
    more->folds |= is_true(r, row, 10);
    if (more->folds)
        column->collation = "NOCASE or another";
    return column->name && column->declared && more->type;
}

static int
read_columns(struct reader *r)
{
    RLK_TRY(ask_by_oid(r, columns_sql));
    size_t n = (size_t)count(r);
    struct rlk_column *columns = rlk_arena_alloc(r->arena, n, sizeof *columns);
    r->t->columns = rlk_arena_alloc(r->arena, n, sizeof *r->t->columns);
    r->numbers = rlk_arena_alloc(r->arena, n, sizeof *r->numbers);
    bool ok = columns && r->t->columns && r->numbers;
    for (size_t i = 0; ok && i < n; i++) {
        r->numbers[i] = (int32_t)strtol(cell(r, (int)i, 1), NULL, 10);
        ok = take_column(r, (int)i, &columns[i], &r->t->columns[i]);
    }
    r->t->base.columns = columns;
    r->t->base.n_columns = n;
    return ok ? 0 : rlk_out_of_memory(r->err);
}

/* The position of a column's number; n_columns: none (an expression). */
static uint32_t
position(const struct reader *r, const char *number)
{
    int32_t wanted = (int32_t)strtol(number, NULL, 10);
    uint32_t i = 0;
    while (i < r->t->base.n_columns && r->numbers[i] != wanted)
        i++;
    return i;
}

/* ---- indexes, and with them the primary key ---- */

/* A row a column: those behind INCLUDE are no part of the key. */
static const char indexes_sql[] =
    "SELECT i.indexrelid, x.relname, i.indisunique, i.indisprimary, "
    "i.indpred IS NOT NULL, k.number "
    "FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid, "
    "unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, at) "
    "WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indisready "
    "AND k.at <= i.indnkeyatts "
    "ORDER BY i.indexrelid, k.at";

struct key { /* rows first to end of the result */
    int first, end;
    uint32_t *columns;
    size_t n;
    bool expression;
};

static bool
read_key(struct reader *r, int first, struct key *ret)
{
    *ret = (struct key){.first = first, .end = first};
    while (ret->end < count(r) &&
           strcmp(cell(r, ret->end, 0), cell(r, first, 0)) == 0)
        ret->end++;
    ret->columns = rlk_arena_alloc(r->arena, (size_t)(ret->end - first),
                                   sizeof *ret->columns);
    for (int i = first; ret->columns && i < ret->end; i++) {
        uint32_t at = position(r, cell(r, i, 5));
        if (at < r->t->base.n_columns)
            ret->columns[ret->n++] = at;
        else
            ret->expression = true;
    }
    return ret->columns;
}

static void
mark_key(struct reader *r, const struct key *key)
{
    for (size_t i = 0; i < key->n; i++)
        r->t->columns[key->columns[i]].in_key = true;
}

static bool
take_index(struct reader *r, const struct key *key, struct rlk_index *indexes)
{
    struct rlk_table *t = &r->t->base;
    if (is_true(r, key->first, 2))
        mark_key(r, key);
    if (is_true(r, key->first, 3)) {
        t->primary_key = key->columns;
        t->n_primary_key = key->n;
        return true;
    }
    struct rlk_index *index = &indexes[t->n_indexes++];
    index->name = keep(r, key->first, 1);
    index->columns = key->columns;
    index->n_columns = key->n;
    index->unique = is_true(r, key->first, 2);
    index->partial = is_true(r, key->first, 4) || key->expression;
    return index->name;
}

static int
read_indexes(struct reader *r)
{
    struct key key;
    RLK_TRY(ask_by_oid(r, indexes_sql));
    int n = count(r);
    struct rlk_index *indexes =
        rlk_arena_alloc(r->arena, (size_t)n, sizeof *indexes);
    bool ok = indexes;
    for (int i = 0; ok && i < n; i = key.end)
        ok = read_key(r, i, &key) && take_index(r, &key, indexes);
    r->t->base.indexes = indexes;
    return ok ? 0 : rlk_out_of_memory(r->err);
}

static int
check_primary_key(struct reader *r)
{
    struct rlk_table *t = &r->t->base;
    if (!t->n_primary_key) {
        rlk_fail(r->err, ROWLOCK_UNSUPPORTED, "table \"%s\" has no primary key",
                 t->name);
        rlk_hint(r->err,
                 "Records are locked by their primary key. Declare one, such "
                 "as id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY.");
        return ROWLOCK_UNSUPPORTED;
    }
    t->numbers_records =
        t->n_primary_key == 1 && t->columns[t->primary_key[0]].has_default;
    return 0;
}

/* ---- foreign keys ---- */

static const char foreign_keys_sql[] =
    "SELECT f.oid, p.relname, "
    "f.confdeltype NOT IN ('a','r') OR f.confupdtype NOT IN ('a','r'), "
    "a.attname, '', k.number "
    "FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid, "
    "unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (number, parent, at), "
    "pg_attribute a "
    "WHERE f.conrelid = $1::oid AND f.contype = 'f' "
    "AND a.attrelid = f.confrelid AND a.attnum = k.parent "
    "ORDER BY f.oid, k.at";

static bool
take_foreign_key(struct reader *r, const struct key *key,
                 struct rlk_foreign_key *ret)
{
    const char **names = rlk_arena_alloc(r->arena, key->n, sizeof *names);
    bool ok = names;
    for (size_t i = 0; ok && i < key->n; i++)
        ok = (names[i] = keep(r, key->first + (int)i, 3));
    ret->parent = keep(r, key->first, 1);
    ret->columns = key->columns;
    ret->parent_columns = names;
    ret->n_columns = key->n;
    ret->cascades = is_true(r, key->first, 2);
    return ok && ret->parent;
}

static int
read_foreign_keys(struct reader *r)
{
    struct key key;
    RLK_TRY(ask_by_oid(r, foreign_keys_sql));
    int n = count(r);
    struct rlk_foreign_key *keys =
        rlk_arena_alloc(r->arena, (size_t)n, sizeof *keys);
    bool ok = keys;
    for (int i = 0; ok && i < n; i = key.end)
        ok = read_key(r, i, &key) &&
             take_foreign_key(r, &key, &keys[r->t->base.n_foreign_keys++]);
    r->t->base.foreign_keys = keys;
    return ok ? 0 : rlk_out_of_memory(r->err);
}

static int
read_all(struct reader *r, const char *name)
{
    RLK_TRY(find_table(r, name));
    RLK_TRY(read_columns(r));
    RLK_TRY(read_indexes(r));
    RLK_TRY(check_primary_key(r));
    return read_foreign_keys(r);
}

int
rlk_pg_read_table(struct rlk_pg *c, const char *name, struct rlk_pg_table **ret,
                  rowlock_error *err)
{
    struct reader r = {.c = c, .arena = &c->catalogue.arena, .err = err};
    r.t = rlk_arena_alloc(r.arena, 1, sizeof *r.t);
    if (!r.t || !(r.t->asked = rlk_arena_copy(r.arena, name, strlen(name))))
        return rlk_out_of_memory(err);
    int rc = read_all(&r, name);
    if (r.r)
        rlk_pg_clear(c, r.r);
    *ret = r.t;
    return rc;
}
