/* SPDX-License-Identifier: MIT
 * How a first page says that there are more: a known application, the header
 * Link, a url or a cursor in the body, or what the address itself counts. Where
 * nothing says it, nothing is guessed; a total that is larger than the page is
 * pointed out. */
#include <stdlib.h>
#include <string.h>

#include "sync/drafting.h"
#include "sync/quote.h"

/* Out of memory is remembered in g->pages. */
static const struct rlk_json *
find(struct rlk_drafting *g, const struct rlk_json *root, const char *pointer)
{
    struct rlk_arena RLK_AUTOARENA arena = {0};
    struct rlk_pointer p;
    if (!root)
        return NULL;
    if (rlk_pointer_parse(pointer, &arena, &p, NULL)) {
        g->pages.failed = true;
        return NULL;
    }
    return rlk_json_find(root, &p);
}

static bool
has(struct rlk_drafting *g, const struct rlk_json *root, const char *pointer,
    enum rlk_json_type type)
{
    const struct rlk_json *node = find(g, root, pointer);
    return node && node->type == type;
}

/* ---- known applications ---- */

static bool
is_wordpress(const struct rlk_drafting *g, const struct rlk_hints *h)
{
    return strstr(g->url, "/wp-json/") || h->total[0];
}

static bool
is_wagtail(struct rlk_drafting *g, const struct rlk_hints *h)
{
    return has(g, h->root, "/meta/total_count", RLK_JSON_NUMBER) &&
           has(g, h->root, "/items", RLK_JSON_LIST);
}

static bool
is_drupal(struct rlk_drafting *g, const struct rlk_hints *h)
{
    return has(g, h->root, "/jsonapi", RLK_JSON_OBJECT) &&
           has(g, h->root, "/data", RLK_JSON_LIST);
}

/* Its preset asks for a total, which not every proxy lets through. */
static void
add_wordpress(struct rlk_drafting *g, const struct rlk_hints *h)
{
    g->wordpress = true;
    rlk_buf_text(&g->remarks, "its count changes with each post: left out\n");
    if (h->total[0])
        g->preset = "wordpress";
    else
        rlk_buf_text(&g->pages, "{by: page, param: page, size_param: per_page, "
                                "size: 100}");
}

static bool
add_known(struct rlk_drafting *g, const struct rlk_hints *h)
{
    if (is_wordpress(g, h))
        add_wordpress(g, h);
    else if (is_wagtail(g, h))
        g->preset = "wagtail";
    else if (is_drupal(g, h))
        g->preset = "drupal";
    return g->preset || g->pages.len;
}

/* ---- signs ---- */

static bool
is_address(const struct rlk_json *node)
{
    return node->type == RLK_JSON_STRING && node->len &&
           (node->text[0] == '/' || node->text[0] == '?' ||
            memmem(node->text, node->len, "://", 3));
}

/* absent: at the last page what holds it is not there either. */
static const struct {
    const char *at;
    bool absent;
} nexts[] = {
    {"/next", false},
    {"/links/next", false},
    {"/links/next/href", true},
    {"/_links/next", false},
    {"/_links/next/href", true},
    {"/meta/next", false},
    {"/paging/next", true},
    {"/pagination/next", false},
    {"/next_url", false},
    {"/nextUrl", false},
    {"/next_page_url", false},
    {"/nextPageUrl", false},
    {"/next_page", false},
    {"/@odata.nextLink", false},
    {"/info/next", false},
};

/* *ret_more: a url is there. */
static bool
add_next(struct rlk_drafting *g, const struct rlk_json *root, bool *ret_more)
{
    for (size_t i = 0; i < sizeof nexts / sizeof nexts[0]; i++) {
        const struct rlk_json *node = find(g, root, nexts[i].at);
        bool ended = node && node->type == RLK_JSON_NULL;
        if (!node || (!ended && !is_address(node)))
            continue;
        *ret_more = !ended;
        rlk_buf_text(&g->pages, "{by: next, at: ");
        rlk_buf_yaml(&g->pages, nexts[i].at, strlen(nexts[i].at));
        rlk_buf_text(&g->pages, nexts[i].absent ? ", absent: end}" : "}");
        return true;
    }
    return false;
}

