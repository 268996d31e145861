/* SPDX-License-Identifier: MIT
 * Looks the table up in the catalogue and compares. Only what is needed later
 * is copied: a catalogue's pointers die with the block. */
#include "sync/plan.h"

#include <string.h>
#include <strings.h>

#include "record/record.h"
#include "record/value.h"
#include "sync/generate.h"
#include "sync/guarded.h"

/* Says inner at its place in the definition. */
static int
wrong_at(const struct rlk_definition *d, struct rlk_spot at,
         const rowlock_error *inner, rowlock_error *err)
{
    if (inner->code != ROWLOCK_UNDEFINED &&
        inner->code != ROWLOCK_UNSUPPORTED) {
        if (err)
            *err = *inner;
        return (int)inner->code;
    }
    rlk_yaml_fail(d->path, at, err, "%s", inner->message);
    rlk_detail(err, "%s", inner->detail);
    rlk_hint(err, "%s", inner->hint);
    if (err)
        err->code = inner->code;
    rlk_sqlstate(err, inner->sqlstate);
    return (int)inner->code;
}

static enum rlk_column_type
column_type(enum rlk_field_type type)
{
    static const enum rlk_column_type types[] = {
        [RLK_FIELD_TEXT] = RLK_TYPE_TEXT,
        [RLK_FIELD_INTEGER] = RLK_TYPE_INTEGER,
        [RLK_FIELD_REAL] = RLK_TYPE_REAL,
        [RLK_FIELD_BOOLEAN] = RLK_TYPE_BOOLEAN,
        [RLK_FIELD_TIMESTAMP] = RLK_TYPE_TIMESTAMP,
        [RLK_FIELD_JSON] = RLK_TYPE_JSON,
        [RLK_FIELD_UUID] = RLK_TYPE_UUID,
        [RLK_FIELD_BLOB] = RLK_TYPE_BLOB,
    };
    return types[type];
}

/* A text column may hold what its engine has no type for. */
static bool
may_be(const struct rlk_column *column, enum rlk_field_type said)
{
    return said == RLK_FIELD_ANY || column_type(said) == column->type ||
           (column->type == RLK_TYPE_TEXT &&
            (said == RLK_FIELD_JSON || said == RLK_FIELD_UUID));
}

/* A type that is said must be the column's. */
static int
check_column(const struct rlk_definition *d, const struct rlk_field *f,
             const struct rlk_column *column, rowlock_error *err)
{
    enum rlk_field_type type = (enum rlk_field_type)f->type;
    int rc = 0;
    if (column->generated)
        rc = rlk_yaml_fail(d->path, f->column.at, err,
                           "column '%.60s' is generated: it cannot be written",
                           column->name);
    else if (column->unwritable)
        rc = rlk_yaml_fail(d->path, f->column.at, err,
                           "column '%.60s' is of type %.40s: it cannot be "
                           "written",
                           column->name, column->declared);
    else if (!may_be(column, type))
        rc = rlk_yaml_fail(d->path, f->column.at, err,
                           "the type of '%.60s' is %.40s in the table, not %s",
                           column->name,
                           column->declared[0] ? column->declared : "open",
                           rlk_field_type_name(type));
    if (rc && err)
        err->code = ROWLOCK_UNDEFINED;
    return rc ? ROWLOCK_UNDEFINED : 0;
}

/* A value of the definition's own must fit its column. */
static int
check_value(const struct rlk_plan *plan, size_t i,
            const struct rlk_table *table, struct rlk_arena *arena,
            rowlock_error *err)
{
    const struct rlk_field *f = &plan->d->fields[i];
    const struct rlk_column *column = &table->columns[plan->columns[i]];
    rowlock_error inner = {.code = ROWLOCK_UNDEFINED};
    rowlock_value v;
    bool present;
    int rc = 0;
    if (f->generated && !rlk_generate_fits(f->generated, plan->goals[i]))
        rc = rlk_fail(&inner, ROWLOCK_BAD_VALUE, "'%.60s' cannot hold %s",
                      column->name,
                      f->generated == RLK_GENERATE_NOW ? "now" : "uuid");
    else if (f->constant) {
        rc = rlk_field_value(f, plan->goals[i], NULL, arena, &v, &present,
                             &inner);
        struct rlk_place place = {table->name, column};
        if (!rc)
            rc = rlk_value_for(place, v, arena, &v, &inner);
    }
    if (!rc)
        return 0;
    if (rc == ROWLOCK_BAD_VALUE)
        inner.code = ROWLOCK_UNDEFINED;
    return wrong_at(plan->d, f->said_value->at, &inner, err);
}

static bool
copy_text(struct rlk_arena *arena, const char *text, const char **ret)
{
    *ret = rlk_arena_copy(arena, text, strlen(text));
    return *ret != NULL;
}

static int
keep_column(struct rlk_plan *plan, size_t i, const struct rlk_column *column,
            struct rlk_arena *arena, rowlock_error *err)
{
    struct rlk_column *kept = &plan->kept[i];
    *kept = *column;
    return copy_text(arena, column->name, &kept->name) &&
                   copy_text(arena, column->declared, &kept->declared) &&
                   copy_text(arena, column->collation, &kept->collation)
               ? 0
               : rlk_out_of_memory(err);
}

