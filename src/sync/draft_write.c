/* SPDX-License-Identifier: MIT
 * The text of a draft. Whatever comes from the source or the catalogue goes
 * through quote.c; a line's remark stands behind it, after a '#'. */
#include <string.h>
#include <time.h>

#include "sync/drafting.h"
#include "sync/fill.h"
#include "sync/guarded.h"
#include "sync/quote.h"

enum { NAME_WIDTH = 24, LINE_WIDTH = 64, SIDE = 40, NAMES_SHOWN = 80 };

static void
add_yaml(struct rlk_buf *text, const char *word)
{
    rlk_buf_yaml(text, word, strlen(word));
}

/* Lines of comment, wrapped by whoever wrote them. */
static void
add_remarks(struct rlk_buf *text, const char *remarks)
{
    while (*remarks) {
        size_t len = strcspn(remarks, "\n");
        rlk_buf_text(text, "  # ");
        rlk_buf_comment(text, remarks, len, 200);
        rlk_buf_char(text, '\n');
        remarks += len + (remarks[len] != 0);
    }
}

/* ---- values ---- */

static void
add_example(const struct rlk_drafting *g, const struct rlk_member *m,
            struct rlk_buf *text)
{
    bool string = m->example_is_text;
    if (!m->example) {
        rlk_buf_text(text, m->kinds[RLK_JSON_STRING] ? "\"\"" : "null");
    } else if (rlk_draft_is_secret(g, m->example, m->example_len)) {
        rlk_buf_text(text, "(not shown)");
    } else {
        rlk_buf_text(text, string ? "\"" : "");
        rlk_buf_comment(text, m->example, m->example_len, SIDE);
        bool cut = m->cut && m->example_len <= SIDE;
        rlk_buf_text(text, string ? (cut ? "...\"" : "\"") : cut ? "..." : "");
    }
}

/* What to know of a field besides its example. */
static void
add_warnings(const struct rlk_drafting *g, const struct rlk_draft_field *f,
             struct rlk_buf *text)
{
    const struct rlk_member *m = f->from;
    const struct rlk_column *c = f->goal;
    size_t misfits = c ? m->misfits[c->type] : 0;
    size_t missing = g->survey.records - m->n, nulls = m->kinds[RLK_JSON_NULL];
    if (c && misfits && !rlk_member_is_nested(m))
        rlk_buf_format(text, "; %zu of %zu do not fit %s", misfits,
                       g->survey.records,
                       c->declared[0] ? c->declared : "the column");
    if (c && c->length && m->longest > c->length && !f->type)
        rlk_buf_format(text, "; up to %zu characters, too many", m->longest);
    if (c && c->not_null && missing + nulls)
        rlk_buf_format(text, "; NOT NULL, and %zu of %zu have none",
                       missing + nulls, g->survey.records);
    else if (missing)
        rlk_buf_format(text, "; %zu of %zu lack it", missing,
                       g->survey.records);
}

static void
add_name(struct rlk_buf *text, const char *column, size_t width)
{
    size_t start = text->len;
    rlk_buf_text(text, "  ");
    add_yaml(text, column);
    rlk_buf_char(text, ':');
    while (!text->failed && text->len - start < width + 3)
        rlk_buf_char(text, ' ');
    rlk_buf_char(text, ' ');
}

/* WordPress sends what people wrote as HTML. */
static bool
is_escaped(const struct rlk_drafting *g, const struct rlk_draft_field *f)
{
    static const char *const members[] = {"/name", "/description",
                                          "/title/rendered"};
    for (size_t i = 0; g->wordpress && i < 3; i++)
        if (strcmp(f->from->pointer, members[i]) == 0)
            return true;
    return false;
}

/* Answers how long the line is. */
static size_t
add_field(const struct rlk_drafting *g, const struct rlk_draft_field *f,
          size_t name_width, struct rlk_buf *text)
{
    size_t start = text->len;
    bool escaped = is_escaped(g, f), map = f->type || f->slug || escaped;
    add_name(text, f->column, name_width);
    rlk_buf_text(text, map ? "{from: " : "");
    add_yaml(text, f->from->pointer);
    if (f->type)
        rlk_buf_format(text, ", type: %s", f->type);
    rlk_buf_text(text, escaped ? ", unescape: html" : "");
    rlk_buf_text(text, f->slug ? ", slugify: true, mode: create_only" : "");
    rlk_buf_text(text, map ? "}" : "");
    return text->len - start;
}

