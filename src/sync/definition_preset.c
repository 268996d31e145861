/* SPDX-License-Identifier: MIT
 * source.preset: how the listings of a kind of site are read whole. The table
 * below is the one in docs/definition.md in code. What the definition says
 * itself goes before it: its own pages and records, a parameter that its url
 * has already. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "sync/definition_read.h"

struct parameter {
    const char *name;  /* as it is meant */
    const char *added; /* to the url */
};

static const struct preset {
    const char *name;
    struct rlk_pages pages; /* without its pointers */
    const char *at, *total; /* pointers; NULL: none */
    const char *records;
    struct parameter parameters[3]; /* up to the first without a name */
} presets[] = {
    {.name = "wordpress",
     .pages = {.by = RLK_PAGES_PAGE,
               .param = "page",
               .start = 1,
               .size_param = "per_page",
               .size = 100,
               .total_header = "X-WP-Total"},
     .records = "",
     .parameters = {{"orderby", "orderby=id"}, {"order", "order=asc"}}},
    {.name = "wagtail",
     .pages = {.by = RLK_PAGES_OFFSET,
               .param = "offset",
               .size_param = "limit",
               .size = 20},
     .total = "/meta/total_count",
     .records = "/items",
     .parameters = {{"order", "order=id"}}},
    {.name = "drupal",
     .pages = {.by = RLK_PAGES_NEXT},
     .at = "/links/next/href",
     .records = "/data",
     .parameters = {{"page[limit]", "page%5Blimit%5D=50"},
                    {"sort", "sort=id"}}},
};
enum { PRESETS = sizeof presets / sizeof presets[0] };

/* ---- the url ---- */

/* The next character of a query, decoded; 0 at its end. */
static unsigned char
next_character(const char **at)
{
    unsigned value;
    int n = 0;
    if (**at == '%' && sscanf(*at, "%%%2x%n", &value, &n) == 1 && n == 3) {
        *at += 3;
        return (unsigned char)value;
    }
    return **at ? (unsigned char)*(*at)++ : 0;
}

static bool
is_named(const char *at, const char *name)
{
    while (*name && next_character(&at) == (unsigned char)*name)
        name++;
    return !*name && (!*at || strchr("=&#", *at));
}

static bool
has_parameter(const char *url, const char *name)
{
    const char *at = url + strcspn(url, "?#");
    while (*at == '?' || *at == '&') {
        if (is_named(++at, name))
            return true;
        at += strcspn(at, "&#");
    }
    return false;
}

static int
add_parameter(struct rlk_reading *r, const char **url, const char *added)
{
    struct rlk_buf RLK_AUTOBUF buf = {0};
    size_t query = strcspn(*url, "?#"), end = strcspn(*url, "#");
    rlk_buf_add(&buf, *url, end);
    rlk_buf_text(&buf, query == end ? "?" : "&");
    rlk_buf_text(&buf, added);
    rlk_buf_text(&buf, *url + end);
    *url = buf.failed ? NULL : rlk_arena_copy(&r->d->arena, buf.ptr, buf.len);
    return *url ? 0 : rlk_out_of_memory(r->err);
}

static int
add_parameters(struct rlk_reading *r, const struct preset *preset)
{
    struct rlk_definition *d = r->d;
    for (const struct parameter *p = preset->parameters; p->name; p++) {
        if (has_parameter(d->url.text, p->name))
            continue;
        RLK_TRY(add_parameter(r, &d->url.text, p->added));
        if (d->shown_url)
            RLK_TRY(add_parameter(r, &d->shown_url, p->added));
    }
    return 0;
}

/* ---- pages and records ---- */

static int
set_pointer(struct rlk_reading *r, const char *text, struct rlk_pointer *ret)
{
    return text ? rlk_pointer_parse(text, &r->d->arena, ret, r->err) : 0;
}

static int
set_pages(struct rlk_reading *r, const struct preset *preset)
{
    struct rlk_pages *p = &r->d->pages;
    *p = preset->pages;
    r->d->has_pages = true;
    if (p->size_param && has_parameter(r->d->url.text, p->size_param))
        p->size_param = NULL;
    RLK_TRY(set_pointer(r, preset->at, &p->at));
    return set_pointer(r, preset->total, &p->total);
}

static int
find_preset(struct rlk_reading *r, const struct preset **ret)
{
    const struct rlk_said *said = &r->d->preset;
    struct rlk_buf RLK_AUTOBUF list = {0};
    for (size_t i = 0; i < PRESETS; i++) {
        if (strcmp(presets[i].name, said->text) == 0) {
            *ret = &presets[i];
            return 0;
        }
        rlk_buf_format(&list, "%s%s", i ? ", " : "", presets[i].name);
    }
    return rlk_yaml_fail(r->d->path, said->at, r->err, "'%.60s' is none of: %s",
                         said->text, list.ptr ? list.ptr : "");
}

int
rlk_read_preset(struct rlk_reading *r)
{
    struct rlk_definition *d = r->d;
    const struct preset *preset = NULL;
    if (!d->preset.text)
        return 0;
    RLK_TRY(find_preset(r, &preset));
    if (d->format && d->format != RLK_FORMAT_JSON)
        return rlk_yaml_fail(d->path, d->preset.at, r->err,
                             "the preset %s reads JSON, but the format is %s",
                             preset->name, rlk_format_names[d->format]);
    d->format = RLK_FORMAT_JSON;
    if (!d->said_http.pages)
        RLK_TRY(set_pages(r, preset));
    RLK_TRY(add_parameters(r, preset));
    if (d->has_records)
        return 0;
    d->has_records = true;
    return set_pointer(r, preset->records, &d->records);
}
