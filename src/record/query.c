/* SPDX-License-Identifier: MIT
 * Queries: from names and given values to positions and stored values, so
 * that a driver never sees what the table does not have. Read next:
 * record.c. */
#include "query.h"

#include <string.h>

#include "base/text.h"
#include "value.h"

int
rlk_read_sized(const void *given, size_t given_size, void *ret, size_t size,
               const char *name, rowlock_error *err)
{
    if (given_size < sizeof(size_t) || given_size > size) {
        int code = rlk_fail(err, ROWLOCK_MISUSE, "%s has the wrong size %zu",
                            name, given_size);
        rlk_hint(err, "Start it with its INIT macro.");
        return code;
    }
    memset(ret, 0, size);
    memcpy(ret, given, given_size);
    return 0;
}

int
rlk_check_wait(int32_t wait_ms, rowlock_error *err)
{
    if (wait_ms < ROWLOCK_SKIP_LOCKED)
        return rlk_fail(err, ROWLOCK_MISUSE, "%d is no wait policy", wait_ms);
    return 0;
}

/* ---- terms ---- */

static int
check_term(const rowlock_term *t, rowlock_error *err)
{
    if ((unsigned)t->op > ROWLOCK_PREFIX)
        return rlk_fail(err, ROWLOCK_MISUSE, "no such operator");
    bool any = t->op == ROWLOCK_IN, none = t->op == ROWLOCK_IS_NULL;
    if (!any && t->n_values != (none ? 0 : 1))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "a term has %zu values where its operator takes %s",
                        t->n_values, none ? "none" : "one");
    if (t->n_values && !t->values)
        return rlk_fail(err, ROWLOCK_MISUSE, "a term without its values");
    for (size_t i = 0; i < t->n_values; i++)
        if (t->values[i].type == ROWLOCK_NULL) {
            int code = rlk_fail(err, ROWLOCK_MISUSE,
                                "a term cannot compare with NULL");
            rlk_hint(err, "Use ROWLOCK_IS_NULL.");
            return code;
        }
    return 0;
}

/* A prefix is part of a value, so only text can have one; the whole value's
 * form (JSON, a length) is not asked of it. */
static int
resolve_prefix(struct rlk_place place, rowlock_value value,
               struct rlk_arena *arena, rowlock_value *ret, rowlock_error *err)
{
    enum rlk_column_type type = place.column->type;
    if (type != RLK_TYPE_TEXT && type != RLK_TYPE_ANY && type != RLK_TYPE_JSON)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "%s.%s is no text, so it has no prefix", place.table,
                        place.column->name);
    struct rlk_column text = *place.column;
    text.type = RLK_TYPE_TEXT;
    text.length = 0;
    place.column = &text;
    return rlk_value_for(place, value, arena, ret, err);
}

static int
resolve_term(const struct rlk_table *table, const rowlock_term *t,
             struct rlk_arena *arena, struct rlk_term *ret, rowlock_error *err)
{
    RLK_TRY(check_term(t, err));
    RLK_TRY(rlk_table_column(table, t->column, &ret->column, err));
    struct rlk_place place = {table->name, &table->columns[ret->column]};
    rowlock_value *values = rlk_arena_alloc(arena, t->n_values, sizeof *values);
    if (!values)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < t->n_values; i++)
        if (t->op == ROWLOCK_PREFIX)
            RLK_TRY(
                resolve_prefix(place, t->values[i], arena, &values[i], err));
        else
            RLK_TRY(rlk_value_for(place, t->values[i], arena, &values[i], err));
    ret->op = t->op;
    ret->values = values;
    ret->n_values = t->n_values;
    return 0;
}

static int
resolve_where(const struct rlk_table *table, const rowlock_query *q,
              struct rlk_arena *arena, struct rlk_select *ret,
              rowlock_error *err)
{
    struct rlk_term *terms = rlk_arena_alloc(arena, q->n_where, sizeof *terms);
    if (!terms)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < q->n_where; i++)
        RLK_TRY(resolve_term(table, &q->where[i], arena, &terms[i], err));
    ret->where = terms;
    ret->n_where = q->n_where;
    return 0;
}

/* ---- order: "-rank,name" ---- */

static size_t
count_items(const char *order)
{
    size_t n = 1;
    for (; *order; order++)
        n += *order == ',';
    return n;
}