/* ---- sections ---- */

static void
add_head(const struct rlk_drafting *g, struct rlk_buf *text)
{
    char date[16] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(date, sizeof date, "%Y-%m-%d", &utc);
    rlk_buf_format(
        text,
        "# A draft by rowlock init, %s, after a look at %zu record%s"
        ".\n# Behind each field stands a value that was found there. "
        "Next: rowlock doctor,\n# then rowlock sync --dry-run, on "
        "this file.\n",
        date, g->survey.records, g->survey.records == 1 ? "" : "s");
}

static const char no_password[] =
    "  # Its password is not written here. Set PGPASSWORD, keep it in "
    "~/.pgpass, "
    "or\n  # write USER:${NAME}@ above: that is the environment's NAME, with "
    "%XX for\n  # characters such as / and @.\n";

static void
add_target(const struct rlk_drafting *g, struct rlk_buf *text)
{
    struct rlk_buf RLK_AUTOBUF database = {0};
    if (g->o->database)
        rlk_buf_text(&database, g->o->database);
    else
        rlk_buf_format(&database, "%s.db", g->name);
    rlk_buf_text(text, "sync: ");
    add_yaml(text, g->name);
    rlk_buf_text(text, "\ntarget:\n  database: ");
    add_yaml(text, database.ptr ? database.ptr : "");
    rlk_buf_char(text, '\n');
    if (g->o->no_password)
        rlk_buf_text(text, no_password);
    rlk_buf_text(text, "  table: ");
    add_yaml(text, g->o->table_name ? g->o->table_name : g->name);
    rlk_buf_text(text, g->o->table ? "\n" : "\n  create_table: true\n");
    text->failed = text->failed || database.failed;
}

static void
add_source(const struct rlk_drafting *g, struct rlk_buf *text)
{
    rlk_buf_text(text, "source:\n  url: ");
    add_yaml(text, g->url);
    if (g->preset)
        rlk_buf_format(text, "\n  preset: %s", g->preset);
    if (g->says_format)
        rlk_buf_format(text, "\n  format: %s", rlk_format_names[g->format]);
    if (g->records && !g->preset) {
        rlk_buf_text(text, "\n  records: ");
        add_yaml(text, g->records);
    }
    if (g->o->bearer)
        rlk_buf_format(text, "\n  auth: {bearer: \"${%s}\"}", g->o->bearer);
    if (g->pages.len)
        rlk_buf_format(text, "\n  pages: %s", g->pages.ptr);
    rlk_buf_char(text, '\n');
    add_remarks(text, g->remarks.ptr ? g->remarks.ptr : "");
}

static void
add_key(const struct rlk_drafting *g, const struct rlk_draft_key *key,
        struct rlk_buf *text)
{
    rlk_buf_text(text, key->n > 1 ? "[" : "");
    for (size_t i = 0; i < key->n; i++) {
        rlk_buf_text(text, i ? ", " : "");
        add_yaml(text, g->fields[key->fields[i]].column);
    }
    rlk_buf_text(text, key->n > 1 ? "]" : "");
}

static void
add_match(const struct rlk_drafting *g, struct rlk_buf *text)
{
    bool unique = true;
    rlk_buf_text(text, "match: [");
    for (size_t k = 0; k < g->n_keys; k++) {
        rlk_buf_text(text, k ? ", " : "");
        add_key(g, &g->keys[k], text);
        unique = unique && g->keys[k].unique;
    }
    rlk_buf_text(text, "]");
    if (!g->o->table)
        rlk_buf_text(text, "  # each gets a unique index");
    else if (!unique)
        rlk_buf_text(text, "  # no unique index: rowlock doctor has the line");
    rlk_buf_char(text, '\n');
}

