/* SPDX-License-Identifier: MIT
 * Ties body, cutters and parsers together: pieces go in, records come out. A
 * record that is not valid is handed out as rejected; everything else that is
 * wrong ends the reading. A last row without its line end is trusted only where
 * the transport proves that the body is whole, and never when it is faulty:
 * then it was cut off. */
#include <string.h>

#include "base/text.h"
#include "body.h"
#include "csv.h"
#include "format.h"
#include "json.h"
#include "lines.h"
#include "pages.h"
#include "scout.h"
#include "unpack.h"

struct rlk_reader {
    struct rlk_body *body;
    enum rlk_format format;
    struct rlk_split split; /* JSON */
    struct rlk_lines lines; /* the others */
    struct rlk_csv csv;
    struct rlk_json_parser *parser;
    struct rlk_reader_options o;
    char *url, *shown; /* of the first page */
    struct rlk_pager pager;
    int64_t until_ms;
    struct rlk_arena arena;     /* of scouted */
    struct rlk_pointer scouted; /* where the list was found */
    bool scouting;
    struct rlk_buf head; /* read ahead */
    struct rlk_buf kept; /* for hints: the first bytes */
    size_t record_limit;
    uint64_t bytes, page_bytes, records;
    bool body_ended, ended, unchanged;
};

static const char *
shown(const struct rlk_reader *r)
{
    return r->pager.shown ? r->pager.shown : r->shown;
}

/* What of the body speaks of pages. */
static void
watch(struct rlk_reader *r)
{
    r->split.catches = r->pager.catches;
}

static int
choose_format(struct rlk_reader *r, const struct rlk_reader_options *o,
              rowlock_error *err)
{
    enum rlk_format format = o->format;
    if (!format && r->body->type[0])
        format = rlk_format_of_type(r->body->type);
    if (!format)
        format = rlk_format_of_name(o->url);
    if (!format)
        format = RLK_FORMAT_JSON;
    r->format = format;
    if (r->pager.catches && format != RLK_FORMAT_JSON)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "'%.120s' is read as %s, which has no place for a next "
                        "page or a total",
                        shown(r), rlk_format_names[format]);
    if (o->records && format != RLK_FORMAT_JSON)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "'%.120s' is read as %s, which has no place for "
                        "'records'",
                        shown(r), rlk_format_names[format]);
    return 0;
}

/* One body: the only one, or a page. */
static int
open_body(struct rlk_reader *r, long *ret_status, rowlock_error *err)
{
    const struct rlk_reader_options *o = &r->o;
    struct rlk_body_options body = {.url = r->url,
                                    .shown = shown(r),
                                    .http = o->http,
                                    .limits = o->limits,
                                    .watch = o->watch,
                                    .validator = o->pages ? NULL : o->validator,
                                    .total = o->pages ? o->pages->total_header
                                             : o->keep_bytes ? "X-WP-Total"
                                                             : NULL,
                                    .cancelled = o->cancelled,
                                    .start =
                                        r->pager.url ? r->pager.url : r->url,
                                    .ret_status = ret_status,
                                    .until_ms = r->until_ms};
    struct rlk_body *packed = NULL;
    RLK_TRY(rlk_body_open(&body, &packed, err));
    if (packed->unchanged) {
        r->body = packed;
        r->unchanged = true;
        r->format = RLK_FORMAT_JSON;
        return 0;
    }
    RLK_TRY(rlk_unpack_open(packed, &body, &r->body, err));
    RLK_TRY(choose_format(r, o, err));
    const struct rlk_pointer *list = r->scouted.text ? &r->scouted : o->records;
    rlk_split_init(&r->split, list, o->limits.record_bytes);
    rlk_lines_init(&r->lines, r->format, o->limits.record_bytes);
    rlk_csv_init(&r->csv, r->format);
    r->scouting = r->format == RLK_FORMAT_JSON && !list;
    watch(r);
    return 0;
}

static int
start(struct rlk_reader *r, rowlock_error *err)
{
    const struct rlk_reader_options *o = &r->o;
    long status = 0;
    if (o->limits.time_ms)
        r->until_ms = rlk_body_now_ms() + o->limits.time_ms;
    if (o->pages)
        RLK_TRY(rlk_pager_init(&r->pager, o->pages, r->url, r->shown, err));
    return open_body(r, &status, err);
}