static const struct {
    const char *at, *param;
} cursors[] = {
    {"/next_cursor", "cursor"},
    {"/nextCursor", "cursor"},
    {"/meta/next_cursor", "cursor"},
    {"/meta/cursor/next", "cursor"},
    {"/pagination/next_cursor", "cursor"},
    {"/response_metadata/next_cursor", "cursor"},
    {"/paging/cursors/after", "after"},
    {"/next_page_token", "page_token"},
    {"/nextPageToken", "pageToken"},
    {"/meta/after", "after"},
};

static bool
add_cursor(struct rlk_drafting *g, const struct rlk_json *root)
{
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        if (!has(g, root, cursors[i].at, RLK_JSON_STRING))
            continue;
        rlk_buf_format(&g->pages, "{by: cursor, at: %s, param: %s}",
                       cursors[i].at, cursors[i].param);
        rlk_buf_format(
            &g->remarks,
            "that the cursor goes into '%s' is a guess: see what the "
            "source says\n",
            cursors[i].param);
        return true;
    }
    return false;
}

/* "page=3" in the query; *ret is its number. */
static bool
counts_by(const char *url, const char *param, unsigned long *ret)
{
    size_t len = strlen(param);
    const char *at = strchr(url, '?');
    for (; at; at = strpbrk(at, "&#")) {
        at++;
        if (strncmp(at, param, len) != 0 || at[len] != '=')
            continue;
        char *end;
        *ret = strtoul(at + len + 1, &end, 10);
        return end != at + len + 1 && (!*end || strchr("&#", *end));
    }
    return false;
}

static bool
add_counted(struct rlk_drafting *g)
{
    static const char *const pages[] = {"page", "p", "pg", "page_number"};
    static const char *const offsets[] = {"offset", "skip", "from"};
    unsigned long start;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (counts_by(g->url, pages[i], &start)) {
            rlk_buf_format(&g->pages, "{by: page, param: %s, start: %lu}",
                           pages[i], start);
            return true;
        }
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        if (counts_by(g->url, offsets[i], &start)) {
            rlk_buf_format(&g->pages, "{by: offset, param: %s, start: %lu}",
                           offsets[i], start);
            return true;
        }
    return false;
}

/* ---- a total ---- */

static size_t
records_here(const struct rlk_drafting *g)
{
    return g->survey.records + g->survey.passed + g->survey.rejected;
}

/* A number that is larger than this page: how many there are in all. (One that
 * is as large could be of the page alone.) NULL: none. */
static const char *
find_total(struct rlk_drafting *g, const struct rlk_json *root,
           char ret_digits[24])
{
    static const char *const totals[] = {
        "/total",         "/count",       "/total_count",      "/totalCount",
        "/meta/total",    "/meta/count",  "/pagination/total", "/paging/total",
        "/total_results", "/totalResults"};
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        const struct rlk_json *node = find(g, root, totals[i]);
        if (!node || node->type != RLK_JSON_NUMBER || node->len > 18)
            continue;
        memcpy(ret_digits, node->text, node->len);
        ret_digits[node->len] = 0;
        if (strspn(ret_digits, "0123456789") == node->len &&
            strtoull(ret_digits, NULL, 10) > records_here(g))
            return totals[i];
    }
    return NULL;
}

/* It proves that all came; without pages it proves that not all did. */
static void
use_total(struct rlk_drafting *g, const struct rlk_json *root, bool more)
{
    char digits[24];
    const char *total = find_total(g, root, digits);
    if (!total)
        return;
    if (more) {
        g->pages.len--; /* the bracket */
        rlk_buf_format(&g->pages, ", total: %s}", total);
        return;
    }
    rlk_buf_format(
        &g->remarks,
        "%s says %s, but only %zu records came: say with 'pages' how "
        "to\nget the others, such as\n"
        "pages: {by: page, param: page, total: %s}\n",
        total, digits, records_here(g), total);
}

int
rlk_draft_pages(struct rlk_drafting *g, const struct rlk_hints *hints)
{
    bool more = true;
    if (!rlk_url_is_http(g->url))
        return 0;
    if (add_known(g, hints))
        return g->pages.failed ? rlk_out_of_memory(g->err) : 0;
    if (hints->has_link)
        rlk_buf_text(&g->pages, "{by: link}");
    else if (!add_next(g, hints->root, &more) && !add_cursor(g, hints->root))
        more = add_counted(g);
    use_total(g, hints->root, more);
    return g->pages.failed || g->remarks.failed ? rlk_out_of_memory(g->err) : 0;
}
