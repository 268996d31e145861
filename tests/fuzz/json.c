/* SPDX-License-Identifier: MIT
 * A JSON body, cut into records: whole and in small pieces it must give the
 * same records, or be refused; and each record to the parser of records. The
 * first byte chooses the size of the pieces and whether a pointer is given. */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "source/json.h"
#include "source/split.h"

static struct rlk_json_parser *parser;

static void
parse(const struct rlk_slice *slice)
{
    const struct rlk_json *nodes;
    size_t at = 0;
    int rc = rlk_json_parse(parser, slice->text, slice->len, &nodes, &at, NULL);
    must(rc == 0 || at <= slice->len);
}

static int
drain(struct rlk_split *s, struct rlk_buf *out, rowlock_error *err)
{
    for (;;) {
        struct rlk_slice slice;
        enum rlk_split_event event;
        RLK_TRY(rlk_split_next(s, &slice, &event, err));
        if (event == RLK_SPLIT_MORE)
            return 0;
        rlk_buf_format(out, "%d:%d:%d;", (int)slice.line, (int)slice.byte,
                       (int)slice.oversize);
        if (slice.oversize)
            continue;
        rlk_buf_add(out, slice.text, slice.len);
        parse(&slice);
    }
}

static int
split(const char *json, size_t len, size_t step, const struct rlk_pointer *p,
      struct rlk_buf *out)
{
    struct rlk_split s;
    rowlock_error err = {0};
    int rc = 0;
    rlk_split_init(&s, p, 512);
    for (size_t i = 0; i < len && !rc; i += step) {
        rc =
            rlk_split_feed(&s, json + i, len - i < step ? len - i : step, &err);
        if (!rc)
            rc = drain(&s, out, &err);
    }
    if (!rc)
        rc = rlk_split_finish(&s, &err);
    must(rc == 0 || err.message[0]);
    rlk_split_done(&s);
    return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rlk_arena RLK_AUTOARENA arena = {0};
    struct rlk_pointer p;
    struct rlk_buf RLK_AUTOBUF whole = {0}, pieces = {0};
    if (!parser)
        parser = rlk_json_parser_new();
    must(parser && rlk_pointer_parse("/items", &arena, &p, NULL) == 0);
    if (size < 1)
        return 0;
    const char *json = (const char *)data + 1;
    const struct rlk_pointer *named = data[0] & 1 ? &p : NULL;
    int rc = split(json, size - 1, size, named, &whole);
    must(split(json, size - 1, 1 + data[0] / 2 % 16, named, &pieces) == rc);
    must(rc || (whole.len == pieces.len &&
                (!whole.len || !memcmp(whole.ptr, pieces.ptr, whole.len))));
    return 0;
}
