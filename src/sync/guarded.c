/* SPDX-License-Identifier: MIT
 * How such tables are known: by the three columns of a materialised path, and
 * by a foreign key to Wagtail's pages. Both are names that the applications
 * themselves cannot change. */
#include "sync/guarded.h"

#include <strings.h>

static const char *const place[] = {"path", "depth", "numchild"};
enum { PLACES = sizeof place / sizeof place[0] };

static const char pages[] = "wagtailcore_page";

bool
rlk_guarded_is_place(const char *column)
{
    for (size_t i = 0; i < PLACES; i++)
        if (strcasecmp(column, place[i]) == 0)
            return true;
    return false;
}

bool
rlk_guarded_is_tree(const struct rlk_table *table)
{
    size_t n = 0;
    for (size_t i = 0; i < table->n_columns; i++)
        n += rlk_guarded_is_place(table->columns[i].name);
    return n == PLACES;
}

bool
rlk_guarded_would_be_tree(const struct rlk_definition *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_fields; i++)
        n += rlk_guarded_is_place(d->fields[i].column.text);
    return n == PLACES;
}

int
rlk_guarded_refuse_new(rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_UNSUPPORTED,
             "the table is a tree (path, depth, numchild): create the record "
             "in the application, and the next run finds it");
    rlk_detail(err, "A record that is made without its place would corrupt the "
                    "tree.");
    return ROWLOCK_UNSUPPORTED;
}

static bool
is_of_pages(const struct rlk_table *table)
{
    bool found = strcasecmp(table->name, pages) == 0;
    for (size_t i = 0; i < table->n_foreign_keys; i++)
        found = found || strcasecmp(table->foreign_keys[i].parent, pages) == 0;
    return found;
}

int
rlk_guarded_check_table(const struct rlk_table *table, rowlock_error *err)
{
    if (!is_of_pages(table))
        return 0;
    rlk_fail(err, ROWLOCK_UNSUPPORTED,
             "table \"%.60s\" has to do with Wagtail's pages (%s)", table->name,
             pages);
    rlk_detail(err,
               "Pages have locks, revisions and a tree of their own, which "
               "an import would pass by.");
    rlk_hint(err,
             "Import into a table of its own, such as a snippet's, and let "
             "the application make pages of it.");
    return ROWLOCK_UNSUPPORTED;
}

int
rlk_guarded_check_field(const struct rlk_table *table,
                        const struct rlk_field *f, rowlock_error *err)
{
    if (!rlk_guarded_is_place(f->column.text) || !rlk_guarded_is_tree(table))
        return 0;
    rlk_fail(err, ROWLOCK_UNSUPPORTED,
             "'%.60s' is a record's place in a tree: only the application may "
             "write it",
             f->column.text);
    rlk_hint(err, "Leave path, depth and numchild out.");
    return ROWLOCK_UNSUPPORTED;
}
