/* SPDX-License-Identifier: MIT
 * The number of a new record, where the insert leaves it to SQLite.
 *
 * SQLite gives out the highest number + 1. A block that inserted and then had
 * to wait has given its records up for the time being, but their numbers are
 * answered, and it holds their locks: SQLite would give the same numbers to
 * others, who would wait for them, and deadlocks would follow. So for a while
 * after such a meeting inserts ask for the highest number themselves and go up
 * from there to one that nobody holds. */
#include "conn.h"

#include <string.h>

enum { CROWDED = 256 };

void
rlk_key_was_taken(const struct rlk_sqlite_table *t)
{
    *t->crowded = CROWDED;
}

bool
rlk_leaves_key_open(const struct rlk_table *t, const struct rlk_set *set,
                    size_t n_set)
{
    for (size_t i = 0; i < n_set; i++)
        if (set[i].column == t->primary_key[0] &&
            set[i].value.type != ROWLOCK_NULL)
            return false;
    return rlk_sqlite_table_of(t)->rowid_key;
}

static int
max_statement(struct rlk_sqlite *c, const struct rlk_sqlite_table *t,
              sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_shape_start(c, RLK_OP_MAX_KEY, t);
    if ((*ret = rlk_shape_find(c)))
        return 0;
    rlk_sql(c, "SELECT max(");
    rlk_sql_primary_key(c, &t->base);
    rlk_sql(c, ") FROM ");
    rlk_sql_name(c, t->base.name);
    return rlk_shape_make(c, ret, err);
}

static int
sequence_statement(struct rlk_sqlite *c, sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_shape_start(c, RLK_OP_SEQUENCE, NULL);
    if ((*ret = rlk_shape_find(c)))
        return 0;
    rlk_sql(c, "SELECT max(seq) FROM sqlite_sequence WHERE name = ?");
    return rlk_shape_make(c, ret, err);
}

/* Raises *max to the integer that s answers. */
static int
raise_to(struct rlk_sqlite *c, sqlite3_stmt *s, int64_t *max,
         rowlock_error *err)
{
    int rc = 0;
    if (sqlite3_step(s) != SQLITE_ROW)
        rc = rlk_sqlite_fail(c, "cannot read the highest key", err);
    else if (sqlite3_column_int64(s, 0) > *max)
        *max = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return rc;
}

static int
highest_key(struct rlk_sqlite *c, const struct rlk_sqlite_table *t,
            int64_t *ret, rowlock_error *err)
{
    sqlite3_stmt *s;
    *ret = 0;
    RLK_TRY(max_statement(c, t, &s, err));
    RLK_TRY(raise_to(c, s, ret, err));
    if (!t->sequence)
        return 0;
    RLK_TRY(sequence_statement(c, &s, err));
    RLK_TRY(rlk_bind(c, s, 1, rowlock_text(t->base.name), err));
    return raise_to(c, s, ret, err);
}

static int
add_key(struct rlk_sqlite *c, struct rlk_sqlite_write *w, int64_t number,
        rowlock_error *err)
{
    uint32_t column = w->table->base.primary_key[0];
    struct rlk_set *set =
        rlk_arena_alloc(&c->tx.arena, w->n_set + 1, sizeof *set);
    size_t n = 0;
    if (!set)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < w->n_set; i++)
        if (w->set[i].column != column)
            set[n++] = w->set[i];
    set[n++] = (struct rlk_set){column, rowlock_int(number)};
    w->set = set;
    w->n_set = n;
    return 0;
}

int
rlk_sqlite_choose_key(struct rlk_sqlite *c, struct rlk_sqlite_write *w,
                      rowlock_error *err)
{
    int64_t number;
    int rc = ROWLOCK_NOT_AVAILABLE;
    if (*w->table->crowded == 0)
        return 0;
    --*w->table->crowded;
    RLK_TRY(highest_key(c, w->table, &number, err));
    while (rc == ROWLOCK_NOT_AVAILABLE && number < INT64_MAX) {
        rowlock_value key = rowlock_int(++number);
        rc = rlk_sqlite_take_record(c, &w->table->base, &key, ROWLOCK_UPDATE,
                                    ROWLOCK_SKIP_LOCKED, err);
    }
    if (rc == ROWLOCK_NOT_AVAILABLE) /* SQLite finds a free one below */
        return 0;
    return rc ? rc : add_key(c, w, number, err);
}
