/* SPDX-License-Identifier: MIT
 * The pushdown machine of grammar.h. A state says what may come next; the stack
 * of brackets is one bit a level. Names are collected only in containers that
 * lead to the target, so memory is flat whatever the body holds. Next:
 * split.c. */
#include "grammar.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 1024 }; /* a longer one is no step of the pointer */

bool
rlk_nest_push(struct rlk_nest *nest, bool object)
{
    if (nest->depth == RLK_NEST_DEEPEST)
        return false;
    uint64_t bit = UINT64_C(1) << nest->depth % 64;
    uint64_t *word = &nest->kinds[nest->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    nest->depth++;
    return true;
}

static bool
innermost_is_object(const struct rlk_nest *nest)
{
    uint32_t at = nest->depth - 1;
    return nest->depth && (nest->kinds[at / 64] >> at % 64 & 1);
}

bool
rlk_nest_pop(struct rlk_nest *nest, bool object)
{
    if (!nest->depth || innermost_is_object(nest) != object)
        return false;
    nest->depth--;
    return true;
}

void
rlk_grammar_init(struct rlk_grammar *g, const struct rlk_pointer *target)
{
    memset(g, 0, sizeof *g);
    g->target = target;
    g->value_on_path = true;
}

void
rlk_grammar_done(struct rlk_grammar *g)
{
    rlk_buf_done(&g->key);
    rlk_buf_done(&g->candidates);
    rlk_buf_done(&g->of_objects);
}

static bool
is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool
expects_value(const struct rlk_grammar *g)
{
    return g->expect == RLK_EXPECT_VALUE ||
           g->expect == RLK_EXPECT_VALUE_OR_END;
}

bool
rlk_grammar_on_way(const struct rlk_grammar *g, unsigned char c)
{
    return expects_value(g) && g->value_on_path &&
           g->nest.depth <= g->target->n && !is_space(c) &&
           !(c == ']' && g->expect == RLK_EXPECT_VALUE_OR_END);
}

bool
rlk_grammar_at_target(const struct rlk_grammar *g, unsigned char c)
{
    return g->nest.depth == g->target->n && rlk_grammar_on_way(g, c);
}

/* The innermost container is one that leads to the target. */
static bool
leads(const struct rlk_grammar *g)
{
    return g->on_path == g->nest.depth && g->on_path > 0 &&
           g->on_path <= g->target->n;
}

static bool
is_index(const char *token, uint64_t index)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)index);
    return strcmp(token, text) == 0;
}

/* An element of a list is about to begin: is it a step of the pointer? */
static void
begin_element(struct rlk_grammar *g)
{
    g->value_on_path = leads(g) && is_index(g->target->tokens[g->on_path - 1],
                                            g->index[g->on_path - 1]++);
}

static void
after_value(struct rlk_grammar *g)
{
    g->expect = g->nest.depth ? RLK_EXPECT_COMMA_OR_END : RLK_EXPECT_NOTHING;
}

/* Remember the root's lists: they are what the pointer may have meant. */
static void
note_name(const struct rlk_grammar *g, struct rlk_buf *names, uint32_t *n)
{
    if ((*n)++ && names->len + g->key.len + 4 > RLK_GRAMMAR_CANDIDATES)
        return;
    rlk_buf_text(names, names->len ? ", /" : "/");
    for (size_t i = 0; i < g->key.len; i++) {
        char c = g->key.ptr[i];
        if (c == '~' || c == '/')
            rlk_buf_text(names, c == '~' ? "~0" : "~1");
        else
            rlk_buf_char(names, c);
    }
}

/* A container is about to be opened; the name of the root's member is known
 * until its first element has begun. */
static void
note_candidate(struct rlk_grammar *g, bool object)
{
    bool in_root = g->nest.depth >= 1 && (g->nest.kinds[0] & 1);
    if (in_root && g->nest.depth == 1 && !object)
        note_name(g, &g->candidates, &g->n_candidates);
    if (in_root && g->nest.depth == 2 && object && !(g->nest.kinds[0] & 2) &&
        g->expect == RLK_EXPECT_VALUE_OR_END)
        note_name(g, &g->of_objects, &g->n_of_objects);
}

static const char *
open_container(struct rlk_grammar *g, bool object)
{
    bool on_path = g->value_on_path;
    note_candidate(g, object);
    if (!rlk_nest_push(&g->nest, object))
        return "nested too deep";
    if (on_path && g->nest.depth <= g->target->n) {
        g->on_path = g->nest.depth;
        g->index[g->on_path - 1] = 0;
    }
    g->expect = object ? RLK_EXPECT_KEY_OR_END : RLK_EXPECT_VALUE_OR_END;
    if (!object)
        begin_element(g);
    return NULL;
}

static const char *
close_container(struct rlk_grammar *g, bool object)
{
    if (!rlk_nest_pop(&g->nest, object))
        return "brackets that do not match";
    if (g->on_path > g->nest.depth)
        g->on_path = g->nest.depth;
    after_value(g);
    return NULL;
}

