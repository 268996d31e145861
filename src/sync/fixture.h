/* SPDX-License-Identifier: MIT
 * What this room's tests start with: a definition put beside one table, over
 * the driver for tests, and remote records out of JSON. */
#ifndef RLK_SYNC_FIXTURE_H
#define RLK_SYNC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/fake/fake.h"
#include "record/record.h"
#include "source/json.h"
#include "sync/item.h"

enum { ID, SITE, RID, SLUG, NAME, CHANGED, N_COLUMNS };

#define TEXT_COLUMN(n, order)                                 \
    {                                                         \
        .name = n, .declared = "text", .type = RLK_TYPE_TEXT, \
        .collation = order                                    \
    }
#define INTEGER_COLUMN(n)                                           \
    {                                                               \
        .name = n, .declared = "integer", .type = RLK_TYPE_INTEGER, \
        .integer_bits = 64, .collation = "BINARY"                   \
    }
static const struct rlk_column columns[N_COLUMNS] = {
    [ID] = INTEGER_COLUMN("id"),
    [SITE] = INTEGER_COLUMN("site"),
    [RID] = TEXT_COLUMN("rid", "BINARY"),
    [SLUG] = TEXT_COLUMN("slug", "NOCASE"),
    [NAME] = TEXT_COLUMN("name", "BINARY"),
    [CHANGED] = TEXT_COLUMN("changed", "BINARY"),
};
static const uint32_t id_column[] = {ID};
static const struct rlk_table table = {.name = "t",
                                       .columns = columns,
                                       .n_columns = N_COLUMNS,
                                       .primary_key = id_column,
                                       .n_primary_key = 1};

struct fixture {
    struct rlk_conn *c;
    rowlock_db *db;
    struct rlk_definition *d;
    struct rlk_plan plan;
    struct rlk_json_parser *parser;
    struct rlk_arena arena; /* of the plan */
    rowlock_error err;
};

static inline void
start_over(struct fixture *f, enum rlk_fake_kind kind)
{
    memset(f, 0, sizeof *f);
    f->c = rlk_fake_open(kind);
    rlk_fake_add_table(f->c, &table);
    assert_int_equal(rlk_session_new(f->c, NULL, &f->db, &f->err), 0);
    f->parser = rlk_json_parser_new();
    assert_non_null(f->parser);
}

static inline void
start(struct fixture *f)
{
    start_over(f, RLK_FAKE_PLAIN);
}

static inline void
stop(struct fixture *f)
{
    rlk_definition_free(f->d);
    rlk_json_parser_free(f->parser);
    rlk_arena_done(&f->arena);
    rowlock_close(f->db);
}

/* match and fields as they stand in a definition. */
static inline void
define(struct fixture *f, const char *match, const char *fields)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "{sync: x, target: {database: x, table: t}, source: {url: b.json},"
             " match: %s, fields: %s}",
             match, fields);
    rlk_definition_free(f->d);
    f->d = NULL;
    if (rlk_definition_parse("d.yaml", yaml, strlen(yaml), &f->d, &f->err))
        fail_msg("%s", f->err.message);
    assert_int_equal(rlk_plan_make(f->d, f->db, &f->arena, &f->plan, &f->err),
                     0);
}

/* A remote record with its values and keys, in arena; the last call's
 * answer. */
static inline int
take(struct fixture *f, const char *json, struct rlk_arena *arena,
     struct rlk_item *ret)
{
    char text[1024];
    const struct rlk_json *root;
    size_t at;
    snprintf(text, sizeof text - RLK_JSON_PADDING, "%s", json);
    assert_int_equal(
        rlk_json_parse(f->parser, text, strlen(text), &root, &at, &f->err), 0);
    memset(ret, 0, sizeof *ret);
    assert_int_equal(rlk_item_take(ret, &f->plan, root, arena, &f->err), 0);
    return rlk_item_ready(ret, &f->plan, arena, &f->err);
}

/* A local record; NULL texts and site 0 are NULL. */
static inline void
make_row(rowlock_value values[N_COLUMNS], int id, int site, const char *rid,
         const char *slug, const char *name)
{
    memset(values, 0, N_COLUMNS * sizeof *values);
    values[ID] = rowlock_int(id);
    values[SITE] = site ? rowlock_int(site) : rowlock_null();
    values[RID] = rowlock_text(rid);
    values[SLUG] = rowlock_text(slug);
    values[NAME] = rowlock_text(name);
}

/* expected: NULL for NULL. */
static inline void
assert_cell(const struct fixture *f, size_t row, size_t column,
            const char *expected)
{
    rowlock_value v = rlk_fake_cell(f->c, "t", row, column);
    assert_int_equal(v.type, expected ? ROWLOCK_TEXT : ROWLOCK_NULL);
    if (!expected)
        return;
    assert_int_equal(v.u.s.len, strlen(expected));
    assert_memory_equal(v.u.s.ptr, expected, v.u.s.len);
}

/* How often the driver was called so since the trace was last asked for. */
static inline unsigned
count_calls(const struct fixture *f, const char *call)
{
    unsigned n = 0;
    const char *at = rlk_fake_trace(f->c);
    for (; (at = strstr(at, call)); at++)
        n++;
    return n;
}

#endif
