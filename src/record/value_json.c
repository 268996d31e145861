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

struct scan {
    struct reader r;
    bool in_string, escaped;
};

/* The next byte that counts, 0 at the end; white space inside strings does. */
static char
next_byte(struct scan *s)
{
    if (!s->in_string)
        skip_blanks(&s->r);
    char c = peek(&s->r);
    s->r.at++;
    if (s->escaped)
        s->escaped = false;
    else if (c == '"')
        s->in_string = !s->in_string;
    else
        s->escaped = s->in_string && c == '\\';
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
        char c = next_byte(&left);
        if (c != next_byte(&right))
            return false;
        if (!c)
            return true;
    }
}
