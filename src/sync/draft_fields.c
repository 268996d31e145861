/* SPDX-License-Identifier: MIT
 * The fields of a draft. A new table gets a column for each member that is no
 * list or object. A table that is there gets, for each of its columns, the
 * member whose name says the same and whose values fit; never its own number,
 * its place in a tree, or a parent. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sync/drafting.h"
#include "sync/guarded.h"

/* ---- a new table ---- */

/* Numbers and flags of JSON are what they are; texts stay texts, whatever they
 * look like: '007' is no number. */
static const char *
type_of(const struct rlk_member *m)
{
    const size_t *kinds = m->kinds;
    size_t n = rlk_member_values(m);
    if (n && kinds[RLK_JSON_TRUE] + kinds[RLK_JSON_FALSE] == n)
        return "boolean";
    if (kinds[RLK_JSON_TRUE] + kinds[RLK_JSON_FALSE])
        return "json";
    if (n && kinds[RLK_JSON_NUMBER] == n && !m->misfits[RLK_TYPE_INTEGER])
        return "integer";
    if (n && kinds[RLK_JSON_NUMBER] == n && !m->misfits[RLK_TYPE_REAL])
        return "real";
    return NULL;
}

/* Letters, digits and what is beyond ASCII; "" when nothing is left. */
static void
make_plain(const char *name, struct rlk_buf *out)
{
    for (const char *p = name; *p && out->len < 60; p++) {
        bool upper = isupper((unsigned char)*p);
        bool after_lower = p > name && islower((unsigned char)p[-1]);
        if (isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80) {
            if (upper && after_lower)
                rlk_buf_char(out, '_');
            rlk_buf_char(out, (char)tolower((unsigned char)*p));
        } else if (out->len && out->ptr[out->len - 1] != '_') {
            rlk_buf_char(out, '_');
        }
    }
    while (out->len && out->ptr[out->len - 1] == '_')
        out->ptr[--out->len] = 0;
    while (out->len && rlk_utf8_check(out->ptr, out->len) != out->len)
        out->ptr[--out->len] = 0; /* cut in the middle of a character */
}

static bool
is_taken(const struct rlk_drafting *g, const char *column)
{
    static const char *const own[] = {"id", "rowid", "oid", "_rowid_"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcasecmp(own[i], column) == 0)
            return true;
    for (size_t i = 0; i < g->n_fields; i++)
        if (strcasecmp(g->fields[i].column, column) == 0)
            return true;
    return false;
}

/* The member's name, else with that of its object or a number before or behind
 * it. */
static const char *
column_for(struct rlk_drafting *g, const struct rlk_member *m)
{
    struct rlk_buf RLK_AUTOBUF name = {0};
    struct rlk_buf RLK_AUTOBUF tried = {0};
    make_plain(m->name, &name);
    const char *plain = name.len ? name.ptr : "member";
    rlk_buf_text(&tried, plain);
    if (!tried.failed && is_taken(g, tried.ptr) && m->depth > 1) {
        rlk_buf_clear(&tried);
        make_plain(m->pointer, &tried);
    } else if (!tried.failed && is_taken(g, tried.ptr)) {
        rlk_buf_clear(&tried);
        rlk_buf_format(&tried, "remote_%s", plain);
    }
    for (int n = 2; !tried.failed && is_taken(g, tried.ptr); n++) {
        rlk_buf_clear(&tried);
        rlk_buf_format(&tried, "%s_%d", plain, n);
    }
    return tried.failed ? NULL
                        : rlk_arena_copy(&g->arena, tried.ptr, tried.len);
}

static int
add_new_columns(struct rlk_drafting *g)
{
    for (size_t i = 0; i < g->survey.n; i++) {
        const struct rlk_member *m = &g->survey.members[i];
        bool unsteady = g->wordpress && strcmp(m->pointer, "/count") == 0;
        if (rlk_member_is_nested(m) || unsteady)
            continue;
        const char *column = column_for(g, m);
        if (!column)
            return rlk_out_of_memory(g->err);
        g->fields[g->n_fields++] = (struct rlk_draft_field){
            .column = column, .from = m, .type = type_of(m)};
    }
    return 0;
}

