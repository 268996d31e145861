/* SPDX-License-Identifier: MIT
 * Ties body, splitter and parser together: pieces go in, records come out. A
 * record that is not valid JSON is handed out as rejected; everything else that
 * is wrong ends the reading. */
#include <string.h>

#include "body.h"
#include "json.h"
#include "split.h"

struct rlk_reader {
    struct rlk_body *body;
    struct rlk_split split;
    struct rlk_json_parser *parser;
    char *url;
    uint64_t bytes, records;
    bool ended;
};

int
rlk_reader_open(const struct rlk_reader_options *o, struct rlk_reader **ret,
                rowlock_error *err)
{
    struct rlk_reader *r = rlk_calloc(1, sizeof *r);
    if (!r)
        return rlk_out_of_memory(err);
    rlk_split_init(&r->split, o->records, o->limits.record_bytes);
    r->parser = rlk_json_parser_new();
    r->url = rlk_strdup(o->url);
    struct rlk_body_options body = {r->url, o->limits, o->cancelled};
    int rc = r->parser && r->url ? rlk_body_open(&body, &r->body, err)
                                 : rlk_out_of_memory(err);
    if (rc)
        rlk_reader_close(r);
    else
        *ret = r;
    return rc;
}

void
rlk_reader_close(struct rlk_reader *r)
{
    if (!r)
        return;
    rlk_body_close(r->body);
    rlk_split_done(&r->split);
    rlk_json_parser_free(r->parser);
    rlk_free(r->url);
    rlk_free(r);
}

uint64_t
rlk_reader_bytes(const struct rlk_reader *r)
{
    return r->bytes;
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
    rlk_context(err, "%.160s%s%.80s", r->url, place[0] ? ", " : "", place);
    return rc;
}

/* *ret_end: the body has ended, and it was whole. */
static int
feed(struct rlk_reader *r, bool *ret_end, rowlock_error *err)
{
    const char *piece;
    size_t len;
    RLK_TRY(r->body->ops->read(r->body, &piece, &len, err));
    r->bytes += len;
    *ret_end = len == 0;
    if (len == 0)
        return add_url(r, rlk_split_finish(&r->split, err), err);
    return rlk_split_feed(&r->split, piece, len, err);
}

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
take_apart(struct rlk_reader *r, const struct rlk_slice *slice,
           struct rlk_remote *ret, enum rlk_read *ret_what)
{
    size_t at = 0;
    int rc;
    ret->number = ++r->records;
    ret->line = slice->line;
    ret->byte = slice->byte;
    if (slice->oversize)
        rc = rlk_fail(&ret->reason, ROWLOCK_BAD_VALUE,
                      "the record is longer than %zu bytes", r->split.limit);
    else
        rc = rlk_json_parse(r->parser, slice->text, slice->len, &ret->root, &at,
                            &ret->reason);
    if (rc)
        place_fault(slice, at, &ret->reason);
    *ret_what = rc ? RLK_READ_REJECTED : RLK_READ_RECORD;
    return rc == ROWLOCK_NO_MEMORY ? rc : 0;
}

int
rlk_reader_next(struct rlk_reader *r, struct rlk_remote *ret,
                enum rlk_read *ret_what, rowlock_error *err)
{
    while (!r->ended) {
        struct rlk_slice slice;
        enum rlk_split_event event;
        int rc = rlk_split_next(&r->split, &slice, &event, err);
        RLK_TRY(add_url(r, rc, err));
        if (event == RLK_SPLIT_RECORD) {
            rc = take_apart(r, &slice, ret, ret_what);
            return rc ? rlk_out_of_memory(err) : 0;
        }
        RLK_TRY(feed(r, &r->ended, err));
    }
    *ret_what = RLK_READ_END;
    return 0;
}
