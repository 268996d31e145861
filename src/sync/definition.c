/* SPDX-License-Identifier: MIT
 * The schema of a definition is the table below: section, key, kind, where it
 * goes. What is not in it is an error, so that no misspelt or future key is
 * silently passed over. To add a key: a row here, a line in
 * docs/definition.md. Next: definition_source.c,
 * definition_preset.c, definition_http.c, definition_fields.c. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/text.h"
#include "sync/definition_read.h"

enum kind { SAID, FLAG, POINTER, CHOICE, DURATION, SECTION, TREE };

enum { USUAL_WAIT_MS = 5000, USUAL_TOTAL_MS = 60000 };

static const char *const modes[] = {"update", "create_only", "fill", NULL};
static const char *const types[] = {"",        "text",      "integer", "real",
                                    "boolean", "timestamp", "json",    "uuid",
                                    "blob",    NULL};

static const char *const disagreements[] = {"report", "first", "rekey", NULL};
static const char *const occasions[] = {"", "change", NULL};
static const char *const escapes[] = {"", "html", NULL};
static const char *const empties[] = {"", "null", NULL};
/* By enum rlk_pages_by. */
static const char *const ways[] = {"link",   "page",   "next",
                                   "offset", "cursor", NULL};
static const char *const absences[] = {"", "end", NULL};
static const char *const durabilities[] = {"flush", "relaxed", NULL};
static const char *const paces[] = {"polite", "full", NULL};

static const struct rule {
    const char *section, *key;
    enum kind kind;
    bool required;
    size_t offset;
    const char *const *choices;
} rules[] = {
#define TOP(member)   offsetof(struct rlk_definition, member), NULL
#define FIELD(member) offsetof(struct rlk_field, member)
    {"", "sync", SAID, true, TOP(name)},
    {"", "target", SECTION, true, 0, NULL},
    {"target", "database", SAID, true, TOP(database)},
    {"target", "table", SAID, true, TOP(table)},
    {"target", "create_table", FLAG, false, TOP(create_table)},
    {"", "source", SECTION, true, 0, NULL},
    {"source", "url", SAID, true, TOP(url)},
    {"source", "format", CHOICE, false, offsetof(struct rlk_definition, format),
     rlk_format_names},
    {"source", "preset", SAID, false, TOP(preset)},
    {"source", "auth", TREE, false, TOP(said_auth.node)},
    {"auth", "bearer", SAID, false, TOP(said_auth.bearer)},
    {"auth", "basic", SECTION, false, 0, NULL},
    {"basic", "user", SAID, true, TOP(said_auth.user)},
    {"basic", "password", SAID, true, TOP(said_auth.password)},
    {"auth", "api_key", SECTION, false, 0, NULL},
    {"api_key", "header", SAID, true, TOP(said_auth.header)},
    {"api_key", "value", SAID, true, TOP(said_auth.value)},
    {"source", "ca", SAID, false, TOP(ca)},
    {"source", "timeout", SAID, false, TOP(timeout)},
    {"source", "retries", TREE, false, TOP(said_http.retries)},
    {"retries", "times", SAID, false, TOP(said_http.times)},
    {"retries", "wait", SAID, false, TOP(said_http.wait)},
    {"source", "limits", SECTION, false, 0, NULL},
    {"limits", "body", SAID, false, TOP(said_http.body)},
    {"limits", "time", SAID, false, TOP(said_http.time)},
    {"source", "pages", TREE, false, TOP(said_http.pages)},
    {"pages", "by", CHOICE, true, offsetof(struct rlk_definition, pages.by),
     ways},
    {"pages", "param", SAID, false, TOP(said_http.param)},
    {"pages", "start", SAID, false, TOP(said_http.start)},
    {"pages", "size_param", SAID, false, TOP(said_http.size_param)},
    {"pages", "size", SAID, false, TOP(said_http.size)},
    {"pages", "at", POINTER, false, TOP(pages.at)},
    {"pages", "absent", CHOICE, false,
     offsetof(struct rlk_definition, pages.absent_end), absences},
    {"pages", "total", SAID, false, TOP(said_http.total)},
    {"source", "records", POINTER, false, TOP(records)},
    {"", "match", TREE, true, TOP(said_match)},
    {"match", "keys", TREE, true, TOP(said_match)},
    {"match", "on_disagree", CHOICE, false,
     offsetof(struct rlk_definition, on_disagree), disagreements},
    {"", "locks", SECTION, false, 0, NULL},
    {"locks", "wait", DURATION, false, TOP(wait_ms)},
    {"locks", "total", DURATION, false, TOP(total_ms)},
    {"", "durability", CHOICE, false,
     offsetof(struct rlk_definition, durability), durabilities},
    {"", "pace", CHOICE, false, offsetof(struct rlk_definition, pace), paces},
    {"", "fields", TREE, true, TOP(said_fields)},
    {"field", "from", POINTER, false, FIELD(from), NULL},
    {"field", "value", TREE, false, FIELD(said_value), NULL},
    {"field", "on", CHOICE, false, FIELD(on_change), occasions},
    {"field", "empty", CHOICE, false, FIELD(empty_null), empties},
    {"field", "unescape", CHOICE, false, FIELD(unescape_html), escapes},
    {"field", "lower", FLAG, false, FIELD(lower), NULL},
    {"field", "strip", FLAG, false, FIELD(strip), NULL},
    {"field", "slugify", FLAG, false, FIELD(slugify), NULL},
    {"field", "mode", CHOICE, false, FIELD(mode), modes},
    {"field", "type", CHOICE, false, FIELD(type), types},
    {"field", "default", TREE, false, FIELD(said_default), NULL},
};
enum { RULES = sizeof rules / sizeof rules[0] };

