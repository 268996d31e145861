/* SPDX-License-Identifier: MIT
 * From a definition to a new table: a column a field, a unique index a match
 * key. */
#include "cli/target.h"

#include <stdio.h>
#include <string.h>

#include "front/front.h"

static const char *
declared_type(int type)
{
    static const char *const types[] = {
        [RLK_FIELD_ANY] = "TEXT",        [RLK_FIELD_TEXT] = "TEXT",
        [RLK_FIELD_INTEGER] = "INTEGER", [RLK_FIELD_REAL] = "REAL",
        [RLK_FIELD_BOOLEAN] = "BOOLEAN", [RLK_FIELD_TIMESTAMP] = "TIMESTAMP",
        [RLK_FIELD_JSON] = "JSON",       [RLK_FIELD_UUID] = "UUID",
        [RLK_FIELD_BLOB] = "BLOB",
    };
    return types[type];
}

int
rlk_target_describe(const struct rlk_definition *d, struct rlk_arena *arena,
                    struct rlk_new_table *ret, rowlock_error *err)
{
    struct rlk_new_column *columns =
        rlk_arena_alloc(arena, d->n_fields, sizeof *columns);
    struct rlk_new_index *indexes =
        rlk_arena_alloc(arena, d->n_match, sizeof *indexes);
    if (!columns || !indexes)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < d->n_fields; i++) {
        columns[i].name = d->fields[i].column.text;
        columns[i].type = declared_type(d->fields[i].type);
    }
    for (size_t i = 0; i < d->n_match; i++) {
        indexes[i].columns = d->match[i].fields;
        indexes[i].n_columns = d->match[i].n_fields;
    }
    *ret = (struct rlk_new_table){d->table.text, columns, d->n_fields, indexes,
                                  d->n_match};
    return 0;
}

/* ret_sql: NULL creates what is missing; else it is only said, NULL in *ret_sql
 * when nothing is. */
static int
create(const struct rlk_definition *d, char **ret_sql, rowlock_error *err)
{
    struct rlk_arena arena = {0};
    struct rlk_new_table table;
    int rc = rlk_target_describe(d, &arena, &table, err);
    if (!rc)
        rc = rlk_front_create(d->database.text, &table, ret_sql, err);
    rlk_arena_done(&arena);
    return rc;
}

/* Held by an owner of its own, since the session's locks end with each block.
 */
static int
take_run(struct rlk_target *t, const struct rlk_definition *d,
         rowlock_error *err)
{
    rowlock_error inner = {0};
    int rc = rlk_front_claim(d->database.text, t->label, d->name.text, &t->run,
                             &inner);
    t->running = rc == ROWLOCK_NOT_AVAILABLE;
    if (t->running) {
        rlk_fail(err, ROWLOCK_NOT_AVAILABLE,
                 "another run of '%.60s' is under way", d->name.text);
        rlk_detail(err, "%s", inner.detail);
    } else if (rc && err)
        *err = inner;
    return rc;
}

int
rlk_target_open(struct rlk_target *t, const struct rlk_definition *d, bool make,
                rowlock_error *err)
{
    char *sql RLK_AUTOFREE = NULL;
    if (d->create_table)
        RLK_TRY(create(d, make ? NULL : &sql, err));
    if (sql)
        return 0;
    snprintf(t->label, sizeof t->label, "rowlock sync %s", d->name.text);
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    o.label = t->label;
    o.wait_ms = d->wait_ms > 0 ? d->wait_ms : 1; /* for side effects */
    o.durability = d->durability;
    o.on_wait = t->on_wait;
    o.on_wait_arg = t->arg;
    RLK_TRY(rowlock_open(d->database.text, &o, &t->db, err));
    return take_run(t, d, err);
}

int
rlk_target_look(struct rlk_target *t, const struct rlk_definition *d, bool make,
                rowlock_error *err)
{
    char *sql RLK_AUTOFREE = NULL;
    if (d->create_table)
        RLK_TRY(create(d, &sql, err));
    t->is_new = sql != NULL;
    if (sql && !make)
        return 0;
    struct rlk_look how = {.schema = sql, .unfit = t->unfit};
    return rlk_front_look(d->database.text, &how, &t->db, err);
}

void
rlk_target_cancel(struct rlk_target *t)
{
    if (t->db)
        rowlock_cancel(t->db);
}

void
rlk_target_close(struct rlk_target *t)
{
    rowlock_close(t->db);
    rlk_front_unclaim(&t->run);
    t->db = NULL;
}

void
rlk_target_add_index(const struct rlk_definition *d, size_t k,
                     struct rlk_buf *buf)
{
    struct rlk_arena RLK_AUTOARENA arena = {0};
    struct rlk_new_table table;
    if (rlk_target_describe(d, &arena, &table, NULL))
        buf->failed = true;
    else
        rlk_front_add_index_sql(d->database.text, buf, &table, k);
}