int
rlk_reader_open(const struct rlk_reader_options *o, struct rlk_reader **ret,
                rowlock_error *err)
{
    struct rlk_reader *r = rlk_calloc(1, sizeof *r);
    if (!r)
        return rlk_out_of_memory(err);
    r->o = *o;
    r->record_limit = o->limits.record_bytes;
    r->parser = rlk_json_parser_new();
    r->url = rlk_strdup(o->url);
    r->shown = rlk_strdup(o->shown ? o->shown : o->url);
    int rc = r->parser && r->url && r->shown ? start(r, err)
                                             : rlk_out_of_memory(err);
    if (rc)
        rlk_reader_close(r);
    else
        *ret = r;
    return rc;
}

static void
close_body(struct rlk_reader *r)
{
    rlk_body_close(r->body);
    rlk_split_done(&r->split);
    rlk_lines_done(&r->lines);
    rlk_csv_done(&r->csv);
    r->body = NULL;
    r->split = (struct rlk_split){0};
    r->lines = (struct rlk_lines){0};
    r->csv = (struct rlk_csv){0};
}

void
rlk_reader_close(struct rlk_reader *r)
{
    if (!r)
        return;
    close_body(r);
    rlk_pager_done(&r->pager);
    rlk_json_parser_free(r->parser);
    rlk_buf_done(&r->head);
    rlk_buf_done(&r->kept);
    rlk_arena_done(&r->arena);
    rlk_free(r->url);
    rlk_free(r->shown);
    rlk_free(r);
}

uint64_t
rlk_reader_bytes(const struct rlk_reader *r)
{
    return r->bytes;
}

enum rlk_format
rlk_reader_format(const struct rlk_reader *r)
{
    return r->format;
}

/* A body without a frame may have been cut behind one of its rows: only
 * brackets prove that it was not. */
const char *
rlk_reader_validator(const struct rlk_reader *r)
{
    bool proven = r->ended && !r->o.pages && r->body &&
                  (r->body->framed || r->format == RLK_FORMAT_JSON);
    return proven && r->body->validator[0] ? r->body->validator : NULL;
}

/* The body's errors say their place in it; the url comes before. */
static int
add_url(const struct rlk_reader *r, int rc, rowlock_error *err)
{
    if (!rc || !err || err->code == ROWLOCK_NO_MEMORY)
        return rc;
    char place[sizeof err->context];
    memcpy(place, err->context, sizeof place);
    err->context[0] = 0;
    rlk_context(err, "%.160s%s%.80s", shown(r), place[0] ? ", " : "", place);
    return rc;
}

/* ---- from the body to the cutter ---- */

static int
feed(struct rlk_reader *r, const char *piece, size_t len, rowlock_error *err)
{
    return r->format == RLK_FORMAT_JSON
               ? rlk_split_feed(&r->split, piece, len, err)
               : rlk_lines_feed(&r->lines, piece, len, err);
}

/* What the scout needs has been read, or it need not look at all: a body that
 * is a list names itself. */
static bool
seen_enough(const struct rlk_reader *r)
{
    const char *head = r->head.ptr;
    size_t at =
        r->head.len >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < r->head.len && head[at] && strchr(" \t\r\n", head[at]))
        at++;
    return r->body_ended || r->head.len >= RLK_SCOUT_BYTES ||
           (at < r->head.len && r->head.len > 3 && head[at] != '{');
}

/* Of the list that was found, catches see nothing. */
static int
check_beside(const struct rlk_reader *r, rowlock_error *err)
{
    const struct rlk_catch *c = r->pager.catches;
    for (; c && r->scouted.n; c = c->also)
        if (rlk_pointer_is_within(c->at, &r->scouted))
            return rlk_fail(err, ROWLOCK_BAD_VALUE,
                            "'%.80s' points into the records, which are at "
                            "'%.80s'",
                            c->at->text, r->scouted.text);
    return 0;
}

static int
scout(struct rlk_reader *r, rowlock_error *err)
{
    const char *head = r->head.ptr ? r->head.ptr : "";
    struct rlk_pointer *found = &r->scouted;
    int rc = rlk_scout(head, r->head.len, &r->arena, found, err);
    if (!rc)
        rc = check_beside(r, err);
    RLK_TRY(add_url(r, rc, err));
    if (found->n) {
        rlk_split_done(&r->split);
        rlk_split_init(&r->split, found, r->record_limit);
        r->split.scouted = true;
        watch(r);
    }
    r->scouting = false;
    rc = rlk_split_feed(&r->split, head, r->head.len, err);
    rlk_buf_done(&r->head);
    r->head = (struct rlk_buf){0};
    return rc;
}

