/* SPDX-License-Identifier: MIT
 * What of the section source says how a server is asked: timeout, retries,
 * limits, certificates. All but limits.body is refused for a file, where it
 * would mean nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "sync/definition_read.h"

enum {
    USUAL_RETRIES = 4,
    USUAL_RETRY_MS = 500,
    MOST_RETRIES = 20,
    LONGEST_RETRY_MS = 30000
};

/* ---- scalars ---- */

static int
read_time(struct rlk_reading *r, const struct rlk_said *said, int32_t *ret)
{
    if (!said->text)
        return 0;
    if (!rlk_duration_parse(said->text, ret) || *ret == 0)
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "a duration such as 30s was expected, not '%.60s'",
                             said->text);
    return 0;
}

/* Digits only, most at most; *ret_end (NULL: must be the text's end) is behind
 * them. */
static bool
parse_number(const char *text, uint64_t most, uint64_t *ret,
             const char **ret_end)
{
    uint64_t n = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && n <= most; at++)
        n = n * 10 + (uint64_t)(*at - '0');
    if (at == text || n > most || (!ret_end && *at))
        return false;
    *ret = n;
    if (ret_end)
        *ret_end = at;
    return true;
}

static bool
parse_size(const char *text, uint64_t *ret)
{
    static const struct unit {
        const char *name;
        uint64_t bytes;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"KB", 1000},
                 {"KiB", 1 << 10},
                 {"MB", 1000 * 1000},
                 {"MiB", 1 << 20},
                 {"GB", 1000 * 1000 * 1000},
                 {"GiB", 1 << 30}};
    const uint64_t most = UINT64_C(1) << 50;
    uint64_t n;
    const char *unit;
    if (!parse_number(text, most, &n, &unit) || n == 0)
        return false;
    unit += *unit == ' ';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].name, unit) == 0 && n <= most / units[i].bytes) {
            *ret = n * units[i].bytes;
            return true;
        }
    return false;
}

/* ---- retries and limits ---- */

static int
read_times(struct rlk_reading *r, const struct rlk_said *said)
{
    uint64_t n = USUAL_RETRIES;
    if (said->text && !parse_number(said->text, MOST_RETRIES, &n, NULL))
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "a number from 0 to %d was expected, not '%.60s'",
                             MOST_RETRIES, said->text);
    r->d->http.retries = (int32_t)n;
    return 0;
}

static int
read_retries(struct rlk_reading *r)
{
    struct rlk_said_http *said = &r->d->said_http;
    int32_t *wait = &r->d->http.retry_ms;
    *wait = USUAL_RETRY_MS;
    if (said->retries && said->retries->kind == RLK_YAML_MAP)
        RLK_TRY(rlk_read_section(r, said->retries, "retries", r->d));
    else if (said->retries)
        RLK_TRY(rlk_read_said(r, said->retries, &said->times));
    RLK_TRY(read_times(r, &said->times));
    RLK_TRY(read_time(r, &said->wait, wait));
    if (*wait > LONGEST_RETRY_MS)
        return rlk_yaml_fail(r->d->path, said->wait.at, r->err,
                             "a wait is 30s at most");
    return 0;
}

static int
read_limits(struct rlk_reading *r)
{
    const struct rlk_said *body = &r->d->said_http.body;
    if (body->text && !parse_size(body->text, &r->d->body_bytes))
        return rlk_yaml_fail(r->d->path, body->at, r->err,
                             "a size such as 64MiB was expected, not '%.60s'",
                             body->text);
    return read_time(r, &r->d->said_http.time, &r->d->time_ms);
}

void
rlk_definition_limit(const struct rlk_definition *d,
                     struct rlk_source_limits *limits)
{
    if (d->timeout_ms)
        limits->connect_ms = limits->stall_ms = d->timeout_ms;
    if (d->time_ms)
        limits->time_ms = d->time_ms;
    if (d->body_bytes)
        limits->body_bytes = d->body_bytes;
}

/* ---- pages ---- */

static int
read_count(struct rlk_reading *r, const struct rlk_said *said, uint64_t *ret)
{
    if (said->text && !parse_number(said->text, 1000000000, ret, NULL))
        return rlk_yaml_fail(r->d->path, said->at, r->err,
                             "a number was expected, not '%.60s'", said->text);
    return 0;
}

