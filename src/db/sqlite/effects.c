/* SPDX-License-Identifier: MIT
 * What a statement really changes, seen by SQLite's preupdate hook: the record
 * that was meant (the target), and whatever triggers, cascades and REPLACE
 * change besides.
 *
 * The target's old row is compared with what was read under the lock: another
 * row there means a program that takes no locks. The lock of every other
 * record is tried without waiting; what others hold is noted, and waited for
 * after the step, without the slot. Records of tables without a primary key
 * have no name: nobody can hold them, so there is nothing to try.
 *
 * The hook runs inside sqlite3_step(): it calls nothing of SQLite but the
 * preupdate functions. */
#include "conn.h"

#include <string.h>

struct change {
    int op; /* SQLITE_INSERT, SQLITE_UPDATE or SQLITE_DELETE */
    const struct rlk_sqlite_table *table;
    int64_t old_rowid, new_rowid;
    rowlock_value *old_row, *new_row; /* NULL where there is none */
    rowlock_value *old_key, *new_key;
    bool is_target;
};

/* The first change of a record notes what was there before, too: a save may
 * still expect that. */
static void
note_versions(struct rlk_sqlite *c, const struct change *ch, uint64_t old)
{
    const struct rlk_sqlite_table *t = ch->table;
    uint64_t record = 0, new_record = 0;
    if (ch->old_row) {
        record = rlk_record_hash(t, ch->old_key);
        rlk_add_version(c, record, old);
    }
    if (ch->new_row) {
        new_record = rlk_record_hash(t, ch->new_key);
        rlk_add_version(c, new_record, rlk_row_hash(t, ch->new_row));
    }
    if (ch->old_row && record != new_record)
        rlk_add_version(c, record, 0);
}

/* ---- the rows that the hook sees ---- */

typedef int get_value(sqlite3 *db, int n, sqlite3_value **ret);

/* A REAL column stores 5.0 as 5, and the hook sees it so. */
static rowlock_value
read_cell(const struct rlk_sqlite *c, const struct rlk_sqlite_column *column,
          get_value *get, int n)
{
    sqlite3_value *v;
    if (column->storage < 0 || get(c->db, n, &v))
        return rowlock_null();
    rowlock_value value = rlk_view(v);
    if (value.type == ROWLOCK_INT && column->affinity == RLK_AFFINITY_REAL)
        value = rowlock_double((double)value.u.i);
    return value;
}

/* With VIRTUAL columns SQLite (3.40) takes the rowid's place and REAL columns
 * by their declared numbers and all else by stored ones, so a row cannot be
 * trusted; the primary key can be mended. */
static void
mend_key(const struct change *ch, bool is_old, rowlock_value *row)
{
    const struct rlk_sqlite_table *t = ch->table;
    if (t->rowid_key)
        row[t->base.primary_key[0]] =
            rowlock_int(is_old ? ch->old_rowid : ch->new_rowid);
    for (size_t i = 0; i < t->base.n_primary_key; i++) {
        uint32_t column = t->base.primary_key[i];
        if (t->columns[column].affinity == RLK_AFFINITY_NUMERIC)
            rlk_fold_number(&row[column]);
    }
}

/* The hook numbers columns as they are stored; those of a WITHOUT ROWID table
 * as they are declared, but for the new row of an UPDATE. */
static void
read_row(struct rlk_sqlite *c, const struct change *ch, get_value *get,
         rowlock_value *ret)
{
    const struct rlk_sqlite_table *t = ch->table;
    bool declared = t->without_rowid &&
                    (ch->op != SQLITE_UPDATE || get == sqlite3_preupdate_old);
    for (size_t i = 0; i < t->base.n_columns; i++)
        ret[i] = read_cell(c, &t->columns[i], get,
                           declared ? (int)i : t->columns[i].storage);
    if (t->misnumbered)
        mend_key(ch, get == sqlite3_preupdate_old, ret);
}

static rowlock_value *
scratch(struct rlk_sqlite *c, size_t n)
{
    struct rlk_sqlite_effects *e = &c->effects;
    if (n > e->cap_scratch) {
        void *more = rlk_reallocarray(e->scratch, n, sizeof *e->scratch);
        if (!more)
            return NULL;
        e->scratch = more;
        e->cap_scratch = n;
    }
    return e->scratch;
}

