/* SPDX-License-Identifier: MIT
 * Reads by filter, with or without locks.
 *
 * A locked read finds candidates without locks, locks them in the order of the
 * query, and reads again those that may have changed since they were found.
 * Every statement is read to its end before anything waits, so candidates come
 * in pages: as many as are wanted and a few more, to fill a LIMIT when some are
 * skipped or gone. A page that is used up is found again, larger; what was seen
 * already is passed over.
 *
 * Invariant: a record that is returned was read after its lock was granted, or
 * nobody has committed between its reading and the grant. */
#include "conn.h"

#include <string.h>

enum { SPARE = 32, MAX_LIST = 30000 };

struct search {
    struct rlk_sqlite *c;
    const struct rlk_select *q;
    rowlock_error *err;
    struct rlk_rows page; /* candidates in the order of the query */
    size_t at;            /* the next of them */
    bool last_page;       /* there are no more */
    struct rlk_rows seen; /* keys of candidates of earlier pages */
    bool writing;         /* the page was found in our own transaction */
    struct rlk_sqlite_moment found_at; /* or else then */
    struct rlk_rows kept;              /* locked and matching */
    struct rlk_rows locked;            /* candidates of this round */
};

static int
check_query(const struct rlk_select *q, rowlock_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_where; i++)
        n += q->where[i].n_values;
    if (n <= MAX_LIST)
        return 0;
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "a filter has %zu values", n);
    rlk_hint(err, "At most %d fit. Ask in several queries.", MAX_LIST);
    return ROWLOCK_UNSUPPORTED;
}

static void
select_from(struct rlk_sqlite *c, const struct rlk_table *t)
{
    rlk_sql(c, "SELECT ");
    rlk_sql_columns(c, t);
    rlk_sql(c, " FROM ");
    rlk_sql_name(c, t->name);
}

static int
find_statement(struct rlk_sqlite *c, const struct rlk_select *q,
               sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_shape_start(c, RLK_OP_FIND, rlk_sqlite_table_of(q->table));
    rlk_shape_where(c, q);
    if ((*ret = rlk_shape_find(c)))
        return 0;
    select_from(c, q->table);
    rlk_sql(c, q->n_where ? " WHERE " : "");
    rlk_sql_where(c, q);
    rlk_sql_order(c, q);
    rlk_sql(c, " LIMIT ? OFFSET ?");
    return rlk_shape_make(c, ret, err);
}

static int
read_all(struct rlk_sqlite *c, sqlite3_stmt *s, struct rlk_rows *ret,
         rowlock_error *err)
{
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW)
        RLK_TRY(rlk_row_add(c, s, ret, err));
    return step == SQLITE_DONE
               ? 0
               : rlk_sqlite_fail(c, "cannot read the table", err);
}

/* limit -1: all. */
static int
find(struct rlk_sqlite *c, const struct rlk_select *q, int64_t limit,
     int64_t offset, struct rlk_rows *ret, rowlock_error *err)
{
    sqlite3_stmt *s;
    int n = 1;
    RLK_TRY(find_statement(c, q, &s, err));
    int rc = rlk_bind_where(c, s, &n, q, err);
    if (!rc)
        rc = rlk_bind(c, s, n++, rowlock_int(limit), err);
    if (!rc)
        rc = rlk_bind(c, s, n, rowlock_int(offset), err);
    if (!rc)
        rc = read_all(c, s, ret, err);
    sqlite3_reset(s);
    return rc;
}

/* ---- with locks ---- */

static size_t
wanted(const struct search *s)
{
    if (s->q->limit <= 0)
        return SIZE_MAX;
    size_t all = (size_t)s->q->limit + (size_t)s->q->offset;
    return all > s->kept.n_rows ? all - s->kept.n_rows : 0;
}

static bool
same_key(const struct rlk_table *t, const struct rlk_row *row,
         const struct rlk_row *key)
{
    for (size_t i = 0; i < t->n_primary_key; i++)
        if (!rlk_value_same(row->values[t->primary_key[i]], key->values[i]))
            return false;
    return true;
}

