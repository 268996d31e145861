/* SPDX-License-Identifier: MIT
 * Looking up several match keys in one snapshot, without locks: one short read
 * transaction around the statements, unless the block's own one is open. */
#include "conn.h"

#include <string.h>

enum {
    MANY = 64,
    FEW = 4,
    WORTH_A_LIST = 8 /* keys: fewer are looked up one by one */
};
enum { UNASKED = -2 };

void
rlk_lookup_sql(struct rlk_sqlite *c, const struct rlk_table *t,
               const struct rlk_match *key)
{
    rlk_sql(c, "SELECT ");
    rlk_sql_columns(c, t);
    rlk_sql(c, " FROM ");
    rlk_sql_name(c, t->name);
    for (size_t i = 0; i < key->n_columns; i++) {
        rlk_sql(c, i ? " AND " : " WHERE ");
        rlk_sql_name(c, t->columns[key->columns[i].column].name);
        rlk_sql(c, "=?");
    }
    rlk_sql(c, " ORDER BY ");
    rlk_sql_primary_key(c, t);
    rlk_sql(c, " LIMIT 1");
}

static int
statement(struct rlk_sqlite *c, const struct rlk_table *t,
          const struct rlk_match *key, sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_shape_start(c, RLK_OP_LOOKUP, rlk_sqlite_table_of(t));
    for (size_t i = 0; i < key->n_columns; i++)
        rlk_shape_add(c, key->columns[i].column);
    if ((*ret = rlk_shape_find(c)))
        return 0;
    rlk_lookup_sql(c, t, key);
    return rlk_shape_make(c, ret, err);
}

static bool
same_record(const struct rlk_table *t, const struct rlk_row *row,
            sqlite3_stmt *s)
{
    for (size_t i = 0; i < t->n_primary_key; i++) {
        uint32_t column = t->primary_key[i];
        if (!rlk_value_same(row->values[column], rlk_column(s, (int)column)))
            return false;
    }
    return true;
}

/* The position of the statement's row in rows, added when it is new. Of many
 * rows only the last are compared: two keys of one record stand together. A row
 * of the statement may have more columns than the table. */
static int
place(struct rlk_sqlite *c, const struct rlk_table *t, sqlite3_stmt *s,
      struct rlk_rows *rows, int *ret, rowlock_error *err)
{
    size_t from = rows->n_rows > MANY ? rows->n_rows - FEW : 0;
    for (size_t i = from; i < rows->n_rows; i++) {
        if (same_record(t, &rows->rows[i], s)) {
            *ret = (int)i;
            return 0;
        }
    }
    *ret = (int)rows->n_rows;
    return rlk_row_add_first(c, s, (int)t->n_columns, rows, err);
}

static int
look_up(struct rlk_sqlite *c, const struct rlk_table *t,
        const struct rlk_match *key, struct rlk_rows *rows, int *ret,
        rowlock_error *err)
{
    sqlite3_stmt *s;
    int rc = 0;
    RLK_TRY(statement(c, t, key, &s, err));
    for (size_t i = 0; i < key->n_columns && !rc; i++)
        rc = rlk_bind(c, s, (int)i + 1, key->columns[i].value, err);
    int step = rc ? SQLITE_DONE : sqlite3_step(s);
    *ret = -1;
    if (step == SQLITE_ROW)
        rc = place(c, t, s, rows, ret, err);
    else if (step != SQLITE_DONE)
        rc = rlk_sqlite_fail(c, "cannot read the table", err);
    sqlite3_reset(s);
    return rc;
}

static bool
is_on(const struct rlk_match *key, const uint32_t *columns, size_t n)
{
    size_t i = 0;
    while (i < n && i < key->n_columns && columns[i] == key->columns[i].column)
        i++;
    return i == n && i == key->n_columns;
}

/* Exactly the columns of an index that guards every record. */
static bool
is_unique(const struct rlk_table *t, const struct rlk_match *key)
{
    bool unique = is_on(key, t->primary_key, t->n_primary_key);
    for (size_t i = 0; i < t->n_indexes; i++)
        if (t->indexes[i].unique && !t->indexes[i].partial)
            unique |=
                is_on(key, t->indexes[i].columns, t->indexes[i].n_columns);
    return unique;
}

/* One record at most has this key, so that it does not matter which of several
 * is found first. (An index may be finer than its column's collation,
 * but not finer than BINARY.) */
static bool
has_one(const struct rlk_table *t, const struct rlk_match *key)
{
    for (size_t i = 0; i < key->n_columns; i++)
        if (strcmp(t->columns[key->columns[i].column].collation, "BINARY") != 0)
            return false;
    return is_unique(t, key);
}

