/* SPDX-License-Identifier: MIT
 * The one C++ file: simdjson's on-demand parser behind json.h, without
 * exceptions. simdjson checks UTF-8, quotes and structure; on-demand parsing
 * leaves unchecked what is not asked for, so every value is walked, scalars are
 * compared with the grammar by us, and names within an object must differ. */
#define SIMDJSON_EXCEPTIONS 0
#include <new>
#include <utility>

#include <simdjson.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
#include "base/text.h"
#include "json.h"
}

static_assert(RLK_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "padding");

namespace od = simdjson::ondemand;
using simdjson::error_code;

struct rlk_json_parser {
    od::parser parser;
    struct rlk_json *nodes;
    size_t n, cap;
    const struct rlk_json **sorted; /* for objects with many members */
    size_t sorted_cap;
};

namespace {

enum { FEW_MEMBERS = 16 };

struct Walk {
    rlk_json_parser *p;
    rowlock_error *err;
    const char *at; /* where it failed */
};

int
refuse(Walk &w, const char *at, const char *what)
{
    w.at = at;
    return rlk_fail(w.err, ROWLOCK_BAD_VALUE, "%s", what);
}

const char *
explain(error_code code)
{
    switch (code) {
    case simdjson::UTF8_ERROR:
        return "invalid UTF-8";
    case simdjson::STRING_ERROR:
        return "bad escape in a string";
    case simdjson::UNESCAPED_CHARS:
        return "control character in a string";
    case simdjson::UNCLOSED_STRING:
        return "string without an end";
    case simdjson::MEMALLOC:
        return "out of memory";
    default:
        return "not valid JSON";
    }
}

bool
reserve(void **array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return true;
    size_t grown = need < 64 ? 64 : need * 2;
    void *p = rlk_reallocarray(*array, grown, size);
    if (!p)
        return false;
    *array = p;
    *cap = grown;
    return true;
}

std::string_view
trim_end(const char *start, const char *end)
{
    while (end > start && strchr(" \t\r\n", end[-1]) && end[-1])
        end--;
    return std::string_view(start, size_t(end - start));
}

int
compare_keys(const void *a, const void *b)
{
    auto x = *static_cast<const rlk_json *const *>(a);
    auto y = *static_cast<const rlk_json *const *>(b);
    if (x->key_len != y->key_len)
        return x->key_len < y->key_len ? -1 : 1;
    return memcmp(x->key, y->key, x->key_len);
}

bool
same_key(const rlk_json *a, const rlk_json *b)
{
    return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

int
refuse_double(Walk &w, const rlk_json *member)
{
    w.at = member->raw;
    return rlk_fail(w.err, ROWLOCK_BAD_VALUE, "member '%.*s' is there twice",
                    int(member->key_len < 80 ? member->key_len : 80),
                    member->key);
}

/* Few members: each with each; many: sorted, so that a hostile object costs
 * n log n. */
int
check_many_names(Walk &w, const rlk_json *object, size_t n)
{
    void *array = w.p->sorted;
    if (!reserve(&array, &w.p->sorted_cap, n, sizeof *w.p->sorted))
        return rlk_out_of_memory(w.err);
    w.p->sorted = static_cast<const rlk_json **>(array);
    size_t i = 0;
    const rlk_json *end = object + object->size;
    for (const rlk_json *m = object + 1; m < end; m += m->size)
        w.p->sorted[i++] = m;
    qsort(w.p->sorted, n, sizeof *w.p->sorted, compare_keys);
    for (i = 1; i < n; i++)
        if (same_key(w.p->sorted[i - 1], w.p->sorted[i]))
            return refuse_double(w, w.p->sorted[i]);
    return 0;
}

int
check_names(Walk &w, const rlk_json *object, size_t n)
{
    if (n > FEW_MEMBERS)
        return check_many_names(w, object, n);
    const rlk_json *end = object + object->size;
    for (const rlk_json *m = object + 1; m < end; m += m->size)
        for (const rlk_json *o = object + 1; o < m; o += o->size)
            if (same_key(m, o))
                return refuse_double(w, m);
    return 0;
}

int walk_value(Walk &w, od::value value, std::string_view key, int depth);

/* Sets the node's own text to what stands between start and the next token. */
int
end_container(Walk &w, size_t node, od::value &value, const char *start)
{
    const char *next;
    rlk_json *n = w.p->nodes + node;
    n->size = uint32_t(w.p->n - node);
    if (value.current_location().get(next))
        return refuse(w, start, "not valid JSON");
    std::string_view raw = trim_end(start, next);
    n->text = n->raw = raw.data();
    n->len = n->raw_len = raw.size();
    return 0;
}

int
walk_members(Walk &w, od::object object, size_t node, int depth)
{
    size_t members = 0;
    for (auto &&each : object) {
        od::field field;
        std::string_view key;
        error_code code = std::move(each).get(field);
        if (!code)
            code = field.unescaped_key().get(key);
        if (code)
            return refuse(w, nullptr, explain(code));
        RLK_TRY(walk_value(w, field.value(), key, depth + 1));
        members++;
    }
    w.p->nodes[node].size = uint32_t(w.p->n - node);
    return check_names(w, w.p->nodes + node, members);
}

int
walk_list(Walk &w, od::array list, int depth)
{
    for (auto &&each : list) {
        od::value value;
        error_code code = std::move(each).get(value);
        if (code)
            return refuse(w, nullptr, explain(code));
        RLK_TRY(walk_value(w, value, std::string_view(), depth + 1));
    }
    return 0;
}

int
walk_container(Walk &w, od::value &value, size_t node, int depth)
{
    const char *start = value.raw_json_token().data();
    if (depth > RLK_JSON_DEPTH)
        return refuse(w, start, "nested too deep");
    error_code code;
    if (*start == '{') {
        od::object object;
        w.p->nodes[node].type = RLK_JSON_OBJECT;
        if ((code = value.get_object().get(object)))
            return refuse(w, start, explain(code));
        RLK_TRY(walk_members(w, object, node, depth));
    } else {
        od::array list;
        w.p->nodes[node].type = RLK_JSON_LIST;
        if ((code = value.get_array().get(list)))
            return refuse(w, start, explain(code));
        RLK_TRY(walk_list(w, list, depth));
    }
    return end_container(w, node, value, start);
}

int
walk_string(Walk &w, od::value &value, rlk_json *node)
{
    std::string_view text;
    error_code code = value.get_string().get(text);
    if (code)
        return refuse(w, node->raw, explain(code));
    node->type = RLK_JSON_STRING;
    node->text = text.data();
    node->len = text.size();
    return 0;
}

int
walk_word(Walk &w, rlk_json *node)
{
    std::string_view word(node->raw, node->raw_len);
    if (word == "null")
        node->type = RLK_JSON_NULL;
    else if (word == "true")
        node->type = RLK_JSON_TRUE;
    else if (word == "false")
        node->type = RLK_JSON_FALSE;
    else if (rlk_json_is_number(node->raw, node->raw_len))
        node->type = RLK_JSON_NUMBER;
    else
        return refuse(w, node->raw, "not a JSON value");
    return 0;
}

int
walk_value(Walk &w, od::value value, std::string_view key, int depth)
{
    void *array = w.p->nodes;
    if (w.p->n >= UINT32_MAX / 2 ||
        !reserve(&array, &w.p->cap, w.p->n + 1, sizeof *w.p->nodes))
        return rlk_out_of_memory(w.err);
    w.p->nodes = static_cast<rlk_json *>(array);
    size_t at = w.p->n++;
    rlk_json *node = w.p->nodes + at;
    std::string_view token = value.raw_json_token();
    token = trim_end(token.data(), token.data() + token.size());
    *node = rlk_json{RLK_JSON_NULL, 1,
                     key.data(),    key.size(),
                     token.data(),  token.size(),
                     token.data(),  token.size()};
    if (token.empty())
        return refuse(w, token.data(), "a value is missing");
    if (token[0] == '{' || token[0] == '[')
        return walk_container(w, value, at, depth);
    if (token[0] == '"')
        return walk_string(w, value, node);
    return walk_word(w, node);
}

/* The record itself: a document is no value in simdjson. */
int
walk_record(Walk &w, od::document &doc, const char *text, size_t len)
{
    od::object object;
    void *array = w.p->nodes;
    if (!reserve(&array, &w.p->cap, 1, sizeof *w.p->nodes))
        return rlk_out_of_memory(w.err);
    w.p->nodes = static_cast<rlk_json *>(array);
    w.p->nodes[0] =
        rlk_json{RLK_JSON_OBJECT, 1, nullptr, 0, text, len, text, len};
    w.p->n = 1;
    error_code code = doc.get_object().get(object);
    if (code)
        return refuse(w, text, explain(code));
    RLK_TRY(walk_members(w, object, 0, 1));
    const char *next;
    if (doc.current_location().get(next) != simdjson::OUT_OF_BOUNDS)
        return refuse(w, nullptr, "text after the record's end");
    return 0;
}

int
refuse_kind(Walk &w, const char *text)
{
    w.at = text;
    if (!*text || !strchr("\"[ntf-0123456789", *text))
        return refuse(w, text, "not a JSON value");
    const char *kind = *text == '"'                   ? "a text"
                       : *text == '['                 ? "a list"
                       : *text == 'n'                 ? "null"
                       : *text == 't' || *text == 'f' ? "true or false"
                                                      : "a number";
    return rlk_fail(w.err, ROWLOCK_BAD_VALUE, "a record is an object, not %s",
                    kind);
}

/* Stage 1 of simdjson says what, not where. */
const char *
find_fault(error_code code, const char *text, size_t len)
{
    if (code == simdjson::UTF8_ERROR)
        return text + rlk_utf8_check(text, len);
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (quoted && (unsigned char)text[i] < 0x20)
            return text + i;
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
    }
    return text;
}

int
parse(Walk &w, const char *text, size_t len)
{
    if (*text != '{')
        return refuse_kind(w, text);
    od::document doc;
    error_code code =
        w.p->parser.iterate(text, len, len + RLK_JSON_PADDING).get(doc);
    if (code == simdjson::MEMALLOC)
        return rlk_out_of_memory(w.err);
    if (code)
        return refuse(w, find_fault(code, text, len), explain(code));
    int rc = walk_record(w, doc, text, len);
    if (rc && !w.at && doc.current_location().get(w.at))
        w.at = nullptr;
    return rc;
}

} // namespace

extern "C" struct rlk_json_parser *
rlk_json_parser_new(void)
{
    void *memory = rlk_calloc(1, sizeof(rlk_json_parser));
    return memory ? new (memory) rlk_json_parser() : nullptr;
}

extern "C" void
rlk_json_parser_free(struct rlk_json_parser *p)
{
    if (!p)
        return;
    rlk_free(p->nodes);
    rlk_free(p->sorted);
    p->~rlk_json_parser();
    rlk_free(p);
}

extern "C" int
rlk_json_parse(struct rlk_json_parser *p, const char *text, size_t len,
               const struct rlk_json **ret, size_t *ret_at, rowlock_error *err)
{
    Walk w{p, err, nullptr};
    p->n = 0;
    if (len == 0)
        return refuse(w, text, "a record is missing");
    int rc = parse(w, text, len);
    if (!rc)
        *ret = p->nodes;
    else if (w.at >= text && w.at <= text + len)
        *ret_at = size_t(w.at - text);
    else
        *ret_at = 0;
    return rc;
}