static bool
was_seen(const struct search *s, const struct rlk_row *row)
{
    for (size_t i = 0; i < s->seen.n_rows; i++)
        if (same_key(s->q->table, row, &s->seen.rows[i]))
            return true;
    return false;
}

static int
mark_seen(struct search *s, const struct rlk_row *row)
{
    const struct rlk_table *t = s->q->table;
    struct rlk_row *key = rlk_rows_add(&s->seen, t->n_primary_key);
    bool ok = key;
    for (size_t i = 0; ok && i < t->n_primary_key; i++)
        ok = rlk_rows_set(&s->seen, &key->values[i],
                          row->values[t->primary_key[i]]);
    return ok ? 0 : rlk_out_of_memory(s->err);
}

static int
next_page(struct search *s)
{
    struct rlk_sqlite *c = s->c;
    size_t more = wanted(s);
    int64_t limit = -1;
    if (more < INT32_MAX)
        limit = (int64_t)(s->seen.n_rows * 2 + more + SPARE);
    rlk_rows_done(&s->page);
    s->at = 0;
    RLK_TRY(rlk_sqlite_see_own(c, s->err));
    s->writing = c->tx.writing;
    s->found_at = rlk_sqlite_moment(c);
    RLK_TRY(find(c, s->q, limit, 0, &s->page, s->err));
    s->last_page = limit < 0 || (int64_t)s->page.n_rows < limit;
    return 0;
}

static int
lock_candidate(struct search *s, const struct rlk_row *row, rowlock_value *key)
{
    rlk_key_of(s->q->table, row->values, key);
    int rc = rlk_sqlite_take_record(s->c, s->q->table, key, s->q->lock,
                                    s->q->wait_ms, s->err);
    if (rc == ROWLOCK_NOT_AVAILABLE && s->q->wait_ms == ROWLOCK_SKIP_LOCKED)
        return 0;
    RLK_TRY(rc);
    return rlk_rows_copy(&s->locked, row->values, row->n_values, s->err);
}

/* Locks as many of the page's candidates as are wanted. */
static int
lock_round(struct search *s, rowlock_value *key)
{
    size_t more = wanted(s);
    while (s->at < s->page.n_rows && s->locked.n_rows < more) {
        const struct rlk_row *row = &s->page.rows[s->at++];
        if (was_seen(s, row))
            continue;
        if (!s->last_page)
            RLK_TRY(mark_seen(s, row));
        RLK_TRY(lock_candidate(s, row, key));
    }
    return 0;
}

static int
again_statement(struct rlk_sqlite *c, const struct rlk_select *q,
                sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_shape_start(c, RLK_OP_AGAIN, rlk_sqlite_table_of(q->table));
    rlk_shape_where(c, q);
    if ((*ret = rlk_shape_find(c)))
        return 0;
    select_from(c, q->table);
    rlk_sql_is_primary_key(c, q->table);
    rlk_sql(c, q->n_where ? " AND " : "");
    rlk_sql_where(c, q);
    return rlk_shape_make(c, ret, err);
}

/* The record as it is now; none when it is gone or no longer matches. */
static int
read_again(struct rlk_sqlite *c, const struct rlk_select *q,
           const rowlock_value *key, struct rlk_rows *ret, rowlock_error *err)
{
    sqlite3_stmt *s;
    int n = 1;
    RLK_TRY(again_statement(c, q, &s, err));
    int rc = rlk_bind_all(c, s, &n, key, q->table->n_primary_key, err);
    if (!rc)
        rc = rlk_bind_where(c, s, &n, q, err);
    if (!rc)
        rc = read_all(c, s, ret, err);
    sqlite3_reset(s);
    return rc;
}

int
rlk_sqlite_read_record(struct rlk_sqlite *c, const struct rlk_table *t,
                       const rowlock_value *key, struct rlk_rows *ret,
                       rowlock_error *err)
{
    const struct rlk_select all = {.table = t};
    return read_again(c, &all, key, ret, err);
}

/* Nobody committed since the page was found, and we still are in the same
 * transaction, if any. */
static int
is_unchanged(struct search *s, uint64_t epoch, bool *ret)
{
    RLK_TRY(rlk_sqlite_see_own(s->c, s->err));
    const struct rlk_sqlite_moment now = rlk_sqlite_moment(s->c);
    *ret = s->writing ? s->c->tx.writing && s->c->tx.epoch == epoch
                      : rlk_sqlite_same_moment(&now, &s->found_at);
    return 0;
}

