/* SPDX-License-Identifier: MIT
 * Columns: those that need a value and get none, those that take not every
 * value, fields that can never be written, and parents. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sync/check.h"
#include "sync/fill.h"
#include "sync/plan.h"
#include "sync/quote.h"

struct list { /* names joined by commas */
    struct rlk_buf text;
    size_t n;
};

static void
add_name(struct list *l, const char *name, const char *more)
{
    rlk_buf_format(&l->text, "%s%s%s%s", l->n ? ", " : "", name,
                   *more ? " " : "", more);
    l->n++;
}

/* Ends the list; tells it unless it is empty. */
static int
tell_list(const struct rlk_checking *s, struct list *l, enum rlk_grade grade,
          const char *what, const char *follows)
{
    bool failed = l->text.failed;
    if (l->n && !failed)
        rlk_check_tell(s->c, grade, follows, "", "%s: %s", what, l->text.ptr);
    rlk_buf_done(&l->text);
    return failed ? rlk_out_of_memory(s->err) : 0;
}

static const struct rlk_column *
column_of(const struct rlk_checking *s, size_t field)
{
    return &s->table->columns[s->plan->columns[field]];
}

static const struct rlk_field *
field_of(const struct rlk_checking *s, uint32_t column)
{
    for (size_t i = 0; i < s->plan->d->n_fields; i++)
        if (s->plan->columns[i] == column)
            return &s->plan->d->fields[i];
    return NULL;
}

/* ---- NOT NULL ---- */

static int
check_unfilled(const struct rlk_checking *s)
{
    struct rlk_buf RLK_AUTOBUF todo = {0};
    struct list names = {0};
    if (s->plan->tree)
        return 0; /* nothing is created */
    for (uint32_t i = 0; i < s->table->n_columns; i++) {
        if (field_of(s, i) || !rlk_fill_needs(s->table, i))
            continue;
        add_name(&names, s->table->columns[i].name, "");
        rlk_buf_text(&todo, todo.len ? "\n" : "");
        rlk_fill_add_line(&todo, s->table, i);
    }
    if (names.n && !names.text.failed && !todo.failed)
        rlk_check_tell(s->c, RLK_GRADE_BAD,
                       "Each record that would have to be created is rejected. "
                       "Add to fields, with the value that is right:",
                       todo.ptr, "no field fills what must not be NULL: %s",
                       names.text.ptr);
    bool failed = names.text.failed || todo.failed;
    rlk_buf_done(&names.text);
    return failed ? rlk_out_of_memory(s->err) : 0;
}

static bool
is_null_said(const struct rlk_field *f)
{
    return (f->has_default && f->default_value.type == ROWLOCK_NULL) ||
           (f->constant && f->constant->type == RLK_JSON_NULL);
}

/* Which of its keys makes NULL of something, in a column that takes none. */
static const char *
what_makes_null(const struct rlk_field *f)
{
    if (is_null_said(f))
        return f->constant ? "(value: null)" : "(default: null)";
    if (f->constant || f->generated)
        return NULL;
    return f->empty_null ? "(empty: null)"
           : f->strip    ? "(strip)"
           : f->slugify  ? "(slugify)"
                         : NULL;
}

static int
check_nulls(const struct rlk_checking *s)
{
    struct list made = {0}, needed = {0};
    for (size_t i = 0; i < s->plan->d->n_fields; i++) {
        const struct rlk_field *f = &s->plan->d->fields[i];
        const struct rlk_column *column = column_of(s, i);
        if (!column->not_null)
            continue;
        const char *how = what_makes_null(f);
        if (how)
            add_name(&made, column->name, how);
        else if (!f->constant && !f->generated && !f->has_default)
            add_name(&needed, column->name, "");
    }
    int rc =
        tell_list(s, &made, RLK_GRADE_WARN, "NULL is made where none may stand",
                  "A record that has nothing there, or blank text where "
                  "that becomes NULL, is rejected.");
    int more = tell_list(s, &needed, RLK_GRADE_OK, "must not be NULL",
                         "A record in which it is null is rejected, and so is "
                         "a new one that lacks it.");
    return rc ? rc : more;
}

