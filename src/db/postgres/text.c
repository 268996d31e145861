/* SPDX-License-Identifier: MIT
 * SQL text. Identifiers are always quoted, values always parameters; nothing a
 * caller gives reaches the text in another way. A parameter's type is what the
 * server infers from the column beside it. */
#include "conn.h"

#include <string.h>

void
rlk_pg_sql(struct rlk_pg *c, const char *text)
{
    rlk_buf_text(&c->sql, text);
}

void
rlk_pg_sql_name(struct rlk_buf *sql, const char *name)
{
    rlk_buf_char(sql, '"');
    for (const char *p = name; *p; p++) {
        if (*p == '"')
            rlk_buf_char(sql, '"');
        rlk_buf_char(sql, *p);
    }
    rlk_buf_char(sql, '"');
}

static void
column_name(struct rlk_pg *c, const struct rlk_table *t, uint32_t column)
{
    rlk_pg_sql_name(&c->sql, t->columns[column].name);
}

void
rlk_pg_sql_columns(struct rlk_pg *c, const struct rlk_table *t,
                   const char *prefix)
{
    for (uint32_t i = 0; i < t->n_columns; i++) {
        rlk_pg_sql(c, i ? "," : "");
        rlk_pg_sql(c, prefix);
        column_name(c, t, i);
    }
}

/* ---- parameters ---- */

static bool
grow(struct rlk_pg *c)
{
    struct rlk_pg_params *p = &c->params;
    struct rlk_pg_params more = *p;
    more.cap = p->cap ? p->cap * 2 : 16;
    size_t n = (size_t)more.cap;
    more.values = rlk_arena_alloc(&c->scratch, n, sizeof *more.values);
    more.lengths = rlk_arena_alloc(&c->scratch, n, sizeof *more.lengths);
    more.formats = rlk_arena_alloc(&c->scratch, n, sizeof *more.formats);
    if (!more.values || !more.lengths || !more.formats)
        return false;
    if (p->n) {
        size_t used = (size_t)p->n;
        memcpy(more.values, p->values, used * sizeof *p->values);
        memcpy(more.lengths, p->lengths, used * sizeof *p->lengths);
        memcpy(more.formats, p->formats, used * sizeof *p->formats);
    }
    *p = more;
    return true;
}

/* bytes: sent as they are, or text with a NUL behind it. NULL is NULL. */
static void
add_param(struct rlk_pg *c, const char *bytes, size_t len, int binary)
{
    struct rlk_pg_params *p = &c->params;
    if (p->failed || (p->n == p->cap && !grow(c))) {
        p->failed = true;
        return;
    }
    p->values[p->n] = bytes;
    p->lengths[p->n] = (int)len;
    p->formats[p->n] = binary;
    p->n++;
    rlk_buf_format(&c->sql, "$%d", p->n);
}

void
rlk_pg_sql_text(struct rlk_pg *c, const char *text, size_t len)
{
    add_param(c, text, len, 0);
}

int
rlk_pg_sql_value(struct rlk_pg *c, const struct rlk_table *t, uint32_t column,
                 rowlock_value v, rowlock_error *err)
{
    RLK_TRY(rlk_pg_check(t, column, v, err));
    if (v.type == ROWLOCK_NULL) {
        add_param(c, NULL, 0, 0);
    } else if (v.type == ROWLOCK_BLOB) {
        add_param(c, v.u.s.ptr ? v.u.s.ptr : "", v.u.s.len, 1);
    } else {
        const char *text = rlk_pg_text(&c->scratch, v);
        if (!text)
            return rlk_out_of_memory(err);
        add_param(c, text, 0, 0);
    }
    return 0;
}

/* ---- conditions ---- */

int
rlk_pg_sql_is_key(struct rlk_pg *c, const struct rlk_table *t,
                  const rowlock_value *pk, rowlock_error *err)
{
    for (size_t i = 0; i < t->n_primary_key; i++) {
        rlk_pg_sql(c, i ? " AND " : " WHERE ");
        column_name(c, t, t->primary_key[i]);
        rlk_pg_sql(c, "=");
        RLK_TRY(rlk_pg_sql_value(c, t, t->primary_key[i], pk[i], err));
    }
    return 0;
}