/* The next item of *at, without blanks around it; *at moves behind it. */
static const char *
next_item(const char **at, struct rlk_arena *arena, bool *ret_descending)
{
    const char *start = *at, *end = strchr(start, ',');
    *at = end ? end + 1 : start + strlen(start);
    if (!end)
        end = *at;
    while (start < end && *start == ' ')
        start++;
    while (end > start && end[-1] == ' ')
        end--;
    *ret_descending = start < end && *start == '-';
    start += *ret_descending;
    return rlk_arena_copy(arena, start, (size_t)(end - start));
}

static int
resolve_order(const struct rlk_table *table, const char *order,
              struct rlk_arena *arena, struct rlk_select *ret,
              rowlock_error *err)
{
    if (!order)
        return 0;
    size_t n = count_items(order);
    struct rlk_order *list = rlk_arena_alloc(arena, n, sizeof *list);
    for (size_t i = 0; list && i < n; i++) {
        const char *name = next_item(&order, arena, &list[i].descending);
        if (!name)
            return rlk_out_of_memory(err);
        if (!*name)
            return rlk_fail(err, ROWLOCK_MISUSE, "an empty name in the order");
        RLK_TRY(rlk_table_column(table, name, &list[i].column, err));
    }
    if (!list)
        return rlk_out_of_memory(err);
    ret->order = list;
    ret->n_order = n;
    return 0;
}

/* ---- the whole ---- */

static int
check_query(const rowlock_query *q, rowlock_error *err)
{
    if (q->limit < 0 || q->offset < 0)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "limit and offset cannot be negative");
    if ((unsigned)q->lock > ROWLOCK_UPDATE)
        return rlk_fail(err, ROWLOCK_MISUSE, "no such lock mode");
    if (q->n_where && !q->where)
        return rlk_fail(err, ROWLOCK_MISUSE, "no terms given");
    return rlk_check_wait(q->wait_ms, err);
}

int
rlk_query_resolve(rowlock_db *db, const rowlock_query *q,
                  struct rlk_arena *arena, struct rlk_select *ret,
                  bool *ret_nothing, rowlock_error *err)
{
    const struct rlk_table *table;
    RLK_TRY(check_query(q, err));
    RLK_TRY(rlk_session_table(db, q->table, &table, err));
    *ret = (struct rlk_select){
        .table = table,
        .limit = q->limit,
        .offset = q->offset,
        .lock = q->lock,
        .wait_ms = rlk_session_wait(db, q->wait_ms),
    };
    RLK_TRY(resolve_where(table, q, arena, ret, err));
    RLK_TRY(resolve_order(table, q->order, arena, ret, err));
    *ret_nothing = false;
    for (size_t i = 0; i < q->n_where; i++)
        if (q->where[i].op == ROWLOCK_IN && q->where[i].n_values == 0)
            *ret_nothing = true;
    return 0;
}

static int
check_new(const struct rlk_table *table, const struct rlk_set *sets, size_t n,
          rowlock_error *err)
{
    const struct rlk_column *c = &table->columns[sets[n].column];
    if (c->generated)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "%s.%s is generated and cannot be written", table->name,
                        c->name);
    for (size_t i = 0; i < n; i++)
        if (sets[i].column == sets[n].column)
            return rlk_fail(err, ROWLOCK_MISUSE, "%s.%s is given twice",
                            table->name, c->name);
    return 0;
}

int
rlk_pairs_resolve(const struct rlk_table *table, const rowlock_pair *pairs,
                  size_t n, struct rlk_arena *arena, struct rlk_set **ret,
                  rowlock_error *err)
{
    struct rlk_set *sets = rlk_arena_alloc(arena, n, sizeof *sets);
    if (!sets)
        return rlk_out_of_memory(err);
    if (n && !pairs)
        return rlk_fail(err, ROWLOCK_MISUSE, "no values given");
    for (size_t i = 0; i < n; i++) {
        RLK_TRY(rlk_table_column(table, pairs[i].column, &sets[i].column, err));
        RLK_TRY(check_new(table, sets, i, err));
        struct rlk_place place = {table->name, &table->columns[sets[i].column]};
        RLK_TRY(
            rlk_value_for(place, pairs[i].value, arena, &sets[i].value, err));
    }
    *ret = sets;
    return 0;
}