/* The rows of a write whose outcome is foreseen: nothing is asked of SQLite but
 * the number that it gave. */
static void
foresee_row(struct rlk_sqlite *c, const struct change *ch, bool is_old,
            rowlock_value *ret)
{
    const struct rlk_sqlite_write *w = c->effects.write;
    const struct rlk_table *t = &ch->table->base;
    const struct rlk_row *expect = c->effects.target.expect;
    for (size_t i = 0; i < t->n_columns; i++)
        ret[i] = expect ? expect->values[i] : rowlock_null();
    for (size_t i = 0; !is_old && i < w->n_set; i++)
        ret[w->set[i].column] = w->set[i].value;
    if (!expect)
        ret[t->primary_key[0]] = rowlock_int(ch->new_rowid);
}

static void
see_row(struct rlk_sqlite *c, const struct change *ch, bool is_old,
        rowlock_value *ret)
{
    if (ch->is_target && c->effects.target.foreseen)
        foresee_row(c, ch, is_old, ret);
    else
        read_row(c, ch, is_old ? sqlite3_preupdate_old : sqlite3_preupdate_new,
                 ret);
}

static bool
read_change(struct rlk_sqlite *c, struct change *ch)
{
    const struct rlk_table *t = &ch->table->base;
    rowlock_value *room = scratch(c, 2 * (t->n_columns + t->n_primary_key));
    if (!room)
        return false;
    if (ch->op != SQLITE_INSERT) {
        ch->old_row = room;
        ch->old_key = room + t->n_columns;
        see_row(c, ch, true, ch->old_row);
        rlk_key_of(t, ch->old_row, ch->old_key);
    }
    room += t->n_columns + t->n_primary_key;
    if (ch->op != SQLITE_DELETE) {
        ch->new_row = room;
        ch->new_key = room + t->n_columns;
        see_row(c, ch, false, ch->new_row);
        rlk_key_of(t, ch->new_row, ch->new_key);
    }
    return true;
}

/* ---- locks of what is changed besides ---- */

static void
note_blocked(struct rlk_sqlite *c, const struct rlk_table *t,
             const rowlock_value *key, enum rowlock_mode mode)
{
    struct rlk_sqlite_effects *e = &c->effects;
    rowlock_value *copy =
        rlk_arena_alloc(&e->arena, t->n_primary_key, sizeof *copy);
    bool copied = copy;
    for (size_t i = 0; copied && i < t->n_primary_key; i++)
        copied = rlk_value_copy(&e->arena, key[i], &copy[i]);
    if (copied && e->n_blocked == e->cap_blocked) {
        size_t cap = e->cap_blocked ? e->cap_blocked * 2 : 8;
        void *more = rlk_reallocarray(e->blocked, cap, sizeof *e->blocked);
        copied = more;
        e->blocked = more ? more : e->blocked;
        e->cap_blocked = more ? cap : e->cap_blocked;
    }
    if (!copied) {
        e->rc = rlk_out_of_memory(&e->err);
        return;
    }
    e->blocked[e->n_blocked++] = (struct rlk_sqlite_blocked){t, copy, mode};
}

/* False: another session holds it. */
static bool
take_free(struct rlk_sqlite *c, const struct rlk_table *t,
          const rowlock_value *key, enum rowlock_mode mode)
{
    struct rlk_sqlite_effects *e = &c->effects;
    rowlock_name name = {ROWLOCK_RECORD, t->name, NULL, key, t->n_primary_key};
    int rc = rlk_sqlite_request(c, &name, mode, ROWLOCK_SKIP_LOCKED, &e->err);
    if (rc && rc != ROWLOCK_NOT_AVAILABLE)
        e->rc = rc;
    return rc != ROWLOCK_NOT_AVAILABLE;
}

static void
try_lock(struct rlk_sqlite *c, const struct rlk_table *t,
         const rowlock_value *key, enum rowlock_mode mode)
{
    if (!take_free(c, t, key, mode))
        note_blocked(c, t, key, mode);
}

static bool
key_changes(const struct change *ch)
{
    if (ch->table->misnumbered)
        return true;
    for (size_t i = 0; i < ch->table->base.n_columns; i++)
        if (ch->table->columns[i].in_key &&
            !rlk_value_same(ch->old_row[i], ch->new_row[i]))
            return true;
    return false;
}

