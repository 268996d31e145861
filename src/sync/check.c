/* SPDX-License-Identifier: MIT
 * What a definition is about, and whether its table takes it. Next:
 * check_keys.c, check_columns.c. */
#include "sync/check.h"

#include <stdarg.h>
#include <string.h>

#include <unistd.h>

#include "sync/plan.h"

void
rlk_check_tell(const struct rlk_check *c, enum rlk_grade grade,
               const char *follows, const char *todo, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    rlk_finding_tell((struct rlk_finding){grade, "", follows, todo}, c->tell,
                     c->arg, format, list);
    va_end(list);
}

void
rlk_check_key_name(const struct rlk_definition *d, size_t k,
                   struct rlk_buf *buf)
{
    const struct rlk_match_key *key = &d->match[k];
    if (key->n_fields > 1)
        rlk_buf_char(buf, '(');
    for (size_t i = 0; i < key->n_fields; i++)
        rlk_buf_format(buf, "%s%s", i ? ", " : "",
                       d->fields[key->fields[i]].column.text);
    if (key->n_fields > 1)
        rlk_buf_char(buf, ')');
}

/* A server is not asked; a file may be looked for. */
static void
tell_source(const struct rlk_check *c)
{
    const struct rlk_definition *d = c->d;
    const char *shown = d->shown_url ? d->shown_url : d->url.text;
    if (rlk_url_is_http(d->url.text))
        rlk_check_tell(c, RLK_GRADE_OK, "", "", "source %s (not asked)", shown);
    else if (access(d->url.text, R_OK) == 0)
        rlk_check_tell(c, RLK_GRADE_OK, "", "", "source %s", shown);
    else
        rlk_check_tell(c, RLK_GRADE_WARN,
                       "A run ends with status 1 unless it is there by then.",
                       "", "source %s cannot be read", shown);
}

int
rlk_check_definition(const struct rlk_check *c, rowlock_error *err)
{
    const struct rlk_definition *d = c->d;
    struct rlk_buf RLK_AUTOBUF keys = {0};
    for (size_t k = 0; k < d->n_match; k++) {
        rlk_buf_text(&keys, k ? ", then " : "");
        rlk_check_key_name(d, k, &keys);
    }
    if (keys.failed)
        return rlk_out_of_memory(err);
    rlk_check_tell(c, RLK_GRADE_OK, "", "",
                   "definition %s: sync '%s', %zu field%s, matched by %s",
                   d->path, d->name.text, d->n_fields,
                   d->n_fields == 1 ? "" : "s", keys.ptr);
    tell_source(c);
    return 0;
}

/* ---- the table ---- */

static bool
is_about_definition(int code)
{
    return code == ROWLOCK_UNDEFINED || code == ROWLOCK_UNSUPPORTED;
}

static void
tell_wrong(const struct rlk_check *c, const rowlock_error *why)
{
    rlk_check_tell(c, RLK_GRADE_BAD, why->detail, why->hint, "%s",
                   why->message);
}

/* All fields that do not fit, not only the first. */
static int
check_fields(const struct rlk_check *c, struct rlk_plan *plan,
             const struct rlk_table *table, struct rlk_arena *arena,
             bool *ret_fits)
{
    for (size_t i = 0; i < c->d->n_fields; i++) {
        rowlock_error why = {0};
        int rc = rlk_plan_field(plan, i, table, arena, &why);
        if (rc == ROWLOCK_NO_MEMORY)
            return rc;
        if (rc)
            tell_wrong(c, &why);
        *ret_fits = *ret_fits && !rc;
    }
    return 0;
}

static void
tell_tree(const struct rlk_check *c, const struct rlk_table *table)
{
    rlk_check_tell(c, RLK_GRADE_WARN,
                   "Records that are found are updated; those that would have "
                   "to be created are rejected, since they would have no place "
                   "in the tree.",
                   "Create them in the application: the next run finds them.",
                   "table %s is a tree (path, depth, numchild)", table->name);
}

static int
check_more(const struct rlk_check *c, const struct rlk_plan *plan,
           const struct rlk_table *table, rowlock_error *err)
{
    struct rlk_checking s = {c, table, plan, err};
    rlk_check_tell(c, RLK_GRADE_OK, "", "", "table %s: each field has a column",
                   table->name);
    if (plan->tree)
        tell_tree(c, table);
    RLK_TRY(rlk_check_keys(&s));
    return rlk_check_columns(&s);
}

static int
check_plan(const struct rlk_check *c, struct rlk_arena *arena, bool *ret_fits,
           rowlock_error *err)
{
    struct rlk_plan plan;
    const struct rlk_table *table;
    rowlock_error why = {0};
    int rc = rlk_plan_start(c->d, c->db, arena, &plan, &why);
    if (rc && !is_about_definition(rc) && err)
        *err = why;
    if (rc && is_about_definition(rc))
        tell_wrong(c, &why);
    if (rc)
        return is_about_definition(rc) ? 0 : rc;
    RLK_TRY(rlk_session_table(c->db, c->d->table.text, &table, err));
    *ret_fits = true;
    if (check_fields(c, &plan, table, arena, ret_fits))
        return rlk_out_of_memory(err);
    return *ret_fits ? check_more(c, &plan, table, err) : 0;
}

int
rlk_check_table(const struct rlk_check *c, bool *ret_fits, rowlock_error *err)
{
    struct rlk_arena RLK_AUTOARENA arena = {0};
    *ret_fits = false;
    return check_plan(c, &arena, ret_fits, err);
}