int
rlk_publish(rowlock_block *b, const struct rlk_table *table,
            struct rlk_rows *data, rowlock_rows **ret, rowlock_error *err)
{
    rowlock_db *db = b->db;
    rowlock_rows *rows = rlk_rows_new(table, data);
    if (!rows)
        return rlk_out_of_memory(err);
    rows->db = db;
    rows->serial = ++db->serial;
    for (size_t i = 0; i < rows->n; i++)
        rows->records[i].now.seen = db->writes.number;
    rlk_results_add(&db->results, rows);
    *ret = rows;
    return 0;
}

int
rlk_select_one(rowlock_db *db, const struct rlk_table *table,
               const struct rlk_row *row, enum rowlock_mode lock,
               int32_t wait_ms, struct rlk_rows *ret, rowlock_error *err)
{
    struct rlk_term few[4], *where = few;
    struct rlk_term RLK_AUTOFREE *many = NULL;
    size_t n = table->n_primary_key;
    if (n > sizeof few / sizeof few[0])
        where = many = rlk_calloc(n, sizeof *many);
    if (!where)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++) {
        uint32_t column = table->primary_key[i];
        where[i] =
            (struct rlk_term){column, ROWLOCK_EQ, &row->values[column], 1};
    }
    struct rlk_select q = {.table = table,
                           .where = where,
                           .n_where = n,
                           .limit = 1,
                           .lock = lock,
                           .wait_ms = wait_ms};
    return db->driver->select(db->conn, &q, ret, err);
}

/* ---- the public calls ---- */

static int
run_query(rowlock_block *b, const rowlock_query *q, rowlock_rows **ret,
          rowlock_error *err)
{
    struct rlk_scratch RLK_AUTOSCRATCH scratch = rlk_scratch_take(b->db);
    struct rlk_select select;
    struct rlk_rows data = {0};
    bool nothing;
    int rc =
        rlk_query_resolve(b->db, q, &scratch.arena, &select, &nothing, err);
    if (!rc && !nothing)
        rc = b->db->driver->select(b->db->conn, &select, &data, err);
    if (!rc)
        rc = rlk_publish(b, select.table, &data, ret, err);
    rlk_rows_done(&data);
    return rc;
}

static int
query(rowlock_block *b, const rowlock_query *given, int64_t limit,
      rowlock_rows **ret, rowlock_error *err)
{
    rowlock_query q;
    if (!given)
        return rlk_fail(err, ROWLOCK_MISUSE, "no query given");
    RLK_TRY(
        rlk_read_sized(given, given->size, &q, sizeof q, "rowlock_query", err));
    if (limit)
        q.limit = limit;
    return rlk_block_leave(b, run_query(b, &q, ret, err), err);
}

int
rowlock_query_all(rowlock_block *b, const rowlock_query *q, rowlock_rows **ret,
                  rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    if (!ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "nowhere to put the rows");
    return query(b, q, 0, ret, err);
}

int
rowlock_query_first(rowlock_block *b, const rowlock_query *q,
                    rowlock_record **ret, rowlock_error *err)
{
    rowlock_rows *rows;
    RLK_TRY(rlk_block_enter(b, err));
    if (!ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "nowhere to put the record");
    RLK_TRY(query(b, q, 1, &rows, err));
    *ret = rows->n ? &rows->records[0] : NULL;
    if (!rows->n)
        rowlock_rows_free(rows);
    return 0;
}

int
rowlock_sql(rowlock_block *b, const char *sql, const rowlock_value *params,
            size_t n_params, rowlock_rows **ret, rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    if (!sql || !ret || (n_params && !params))
        return rlk_fail(err, ROWLOCK_MISUSE, "a null argument");
    struct rlk_rows data = {0};
    int rc = b->db->driver->sql(b->db->conn, sql, params, n_params, &data, err);
    if (!rc)
        rc = rlk_publish(b, NULL, &data, ret, err);
    rlk_rows_done(&data);
    return rlk_block_leave(b, rc, err);
}

size_t
rowlock_rows_count(const rowlock_rows *rows)
{
    return rows ? rows->n : 0;
}

rowlock_record *
rowlock_rows_at(const rowlock_rows *rows, size_t i)
{
    return rows && i < rows->n ? (rowlock_record *)&rows->records[i] : NULL;
}

void
rowlock_rows_free(rowlock_rows *rows)
{
    if (!rows || rows->dead)
        return; /* its block frees it */
    for (size_t i = 0; i < rows->n; i++)
        if (rows->records[i].undone_in) {
            rlk_undo_drop(&rows->db->undo, rows);
            break;
        }
    rlk_results_take(&rows->db->results, rows);
    rlk_rows_free(rows);
}
