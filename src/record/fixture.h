/* SPDX-License-Identifier: MIT
 * What this room's tests start with: a session over the fake driver and two
 * tables, term (no unique index) and tag (unique slug). */
#ifndef RLK_RECORD_FIXTURE_H
#define RLK_RECORD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/fake/fake.h"
#include "record.h"

enum { ID, REMOTE_ID, SLUG, NAME, RANK, CHANGED, N_COLUMNS };

#define TEXT_COLUMN(n, len)                                                  \
    {                                                                        \
        .name = n, .declared = "text", .type = RLK_TYPE_TEXT, .length = len, \
        .collation = "BINARY"                                                \
    }

static const struct rlk_column columns[N_COLUMNS] = {
    [ID] = {.name = "id",
            .declared = "integer",
            .type = RLK_TYPE_INTEGER,
            .integer_bits = 64,
            .not_null = true,
            .collation = "BINARY"},
    [REMOTE_ID] = TEXT_COLUMN("remote_id", 12),
    [SLUG] = TEXT_COLUMN("slug", 0),
    [NAME] = TEXT_COLUMN("name", 0),
    [RANK] = {.name = "rank",
              .declared = "integer",
              .type = RLK_TYPE_INTEGER,
              .integer_bits = 64,
              .collation = "BINARY"},
    [CHANGED] = {.name = "changed",
                 .declared = "timestamp",
                 .type = RLK_TYPE_TIMESTAMP,
                 .collation = "BINARY"},
};

static const uint32_t id_column[] = {ID}, slug_column[] = {SLUG};
static const struct rlk_index slug_index = {
    .name = "tag_slug", .columns = slug_column, .n_columns = 1, .unique = true};

static const struct rlk_table term_table = {.name = "term",
                                            .columns = columns,
                                            .n_columns = N_COLUMNS,
                                            .primary_key = id_column,
                                            .n_primary_key = 1};
static const struct rlk_table tag_table = {.name = "tag",
                                           .columns = columns,
                                           .n_columns = N_COLUMNS,
                                           .primary_key = id_column,
                                           .n_primary_key = 1,
                                           .indexes = &slug_index,
                                           .n_indexes = 1};

struct fixture {
    struct rlk_conn *c;
    rowlock_db *db;
    rowlock_block *b; /* open, if the test asked for it */
    rowlock_error err;
};

static inline void
start(struct fixture *f, enum rlk_fake_kind kind)
{
    memset(f, 0, sizeof *f);
    f->c = rlk_fake_open(kind);
    rlk_fake_add_table(f->c, &term_table);
    rlk_fake_add_table(f->c, &tag_table);
    assert_int_equal(rlk_session_new(f->c, NULL, &f->db, &f->err), 0);
}

static inline void
start_block(struct fixture *f, enum rlk_fake_kind kind)
{
    start(f, kind);
    assert_int_equal(rowlock_begin(f->db, &f->b, &f->err), 0);
    (void)rlk_fake_trace(f->c);
}

static inline void
stop(struct fixture *f)
{
    rowlock_close(f->db);
}

/* A row of a stranger; NULL texts are NULL. */
static inline void
put(struct rlk_conn *c, const char *table, int64_t id, const char *remote_id,
    const char *slug, int64_t rank)
{
    rowlock_value row[N_COLUMNS] = {
        [ID] = rowlock_int(id),      [REMOTE_ID] = rowlock_text(remote_id),
        [SLUG] = rowlock_text(slug), [NAME] = rowlock_text(slug),
        [RANK] = rowlock_int(rank),
    };
    rlk_fake_put(c, table, row);
}

/* The record with this id, locked. */
static inline rowlock_record *
lock_id(rowlock_block *b, const char *table, int64_t id)
{
    rowlock_value v = rowlock_int(id);
    rowlock_term where = {"id", ROWLOCK_EQ, &v, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = table;
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_UPDATE;
    rowlock_record *r = NULL;
    rowlock_error err;
    assert_int_equal(rowlock_query_first(b, &q, &r, &err), 0);
    return r;
}

static inline int64_t
get_int(const rowlock_record *r, const char *column)
{
    rowlock_value v;
    assert_int_equal(rowlock_record_get(r, column, &v, NULL), 0);
    assert_int_equal(v.type, ROWLOCK_INT);
    return v.u.i;
}

static inline void
assert_text(rowlock_value v, const char *text)
{
    assert_int_equal(v.type, ROWLOCK_TEXT);
    assert_int_equal(v.u.s.len, strlen(text));
    assert_memory_equal(v.u.s.ptr, text, v.u.s.len);
}

static inline void
assert_state(const rowlock_error *err, int code, const char *sqlstate)
{
    assert_int_equal(err->code, code);
    assert_string_equal(err->sqlstate, sqlstate);
}

#endif
