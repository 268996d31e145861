/* SPDX-License-Identifier: MIT
 * Names. The canonical form is: kind, then table, column and each value, every
 * text with its length before it and every value with its type, so that no two
 * names have one form. Integers are little-endian on every machine. */
#include "name.h"

#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

bool
rlk_name_is_whole(const rowlock_name *name)
{
    if (!name || name->n_values > 1000 || (name->n_values && !name->values))
        return false;
    if (name->kind == ROWLOCK_WRITER)
        return true;
    if (!name->table || !name->table[0])
        return false;
    return name->kind == ROWLOCK_TABLE ||
           (name->kind == ROWLOCK_RECORD && name->n_values) ||
           (name->kind == ROWLOCK_KEY && name->column);
}

/* The form grows in a small buffer; what does not fit goes through the
 * streaming hash. Both give the same hash for the same bytes. */
struct form {
    unsigned char bytes[512];
    size_t len;
    bool streaming;
    XXH3_state_t state;
};

static inline void
add(struct form *form, const void *bytes, size_t len)
{
    if (!form->streaming && len <= sizeof form->bytes - form->len) {
        if (len)
            memcpy(form->bytes + form->len, bytes, len);
        form->len += len;
        return;
    }
    if (!form->streaming) {
        XXH3_128bits_reset(&form->state);
        XXH3_128bits_update(&form->state, form->bytes, form->len);
        form->streaming = true;
    }
    XXH3_128bits_update(&form->state, bytes, len);
}

static void
add_number(struct form *form, uint64_t n)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(n >> (8 * i));
    add(form, bytes, sizeof bytes);
}

static void
add_text(struct form *form, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    add_number(form, len);
    add(form, text, len);
}

static void
add_value(struct form *form, const rowlock_value *value)
{
    unsigned char type = (unsigned char)value->type;
    uint64_t bits;
    add(form, &type, 1);
    switch (value->type) {
    case ROWLOCK_INT:
        add_number(form, (uint64_t)value->u.i);
        break;
    case ROWLOCK_DOUBLE:
        memcpy(&bits, &value->u.d, sizeof bits);
        add_number(form, bits);
        break;
    case ROWLOCK_TEXT:
    case ROWLOCK_BLOB:
        add_number(form, value->u.s.len);
        add(form, value->u.s.ptr, value->u.s.len);
        break;
    case ROWLOCK_NULL:
        break;
    }
}

void
rlk_name_hash(const rowlock_name *name, uint32_t ret_hash[4])
{
    struct form form;
    form.len = 0;
    form.streaming = false;
    unsigned char kind = (unsigned char)name->kind;
    add(&form, &kind, 1);
    if (name->kind != ROWLOCK_WRITER)
        add_text(&form, name->table);
    if (name->kind == ROWLOCK_KEY)
        add_text(&form, name->column);
    if (name->kind != ROWLOCK_TABLE)
        for (size_t i = 0; i < name->n_values; i++)
            add_value(&form, &name->values[i]);
    XXH128_hash_t hash = form.streaming ? XXH3_128bits_digest(&form.state)
                                        : XXH3_128bits(form.bytes, form.len);
    ret_hash[0] = (uint32_t)hash.low64;
    ret_hash[1] = (uint32_t)(hash.low64 >> 32);
    ret_hash[2] = (uint32_t)hash.high64;
    ret_hash[3] = (uint32_t)(hash.high64 >> 32);
}

/* ---- the short text ---- */

struct label {
    char text[64];
    size_t len;
};

static void
write_label(struct label *label, const char *text, size_t len)
{
    size_t room = sizeof label->text - 1 - label->len;
    size_t n = len < room ? len : room;
    if (n)
        memcpy(label->text + label->len, text, n);
    label->len += n;
}

/* Most keys are integers, and every lock has a label. */
static void
write_integer(struct label *label, int64_t n)
{
    char text[24];
    size_t at = sizeof text;
    uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do
        text[--at] = (char)('0' + left % 10);
    while (left /= 10);
    if (n < 0)
        text[--at] = '-';
    write_label(label, text + at, sizeof text - at);
}

static void
write_value(struct label *label, const rowlock_value *value)
{
    char text[48];
    int len = 0;
    switch (value->type) {
    case ROWLOCK_INT:
        write_integer(label, value->u.i);
        break;
    case ROWLOCK_DOUBLE:
        len = snprintf(text, sizeof text, "%.15g", value->u.d);
        break;
    case ROWLOCK_TEXT:
        write_label(label, value->u.s.ptr, value->u.s.len);
        break;
    case ROWLOCK_BLOB:
        len = snprintf(text, sizeof text, "%zu bytes", value->u.s.len);
        break;
    case ROWLOCK_NULL:
        len = snprintf(text, sizeof text, "NULL");
        break;
    }
    write_label(label, text, (size_t)len);
}

/* Cut to size between two characters, the last byte a '~' that tells it. */
static size_t
cut(const char *text, size_t len, size_t size)
{
    if (len <= size)
        return len;
    size = size ? size - 1 : 0;
    while (size && ((unsigned char)text[size] & 0xC0) == 0x80)
        size--;
    return size;
}

static void
write_key(struct label *key, const rowlock_name *name)
{
    if (name->kind == ROWLOCK_KEY) {
        write_label(key, name->column, strlen(name->column));
        write_label(key, "=", name->n_values ? 1 : 0);
    }
    if (name->kind == ROWLOCK_TABLE)
        return;
    for (size_t i = 0; i < name->n_values; i++) {
        write_label(key, ",", i ? 1 : 0);
        write_value(key, &name->values[i]);
    }
}

void
rlk_name_label(const rowlock_name *name, char ret_label[RLK_LABEL])
{
    struct label table = {.len = 0}, key = {.len = 0};
    if (name->kind != ROWLOCK_WRITER)
        write_label(&table, name->table, strlen(name->table));
    write_key(&key, name);
    /* The key has the larger half when there is not enough for both. */
    size_t room = RLK_LABEL - 1;
    size_t for_table = key.len >= 22 ? room - 22 : room - key.len;
    size_t table_len = cut(table.text, table.len, for_table);
    size_t for_key = room - table_len - (table_len < table.len);
    size_t key_len = cut(key.text, key.len, for_key);
    memset(ret_label, 0, RLK_LABEL);
    memcpy(ret_label, table.text, table_len);
    if (table_len < table.len)
        ret_label[table_len++] = '~';
    memcpy(ret_label + table_len + 1, key.text, key_len);
    if (key_len < key.len)
        ret_label[table_len + 1 + key_len] = '~';
}

/* Controls become spaces: it is shown on terminals. */
static void
copy_shown(char *to, const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        to[i] = (char)(c < 0x20 || c == 0x7F ? ' ' : c);
    }
    to[len] = 0;
}

void
rlk_label_split(const char label[RLK_LABEL], char *ret_table, char *ret_key)
{
    size_t len = strnlen(label, RLK_LABEL);
    copy_shown(ret_table, label, len);
    size_t rest = len + 1 < RLK_LABEL ? RLK_LABEL - len - 1 : 0;
    rest = rest ? strnlen(label + len + 1, rest) : 0;
    copy_shown(ret_key, rest ? label + len + 1 : "", rest);
}
