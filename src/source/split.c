/* SPDX-License-Identifier: MIT
 * The splitter of split.h. Bytes outside the list go through the grammar, one
 * by one; bytes of the list go through the loop in cut_record(), which knows
 * strings and brackets only. Invariant: between calls the window begins at the
 * record that is being cut, or is used up. Next: json.h takes a slice apart. */
#include "split.h"

#include <string.h>

#include "catch.h"

void
rlk_split_init(struct rlk_split *s, const struct rlk_pointer *records,
               size_t record_limit)
{
    memset(s, 0, sizeof *s);
    s->named = records != NULL;
    s->root.text = "";
    s->limit = record_limit;
    s->w.line = 1;
    rlk_grammar_init(&s->grammar, records ? records : &s->root);
}

void
rlk_split_done(struct rlk_split *s)
{
    rlk_grammar_done(&s->grammar);
    rlk_window_done(&s->w);
}

static int
damaged(const struct rlk_split *s, const char *what, rowlock_error *err)
{
    if (s->grammar.key.failed) /* the list may not have been seen as such */
        return rlk_out_of_memory(err);
    rlk_fail(err, ROWLOCK_BAD_VALUE, "the body is damaged: %s", what);
    rlk_window_place(&s->w, err);
    return ROWLOCK_BAD_VALUE;
}

/* A record past the limit is passed over: only its end is looked for. */
static void
check_limit(struct rlk_split *s)
{
    if (s->in_record && !s->oversize && s->w.pos - s->start > s->limit)
        s->oversize = true;
}

int
rlk_split_feed(struct rlk_split *s, const char *bytes, size_t len,
               rowlock_error *err)
{
    check_limit(s);
    size_t used = s->in_record && !s->oversize ? s->start : s->w.pos;
    RLK_TRY(rlk_window_feed(&s->w, used, bytes, len, err));
    s->start = 0;
    return 0;
}

static void
begin_record(struct rlk_split *s)
{
    s->in_record = true;
    s->start = s->w.pos;
    s->nest.depth = 0;
    s->record_line = s->w.line;
    s->record_byte = s->w.base + s->w.pos + 1;
}

/* pos stands at the comma or bracket behind the record. */
static void
end_record(struct rlk_split *s, struct rlk_slice *ret)
{
    if (s->w.pos - s->start > s->limit)
        s->oversize = true;
    memset(ret, 0, sizeof *ret);
    ret->line = s->record_line;
    ret->byte = s->record_byte;
    ret->oversize = s->oversize;
    ret->text = s->w.text + s->start;
    ret->len = s->oversize ? 0 : s->w.pos - s->start;
    while (ret->len && strchr(" \t\r\n", ret->text[ret->len - 1]) &&
           ret->text[ret->len - 1])
        ret->len--;
    s->in_record = s->oversize = false;
}

enum { PLAIN, NEWLINE, QUOTE, BACKSLASH, OPEN, CLOSE, COMMA };
static const unsigned char classes[256] = {
    ['\n'] = NEWLINE, ['"'] = QUOTE, ['\\'] = BACKSLASH, ['{'] = OPEN,
    ['['] = OPEN,     ['}'] = CLOSE, [']'] = CLOSE,      [','] = COMMA,
};

/* Go on to the string's end, or to the window's. */
static void
skip_string(struct rlk_split *s)
{
    const char *text = s->w.text;
    size_t i = s->w.pos, len = s->w.len;
    for (; i < len; i++) {
        unsigned char class = classes[(unsigned char)text[i]];
        if (class == NEWLINE)
            s->w.line++;
        if (s->escaped) {
            s->escaped = false;
        } else if (class == BACKSLASH) {
            s->escaped = true;
        } else if (class == QUOTE) {
            s->quoted = false;
            i++;
            break;
        }
    }
    s->w.pos = i;
}

/* A bracket within the record. NULL, or what is wrong. */
static const char *
take_bracket(struct rlk_split *s, unsigned char c)
{
    if (c == '{' || c == '[')
        return rlk_nest_push(&s->nest, c == '{') ? NULL : "nested too deep";
    return rlk_nest_pop(&s->nest, c == '}') ? NULL
                                            : "brackets that do not match";
}

/* Go on to the record's end. *ret_done: pos stands at the comma or bracket
 * behind it. */
