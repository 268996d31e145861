/* SPDX-License-Identifier: MIT
 * Declared types: what a column is meant to hold (as Django and SQL users
 * declare it), and the affinity that SQLite gives it for that declaration. */
#include "conn.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name; /* lower case, without lengths */
    enum rlk_column_type type;
} types[] = {
    {"bool", RLK_TYPE_BOOLEAN},
    {"boolean", RLK_TYPE_BOOLEAN},
    {"datetime", RLK_TYPE_TIMESTAMP},
    {"timestamp", RLK_TYPE_TIMESTAMP},
    {"timestamptz", RLK_TYPE_TIMESTAMP},
    {"timestamp with time zone", RLK_TYPE_TIMESTAMP},
    {"timestamp without time zone", RLK_TYPE_TIMESTAMP},
    {"date", RLK_TYPE_DATE},
    {"time", RLK_TYPE_TIME},
    {"uuid", RLK_TYPE_UUID},
    {"json", RLK_TYPE_JSON},
    {"jsonb", RLK_TYPE_JSON},
    {"decimal", RLK_TYPE_DECIMAL},
    {"numeric", RLK_TYPE_DECIMAL},
    {"binary", RLK_TYPE_BLOB},
    {"varbinary", RLK_TYPE_BLOB},
    {"bytea", RLK_TYPE_BLOB},
};

/* "VARCHAR(30)" -> "varchar"; "double  PRECISION" keeps its one space. */
static void
base_name(const char *declared, char *ret, size_t size)
{
    size_t len = 0;
    int depth = 0;
    for (const char *p = declared; *p && len + 1 < size; p++) {
        depth += *p == '(';
        if (depth == 0 && (*p != ' ' || (len && ret[len - 1] != ' ')))
            ret[len++] = (char)tolower((unsigned char)*p);
        depth -= *p == ')' && depth > 0;
    }
    while (len && ret[len - 1] == ' ')
        len--;
    ret[len] = 0;
}

static bool
has(const char *declared, const char *part)
{
    return strcasestr(declared, part) != NULL;
}

/* SQLite's own rules, in its order. */
static enum rlk_affinity
affinity_of(const char *declared)
{
    if (has(declared, "INT"))
        return RLK_AFFINITY_NUMERIC;
    if (has(declared, "CHAR") || has(declared, "CLOB") || has(declared, "TEXT"))
        return RLK_AFFINITY_TEXT;
    if (!declared[0] || has(declared, "BLOB"))
        return RLK_AFFINITY_NONE;
    if (has(declared, "REAL") || has(declared, "FLOA") || has(declared, "DOUB"))
        return RLK_AFFINITY_REAL;
    return RLK_AFFINITY_NUMERIC;
}

static enum rlk_column_type
type_of(const char *declared, enum rlk_affinity affinity)
{
    char name[64];
    base_name(declared, name, sizeof name);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    switch (affinity) {
    case RLK_AFFINITY_TEXT:
        return RLK_TYPE_TEXT;
    case RLK_AFFINITY_REAL:
        return RLK_TYPE_REAL;
    case RLK_AFFINITY_NUMERIC:
        return has(declared, "INT") ? RLK_TYPE_INTEGER : RLK_TYPE_ANY;
    case RLK_AFFINITY_NONE:
        break;
    }
    return declared[0] ? RLK_TYPE_BLOB : RLK_TYPE_ANY;
}

/* The numbers of "(10, 2)", 0 where there is none. */
static void
read_sizes(const char *declared, uint32_t *ret_first, uint32_t *ret_second)
{
    const char *open = strchr(declared, '(');
    char *end;
    if (!open)
        return;
    long first = strtol(open + 1, &end, 10);
    if (first <= 0 || first > 1000000000)
        return;
    *ret_first = (uint32_t)first;
    end += strspn(end, " ");
    long second = *end == ',' ? strtol(end + 1, NULL, 10) : 0;
    if (second > 0 && second <= first)
        *ret_second = (uint32_t)second;
}

void
rlk_sqlite_type(struct rlk_column *c, bool strict,
                enum rlk_affinity *ret_affinity)
{
    uint32_t first = 0, second = 0;
    *ret_affinity = affinity_of(c->declared);
    if (strict && strcasecmp(c->declared, "ANY") == 0)
        *ret_affinity = RLK_AFFINITY_NONE;
    c->type = strict && strcasecmp(c->declared, "ANY") == 0
                  ? RLK_TYPE_ANY
                  : type_of(c->declared, *ret_affinity);
    c->integer_bits = 64; /* SQLite stores any integer in up to 8 bytes */
    read_sizes(c->declared, &first, &second);
    if (c->type == RLK_TYPE_TEXT)
        c->length = first;
    if (c->type == RLK_TYPE_DECIMAL) {
        c->precision = first;
        c->scale = second;
    }
}
