/* SPDX-License-Identifier: MIT
 * The catches of catch.h. Each walks the grammar by itself, with its own
 * pointer: what surrounds the records is short. The list of records is seen as
 * an empty one. */
#include "catch.h"

#include <string.h>
#include <strings.h>

#include "json.h"

void
rlk_catch_init(struct rlk_catch *c, const struct rlk_pointer *at)
{
    memset(c, 0, sizeof *c);
    c->at = at;
    rlk_grammar_init(&c->grammar, at);
}

void
rlk_catch_reset(struct rlk_catch *c)
{
    struct rlk_catch *also = c->also;
    rlk_catch_done(c);
    rlk_catch_init(c, c->at);
    c->also = also;
}

void
rlk_catch_done(struct rlk_catch *c)
{
    rlk_grammar_done(&c->grammar);
    rlk_buf_done(&c->text);
}

/* ---- where it would be ---- */

static bool
is_index(const char *token)
{
    return token[0] && !token[strspn(token, "0123456789")];
}

/* next_page and nextPage. */
static bool
differ_in_style(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, "_-");
        b += strspn(b, "_-");
        if (!*a || strncasecmp(a, b, 1) != 0)
            return *a == *b;
        a++;
        b++;
    }
}

static bool
begins_with(const char *text, const char *start)
{
    return start[0] && start[1] && start[2] &&
           strncmp(text, start, strlen(start)) == 0;
}

static bool
is_near(const char *name, const char *step)
{
    return rlk_distance(name, step) <= 1 || differ_in_style(name, step) ||
           begins_with(name, step) || begins_with(step, name);
}

/* A name has ended in what leads to the value. */
static void
look_at_name(struct rlk_catch *c)
{
    const struct rlk_grammar *g = &c->grammar;
    uint32_t level = g->nest.depth - 1;
    const char *step = c->at->tokens[level];
    const char *name = g->key.ptr ? g->key.ptr : "";
    bool taken = c->near[0] && c->near_level >= level;
    if (taken || g->key.len >= sizeof c->near || !is_near(name, step) ||
        strcmp(name, step) == 0)
        return;
    strcpy(c->near, name);
    c->near_level = level;
}

bool
rlk_catch_could_be(const struct rlk_catch *c)
{
    if (c->found || (c->reached == 0 && c->at->n > 1))
        return c->found;
    return c->first == '{' || c->first == 'n' ||
           (c->first == '[' && is_index(c->at->tokens[c->reached]));
}

const char *
rlk_catch_near(const struct rlk_catch *c)
{
    return c->near[0] && c->near_level == c->reached ? c->near : NULL;
}

/* ---- what is there ---- */

static void
take_byte(struct rlk_catch *c, unsigned char byte)
{
    struct rlk_grammar *g = &c->grammar;
    if (!c->inside && rlk_grammar_on_way(g, byte) &&
        g->nest.depth >= c->reached) {
        c->reached = g->nest.depth;
        c->first = byte;
    }
    if (!c->inside && rlk_grammar_at_target(g, byte)) {
        c->twice = c->found;
        c->inside = c->found = true;
        c->depth = g->nest.depth;
    }
    rlk_grammar_step(g, byte); /* split.c says what is wrong with it */
    if (g->expect == RLK_EXPECT_COLON && g->on_path == g->nest.depth)
        look_at_name(c);
    if (!c->inside)
        return;
    c->inside = g->expect >= RLK_IN_STRING || g->nest.depth > c->depth;
    bool bracket = byte == '}' || byte == ']';
    bool ours = bracket ? g->nest.depth >= c->depth
                        : c->inside || !strchr(", \t\r\n", byte);
    if (ours && c->text.len <= RLK_CAUGHT)
        rlk_buf_char(&c->text, (char)byte);
}

void
rlk_catch_byte(struct rlk_catch *c, unsigned char byte)
{
    for (; c; c = c->also)
        take_byte(c, byte);
}

static int
take_value(const struct rlk_json *v, struct rlk_buf *ret, rowlock_error *err)
{
    if (v->type == RLK_JSON_NULL)
        return 0;
    if (v->type != RLK_JSON_STRING && v->type != RLK_JSON_NUMBER)
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "%s",
                        rlk_json_type_name(v->type));
    if (memchr(v->text, 0, v->len))
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "a text with a NUL");
    rlk_buf_add(ret, v->text, v->len);
    return ret->failed ? rlk_out_of_memory(err) : 0;
}

static int
parse(const struct rlk_catch *c, struct rlk_buf *ret, rowlock_error *err)
{
    static const char padding[RLK_JSON_PADDING];
    struct rlk_buf RLK_AUTOBUF text = {0};
    const struct rlk_json *root = NULL;
    size_t at;
    rlk_buf_format(&text, "{\"v\":%s}", c->text.ptr);
    size_t len = text.len;
    rlk_buf_add(&text, padding, sizeof padding);
    struct rlk_json_parser *parser = rlk_json_parser_new();
    int rc = parser && !text.failed
                 ? rlk_json_parse(parser, text.ptr, len, &root, &at, err)
                 : rlk_out_of_memory(err);
    if (!rc)
        rc = take_value(&root[1], ret, err);
    rlk_json_parser_free(parser);
    return rc;
}

int
rlk_catch_value(const struct rlk_catch *c, struct rlk_buf *ret,
                rowlock_error *err)
{
    rlk_buf_clear(ret);
    if (c->text.failed || c->grammar.key.failed)
        return rlk_out_of_memory(err);
    if (c->twice)
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "two values");
    if (c->text.len > RLK_CAUGHT)
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "a text that is too long");
    return c->found ? parse(c, ret, err) : 0;
}
