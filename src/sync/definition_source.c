/* SPDX-License-Identifier: MIT
 * What the table of keys cannot say of the section source: what ${NAME} and
 * ${file:PATH} stand for, and how we prove who we are. Invariant: what they
 * stand for is in no message; the url is told as it was said. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "sync/definition_read.h"

enum { LONGEST_SECRET = 16 * 1024 };

/* ---- ${NAME} and ${file:PATH} ---- */

static int
add_file(struct rlk_reading *r, const struct rlk_said *said, const char *name,
         struct rlk_buf *out)
{
    char bytes[LONGEST_SECRET];
    const char *path;
    RLK_TRY(rlk_read_path(r, "", name, &path));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "could not read '%.80s': %s", path, strerror(why));
    if ((size_t)n == sizeof bytes)
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "'%.80s' is too long", path);
    while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    rlk_buf_add(out, bytes, (size_t)n);
    explicit_bzero(bytes, sizeof bytes);
    return 0;
}

static int
add_variable(struct rlk_reading *r, const struct rlk_said *said,
             const char *name, struct rlk_buf *out)
{
    const char *value = name[0] ? getenv(name) : NULL;
    if (!value || !value[0])
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "the environment has no value for '%.60s'", name);
    rlk_buf_text(out, value);
    return 0;
}

/* at: behind "${". */
static int
add_reference(struct rlk_reading *r, const struct rlk_said *said,
              const char *at, size_t len, struct rlk_buf *out)
{
    char *name RLK_AUTOFREE = rlk_strndup(at, len);
    if (!name)
        return rlk_out_of_memory(r->err);
    if (strncmp(name, "file:", 5) == 0)
        return add_file(r, said, name + 5, out);
    return add_variable(r, said, name, out);
}

/* *ret_shown (NULL allowed) is what was said, if something else stands there
 * now. */
static int
read_references(struct rlk_reading *r, struct rlk_said *said,
                const char **ret_shown)
{
    struct rlk_buf RLK_AUTOBUF out = {0};
    const char *at = said->text, *mark;
    while ((mark = strstr(at, "${"))) {
        const char *end = strchr(mark, '}');
        if (!end)
            return rlk_yaml_fail(r->d->path, said->at, r->err,
                                 "'${' without a '}'");
        rlk_buf_add(&out, at, (size_t)(mark - at));
        RLK_TRY(
            add_reference(r, said, mark + 2, (size_t)(end - mark - 2), &out));
        at = end + 1;
    }
    if (at == said->text)
        return 0;
    rlk_buf_text(&out, at);
    if (out.failed)
        return rlk_out_of_memory(r->err);
    if (strlen(out.ptr) != out.len)
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "what a '${...}' stands for has a NUL");
    if (ret_shown)
        *ret_shown = said->text;
    said->text = rlk_arena_copy(&r->d->arena, out.ptr, out.len);
    explicit_bzero(out.ptr, out.len);
    return said->text ? 0 : rlk_out_of_memory(r->err);
}

/* ---- auth ---- */

static void
add_base64(struct rlk_buf *out, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < len ? (unsigned char)text[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            rlk_buf_char(out,
                         i + j > len ? '=' : digits[bits >> (18 - 6 * j) & 63]);
    }
}

/* What would end the header, or begin another. */
static int
check_plain(struct rlk_reading *r, const struct rlk_said *said)
{
    for (const char *at = said->text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            return rlk_yaml_fail(r->d->path, said->at, r->err,
                                 "a control character, which no header may "
                                 "hold");
    return 0;
}

int
rlk_check_header_name(struct rlk_reading *r, const struct rlk_said *said)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789-_";
    if (said->text[strspn(said->text, allowed)])
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "'%.60s' is no name of a header", said->text);
    return 0;
}

static int
make_auth(struct rlk_reading *r, const struct rlk_said_auth *a)
{
    struct rlk_buf RLK_AUTOBUF line = {0};
    struct rlk_buf RLK_AUTOBUF pair = {0};
    struct rlk_http_options *http = &r->d->http;
    if (a->bearer.text) {
        rlk_buf_format(&line, "Authorization: Bearer %s", a->bearer.text);
        http->secret = a->bearer.text;
    } else if (a->header.text) {
        rlk_buf_format(&line, "%s: %s", a->header.text, a->value.text);
        http->secret = a->value.text;
    } else {
        rlk_buf_format(&pair, "%s:%s", a->user.text, a->password.text);
        rlk_buf_text(&line, "Authorization: Basic ");
        add_base64(&line, pair.ptr ? pair.ptr : "");
        http->secret = a->password.text;
    }
    if (line.failed || pair.failed)
        return rlk_out_of_memory(r->err);
    http->auth = rlk_arena_copy(&r->d->arena, line.ptr, line.len);
    return http->auth ? 0 : rlk_out_of_memory(r->err);
}

static int
check_auth(struct rlk_reading *r, const struct rlk_said_auth *a)
{
    int n = !!a->bearer.text + !!a->user.text + !!a->header.text;
    if (n != 1)
        return rlk_yaml_fail(r->d->path, a->node->at, r->err,
                             "auth is one of bearer, basic and api_key");
    if (a->user.text && strchr(a->user.text, ':'))
        return rlk_yaml_fail(r->d->path, a->user.at, r->err,
                             "a user may hold no ':'");
    return a->header.text ? rlk_check_header_name(r, &a->header) : 0;
}

static int
read_auth(struct rlk_reading *r)
{
    struct rlk_said_auth *a = &r->d->said_auth;
    struct rlk_said *all[] = {&a->bearer, &a->user, &a->password, &a->header,
                              &a->value};
    if (!a->node)
        return 0;
    RLK_TRY(rlk_read_section(r, a->node, "auth", r->d));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!all[i]->text)
            continue;
        RLK_TRY(read_references(r, all[i], NULL));
        RLK_TRY(check_plain(r, all[i]));
    }
    RLK_TRY(check_auth(r, a));
    return make_auth(r, a);
}

/* ---- the section ---- */

static int
check_format(struct rlk_reading *r)
{
    struct rlk_definition *d = r->d;
    enum rlk_format format = (enum rlk_format)d->format;
    if (!format)
        format = rlk_format_of_name(d->url.text);
    d->tabular = format >= RLK_FORMAT_CSV;
    if (d->format && d->format != RLK_FORMAT_JSON && d->has_records)
        return rlk_yaml_fail(d->path, d->url.at, r->err,
                             "'records' is a pointer into JSON, but the format "
                             "is %s",
                             rlk_format_names[d->format]);
    return 0;
}

int
rlk_read_source(struct rlk_reading *r)
{
    struct rlk_definition *d = r->d;
    RLK_TRY(read_references(r, &d->database, &d->shown_database));
    RLK_TRY(read_references(r, &d->url, &d->shown_url));
    RLK_TRY(rlk_read_preset(r));
    RLK_TRY(rlk_read_http(r));
    RLK_TRY(read_auth(r));
    return check_format(r);
}
