/* SPDX-License-Identifier: MIT
 * The way of a draft: a definition of the source alone (probe) is read like any
 * other, so that what works here works later; through it some records are read
 * and surveyed; then fields, match keys and pages are guessed, and the text is
 * written and read back. */
#include "sync/draft.h"

#include <string.h>

#include "sync/drafting.h"
#include "sync/quote.h"

enum { HEAD_BYTES = 4 << 20 };

/* ---- the source ---- */

static int
write_probe(const struct rlk_drafting *g, const char *records,
            struct rlk_buf *text)
{
    const struct rlk_draft_options *o = g->o;
    rlk_buf_text(text, "{sync: x, target: {database: x, table: x}, match: [x], "
                       "fields: {x: /x}, source: {url: ");
    rlk_buf_yaml(text, g->url, strlen(g->url));
    if (records) {
        rlk_buf_text(text, ", records: ");
        rlk_buf_yaml(text, records, strlen(records));
    }
    if (o->format) {
        rlk_buf_text(text, ", format: ");
        rlk_buf_yaml(text, o->format, strlen(o->format));
    }
    if (o->bearer)
        rlk_buf_format(text, ", auth: {bearer: \"${%s}\"}", o->bearer);
    if (rlk_url_is_http(g->url))
        rlk_buf_text(text, ", retries: 0"); /* somebody waits for the answer */
    rlk_buf_text(text, "}}");
    return text->failed ? rlk_out_of_memory(g->err) : 0;
}

/* Its places mean nothing to the user, who wrote no line of it. */
static void
strip_place(rowlock_error *err)
{
    size_t at = strcspn(err->message, ":");
    for (int colons = 0; err->message[at] && colons < 2; colons++)
        at += 1 + strcspn(err->message + at + 1, ":");
    if (err->message[at] == ':' && err->message[at + 1] == ' ')
        memmove(err->message, err->message + at + 2,
                strlen(err->message + at + 2) + 1);
}

static int
read_probe(struct rlk_drafting *g, const char *records)
{
    struct rlk_buf RLK_AUTOBUF text = {0};
    rowlock_error why = {0};
    RLK_TRY(write_probe(g, records, &text));
    rlk_definition_free(g->probe);
    g->probe = NULL;
    int rc = rlk_definition_parse("url", text.ptr, text.len, &g->probe, &why);
    if (rc)
        strip_place(&why);
    if (rc && g->err)
        *g->err = why;
    return rc;
}

static int
open_reader(struct rlk_drafting *g, struct rlk_reader **ret)
{
    const struct rlk_definition *d = g->probe;
    struct rlk_reader_options o = {
        .url = d->url.text,
        .shown = d->shown_url,
        .http = d->http,
        .format = (enum rlk_format)d->format,
        .records = d->has_records ? &d->records : NULL,
        .limits = g->o->limits,
        .cancelled = g->o->cancelled,
        .keep_bytes = HEAD_BYTES,
    };
    return rlk_reader_open(&o, ret, g->err);
}

/* The rest of a JSON body is read too, up to a limit: what stands around the
 * records may say how pages go on. */
static int
read_some(struct rlk_drafting *g, struct rlk_reader *r)
{
    bool json = rlk_reader_format(r) == RLK_FORMAT_JSON;
    struct rlk_survey *s = &g->survey;
    enum rlk_read what = RLK_READ_RECORD;
    while (rlk_reader_bytes(r) <= HEAD_BYTES &&
           (json || s->records < RLK_SURVEY_RECORDS)) {
        struct rlk_remote remote = {0};
        RLK_TRY(rlk_reader_next(r, &remote, &what, g->err));
        if (what != RLK_READ_RECORD && what != RLK_READ_REJECTED)
            return 0;
        if (what == RLK_READ_REJECTED && s->rejected++ == 0)
            g->rejection = remote.reason;
        if (what == RLK_READ_REJECTED)
            continue;
        if (s->records == RLK_SURVEY_RECORDS)
            s->passed++;
        else
            RLK_TRY(rlk_survey_add(s, remote.root, g->err));
    }
    return 0;
}