static size_t
width_of(const struct rlk_drafting *g)
{
    size_t width = 0;
    for (size_t i = 0; i < g->n_fields; i++) {
        size_t len = strlen(g->fields[i].column);
        if (len > width && len <= NAME_WIDTH)
            width = len;
    }
    return width;
}

static void
add_fields(const struct rlk_drafting *g, struct rlk_buf *text)
{
    size_t names = width_of(g), width = 0, start = text->len;
    for (size_t i = 0; i < g->n_fields; i++) {
        size_t len = add_field(g, &g->fields[i], names, text);
        width = len > width && len <= LINE_WIDTH ? len : width;
    }
    text->len = start; /* that was to measure */
    rlk_buf_text(text, "fields:\n");
    for (size_t i = 0; i < g->n_fields; i++) {
        size_t len = add_field(g, &g->fields[i], names, text);
        for (; !text->failed && len < width; len++)
            rlk_buf_char(text, ' ');
        rlk_buf_text(text, "  # ");
        add_example(g, g->fields[i].from, text);
        add_warnings(g, &g->fields[i], text);
        rlk_buf_char(text, '\n');
    }
}

/* ---- what has no pair ---- */

static bool
is_filled(const struct rlk_drafting *g, uint32_t column)
{
    for (size_t i = 0; i < g->n_fields; i++)
        if (g->fields[i].goal == &g->o->table->columns[column])
            return true;
    return false;
}

/* Of a table that is there: a line for each column without a default, and the
 * names of the others. */
static void
add_unfilled(const struct rlk_drafting *g, struct rlk_buf *text)
{
    const struct rlk_table *t = g->o->table;
    struct rlk_buf RLK_AUTOBUF others = {0};
    bool started = false;
    for (uint32_t i = 0; t && i < t->n_columns; i++) {
        const char *name = t->columns[i].name;
        bool number = t->numbers_records && t->primary_key[0] == i;
        if (is_filled(g, i) || t->columns[i].generated || number)
            continue;
        if (rlk_guarded_is_tree(t) || !rlk_fill_needs(t, i)) {
            rlk_buf_text(&others, others.len ? ", " : "");
            rlk_buf_comment(&others, name, strlen(name), NAMES_SHOWN);
            continue;
        }
        if (!started)
            rlk_buf_text(text, "  # not in the source, and must not be NULL: "
                               "is this what new records want?\n");
        started = true;
        rlk_buf_text(text, "  ");
        rlk_fill_add_line(text, t, i);
        rlk_buf_char(text, '\n');
    }
    if (others.len)
        rlk_buf_format(text, "  # columns that are left alone: %s\n",
                       others.ptr);
    text->failed = text->failed || others.failed;
}

static bool
is_used(const struct rlk_drafting *g, const struct rlk_member *m)
{
    for (size_t i = 0; i < g->n_fields; i++)
        if (g->fields[i].from == m)
            return true;
    return false;
}

static void
add_unused(const struct rlk_drafting *g, struct rlk_buf *text)
{
    bool started = false;
    for (size_t i = 0; i < g->survey.n; i++) {
        const struct rlk_member *m = &g->survey.members[i];
        if (is_used(g, m) || m->parent)
            continue;
        if (!started)
            rlk_buf_text(text, "  # in the source, and not taken:\n");
        started = true;
        rlk_buf_text(text, "  #   ");
        rlk_buf_comment(text, m->pointer, strlen(m->pointer), NAMES_SHOWN);
        rlk_buf_text(text, "  ");
        add_example(g, m, text);
        rlk_buf_char(text, '\n');
    }
    if (g->survey.more)
        rlk_buf_format(text, "  #   and more: %d were looked at\n",
                       RLK_SURVEY_MEMBERS);
}

int
rlk_draft_write(struct rlk_drafting *g, struct rlk_buf *text)
{
    add_head(g, text);
    add_target(g, text);
    add_source(g, text);
    add_match(g, text);
    add_fields(g, text);
    add_unfilled(g, text);
    add_unused(g, text);
    return text->failed ? rlk_out_of_memory(g->err) : 0;
}
