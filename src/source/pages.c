/* SPDX-License-Identifier: MIT
 * The rules of pages.h. What is read (a header, a value in the body) is the
 * server's word: it is resolved against the page's own url, and refused where
 * a redirect would be. Invariant: no url is asked for twice, and no page with
 * records is taken twice. Next: link.c. */
#include "pages.h"

#include <string.h>

#include "base/text.h"

/* ---- where we have been ---- */

static uint64_t
start_hash(unsigned char kind)
{
    return rlk_mix(RLK_MIX_START, (const char *)&kind, 1);
}

static int
come_again(const struct rlk_pager *p, const char *what, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_BAD_VALUE, "'%.120s' %s", p->shown, what);
    rlk_hint(err, "Look at 'pages' in the definition: the pages do not go on.");
    return ROWLOCK_BAD_VALUE;
}

static int
note(struct rlk_pager *p, uint64_t hash, const char *what, rowlock_error *err)
{
    for (size_t i = 0; i < p->n_seen; i++)
        if (p->seen[i] == hash)
            return come_again(p, what, err);
    if (p->n_seen % 64 == 0) {
        uint64_t *more =
            rlk_reallocarray(p->seen, p->n_seen + 64, sizeof *more);
        if (!more)
            return rlk_out_of_memory(err);
        p->seen = more;
    }
    p->seen[p->n_seen++] = hash;
    return 0;
}

int
rlk_pager_record(struct rlk_pager *p, const char *text, size_t len,
                 rowlock_error *err)
{
    p->records++;
    p->hash = rlk_mix(p->hash, text, len);
    return rlk_total_record(&p->total, p->count, text, len, err);
}

/* ---- urls ---- */

static void
add_escaped(struct rlk_buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++)
        if (strchr(plain, *text))
            rlk_buf_char(out, *text);
        else
            rlk_buf_format(out, "%%%02X", (unsigned char)*text);
}

/* url with name=value in its query, in place of what is called so there. */
static char *
with_parameter(const char *url, const char *name, const char *value)
{
    struct rlk_buf RLK_AUTOBUF out = {0};
    struct rlk_buf RLK_AUTOBUF ours = {0};
    add_escaped(&ours, name);
    rlk_buf_char(&ours, '=');
    size_t len = strcspn(url, "#"), path = strcspn(url, "?#");
    rlk_buf_add(&out, url, path);
    char mark = '?';
    for (size_t at = path + 1, n; at < len; at += n + 1) {
        n = strcspn(url + at, "&#");
        if (n == 0 ||
            (!ours.failed && strncmp(url + at, ours.ptr, ours.len) == 0))
            continue;
        rlk_buf_char(&out, mark);
        rlk_buf_add(&out, url + at, n);
        mark = '&';
    }
    rlk_buf_char(&out, mark);
    rlk_buf_add(&out, ours.ptr, ours.len);
    add_escaped(&out, value);
    return out.failed || ours.failed ? NULL : rlk_strndup(out.ptr, out.len);
}

static bool
is_by_position(const struct rlk_pages *how)
{
    return how->by == RLK_PAGES_PAGE || how->by == RLK_PAGES_OFFSET;
}

/* The parameters that count pages, or hold the cursor (NULL: none). */
static char *
counted(const struct rlk_pager *p, const char *url, const char *value)
{
    char size[24];
    struct rlk_buf RLK_AUTOBUF text = {0};
    rlk_buf_format(&text, "%llu", (unsigned long long)p->how->size);
    if (text.failed)
        return NULL;
    strcpy(size, text.ptr);
    char *sized = p->how->size_param
                      ? with_parameter(url, p->how->size_param, size)
                      : rlk_strdup(url);
    if (!sized || !value)
        return sized;
    char *both = with_parameter(sized, p->how->param, value);
    rlk_free(sized);
    return both;
}

