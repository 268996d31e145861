/* SPDX-License-Identifier: MIT
 * A record is walked member by member, objects within it too, lists not. Each
 * scalar is brought to every type of column the way a run would do it, so that
 * what is said to fit does. */
#include "sync/survey.h"

#include <stdio.h>
#include <string.h>

#include "record/value.h"
#include "sync/batch.h"

struct walk {
    struct rlk_survey *s;
    struct rlk_buf pointer;
    const char *name;
    unsigned depth;
    struct rlk_arena scratch;
    rowlock_error *err;
};

/* ---- members ---- */

void
rlk_pointer_add(struct rlk_buf *pointer, const char *key, size_t len)
{
    rlk_buf_char(pointer, '/');
    for (size_t i = 0; i < len; i++)
        if (key[i] == '~' || key[i] == '/')
            rlk_buf_text(pointer, key[i] == '~' ? "~0" : "~1");
        else
            rlk_buf_char(pointer, key[i]);
}

/* What only wraps a value is not what it is called. */
static bool
is_wrapper(const char *step)
{
    static const char *const wrappers[] = {"rendered", "value", "raw", "text",
                                           "#text",    "$",     "_"};
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
        if (strcmp(step, wrappers[i]) == 0)
            return true;
    return false;
}

static int
new_member(struct walk *w, const char *key, size_t len, struct rlk_member **ret)
{
    struct rlk_survey *s = w->s;
    if (!s->members)
        s->members =
            rlk_arena_alloc(&s->arena, RLK_SURVEY_MEMBERS, sizeof *s->members);
    if (!s->members)
        return rlk_out_of_memory(w->err);
    if (s->n == RLK_SURVEY_MEMBERS) {
        s->more = true;
        *ret = NULL;
        return 0;
    }
    struct rlk_member *m = &s->members[s->n];
    m->pointer = rlk_arena_copy(&s->arena, w->pointer.ptr, w->pointer.len);
    m->step = rlk_arena_copy(&s->arena, key, len);
    if (!m->pointer || !m->step)
        return rlk_out_of_memory(w->err);
    m->name = w->name && is_wrapper(m->step) ? w->name : m->step;
    m->depth = w->depth;
    s->n++;
    *ret = m;
    return 0;
}

static int
find_member(struct walk *w, const char *key, size_t len,
            struct rlk_member **ret)
{
    for (size_t i = 0; i < w->s->n; i++)
        if (strcmp(w->s->members[i].pointer, w->pointer.ptr) == 0) {
            *ret = &w->s->members[i];
            return 0;
        }
    return new_member(w, key, len, ret);
}

/* ---- values ---- */

static int
add_value(struct walk *w, struct rlk_member *m, const struct rlk_json *node)
{
    uint64_t name = rlk_name_add(0, &node->type, sizeof node->type);
    name = rlk_name_add(name, node->text, node->len);
    m->repeated = m->repeated || rlk_seen_has(&m->values, name);
    if (!rlk_seen_add(&m->values, name))
        return rlk_out_of_memory(w->err);
    return 0;
}

/* Counts it where a column of this type would not take the value. */
static int
try_type(struct walk *w, struct rlk_member *m, const struct rlk_json *node,
         enum rlk_column_type type)
{
    struct rlk_column column = {.name = "",
                                .declared = "",
                                .type = type,
                                .integer_bits = 64,
                                .collation = "BINARY"};
    struct rlk_place place = {"", &column};
    struct rlk_goal goal = {.type = type};
    struct rlk_json copy = *node;
    struct rlk_field field = {.column.text = "", .constant = &copy};
    rowlock_value v;
    bool present;
    int rc =
        rlk_field_value(&field, goal, NULL, &w->scratch, &v, &present, NULL);
    if (!rc)
        rc = rlk_value_for(place, v, &w->scratch, &v, NULL);
    m->misfits[type] += rc != 0;
    return rc == ROWLOCK_NO_MEMORY ? rlk_out_of_memory(w->err) : 0;
}

static size_t
count_characters(const struct rlk_json *node)
{
    size_t n = 0;
    for (size_t i = 0; i < node->len; i++)
        n += (node->text[i] & 0xC0) != 0x80;
    return n;
}