static const char *
cut_record(struct rlk_split *s, bool *ret_done)
{
    while (s->w.pos < s->w.len) {
        if (s->quoted) {
            skip_string(s);
            continue;
        }
        unsigned char c = (unsigned char)s->w.text[s->w.pos];
        unsigned char class = classes[c];
        if (s->nest.depth == 0 && (class == COMMA || c == ']')) {
            *ret_done = true;
            return NULL;
        }
        if (class == OPEN || class == CLOSE) {
            const char *wrong = take_bracket(s, c);
            if (wrong)
                return wrong;
        }
        s->quoted = class == QUOTE;
        s->w.line += class == NEWLINE;
        s->w.pos++;
    }
    return NULL;
}

/* Between records: white space, a comma, the end of the list. */
static const char *
step_in_list(struct rlk_split *s)
{
    unsigned char c = (unsigned char)s->w.text[s->w.pos];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        s->w.line += c == '\n';
        s->w.pos++;
        return NULL;
    }
    if (c == ',')
        return "a record is missing before a comma";
    if (c != ']') {
        begin_record(s);
        return NULL;
    }
    if (s->after_comma)
        return "a record is missing after a comma";
    s->in_list = false;
    s->grammar.expect = RLK_EXPECT_VALUE_OR_END;
    s->w.pos++;
    rlk_catch_byte(s->catches, c);
    return rlk_grammar_step(&s->grammar, c);
}

/* The value at the pointer begins with c. */
static const char *
enter_list(struct rlk_split *s, unsigned char c)
{
    if (s->found)
        return "the list of records is there twice";
    if (c != '[')
        return s->named ? "what 'records' points to is not a list" : NULL;
    s->found = s->in_list = true;
    return NULL;
}

static const char *
step_outside(struct rlk_split *s)
{
    unsigned char c = (unsigned char)s->w.text[s->w.pos];
    if (rlk_grammar_at_target(&s->grammar, c)) {
        const char *wrong = enter_list(s, c);
        if (wrong)
            return wrong;
    }
    const char *wrong = rlk_grammar_step(&s->grammar, c);
    if (wrong)
        return wrong;
    rlk_catch_byte(s->catches, c);
    if (s->scouted && s->grammar.n_of_objects)
        return "a second list of objects: name one with 'records'";
    s->w.line += c == '\n';
    s->w.pos++;
    return NULL;
}

static int
close_record(struct rlk_split *s, struct rlk_slice *ret,
             enum rlk_split_event *ret_event)
{
    end_record(s, ret);
    s->after_comma = s->w.text[s->w.pos] == ',';
    if (s->after_comma)
        s->w.pos++;
    *ret_event = RLK_SPLIT_RECORD;
    return 0;
}

int
rlk_split_next(struct rlk_split *s, struct rlk_slice *ret,
               enum rlk_split_event *ret_event, rowlock_error *err)
{
    const char *wrong = NULL;
    bool done = false;
    if (rlk_window_pass_mark(&s->w)) {
        *ret_event = RLK_SPLIT_MORE;
        return 0;
    }
    while (!wrong && s->w.pos < s->w.len) {
        if (s->in_record)
            wrong = cut_record(s, &done);
        else if (s->in_list)
            wrong = step_in_list(s);
        else
            wrong = step_outside(s);
        if (done)
            return close_record(s, ret, ret_event);
    }
    if (wrong)
        return damaged(s, wrong, err);
    *ret_event = RLK_SPLIT_MORE;
    return 0;
}

static int
not_found(struct rlk_split *s, rowlock_error *err)
{
    if (s->grammar.key.failed) /* so that no name could be compared */
        return rlk_out_of_memory(err);
    if (s->named)
        rlk_fail(err, ROWLOCK_BAD_VALUE, "the body has no list at '%.80s'",
                 s->grammar.target->text);
    else
        rlk_fail(err, ROWLOCK_BAD_VALUE, "the body is not a list");
    if (s->grammar.candidates.len)
        rlk_hint(err, "It has lists at %s: name one with 'records'.",
                 s->grammar.candidates.ptr);
    return ROWLOCK_BAD_VALUE;
}

int
rlk_split_finish(struct rlk_split *s, rowlock_error *err)
{
    const char *where = s->in_list ? "it ends within the list of records"
                                   : rlk_grammar_end(&s->grammar);
    if (!where)
        return s->found ? 0 : not_found(s, err);
    rlk_fail(err, ROWLOCK_BAD_VALUE, "the body is cut off: %s", where);
    rlk_context(err, "line %llu, byte %llu", (unsigned long long)s->w.line,
                (unsigned long long)(s->w.base + s->w.len));
    rlk_hint(err, "Run it again when the source sends the whole body.");
    return ROWLOCK_BAD_VALUE;
}