static void
keep(struct rlk_reader *r, const char *piece, size_t len)
{
    size_t room = r->o.keep_bytes - r->kept.len;
    if (len && room)
        rlk_buf_add(&r->kept, piece, len < room ? len : room);
}

static int
take_piece(struct rlk_reader *r, rowlock_error *err)
{
    const char *piece;
    size_t len;
    RLK_TRY(r->body->ops->read(r->body, &piece, &len, err));
    r->bytes += len;
    r->page_bytes += len;
    r->body_ended = len == 0;
    keep(r, piece, len);
    if (r->body_ended)
        rlk_lines_end(&r->lines);
    if (!r->scouting)
        return len ? feed(r, piece, len, err) : 0;
    rlk_buf_add(&r->head, piece, len);
    if (r->head.failed)
        return rlk_out_of_memory(err);
    return seen_enough(r) ? scout(r, err) : 0;
}

static int
cut(struct rlk_reader *r, struct rlk_slice *ret,
    enum rlk_split_event *ret_event, rowlock_error *err)
{
    int rc = r->format == RLK_FORMAT_JSON
                 ? rlk_split_next(&r->split, ret, ret_event, err)
                 : rlk_lines_next(&r->lines, ret, ret_event, err);
    return add_url(r, rc, err);
}

static int
finish(struct rlk_reader *r, rowlock_error *err)
{
    int rc = r->format == RLK_FORMAT_JSON ? rlk_split_finish(&r->split, err)
                                          : rlk_lines_finish(&r->lines, err);
    if (!rc && r->page_bytes == 0 && !r->body->framed)
        rc = rlk_fail(err, ROWLOCK_BAD_VALUE,
                      "the body is empty, and may have been cut off");
    if (!rc && r->format >= RLK_FORMAT_CSV && !r->csv.has_header)
        rc = rlk_fail(err, ROWLOCK_BAD_VALUE,
                      "the body is empty: it has no header");
    return add_url(r, rc, err);
}

/* ---- from slices to records ---- */

/* Lines and bytes from the slice's start to the place of a fault in it. */
static void
place_fault(const struct rlk_slice *slice, size_t at, rowlock_error *reason)
{
    uint64_t line = slice->line;
    for (size_t i = 0; i < at && i < slice->len; i++)
        line += slice->text[i] == '\n';
    rlk_context(reason, "line %llu, byte %llu", (unsigned long long)line,
                (unsigned long long)(slice->byte + at));
}

static int
parse(struct rlk_reader *r, const struct rlk_slice *slice,
      const struct rlk_json **ret, size_t *ret_at, rowlock_error *err)
{
    if (slice->oversize)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "the record is longer than %zu bytes", r->record_limit);
    if (r->format >= RLK_FORMAT_CSV)
        return rlk_csv_row(&r->csv, slice, ret, ret_at, err);
    return rlk_json_parse(r->parser, slice->text, slice->len, ret, ret_at, err);
}

/* Is the last row, which has no line end, all of it? */
static int
check_unended(struct rlk_reader *r, const struct rlk_slice *slice, bool faulty,
              rowlock_error *err)
{
    if (!slice->unended || (r->body->framed && !faulty))
        return 0;
    rlk_fail(err, ROWLOCK_BAD_VALUE,
             "the body is cut off: its last line has no end");
    rlk_hint(err, "Run it again when the source sends the whole body.");
    place_fault(slice, slice->len, err);
    return add_url(r, ROWLOCK_BAD_VALUE, err);
}

static int
take_apart(struct rlk_reader *r, const struct rlk_slice *slice,
           struct rlk_remote *ret, enum rlk_read *ret_what, rowlock_error *err)
{
    size_t at = 0;
    ret->number = ++r->records;
    ret->line = slice->line;
    ret->byte = slice->byte;
    if (r->o.pages)
        RLK_TRY(rlk_pager_record(&r->pager, slice->text, slice->len, err));
    int rc = parse(r, slice, &ret->root, &at, &ret->reason);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(err);
    if (rc)
        place_fault(slice, at, &ret->reason);
    *ret_what = rc ? RLK_READ_REJECTED : RLK_READ_RECORD;
    return check_unended(r, slice, rc != 0, err);
}