static int
keep_example(struct walk *w, struct rlk_member *m, const struct rlk_json *node)
{
    bool string = node->type == RLK_JSON_STRING;
    const char *text = string ? node->text : node->raw;
    size_t len = string ? node->len : node->raw_len, n = 0, at = 0;
    bool empty = len == 0 || node->type == RLK_JSON_NULL;
    if (m->example || empty || !text)
        return 0;
    for (; at < len && n < RLK_SURVEY_EXAMPLE; n++) {
        size_t step = rlk_utf8_length(text + at, len - at);
        at += step ? step : 1;
    }
    m->cut = at < len;
    m->example_is_text = string;
    m->example_len = at;
    m->example = rlk_arena_copy(&w->s->arena, text, at);
    return m->example ? 0 : rlk_out_of_memory(w->err);
}

static int
take_scalar(struct walk *w, struct rlk_member *m, const struct rlk_json *node)
{
    if (node->type == RLK_JSON_NULL)
        return 0;
    size_t long_ = count_characters(node);
    m->longest = long_ > m->longest ? long_ : m->longest;
    rowlock_value text = rowlock_text_n(node->text, node->len);
    m->blank += node->type == RLK_JSON_STRING &&
                rlk_value_strip(text).type == ROWLOCK_NULL;
    for (int type = RLK_TYPE_ANY; type <= RLK_TYPE_JSON; type++)
        RLK_TRY(try_type(w, m, node, (enum rlk_column_type)type));
    rlk_arena_reset(&w->scratch);
    RLK_TRY(add_value(w, m, node));
    return keep_example(w, m, node);
}

/* ---- the walk ---- */

static int walk_object(struct walk *w, const struct rlk_json *object);

/* Goes into an object; the member's name is what its wrapped value is called.
 */
static int
go_down(struct walk *w, const struct rlk_member *m, const struct rlk_json *node)
{
    const char *name = w->name;
    w->name = m->name;
    w->depth++;
    int rc = walk_object(w, node);
    w->depth--;
    w->name = name;
    return rc;
}

static int
take_member(struct walk *w, const struct rlk_json *node)
{
    struct rlk_member *m = NULL;
    if (memchr(node->key, 0, node->key_len))
        return 0; /* no name that a definition could hold */
    RLK_TRY(find_member(w, node->key, node->key_len, &m));
    if (!m)
        return 0;
    m->n++;
    m->kinds[node->type]++;
    if (node->type != RLK_JSON_OBJECT && node->type != RLK_JSON_LIST)
        return take_scalar(w, m, node);
    RLK_TRY(keep_example(w, m, node));
    if (node->type == RLK_JSON_LIST || w->depth == RLK_SURVEY_DEPTH ||
        node->size == 1)
        return 0;
    m->parent = true;
    return go_down(w, m, node);
}

static int
walk_object(struct walk *w, const struct rlk_json *object)
{
    for (uint32_t at = 1; at < object->size;) {
        const struct rlk_json *node = object + at;
        size_t len = w->pointer.len;
        rlk_pointer_add(&w->pointer, node->key, node->key_len);
        if (w->pointer.failed)
            return rlk_out_of_memory(w->err);
        RLK_TRY(take_member(w, node));
        w->pointer.len = len;
        w->pointer.ptr[len] = 0;
        at += node->size;
    }
    return 0;
}

int
rlk_survey_add(struct rlk_survey *s, const struct rlk_json *record,
               rowlock_error *err)
{
    struct walk w = {.s = s, .depth = 1, .err = err};
    int rc = walk_object(&w, record);
    s->records++;
    rlk_buf_done(&w.pointer);
    rlk_arena_done(&w.scratch);
    return rc;
}

void
rlk_survey_done(struct rlk_survey *s)
{
    for (size_t i = 0; i < s->n; i++)
        rlk_seen_done(&s->members[i].values);
    rlk_arena_done(&s->arena);
    memset(s, 0, sizeof *s);
}

/* ---- what follows ---- */

size_t
rlk_member_values(const struct rlk_member *m)
{
    return m->n - m->kinds[RLK_JSON_NULL];
}

bool
rlk_member_is_nested(const struct rlk_member *m)
{
    return m->kinds[RLK_JSON_LIST] + m->kinds[RLK_JSON_OBJECT] > 0;
}

bool
rlk_survey_identifies(const struct rlk_survey *s, const struct rlk_member *m)
{
    bool stays = m->misfits[RLK_TYPE_TIMESTAMP] && m->misfits[RLK_TYPE_DATE] &&
                 !(m->kinds[RLK_JSON_NUMBER] && m->misfits[RLK_TYPE_INTEGER]);
    return m->n == s->records && !m->repeated && !m->blank && stays &&
           !rlk_member_is_nested(m) && !m->kinds[RLK_JSON_NULL] &&
           !m->kinds[RLK_JSON_TRUE] && !m->kinds[RLK_JSON_FALSE];
}