const char *
rlk_field_type_name(enum rlk_field_type type)
{
    return types[type == RLK_FIELD_ANY ? RLK_FIELD_TEXT : type];
}

/* ---- scalars ---- */

int
rlk_read_said(struct rlk_reading *r, const struct rlk_yaml *node,
              struct rlk_said *ret)
{
    if (node->kind != RLK_YAML_SCALAR)
        return RLK_WRONG(r, node, "a text was expected, not a %s",
                         node->kind == RLK_YAML_LIST ? "list" : "map");
    if (!node->text[0])
        return RLK_WRONG(r, node, "a text was expected, but it is empty");
    *ret = (struct rlk_said){node->text, node->at};
    return 0;
}

static int
read_flag(struct rlk_reading *r, const struct rlk_yaml *node, bool *ret)
{
    struct rlk_said said = {0};
    RLK_TRY(rlk_read_said(r, node, &said));
    bool yes = node->plain && strcmp(said.text, "true") == 0;
    if (!yes && !(node->plain && strcmp(said.text, "false") == 0))
        return RLK_WRONG(r, node, "true or false was expected, not '%.60s'",
                         said.text);
    *ret = yes;
    return 0;
}

int
rlk_read_pointer(struct rlk_reading *r, const struct rlk_yaml *node,
                 struct rlk_pointer *ret)
{
    rowlock_error why = {0};
    if (node->kind != RLK_YAML_SCALAR || (node->plain && !node->text[0]))
        return RLK_WRONG(r, node, "a JSON pointer such as /name was expected");
    bool name = r->d->tabular && node->text[0] && node->text[0] != '/';
    int rc = name ? rlk_pointer_name(node->text, &r->d->arena, ret, &why)
                  : rlk_pointer_parse(node->text, &r->d->arena, ret, &why);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(r->err);
    if (rc) {
        RLK_WRONG(r, node, "%s", why.message);
        rlk_hint(r->err, "%s", why.hint);
    }
    return rc;
}

static int
read_choice(struct rlk_reading *r, const struct rlk_yaml *node,
            const char *const *choices, int *ret)
{
    struct rlk_said said = {0};
    struct rlk_buf RLK_AUTOBUF list = {0};
    RLK_TRY(rlk_read_said(r, node, &said));
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], said.text) == 0) {
            *ret = i;
            return 0;
        }
        if (choices[i][0])
            rlk_buf_format(&list, "%s%s", list.len ? ", " : "", choices[i]);
    }
    return RLK_WRONG(r, node, "'%.60s' is none of: %s", said.text,
                     list.ptr ? list.ptr : "");
}