static bool
name_changes(const struct change *ch)
{
    for (size_t i = 0; i < ch->table->base.n_primary_key; i++)
        if (!rlk_value_same(ch->old_key[i], ch->new_key[i]))
            return true;
    return false;
}

/* A number that SQLite gave out while another block, which waits, has the same
 * for a record that it will insert again. Nobody waits for that: the target of
 * an insert chooses another, and of what a trigger inserted nobody was told
 * the number, so the other may get the next. */
static void
lock_number(struct rlk_sqlite *c, const struct change *ch, bool is_target)
{
    bool free = take_free(c, &ch->table->base, ch->new_key, ROWLOCK_UPDATE);
    if (is_target && !free)
        c->effects.key_is_taken = true;
}

static void
lock_change(struct rlk_sqlite *c, const struct change *ch)
{
    const struct rlk_table *t = &ch->table->base;
    bool is_target = ch->is_target;
    bool weak = ch->op == SQLITE_UPDATE && !key_changes(ch);
    bool number =
        ch->op == SQLITE_INSERT &&
        (is_target ? c->effects.target.chooses_key : ch->table->rowid_key);
    if (ch->old_row && !is_target) /* the target's own is held already */
        try_lock(c, t, ch->old_key,
                 weak ? ROWLOCK_NO_KEY_UPDATE : ROWLOCK_UPDATE);
    if (number)
        lock_number(c, ch, is_target);
    else if (ch->new_row && (!ch->old_row || name_changes(ch)))
        try_lock(c, t, ch->new_key, ROWLOCK_UPDATE);
}

/* ---- the target ---- */

/* NULL where the default was read: the row may be older than the column. An
 * UPDATE shows its new row whole, which tells; for the rest the writer has
 * looked before. */
static bool
is_old_default(const struct rlk_sqlite *c, const struct change *ch, size_t i)
{
    const struct rlk_sqlite_target *target = &c->effects.target;
    rowlock_value expect = target->expect->values[i];
    if (ch->old_row[i].type != ROWLOCK_NULL ||
        !rlk_value_same(ch->table->columns[i].added, expect))
        return false;
    return target->read_first ||
           (ch->new_row && rlk_value_same(ch->new_row[i], expect));
}

static bool
as_read(const struct rlk_sqlite *c, const struct change *ch)
{
    const struct rlk_sqlite_table *t = ch->table;
    const rowlock_value *expect = c->effects.target.expect->values;
    if (t->misnumbered)
        return true; /* the writer has looked before */
    for (size_t i = 0; i < t->base.n_columns; i++)
        if (t->columns[i].storage >= 0 &&
            !rlk_value_same(expect[i], ch->old_row[i]) &&
            !is_old_default(c, ch, i))
            return false;
    return true;
}

/* Is the row that is there what the writer believes? What this block itself
 * (a trigger, a cascade, another copy of the record) left since counts as
 * known. In a replay own triggers may have set another time of day. */
static bool
is_expected(const struct rlk_sqlite *c, const struct change *ch, uint64_t there)
{
    const struct rlk_sqlite_effects *e = &c->effects;
    if (e->target.expect ? as_read(c, ch) : there == e->write->old)
        return true;
    return rlk_left_by_us(c, e->write, rlk_record_hash(ch->table, ch->old_key),
                          there);
}

static void
keep_new_row(struct rlk_sqlite *c, const struct change *ch)
{
    struct rlk_sqlite_effects *e = &c->effects;
    if (e->target.foreseen) { /* the bytes are those that put() was given */
        memcpy(e->target.new_row, ch->new_row,
               ch->table->base.n_columns * sizeof *ch->new_row);
        return;
    }
    for (size_t i = 0; i < ch->table->base.n_columns; i++) {
        if (rlk_value_copy(e->target.new_arena, ch->new_row[i],
                           &e->target.new_row[i]))
            continue;
        e->rc = rlk_out_of_memory(&e->err);
        return;
    }
}

/* SQLite lets NULL into a primary key that is no rowid, even twice. Such a
 * record has no name, so nobody could lock it. */