/* Read as any definition is. */
int
rlk_draft_database(const char *path, const char *said, char **ret,
                   rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF text = {0};
    struct rlk_definition *d;
    rowlock_error why = {0};
    rlk_buf_text(&text, "{sync: x, match: [x], fields: {x: /x}, source: {url: "
                        "x}, target: {table: x, database: ");
    rlk_buf_yaml(&text, said, strlen(said));
    rlk_buf_text(&text, "}}");
    if (text.failed)
        return rlk_out_of_memory(err);
    int rc = rlk_definition_parse(path, text.ptr, text.len, &d, &why);
    if (rc) {
        strip_place(&why);
        if (err)
            *err = why;
        return rc;
    }
    *ret = rlk_strdup(d->database.text);
    rlk_definition_free(d);
    return *ret ? 0 : rlk_out_of_memory(err);
}

/* ---- where the list is ---- */

struct lists { /* of objects, within an object */
    struct rlk_buf names, first;
    size_t n;
};

static void
find_lists(struct lists *l, const struct rlk_json *object,
           struct rlk_buf *pointer, int depth)
{
    for (uint32_t at = 1; at < object->size; at += object[at].size) {
        const struct rlk_json *node = object + at;
        size_t len = pointer->len;
        rlk_pointer_add(pointer, node->key, node->key_len);
        if (node->type == RLK_JSON_LIST && node->size > 1 &&
            node[1].type == RLK_JSON_OBJECT) {
            rlk_buf_format(&l->names, "%s%s", l->n ? ", " : "", pointer->ptr);
            if (l->n++ == 0)
                rlk_buf_text(&l->first, pointer->ptr);
        } else if (node->type == RLK_JSON_OBJECT && depth > 1) {
            find_lists(l, node, pointer, depth - 1);
        }
        pointer->len = len;
        if (pointer->ptr)
            pointer->ptr[len] = 0;
    }
}

/* A body of which the reader could make no list: one may stand deeper. *ret,
 * for rlk_free(): the only one there is. */
static int
look_deeper(struct rlk_drafting *g, const struct rlk_json *root, char **ret)
{
    struct lists l = {0};
    struct rlk_buf RLK_AUTOBUF pointer = {0};
    int rc = 0;
    find_lists(&l, root, &pointer, RLK_SURVEY_DEPTH);
    if (l.names.failed || l.first.failed || pointer.failed)
        rc = rlk_out_of_memory(g->err);
    else if (l.n == 1 && !(*ret = rlk_strdup(l.first.ptr)))
        rc = rlk_out_of_memory(g->err);
    else if (l.n > 1) {
        rc = rlk_fail(g->err, ROWLOCK_BAD_VALUE, "the body has several lists");
        rlk_detail(g->err, "They are at %.400s.", l.names.ptr);
        rlk_hint(g->err, "Say which one with --records, such as --records %s.",
                 l.first.ptr);
    }
    rlk_buf_done(&l.names);
    rlk_buf_done(&l.first);
    return rc;
}

static bool
is_markup(const struct rlk_hints *h)
{
    size_t at = 0;
    while (at < h->len && strchr(" \t\r\n", h->head[at]) && h->head[at])
        at++;
    return at < h->len && h->head[at] == '<';
}

/* What the reader could not take, in the words of who wants a draft. */
static int
explain(struct rlk_drafting *g, const struct rlk_hints *h, int rc, char **ret)
{
    if (rc != ROWLOCK_BAD_VALUE)
        return rc;
    if (is_markup(h)) {
        rlk_fail(g->err, ROWLOCK_BAD_VALUE,
                 "the source answers HTML or XML, not records");
        rlk_hint(g->err, "Look for its address for programs: JSON, NDJSON, CSV "
                         "or TSV.");
        return ROWLOCK_BAD_VALUE;
    }
    if (!h->root || g->o->records || *ret)
        return rc;
    int deeper = look_deeper(g, h->root, ret);
    return deeper || *ret ? deeper : rc;
}