static int
read_duration(struct rlk_reading *r, const struct rlk_yaml *node, int32_t *ret)
{
    struct rlk_said said = {0};
    RLK_TRY(rlk_read_said(r, node, &said));
    if (!rlk_duration_parse(said.text, ret))
        return RLK_WRONG(r, node, "'%.60s' is no duration, such as 5s or 2m",
                         said.text);
    if (*ret == 0)
        *ret = -1;
    return 0;
}

/* ---- sections ---- */

static const struct rule *
find_rule(const char *section, const char *key)
{
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].section, section) == 0 &&
            strcmp(rules[i].key, key) == 0)
            return &rules[i];
    return NULL;
}

static int
unknown_key(struct rlk_reading *r, const struct rlk_yaml *node,
            const char *section)
{
    const char *keys[RULES + 1];
    size_t n = 0;
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].section, section) == 0)
            keys[n++] = rules[i].key;
    keys[n] = NULL;
    const char *meant = rlk_nearest(node->name, keys);
    return rlk_yaml_fail(r->d->path, node->name_at, r->err,
                         "unknown key '%.60s'%s%s%s", node->name,
                         meant ? " (did you mean '" : "", meant ? meant : "",
                         meant ? "'?)" : "");
}

static int
read_rule(struct rlk_reading *r, const struct rule *rule,
          const struct rlk_yaml *node, void *base)
{
    void *to = (char *)base + rule->offset;
    switch (rule->kind) {
    case SAID:
        return rlk_read_said(r, node, to);
    case FLAG:
        return read_flag(r, node, to);
    case POINTER:
        return rlk_read_pointer(r, node, to);
    case CHOICE:
        return read_choice(r, node, rule->choices, to);
    case DURATION:
        return read_duration(r, node, to);
    case SECTION:
        return rlk_read_section(r, node, rule->key, base);
    case TREE:
        *(const struct rlk_yaml **)to = node;
        return 0;
    }
    return 0;
}

static const struct rlk_yaml *
find_child(const struct rlk_yaml *map, const char *name)
{
    const struct rlk_yaml *at = map->first;
    while (at && strcmp(at->name, name) != 0)
        at = at->next;
    return at;
}

static int
check_required(struct rlk_reading *r, const struct rlk_yaml *map,
               const char *section)
{
    for (size_t i = 0; i < RULES; i++)
        if (rules[i].required && strcmp(rules[i].section, section) == 0 &&
            !find_child(map, rules[i].key))
            return RLK_WRONG(r, map, "key '%s' is missing", rules[i].key);
    return 0;
}

int
rlk_read_section(struct rlk_reading *r, const struct rlk_yaml *map,
                 const char *section, void *base)
{
    if (map->kind != RLK_YAML_MAP)
        return RLK_WRONG(r, map, "a map of keys was expected here");
    for (const struct rlk_yaml *at = map->first; at; at = at->next) {
        const struct rule *rule = find_rule(section, at->name);
        if (!rule)
            return unknown_key(r, at, section);
        RLK_TRY(read_rule(r, rule, at, base));
    }
    return check_required(r, map, section);
}

/* ---- the whole ---- */

int
rlk_read_path(struct rlk_reading *r, const char *prefix, const char *path,
              const char **ret)
{
    struct rlk_buf RLK_AUTOBUF buf = {0};
    const char *slash = strrchr(r->d->path, '/');
    rlk_buf_text(&buf, prefix);
    if (path[0] != '/' && slash)
        rlk_buf_add(&buf, r->d->path, (size_t)(slash + 1 - r->d->path));
    rlk_buf_text(&buf, path);
    *ret = buf.failed ? NULL : rlk_arena_copy(&r->d->arena, buf.ptr, buf.len);
    return *ret ? 0 : rlk_out_of_memory(r->err);
}

static const char *
shown(const char *as_said, const struct rlk_said *said)
{
    return as_said ? as_said : said->text;
}

/* As front/open.c has drivers for. */
static bool
is_server(const char *database)
{
    return strncmp(database, "postgresql://", 13) == 0 ||
           strncmp(database, "postgres://", 11) == 0;
}

/* What is shown of a URL, unless that is as it is written, with ${...}: neither
 * user nor password nor parameters. */
