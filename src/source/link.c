/* SPDX-License-Identifier: MIT
 * The header Link (RFC 8288), of which only rel="next" is of interest. Commas
 * and semicolons within quotes or angle brackets are text. */
#include <string.h>
#include <strings.h>

#include "pages.h"

/* Behind a quoted text that begins at at; NULL: it has no end. */
static const char *
skip_quoted(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : NULL;
}

static bool
has_word(const char *at, size_t len, const char *word)
{
    const char *end = at + len;
    while (at < end) {
        size_t n = 0;
        while (at + n < end && at[n] != ' ' && at[n] != '"')
            n++;
        if (n == strlen(word) && strncasecmp(at, word, n) == 0)
            return true;
        at += n ? n : 1;
    }
    return false;
}

/* The parameters of one link, up to its comma or the end. *ret_next: it is the
 * next page of this one. NULL: they cannot be read. */
static const char *
read_parameters(const char *at, bool *ret_next)
{
    bool next = false, elsewhere = false, rel_seen = false;
    while (*at && *at != ',') {
        at += strspn(at, "; \t");
        size_t name = strcspn(at, "=;, \t");
        const char *value = at + name + strspn(at + name, " \t");
        if (*value == '=') {
            value++;
            value += strspn(value, " \t");
        }
        const char *end = *value == '"' ? skip_quoted(value)
                                        : value + strcspn(value, ";, \t");
        if (!end)
            return NULL;
        if (name == 3 && strncasecmp(at, "rel", 3) == 0 && !rel_seen) {
            rel_seen = true;
            next = has_word(value, (size_t)(end - value), "next");
        }
        elsewhere |= name == 6 && strncasecmp(at, "anchor", 6) == 0;
        at = end + strspn(end, " \t");
        if (*at && *at != ';' && *at != ',')
            return NULL;
    }
    *ret_next = next && !elsewhere;
    return at;
}

bool
rlk_link_next(const char *header, const char **ret, size_t *ret_len)
{
    *ret = NULL;
    const char *at = header + strspn(header, ", \t");
    while (*at) {
        const char *end = *at == '<' ? strchr(at, '>') : NULL;
        bool next = false;
        const char *uri = at + 1;
        if (!end || !(at = read_parameters(end + 1, &next)))
            return false;
        if (next && !*ret) {
            *ret = uri;
            *ret_len = (size_t)(end - uri);
        }
        at += strspn(at, ", \t");
    }
    return true;
}
