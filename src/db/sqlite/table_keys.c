/* SPDX-License-Identifier: MIT
 * Reading a table's keys: primary key, indexes, foreign keys. Columns become
 * positions; a parent's columns are resolved, also where the declaration leaves
 * them to its primary key. */
#include "reader.h"

#include <stdio.h>
#include <string.h>

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
take_position(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
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
read_positions(struct rlk_reader *r, const char *sql, const char *name,
               struct positions *ret)
{
    ret->n = 0;
    if (!RLK_READER_ALLOC(r, ret->list, r->t->base.n_columns + 1))
        return rlk_out_of_memory(r->err);
    return rlk_reader_query(r, sql, name, take_position, ret);
}

static void
mark_key(struct rlk_sqlite_table *t, const struct positions *p)
{
    for (size_t i = 0; i < p->n; i++)
        t->columns[p->list[i]].in_key = true;
}

int
rlk_read_primary_key(struct rlk_reader *r)
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
    RLK_TRY(rlk_reader_query(
        r, "SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk'",
        r->t->base.name, rlk_reader_count, &n_indexes));
    r->t->rowid_key = n_indexes == 0;
    r->t->base.numbers_records = n_indexes == 0;
    mark_key(r->t, &key);
    r->t->base.primary_key = key.list;
    r->t->base.n_primary_key = key.n;
    return 0;
}

/* name, unique, partial, origin */
static int
take_index(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    struct rlk_index *index = arg;
    struct positions columns;
    size_t n_terms = 0;
    index += r->t->base.n_indexes++;
    if (!(index->name = rlk_reader_text(r, s, 0)))
        return rlk_out_of_memory(r->err);
    RLK_TRY(rlk_reader_query(r, "SELECT 1 FROM pragma_index_info(?1)",
                             index->name, rlk_reader_count, &n_terms));
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

int
rlk_read_indexes(struct rlk_reader *r)
{
    static const char sql[] =
        "SELECT name, \"unique\", partial FROM pragma_index_list(?1) "
        "WHERE origin <> 'pk' ORDER BY seq DESC";
    const char *name = r->t->base.name;
    struct rlk_index *indexes;
    size_t n = 0;
    RLK_TRY(rlk_reader_query(r, sql, name, rlk_reader_count, &n));
    if (!RLK_READER_ALLOC(r, indexes, n))
        return rlk_out_of_memory(r->err);
    RLK_TRY(rlk_reader_query(r, sql, name, take_index, indexes));
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
take_parent_key(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    struct foreign_key *key = arg;
    size_t i = (size_t)sqlite3_column_int(s, 1) - 1;
    if (i < r->t->base.n_columns && i < key->n)
        if (!(key->parent_columns[i] = rlk_reader_text(r, s, 0)))
            return rlk_out_of_memory(r->err);
    return 0;
}

static int
take_parent_name(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    struct foreign_key *key = arg;
    key->parent = rlk_reader_text(r, s, 0);
    return key->parent ? 0 : rlk_out_of_memory(r->err);
}

/* seq, from, to, of one foreign key */
static int
take_key_column(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    struct foreign_key *key = arg;
    const char *from = (const char *)sqlite3_column_text(s, 0);
    uint32_t i =
        from ? position(&r->t->base, from) : (uint32_t)r->t->base.n_columns;
    if (i == r->t->base.n_columns || key->n == r->t->base.n_columns)
        return 0;
    key->columns[key->n] = i;
    if (sqlite3_column_type(s, 1) != SQLITE_NULL &&
        !(key->parent_columns[key->n] = rlk_reader_text(r, s, 1)))
        return rlk_out_of_memory(r->err);
    key->n++;
    return 0;
}

static int
read_key_columns(struct rlk_reader *r, int id, struct foreign_key *ret)
{
    char sql[160];
    size_t room = r->t->base.n_columns;
    snprintf(sql, sizeof sql,
             "SELECT \"from\", \"to\" FROM pragma_foreign_key_list(?1) "
             "WHERE id = %d ORDER BY seq",
             id);
    if (!RLK_READER_ALLOC(r, ret->columns, room) ||
        !RLK_READER_ALLOC(r, ret->parent_columns, room))
        return rlk_out_of_memory(r->err);
    RLK_TRY(rlk_reader_query(r, sql, r->t->base.name, take_key_column, ret));
    RLK_TRY(rlk_reader_query(
        r,
        "SELECT name FROM pragma_table_list WHERE schema = 'main' "
        "AND name = ?1 COLLATE NOCASE",
        ret->parent, take_parent_name, ret));
    if (ret->n && !ret->parent_columns[0]) /* the parent's primary key */
        RLK_TRY(rlk_reader_query(r,
                                 "SELECT name, pk FROM pragma_table_info(?1) "
                                 "WHERE pk > 0",
                                 ret->parent, take_parent_key, ret));
    return 0;
}

/* id, table, whether something happens to the child */
static int
take_foreign_key(struct rlk_reader *r, sqlite3_stmt *s, void *arg)
{
    struct rlk_foreign_key *key = arg;
    struct foreign_key read = {.parent = rlk_reader_text(r, s, 1)};
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

int
rlk_read_foreign_keys(struct rlk_reader *r)
{
    static const char sql[] =
        "SELECT id, \"table\", max(" RLK_DOES_SOMETHING ") "
        "FROM pragma_foreign_key_list(?1) GROUP BY id ORDER BY id DESC";
    const char *name = r->t->base.name;
    struct rlk_foreign_key *keys;
    size_t n = 0;
    RLK_TRY(rlk_reader_query(r, sql, name, rlk_reader_count, &n));
    if (!RLK_READER_ALLOC(r, keys, n))
        return rlk_out_of_memory(r->err);
    RLK_TRY(rlk_reader_query(r, sql, name, take_foreign_key, keys));
    r->t->base.foreign_keys = keys;
    return 0;
}