/* Takes url over; shown too, or (NULL) makes it. */
static int
go_to(struct rlk_pager *p, char *url, char *shown, rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF text = {0};
    if (url && !shown) { /* a query may hold a key */
        rlk_buf_format(&text, "%.*s (page %llu)", (int)strcspn(url, "?#"), url,
                       (unsigned long long)p->count + 1);
        shown = text.failed ? NULL : rlk_strdup(text.ptr);
    }
    if (!url || !shown) {
        rlk_free(url);
        rlk_free(shown);
        return rlk_out_of_memory(err);
    }
    rlk_free(p->url);
    rlk_free(p->shown);
    p->url = url;
    p->shown = shown;
    p->records = 0;
    p->hash = start_hash('r');
    if (++p->count > RLK_PAGES)
        return come_again(p, "has more than 10000 pages", err);
    for (struct rlk_catch *c = p->catches; c; c = c->also)
        rlk_catch_reset(c);
    return note(p, rlk_mix(start_hash('u'), url, strlen(url)),
                "was read already: the pages are a loop", err);
}

static int
go_to_number(struct rlk_pager *p, rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF text = {0};
    rlk_buf_format(&text, "%llu", (unsigned long long)p->number);
    if (text.failed)
        return rlk_out_of_memory(err);
    char *shown = counted(p, p->first_shown, text.ptr);
    if (!shown)
        return rlk_out_of_memory(err);
    return go_to(p, counted(p, p->first, text.ptr), shown, err);
}

static void
watch(struct rlk_pager *p, struct rlk_catch *c, const struct rlk_pointer *at)
{
    if (!at->text)
        return;
    rlk_catch_init(c, at);
    c->also = p->catches;
    p->catches = c;
}

int
rlk_pager_init(struct rlk_pager *p, const struct rlk_pages *how,
               const char *url, const char *shown, rowlock_error *err)
{
    memset(p, 0, sizeof *p);
    p->how = how;
    p->first = url;
    p->first_shown = shown;
    p->number = how->start;
    p->total.where = how->total.text ? how->total.text : how->total_header;
    p->total.by_position = is_by_position(how);
    watch(p, &p->next, &how->at);
    watch(p, &p->counted, &how->total);
    if (is_by_position(how))
        return go_to_number(p, err);
    char *first_shown = counted(p, shown, NULL);
    if (!first_shown)
        return rlk_out_of_memory(err);
    return go_to(p, counted(p, url, NULL), first_shown, err);
}

void
rlk_pager_done(struct rlk_pager *p)
{
    for (struct rlk_catch *c = p->catches; c; c = c->also)
        rlk_catch_done(c);
    rlk_total_done(&p->total);
    rlk_free(p->url);
    rlk_free(p->shown);
    rlk_free(p->seen);
}

/* ---- the next page ---- */

static int
go_to_reference(struct rlk_pager *p, const struct rlk_body *body,
                const char *to, size_t len, rowlock_error *err)
{
    char *reference RLK_AUTOFREE = rlk_strndup(to, len);
    char *url = NULL;
    if (!reference)
        return rlk_out_of_memory(err);
    RLK_TRY(
        rlk_body_resolve(body->at ? body->at : p->url, reference, &url, err));
    return go_to(p, url, NULL, err);
}

static int
turn_by_link(struct rlk_pager *p, const struct rlk_body *body, bool *ret_more,
             rowlock_error *err)
{
    const char *to;
    size_t len = 0;
    if (body->link_failed || !rlk_link_next(body->link, &to, &len))
        return come_again(p, "sent a Link header that cannot be read", err);
    *ret_more = to != NULL;
    return to ? go_to_reference(p, body, to, len, err) : 0;
}