static const char *const operators[] = {
    [ROWLOCK_EQ] = "=",      [ROWLOCK_NE] = "<>",
    [ROWLOCK_LT] = "<",      [ROWLOCK_LE] = "<=",
    [ROWLOCK_GT] = ">",      [ROWLOCK_GE] = ">=",
    [ROWLOCK_IN] = "=ANY(",  [ROWLOCK_IS_NULL] = " IS NULL",
    [ROWLOCK_PREFIX] = "^@",
};

/* {"a","b"}: an array as text. */
static int
add_list(struct rlk_pg *c, const struct rlk_table *t,
         const struct rlk_term *term, rowlock_error *err)
{
    struct rlk_buf list RLK_AUTOBUF = {0};
    for (size_t i = 0; i < term->n_values; i++) {
        const char *text = rlk_pg_text(&c->scratch, term->values[i]);
        RLK_TRY(rlk_pg_check(t, term->column, term->values[i], err));
        if (!text)
            return rlk_out_of_memory(err);
        rlk_pg_array_add(&list, text);
    }
    rlk_buf_text(&list, list.len ? "}" : "{}");
    char *copy =
        list.failed ? NULL : rlk_arena_copy(&c->scratch, list.ptr, list.len);
    if (!copy)
        return rlk_out_of_memory(err);
    add_param(c, copy, 0, 0);
    rlk_pg_sql(c, ")");
    return 0;
}

void
rlk_pg_array_add(struct rlk_buf *list, const char *text)
{
    rlk_buf_text(list, list->len ? "," : "{");
    if (!text) {
        rlk_buf_text(list, "NULL");
        return;
    }
    rlk_buf_char(list, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            rlk_buf_char(list, '\\');
        rlk_buf_char(list, *p);
    }
    rlk_buf_char(list, '"');
}

static int
add_term(struct rlk_pg *c, const struct rlk_table *t,
         const struct rlk_term *term, rowlock_error *err)
{
    column_name(c, t, term->column);
    rlk_pg_sql(c, operators[term->op]);
    if (term->op == ROWLOCK_IN)
        return add_list(c, t, term, err);
    if (term->op == ROWLOCK_IS_NULL)
        return 0;
    return rlk_pg_sql_value(c, t, term->column, term->values[0], err);
}

int
rlk_pg_sql_where(struct rlk_pg *c, const struct rlk_select *q,
                 rowlock_error *err)
{
    for (size_t i = 0; i < q->n_where; i++) {
        rlk_pg_sql(c, i ? " AND " : " WHERE ");
        RLK_TRY(add_term(c, q->table, &q->where[i], err));
    }
    return 0;
}

/* NULLs stand where SQLite has them: first, and last when descending. */
void
rlk_pg_sql_order(struct rlk_pg *c, const struct rlk_select *q)
{
    rlk_pg_sql(c, " ORDER BY ");
    for (size_t i = 0; i < q->n_order; i++) {
        column_name(c, q->table, q->order[i].column);
        rlk_pg_sql(c, q->order[i].descending ? " DESC NULLS LAST,"
                                             : " NULLS FIRST,");
    }
    for (size_t i = 0; i < q->table->n_primary_key; i++) {
        rlk_pg_sql(c, i ? "," : "");
        column_name(c, q->table, q->table->primary_key[i]);
    }
}

void
rlk_pg_sql_lock(struct rlk_pg *c, enum rowlock_mode mode, int32_t wait_ms)
{
    static const char *const modes[] = {
        [ROWLOCK_READ] = "",
        [ROWLOCK_KEY_SHARE] = " FOR KEY SHARE",
        [ROWLOCK_SHARE] = " FOR SHARE",
        [ROWLOCK_NO_KEY_UPDATE] = " FOR NO KEY UPDATE",
        [ROWLOCK_UPDATE] = " FOR UPDATE",
    };
    rlk_pg_sql(c, modes[mode]);
    if (mode == ROWLOCK_READ)
        return;
    if (wait_ms == ROWLOCK_NOWAIT)
        rlk_pg_sql(c, " NOWAIT");
    if (wait_ms == ROWLOCK_SKIP_LOCKED)
        rlk_pg_sql(c, " SKIP LOCKED");
}
