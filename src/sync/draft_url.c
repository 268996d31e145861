/* SPDX-License-Identifier: MIT
 * The source's address in a draft. A key that was typed as part of it is not
 * written into the file: ${NAME} stands there, and the definition says so. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sync/drafting.h"

/* ---- what looks like a secret ---- */

static bool
looks_secret(const char *name, size_t len)
{
    static const char *const parts[] = {"token",     "secret",    "passw",
                                        "signature", "apikey",    "api_key",
                                        "api-key",   "credential"};
    static const char *const whole[] = {"key", "pwd", "pass", "auth",
                                        "sig", "jwt", "sid",  "session"};
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)len, name);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcasestr(copy, parts[i]))
            return true;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcasecmp(copy, whole[i]) == 0)
            return true;
    size_t n = strlen(copy);
    return n > 4 &&
           (strcasecmp(copy + n - 4, "_key") == 0 ||
            strcasecmp(copy + n - 4, "-key") == 0) &&
           !strcasestr(copy, "sort");
}

/* "api-key" is called API_KEY in the environment. */
static const char *
variable_for(struct rlk_drafting *g, const char *name, size_t len)
{
    struct rlk_buf RLK_AUTOBUF out = {0};
    if (!isalpha((unsigned char)name[0]))
        rlk_buf_text(&out, "SOURCE_");
    for (size_t i = 0; i < len && i < 40; i++)
        rlk_buf_char(&out, isalnum((unsigned char)name[i])
                               ? (char)toupper((unsigned char)name[i])
                               : '_');
    return out.failed ? NULL : rlk_arena_copy(&g->arena, out.ptr, out.len);
}

/* "name=value" of the query, with a secret's value taken out. */
static int
add_pair(struct rlk_drafting *g, struct rlk_buf *out, const char *pair,
         size_t len)
{
    const char *equals = memchr(pair, '=', len);
    size_t n = equals ? (size_t)(equals - pair) : len;
    if (!equals || n + 1 == len || !looks_secret(pair, n) ||
        memmem(pair, len, "${", 2)) {
        rlk_buf_add(out, pair, len);
        return 0;
    }
    const char *variable = variable_for(g, pair, n);
    char *value RLK_AUTOFREE = rlk_strndup(equals + 1, len - n - 1);
    if (!variable || !value || setenv(variable, value, 1))
        return rlk_out_of_memory(g->err);
    rlk_buf_format(out, "%.*s=${%s}", (int)n, pair, variable);
    rlk_buf_format(&g->remarks,
                   "the url's %.*s is not written here: set %s to it\n", (int)n,
                   pair, variable);
    return 0;
}

static int
hide_secrets(struct rlk_drafting *g, struct rlk_buf *out)
{
    const char *url = g->o->url, *at = url + strcspn(url, "?");
    rlk_buf_add(out, url, (size_t)(at - url));
    while (*at && *at != '#') {
        rlk_buf_char(out, *at++);
        size_t len = strcspn(at, "&#");
        RLK_TRY(add_pair(g, out, at, len));
        at += len;
    }
    return 0;
}

/* ---- names ---- */

/* The last part of the path, without its extensions, as a plain name. */
static const char *
name_of(struct rlk_drafting *g)
{
    const char *url = g->o->url, *start = url;
    bool http = rlk_url_is_http(url);
    size_t end = http ? strcspn(url, "?#") : strlen(url);
    struct rlk_buf RLK_AUTOBUF out = {0};
    while (end && url[end - 1] == '/')
        end--;
    const char *host = http ? strstr(url, "://") + 3 : url;
    for (const char *p = host; p < url + end; p++)
        if (*p == '/')
            start = p + 1;
    if (http && start == url)
        start = host;
    for (const char *p = start; p < url + end && *p != '.' && out.len < 40; p++)
        if (isalnum((unsigned char)*p))
            rlk_buf_char(&out, (char)tolower((unsigned char)*p));
        else if (out.len && out.ptr[out.len - 1] != '_')
            rlk_buf_char(&out, '_');
    while (out.len && out.ptr[out.len - 1] == '_')
        out.len--;
    if (!out.len || !isalpha((unsigned char)out.ptr[0]))
        return "import";
    return rlk_arena_copy(&g->arena, out.ptr, out.len);
}

/* A path is seen from the definition's folder: where that is another, it has to
 * be absolute. */
static char *
make_absolute(const char *path)
{
    char *full = realpath(path, NULL), *copy = full ? rlk_strdup(full) : NULL;
    free(full); /* realpath's own */
    return copy ? copy : rlk_strdup(path);
}

int
rlk_draft_url(struct rlk_drafting *g)
{
    struct rlk_buf RLK_AUTOBUF out = {0};
    bool http = rlk_url_is_http(g->o->url);
    if (http) {
        RLK_TRY(hide_secrets(g, &out));
    } else {
        char *path RLK_AUTOFREE = strchr(g->o->path, '/')
                                      ? make_absolute(g->o->url)
                                      : rlk_strdup(g->o->url);
        rlk_buf_text(&out, path ? path : "");
        out.failed = out.failed || !path;
    }
    g->url = out.failed ? NULL : rlk_arena_copy(&g->arena, out.ptr, out.len);
    g->name = g->o->table ? g->o->table->name : name_of(g);
    return g->url && g->name ? 0 : rlk_out_of_memory(g->err);
}

/* ---- secrets in what came back ---- */

static bool
repeats(const char *text, size_t len, const char *secret, size_t n)
{
    return n >= 4 && memmem(text, len, secret, n) != NULL;
}

/* What a reference in said stands for in the resolved text; NULL at the end. */
bool
rlk_draft_is_secret(const struct rlk_drafting *g, const char *text, size_t len)
{
    const struct rlk_definition *d = g->probe;
    const char *said = d->shown_url, *now = d->url.text, *mark;
    if (d->http.secret &&
        repeats(text, len, d->http.secret, strlen(d->http.secret)))
        return true;
    while (said && (mark = strstr(said, "${"))) {
        const char *behind = strchr(mark, '}') + 1;
        size_t plain = strcspn(behind, "$");
        now += mark - said;
        char *rest RLK_AUTOFREE = rlk_strndup(behind, plain);
        const char *end = rest && plain ? strstr(now, rest) : now + strlen(now);
        if (!end || repeats(text, len, now, (size_t)(end - now)))
            return true;
        now = end;
        said = behind;
    }
    return false;
}
