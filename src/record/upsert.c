/* SPDX-License-Identifier: MIT
 * update_or_create without races.
 *
 * A call goes in rounds. A round looks the keys up, decides between update and
 * create, takes the locks that the decision needs, and makes sure that what it
 * saw still holds; if not, the next round starts from what is there now.
 *
 * Order of locks: keys first, all of them in one request in canonical order,
 * then the record, then the writer slot. A call that holds a record which it
 * took itself, or some of the keys, and finds that it needs another key, gives
 * back what it took and asks for all of them anew. Otherwise two calls that
 * come to one record through different keys would wait for each other.
 *
 * What makes duplicates impossible: whoever creates or changes a key holds its
 * key lock from before a lookup inside its write transaction until its block
 * ends. Strangers, who take no locks, are kept out by the engine between that
 * lookup and the write, or by a unique index, if any.
 * Read next: look.c, upsert_lock.c. */
#include <string.h>

#include "declared.h"
#include "query.h"
#include "upsert.h"
#include "value.h"
#include "write.h"

enum { ROUNDS = 8 };

enum step { AGAIN, DONE };

/* ---- writing ---- */

/* A violation is looked at again, once: a stranger may have come in between.
 * If nothing has changed it is about another unique column. */
static int
note_clash(struct rlk_call *s, const rowlock_error *clash, rowlock_error *err)
{
    if (s->clash) {
        if (err)
            *err = *clash;
        return ROWLOCK_UNIQUE;
    }
    s->clash = rlk_arena_alloc(s->arena, 1, sizeof *s->clash);
    if (!s->clash)
        return rlk_out_of_memory(err);
    *s->clash = *clash;
    s->looked = false;
    return 0;
}

static int
write_hit(struct rlk_call *s, struct rlk_rows *ret_row, rowlock_error *err)
{
    return s->driver->update(s->db->conn, s->r.table, s->hit, s->sets,
                             s->n_sets, s->r.wait_ms, ret_row, err);
}

static int
write_new(struct rlk_call *s, struct rlk_rows *ret_row, rowlock_error *err)
{
    return s->driver->insert(s->db->conn, s->r.table, s->r.creating,
                             s->r.n_creating, s->r.wait_ms, ret_row, err);
}

typedef int writer(struct rlk_call *s, struct rlk_rows *ret_row,
                   rowlock_error *err);

/* Where a stranger can have come between our lookup and the write, the write
 * stands in a savepoint and a violation means to look again. */
static int
write_guarded(struct rlk_call *s, writer *write, struct rlk_rows *ret_row,
              enum step *ret_step, rowlock_error *err)
{
    struct rlk_conn *conn = s->db->conn;
    size_t level = s->db->depth;
    rowlock_error local;
    *ret_step = DONE;
    RLK_TRY(s->driver->savepoint(conn, level, err));
    int rc = write(s, ret_row, &local);
    if (rc == 0)
        return s->driver->release(conn, level, err);
    s->driver->rollback_to(conn, level);
    if (rc == ROWLOCK_UNIQUE && !s->driver->transaction_lost(conn)) {
        RLK_TRY(s->driver->release(conn, level, err));
        *ret_step = AGAIN;
        return note_clash(s, &local, err);
    }
    if (err)
        *err = local;
    return rc;
}

/* An insert with no triggers to run and no parents to lock cannot wait, so
 * nothing comes between the lookup and its end: a violation is about another
 * unique column, and needs no savepoint. */
static int
write_new_row(struct rlk_call *s, struct rlk_rows *ret_row, enum step *ret_step,
              rowlock_error *err)
{
    const struct rlk_table *t = s->r.table;
    if (!rlk_call_is_current(s) || t->has_triggers || t->n_foreign_keys)
        return write_guarded(s, write_new, ret_row, ret_step, err);
    *ret_step = DONE;
    return write_new(s, ret_row, err);
}