static int
note_source(struct rlk_drafting *g, const struct rlk_reader *r,
            const struct rlk_hints *h)
{
    g->format = rlk_reader_format(r);
    g->says_format = g->o->format || (g->format != RLK_FORMAT_JSON &&
                                      rlk_format_of_name(g->url) != g->format);
    if (h->records && h->records[0])
        g->records = rlk_arena_copy(&g->arena, h->records, strlen(h->records));
    if (h->records && h->records[0] && !g->records)
        return rlk_out_of_memory(g->err);
    return rlk_draft_pages(g, h);
}

/* *ret_deeper: NULL, or read it again with the records there. */
static int
read_source(struct rlk_drafting *g, const char *records, char **ret_deeper)
{
    struct rlk_reader *r;
    struct rlk_hints hints;
    RLK_TRY(read_probe(g, records));
    RLK_TRY(open_reader(g, &r));
    rowlock_error why = {0};
    int rc = read_some(g, r);
    if (rlk_reader_hints(r, &hints, &why))
        rc = rlk_out_of_memory(g->err);
    else if (rc)
        rc = explain(g, &hints, rc, ret_deeper);
    else
        rc = note_source(g, r, &hints);
    rlk_reader_close(r);
    return rc;
}

static int
survey(struct rlk_drafting *g)
{
    char *deeper RLK_AUTOFREE = NULL;
    RLK_TRY(read_source(g, g->o->records, &deeper));
    if (deeper)
        RLK_TRY(read_source(g, deeper, &deeper));
    if (g->survey.records)
        return 0;
    if (g->survey.rejected && g->err)
        *g->err = g->rejection;
    if (g->survey.rejected)
        return (int)g->rejection.code;
    rlk_fail(g->err, ROWLOCK_BAD_VALUE, "the source has no records now");
    rlk_hint(g->err,
             "Nothing can be told of their members: try again when there "
             "are some.");
    return ROWLOCK_BAD_VALUE;
}

/* ---- all ---- */

/* What does not read back is no draft. */
static int
check_text(struct rlk_drafting *g, const struct rlk_buf *text)
{
    struct rlk_definition *d = NULL;
    rowlock_error why = {0};
    int rc = rlk_definition_parse(g->o->path, text->ptr, text->len, &d, &why);
    rlk_definition_free(d);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(g->err);
    if (rc)
        return rlk_fail(g->err, ROWLOCK_BAD_VALUE,
                        "no definition can be made of this source: %.180s",
                        why.message);
    return 0;
}

static int
make(struct rlk_drafting *g, struct rlk_draft *ret)
{
    rowlock_error why = {0}, *err = g->err;
    g->err = &why;
    int rc = rlk_draft_url(g);
    if (!rc)
        rc = survey(g);
    ret->source_away =
        rc == ROWLOCK_CONNECTION && strcmp(why.sqlstate, "08006") == 0;
    ret->records = g->survey.records;
    if (!rc)
        rc = rlk_draft_fields(g);
    if (!rc)
        rc = rlk_draft_match(g);
    if (!rc)
        rc = rlk_draft_write(g, &ret->text);
    if (!rc)
        rc = check_text(g, &ret->text);
    ret->fields = g->n_fields;
    if (rc && err)
        *err = why;
    return rc;
}

int
rlk_draft_make(const struct rlk_draft_options *o, struct rlk_draft *ret,
               rowlock_error *err)
{
    struct rlk_drafting g = {.o = o, .err = err};
    memset(ret, 0, sizeof *ret);
    int rc = make(&g, ret);
    rlk_survey_done(&g.survey);
    rlk_definition_free(g.probe);
    rlk_buf_done(&g.pages);
    rlk_buf_done(&g.remarks);
    rlk_arena_done(&g.arena);
    return rc;
}

void
rlk_draft_done(struct rlk_draft *draft)
{
    rlk_buf_done(&draft->text);
}