static int
keep(struct search *s, const struct rlk_row *row, bool unchanged,
     rowlock_value *key)
{
    if (unchanged)
        return rlk_rows_copy(&s->kept, row->values, row->n_values, s->err);
    rlk_key_of(s->q->table, row->values, key);
    return read_again(s->c, s->q, key, &s->kept, s->err);
}

static int
keep_round(struct search *s, uint64_t epoch, rowlock_value *key)
{
    bool unchanged;
    RLK_TRY(is_unchanged(s, epoch, &unchanged));
    for (size_t i = 0; i < s->locked.n_rows; i++)
        RLK_TRY(keep(s, &s->locked.rows[i], unchanged, key));
    rlk_rows_done(&s->locked);
    return 0;
}

/* The epoch is that of the page: an older page is never taken for current. */
static int
search_all(struct search *s, rowlock_value *key)
{
    uint64_t epoch = 0;
    while (wanted(s) > 0) {
        if (s->at == s->page.n_rows && s->last_page)
            break;
        if (s->at == s->page.n_rows) {
            RLK_TRY(next_page(s));
            epoch = s->c->tx.epoch;
        }
        RLK_TRY(lock_round(s, key));
        RLK_TRY(keep_round(s, epoch, key));
    }
    return 0;
}

/* OFFSET counts records that match; they stay locked. */
static void
drop_offset(struct rlk_rows *rows, int64_t offset)
{
    size_t skip = offset <= 0 ? 0 : (size_t)offset;
    if (skip > rows->n_rows)
        skip = rows->n_rows;
    if (skip)
        memmove(rows->rows, rows->rows + skip,
                (rows->n_rows - skip) * sizeof *rows->rows);
    rows->n_rows -= skip;
}

/* NOWAIT and SKIP LOCKED are about records. For the table, which only VACUUM
 * and its like hold, one waits all the same, as in PostgreSQL: or a SKIP LOCKED
 * beside one would find the table empty. */
static int
lock_table(struct rlk_sqlite *c, const struct rlk_select *q, rowlock_error *err)
{
    const rowlock_name name = {.kind = ROWLOCK_TABLE, .table = q->table->name};
    if (q->wait_ms >= 0)
        return 0; /* comes with the first record */
    return rlk_sqlite_take(c, &name, ROWLOCK_KEY_SHARE, ROWLOCK_WAIT, err);
}

static int
select_locked(struct rlk_sqlite *c, const struct rlk_select *q,
              struct rlk_rows *ret, rowlock_error *err)
{
    struct search s = {.c = c, .q = q, .err = err};
    rowlock_value *key RLK_AUTOFREE =
        rlk_calloc(q->table->n_primary_key, sizeof *key);
    int rc = key ? lock_table(c, q, err) : rlk_out_of_memory(err);
    if (!rc)
        rc = search_all(&s, key);
    rlk_rows_done(&s.page);
    rlk_rows_done(&s.seen);
    rlk_rows_done(&s.locked);
    if (rc) {
        rlk_rows_done(&s.kept);
        return rc;
    }
    drop_offset(&s.kept, q->offset);
    *ret = s.kept;
    return 0;
}

static int
select_plain(struct rlk_sqlite *c, const struct rlk_select *q,
             struct rlk_rows *ret, rowlock_error *err)
{
    struct rlk_rows rows = {0};
    RLK_TRY(rlk_sqlite_see_own(c, err));
    int rc = find(c, q, q->limit > 0 ? q->limit : -1, q->offset, &rows, err);
    if (rc)
        rlk_rows_done(&rows);
    else
        *ret = rows;
    return rc;
}

int
rlk_sqlite_select(struct rlk_conn *conn, const struct rlk_select *q,
                  struct rlk_rows *ret, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    RLK_TRY(rlk_sqlite_ready(c, err));
    RLK_TRY(check_query(q, err));
    if (q->lock == ROWLOCK_READ)
        return select_plain(c, q, ret, err);
    return select_locked(c, q, ret, err);
}