static int
unheard_of_row(rowlock_error *err)
{
    return rlk_fail(err, ROWLOCK_IO, "the driver gave no row back");
}

/* ---- a hit: update ---- */

static void
choose_sets(struct rlk_call *s)
{
    const struct rlk_request *r = &s->r;
    s->n_sets = 0;
    for (size_t i = 0; i < r->n_updating; i++) {
        const struct rlk_set *set = &r->updating[i];
        if (!rlk_value_equal(&r->table->columns[set->column], set->value,
                             s->hit->values[set->column]))
            s->sets[s->n_sets++] = *set;
    }
}

/* The keys that the chosen sets touch, locked. */
static int
lock_keys_of_sets(struct rlk_call *s, bool *ret_key_change, bool *ret_asked,
                  rowlock_error *err)
{
    struct rlk_keys need;
    if (!rlk_call_keys_of(s, s->hit, s->sets, s->n_sets, &need))
        return rlk_out_of_memory(err);
    *ret_key_change = need.n > 0;
    return rlk_call_lock_keys(s, &need, ret_asked, err);
}

/* The hit becomes a record of the block. */
static int
make_record(struct rlk_call *s, struct rlk_rows *data, size_t at,
            rowlock_error *err)
{
    rowlock_rows *rows;
    data->rows[0] = data->rows[at];
    data->n_rows = 1;
    RLK_TRY(rlk_publish(s->b, s->r.table, data, &rows, err));
    s->record = &rows->records[0];
    s->hit = &s->record->now.row;
    return 0;
}

static int
publish_hit(struct rlk_call *s, rowlock_error *err)
{
    if (!s->want_record || s->record)
        return 0;
    return make_record(s, &s->rows, (size_t)(s->hit - s->rows.rows), err);
}

/* The caller's function may do anything but end the block. */
static int
ask_caller(struct rlk_call *s, int created, rowlock_error *err)
{
    rowlock_block *b = s->b;
    b->managed++;
    int rc = s->r.u->change(s->record, created, s->r.u->arg, err);
    b->managed--;
    bool left_open = s->db->depth > b->level + 1;
    if (left_open)
        rlk_block_rollback(s->db->levels[b->level + 1]);
    if (rc)
        rlk_block_fail(b, rc, err);
    RLK_TRY(rc);
    RLK_TRY(rlk_block_enter(b, err));
    if (!left_open)
        return 0;
    rlk_fail(err, ROWLOCK_MISUSE, "the change function left a block open");
    rlk_block_fail(b, ROWLOCK_MISUSE, err);
    return ROWLOCK_MISUSE;
}

/* What the caller's function makes of the locked record. It may have written
 * too, so nothing that was looked up before still counts. */
static int
change_hit(struct rlk_call *s, rowlock_error *err)
{
    if (!s->r.u->change)
        return 0;
    for (size_t i = 0; i < s->n_sets; i++)
        if (!rlk_pending_set(&s->record->now, s->sets[i].column,
                             s->sets[i].value))
            return rlk_out_of_memory(err);
    uint64_t before = s->db->writes.number;
    RLK_TRY(ask_caller(s, 0, err));
    uint64_t name = rlk_writes_name(s->r.table, &s->record->now.row);
    s->saved |= rlk_writes_last(&s->db->writes, name) > before;
    RLK_TRY(rlk_record_catch_up(s->b, s->record, err));
    s->hit = &s->record->now.row;
    s->looked = false;
    struct rlk_set *sets;
    if (rlk_changed_sets(s->r.table, &s->record->now, s->arena, &sets,
                         &s->n_sets))
        return rlk_out_of_memory(err);
    memcpy(s->sets, sets, s->n_sets * sizeof *sets);
    return 0;
}

