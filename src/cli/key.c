/* SPDX-License-Identifier: MIT
 * Primary keys, read and printed. */
#include "cli/key.h"

#include <string.h>

#include "cli/json.h"
#include "cli/pair.h"

static const char *
key_column(const struct rlk_table *table, size_t i)
{
    return table->columns[table->primary_key[i]].name;
}

static void
hint_form(const struct rlk_table *table, rowlock_error *err)
{
    RLK_AUTOBUF struct rlk_buf form = {0};
    for (size_t i = 0; i < table->n_primary_key; i++)
        rlk_buf_format(&form, "%s%s=VALUE", i ? "," : "", key_column(table, i));
    rlk_hint(err, "A key of \"%s\" is written %s.", table->name,
             form.ptr ? form.ptr : "");
}

/* The part that gives column's value, or NULL. */
static const rowlock_pair *
find_pair(const rowlock_pair *pairs, size_t n, const char *column)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(pairs[i].column, column) == 0)
            return &pairs[i];
    return NULL;
}

static int
read_parts(const struct rlk_table *table, const char *text,
           struct rlk_arena *arena, rowlock_term *terms, rowlock_error *err)
{
    char **parts;
    size_t n;
    RLK_TRY(rlk_split(text, ',', arena, &parts, &n, err));
    rowlock_pair *pairs = rlk_arena_alloc(arena, n, sizeof *pairs);
    if (!pairs)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        RLK_TRY(rlk_pair_read(parts[i], arena, &pairs[i], err));
    for (size_t i = 0; i < table->n_primary_key; i++) {
        const rowlock_pair *pair = find_pair(pairs, n, key_column(table, i));
        if (!pair || n != table->n_primary_key)
            return rlk_fail(err, ROWLOCK_MISUSE,
                            "key \"%.100s\" does not name each column once",
                            text);
        terms[i].values = &pair->value;
    }
    return 0;
}

int
rlk_key_read(const struct rlk_table *table, const char *text,
             struct rlk_arena *arena, rowlock_term **ret, rowlock_error *err)
{
    size_t n = table->n_primary_key;
    rowlock_term *terms = rlk_arena_alloc(arena, n, sizeof *terms);
    rowlock_value *single = rlk_arena_alloc(arena, 1, sizeof *single);
    if (!terms || !single)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        terms[i] = (rowlock_term){key_column(table, i), ROWLOCK_EQ, single, 1};
    *single = rowlock_text(text);
    int rc = n > 1 ? read_parts(table, text, arena, terms, err) : 0;
    if (rc == ROWLOCK_MISUSE)
        hint_form(table, err);
    if (rc == 0)
        *ret = terms;
    return rc;
}

int
rlk_key_values(const struct rlk_table *table, const rowlock_record *record,
               struct rlk_arena *arena, rowlock_value **ret, rowlock_error *err)
{
    size_t n = table->n_primary_key;
    rowlock_value *values = rlk_arena_alloc(arena, n, sizeof *values);
    if (!values)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++) {
        rowlock_value *v = &values[i];
        RLK_TRY(rowlock_record_get(record, key_column(table, i), v, err));
        if (v->type != ROWLOCK_TEXT && v->type != ROWLOCK_BLOB)
            continue;
        v->u.s.ptr = rlk_arena_copy(arena, v->u.s.ptr, v->u.s.len);
        if (!v->u.s.ptr)
            return rlk_out_of_memory(err);
    }
    *ret = values;
    return 0;
}

static void
add_guarded(struct rlk_buf *buf, rowlock_value value)
{
    if (value.type != ROWLOCK_TEXT) {
        rlk_buf_plain_value(buf, value);
        return;
    }
    for (size_t i = 0; i < value.u.s.len; i++) {
        char c = value.u.s.ptr[i];
        if (c == ',' || c == '\\')
            rlk_buf_char(buf, '\\');
        rlk_buf_char(buf, c);
    }
}

void
rlk_buf_key(struct rlk_buf *buf, const struct rlk_table *table,
            const rowlock_value *values)
{
    if (table->n_primary_key == 1) {
        rlk_buf_plain_value(buf, values[0]);
        return;
    }
    for (size_t i = 0; i < table->n_primary_key; i++) {
        rlk_buf_format(buf, "%s%s=", i ? "," : "", key_column(table, i));
        add_guarded(buf, values[i]);
    }
}

void
rlk_buf_json_key(struct rlk_buf *buf, const struct rlk_table *table,
                 const rowlock_value *values)
{
    rlk_buf_char(buf, '{');
    for (size_t i = 0; i < table->n_primary_key; i++) {
        const char *name = key_column(table, i);
        rlk_buf_text(buf, i ? ", " : "");
        rlk_buf_json(buf, name, strlen(name));
        rlk_buf_text(buf, ": ");
        rlk_buf_json_value(buf, values[i]);
    }
    rlk_buf_char(buf, '}');
}

static int
rank(rowlock_value v)
{
    static const int ranks[] = {
        [ROWLOCK_NULL] = 0, [ROWLOCK_INT] = 1,  [ROWLOCK_DOUBLE] = 1,
        [ROWLOCK_TEXT] = 2, [ROWLOCK_BLOB] = 3,
    };
    return ranks[v.type];
}

static int
compare_numbers(rowlock_value a, rowlock_value b)
{
    if (a.type == ROWLOCK_INT && b.type == ROWLOCK_INT)
        return (a.u.i > b.u.i) - (a.u.i < b.u.i);
    double x = a.type == ROWLOCK_INT ? (double)a.u.i : a.u.d;
    double y = b.type == ROWLOCK_INT ? (double)b.u.i : b.u.d;
    return (x > y) - (x < y);
}

int
rlk_value_compare(rowlock_value a, rowlock_value b)
{
    if (rank(a) != rank(b))
        return rank(a) < rank(b) ? -1 : 1;
    if (rank(a) < 2)
        return rank(a) ? compare_numbers(a, b) : 0;
    size_t len = a.u.s.len < b.u.s.len ? a.u.s.len : b.u.s.len;
    int order = len ? memcmp(a.u.s.ptr, b.u.s.ptr, len) : 0;
    if (order)
        return order;
    return (a.u.s.len > b.u.s.len) - (a.u.s.len < b.u.s.len);
}
