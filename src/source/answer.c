/* SPDX-License-Identifier: MIT
 * The lines of a header, of which the last answer's count: each answer on the
 * way through redirects begins with a status line. */
#include "answer.h"

#include <string.h>
#include <strings.h>

/* The value of the header name (with its colon); NULL: another header. */
static const char *
header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
    size_t n = strlen(name);
    if (len < n || strncasecmp(line, name, n) != 0)
        return NULL;
    const char *end = line + len;
    line += n;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    while (end > line && strchr(" \t\r\n", end[-1]))
        end--;
    *ret_len = (size_t)(end - line);
    return line;
}

static void
keep_value(char *to, size_t size, const char *value, size_t len)
{
    len = len < size ? len : size - 1;
    memcpy(to, value, len);
    to[len] = 0;
}

/* A header that is there several times is a list. false: it does not fit. */
static bool
add_value(char *to, size_t size, const char *value, size_t len)
{
    size_t used = strlen(to);
    if (used + len + 2 > size || memchr(value, 0, len))
        return false;
    if (used)
        to[used++] = ',';
    memcpy(to + used, value, len);
    to[used + len] = 0;
    return true;
}

/* A total that does not fit is no number. */
static void
take_total(const struct rlk_answer *a, struct rlk_body *b, const char *line,
           size_t len)
{
    size_t name = a->total ? strlen(a->total) : 0, n = 0;
    if (!name || len < name || strncasecmp(line, a->total, name) != 0)
        return;
    const char *value = header_value(line + name, len - name, ":", &n);
    if (value && (!n || !add_value(b->total, sizeof b->total, value, n)))
        keep_value(b->total, sizeof b->total, "?", 1);
}

static void
begin(struct rlk_answer *a, struct rlk_body *b, const char *line)
{
    memset(&a->validators, 0, sizeof a->validators);
    b->framed = strncmp(line, "HTTP/1", 6) != 0;
    b->type[0] = b->encoding[0] = b->link[0] = b->total[0] = 0;
    b->link_failed = false;
}

void
rlk_answer_take(struct rlk_answer *a, struct rlk_body *body, const char *line,
                size_t len)
{
    size_t n = 0;
    const char *value;
    take_total(a, body, line, len);
    if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
        begin(a, body, line);
    else if ((value = header_value(line, len, "link:", &n)))
        body->link_failed |=
            !add_value(body->link, sizeof body->link, value, n);
    else if ((value = header_value(line, len, "content-encoding:", &n)))
        keep_value(body->encoding, sizeof body->encoding, value, n);
    else if ((value = header_value(line, len, "content-type:", &n)))
        keep_value(body->type, sizeof body->type, value, n);
    else if (header_value(line, len, "content-length:", &n) ||
             header_value(line, len, "transfer-encoding:", &n))
        body->framed = true;
    else if ((value = header_value(line, len, "etag:", &n)))
        rlk_validators_etag(&a->validators, value, n);
    else if ((value = header_value(line, len, "last-modified:", &n)))
        rlk_validators_modified(&a->validators, value, n);
    else if ((value = header_value(line, len, "date:", &n)))
        rlk_validators_date(&a->validators, value, n);
}