static void
begin_string(struct rlk_grammar *g, bool key)
{
    g->in_key = key;
    g->expect = RLK_IN_STRING;
    g->high_surrogate = 0;
    if (key)
        rlk_buf_clear(&g->key);
}

static const char *
begin_token(struct rlk_grammar *g, unsigned char c)
{
    g->token[0] = (char)c;
    g->token_len = 1;
    if (c == 't' || c == 'f' || c == 'n') {
        g->expect = RLK_IN_WORD;
        return NULL;
    }
    if (c != '-' && (c < '0' || c > '9'))
        return "not a JSON value";
    g->expect = RLK_IN_NUMBER;
    g->number = c == '-' ? '-' : c == '0' ? '0' : '1';
    return NULL;
}

static const char *
begin_value(struct rlk_grammar *g, unsigned char c)
{
    if (c == ']' && g->expect == RLK_EXPECT_VALUE_OR_END)
        return close_container(g, false);
    if (c == '{' || c == '[')
        return open_container(g, c == '{');
    if (c == '"') {
        begin_string(g, false);
        return NULL;
    }
    return begin_token(g, c);
}

/* The name of a member has ended. */
static void
end_key(struct rlk_grammar *g)
{
    g->expect = RLK_EXPECT_COLON;
    const char *name = g->key.ptr ? g->key.ptr : "";
    g->value_on_path = leads(g) && g->key.len <= LONGEST_NAME &&
                       strlen(name) == g->key.len &&
                       strcmp(name, g->target->tokens[g->on_path - 1]) == 0;
}

static void
collect(struct rlk_grammar *g, unsigned char c)
{
    if (g->in_key && (leads(g) || g->nest.depth == 1) &&
        g->key.len <= LONGEST_NAME)
        rlk_buf_char(&g->key, (char)c);
}

static void
collect_character(struct rlk_grammar *g, uint32_t c)
{
    if (c < 0x80) {
        collect(g, (unsigned char)c);
        return;
    }
    if (c < 0x800) {
        collect(g, (unsigned char)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            collect(g, (unsigned char)(0xE0 | c >> 12));
        } else {
            collect(g, (unsigned char)(0xF0 | c >> 18));
            collect(g, (unsigned char)(0x80 | (c >> 12 & 0x3F)));
        }
        collect(g, (unsigned char)(0x80 | (c >> 6 & 0x3F)));
    }
    collect(g, (unsigned char)(0x80 | (c & 0x3F)));
}

/* Four hexadecimal digits have been read: surrogates come in pairs. */
static const char *
end_hex(struct rlk_grammar *g)
{
    uint16_t unit = g->hex;
    g->expect = RLK_IN_STRING;
    if (g->high_surrogate) {
        if (unit < 0xDC00 || unit > 0xDFFF)
            return "half of a surrogate pair";
        collect_character(
            g, 0x10000 + ((uint32_t)(g->high_surrogate - 0xD800) << 10) +
                   (uint32_t)(unit - 0xDC00));
        g->high_surrogate = 0;
    } else if (unit >= 0xD800 && unit <= 0xDBFF) {
        g->high_surrogate = unit;
    } else if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return "half of a surrogate pair";
    } else {
        collect_character(g, unit);
    }
    return NULL;
}

static const char *
step_hex(struct rlk_grammar *g, unsigned char c)
{
    const char *digits = "0123456789abcdef";
    unsigned char lower = c >= 'A' && c <= 'F' ? c + 32 : c;
    const char *at = c ? strchr(digits, lower) : NULL;
    if (!at)
        return "bad escape in a string";
    g->hex = (uint16_t)(g->hex << 4 | (at - digits));
    return --g->hex_left ? NULL : end_hex(g);
}

static const char *
step_escape(struct rlk_grammar *g, unsigned char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        g->hex = 0;
        g->hex_left = 4;
        g->expect = RLK_IN_HEX;
        return NULL;
    }
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return "bad escape in a string";
    if (g->high_surrogate)
        return "half of a surrogate pair";
    collect(g, (unsigned char)to[at - from]);
    g->expect = RLK_IN_STRING;
    return NULL;
}

/* Unicode 15, table 3-7, a byte at a time. */
static const char *
step_utf8(struct rlk_grammar *g, unsigned char c)
{
    if (g->utf8_left) {
        if (c < g->utf8_low || c > g->utf8_high)
            return "invalid UTF-8";
        g->utf8_left--;
        g->utf8_low = 0x80;
        g->utf8_high = 0xBF;
        return NULL;
    }
    if (c < 0xC2 || c > 0xF4)
        return "invalid UTF-8";
    g->utf8_left = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    g->utf8_low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    g->utf8_high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    return NULL;
}

