/* SPDX-License-Identifier: MIT
 * A row that lines.c has cut is well-formed: here its cells are found, and
 * doubled quotes made single in place. Columns without a name are in no record
 * (rows with trailing separators). Values are text, and nothing else. */
#include "csv.h"

#include <string.h>

#include "base/text.h"

void
rlk_csv_init(struct rlk_csv *t, enum rlk_format format)
{
    memset(t, 0, sizeof *t);
    t->separator = format == RLK_FORMAT_TSV ? '\t' : ',';
}

void
rlk_csv_done(struct rlk_csv *t)
{
    rlk_arena_done(&t->names);
    rlk_free(t->nodes);
    rlk_free(t->cell_of);
    rlk_free(t->cells);
}

/* at: behind the opening quote. Answers what is behind the closing one. */
static char *
unquote(char *at, struct rlk_cell *ret)
{
    char *to = at;
    ret->text = at;
    while (at[0] != '"' || at[1] == '"') {
        at += at[0] == '"';
        *to++ = *at++;
    }
    ret->len = (size_t)(to - ret->text);
    return at + 1;
}

static char *
take_cell(char *at, char *end, char separator, struct rlk_cell *ret)
{
    if (at < end && *at == '"')
        return unquote(at + 1, ret);
    char *stop = memchr(at, separator, (size_t)(end - at));
    if (!stop)
        stop = end;
    *ret = (struct rlk_cell){at, (size_t)(stop - at)};
    return stop;
}

/* Counts all cells, and keeps those there is room for. The row's text ends
 * with a line end or padding, so that looking one byte ahead is safe. */
static size_t
take_cells(const struct rlk_slice *row, char separator, struct rlk_cell *cells,
           size_t most)
{
    char *at = (char *)(uintptr_t)row->text, *end = at + row->len;
    for (size_t n = 0;; at++) {
        struct rlk_cell cell;
        at = take_cell(at, end, separator, &cell);
        if (n < most)
            cells[n] = cell;
        n++;
        if (at >= end)
            return n;
    }
}

static int
check_row(const struct rlk_slice *row, size_t *ret_at, rowlock_error *err)
{
    *ret_at = row->wrong_at;
    if (row->wrong)
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "%s", row->wrong);
    *ret_at = rlk_utf8_check(row->text, row->len);
    if (*ret_at < row->len)
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "invalid UTF-8");
    *ret_at = 0;
    return 0;
}

/* ---- the header ---- */

static int
make_room(struct rlk_csv *t, rowlock_error *err)
{
    enum { MOST = RLK_CSV_COLUMNS };
    t->cells = rlk_calloc(MOST, sizeof *t->cells);
    t->nodes = rlk_calloc(MOST + 1, sizeof *t->nodes);
    t->cell_of = rlk_calloc(MOST + 1, sizeof *t->cell_of);
    return t->cells && t->nodes && t->cell_of ? 0 : rlk_out_of_memory(err);
}

static bool
is_taken(const struct rlk_csv *t, const struct rlk_cell *name)
{
    for (size_t i = 1; i < t->n_nodes; i++)
        if (t->nodes[i].key_len == name->len &&
            memcmp(t->nodes[i].key, name->text, name->len) == 0)
            return true;
    return false;
}

static int
add_column(struct rlk_csv *t, size_t cell, rowlock_error *err)
{
    const struct rlk_cell *name = &t->cells[cell];
    if (name->len == 0)
        return 0;
    if (is_taken(t, name))
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "the header names '%.*s' twice",
                        (int)(name->len < 80 ? name->len : 80), name->text);
    struct rlk_json *node = &t->nodes[t->n_nodes];
    node->type = RLK_JSON_STRING;
    node->size = 1;
    node->key = rlk_arena_copy(&t->names, name->text, name->len);
    node->key_len = name->len;
    t->cell_of[t->n_nodes++] = cell;
    return node->key ? 0 : rlk_out_of_memory(err);
}

int
rlk_csv_header(struct rlk_csv *t, const struct rlk_slice *row, size_t *ret_at,
               rowlock_error *err)
{
    RLK_TRY(check_row(row, ret_at, err));
    RLK_TRY(make_room(t, err));
    t->n_cells = take_cells(row, t->separator, t->cells, RLK_CSV_COLUMNS);
    if (t->n_cells > RLK_CSV_COLUMNS)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "the header names more than %d columns",
                        RLK_CSV_COLUMNS);
    t->n_nodes = 1;
    for (size_t i = 0; i < t->n_cells; i++)
        RLK_TRY(add_column(t, i, err));
    if (t->n_nodes == 1)
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "the header names no column");
    t->nodes[0].type = RLK_JSON_OBJECT;
    t->nodes[0].size = (uint32_t)t->n_nodes;
    t->has_header = true;
    return 0;
}

/* ---- rows ---- */

int
rlk_csv_row(struct rlk_csv *t, const struct rlk_slice *row,
            const struct rlk_json **ret, size_t *ret_at, rowlock_error *err)
{
    RLK_TRY(check_row(row, ret_at, err));
    size_t n = take_cells(row, t->separator, t->cells, t->n_cells);
    if (n != t->n_cells)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "the row has %zu field%s, the header %zu", n,
                        n == 1 ? "" : "s", t->n_cells);
    for (size_t i = 1; i < t->n_nodes; i++) {
        t->nodes[i].text = t->cells[t->cell_of[i]].text;
        t->nodes[i].len = t->cells[t->cell_of[i]].len;
    }
    *ret = t->nodes;
    return 0;
}