static int
hide_secrets(struct rlk_reading *r)
{
    const char *text = r->d->database.text, *scheme = strstr(text, "://");
    if (r->d->shown_database || !scheme)
        return 0;
    const char *host = scheme + 3, *end = host + strcspn(host, "?");
    size_t n = (size_t)(host - text);
    for (const char *at = host; at < end; at++)
        if (*at == '@')
            host = at + 1;
    char *shown =
        rlk_arena_alloc(&r->d->arena, n + (size_t)(end - host) + 1, 1);
    if (!shown)
        return rlk_out_of_memory(r->err);
    memcpy(shown, text, n);
    memcpy(shown + n, host, (size_t)(end - host));
    shown[n + (size_t)(end - host)] = 0;
    r->d->shown_database = shown;
    return 0;
}

static int
refuse_database(struct rlk_reading *r)
{
    const struct rlk_said *database = &r->d->database;
    rlk_yaml_fail(r->d->path, database->at, r->err,
                  "a database is a path, sqlite:PATH or postgresql://..., not "
                  "'%.60s'",
                  shown(r->d->shown_database, database));
    if (strncmp(database->text, "sqlite://", 9) == 0)
        rlk_hint(r->err, "Leave the slashes out: sqlite:PATH.");
    return ROWLOCK_BAD_VALUE;
}

static int
resolve_paths(struct rlk_reading *r)
{
    struct rlk_said *database = &r->d->database, *url = &r->d->url;
    bool named = strncmp(database->text, "sqlite:", 7) == 0;
    const char *path = database->text + (named ? 7 : 0);
    RLK_TRY(hide_secrets(r));
    if (!is_server(database->text)) {
        if (strstr(database->text, "://") || !path[0])
            return refuse_database(r);
        RLK_TRY(
            rlk_read_path(r, named ? "sqlite:" : "", path, &database->text));
    }
    if (rlk_url_is_http(url->text))
        return 0;
    if (strstr(url->text, "://"))
        return rlk_yaml_fail(r->d->path, url->at, r->err,
                             "a source is a path, http:// or https://, not "
                             "'%.60s'",
                             shown(r->d->shown_url, url));
    return rlk_read_path(r, "", url->text, &url->text);
}

static int
read_tree(struct rlk_reading *r, const struct rlk_yaml *root)
{
    RLK_TRY(rlk_read_section(r, root, "", r->d));
    r->d->has_records = r->d->records.text != NULL;
    RLK_TRY(rlk_read_source(r));
    RLK_TRY(resolve_paths(r));
    RLK_TRY(rlk_read_fields(r));
    return rlk_read_match(r);
}

static int
start(const char *path, struct rlk_definition **ret, rowlock_error *err)
{
    struct rlk_definition *d = rlk_calloc(1, sizeof *d);
    if (!d)
        return rlk_out_of_memory(err);
    d->wait_ms = USUAL_WAIT_MS;
    d->total_ms = USUAL_TOTAL_MS;
    d->path = rlk_arena_copy(&d->arena, path, strlen(path));
    if (!d->path) {
        rlk_definition_free(d);
        return rlk_out_of_memory(err);
    }
    *ret = d;
    return 0;
}

static void
take_hash(struct rlk_definition *d, const char *bytes, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, len);
    snprintf(d->hash, sizeof d->hash, "%016llx%016llx",
             (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

int
rlk_definition_parse(const char *path, const char *bytes, size_t len,
                     struct rlk_definition **ret, rowlock_error *err)
{
    struct rlk_definition *d = NULL;
    struct rlk_yaml *root = NULL;
    RLK_TRY(start(path, &d, err));
    take_hash(d, bytes, len);
    int rc = rlk_yaml_parse(path, bytes, len, &d->arena, &root, err);
    struct rlk_reading r = {d, err};
    if (!rc)
        rc = read_tree(&r, root);
    if (rc)
        rlk_definition_free(d);
    else
        *ret = d;
    return rc;
}

int
rlk_definition_read(const char *path, struct rlk_definition **ret,
                    rowlock_error *err)
{
    char *RLK_AUTOFREE bytes = NULL;
    size_t len = 0;
    RLK_TRY(rlk_yaml_load(path, &bytes, &len, err));
    return rlk_definition_parse(path, bytes, len, ret, err);
}

void
rlk_definition_free(struct rlk_definition *d)
{
    if (!d)
        return;
    struct rlk_arena arena = d->arena;
    rlk_arena_done(&arena);
    rlk_free(d);
}