static const char *
step_string(struct rlk_grammar *g, unsigned char c)
{
    if (g->utf8_left || c >= 0x80) {
        const char *wrong =
            g->high_surrogate ? "half of a surrogate pair" : step_utf8(g, c);
        collect(g, c);
        return wrong;
    }
    if (c == '\\') {
        g->expect = RLK_IN_ESCAPE;
        return NULL;
    }
    if (g->high_surrogate)
        return "half of a surrogate pair";
    if (c < 0x20)
        return "control character in a string";
    if (c != '"')
        collect(g, c);
    else if (g->in_key)
        end_key(g);
    else
        after_value(g);
    return NULL;
}

static const char *
step_word(struct rlk_grammar *g, unsigned char c)
{
    const char *word = g->token[0] == 't'   ? "true"
                       : g->token[0] == 'f' ? "false"
                                            : "null";
    if (word[g->token_len] != (char)c)
        return "not a JSON value";
    if (!word[++g->token_len])
        after_value(g);
    return NULL;
}

/* The state after c, or 0: c does not continue the number. States are the last
 * meaningful character: '-', '0', '1' (digits), '.', 'f' (fraction), 'e', '+',
 * 'x' (exponent). */
static uint8_t
next_in_number(uint8_t state, unsigned char c)
{
    bool digit = c >= '0' && c <= '9', e = c == 'e' || c == 'E';
    switch (state) {
    case '-':
        return !digit ? 0 : c == '0' ? '0' : '1';
    case '0':
        return c == '.' ? '.' : e ? 'e' : 0;
    case '1':
        return digit ? '1' : c == '.' ? '.' : e ? 'e' : 0;
    case '.':
        return digit ? 'f' : 0;
    case 'f':
        return digit ? 'f' : e ? 'e' : 0;
    case 'e':
        return digit ? 'x' : c == '+' || c == '-' ? '+' : 0;
    default:
        return digit ? 'x' : 0;
    }
}

static bool
number_may_end(uint8_t state)
{
    return strchr("01fx", state) != NULL;
}

static const char *
step_number(struct rlk_grammar *g, unsigned char c)
{
    uint8_t next = next_in_number(g->number, c);
    if (next) {
        g->number = next;
        return NULL;
    }
    if (!number_may_end(g->number))
        return "not a JSON number";
    after_value(g);
    return rlk_grammar_step(g, c);
}

static const char *
step_after_value(struct rlk_grammar *g, unsigned char c)
{
    if (c == '}' || c == ']')
        return close_container(g, c == '}');
    if (c != ',')
        return "a comma or the end was expected";
    if (innermost_is_object(&g->nest)) {
        g->expect = RLK_EXPECT_KEY;
    } else {
        g->expect = RLK_EXPECT_VALUE;
        begin_element(g);
    }
    return NULL;
}

static const char *
step_key(struct rlk_grammar *g, unsigned char c)
{
    if (c == '}' && g->expect == RLK_EXPECT_KEY_OR_END)
        return close_container(g, true);
    if (c != '"')
        return "the name of a member was expected";
    begin_string(g, true);
    return NULL;
}

static const char *
step_colon(struct rlk_grammar *g, unsigned char c)
{
    if (c != ':')
        return "a colon was expected";
    g->expect = RLK_EXPECT_VALUE;
    return NULL;
}

const char *
rlk_grammar_step(struct rlk_grammar *g, unsigned char c)
{
    if (g->expect < RLK_IN_STRING && is_space(c))
        return NULL;
    switch (g->expect) {
    case RLK_EXPECT_VALUE:
    case RLK_EXPECT_VALUE_OR_END:
        return begin_value(g, c);
    case RLK_EXPECT_KEY:
    case RLK_EXPECT_KEY_OR_END:
        return step_key(g, c);
    case RLK_EXPECT_COLON:
        return step_colon(g, c);
    case RLK_EXPECT_COMMA_OR_END:
        return step_after_value(g, c);
    case RLK_EXPECT_NOTHING:
        return "text after the end of the JSON value";
    case RLK_IN_STRING:
        return step_string(g, c);
    case RLK_IN_ESCAPE:
        return step_escape(g, c);
    case RLK_IN_HEX:
        return step_hex(g, c);
    case RLK_IN_NUMBER:
        return step_number(g, c);
    case RLK_IN_WORD:
        return step_word(g, c);
    }
    return "not valid JSON";
}

const char *
rlk_grammar_end(struct rlk_grammar *g)
{
    if (g->expect == RLK_IN_NUMBER && g->nest.depth == 0 &&
        number_may_end(g->number))
        after_value(g);
    if (g->expect == RLK_EXPECT_NOTHING)
        return NULL;
    if (g->nest.depth == 0 && g->expect == RLK_EXPECT_VALUE)
        return "it is empty";
    if (g->expect == RLK_IN_STRING || g->expect == RLK_IN_ESCAPE ||
        g->expect == RLK_IN_HEX)
        return "it ends within a string";
    return "it ends before its closing bracket";
}
