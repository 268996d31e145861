/* SPDX-License-Identifier: MIT
 * Is a text one JSON value (RFC 8259)? It keeps no tree: what is open stands
 * in a small stack of one bit a level, so that depth is bounded. The text is
 * known to be UTF-8. */
#include "value.h"

#include <string.h>

enum { DEEPEST = 512 };

struct reader {
    const char *text;
    size_t len, at;
};

static bool
blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char
peek(const struct reader *r)
{
    return r->at < r->len ? r->text[r->at] : 0;
}

static void
skip_blanks(struct reader *r)
{
    while (r->at < r->len && blank(r->text[r->at]))
        r->at++;
}

static bool
digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
take_digits(struct reader *r)
{
    if (!digit(peek(r)))
        return false;
    while (digit(peek(r)))
        r->at++;
    return true;
}

static bool
take_number(struct reader *r)
{
    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0')
        r->at++;
    else if (!take_digits(r))
        return false;
    if (peek(r) == '.') {
        r->at++;
        if (!take_digits(r))
            return false;
    }
    if (peek(r) != 'e' && peek(r) != 'E')
        return true;
    r->at++;
    if (peek(r) == '+' || peek(r) == '-')
        r->at++;
    return take_digits(r);
}

static bool
take_escape(struct reader *r)
{
    r->at++;
    char c = peek(r);
    if (!c || !strchr("\"\\/bfnrtu", c))
        return false;
    r->at++;
    for (int i = 0; c == 'u' && i < 4; i++, r->at++)
        if (!peek(r) || !strchr("0123456789abcdefABCDEF", peek(r)))
            return false;
    return true;
}

static bool
take_string(struct reader *r)
{
    if (peek(r) != '"')
        return false;
    r->at++;
    while (peek(r) != '"') {
        if ((unsigned char)peek(r) < 0x20)
            return false;
        if (peek(r) == '\\') {
            if (!take_escape(r))
                return false;
        } else {
            r->at++;
        }
    }
    r->at++;
    return true;
}

static bool
take_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);
    if (r->len - r->at < len || memcmp(r->text + r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

static bool
take_scalar(struct reader *r)
{
    switch (peek(r)) {
    case '"':
        return take_string(r);
    case 't':
        return take_word(r, "true");
    case 'f':
        return take_word(r, "false");
    case 'n':
        return take_word(r, "null");
    default:
        return take_number(r);
    }
}

static bool
take_name(struct reader *r)
{
    skip_blanks(r);
    if (!take_string(r))
        return false;
    skip_blanks(r);
    if (peek(r) != ':')
        return false;
    r->at++;
    return true;
}

struct nesting {
    bool object[DEEPEST];
    size_t depth;
};

/* After a value: close what ends here, until a comma asks for more. true: go
 * on with a value, or all is closed. */
static bool
go_on(struct reader *r, struct nesting *n)
{
    for (skip_blanks(r); n->depth; skip_blanks(r)) {
        bool object = n->object[n->depth - 1];
        if (peek(r) == ',') {
            r->at++;
            return !object || take_name(r);
        }
        if (peek(r) != (object ? '}' : ']'))
            return false;
        r->at++;
        n->depth--;
    }
    return true;
}

/* An opening bracket. *ret_empty: it was closed at once. */
static bool
open_one(struct reader *r, struct nesting *n, bool *ret_empty)
{
    bool object = peek(r) == '{';
    if (n->depth == DEEPEST)
        return false;
    r->at++;
    skip_blanks(r);
    *ret_empty = peek(r) == (object ? '}' : ']');
    if (*ret_empty) {
        r->at++;
        return true;
    }
    n->object[n->depth++] = object;
    return !object || take_name(r);
}

/* A scalar, an empty pair of brackets or one opening bracket, and what closes
 * behind it. */
static bool
take_one(struct reader *r, struct nesting *n)
{
    bool empty = true;
    skip_blanks(r);
    if (peek(r) != '{' && peek(r) != '[')
        return take_scalar(r) && go_on(r, n);
    return open_one(r, n, &empty) && (!empty || go_on(r, n));
}

bool
rlk_json_valid(const char *text, size_t len, size_t *ret_bad)
{
    struct reader r = {text, len, 0};
    struct nesting n = {.depth = 0};
    bool good;
    do
        good = take_one(&r, &n);
    while (good && n.depth);
    *ret_bad = r.at;
    return good && r.at == len;
}

/* ---- equality ---- */

enum { INSIDE = 0x100 }; /* of a string: an escaped quote does not end it */

struct scan {
    struct reader r;
    bool in_string;
    unsigned char escaped[4]; /* what an escape stands for, its end first */
    size_t n_escaped;
};

static uint32_t
unit_at(const struct reader *r, size_t at)
{
    uint32_t unit = 0;
    for (size_t i = at; i < at + 4; i++) {
        char c = r->text[i];
        unit = unit << 4 | (uint32_t)(digit(c) ? c - '0' : (c | 0x20) - 'W');
    }
    return unit;
}

/* In UTF-8; half a surrogate pair likewise, which no text has as it stands. */
static void
stand_for(struct scan *s, uint32_t c)
{
    static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
    size_t n = (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);
    for (size_t i = 0; i < n; i++, c >>= 6)
        s->escaped[i] = (unsigned char)(0x80 | (c & 0x3F));
    s->escaped[n] = (unsigned char)(first[n] | c);
    s->n_escaped = n + 1;
}

/* Behind a backslash. */
static void
unescape(struct scan *s)
{
    static const char names[] = "bfnrt", controls[] = "\b\f\n\r\t";
    struct reader *r = &s->r;
    char c = r->text[r->at++];
    const char *name = strchr(names, c);
    if (c != 'u') {
        stand_for(s, (unsigned char)(name ? controls[name - names] : c));
        return;
    }
    uint32_t unit = unit_at(r, r->at), low = 0;
    r->at += 4;
    if ((unit & 0xFC00) == 0xD800 && r->text[r->at] == '\\' &&
        r->text[r->at + 1] == 'u')
        low = unit_at(r, r->at + 2);
    if ((low & 0xFC00) == 0xDC00) {
        unit = 0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF));
        r->at += 6;
    }
    stand_for(s, unit);
}

/* The next byte that counts, 0 at the end; white space inside strings does. */
static int
next_byte(struct scan *s)
{
    if (!s->in_string)
        skip_blanks(&s->r);
    int c = (unsigned char)peek(&s->r);
    if (s->n_escaped == 0)
        s->r.at++;
    if (s->n_escaped == 0 && s->in_string && c == '\\')
        unescape(s);
    if (s->n_escaped)
        return INSIDE | s->escaped[--s->n_escaped];
    if (c == '"')
        s->in_string = !s->in_string;
    else if (s->in_string)
        c |= INSIDE;
    return c;
}

static bool
valid(rowlock_value v)
{
    size_t bad;
    return v.type == ROWLOCK_TEXT && rlk_json_valid(v.u.s.ptr, v.u.s.len, &bad);
}

bool
rlk_json_equal(rowlock_value a, rowlock_value b)
{
    if (!valid(a) || !valid(b))
        return false;
    struct scan left = {.r = {a.u.s.ptr, a.u.s.len, 0}};
    struct scan right = {.r = {b.u.s.ptr, b.u.s.len, 0}};
    for (;;) {
        int c = next_byte(&left);
        if (c != next_byte(&right))
            return false;
        if (!c)
            return true;
    }
}
