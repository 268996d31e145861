/* SPDX-License-Identifier: MIT
 * Records: get, set, save, delete, create.
 *
 * Invariant: a record's row is what the database held when it was read or last
 * written through it. A block may hold several handles of one record; when
 * another handle has written it since, save reads it again first, so that the
 * driver's comparison finds strangers' changes only. Read next: upsert.c. */
#include <string.h>

#include "declared.h"
#include "keys.h"
#include "query.h"
#include "value.h"
#include "write.h"

/* ---- who may be asked ---- */

static int
enter(const rowlock_record *r, rowlock_block **ret, rowlock_error *err)
{
    if (!r)
        return rlk_fail(err, ROWLOCK_MISUSE, "no record given");
    RLK_TRY(rlk_session_enter(r->rows->db, ret, err));
    if (r->rows->dead)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the record has died with its block");
    return 0;
}

static int
enter_to_write(rowlock_record *r, rowlock_block **ret, rowlock_error *err)
{
    RLK_TRY(enter(r, ret, err));
    if (!r->rows->table)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "a row of rowlock_sql() is not a record");
    if (r->now.deleted)
        return rlk_fail(err, ROWLOCK_MISUSE, "the record is deleted");
    return 0;
}

/* Before r's state changes: a nested block's rollback must bring it back. */
static int
keep(rowlock_block *b, rowlock_record *r, rowlock_error *err)
{
    if (b->level == 0 || r->undone_in == b->serial ||
        r->rows->serial >= b->first_rows)
        return 0;
    if (!rlk_undo_keep(&b->db->undo, r))
        return rlk_out_of_memory(err);
    r->undone_in = b->serial;
    return 0;
}

/* ---- get and set ---- */

static int
find_named(const rowlock_record *r, const char *column, uint32_t *ret,
           rowlock_error *err)
{
    const struct rlk_rows *data = &r->rows->data;
    if (r->rows->table)
        return rlk_table_column(r->rows->table, column, ret, err);
    if (!column)
        return rlk_fail(err, ROWLOCK_MISUSE, "no column given");
    for (size_t i = 0; i < data->n_columns; i++)
        if (strcmp(data->column_names[i], column) == 0) {
            *ret = (uint32_t)i;
            return 0;
        }
    int code = rlk_fail(err, ROWLOCK_UNDEFINED,
                        "the statement names no column \"%s\"", column);
    rlk_sqlstate(err, "42703");
    return code;
}

int
rowlock_record_get(const rowlock_record *r, const char *column,
                   rowlock_value *ret, rowlock_error *err)
{
    rowlock_block *b;
    uint32_t i;
    RLK_TRY(enter(r, &b, err));
    if (!ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "nowhere to put the value");
    int rc = find_named(r, column, &i, err);
    if (rc)
        return rlk_block_leave(b, rc, err);
    const struct rlk_pending *p = r->now.pending;
    *ret = p && p->is_set[i] ? p->values[i] : r->now.row.values[i];
    return 0;
}

static int
set(rowlock_block *b, rowlock_record *r, const char *column, rowlock_value v,
    rowlock_error *err)
{
    struct rlk_scratch RLK_AUTOSCRATCH scratch = rlk_scratch_take(b->db);
    struct rlk_set *one;
    rowlock_pair pair = {column, v};
    RLK_TRY(
        rlk_pairs_resolve(r->rows->table, &pair, 1, &scratch.arena, &one, err));
    RLK_TRY(keep(b, r, err));
    if (!rlk_pending_set(&r->now, one->column, one->value))
        return rlk_out_of_memory(err);
    return 0;
}

int
rowlock_record_set(rowlock_record *r, const char *column, rowlock_value v,
                   rowlock_error *err)
{
    rowlock_block *b;
    RLK_TRY(enter_to_write(r, &b, err));
    return rlk_block_leave(b, set(b, r, column, v, err), err);
}

/* ---- save ---- */

