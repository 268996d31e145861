/* SPDX-License-Identifier: MIT
 * libyaml's events to the tree of tree.h. The depth is bounded before the
 * recursion, the size before the parser sees a byte. Next: definition.c. */
#include "sync/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

struct parse {
    yaml_parser_t parser;
    yaml_event_t event;
    const char *name;
    struct rlk_arena *arena;
    rowlock_error *err;
};

int
rlk_yaml_fail(const char *name, struct rlk_spot at, rowlock_error *err,
              const char *format, ...)
{
    char text[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rlk_fail(err, ROWLOCK_BAD_VALUE, "%.120s:%u:%u: %s", name, at.line,
                    at.column, text);
}

static struct rlk_spot
spot_of(yaml_mark_t mark)
{
    return (struct rlk_spot){(unsigned)mark.line + 1,
                             (unsigned)mark.column + 1};
}

static int
say_problem(struct parse *p)
{
    const yaml_parser_t *y = &p->parser;
    if (y->error == YAML_MEMORY_ERROR)
        return rlk_out_of_memory(p->err);
    if (y->error == YAML_READER_ERROR)
        return rlk_fail(p->err, ROWLOCK_BAD_VALUE, "%.120s: byte %zu: %s",
                        p->name, y->problem_offset + 1, y->problem);
    struct rlk_spot at = spot_of(y->problem_mark);
    return rlk_yaml_fail(p->name, at, p->err, "%s%s%s",
                         y->problem ? y->problem : "not valid YAML",
                         y->context ? " " : "", y->context ? y->context : "");
}

static int
next(struct parse *p)
{
    yaml_event_delete(&p->event);
    if (!yaml_parser_parse(&p->parser, &p->event))
        return say_problem(p);
    return 0;
}

static int
refuse(struct parse *p, const char *what)
{
    return rlk_yaml_fail(p->name, spot_of(p->event.start_mark), p->err, "%s",
                         what);
}

static int
check_plainness(struct parse *p)
{
    const yaml_event_t *e = &p->event;
    const yaml_char_t *tag = NULL, *anchor = NULL;
    if (e->type == YAML_ALIAS_EVENT)
        return refuse(p, "aliases (*name) are not supported");
    if (e->type == YAML_SCALAR_EVENT) {
        tag = e->data.scalar.tag;
        anchor = e->data.scalar.anchor;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        tag = e->data.sequence_start.tag;
        anchor = e->data.sequence_start.anchor;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        tag = e->data.mapping_start.tag;
        anchor = e->data.mapping_start.anchor;
    }
    if (anchor)
        return refuse(p, "anchors (&name) are not supported");
    return tag ? refuse(p, "tags (!name) are not supported") : 0;
}

static int read_node(struct parse *p, unsigned depth, struct rlk_yaml *ret);

static int
read_scalar(struct parse *p, struct rlk_yaml *ret)
{
    const char *text = (const char *)p->event.data.scalar.value;
    size_t len = p->event.data.scalar.length;
    if (memchr(text, 0, len))
        return refuse(p, "a text must not hold a NUL character");
    ret->text = rlk_arena_copy(p->arena, text, len);
    ret->plain = p->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return ret->text ? 0 : rlk_out_of_memory(p->err);
}

static int
add_item(struct parse *p, struct rlk_yaml *to, struct rlk_yaml **ret)
{
    if (++to->n > RLK_YAML_ITEMS)
        return refuse(p, "too many items");
    *ret = rlk_arena_alloc(p->arena, 1, sizeof **ret);
    return *ret ? 0 : rlk_out_of_memory(p->err);
}

static int
read_list(struct parse *p, unsigned depth, struct rlk_yaml *ret)
{
    struct rlk_yaml **link = &ret->first;
    for (;;) {
        RLK_TRY(next(p));
        if (p->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        struct rlk_yaml *item;
        RLK_TRY(add_item(p, ret, &item));
        RLK_TRY(read_node(p, depth + 1, item));
        *link = item;
        link = &item->next;
    }
}

static int
read_key(struct parse *p, const struct rlk_yaml *map, struct rlk_yaml *ret)
{
    RLK_TRY(check_plainness(p));
    if (p->event.type != YAML_SCALAR_EVENT)
        return refuse(p, "a key must be a text");
    struct rlk_yaml key = {0};
    RLK_TRY(read_scalar(p, &key));
    ret->name = key.text;
    ret->name_at = spot_of(p->event.start_mark);
    for (const struct rlk_yaml *at = map->first; at; at = at->next)
        if (strcmp(at->name, ret->name) == 0)
            return rlk_yaml_fail(p->name, ret->name_at, p->err,
                                 "key '%.60s' is there twice (see line %u)",
                                 ret->name, at->name_at.line);
    return 0;
}

static int
read_map(struct parse *p, unsigned depth, struct rlk_yaml *ret)
{
    struct rlk_yaml **link = &ret->first;
    for (;;) {
        RLK_TRY(next(p));
        if (p->event.type == YAML_MAPPING_END_EVENT)
            return 0;
        struct rlk_yaml *item;
        RLK_TRY(add_item(p, ret, &item));
        RLK_TRY(read_key(p, ret, item));
        RLK_TRY(next(p));
        RLK_TRY(read_node(p, depth + 1, item));
        *link = item;
        link = &item->next;
    }
}

/* The event that begins the node has been read. */
static int
read_node(struct parse *p, unsigned depth, struct rlk_yaml *ret)
{
    RLK_TRY(check_plainness(p));
    if (depth > RLK_YAML_DEPTH)
        return refuse(p, "nested too deep");
    ret->at = spot_of(p->event.start_mark);
    switch (p->event.type) {
    case YAML_SCALAR_EVENT:
        ret->kind = RLK_YAML_SCALAR;
        return read_scalar(p, ret);
    case YAML_SEQUENCE_START_EVENT:
        ret->kind = RLK_YAML_LIST;
        return read_list(p, depth, ret);
    case YAML_MAPPING_START_EVENT:
        ret->kind = RLK_YAML_MAP;
        return read_map(p, depth, ret);
    default:
        return refuse(p, "not valid YAML");
    }
}

static int
read_document(struct parse *p, struct rlk_yaml *ret)
{
    RLK_TRY(next(p)); /* the stream's start */
    RLK_TRY(next(p));
    if (p->event.type == YAML_STREAM_END_EVENT)
        return rlk_fail(p->err, ROWLOCK_BAD_VALUE, "%.120s: it is empty",
                        p->name);
    RLK_TRY(next(p));
    RLK_TRY(read_node(p, 1, ret));
    RLK_TRY(next(p)); /* the document's end */
    RLK_TRY(next(p));
    if (p->event.type != YAML_STREAM_END_EVENT)
        return refuse(p, "a second document: a file holds one");
    return 0;
}

/* The parser takes a mark for a character where it is told the encoding. */
static size_t
mark_length(const char *bytes, size_t len)
{
    static const char mark[3] = "\xEF\xBB\xBF";
    bool marked = len >= sizeof mark && memcmp(bytes, mark, sizeof mark) == 0;
    return marked ? sizeof mark : 0;
}

int
rlk_yaml_parse(const char *name, const char *bytes, size_t len,
               struct rlk_arena *arena, struct rlk_yaml **ret,
               rowlock_error *err)
{
    struct parse p = {.name = name, .arena = arena, .err = err};
    struct rlk_yaml *root = rlk_arena_alloc(arena, 1, sizeof *root);
    if (!root || !yaml_parser_initialize(&p.parser))
        return rlk_out_of_memory(err);
    yaml_parser_set_encoding(&p.parser, YAML_UTF8_ENCODING);
    size_t skip = mark_length(bytes, len);
    yaml_parser_set_input_string(&p.parser, (const yaml_char_t *)bytes + skip,
                                 len - skip);
    int rc = read_document(&p, root);
    yaml_event_delete(&p.event);
    yaml_parser_delete(&p.parser);
    if (!rc)
        *ret = root;
    return rc;
}

static int
read_file(int fd, const char *path, char *bytes, size_t *ret_len,
          rowlock_error *err)
{
    size_t len = 0;
    while (len <= RLK_YAML_BYTES) {
        ssize_t n = read(fd, bytes + len, RLK_YAML_BYTES + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rlk_fail_errno(err, ROWLOCK_IO, "could not read '%.120s'",
                                  path);
        if (n == 0) {
            *ret_len = len;
            return 0;
        }
        len += (size_t)n;
    }
    return rlk_fail(err, ROWLOCK_BAD_VALUE,
                    "'%.120s' is larger than %d bytes: no definition", path,
                    RLK_YAML_BYTES);
}

int
rlk_yaml_load(const char *path, char **ret, size_t *ret_len, rowlock_error *err)
{
    char *bytes = rlk_calloc(RLK_YAML_BYTES + 1, 1);
    if (!bytes)
        return rlk_out_of_memory(err);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc = fd < 0 ? rlk_fail_errno(err, ROWLOCK_IO, "could not open '%.120s'",
                                     path)
                    : read_file(fd, path, bytes, ret_len, err);
    if (fd >= 0)
        close(fd);
    if (rc)
        rlk_free(bytes);
    else
        *ret = bytes;
    return rc;
}