static bool
refuse_null_key(struct rlk_sqlite *c, const struct change *ch)
{
    const struct rlk_table *t = &ch->table->base;
    rowlock_error *err = &c->effects.err;
    for (size_t i = 0; i < t->n_primary_key; i++) {
        if (ch->new_key[i].type != ROWLOCK_NULL)
            continue;
        c->effects.rc = rlk_fail(err, ROWLOCK_CONSTRAINT,
                                 "a primary key column must have a value");
        rlk_sqlstate(err, "23502");
        rlk_detail(err, "It is about: %s.", t->columns[t->primary_key[i]].name);
        return true;
    }
    return false;
}

static void
see_target(struct rlk_sqlite *c, const struct change *ch, uint64_t old)
{
    c->effects.done = true;
    if (ch->new_row && refuse_null_key(c, ch))
        return;
    if (ch->old_row && !c->effects.target.current && !is_expected(c, ch, old))
        c->effects.stranger = true;
    if (ch->new_row && c->effects.target.new_row)
        keep_new_row(c, ch);
}

static bool
is_target(const struct rlk_sqlite *c, const struct change *ch)
{
    const struct rlk_sqlite_write *w = c->effects.write;
    int op = w->op == RLK_OP_INSERT   ? SQLITE_INSERT
             : w->op == RLK_OP_UPDATE ? SQLITE_UPDATE
                                      : SQLITE_DELETE;
    return ch->op == op && ch->table == w->table && !c->effects.done &&
           sqlite3_preupdate_depth(c->db) == 0;
}

/* What was there: the hash is known where the row was proved to be it. */
static uint64_t
hash_old(const struct rlk_sqlite *c, const struct change *ch)
{
    if (ch->is_target && c->effects.target.current)
        return c->effects.write->old;
    return ch->old_row ? rlk_row_hash(ch->table, ch->old_row) : 0;
}

static void
on_change(void *arg, sqlite3 *db, int op, const char *schema, const char *table,
          sqlite3_int64 old_rowid, sqlite3_int64 new_rowid)
{
    struct rlk_sqlite *c = arg;
    struct change ch = {
        .op = op, .old_rowid = old_rowid, .new_rowid = new_rowid};
    (void)db;
    if (!c->effects.write || c->effects.rc || strcmp(schema, "main") != 0)
        return;
    ch.table = c->effects.write->table;
    if (strcmp(ch.table->base.name, table) != 0 &&
        !(ch.table = rlk_sqlite_loaded(c, table)))
        return;
    ch.is_target = is_target(c, &ch);
    if (!read_change(c, &ch)) {
        c->effects.rc = rlk_out_of_memory(&c->effects.err);
        return;
    }
    uint64_t old = hash_old(c, &ch);
    if (ch.is_target)
        see_target(c, &ch, old);
    lock_change(c, &ch);
    note_versions(c, &ch, old);
}

void
rlk_sqlite_watch(struct rlk_sqlite *c)
{
    sqlite3_preupdate_hook(c->db, on_change, c);
}

/* ---- around the statement ---- */

int
rlk_effects_start(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
                  const struct rlk_sqlite_target *target, rowlock_error *err)
{
    struct rlk_sqlite_effects *e = &c->effects;
    if (w->table->base.reaches_others)
        RLK_TRY(rlk_sqlite_know_reach(c, w->table, err));
    rlk_arena_done(&e->arena);
    e->write = w;
    e->target = target ? *target : (struct rlk_sqlite_target){0};
    e->done = e->stranger = e->key_is_taken = false;
    e->rc = 0;
    e->n_blocked = 0;
    return 0;
}

int
rlk_effects_wait(struct rlk_sqlite *c, int32_t wait_ms, rowlock_error *err)
{
    const struct rlk_sqlite_effects *e = &c->effects;
    if (wait_ms == ROWLOCK_SKIP_LOCKED && e->n_blocked)
        return rlk_sqlite_not_available(err);
    if (wait_ms != ROWLOCK_NOWAIT)
        rlk_sqlite_suspend(c);
    for (size_t i = 0; i < e->n_blocked; i++)
        RLK_TRY(rlk_sqlite_take_record(c, e->blocked[i].table,
                                       e->blocked[i].key, e->blocked[i].mode,
                                       wait_ms, err));
    /* All were given back just now: the statement is done again. */
    rlk_sqlite_suspend(c);
    return 0;
}
