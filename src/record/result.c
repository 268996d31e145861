/* SPDX-License-Identifier: MIT
 * Results, records and their states: memory only. What may be done with a
 * record, and when, is decided in record.c and block.c. */
#include "result.h"

#include <string.h>

rowlock_rows *
rlk_rows_new(const struct rlk_table *table, struct rlk_rows *data)
{
    size_t n = data->n_rows, size;
    if (__builtin_mul_overflow(n, sizeof(rowlock_record), &size))
        return NULL;
    rowlock_rows *rows = rlk_calloc(1, sizeof *rows + size);
    if (!rows)
        return NULL;
    rows->table = table;
    rows->data = *data;
    memset(data, 0, sizeof *data);
    rows->n = n;
    for (size_t i = 0; i < n; i++) {
        rows->records[i].rows = rows;
        rows->records[i].now.row = rows->data.rows[i];
    }
    return rows;
}

static void
free_data(rowlock_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        rlk_state_done(&rows->records[i].now);
    rlk_rows_done(&rows->data);
}

void
rlk_rows_free(rowlock_rows *rows)
{
    free_data(rows);
    rlk_free(rows);
}

void
rlk_results_add(struct rlk_results *list, rowlock_rows *rows)
{
    rows->prev = list->last;
    rows->next = NULL;
    *(list->last ? &list->last->next : &list->first) = rows;
    list->last = rows;
}

void
rlk_results_take(struct rlk_results *list, rowlock_rows *rows)
{
    *(rows->prev ? &rows->prev->next : &list->first) = rows->next;
    *(rows->next ? &rows->next->prev : &list->last) = rows->prev;
}

void
rlk_results_bury(struct rlk_results *list, uint64_t serial,
                 struct rlk_results *graves)
{
    rowlock_rows *rows;
    while ((rows = list->last) && rows->serial >= serial) {
        rlk_results_take(list, rows);
        free_data(rows);
        rows->dead = true;
        rlk_results_add(graves, rows);
    }
}

void
rlk_results_free(struct rlk_results *list)
{
    rowlock_rows *rows;
    while ((rows = list->last)) {
        rlk_results_take(list, rows);
        rlk_rows_free(rows);
    }
}

/* ---- a record's state ---- */

static void
drop_image(struct rlk_image *image)
{
    if (!image || --image->refs)
        return;
    rlk_rows_done(&image->rows);
    rlk_free(image);
}

bool
rlk_record_replace(rowlock_record *r, struct rlk_rows *data)
{
    struct rlk_image *image = rlk_calloc(1, sizeof *image);
    if (!image)
        return false;
    image->refs = 1;
    image->rows = *data;
    memset(data, 0, sizeof *data);
    drop_image(r->now.image);
    r->now.image = image;
    r->now.row = image->rows.rows[0];
    return true;
}

void
rlk_pending_clear(struct rlk_state *state)
{
    if (!state->pending)
        return;
    rlk_arena_done(&state->pending->arena);
    rlk_free(state->pending);
    state->pending = NULL;
}

void
rlk_state_done(struct rlk_state *state)
{
    rlk_pending_clear(state);
    drop_image(state->image);
    state->image = NULL;
    state->row = (struct rlk_row){NULL, 0};
}

static struct rlk_pending *
make_pending(size_t n_values)
{
    struct rlk_pending *p = rlk_calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->n_values = n_values;
    p->values = rlk_arena_alloc(&p->arena, n_values, sizeof *p->values);
    p->is_set = rlk_arena_alloc(&p->arena, n_values, sizeof *p->is_set);
    if (p->values && p->is_set)
        return p;
    rlk_arena_done(&p->arena);
    rlk_free(p);
    return NULL;
}

bool
rlk_pending_set(struct rlk_state *state, size_t column, rowlock_value value)
{
    if (!state->pending)
        state->pending = make_pending(state->row.n_values);
    struct rlk_pending *p = state->pending;
    if (!p)
        return false;
    if (value.type == ROWLOCK_TEXT || value.type == ROWLOCK_BLOB) {
        value.u.s.ptr = rlk_arena_copy(&p->arena, value.u.s.ptr, value.u.s.len);
        if (!value.u.s.ptr)
            return false;
    }
    p->values[column] = value;
    p->is_set[column] = true;
    return true;
}

bool
rlk_state_copy(const struct rlk_state *state, struct rlk_state *ret)
{
    struct rlk_state copy = *state;
    copy.pending = NULL;
    const struct rlk_pending *p = state->pending;
    for (size_t i = 0; p && i < p->n_values; i++)
        if (p->is_set[i] && !rlk_pending_set(&copy, i, p->values[i])) {
            rlk_pending_clear(&copy);
            return false;
        }
    if (copy.image)
        copy.image->refs++;
    *ret = copy;
    return true;
}