/* What is caught, as text. */
static int
read_caught(struct rlk_pager *p, const struct rlk_catch *c, struct rlk_buf *ret,
            rowlock_error *err)
{
    rowlock_error why = {0};
    int rc = rlk_catch_value(c, ret, &why);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(err);
    if (rc) {
        rlk_fail(err, ROWLOCK_BAD_VALUE, "'%.120s' has %.80s at '%.80s'",
                 p->shown, why.message, c->at->text);
        rlk_hint(err, "Look at 'pages' in the definition.");
    }
    return rc;
}

/* Nothing is where the next page is told. A pointer that was mistyped would be
 * an end on the first page: it must be seen that it could have been there. */
static int
check_absent(const struct rlk_pager *p, rowlock_error *err)
{
    const struct rlk_catch *c = &p->next;
    if (c->found || p->how->absent_end)
        return 0;
    const char *near = p->told_next ? NULL : rlk_catch_near(c);
    bool could_be = rlk_catch_could_be(c);
    if (could_be && !near)
        return 0;
    rlk_fail(err, ROWLOCK_BAD_VALUE, "'%.120s' has nothing at '%.80s'%s",
             p->shown, c->at->text,
             could_be ? "" : ", nor what it would be in");
    if (near)
        rlk_detail(err, "In its place is '%s'.", near);
    rlk_hint(err, "Look at 'at' in the definition. If the source leaves it out "
                  "where no page follows, say absent: end.");
    return ROWLOCK_BAD_VALUE;
}

static int
turn_by_value(struct rlk_pager *p, const struct rlk_body *body, bool *ret_more,
              rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF text = {0};
    RLK_TRY(read_caught(p, &p->next, &text, err));
    *ret_more = text.len != 0;
    if (!text.len)
        return check_absent(p, err);
    p->told_next = true;
    if (p->how->by == RLK_PAGES_NEXT)
        return go_to_reference(p, body, text.ptr, text.len, err);
    return go_to(p, counted(p, p->first, text.ptr), NULL, err);
}

static int
turn_by_number(struct rlk_pager *p, bool *ret_more, rowlock_error *err)
{
    *ret_more = p->records != 0;
    if (!p->records)
        return 0;
    p->number += p->how->by == RLK_PAGES_PAGE ? 1 : p->records;
    return go_to_number(p, err);
}

static int
turn(struct rlk_pager *p, const struct rlk_body *body, bool *ret_more,
     rowlock_error *err)
{
    switch ((enum rlk_pages_by)p->how->by) {
    case RLK_PAGES_LINK:
        return turn_by_link(p, body, ret_more, err);
    case RLK_PAGES_NEXT:
    case RLK_PAGES_CURSOR:
        return turn_by_value(p, body, ret_more, err);
    case RLK_PAGES_PAGE:
    case RLK_PAGES_OFFSET:
        return turn_by_number(p, ret_more, err);
    }
    *ret_more = false;
    return 0;
}

static int
hear_total(struct rlk_pager *p, const struct rlk_body *body, rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF text = {0};
    if (!p->total.where)
        return 0;
    if (p->how->total_header)
        return rlk_total_tell(&p->total, p->shown, body->total, err);
    RLK_TRY(read_caught(p, &p->counted, &text, err));
    return rlk_total_tell(&p->total, p->shown, text.ptr ? text.ptr : "", err);
}

int
rlk_pager_check(struct rlk_pager *p, rowlock_error *err)
{
    return rlk_total_check(&p->total, p->first_shown, err);
}

int
rlk_pager_turn(struct rlk_pager *p, const struct rlk_body *body, bool *ret_more,
               rowlock_error *err)
{
    if (p->records)
        RLK_TRY(note(p, p->hash, "holds the same records as a page before it",
                     err));
    RLK_TRY(hear_total(p, body, err));
    RLK_TRY(turn(p, body, ret_more, err));
    return *ret_more ? 0 : rlk_pager_check(p, err);
}

bool
rlk_pager_is_end(const struct rlk_pager *p, long status)
{
    return p->how->by == RLK_PAGES_PAGE && p->count > 1 &&
           (status == 400 || status == 404);
}