static int
save_hit(struct rlk_call *s, bool key_change, enum step *ret_step,
         rowlock_error *err)
{
    const struct rlk_table *t = s->r.table;
    struct rlk_rows data = {0};
    struct rlk_rows *ret_row = s->record ? &data : NULL;
    struct rlk_write w = {t, s->hit, s->sets, s->n_sets};
    RLK_TRY(rlk_session_ask_guards(s->db, &w, err));
    RLK_TRY(rlk_note_write(s->db, t, s->hit, err));
    *ret_step = DONE;
    int rc = key_change ? write_guarded(s, write_hit, ret_row, ret_step, err)
                        : write_hit(s, ret_row, err);
    if (!rc && *ret_step == DONE && ret_row)
        rc = data.n_rows ? rlk_record_written(s->b, s->record, &data, err)
                         : unheard_of_row(err);
    rlk_rows_done(&data);
    return rc;
}

/* With its keys and its record locked. */
static int
write_sets(struct rlk_call *s, bool key_change, enum step *ret_step,
           rowlock_error *err)
{
    bool same = true;
    *ret_step = DONE;
    s->outcome = s->n_sets || s->saved ? ROWLOCK_UPDATED : ROWLOCK_UNCHANGED;
    if (!s->n_sets) {
        if (s->record)
            rlk_pending_clear(&s->record->now);
        return 0;
    }
    if (key_change) {
        RLK_TRY(s->driver->start_write(s->db->conn, s->r.wait_ms, err));
        if (!rlk_call_is_current(s))
            RLK_TRY(rlk_call_look_again(s, RLK_SAME_VALUES, &same, err));
    }
    if (same)
        return save_hit(s, key_change, ret_step, err);
    *ret_step = AGAIN;
    return 0;
}

static int
update(struct rlk_call *s, enum step *ret_step, rowlock_error *err)
{
    bool key_change = false, asked = false, same = false;
    *ret_step = AGAIN;
    choose_sets(s);
    RLK_TRY(lock_keys_of_sets(s, &key_change, &asked, err));
    if (asked && !rlk_call_is_current(s))
        return 0;
    RLK_TRY(rlk_call_lock_hit(
        s, key_change ? ROWLOCK_UPDATE : ROWLOCK_NO_KEY_UPDATE, &same, err));
    if (!same) {
        rlk_call_give_back(s);
        return 0;
    }
    choose_sets(s);
    RLK_TRY(publish_hit(s, err));
    RLK_TRY(change_hit(s, err));
    RLK_TRY(lock_keys_of_sets(s, &key_change, &asked, err));
    return asked ? 0 : write_sets(s, key_change, ret_step, err);
}

/* ---- a miss: create ---- */

static int
change_new(struct rlk_call *s, rowlock_error *err)
{
    if (!s->r.u->change)
        return 0;
    RLK_TRY(ask_caller(s, 1, err));
    return rlk_record_save_changes(s->b, s->record, err);
}

static int
insert(struct rlk_call *s, enum step *ret_step, rowlock_error *err)
{
    const struct rlk_request *r = &s->r;
    struct rlk_rows data = {0};
    struct rlk_rows *ret_row = s->want_record ? &data : NULL;
    struct rlk_write w = {r->table, NULL, r->creating, r->n_creating};
    RLK_TRY(rlk_session_ask_guards(s->db, &w, err));
    int rc = write_new_row(s, ret_row, ret_step, err);
    if (!rc && *ret_step == DONE && ret_row)
        rc = data.n_rows ? make_record(s, &data, 0, err) : unheard_of_row(err);
    rlk_rows_done(&data);
    if (rc || *ret_step == AGAIN)
        return rc;
    s->outcome = ROWLOCK_CREATED;
    return change_new(s, err);
}

/* Between the keys' locks and the insert one lookup is enough, the one inside
 * the write transaction: nobody else can write between it and the insert. */
