/* SPDX-License-Identifier: MIT
 * URLs as libpq reads them, and what of them may be shown. libpq takes the
 * text up to the first '@' before a '/' for user and password; which of the
 * parameters are secret its own list of them says.
 *
 * Invariant: a password never reaches a message, not even one that was written
 * in a way that libpq takes for something else. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "db/server.h"

static int
refuse(rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_MISUSE, "the database's URL cannot be read");
    rlk_hint(err, "Write postgresql://USER@HOST:PORT/DATABASE, with %%XX for "
                  "characters such as / and @ in a name or password.");
    return ROWLOCK_MISUSE;
}

/* ---- its parts ---- */

/* A ${...} of a definition, whatever it holds, is passed over as one. */
static const char *
find(const char *at, const char *stops)
{
    while (*at && !strchr(stops, *at)) {
        const char *end = strncmp(at, "${", 2) == 0 ? strpbrk(at, "}@") : NULL;
        at = end && *end == '}' ? end + 1 : at + 1;
    }
    return at;
}

struct parts { /* of a url, in order; each ends where the next begins */
    const char *user, *password, *host; /* with ':' and '@' before them */
    const char *query;                  /* with its '?' */
};

static struct parts
take_apart(const char *url)
{
    const char *scheme = strstr(url, "://");
    struct parts p = {.user = scheme ? scheme + 3 : url};
    const char *at = find(p.user, "@/");
    p.host = *at == '@' ? at : p.user;
    p.password = find(p.user, ":@/");
    if (p.password > p.host)
        p.password = p.host;
    p.query = find(p.host, "?");
    return p;
}

/* A second '@': the first belonged to a password, whose rest libpq would take
 * for the host, and tell. */
static bool
is_ambiguous(const char *url)
{
    struct parts p = take_apart(url);
    const char *at = memchr(p.host, '@', (size_t)(p.query - p.host));
    return at && (at > p.host ||
                  memchr(at + 1, '@', (size_t)(p.query - at - 1)) != NULL);
}

int
rlk_pg_check_url(const struct rlk_libpq *pq, const char *url,
                 rowlock_error *err)
{
    char *why = NULL;
    PQconninfoOption *options = pq->PQconninfoParse(url, &why);
    bool good = options && !is_ambiguous(url);
    pq->PQconninfoFree(options);
    pq->PQfreemem(why); /* may repeat the password */
    return good ? 0 : refuse(err);
}

/* ---- without secrets ---- */

/* One ${...} and nothing else: a name, and no secret. */
static bool
is_reference(const char *text, size_t len)
{
    return len > 3 && strncmp(text, "${", 2) == 0 &&
           memchr(text, '}', len) == text + len - 1;
}

/* A parameter's name may have %XX in it. */
static char *
decode(const char *text, size_t len)
{
    char *out = rlk_strndup(text, len), *to = out;
    for (size_t i = 0; out && i < len; i++) {
        bool coded = text[i] == '%' && i + 2 < len &&
                     isxdigit((unsigned char)text[i + 1]) &&
                     isxdigit((unsigned char)text[i + 2]);
        char digits[3] = {coded ? text[i + 1] : '0', coded ? text[i + 2] : '0',
                          0};
        *to++ = coded ? (char)strtol(digits, NULL, 16) : text[i];
        i += coded ? 2 : 0;
    }
    if (out)
        *to = 0;
    return out;
}

/* As libpq says: options that are shown as "*". */
static bool
is_secret(const PQconninfoOption *known, const char *name)
{
    for (; known->keyword; known++)
        if (strcmp(known->keyword, name) == 0)
            return known->dispchar && known->dispchar[0] == '*';
    return false;
}

static void
add_parameters(struct rlk_buf *out, const char *query,
               const PQconninfoOption *known, bool *ret_left_out)
{
    char between = '?';
    while (*query) {
        const char *pair = query + 1, *end = find(pair, "&");
        const char *equals = memchr(pair, '=', (size_t)(end - pair));
        const char *value = equals ? equals + 1 : end;
        char *name RLK_AUTOFREE =
            decode(pair, (size_t)((equals ? equals : end) - pair));
        query = end;
        out->failed = out->failed || !name;
        if (name && is_secret(known, name) &&
            !is_reference(value, (size_t)(end - value))) {
            *ret_left_out = true;
            continue;
        }
        rlk_buf_char(out, between);
        rlk_buf_add(out, pair, (size_t)(end - pair));
        between = '&';
    }
}

static int
write_public(const char *url, const PQconninfoOption *known, char **ret,
             bool *ret_left_out, rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF out = {0};
    struct parts p = take_apart(url);
    size_t secret = (size_t)(p.host - p.password);
    bool stays = secret < 2 || is_reference(p.password + 1, secret - 1);
    *ret_left_out = !stays;
    rlk_buf_add(&out, url, (size_t)((stays ? p.host : p.password) - url));
    rlk_buf_add(&out, p.host, (size_t)(p.query - p.host));
    add_parameters(&out, p.query, known, ret_left_out);
    *ret = out.failed ? NULL : rlk_strdup(out.ptr);
    return *ret ? 0 : rlk_out_of_memory(err);
}

int
rlk_postgres_public_url(const char *url, char **ret, bool *ret_left_out,
                        rowlock_error *err)
{
    const struct rlk_libpq *pq;
    RLK_TRY(rlk_libpq_load(&pq, err));
    PQconninfoOption *known = pq->PQconninfoParse("", NULL);
    if (!known)
        return rlk_out_of_memory(err);
    int rc = write_public(url, known, ret, ret_left_out, err);
    pq->PQconninfoFree(known);
    return rc;
}
