/* SPDX-License-Identifier: MIT
 * The cutter of lines.h: a state a byte, as RFC 4180's grammar has it.
 * Invariant: between calls the window begins at the row that is being cut, or
 * is used up. After a wrong quote the rest of the row is read as if the field
 * were unquoted; if then its quotes do not pair, a quoted field may go on
 * behind the line end, and where the row ends is unclear. Next: csv.h takes a
 * row apart. */
#include "lines.h"

#include <string.h>

enum {
    AT_FIELD,
    BLANKS, /* at the start of a field */
    PLAIN,
    QUOTED,
    CLOSED,
    AFTER_CR,
    BROKEN,      /* in a quoted field with a wrong quote */
    BROKEN_QUOTE /* at a quote that may be the end of such a one */
};

void
rlk_lines_init(struct rlk_lines *r, enum rlk_format format, size_t limit)
{
    memset(r, 0, sizeof *r);
    r->separator = format == RLK_FORMAT_CSV   ? ','
                   : format == RLK_FORMAT_TSV ? '\t'
                                              : 0;
    r->lenient = format == RLK_FORMAT_TSV;
    r->limit = limit;
    r->w.line = 1;
}

void
rlk_lines_done(struct rlk_lines *r)
{
    rlk_window_done(&r->w);
}

void
rlk_lines_end(struct rlk_lines *r)
{
    r->ended = true;
}

int
rlk_lines_feed(struct rlk_lines *r, const char *bytes, size_t len,
               rowlock_error *err)
{
    if (r->in_row && r->w.pos - r->start > r->limit)
        r->oversize = true;
    size_t used = r->in_row && !r->oversize ? r->start : r->w.pos;
    RLK_TRY(rlk_window_feed(&r->w, used, bytes, len, err));
    r->start = 0;
    return 0;
}

static uint64_t
here(const struct rlk_lines *r)
{
    return r->w.base + r->w.pos + 1;
}

static void
begin_row(struct rlk_lines *r)
{
    r->in_row = true;
    r->oversize = false;
    r->state = AT_FIELD;
    r->wrong = NULL;
    r->start = r->w.pos;
    r->row_line = r->w.line;
    r->row_byte = here(r);
}

/* The first fault is the one that is told. */
static void
note_wrong(struct rlk_lines *r, const char *wrong, uint64_t byte)
{
    if (!r->wrong) {
        r->wrong = wrong;
        r->wrong_byte = byte;
    }
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void
take_quote(struct rlk_lines *r)
{
    switch (r->state) {
    case AT_FIELD:
    case CLOSED:
        r->state = QUOTED;
        return;
    case QUOTED:
        r->state = CLOSED;
        return;
    case BROKEN:
    case BROKEN_QUOTE:
        r->state = BROKEN_QUOTE;
        return;
    default:
        if (!r->lenient)
            note_wrong(r, "a quote within an unquoted field", here(r));
        r->state = r->state == BLANKS && !r->lenient ? BROKEN : PLAIN;
    }
}

/* Outside quotes, or after a wrong one: neither quote, separator nor line end.
 */
static void
take_text(struct rlk_lines *r, char c)
{
    bool blank = r->state <= BLANKS && is_blank(c);
    if (r->state == CLOSED)
        note_wrong(r, "text behind a closing quote", here(r));
    if (r->state == AFTER_CR)
        note_wrong(r, "a carriage return that is no line end", here(r) - 1);
    if (r->state == CLOSED || r->state >= BROKEN)
        r->state = BROKEN;
    else
        r->state = blank ? BLANKS : PLAIN;
}

/* One byte within a row of a table, line ends outside quotes excepted. */
static void
take_byte(struct rlk_lines *r, char c)
{
    if (r->state == AFTER_CR) {
        take_text(r, c);
    } else if (c == '"') {
        take_quote(r);
    } else if (r->state == QUOTED) {
        r->w.line += c == '\n';
    } else if (r->state == BROKEN) {
        take_text(r, c);
    } else if (c == r->separator) {
        r->state = AT_FIELD;
    } else if (c == '\r') {
        r->state = AFTER_CR;
    } else {
        take_text(r, c);
    }
}

/* Go on to the row's line end. true: pos stands there. */
static bool
cut_table_row(struct rlk_lines *r)
{
    for (; r->w.pos < r->w.len; r->w.pos++) {
        char c = r->w.text[r->w.pos];
        if (c == '\n' && r->state != QUOTED)
            return true;
        if (r->state != PLAIN || c == '"' || c == r->separator || c == '\r')
            take_byte(r, c);
    }
    return false;
}

static bool
cut_line(struct rlk_lines *r)
{
    const char *from = r->w.text + r->w.pos;
    const char *end = memchr(from, '\n', r->w.len - r->w.pos);
    r->w.pos = end ? (size_t)(end - r->w.text) : r->w.len;
    return end != NULL;
}

static int
unclear(const struct rlk_lines *r, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_BAD_VALUE, "the body is damaged: %s", r->wrong);
    rlk_detail(err, "Where the row ends is unclear.");
    rlk_context(err, "line %llu, byte %llu", (unsigned long long)r->row_line,
                (unsigned long long)r->wrong_byte);
    return ROWLOCK_BAD_VALUE;
}

