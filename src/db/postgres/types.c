/* SPDX-License-Identifier: MIT
 * PostgreSQL's types: what a column is meant to hold, and how exactly. A type
 * that is not listed is read as text and not written: what its input function
 * would make of a value is not ours to say. */
#include "conn.h"

#include <string.h>

static const struct {
    const char *name; /* pg_type.typname */
    enum rlk_column_type type;
    enum rlk_pg_kind kind;
    uint32_t bits; /* of integers */
} types[] = {
    {"bool", RLK_TYPE_BOOLEAN, RLK_PG_BOOL, 0},
    {"int2", RLK_TYPE_INTEGER, RLK_PG_INT, 16},
    {"int4", RLK_TYPE_INTEGER, RLK_PG_INT, 32},
    {"int8", RLK_TYPE_INTEGER, RLK_PG_INT, 64},
    {"float4", RLK_TYPE_REAL, RLK_PG_FLOAT4, 0},
    {"float8", RLK_TYPE_REAL, RLK_PG_FLOAT8, 0},
    {"numeric", RLK_TYPE_DECIMAL, RLK_PG_NUMERIC, 0},
    {"text", RLK_TYPE_TEXT, RLK_PG_TEXT, 0},
    {"varchar", RLK_TYPE_TEXT, RLK_PG_TEXT, 0},
    {"citext", RLK_TYPE_TEXT, RLK_PG_TEXT, 0},
    {"bpchar", RLK_TYPE_TEXT, RLK_PG_PADDED, 0},
    {"bytea", RLK_TYPE_BLOB, RLK_PG_BYTES, 0},
    {"timestamp", RLK_TYPE_TIMESTAMP, RLK_PG_TIMESTAMP, 0},
    {"timestamptz", RLK_TYPE_TIMESTAMP, RLK_PG_TIMESTAMP, 0},
    {"date", RLK_TYPE_DATE, RLK_PG_DATE, 0},
    {"time", RLK_TYPE_TIME, RLK_PG_TIME, 0},
    {"uuid", RLK_TYPE_UUID, RLK_PG_UUID, 0},
    {"json", RLK_TYPE_JSON, RLK_PG_JSON, 0},
    {"jsonb", RLK_TYPE_JSON, RLK_PG_JSON, 0},
};

enum { HEADER = 4, FULL_PRECISION = 6, SCALE_BITS = 11 };

/* pg_attribute.atttypmod: -1, or a length and such, plus 4 for texts. */
static void
read_modifier(int32_t modifier, struct rlk_column *ret,
              struct rlk_pg_column *ret_more)
{
    ret_more->digits = FULL_PRECISION;
    if (modifier < 0)
        return;
    uint32_t m = (uint32_t)modifier;
    if (ret->type == RLK_TYPE_TEXT && m > HEADER)
        ret->length = m - HEADER;
    if (ret->type == RLK_TYPE_DECIMAL && m > HEADER) {
        ret->precision = (m - HEADER) >> 16 & 0xFFFF;
        ret->scale = (m - HEADER) & ((1U << (SCALE_BITS - 1)) - 1);
    }
    if ((ret->type == RLK_TYPE_TIMESTAMP || ret->type == RLK_TYPE_TIME) &&
        m < FULL_PRECISION)
        ret_more->digits = m;
}

void
rlk_pg_type(const char *type, int32_t modifier, char category,
            struct rlk_column *ret, struct rlk_pg_column *ret_more)
{
    ret->type = RLK_TYPE_ANY;
    ret_more->kind = RLK_PG_OTHER;
    if (category == 'E') { /* an enumeration is text that is checked */
        ret->type = RLK_TYPE_TEXT;
        ret_more->kind = RLK_PG_TEXT;
        return;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, type) == 0) {
            ret->type = types[i].type;
            ret->integer_bits = types[i].bits;
            ret_more->kind = types[i].kind;
        }
    ret->unwritable = ret_more->kind == RLK_PG_OTHER;
    ret_more->folds = strcmp(type, "citext") == 0;
    read_modifier(modifier, ret, ret_more);
}
