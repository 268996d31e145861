/* SPDX-License-Identifier: MIT
 * Django: normalize NFKD, encode to ASCII dropping the rest, lower(), remove
 * [^\w\s-], then [-\s]+ to "-", then strip("-_"). Compared with Django itself
 * in tests/cli. */
#include "sync/slugify.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

static bool
is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

static bool
is_gap(char c)
{
    return c == '-' || c == ' ' || (c >= 0x09 && c <= 0x0D) ||
           (c >= 0x1C && c <= 0x1F);
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* text to slug, which has room for len + 1 bytes; answers the length. What is
 * neither word nor gap vanishes before gaps are joined. */
static size_t
keep_words(const char *text, size_t len, char *slug)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i];
        if (is_word(c))
            slug[n++] = c;
        else if (is_gap(c) && !(n && slug[n - 1] == '-'))
            slug[n++] = '-';
    }
    return n;
}

static char *
strip_ends(char *slug, size_t len)
{
    while (len && (slug[len - 1] == '-' || slug[len - 1] == '_'))
        len--;
    slug[len] = 0;
    return slug + strspn(slug, "-_");
}

char *
rlk_slugify(const char *text, size_t len, struct rlk_arena *arena)
{
    utf8proc_uint8_t *decomposed = NULL;
    if (!is_ascii(text, len)) {
        utf8proc_ssize_t n = utf8proc_map(
            (const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &decomposed,
            UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
        if (n < 0)
            return NULL;
        text = (const char *)decomposed;
        len = (size_t)n;
    }
    char *slug = rlk_arena_alloc(arena, len + 1, 1);
    if (slug)
        slug = strip_ends(slug, keep_words(text, len, slug));
    free(decomposed);
    return slug;
}