/* All three of them would make a tree, which an import may not write. */
static void
leave_tree_out(struct rlk_drafting *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_fields; i++)
        n += rlk_guarded_is_place(g->fields[i].column);
    for (size_t i = 0; n == 3 && i < g->n_fields; i++)
        if (strcasecmp(g->fields[i].column, "path") == 0)
            g->fields[i].column = "remote_path";
}

/* ---- a table that is there ---- */

static bool
is_parent_key(const struct rlk_table *t, uint32_t column)
{
    for (size_t i = 0; i < t->n_foreign_keys; i++)
        for (size_t j = 0; j < t->foreign_keys[i].n_columns; j++)
            if (t->foreign_keys[i].columns[j] == column)
                return true;
    return false;
}

static bool
may_be_filled(const struct rlk_table *t, uint32_t column)
{
    const struct rlk_column *c = &t->columns[column];
    bool number = t->numbers_records && t->primary_key[0] == column;
    bool place = rlk_guarded_is_tree(t) && rlk_guarded_is_place(c->name);
    return !c->generated && !c->unwritable && !number && !place &&
           !is_parent_key(t, column);
}

/* Most values would be taken. */
static bool
fits(const struct rlk_column *c, const struct rlk_member *m)
{
    size_t values = rlk_member_values(m);
    if (rlk_member_is_nested(m))
        return c->type == RLK_TYPE_JSON;
    return c->type != RLK_TYPE_BLOB &&
           (values == 0 || m->misfits[c->type] * 2 < values);
}

/* What a text column holds that its engine has no type for; NULL: text. UUIDs
 * have dashes, and a column of 32 characters, as Django makes it, has no room
 * for them. */
static const char *
held_by(const struct rlk_column *c, const struct rlk_member *m)
{
    bool uuids = rlk_member_values(m) && !m->misfits[RLK_TYPE_UUID];
    return uuids && c->type == RLK_TYPE_TEXT && c->length == 32 ? "uuid" : NULL;
}

/* "remote_id", "external id", "wp_id", "source_uuid": another's id. */
static bool
holds_remote_id(const char *column)
{
    static const char *const whose[] = {
        "remote", "external", "ext",    "source",    "foreign", "origin",
        "import", "upstream", "wp",     "wordpress", "drupal",  "wagtail",
        "api",    "original", "legacy", "their"};
    static const char *const what[] = {"id",   "pk",   "key",
                                       "uuid", "guid", "identifier"};
    char name[64];
    for (size_t i = 0; i < sizeof whose / sizeof whose[0]; i++)
        for (size_t j = 0; j < sizeof what / sizeof what[0]; j++) {
            snprintf(name, sizeof name, "%s%s", whose[i], what[j]);
            if (rlk_draft_same_name(name, column))
                return true;
        }
    return false;
}

static bool
mean_the_same(const char *a, const char *b)
{
    static const char *const groups[][4] = {
        {"name", "title", "label", NULL},     {"slug", "handle", NULL},
        {"url", "link", "permalink", "href"}, {"description", "summary", NULL},
        {"language", "lang", "locale", NULL}, {"kind", "type", NULL}};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        bool has_a = false, has_b = false;
        for (size_t j = 0; j < 4 && groups[i][j]; j++) {
            has_a = has_a || rlk_draft_same_name(groups[i][j], a);
            has_b = has_b || rlk_draft_same_name(groups[i][j], b);
        }
        if (has_a && has_b)
            return true;
    }
    return false;
}

/* 0: they have nothing to do with each other. */
static int
score(const struct rlk_drafting *g, uint32_t column, const struct rlk_member *m)
{
    const struct rlk_column *c = &g->o->table->columns[column];
    int found = 0, depth = (int)m->depth;
    if (!fits(c, m))
        return 0;
    if (rlk_draft_same_name(c->name, m->step) ||
        rlk_draft_same_name(c->name, m->name))
        found = 100;
    else if (holds_remote_id(c->name) && rlk_draft_id_rank(m->name) &&
             rlk_survey_identifies(&g->survey, m))
        found = 60 + rlk_draft_id_rank(m->name);
    else if (mean_the_same(c->name, m->name))
        found = 50;
    return found ? found - 2 * depth : 0;
}