/* What one way to the next page needs, and what would mean nothing for it. */
static int
check_pages(struct rlk_reading *r)
{
    const struct rlk_said_http *said = &r->d->said_http;
    int by = r->d->pages.by;
    bool counts = by == RLK_PAGES_PAGE || by == RLK_PAGES_OFFSET;
    bool told = by == RLK_PAGES_NEXT || by == RLK_PAGES_CURSOR;
    const struct {
        const char *key;
        bool said, allowed, needed;
    } keys[] = {
        {"param", said->param.text != NULL, counts || by == RLK_PAGES_CURSOR,
         true},
        {"start", said->start.text != NULL, counts, false},
        {"size_param", said->size_param.text != NULL, counts,
         said->size.text != NULL},
        {"size", said->size.text != NULL, counts,
         said->size_param.text != NULL},
        {"at", r->d->pages.at.text != NULL, told, true},
        {"absent", r->d->pages.absent_end, told, false},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].said && !keys[i].allowed)
            return RLK_WRONG(r, said->pages, "this way has no use for '%s'",
                             keys[i].key);
        if (!keys[i].said && keys[i].allowed && keys[i].needed)
            return RLK_WRONG(r, said->pages, "key '%s' is missing",
                             keys[i].key);
    }
    return 0;
}

/* A pointer into the records would never be found. */
static int
check_beside(struct rlk_reading *r, const char *key,
             const struct rlk_pointer *at)
{
    const struct rlk_definition *d = r->d;
    if (at->text &&
        (!at->n || (d->has_records && rlk_pointer_is_within(at, &d->records))))
        return RLK_WRONG(r, d->said_http.pages,
                         "'%s' must point beside the records", key);
    return 0;
}

/* A pointer into the body, or else the name of a header. */
static int
read_total(struct rlk_reading *r)
{
    const struct rlk_said *said = &r->d->said_http.total;
    struct rlk_pages *p = &r->d->pages;
    rowlock_error why = {0};
    if (!said->text)
        return 0;
    if (said->text[0] != '/') {
        p->total_header = said->text;
        return rlk_check_header_name(r, said);
    }
    int rc = rlk_pointer_parse(said->text, &r->d->arena, &p->total, &why);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(r->err);
    if (rc)
        return rlk_yaml_fail(r->d->path, said->at, r->err, "%s", why.message);
    return check_beside(r, "total", &p->total);
}

static int
read_pages(struct rlk_reading *r)
{
    struct rlk_said_http *said = &r->d->said_http;
    struct rlk_pages *p = &r->d->pages;
    if (!said->pages)
        return 0;
    r->d->has_pages = true;
    RLK_TRY(rlk_read_section(r, said->pages, "pages", r->d));
    RLK_TRY(check_pages(r));
    RLK_TRY(check_beside(r, "at", &p->at));
    RLK_TRY(read_total(r));
    p->param = said->param.text;
    p->size_param = said->size_param.text;
    p->start = p->by == RLK_PAGES_PAGE ? 1 : 0;
    RLK_TRY(read_count(r, &said->start, &p->start));
    RLK_TRY(read_count(r, &said->size, &p->size));
    if (p->param && p->size_param && strcmp(p->param, p->size_param) == 0)
        return RLK_WRONG(r, said->pages, "'param' and 'size_param' are one");
    return 0;
}

/* ---- all ---- */

static int
check_http(struct rlk_reading *r)
{
    const struct rlk_definition *d = r->d;
    const struct rlk_said_http *said = &d->said_http;
    const struct rlk_yaml *auth = d->said_auth.node;
    const struct {
        const char *key;
        const struct rlk_spot *at;
    } keys[] = {
        {"auth", auth ? &auth->at : NULL},
        {"ca", d->ca.text ? &d->ca.at : NULL},
        {"timeout", d->timeout.text ? &d->timeout.at : NULL},
        {"retries", said->retries ? &said->retries->at : NULL},
        {"preset", d->preset.text ? &d->preset.at : NULL},
        {"pages", said->pages ? &said->pages->at : NULL},
        {"limits.time", said->time.text ? &said->time.at : NULL},
    };
    if (rlk_url_is_http(d->url.text))
        return 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].at)
            return rlk_yaml_fail(d->path, *keys[i].at, r->err,
                                 "'%s' is for http:// and https:// only",
                                 keys[i].key);
    return 0;
}

int
rlk_read_http(struct rlk_reading *r)
{
    struct rlk_definition *d = r->d;
    RLK_TRY(check_http(r));
    RLK_TRY(read_time(r, &d->timeout, &d->timeout_ms));
    RLK_TRY(read_retries(r));
    RLK_TRY(read_limits(r));
    RLK_TRY(read_pages(r));
    return d->ca.text ? rlk_read_path(r, "", d->ca.text, &d->http.ca) : 0;
}
