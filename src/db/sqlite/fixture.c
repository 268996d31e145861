/* SPDX-License-Identifier: MIT
 * See fixture.h. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

rowlock_error last;

static struct rlk_rows slots[10];

static sqlite3 *
open_plain(const struct fixture *f)
{
    sqlite3 *db;
    check(sqlite3_open(f->path.text, &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, SUPPORT_LIMIT_S * 1000);
    return db;
}

void
stranger(const struct fixture *f, const char *sql)
{
    char *why = NULL;
    sqlite3 *db = open_plain(f);
    if (sqlite3_exec(db, sql, NULL, NULL, &why))
        support_fail("%s: %s", sql, why);
    sqlite3_close(db);
}

static int
join(void *arg, int n, char **values, char **names)
{
    struct rlk_buf *buf = arg;
    (void)names;
    rlk_buf_text(buf, buf->len ? " " : "");
    for (int i = 0; i < n; i++) {
        rlk_buf_text(buf, i ? "|" : "");
        rlk_buf_text(buf, values[i] ? values[i] : "NULL");
    }
    return 0;
}

static const char *
hand_out(struct rlk_buf *buf)
{
    static char text[4096];
    snprintf(text, sizeof text, "%s", buf->ptr ? buf->ptr : "");
    rlk_buf_done(buf);
    return text;
}

const char *
look(const struct fixture *f, const char *sql)
{
    struct rlk_buf buf = {0};
    char *why = NULL;
    sqlite3 *db = open_plain(f);
    if (sqlite3_exec(db, sql, join, &buf, &why))
        support_fail("%s: %s", sql, why);
    sqlite3_close(db);
    return hand_out(&buf);
}

void
fixture_init(struct fixture *f, const char *schema)
{
    folder_init(&f->folder);
    f->path = folder_file(&f->folder, "app.db");
    stranger(f, "PRAGMA journal_mode=wal");
    stranger(f, schema);
}

void
fixture_done(struct fixture *f)
{
    for (size_t i = 0; i < 10; i++)
        rlk_rows_done(&slots[i]);
    folder_done(&f->folder);
}

struct rlk_conn *
connect_to(const struct fixture *f)
{
    struct rlk_conn *c;
    struct rlk_open o = {.target = f->path.text, .label = "test"};
    if (rlk_sqlite_driver.open(&o, &c, &last))
        support_fail("open: %s", last.message);
    return c;
}

void
hang_up(struct rlk_conn *c)
{
    c->driver->close(c);
}

const struct rlk_table *
table_of(struct rlk_conn *c, const char *name)
{
    const struct rlk_table *t;
    if (c->driver->table(c, name, &t, &last))
        support_fail("table %s: %s", name, last.message);
    return t;
}

uint32_t
column_of(const struct rlk_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return i;
    support_fail("no column %s", name);
}

void
begin(struct rlk_conn *c)
{
    check(c->driver->begin(c, &last) == 0);
}

void
commit(struct rlk_conn *c)
{
    if (c->driver->commit(c, &last))
        support_fail("commit: %s", last.message);
}

void
rollback(struct rlk_conn *c)
{
    c->driver->rollback(c);
}

void
savepoint(struct rlk_conn *c, size_t level)
{
    check(c->driver->savepoint(c, level, &last) == 0);
}

struct rlk_rows *
kept(int slot)
{
    return &slots[slot];
}

static void
keep(int slot, struct rlk_rows rows)
{
    rlk_rows_done(&slots[slot]);
    slots[slot] = rows;
}

int
fetch(struct rlk_conn *c, const char *table, rowlock_value id,
      enum rowlock_mode mode, int32_t wait_ms, int slot)
{
    const struct rlk_table *t = table_of(c, table);
    struct rlk_term term = {t->primary_key[0], ROWLOCK_EQ, &id, 1};
    struct rlk_select q = {.table = t,
                           .where = &term,
                           .n_where = 1,
                           .lock = mode,
                           .wait_ms = wait_ms};
    struct rlk_rows rows = {0};
    int rc = c->driver->select(c, &q, &rows, &last);
    if (!rc)
        keep(slot, rows);
    return rc;
}

static void
print(struct rlk_buf *buf, rowlock_value v)
{
    switch (v.type) {
    case ROWLOCK_NULL:
        rlk_buf_text(buf, "NULL");
        break;
    case ROWLOCK_INT:
        rlk_buf_format(buf, "%lld", (long long)v.u.i);
        break;
    case ROWLOCK_DOUBLE:
        rlk_buf_format(buf, "%.1f", v.u.d);
        break;
    case ROWLOCK_TEXT:
    case ROWLOCK_BLOB:
        rlk_buf_add(buf, v.u.s.ptr, v.u.s.len);
        break;
    }
}

const char *
seen(int slot)
{
    struct rlk_buf buf = {0};
    for (size_t i = 0; i < slots[slot].n_rows; i++) {
        const struct rlk_row *row = &slots[slot].rows[i];
        rlk_buf_text(&buf, i ? " " : "");
        for (size_t j = 0; j < row->n_values; j++) {
            rlk_buf_text(&buf, j ? "|" : "");
            print(&buf, row->values[j]);
        }
    }
    return hand_out(&buf);
}

int
save(struct rlk_conn *c, const char *table, int slot, const char *column,
     rowlock_value value, int32_t wait_ms)
{
    const struct rlk_table *t = table_of(c, table);
    struct rlk_set set = {column_of(t, column), value};
    struct rlk_rows rows = {0};
    check(slots[slot].n_rows == 1);
    int rc = c->driver->update(c, t, &slots[slot].rows[0], &set, 1, wait_ms,
                               &rows, &last);
    if (!rc)
        keep(slot, rows);
    return rc;
}

int
create(struct rlk_conn *c, const char *table, const char *names,
       const rowlock_value *values, int32_t wait_ms, int slot)
{
    const struct rlk_table *t = table_of(c, table);
    struct rlk_set set[16];
    struct rlk_rows rows = {0};
    size_t n = 0;
    char copy[SUPPORT_TEXT], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", names);
    for (char *p = strtok_r(copy, ",", &rest); p;
         p = strtok_r(NULL, ",", &rest)) {
        set[n] = (struct rlk_set){column_of(t, p), values[n]};
        n++;
    }
    int rc = c->driver->insert(c, t, set, n, wait_ms, &rows, &last);
    if (!rc)
        keep(slot, rows);
    return rc;
}

int
drop(struct rlk_conn *c, const char *table, int slot, int32_t wait_ms)
{
    check(slots[slot].n_rows == 1);
    return c->driver->remove(c, table_of(c, table), &slots[slot].rows[0],
                             wait_ms, &last);
}

int
lock_key(struct rlk_conn *c, const char *table, const char *column,
         rowlock_value value, int32_t wait_ms)
{
    const struct rlk_table *t = table_of(c, table);
    struct rlk_set set = {column_of(t, column), value};
    struct rlk_match match = {&set, 1};
    return c->driver->lock_keys(c, t, &match, 1, wait_ms, &last);
}

enum rowlock_mode
mode_of(struct rlk_conn *c, const char *table, rowlock_value id)
{
    return c->driver->held(c, table_of(c, table), &id);
}