static int
take_header(struct rlk_reader *r, const struct rlk_slice *slice,
            rowlock_error *err)
{
    size_t at = 0;
    int rc = slice->oversize
                 ? rlk_fail(err, ROWLOCK_BAD_VALUE, "the header is too long")
                 : rlk_csv_header(&r->csv, slice, &at, err);
    if (rc && rc != ROWLOCK_NO_MEMORY)
        place_fault(slice, at, err);
    RLK_TRY(add_url(r, rc, err));
    return check_unended(r, slice, false, err);
}

/* *ret_ended: the page that was read to its end is the last. */
static int
turn_page(struct rlk_reader *r, bool *ret_ended, rowlock_error *err)
{
    bool more = false;
    long status = 0;
    rowlock_error why = {0};
    if (r->o.pages && r->o.watch)
        r->o.watch->on_page(r->pager.count, r->o.watch->arg);
    if (r->o.pages)
        RLK_TRY(rlk_pager_turn(&r->pager, r->body, &more, err));
    *ret_ended = !more;
    if (!more)
        return 0;
    close_body(r);
    r->body_ended = false;
    r->page_bytes = 0;
    int rc = open_body(r, &status, &why);
    if (rc && rlk_pager_is_end(&r->pager, status)) {
        *ret_ended = true;
        return rlk_pager_check(&r->pager, err);
    }
    if (rc && err)
        *err = why;
    return rc;
}

int
rlk_reader_next(struct rlk_reader *r, struct rlk_remote *ret,
                enum rlk_read *ret_what, rowlock_error *err)
{
    if (r->unchanged) {
        *ret_what = RLK_READ_UNCHANGED;
        return 0;
    }
    while (!r->ended) {
        struct rlk_slice slice = {0};
        enum rlk_split_event event;
        RLK_TRY(cut(r, &slice, &event, err));
        if (event == RLK_SPLIT_MORE && r->body_ended) {
            RLK_TRY(finish(r, err));
            RLK_TRY(turn_page(r, &r->ended, err));
        } else if (event == RLK_SPLIT_MORE) {
            RLK_TRY(take_piece(r, err));
        } else if (r->format >= RLK_FORMAT_CSV && !r->csv.has_header) {
            RLK_TRY(take_header(r, &slice, err));
        } else {
            return take_apart(r, &slice, ret, ret_what, err);
        }
    }
    *ret_what = RLK_READ_END;
    return 0;
}

/* ---- what else the body tells ---- */

/* The parser reads some bytes behind the text. */
static int
parse_all(struct rlk_reader *r, const struct rlk_json **ret, rowlock_error *err)
{
    size_t at, len = r->kept.len;
    bool whole = r->body_ended && r->bytes == len;
    if (r->kept.failed)
        return rlk_out_of_memory(err);
    if (!whole || !len || r->format != RLK_FORMAT_JSON)
        return 0;
    for (size_t i = 0; i < RLK_JSON_PADDING; i++)
        rlk_buf_char(&r->kept, 0);
    if (r->kept.failed)
        return rlk_out_of_memory(err);
    r->kept.len = len;
    const char *text = r->kept.ptr;
    size_t mark = len > 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    int rc = rlk_json_parse(r->parser, text + mark, len - mark, ret, &at, NULL);
    return rc == ROWLOCK_NO_MEMORY ? rlk_out_of_memory(err) : 0;
}

int
rlk_reader_hints(struct rlk_reader *r, struct rlk_hints *ret,
                 rowlock_error *err)
{
    const char *next;
    size_t len;
    *ret = (struct rlk_hints){.total = "", .len = r->kept.len};
    RLK_TRY(parse_all(r, &ret->root, err));
    ret->head = r->kept.ptr ? r->kept.ptr : "";
    if (r->scouted.text)
        ret->records = r->scouted.text;
    else if (r->o.records)
        ret->records = r->o.records->text;
    if (!r->body)
        return 0;
    ret->total = r->body->total;
    ret->has_link = rlk_link_next(r->body->link, &next, &len) && next &&
                    !r->body->link_failed;
    return 0;
}