/* White space around a line is none of the record's; in a table it is. */
static void
trim(struct rlk_slice *slice)
{
    while (slice->len && is_blank(slice->text[slice->len - 1]))
        slice->len--;
    while (slice->len && is_blank(*slice->text)) {
        slice->text++;
        slice->byte++;
        slice->len--;
    }
}

/* pos stands at the line end, or at the body's end. */
static void
end_row(struct rlk_lines *r, struct rlk_slice *ret)
{
    size_t len = r->w.pos - r->start;
    *ret = (struct rlk_slice){.line = r->row_line, .byte = r->row_byte};
    ret->unended = r->w.pos == r->w.len;
    ret->oversize = r->oversize || len > r->limit;
    ret->text = r->w.text + r->start;
    ret->len = ret->oversize ? 0 : len;
    if (ret->len && ret->text[ret->len - 1] == '\r')
        ret->len--;
    if (!r->separator)
        trim(ret);
    ret->wrong = r->wrong;
    ret->wrong_at = r->wrong ? (size_t)(r->wrong_byte - r->row_byte) : 0;
    r->in_row = false;
    if (!ret->unended) {
        r->w.pos++;
        r->w.line++;
    }
}

static int
cut_off(const struct rlk_lines *r, const char *where, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_BAD_VALUE, "the body is cut off: %s", where);
    rlk_window_place(&r->w, err);
    rlk_hint(err, "Run it again when the source sends the whole body.");
    return ROWLOCK_BAD_VALUE;
}

/* The next row, empty ones too; false: more bytes are needed. */
static bool
take_row(struct rlk_lines *r)
{
    if (!r->in_row) {
        if (r->w.pos == r->w.len)
            return false;
        begin_row(r);
    }
    bool done = r->separator ? cut_table_row(r) : cut_line(r);
    return done || (r->ended && r->state != QUOTED);
}

int
rlk_lines_next(struct rlk_lines *r, struct rlk_slice *ret,
               enum rlk_split_event *ret_event, rowlock_error *err)
{
    *ret_event = RLK_SPLIT_MORE;
    if (rlk_window_pass_mark(&r->w) && !r->ended)
        return 0;
    while (take_row(r)) {
        if (r->state == BROKEN)
            return unclear(r, err);
        struct rlk_slice slice;
        end_row(r, &slice);
        if (slice.len == 0 && !slice.oversize)
            continue;
        *ret = slice;
        *ret_event = RLK_SPLIT_RECORD;
        return 0;
    }
    return 0;
}

int
rlk_lines_finish(struct rlk_lines *r, rowlock_error *err)
{
    if (!r->in_row)
        return 0;
    return cut_off(r, "it ends within a quoted field", err);
}
