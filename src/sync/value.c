/* SPDX-License-Identifier: MIT
 * JSON to values. Numbers are the delicate part: a column of text or decimals
 * gets them as they are written, a column of integers gets an integer if that
 * is what is written, and a double is used only where it says the same. */
#include "sync/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "record/value.h"
#include "sync/generate.h"
#include "sync/slugify.h"
#include "sync/unescape.h"

struct making {
    const struct rlk_field *field;
    struct rlk_goal goal;
    const struct rlk_json *node;
    struct rlk_arena *arena;
    rowlock_error *err;
};

static int
refuse(const struct making *m, const char *why)
{
    rlk_fail(m->err, ROWLOCK_BAD_VALUE, "field '%.60s': %s",
             m->field->column.text, why);
    rlk_detail(m->err, "Its value comes from '%.200s'.",
               m->field->constant ? "value" : m->field->from.text);
    return ROWLOCK_BAD_VALUE;
}

static int
refuse_kind(const struct making *m, const char *wanted)
{
    char why[80];
    snprintf(why, sizeof why, "%s does not fit %s",
             rlk_json_type_name(m->node->type), wanted);
    return refuse(m, why);
}

static int
copy_text(const struct making *m, const char *text, size_t len,
          rowlock_value *ret)
{
    const char *copy = rlk_arena_copy(m->arena, text, len);
    if (!copy)
        return rlk_out_of_memory(m->err);
    *ret = rowlock_text_n(copy, len);
    return 0;
}

/* ---- numbers ---- */

enum { MOST_DIGITS = 20 }; /* more make no integer of 64 bits */

struct decimal { /* digits times ten to the power of exponent */
    char digits[MOST_DIGITS];
    size_t n;
    int64_t exponent;
    bool negative;
};

/* Zeros are kept only between other digits. */
static bool
add_digit(struct decimal *d, char digit, size_t *zeros)
{
    if (digit == '0') {
        *zeros += d->n > 0;
        return true;
    }
    if (*zeros >= MOST_DIGITS || d->n + *zeros >= MOST_DIGITS)
        return false;
    memset(d->digits + d->n, '0', *zeros);
    d->n += *zeros;
    *zeros = 0;
    d->digits[d->n++] = digit;
    return true;
}

/* "-7"; what is out of any sensible range stays out of it. */
static int64_t
read_exponent(const char *text, const char *end)
{
    bool negative = text < end && *text == '-';
    int64_t e = 0;
    for (; text < end; text++)
        if (*text >= '0' && *text <= '9' && e < 1000000)
            e = e * 10 + (*text - '0');
    return negative ? -e : e;
}

/* Takes a JSON number apart; false when it has more digits than an integer of
 * 64 bits could have. */
static bool
read_decimal(const char *text, size_t len, struct decimal *ret)
{
    size_t i = len && text[0] == '-', zeros = 0;
    bool point = false;
    memset(ret, 0, sizeof *ret);
    ret->negative = i;
    for (; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        ret->exponent -= point;
        if (!add_digit(ret, text[i], &zeros))
            return false;
    }
    ret->exponent += (int64_t)zeros;
    if (i < len)
        ret->exponent += read_exponent(text + i + 1, text + len);
    return true;
}

bool
rlk_number_to_integer(const char *text, size_t len, int64_t *ret)
{
    struct decimal d;
    int64_t n = 0;
    if (!read_decimal(text, len, &d))
        return false;
    if (d.n == 0) {
        *ret = 0;
        return true;
    }
    if (d.exponent < 0 || d.exponent > 19)
        return false;
    for (size_t i = 0; i < d.n + (size_t)d.exponent; i++) {
        int digit = i < d.n ? d.digits[i] - '0' : 0;
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, d.negative ? -digit : digit, &n))
            return false;
    }
    *ret = n;
    return true;
}

static bool
is_written_whole(const struct rlk_json *node)
{
    for (size_t i = 0; i < node->len; i++)
        if (strchr(".eE", node->text[i]))
            return false;
    return true;
}

/* A fraction rounds to the nearest double, as everywhere; a whole number must
 * be exact. */
static int
make_double(const struct making *m, rowlock_value *ret)
{
    char *text = rlk_arena_copy(m->arena, m->node->text, m->node->len);
    if (!text)
        return rlk_out_of_memory(m->err);
    double d = strtod(text, NULL);
    if (!isfinite(d))
        return refuse(m, "the number is out of range");
    int64_t i;
    if (is_written_whole(m->node) &&
        (!rlk_number_to_integer(m->node->text, m->node->len, &i) ||
         fabs(d) >= 0x1p63 || (int64_t)d != i))
        return refuse(m, "the number is too large to be held exactly");
    *ret = rowlock_double(d);
    return 0;
}

static int
make_number(const struct making *m, rowlock_value *ret)
{
    const struct rlk_json *node = m->node;
    int64_t i;
    bool whole = is_written_whole(node);
    switch (m->goal.type) {
    case RLK_TYPE_INTEGER:
    case RLK_TYPE_BOOLEAN:
        if (!rlk_number_to_integer(node->text, node->len, &i))
            return refuse(m, "the number is no integer of 64 bits");
        *ret = rowlock_int(i);
        return 0;
    case RLK_TYPE_REAL:
        return make_double(m, ret);
    case RLK_TYPE_ANY:
        if (!whole)
            return make_double(m, ret);
        if (!rlk_number_to_integer(node->text, node->len, &i))
            return refuse(m, "the number is no integer of 64 bits");
        *ret = rowlock_int(i);
        return 0;
    default:
        return copy_text(m, node->text, node->len, ret);
    }
}