struct pair {
    uint32_t column;
    size_t member;
};

static bool
find_pair(const struct rlk_drafting *g, const bool *columns,
          const bool *members, struct pair *ret)
{
    int best = 0;
    for (uint32_t c = 0; c < g->o->table->n_columns; c++)
        for (size_t m = 0; !columns[c] && m < g->survey.n; m++) {
            int found = members[m] ? 0 : score(g, c, &g->survey.members[m]);
            if (found > best) {
                best = found;
                *ret = (struct pair){c, m};
            }
        }
    return best > 0;
}

/* A slug that the source does not have is made of what it calls the record. */
static void
add_slug(struct rlk_drafting *g, const struct rlk_column *goal)
{
    for (size_t i = 0; i < g->survey.n; i++) {
        const struct rlk_member *m = &g->survey.members[i];
        bool name = m->kinds[RLK_JSON_STRING] && !rlk_member_is_nested(m) &&
                    mean_the_same(m->name, "name");
        if (!name || m->misfits[RLK_TYPE_TEXT])
            continue;
        g->fields[g->n_fields++] = (struct rlk_draft_field){
            .column = goal->name, .from = m, .goal = goal, .slug = true};
        return;
    }
}

static int
compare_columns(const void *pa, const void *pb)
{
    const struct rlk_draft_field *a = pa, *b = pb;
    return (a->goal > b->goal) - (a->goal < b->goal);
}

/* The best pair first; each column and each member once. */
static int
add_pairs(struct rlk_drafting *g)
{
    const struct rlk_table *t = g->o->table;
    bool *columns = rlk_arena_alloc(&g->arena, t->n_columns, sizeof *columns);
    bool *members = rlk_arena_alloc(&g->arena, g->survey.n, sizeof *members);
    struct pair pair;
    if (!columns || !members)
        return rlk_out_of_memory(g->err);
    for (uint32_t i = 0; i < t->n_columns; i++)
        columns[i] = !may_be_filled(t, i);
    while (find_pair(g, columns, members, &pair)) {
        const struct rlk_column *goal = &t->columns[pair.column];
        const struct rlk_member *from = &g->survey.members[pair.member];
        columns[pair.column] = members[pair.member] = true;
        g->fields[g->n_fields++] =
            (struct rlk_draft_field){.column = goal->name,
                                     .from = from,
                                     .goal = goal,
                                     .type = held_by(goal, from)};
    }
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (!columns[i] && g->n_fields < RLK_SURVEY_MEMBERS &&
            t->columns[i].type == RLK_TYPE_TEXT &&
            rlk_draft_slug_rank(t->columns[i].name))
            add_slug(g, &t->columns[i]);
    qsort(g->fields, g->n_fields, sizeof *g->fields, compare_columns);
    return 0;
}

static int
refuse_strange_table(struct rlk_drafting *g)
{
    rlk_fail(g->err, ROWLOCK_BAD_VALUE,
             "no column of \"%.60s\" is called like a member of the source",
             g->o->table->name);
    rlk_hint(g->err,
             "Leave DATABASE and TABLE out to see what the source has.");
    return ROWLOCK_BAD_VALUE;
}

int
rlk_draft_fields(struct rlk_drafting *g)
{
    g->fields =
        rlk_arena_alloc(&g->arena, RLK_SURVEY_MEMBERS, sizeof *g->fields);
    if (!g->fields)
        return rlk_out_of_memory(g->err);
    if (!g->o->table) {
        RLK_TRY(add_new_columns(g));
        leave_tree_out(g);
        return 0;
    }
    RLK_TRY(rlk_guarded_check_table(g->o->table, g->err));
    RLK_TRY(add_pairs(g));
    return g->n_fields ? 0 : refuse_strange_table(g);
}
