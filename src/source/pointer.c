/* SPDX-License-Identifier: MIT
 * JSON pointers (RFC 6901): "" is the whole value, "/a/0" the first element of
 * member a; ~1 stands for a slash, ~0 for a tilde. A member that is there with
 * null is found; one that is absent is not. */
#include <string.h>

#include "source.h"

static size_t
count_tokens(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '/';
    return n;
}

/* Unescapes from until the next slash or the end into to; NULL: a bad escape.
 * Answers where it stopped. */
static const char *
take_token(const char *from, char *to)
{
    while (*from && *from != '/') {
        char c = *from++;
        if (c == '~') {
            if (*from != '0' && *from != '1')
                return NULL;
            c = *from++ == '0' ? '~' : '/';
        }
        *to++ = c;
    }
    *to = 0;
    return from;
}

static int
check_form(const char *text, rowlock_error *err)
{
    if (text[0] && text[0] != '/') {
        rlk_fail(err, ROWLOCK_BAD_VALUE,
                 "a JSON pointer begins with '/', not '%.40s'", text);
        rlk_hint(err, "Write /%.80s.", text);
        return ROWLOCK_BAD_VALUE;
    }
    if (count_tokens(text) > RLK_POINTER_TOKENS)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "a JSON pointer has %d steps at most",
                        RLK_POINTER_TOKENS);
    return 0;
}

int
rlk_pointer_parse(const char *text, struct rlk_arena *arena,
                  struct rlk_pointer *ret, rowlock_error *err)
{
    RLK_TRY(check_form(text, err));
    struct rlk_pointer p = {.n = count_tokens(text)};
    p.text = rlk_arena_copy(arena, text, strlen(text));
    p.tokens = rlk_arena_alloc(arena, p.n, sizeof *p.tokens);
    if (!p.text || !p.tokens)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < p.n; i++) {
        p.tokens[i] = rlk_arena_alloc(arena, strlen(text) + 1, 1);
        if (!p.tokens[i])
            return rlk_out_of_memory(err);
        text = take_token(text + 1, p.tokens[i]);
        if (!text)
            return rlk_fail(err, ROWLOCK_BAD_VALUE,
                            "in a JSON pointer '~' is written ~0, '/' ~1");
    }
    *ret = p;
    return 0;
}

int
rlk_pointer_name(const char *name, struct rlk_arena *arena,
                 struct rlk_pointer *ret, rowlock_error *err)
{
    struct rlk_pointer p = {.n = 1};
    p.text = rlk_arena_copy(arena, name, strlen(name));
    p.tokens = rlk_arena_alloc(arena, 1, sizeof *p.tokens);
    if (!p.text || !p.tokens)
        return rlk_out_of_memory(err);
    p.tokens[0] = rlk_arena_copy(arena, name, strlen(name));
    *ret = p;
    return p.tokens[0] ? 0 : rlk_out_of_memory(err);
}

static const struct rlk_json *
find_member(const struct rlk_json *object, const char *name)
{
    const struct rlk_json *end = object + object->size;
    size_t len = strlen(name);
    for (const struct rlk_json *at = object + 1; at < end; at += at->size)
        if (at->key_len == len && memcmp(at->key, name, len) == 0)
            return at;
    return NULL;
}

static const struct rlk_json *
find_element(const struct rlk_json *list, const char *index)
{
    size_t n = 0;
    if (!index[0] || (index[0] == '0' && index[1]))
        return NULL;
    for (; *index; index++) {
        if (*index < '0' || *index > '9' || n > SIZE_MAX / 10 - 9)
            return NULL;
        n = n * 10 + (size_t)(*index - '0');
    }
    const struct rlk_json *end = list + list->size;
    for (const struct rlk_json *at = list + 1; at < end; at += at->size)
        if (n-- == 0)
            return at;
    return NULL;
}

bool
rlk_pointer_is_within(const struct rlk_pointer *p,
                      const struct rlk_pointer *outer)
{
    if (p->n < outer->n)
        return false;
    for (size_t i = 0; i < outer->n; i++)
        if (strcmp(p->tokens[i], outer->tokens[i]) != 0)
            return false;
    return true;
}

const struct rlk_json *
rlk_json_find(const struct rlk_json *root, const struct rlk_pointer *p)
{
    for (size_t i = 0; root && i < p->n; i++) {
        if (root->type == RLK_JSON_OBJECT)
            root = find_member(root, p->tokens[i]);
        else if (root->type == RLK_JSON_LIST)
            root = find_element(root, p->tokens[i]);
        else
            root = NULL;
    }
    return root;
}

const char *
rlk_json_type_name(enum rlk_json_type type)
{
    static const char *const names[] = {
        "null", "false", "true", "a number", "a text", "a list", "an object"};
    return names[type];
}