/* ---- types ---- */

static bool
is_choosy(const struct rlk_column *column)
{
    bool open = column->type == RLK_TYPE_ANY || column->type == RLK_TYPE_BLOB;
    return !open && (column->type != RLK_TYPE_TEXT || column->length);
}

static int
check_types(const struct rlk_checking *s)
{
    struct list names = {0};
    for (size_t i = 0; i < s->plan->d->n_fields; i++) {
        const struct rlk_field *f = &s->plan->d->fields[i];
        const struct rlk_column *column = column_of(s, i);
        if (!f->constant && !f->generated && is_choosy(column))
            add_name(&names, column->name, column->declared);
    }
    return tell_list(s, &names, RLK_GRADE_OK,
                     "columns that take not every value",
                     "What does not fit exactly rejects its record, and no "
                     "other: rowlock sync --dry-run shows it.");
}

/* ---- modes ---- */

/* fill writes where the record has NULL or blank text. */
static bool
is_never_blank(const struct rlk_column *column)
{
    return column->not_null && column->type != RLK_TYPE_TEXT &&
           column->type != RLK_TYPE_ANY;
}

/* A found record may get another value in some field that is not written only
 * because of others. */
static bool
can_change(const struct rlk_checking *s)
{
    const struct rlk_definition *d = s->plan->d;
    for (size_t i = 0; i < d->n_fields; i++) {
        const struct rlk_field *f = &d->fields[i];
        bool only_key = d->n_match == 1 && s->plan->goals[i].is_key;
        if (f->mode == RLK_FIELD_UPDATE && !f->on_change && !only_key)
            return true;
        if (f->mode == RLK_FIELD_FILL && !is_never_blank(column_of(s, i)))
            return true;
    }
    return false;
}

static int
check_modes(const struct rlk_checking *s)
{
    const struct rlk_definition *d = s->plan->d;
    struct list fills = {0}, idle = {0}, news = {0};
    bool changes = can_change(s);
    for (size_t i = 0; i < d->n_fields; i++) {
        const struct rlk_field *f = &d->fields[i];
        if (f->mode == RLK_FIELD_FILL && is_never_blank(column_of(s, i)))
            add_name(&fills, f->column.text, "");
        if (f->on_change && !changes)
            add_name(&idle, f->column.text, "");
        if (f->mode == RLK_FIELD_CREATE_ONLY && s->plan->tree)
            add_name(&news, f->column.text, "");
    }
    int rc[] = {tell_list(s, &fills, RLK_GRADE_WARN,
                          "mode: fill never writes into a record that is found",
                          "The column cannot be NULL, and has no blank text."),
                tell_list(s, &idle, RLK_GRADE_WARN,
                          "on: change never writes into a record that is found",
                          "No other field changes there."),
                tell_list(s, &news, RLK_GRADE_WARN,
                          "mode: create_only never writes",
                          "No record of a tree is created.")};
    return rc[0] ? rc[0] : rc[1] ? rc[1] : rc[2];
}

/* ---- parents ---- */

static int
check_parents(const struct rlk_checking *s)
{
    struct list names = {0};
    for (size_t i = 0; i < s->table->n_foreign_keys; i++) {
        const struct rlk_foreign_key *key = &s->table->foreign_keys[i];
        for (size_t j = 0; j < key->n_columns; j++) {
            char to[300];
            if (!field_of(s, key->columns[j]))
                continue;
            snprintf(to, sizeof to, "(%s)", key->parent);
            add_name(&names, s->table->columns[key->columns[j]].name, to);
        }
    }
    return tell_list(s, &names, RLK_GRADE_OK, "parents",
                     "Writing it keeps the parent locked (KEY SHARE) until the "
                     "batch is committed; a record whose parent is missing is "
                     "rejected.");
}

int
rlk_check_columns(const struct rlk_checking *s)
{
    RLK_TRY(check_unfilled(s));
    RLK_TRY(check_nulls(s));
    RLK_TRY(check_types(s));
    RLK_TRY(check_modes(s));
    return check_parents(s);
}
