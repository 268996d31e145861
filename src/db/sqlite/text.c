/* SPDX-License-Identifier: MIT
 * SQL text. Identifiers are always quoted, values always bound; nothing a
 * caller gives reaches the text in another way.
 *
 * Invariant: rlk_shape_where() names everything that rlk_sql_where() and
 * rlk_sql_order() make text of, so two filters of one shape have one text. */
#include "conn.h"

#include <string.h>

void
rlk_sql(struct rlk_sqlite *c, const char *text)
{
    rlk_buf_text(&c->cache.sql, text);
}

void
rlk_sql_name(struct rlk_sqlite *c, const char *name)
{
    struct rlk_buf *sql = &c->cache.sql;
    rlk_buf_char(sql, '"');
    for (const char *p = name; *p; p++) {
        if (*p == '"')
            rlk_buf_char(sql, '"');
        rlk_buf_char(sql, *p);
    }
    rlk_buf_char(sql, '"');
}

static void
add_place(struct rlk_sqlite *c, uint32_t column, const struct rlk_table *t,
          const char *before, const char *after)
{
    rlk_sql(c, before);
    rlk_sql_name(c, t->columns[column].name);
    rlk_sql(c, after);
}

void
rlk_sql_columns(struct rlk_sqlite *c, const struct rlk_table *t)
{
    for (uint32_t i = 0; i < t->n_columns; i++)
        add_place(c, i, t, i ? "," : "", "");
}

void
rlk_sql_primary_key(struct rlk_sqlite *c, const struct rlk_table *t)
{
    for (size_t i = 0; i < t->n_primary_key; i++)
        add_place(c, t->primary_key[i], t, i ? "," : "", "");
}

void
rlk_sql_is_primary_key(struct rlk_sqlite *c, const struct rlk_table *t)
{
    for (size_t i = 0; i < t->n_primary_key; i++)
        add_place(c, t->primary_key[i], t, i ? " AND " : " WHERE ", "=?");
}

static const char *const operators[] = {
    [ROWLOCK_EQ] = "=?",          [ROWLOCK_NE] = "<>?",
    [ROWLOCK_LT] = "<?",          [ROWLOCK_LE] = "<=?",
    [ROWLOCK_GT] = ">?",          [ROWLOCK_GE] = ">=?",
    [ROWLOCK_IN] = " IN",         [ROWLOCK_IS_NULL] = " IS NULL",
    [ROWLOCK_PREFIX] = " GLOB ?",
};

/* A list is padded to a power of two by repeating its last value, so that few
 * lengths need a statement of their own. */
static size_t
padded(size_t n)
{
    size_t room = n ? 1 : 0;
    while (room < n)
        room *= 2;
    return room;
}

static void
add_list(struct rlk_sqlite *c, size_t n)
{
    rlk_sql(c, " (");
    for (size_t i = 0; i < padded(n); i++)
        rlk_sql(c, i ? ",?" : "?");
    rlk_sql(c, ")");
}

void
rlk_sql_where(struct rlk_sqlite *c, const struct rlk_select *q)
{
    for (size_t i = 0; i < q->n_where; i++) {
        const struct rlk_term *term = &q->where[i];
        add_place(c, term->column, q->table, i ? " AND " : "",
                  operators[term->op]);
        if (term->op == ROWLOCK_IN)
            add_list(c, term->n_values);
    }
}

void
rlk_sql_order(struct rlk_sqlite *c, const struct rlk_select *q)
{
    rlk_sql(c, " ORDER BY ");
    for (size_t i = 0; i < q->n_order; i++)
        add_place(c, q->order[i].column, q->table, "",
                  q->order[i].descending ? " DESC," : ",");
    rlk_sql_primary_key(c, q->table);
}

void
rlk_shape_where(struct rlk_sqlite *c, const struct rlk_select *q)
{
    rlk_shape_add(c, (uint32_t)q->n_where);
    for (size_t i = 0; i < q->n_where; i++) {
        const struct rlk_term *term = &q->where[i];
        rlk_shape_add(c, term->column);
        rlk_shape_add(c, (uint32_t)term->op);
        if (term->op == ROWLOCK_IN)
            rlk_shape_add(c, (uint32_t)padded(term->n_values));
    }
    for (size_t i = 0; i < q->n_order; i++)
        rlk_shape_add(c, q->order[i].column * 2 + q->order[i].descending);
}

static int
bind_list(struct rlk_sqlite *c, sqlite3_stmt *s, int *n,
          const struct rlk_term *term, rowlock_error *err)
{
    size_t last = term->n_values - 1;
    for (size_t i = 0; i < padded(term->n_values); i++)
        RLK_TRY(rlk_bind(c, s, (*n)++, term->values[i < last ? i : last], err));
    return 0;
}

/* GLOB is case-sensitive, and uses an index. */
static int
bind_prefix(struct rlk_sqlite *c, sqlite3_stmt *s, int n, rowlock_value prefix,
            rowlock_error *err)
{
    struct rlk_buf pattern RLK_AUTOBUF = {0};
    for (size_t i = 0; i < prefix.u.s.len; i++) {
        char letter = prefix.u.s.ptr[i];
        if (letter == '*' || letter == '?' || letter == '[') {
            rlk_buf_char(&pattern, '[');
            rlk_buf_char(&pattern, letter);
            letter = ']';
        }
        rlk_buf_char(&pattern, letter);
    }
    rlk_buf_char(&pattern, '*');
    if (pattern.failed)
        return rlk_out_of_memory(err);
    if (sqlite3_bind_text64(s, n, pattern.ptr, pattern.len, SQLITE_TRANSIENT,
                            SQLITE_UTF8))
        return rlk_sqlite_fail(c, "cannot bind a value", err);
    return 0;
}

int
rlk_bind_where(struct rlk_sqlite *c, sqlite3_stmt *s, int *n,
               const struct rlk_select *q, rowlock_error *err)
{
    for (size_t i = 0; i < q->n_where; i++) {
        const struct rlk_term *term = &q->where[i];
        if (term->op == ROWLOCK_IN)
            RLK_TRY(bind_list(c, s, n, term, err));
        else if (term->op == ROWLOCK_PREFIX)
            RLK_TRY(bind_prefix(c, s, (*n)++, term->values[0], err));
        else if (term->op != ROWLOCK_IS_NULL)
            RLK_TRY(rlk_bind(c, s, (*n)++, term->values[0], err));
    }
    return 0;
}
