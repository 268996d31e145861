/* SPDX-License-Identifier: MIT
 * Which format a source has: by its content type, else by the extension of its
 * name, with those of compression passed over. */
#include <string.h>
#include <strings.h>

#include "format.h"

const char *const rlk_format_names[] = {"",    "json", "ndjson",
                                        "csv", "tsv",  NULL};

struct name {
    const char *text;
    enum rlk_format format;
};

static const struct name types[] = {
    {"application/json", RLK_FORMAT_JSON},
    {"text/json", RLK_FORMAT_JSON},
    {"application/x-ndjson", RLK_FORMAT_NDJSON},
    {"application/ndjson", RLK_FORMAT_NDJSON},
    {"application/jsonl", RLK_FORMAT_NDJSON},
    {"application/x-jsonlines", RLK_FORMAT_NDJSON},
    {"application/jsonlines", RLK_FORMAT_NDJSON},
    {"text/csv", RLK_FORMAT_CSV},
    {"application/csv", RLK_FORMAT_CSV},
    {"text/tab-separated-values", RLK_FORMAT_TSV},
};

static const struct name extensions[] = {
    {"json", RLK_FORMAT_JSON},    {"geojson", RLK_FORMAT_JSON},
    {"jsonld", RLK_FORMAT_JSON},  {"ndjson", RLK_FORMAT_NDJSON},
    {"jsonl", RLK_FORMAT_NDJSON}, {"csv", RLK_FORMAT_CSV},
    {"tsv", RLK_FORMAT_TSV},      {"tab", RLK_FORMAT_TSV},
};

static enum rlk_format
look_up(const struct name *list, size_t n, const char *text, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i].text) == len &&
            strncasecmp(list[i].text, text, len) == 0)
            return list[i].format;
    return RLK_FORMAT_ANY;
}

enum rlk_format
rlk_format_of_type(const char *type)
{
    size_t len = strcspn(type, "; \t");
    if (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0)
        return RLK_FORMAT_JSON;
    return look_up(types, sizeof types / sizeof types[0], type, len);
}

static bool
ends_with(const char *name, size_t len, const char *extension)
{
    size_t n = strlen(extension);
    return len > n && strncasecmp(name + len - n, extension, n) == 0;
}

enum rlk_format
rlk_format_of_name(const char *url)
{
    size_t len = rlk_url_is_http(url) ? strcspn(url, "?#") : strlen(url);
    if (ends_with(url, len, ".gz"))
        len -= 3;
    else if (ends_with(url, len, ".zst"))
        len -= 4;
    size_t at = len;
    while (at && url[at - 1] != '.' && url[at - 1] != '/')
        at--;
    if (!at || url[at - 1] != '.')
        return RLK_FORMAT_ANY;
    return look_up(extensions, sizeof extensions / sizeof extensions[0],
                   url + at, len - at);
}
