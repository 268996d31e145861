/* SPDX-License-Identifier: MIT
 * What a column that no source knows of most likely wants: an application whose
 * database has no defaults (as Django's) needs one line for each. */
#include "sync/fill.h"

#include <string.h>
#include <strings.h>

#include "sync/quote.h"

bool
rlk_fill_needs(const struct rlk_table *table, uint32_t column)
{
    const struct rlk_column *c = &table->columns[column];
    bool key = false;
    for (size_t i = 0; i < table->n_primary_key; i++)
        key = key || table->primary_key[i] == column;
    if (c->has_default || c->generated)
        return false;
    return key ? !table->numbers_records : c->not_null;
}

/* "updated_at", "last_modified", "changed" are written at each change. */
static bool
is_of_changes(const char *name)
{
    static const char *const parts[] = {"updat", "modif", "chang", "edited"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

static bool
looks_like_uuid(const struct rlk_column *c)
{
    bool bare = strcasecmp(c->declared, "char(32)") == 0 ||
                strcasecmp(c->declared, "char(36)") == 0;
    return c->type == RLK_TYPE_UUID || bare ||
           (c->type == RLK_TYPE_TEXT && strcasestr(c->name, "uuid"));
}

static const char *
value_of(const struct rlk_column *c)
{
    if (looks_like_uuid(c))
        return "uuid";
    switch (c->type) {
    case RLK_TYPE_BOOLEAN:
        return "true";
    case RLK_TYPE_INTEGER:
    case RLK_TYPE_REAL:
    case RLK_TYPE_DECIMAL:
        return "0";
    case RLK_TYPE_TIMESTAMP:
    case RLK_TYPE_DATE:
    case RLK_TYPE_TIME:
        return "now";
    case RLK_TYPE_JSON:
        return "\"{}\"";
    default:
        return "\"\"";
    }
}

static const char *
parent_of(const struct rlk_table *table, uint32_t column)
{
    for (size_t i = 0; i < table->n_foreign_keys; i++)
        for (size_t j = 0; j < table->foreign_keys[i].n_columns; j++)
            if (table->foreign_keys[i].columns[j] == column)
                return table->foreign_keys[i].parent;
    return NULL;
}

/* No two records may have the same there: a constant cannot be it. */
static bool
is_unique(const struct rlk_table *table, uint32_t column)
{
    for (size_t i = 0; i < table->n_primary_key; i++)
        if (table->primary_key[i] == column)
            return true;
    for (size_t i = 0; i < table->n_indexes; i++)
        if (table->indexes[i].unique && table->indexes[i].n_columns == 1 &&
            table->indexes[i].columns[0] == column)
            return true;
    return false;
}

static void
add_constant(struct rlk_buf *buf, const struct rlk_column *c, const char *value)
{
    bool time = strcmp(value, "now") == 0;
    rlk_buf_yaml(buf, c->name, strlen(c->name));
    rlk_buf_format(buf, ": {value: %s, %s}", value,
                   time && is_of_changes(c->name) ? "on: change"
                                                  : "mode: create_only");
}

static void
add_pointer(struct rlk_buf *buf, const struct rlk_column *c)
{
    struct rlk_buf RLK_AUTOBUF pointer = {0};
    rlk_buf_format(&pointer, "/%s", c->name);
    rlk_buf_yaml(buf, c->name, strlen(c->name));
    rlk_buf_text(buf, ": ");
    rlk_buf_yaml(buf, pointer.ptr ? pointer.ptr : "", pointer.len);
    rlk_buf_text(buf, "  # unique: where is it in the source?");
    buf->failed = buf->failed || pointer.failed;
}

void
rlk_fill_add_line(struct rlk_buf *buf, const struct rlk_table *table,
                  uint32_t column)
{
    const struct rlk_column *c = &table->columns[column];
    const char *parent = parent_of(table, column), *value = value_of(c);
    if (c->type == RLK_TYPE_BLOB || c->unwritable) {
        const char *type = c->unwritable ? c->declared : "blob";
        rlk_buf_text(buf, "# ");
        rlk_buf_comment(buf, c->name, strlen(c->name), 60);
        rlk_buf_text(buf, ": no field can fill a ");
        rlk_buf_comment(buf, type, strlen(type), 60);
        rlk_buf_text(buf, ", give it a default");
    } else if (is_unique(table, column) && strcmp(value, "uuid") != 0) {
        add_pointer(buf, c);
    } else {
        add_constant(buf, c, parent ? "1" : value);
    }
    if (!parent)
        return;
    rlk_buf_text(buf, "  # which record of ");
    rlk_buf_comment(buf, parent, strlen(parent), 60);
    rlk_buf_char(buf, '?');
}