static bool
has_key(const struct rlk_row *row, const struct rlk_match *key)
{
    for (size_t i = 0; i < key->n_columns; i++)
        if (!rlk_value_same(row->values[key->columns[i].column],
                            key->columns[i].value))
            return false;
    return true;
}

static bool
same_columns(const struct rlk_match *a, const struct rlk_match *b)
{
    if (a->n_columns != b->n_columns)
        return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (a->columns[i].column != b->columns[i].column)
            return false;
    return true;
}

struct looking { /* one call */
    struct rlk_sqlite *c;
    const struct rlk_table *t;
    const struct rlk_match *keys;
    size_t n_keys;
    struct rlk_rows *rows;
    int *found;
    size_t *list; /* of the keys on the same columns: those to be asked for */
};

/* If the record that the key before has found has this one too, and only one
 * can have it, nothing needs to be asked. */
static bool
is_found_too(struct looking *l, size_t i)
{
    int before = i ? l->found[i - 1] : -1;
    if (before < 0 || !has_key(&l->rows->rows[before], &l->keys[i]))
        return false;
    l->found[i] = before;
    return true;
}

static size_t
list_keys(struct looking *l, size_t first, bool one)
{
    size_t n = 0;
    for (size_t i = first; i < l->n_keys; i++)
        if (l->found[i] == UNASKED &&
            same_columns(&l->keys[i], &l->keys[first]) &&
            !(one && is_found_too(l, i)))
            l->list[n++] = i;
    return n;
}

static int
read_list(struct looking *l, sqlite3_stmt *s, rowlock_error *err)
{
    int step, n = (int)l->t->n_columns;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        size_t i = (size_t)sqlite3_column_int64(s, n);
        RLK_TRY(place(l->c, l->t, s, l->rows, &l->found[i], err));
    }
    return step == SQLITE_DONE
               ? 0
               : rlk_sqlite_fail(l->c, "cannot read the table", err);
}

static int
look_up_list(struct looking *l, size_t n, rowlock_error *err)
{
    sqlite3_stmt *s;
    RLK_TRY(rlk_keylist_statement(l->c, l->t, &l->keys[l->list[0]], &s, err));
    for (size_t i = 0; i < n; i++)
        l->found[l->list[i]] = -1;
    l->c->keylist = (struct rlk_keylist){l->keys, l->list, n};
    int rc = read_list(l, s, err);
    sqlite3_reset(s);
    l->c->keylist = (struct rlk_keylist){0};
    return rc;
}

/* All keys on the columns of key first. */
static int
look_up_alike(struct looking *l, size_t first, rowlock_error *err)
{
    const struct rlk_match *key = &l->keys[first];
    bool one = has_one(l->t, key);
    size_t n = list_keys(l, first, one);
    if (one && n >= WORTH_A_LIST && key->n_columns <= RLK_KEYLIST_COLUMNS)
        return look_up_list(l, n, err);
    for (size_t i = 0; i < n; i++) {
        size_t at = l->list[i];
        RLK_TRY(look_up(l->c, l->t, &l->keys[at], l->rows, &l->found[at], err));
    }
    return 0;
}

static int
look_up_all(struct looking *l, rowlock_error *err)
{
    for (size_t i = 0; i < l->n_keys; i++)
        l->found[i] = UNASKED;
    for (size_t i = 0; i < l->n_keys; i++)
        if (l->found[i] == UNASKED)
            RLK_TRY(look_up_alike(l, i, err));
    return 0;
}

int
rlk_sqlite_lookup(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_match *keys, size_t n_keys,
                  struct rlk_rows *ret, int *ret_found, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    struct rlk_rows rows = {0};
    size_t *list RLK_AUTOFREE = rlk_reallocarray(NULL, n_keys, sizeof *list);
    struct looking l = {c, t, keys, n_keys, &rows, ret_found, list};
    if (!list)
        return rlk_out_of_memory(err);
    RLK_TRY(rlk_sqlite_ready(c, err));
    RLK_TRY(rlk_sqlite_see_own(c, err));
    bool snapshot = n_keys > 1 && !c->tx.writing;
    if (snapshot)
        RLK_TRY(rlk_sqlite_run(c, RLK_OP_BEGIN, 0, err));
    int rc = look_up_all(&l, err);
    if (snapshot && !rc)
        rc = rlk_sqlite_run(c, RLK_OP_COMMIT, 0, err);
    if (snapshot && rc)
        rlk_sqlite_roll_back(c);
    if (rc)
        rlk_rows_done(&rows);
    else
        *ret = rows;
    return rc;
}