static int
create(struct rlk_call *s, enum step *ret_step, rowlock_error *err)
{
    struct rlk_keys need;
    bool asked, same = true;
    *ret_step = AGAIN;
    RLK_TRY(rlk_request_create(&s->r, s->arena, err));
    if (!rlk_call_keys_of(s, NULL, s->r.creating, s->r.n_creating, &need))
        return rlk_out_of_memory(err);
    RLK_TRY(rlk_call_lock_keys(s, &need, &asked, err));
    RLK_TRY(s->driver->start_write(s->db->conn, s->r.wait_ms, err));
    if (!rlk_call_is_current(s))
        RLK_TRY(rlk_call_look_again(s, RLK_SAME_RECORD, &same, err));
    return same ? insert(s, ret_step, err) : 0;
}

/* ---- the rounds ---- */

static int
one_round(struct rlk_call *s, enum step *ret_step, rowlock_error *err)
{
    rlk_call_drop_record(s);
    if (!rlk_call_is_current(s))
        RLK_TRY(rlk_call_look(s, err));
    return s->hit ? update(s, ret_step, err) : create(s, ret_step, err);
}

static int
all_rounds(struct rlk_call *s, rowlock_error *err)
{
    enum step step = AGAIN;
    for (int i = 0; i < ROUNDS && step == AGAIN; i++)
        RLK_TRY(one_round(s, &step, err));
    if (step == DONE)
        return 0;
    int code = rlk_fail(err, ROWLOCK_SERIALIZATION,
                        "could not serialize access to %s", s->r.table->name);
    rlk_detail(err, "Its match keys met another record at each of %d looks.",
               ROUNDS);
    return code;
}

static int
declare(struct rlk_call *s, rowlock_error *err)
{
    for (size_t i = 0; i < s->r.n_match; i++)
        if (!rlk_declare(&s->db->declared, s->r.table, s->r.match[i].columns,
                         s->r.match[i].n_columns))
            return rlk_out_of_memory(err);
    return 0;
}

static int
call(struct rlk_call *s, rowlock_error *err)
{
    RLK_TRY(rlk_request_read(s->db, s->r.u, s->arena, &s->r, err));
    RLK_TRY(declare(s, err));
    s->found = rlk_arena_alloc(s->arena, s->r.n_live, sizeof *s->found);
    s->sets = rlk_arena_alloc(s->arena, s->r.table->n_columns, sizeof *s->sets);
    if (!s->found || !s->sets)
        return rlk_out_of_memory(err);
    s->keys.arena = s->arena;
    if (s->driver->lock_mark)
        s->mark = s->driver->lock_mark(s->db->conn);
    return all_rounds(s, err);
}

static int
update_or_create(rowlock_block *b, const rowlock_upsert *u,
                 rowlock_record **ret, enum rowlock_outcome *ret_outcome,
                 rowlock_error *err)
{
    struct rlk_scratch RLK_AUTOSCRATCH scratch = rlk_scratch_take(b->db);
    struct rlk_call s = {
        .b = b,
        .db = b->db,
        .driver = b->db->driver,
        .arena = &scratch.arena,
        .r.u = u,
        .want_record = ret || u->change,
    };
    int rc = call(&s, err);
    rlk_rows_done(&s.rows);
    RLK_TRY(rc);
    if (ret)
        *ret = s.record;
    else
        rlk_call_drop_record(&s);
    if (ret_outcome)
        *ret_outcome = s.outcome;
    return 0;
}

int
rowlock_update_or_create(rowlock_block *b, const rowlock_upsert *u,
                         rowlock_record **ret,
                         enum rowlock_outcome *ret_outcome, rowlock_error *err)
{
    rowlock_upsert copy;
    RLK_TRY(rlk_block_enter(b, err));
    if (!u)
        return rlk_fail(err, ROWLOCK_MISUSE, "nothing to update or create");
    RLK_TRY(
        rlk_read_sized(u, u->size, &copy, sizeof copy, "rowlock_upsert", err));
    return rlk_block_leave(b, update_or_create(b, &copy, ret, ret_outcome, err),
                           err);
}
