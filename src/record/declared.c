/* SPDX-License-Identifier: MIT
 * A short list: a program has a handful of match keys. Columns are positions;
 * a changed schema may move them, which makes a lock too many or too few here,
 * never a wrong write: update_or_create itself reads the catalogue anew. */
#include "declared.h"

#include <string.h>

static bool
is_on(const struct rlk_declared_key *d, const struct rlk_table *t)
{
    return strcmp(d->table, t->name) == 0;
}

bool
rlk_declare(struct rlk_declared_key **list, const struct rlk_table *t,
            const uint32_t *columns, size_t n_columns)
{
    for (struct rlk_declared_key *d = *list; d; d = d->next)
        if (d->n_columns == n_columns &&
            memcmp(d->columns, columns, n_columns * sizeof *columns) == 0 &&
            is_on(d, t))
            return true;
    struct rlk_declared_key *d =
        rlk_calloc(1, sizeof *d + n_columns * sizeof *columns);
    if (!d)
        return false;
    d->table = rlk_strdup(t->name);
    if (!d->table) {
        rlk_free(d);
        return false;
    }
    d->n_columns = n_columns;
    memcpy(d->columns, columns, n_columns * sizeof *columns);
    d->next = *list;
    *list = d;
    return true;
}

static bool
fits(const struct rlk_declared_key *d, const struct rlk_table *t)
{
    for (size_t i = 0; i < d->n_columns; i++)
        if (d->columns[i] >= t->n_columns)
            return false;
    return true;
}

bool
rlk_declared_keys(const struct rlk_declared_key *list, struct rlk_keys *keys,
                  const struct rlk_write *w)
{
    for (const struct rlk_declared_key *d = list; d; d = d->next) {
        if (!is_on(d, w->table) || !fits(d, w->table) ||
            !rlk_keys_touched(d->columns, d->n_columns, w->set, w->n_set))
            continue;
        if (w->old &&
            !rlk_keys_add(keys, d->columns, d->n_columns, w->old, NULL, 0))
            return false;
        if (!rlk_keys_add(keys, d->columns, d->n_columns, w->old, w->set,
                          w->n_set))
            return false;
    }
    return true;
}

void
rlk_declared_free(struct rlk_declared_key **list)
{
    while (*list) {
        struct rlk_declared_key *d = *list;
        *list = d->next;
        rlk_free(d->table);
        rlk_free(d);
    }
}
