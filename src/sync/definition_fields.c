/* SPDX-License-Identifier: MIT
 * The parts of a definition whose keys are the user's own: fields, their
 * defaults, and match, which names them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "source/json.h"
#include "sync/definition_read.h"
#include "sync/guarded.h"

enum { MOST_FIELDS = 500, LONGEST_NAME = 255 };

/* ---- defaults ---- */

static bool
read_integer(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return !errno && !*end && rlk_json_is_number(text, strlen(text));
}

static bool
read_real(const char *text, double *ret)
{
    char *end;
    *ret = strtod(text, &end);
    return !*end && isfinite(*ret) && rlk_json_is_number(text, strlen(text));
}

/* A plain null (or ~, or nothing) is NULL; anything else is what the field's
 * type makes of the text. */
static int
read_default(struct rlk_reading *r, struct rlk_field *f)
{
    const struct rlk_yaml *node = f->said_default;
    int64_t i;
    double d;
    if (node->kind != RLK_YAML_SCALAR)
        return RLK_WRONG(r, node, "a default is a text or null");
    const char *text = node->text;
    bool is_true = strcmp(text, "true") == 0;
    f->has_default = true;
    if (node->plain &&
        (!text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
        f->default_value = rowlock_null();
    else if (f->type == RLK_FIELD_BOOLEAN &&
             (is_true || strcmp(text, "false") == 0))
        f->default_value = rowlock_int(is_true);
    else if (f->type == RLK_FIELD_INTEGER && read_integer(text, &i))
        f->default_value = rowlock_int(i);
    else if (f->type == RLK_FIELD_REAL && read_real(text, &d))
        f->default_value = rowlock_double(d);
    else if (f->type == RLK_FIELD_BOOLEAN || f->type == RLK_FIELD_INTEGER ||
             f->type == RLK_FIELD_REAL)
        return RLK_WRONG(r, node, "'%.60s' is no %s", text,
                         rlk_field_type_name((enum rlk_field_type)f->type));
    else
        f->default_value = rowlock_text(text);
    return 0;
}

/* ---- fields ---- */

static int
check_kinds(struct rlk_reading *r, const struct rlk_yaml *node,
            const struct rlk_field *f)
{
    const char *maker = f->slugify         ? "slugify"
                        : f->strip         ? "strip"
                        : f->lower         ? "lower"
                        : f->unescape_html ? "unescape"
                                           : NULL;
    if (maker && f->type != RLK_FIELD_ANY && f->type != RLK_FIELD_TEXT)
        return RLK_WRONG(r, node, "%s makes text, but the type is %s", maker,
                         rlk_field_type_name((enum rlk_field_type)f->type));
    return 0;
}

/* A plain true, false, null or number is that; now and uuid are made anew for
 * each record; anything else, and all that stands in quotes, is a text. */
static int
read_constant(struct rlk_reading *r, struct rlk_field *f)
{
    const struct rlk_yaml *node = f->said_value;
    if (node->kind != RLK_YAML_SCALAR)
        return RLK_WRONG(r, node,
                         "a value is a text, a number, true, false, "
                         "null, now or uuid");
    const char *text = node->text;
    struct rlk_json *json = rlk_arena_alloc(&r->d->arena, 1, sizeof *json);
    if (!json)
        return rlk_out_of_memory(r->err);
    json->size = 1;
    json->type = RLK_JSON_STRING;
    json->text = json->raw = text;
    json->len = json->raw_len = strlen(text);
    f->constant = json;
    if (!node->plain)
        return 0;
    if (strcmp(text, "now") == 0 || strcmp(text, "uuid") == 0) {
        f->generated = text[0] == 'n' ? RLK_GENERATE_NOW : RLK_GENERATE_UUID;
        f->constant = NULL;
    } else if (!text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
        json->type = RLK_JSON_NULL;
    else if (strcmp(text, "true") == 0)
        json->type = RLK_JSON_TRUE;
    else if (strcmp(text, "false") == 0)
        json->type = RLK_JSON_FALSE;
    else if (rlk_json_is_number(text, json->len))
        json->type = RLK_JSON_NUMBER;
    return 0;
}

/* What is new each time must not be written each time. */
static int
check_occasion(struct rlk_reading *r, const struct rlk_field *f)
{
    const struct rlk_yaml *node = f->said_value;
    bool seldom = f->mode != RLK_FIELD_UPDATE;
    if (f->generated == RLK_GENERATE_NOW && !seldom && !f->on_change)
        return RLK_WRONG(r, node,
                         "now would change every record at each run: "
                         "say on: change, or mode: create_only");
    if (f->generated == RLK_GENERATE_UUID && !seldom)
        return RLK_WRONG(r, node,
                         "uuid would change every record at each "
                         "run: say mode: create_only");
    return 0;
}

static int
read_value(struct rlk_reading *r, const struct rlk_yaml *node,
           struct rlk_field *f)
{
    bool from = f->from.text != NULL;
    if (from == (f->said_value != NULL))
        return RLK_WRONG(r, node,
                         from ? "a field has 'from' or 'value', not "
                                "both"
                              : "key 'from' or 'value' is missing");
    if (f->on_change && f->mode != RLK_FIELD_UPDATE)
        return RLK_WRONG(r, node, "on: change goes with mode: update only");
    if (from)
        return 0;
    if (f->said_default || f->strip || f->slugify || f->lower ||
        f->unescape_html || f->empty_null)
        return RLK_WRONG(r, node,
                         "'value' goes with 'mode', 'on' and 'type' "
                         "only");
    RLK_TRY(read_constant(r, f));
    return check_occasion(r, f);
}

static int
read_field(struct rlk_reading *r, const struct rlk_yaml *node,
           struct rlk_field *ret)
{
    ret->column = (struct rlk_said){node->name, node->name_at};
    if (!node->name[0] || strlen(node->name) > LONGEST_NAME)
        return rlk_yaml_fail(r->d->path, node->name_at, r->err,
                             "a field is named by a column, in 1 to %d bytes",
                             LONGEST_NAME);
    if (node->kind == RLK_YAML_SCALAR)
        return rlk_read_pointer(r, node, &ret->from);
    RLK_TRY(rlk_read_section(r, node, "field", ret));
    if (ret->said_default)
        RLK_TRY(read_default(r, ret));
    RLK_TRY(read_value(r, node, ret));
    return check_kinds(r, node, ret);
}

/* Columns that differ in case only are one column in SQL. */
static int
check_columns(struct rlk_reading *r)
{
    struct rlk_definition *d = r->d;
    for (size_t i = 0; i < d->n_fields; i++)
        for (size_t j = 0; j < i; j++)
            if (strcasecmp(d->fields[i].column.text,
                           d->fields[j].column.text) == 0)
                return rlk_yaml_fail(d->path, d->fields[i].column.at, r->err,
                                     "field '%.60s' is there twice (see line "
                                     "%u)",
                                     d->fields[i].column.text,
                                     d->fields[j].column.at.line);
    return 0;
}

/* Else create_table would make a tree that nothing may be created in. */
static int
check_tree(struct rlk_reading *r)
{
    const struct rlk_field *f = r->d->fields;
    if (!rlk_guarded_would_be_tree(r->d))
        return 0;
    while (!rlk_guarded_is_place(f->column.text))
        f++;
    return rlk_yaml_fail(r->d->path, f->column.at, r->err,
                         "path, depth and numchild make a tree: only the "
                         "application may write them");
}

int
rlk_read_fields(struct rlk_reading *r)
{
    const struct rlk_yaml *map = r->d->said_fields;
    struct rlk_definition *d = r->d;
    if (map->kind != RLK_YAML_MAP || map->n == 0)
        return RLK_WRONG(r, map, "fields is a map of columns to pointers");
    if (map->n > MOST_FIELDS)
        return RLK_WRONG(r, map, "more than %d fields", MOST_FIELDS);
    d->fields = rlk_arena_alloc(&d->arena, map->n, sizeof *d->fields);
    if (!d->fields)
        return rlk_out_of_memory(r->err);
    for (const struct rlk_yaml *at = map->first; at; at = at->next)
        RLK_TRY(read_field(r, at, &d->fields[d->n_fields++]));
    RLK_TRY(check_columns(r));
    return check_tree(r);
}

/* ---- match ---- */

static int
unknown_field(struct rlk_reading *r, const struct rlk_said *said)
{
    struct rlk_definition *d = r->d;
    const char **names =
        rlk_arena_alloc(&d->arena, d->n_fields + 1, sizeof *names);
    if (!names)
        return rlk_out_of_memory(r->err);
    for (size_t i = 0; i < d->n_fields; i++)
        names[i] = d->fields[i].column.text;
    const char *meant = rlk_nearest(said->text, names);
    return rlk_yaml_fail(d->path, said->at, r->err,
                         "match names '%.60s', which is no field%s%s%s",
                         said->text, meant ? " (did you mean '" : "",
                         meant ? meant : "", meant ? "'?)" : "");
}

static int
add_to_key(struct rlk_reading *r, const struct rlk_yaml *node,
           struct rlk_match_key *key)
{
    struct rlk_said said = {0};
    RLK_TRY(rlk_read_said(r, node, &said));
    size_t i = 0;
    while (i < r->d->n_fields &&
           strcmp(r->d->fields[i].column.text, said.text) != 0)
        i++;
    if (i == r->d->n_fields)
        return unknown_field(r, &said);
    for (size_t j = 0; j < key->n_fields; j++)
        if (key->fields[j] == i)
            return RLK_WRONG(r, node, "'%.60s' is in this key twice",
                             said.text);
    if (r->d->fields[i].generated)
        return RLK_WRONG(r, node, "'%.60s' is generated: it finds nothing",
                         said.text);
    if (r->d->fields[i].type == RLK_FIELD_JSON)
        return RLK_WRONG(r, node, "a json field cannot be matched by");
    key->fields[key->n_fields++] = i;
    return 0;
}

/* A field's name, or a list of them: a key of several columns. */
static int
read_key(struct rlk_reading *r, const struct rlk_yaml *node,
         struct rlk_match_key *ret)
{
    bool list = node->kind == RLK_YAML_LIST;
    if (list && node->n == 0)
        return RLK_WRONG(r, node, "a key without a field");
    ret->fields =
        rlk_arena_alloc(&r->d->arena, list ? node->n : 1, sizeof *ret->fields);
    if (!ret->fields)
        return rlk_out_of_memory(r->err);
    if (!list)
        return add_to_key(r, node, ret);
    for (const struct rlk_yaml *at = node->first; at; at = at->next)
        RLK_TRY(add_to_key(r, at, ret));
    return 0;
}

/* The last key is one of those before it. */
static bool
repeats(const struct rlk_definition *d)
{
    const struct rlk_match_key *last = &d->match[d->n_match - 1];
    for (const struct rlk_match_key *k = d->match; k < last; k++)
        if (k->n_fields == last->n_fields &&
            memcmp(k->fields, last->fields, k->n_fields * sizeof *k->fields) ==
                0)
            return true;
    return false;
}

int
rlk_read_match(struct rlk_reading *r)
{
    struct rlk_definition *d = r->d;
    if (d->said_match->kind == RLK_YAML_MAP)
        RLK_TRY(rlk_read_section(r, d->said_match, "match", d));
    const struct rlk_yaml *list = d->said_match;
    if (list->kind != RLK_YAML_LIST || list->n == 0) {
        RLK_WRONG(r, list, "match is a list of fields to find records by");
        rlk_hint(r->err, "Write match: [remote_id].");
        return ROWLOCK_BAD_VALUE;
    }
    d->match = rlk_arena_alloc(&d->arena, list->n, sizeof *d->match);
    if (!d->match)
        return rlk_out_of_memory(r->err);
    for (const struct rlk_yaml *at = list->first; at; at = at->next) {
        RLK_TRY(read_key(r, at, &d->match[d->n_match++]));
        if (repeats(d))
            return RLK_WRONG(r, at, "this key is there twice");
    }
    return 0;
}

bool
rlk_definition_matches(const struct rlk_definition *d, size_t field)
{
    for (size_t i = 0; i < d->n_match; i++)
        for (size_t j = 0; j < d->match[i].n_fields; j++)
            if (d->match[i].fields[j] == field)
                return true;
    return false;
}