static int
copy_names(const struct rlk_table *t, struct rlk_arena *arena,
           struct rlk_table *ret, rowlock_error *err)
{
    struct rlk_column *columns =
        rlk_arena_alloc(arena, t->n_columns, sizeof *columns);
    uint32_t *key = rlk_arena_alloc(arena, t->n_primary_key, sizeof *key);
    bool ok = columns && key;
    for (size_t i = 0; ok && i < t->n_columns; i++) {
        const char *name = t->columns[i].name;
        columns[i].name = rlk_arena_copy(arena, name, strlen(name));
        ok = columns[i].name != NULL;
    }
    *ret = (struct rlk_table){
        .name = rlk_arena_copy(arena, t->name, strlen(t->name)),
        .columns = columns,
        .n_columns = t->n_columns,
        .primary_key = key,
        .n_primary_key = t->n_primary_key};
    if (!ok || !ret->name)
        return rlk_out_of_memory(err);
    memcpy(key, t->primary_key, t->n_primary_key * sizeof *key);
    return 0;
}

int
rlk_plan_start(const struct rlk_definition *d, rowlock_db *db,
               struct rlk_arena *arena, struct rlk_plan *ret,
               rowlock_error *err)
{
    const struct rlk_table *table;
    rowlock_error inner = {0};
    struct rlk_plan plan = {.d = d};
    plan.goals = rlk_arena_alloc(arena, d->n_fields, sizeof *plan.goals);
    plan.columns = rlk_arena_alloc(arena, d->n_fields, sizeof *plan.columns);
    plan.kept = rlk_arena_alloc(arena, d->n_fields, sizeof *plan.kept);
    if (!plan.goals || !plan.columns || !plan.kept)
        return rlk_out_of_memory(err);
    if (rlk_session_table(db, d->table.text, &table, &inner) ||
        rlk_guarded_check_table(table, &inner))
        return wrong_at(d, d->table.at, &inner, err);
    plan.tree = rlk_guarded_is_tree(table);
    if (!copy_text(arena, table->name, &plan.table))
        return rlk_out_of_memory(err);
    *ret = plan;
    return 0;
}

int
rlk_plan_field(struct rlk_plan *plan, size_t i, const struct rlk_table *table,
               struct rlk_arena *arena, rowlock_error *err)
{
    const struct rlk_definition *d = plan->d;
    const struct rlk_field *f = &d->fields[i];
    rowlock_error inner = {0};
    uint32_t at;
    if (rlk_table_column(table, f->column.text, &at, &inner) ||
        rlk_guarded_check_field(table, f, &inner))
        return wrong_at(d, f->column.at, &inner, err);
    RLK_TRY(check_column(d, f, &table->columns[at], err));
    plan->columns[i] = at;
    plan->goals[i].type = f->type == RLK_FIELD_ANY
                              ? table->columns[at].type
                              : column_type((enum rlk_field_type)f->type);
    plan->goals[i].length = table->columns[at].length;
    plan->goals[i].is_key = rlk_definition_matches(d, i);
    RLK_TRY(keep_column(plan, i, &table->columns[at], arena, err));
    return check_value(plan, i, table, arena, err);
}

int
rlk_plan_make(const struct rlk_definition *d, rowlock_db *db,
              struct rlk_arena *arena, struct rlk_plan *ret, rowlock_error *err)
{
    const struct rlk_table *table;
    struct rlk_plan plan;
    RLK_TRY(rlk_plan_start(d, db, arena, &plan, err));
    RLK_TRY(rlk_session_table(db, d->table.text, &table, err));
    for (size_t i = 0; i < d->n_fields; i++)
        RLK_TRY(rlk_plan_field(&plan, i, table, arena, err));
    RLK_TRY(copy_names(table, arena, &plan.names, err));
    *ret = plan;
    return 0;
}

static bool
same_key(const struct rlk_table *a, const struct rlk_table *b)
{
    bool same = a->n_primary_key == b->n_primary_key;
    for (size_t i = 0; same && i < a->n_primary_key; i++)
        same = a->primary_key[i] == b->primary_key[i];
    return same;
}

static bool
still_fits(const struct rlk_plan *plan, const struct rlk_table *t)
{
    const struct rlk_definition *d = plan->d;
    for (size_t i = 0; i < d->n_fields; i++)
        if (plan->columns[i] >= t->n_columns ||
            strcasecmp(t->columns[plan->columns[i]].name,
                       d->fields[i].column.text) != 0)
            return false;
    return same_key(t, &plan->names);
}

int
rlk_plan_table(const struct rlk_plan *plan, rowlock_db *db,
               const struct rlk_table **ret, rowlock_error *err)
{
    const struct rlk_table *t;
    RLK_TRY(rlk_session_table(db, plan->d->table.text, &t, err));
    if (!still_fits(plan, t))
        return rlk_fail(err, ROWLOCK_UNDEFINED,
                        "table \"%s\" was changed during the run", t->name);
    *ret = t;
    return 0;
}