static int
check_locked(rowlock_db *db, const rowlock_record *r, struct rlk_arena *arena,
             rowlock_error *err)
{
    const struct rlk_table *t = r->rows->table;
    rowlock_value *pk = rlk_arena_alloc(arena, t->n_primary_key, sizeof *pk);
    if (!pk)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < t->n_primary_key; i++)
        pk[i] = r->now.row.values[t->primary_key[i]];
    if (db->driver->held(db->conn, t, pk) >= ROWLOCK_NO_KEY_UPDATE)
        return 0;
    int code = rlk_fail(err, ROWLOCK_MISUSE,
                        "a record of %s is saved without its lock", t->name);
    rlk_hint(err, "Read it with ROWLOCK_NO_KEY_UPDATE or ROWLOCK_UPDATE.");
    return code;
}

int
rlk_record_catch_up(rowlock_block *b, rowlock_record *r, rowlock_error *err)
{
    rowlock_db *db = b->db;
    uint64_t name = rlk_writes_name(r->rows->table, &r->now.row);
    if (rlk_writes_last(&db->writes, name) <= r->now.seen)
        return 0;
    struct rlk_rows data = {0};
    int rc = rlk_select_one(db, r->rows->table, &r->now.row, ROWLOCK_READ,
                            ROWLOCK_WAIT, &data, err);
    if (!rc && data.n_rows == 0)
        rc = rlk_fail(err, ROWLOCK_MISUSE,
                      "this block has deleted the record, or changed its key");
    if (!rc)
        rc = keep(b, r, err);
    if (!rc && !rlk_record_replace(r, &data))
        rc = rlk_out_of_memory(err);
    rlk_rows_done(&data);
    return rc;
}

int
rlk_changed_sets(const struct rlk_table *t, const struct rlk_state *state,
                 struct rlk_arena *arena, struct rlk_set **ret, size_t *ret_n)
{
    const struct rlk_pending *p = state->pending;
    size_t n = 0;
    struct rlk_set *sets =
        rlk_arena_alloc(arena, p ? p->n_values : 0, sizeof *sets);
    if (!sets)
        return -1;
    for (uint32_t i = 0; p && i < p->n_values; i++)
        if (p->is_set[i] && !rlk_value_equal(&t->columns[i], p->values[i],
                                             state->row.values[i]))
            sets[n++] = (struct rlk_set){i, p->values[i]};
    *ret = sets;
    *ret_n = n;
    return 0;
}

int
rlk_lock_write_keys(rowlock_db *db, const struct rlk_write *w,
                    struct rlk_arena *arena, rowlock_error *err)
{
    struct rlk_keys keys = {.arena = arena};
    if (!(db->driver->capabilities & RLK_CAN_LOCK_KEYS))
        return 0;
    if (!rlk_keys_of_write(&keys, w->table, w->old, w->set, w->n_set) ||
        !rlk_declared_keys(db->declared, &keys, w))
        return rlk_out_of_memory(err);
    if (!keys.n)
        return 0;
    return db->driver->lock_keys(db->conn, w->table, keys.list, keys.n,
                                 db->wait_ms, err);
}

int
rlk_note_write(rowlock_db *db, const struct rlk_table *t,
               const struct rlk_row *row, rowlock_error *err)
{
    if (!rlk_writes_note(&db->writes, rlk_writes_name(t, row)))
        return rlk_out_of_memory(err);
    return 0;
}

/* Both names are noted: the write may have changed the primary key. */
int
rlk_record_written(rowlock_block *b, rowlock_record *r, struct rlk_rows *data,
                   rowlock_error *err)
{
    rowlock_db *db = b->db;
    RLK_TRY(rlk_note_write(db, r->rows->table, &r->now.row, err));
    if (!rlk_record_replace(r, data))
        return rlk_out_of_memory(err);
    RLK_TRY(rlk_note_write(db, r->rows->table, &r->now.row, err));
    r->now.seen = db->writes.number;
    rlk_pending_clear(&r->now);
    return 0;
}

static int
update_record(rowlock_block *b, rowlock_record *r, const struct rlk_write *w,
              rowlock_error *err)
{
    rowlock_db *db = b->db;
    struct rlk_rows data = {0};
    RLK_TRY(keep(b, r, err));
    int rc = db->driver->update(db->conn, w->table, &r->now.row, w->set,
                                w->n_set, db->wait_ms, &data, err);
    if (!rc && data.n_rows == 0)
        rc = rlk_fail(err, ROWLOCK_IO, "the driver gave no row back");
    if (!rc)
        rc = rlk_record_written(b, r, &data, err);
    rlk_rows_done(&data);
    return rc;
}