/* ---- the rest ---- */

static int
make_flag(const struct making *m, rowlock_value *ret)
{
    if (m->goal.type != RLK_TYPE_BOOLEAN && m->goal.type != RLK_TYPE_INTEGER &&
        m->goal.type != RLK_TYPE_ANY)
        return refuse_kind(m, "the column's type");
    *ret = rowlock_int(m->node->type == RLK_JSON_TRUE);
    return 0;
}

/* The text of a table becomes a JSON string. */
static int
make_json(const struct making *m, rowlock_value *ret)
{
    const struct rlk_json *node = m->node;
    if (node->raw)
        return copy_text(m, node->raw, node->raw_len, ret);
    struct rlk_buf RLK_AUTOBUF json = {0};
    rlk_buf_json(&json, node->text, node->len);
    if (json.failed)
        return rlk_out_of_memory(m->err);
    return copy_text(m, json.ptr, json.len, ret);
}

/* As the column declares it, with dashes or without. */
static int
make_uuid(const struct making *m, rowlock_value *ret)
{
    char text[36], *to = text, shown[RLK_SHOWN], why[RLK_SHOWN + 16];
    if (!rlk_uuid_read(*ret, text)) {
        rlk_value_show(*ret, shown);
        snprintf(why, sizeof why, "%s is no UUID", shown);
        refuse(m, why);
        rlk_sqlstate(m->err, "22P02");
        return ROWLOCK_BAD_VALUE;
    }
    for (size_t i = 0; i < sizeof text; i++)
        if (text[i] != '-' || m->goal.length != RLK_BARE_UUID)
            *to++ = text[i];
    return copy_text(m, text, (size_t)(to - text), ret);
}

/* For strip and slugify, which make text of texts and numbers. */
static int
make_word(const struct making *m, rowlock_value *ret)
{
    const struct rlk_json *node = m->node;
    if (node->type != RLK_JSON_STRING && node->type != RLK_JSON_NUMBER)
        return refuse_kind(m, m->field->slugify ? "slugify" : "strip");
    if (!m->field->slugify)
        return copy_text(m, node->text, node->len, ret);
    char *slug = rlk_slugify(node->text, node->len, m->arena);
    if (!slug)
        return rlk_out_of_memory(m->err);
    *ret = rowlock_text(slug);
    return 0;
}

static int
make_value(const struct making *m, rowlock_value *ret)
{
    const struct rlk_json *node = m->node;
    if (node->type == RLK_JSON_NULL) {
        *ret = rowlock_null();
        return 0;
    }
    if (m->field->strip || m->field->slugify)
        return make_word(m, ret);
    if (m->goal.type == RLK_TYPE_JSON)
        return make_json(m, ret);
    switch (node->type) {
    case RLK_JSON_STRING:
        return copy_text(m, node->text, node->len, ret);
    case RLK_JSON_NUMBER:
        return make_number(m, ret);
    case RLK_JSON_TRUE:
    case RLK_JSON_FALSE:
        return make_flag(m, ret);
    default:
        return refuse_kind(m, "the column's type");
    }
}

static int
lower(struct rlk_arena *arena, rowlock_value *v, rowlock_error *err)
{
    size_t len;
    if (v->type != ROWLOCK_TEXT)
        return 0;
    const char *text = rlk_lower_text(v->u.s.ptr, v->u.s.len, arena, &len);
    if (!text)
        return rlk_out_of_memory(err);
    *v = rowlock_text_n(text, len);
    return 0;
}

/* ret is the node with its text unescaped. */
static int
unescape(struct making *m, struct rlk_json *ret)
{
    if (m->node->type != RLK_JSON_STRING)
        return 0;
    *ret = *m->node;
    ret->raw = NULL;
    ret->text = rlk_unescape_html(ret->text, ret->len, m->arena, &ret->len);
    m->node = ret;
    return ret->text ? 0 : rlk_out_of_memory(m->err);
}

int
rlk_field_value(const struct rlk_field *f, struct rlk_goal goal,
                const struct rlk_json *record, struct rlk_arena *arena,
                rowlock_value *ret, bool *ret_present, rowlock_error *err)
{
    struct making m = {f, goal, f->constant, arena, err};
    struct rlk_json plain;
    if (f->generated) {
        *ret_present = true;
        return rlk_generate(f->generated, goal, arena, ret, err);
    }
    if (!m.node)
        m.node = rlk_json_find(record, &f->from);
    if (m.node && f->unescape_html)
        RLK_TRY(unescape(&m, &plain));
    *ret_present = m.node || f->has_default;
    *ret = rowlock_null();
    if (m.node)
        RLK_TRY(make_value(&m, ret));
    else if (f->has_default)
        *ret = f->default_value;
    if (goal.is_key || f->strip || f->slugify)
        *ret = rlk_value_strip(*ret);
    if (f->empty_null && rlk_value_strip(*ret).type == ROWLOCK_NULL)
        *ret = rowlock_null();
    if (goal.type == RLK_TYPE_UUID && ret->type != ROWLOCK_NULL)
        RLK_TRY(make_uuid(&m, ret));
    return f->lower ? lower(arena, ret, err) : 0;
}