int
rlk_record_save_changes(rowlock_block *b, rowlock_record *r, rowlock_error *err)
{
    rowlock_db *db = b->db;
    struct rlk_scratch RLK_AUTOSCRATCH scratch = rlk_scratch_take(db);
    struct rlk_set *sets;
    size_t n;
    RLK_TRY(check_locked(db, r, &scratch.arena, err));
    RLK_TRY(rlk_record_catch_up(b, r, err));
    if (rlk_changed_sets(r->rows->table, &r->now, &scratch.arena, &sets, &n))
        return rlk_out_of_memory(err);
    if (n == 0) {
        RLK_TRY(keep(b, r, err));
        rlk_pending_clear(&r->now);
        return 0;
    }
    struct rlk_write w = {r->rows->table, &r->now.row, sets, n};
    RLK_TRY(rlk_session_ask_guards(db, &w, err));
    RLK_TRY(rlk_lock_write_keys(db, &w, &scratch.arena, err));
    return update_record(b, r, &w, err);
}

int
rowlock_record_save(rowlock_record *r, rowlock_error *err)
{
    rowlock_block *b;
    RLK_TRY(enter_to_write(r, &b, err));
    return rlk_block_leave(b, rlk_record_save_changes(b, r, err), err);
}

/* ---- delete ---- */

static int delete (rowlock_block *b, rowlock_record *r, rowlock_error *err)
{
    rowlock_db *db = b->db;
    struct rlk_write w = {r->rows->table, &r->now.row, NULL, 0};
    RLK_TRY(rlk_record_catch_up(b, r, err));
    RLK_TRY(rlk_session_ask_guards(db, &w, err));
    RLK_TRY(keep(b, r, err));
    RLK_TRY(
        db->driver->remove(db->conn, w.table, &r->now.row, db->wait_ms, err));
    RLK_TRY(rlk_note_write(db, w.table, &r->now.row, err));
    rlk_pending_clear(&r->now);
    r->now.deleted = true;
    return 0;
}

int
rowlock_record_delete(rowlock_record *r, rowlock_error *err)
{
    rowlock_block *b;
    RLK_TRY(enter_to_write(r, &b, err));
    return rlk_block_leave(b, delete (b, r, err), err);
}

/* ---- create ---- */

static int
insert(rowlock_block *b, const struct rlk_write *w, rowlock_record **ret,
       rowlock_error *err)
{
    rowlock_db *db = b->db;
    struct rlk_rows data = {0};
    rowlock_rows *rows;
    int rc = db->driver->insert(db->conn, w->table, w->set, w->n_set,
                                db->wait_ms, ret ? &data : NULL, err);
    if (!rc && ret && data.n_rows == 0)
        rc = rlk_fail(err, ROWLOCK_IO, "the driver gave no row back");
    if (!rc && ret) {
        rc = rlk_publish(b, w->table, &data, &rows, err);
        if (!rc)
            *ret = &rows->records[0];
    }
    rlk_rows_done(&data);
    return rc;
}

static int
create(rowlock_block *b, const char *table, const rowlock_pair *values,
       size_t n, rowlock_record **ret, rowlock_error *err)
{
    rowlock_db *db = b->db;
    struct rlk_scratch RLK_AUTOSCRATCH scratch = rlk_scratch_take(db);
    const struct rlk_table *t;
    struct rlk_set *sets;
    RLK_TRY(rlk_session_table(db, table, &t, err));
    RLK_TRY(rlk_pairs_resolve(t, values, n, &scratch.arena, &sets, err));
    struct rlk_write w = {t, NULL, sets, n};
    RLK_TRY(rlk_session_ask_guards(db, &w, err));
    RLK_TRY(rlk_lock_write_keys(db, &w, &scratch.arena, err));
    return insert(b, &w, ret, err);
}

int
rowlock_record_create(rowlock_block *b, const char *table,
                      const rowlock_pair *values, size_t n,
                      rowlock_record **ret, rowlock_error *err)
{
    RLK_TRY(rlk_block_enter(b, err));
    return rlk_block_leave(b, create(b, table, values, n, ret, err), err);
}
