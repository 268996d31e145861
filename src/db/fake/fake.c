/* SPDX-License-Identifier: MIT
 * The fake driver's table of functions, levels and keys. Read store.c for the
 * data, locks.c for scripts and locks. */
#include <string.h>

#include "internal.h"

static void
cancel(struct rlk_conn *c)
{
    fake_of(c)->cancelled = true;
}

static void
close_fake(struct rlk_conn *c)
{
    struct fake *f = fake_of(c);
    fake_store_done(&f->now);
    for (size_t i = 0; i < LEVELS; i++)
        fake_store_done(&f->saved[i]);
    rlk_buf_done(&f->trace);
    rlk_buf_done(&f->shown);
    rlk_free(f);
}

/* ---- levels ---- */

static int
start_level(struct fake *f, size_t level)
{
    fake_need(f->depth == level && level < LEVELS, "levels out of order");
    fake_store_copy(f, &f->now, &f->saved[level]);
    f->lock_marks[level] = f->n_locks;
    f->depth = level + 1;
    return 0;
}

static int
begin(struct rlk_conn *c, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    RLK_TRY(fake_step(f, "begin", err));
    f->lost = false;
    return start_level(f, 0);
}

static int
savepoint(struct rlk_conn *c, size_t level, rowlock_error *err)
{
    RLK_TRY(fake_step(fake_of(c), "savepoint", err));
    return start_level(fake_of(c), level);
}

static void
rollback_to(struct rlk_conn *c, size_t level)
{
    struct fake *f = fake_of(c);
    (void)!fake_step(f, "rollback_to", NULL);
    fake_need(level < f->depth, "rolled back to a level that is not open");
    f->lost = f->lost || f->lose_next;
    f->lose_next = false;
    fake_store_copy(f, &f->saved[f->lost ? 0 : level], &f->now);
    fake_give_back(f, f->lock_marks[level]);
    f->depth = level + 1;
    if (level == 0)
        f->epoch = 0;
}

static int
release(struct rlk_conn *c, size_t level, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    RLK_TRY(fake_step(f, "release", err));
    fake_need(level > 0 && f->depth == level + 1, "levels out of order");
    fake_store_done(&f->saved[level]);
    f->depth = level;
    return 0;
}

static void
end(struct fake *f)
{
    for (size_t i = 0; i < f->depth; i++)
        fake_store_done(&f->saved[i]);
    f->depth = 0;
    f->epoch = 0;
    f->lost = false;
    fake_give_back(f, 0);
}

static int
commit(struct rlk_conn *c, rowlock_error *err)
{
    struct fake *f = fake_of(c);
    fake_need(f->depth == 1, "levels out of order");
    int rc = fake_step(f, "commit", err);
    if (rc)
        fake_store_copy(f, &f->saved[0], &f->now);
    else
        f->commits += f->epoch != 0;
    end(f);
    return rc;
}

static void
rollback(struct rlk_conn *c)
{
    struct fake *f = fake_of(c);
    (void)!fake_step(f, "rollback", NULL);
    fake_need(f->depth >= 1, "no level is open");
    fake_store_copy(f, &f->saved[0], &f->now);
    end(f);
}

static bool
transaction_lost(struct rlk_conn *c)
{
    return fake_of(c)->lost;
}

/* ---- the catalogue ---- */

static int
table(struct rlk_conn *c, const char *name, const struct rlk_table **ret,
      rowlock_error *err)
{
    struct fake *f = fake_of(c);
    for (size_t i = 0; i < f->n_tables; i++)
        if (strcasecmp(f->tables[i]->name, name) == 0) {
            *ret = f->tables[i];
            return 0;
        }
    return rlk_fail(err, ROWLOCK_UNDEFINED, "no table \"%s\"", name);
}

/* ---- locks ---- */

static int
lock_keys(struct rlk_conn *c, const struct rlk_table *t,
          const struct rlk_match *keys, size_t n_keys, int32_t wait_ms,
          rowlock_error *err)
{
    char names[16][NAME];
    bool taken[16] = {false};
    fake_need(n_keys <= 16, "too many keys");
    RLK_TRY(fake_step(fake_of(c), "lock_keys", err));
    for (size_t i = 0; i < n_keys; i++)
        fake_key_name(t, &keys[i], names[i]);
    for (size_t n = 0; n < n_keys; n++) { /* in the order of their names */
        size_t least = n_keys;
        for (size_t i = 0; i < n_keys; i++)
            if (!taken[i] &&
                (least == n_keys || strcmp(names[i], names[least]) < 0))
                least = i;
        taken[least] = true;
        RLK_TRY(
            fake_take(fake_of(c), names[least], ROWLOCK_UPDATE, wait_ms, err));
    }
    return 0;
}

static enum rowlock_mode
held(struct rlk_conn *c, const struct rlk_table *t, const rowlock_value *pk)
{
    const struct fake *f = fake_of(c);
    char name[NAME];
    enum rowlock_mode mode = ROWLOCK_READ;
    fake_record_name(t, pk, name);
    for (size_t i = 0; i < f->n_locks; i++)
        if (strcmp(f->locks[i].name, name) == 0 && f->locks[i].mode > mode)
            mode = f->locks[i].mode;
    return mode;
}

static size_t
lock_mark(struct rlk_conn *c)
{
    return fake_of(c)->n_locks;
}

static void
unlock_to(struct rlk_conn *c, size_t mark)
{
    (void)!fake_step(fake_of(c), "unlock_to", NULL);
    fake_give_back(fake_of(c), mark);
}

static uint64_t
write_epoch(struct rlk_conn *c)
{
    return fake_of(c)->epoch;
}

static int
commit_mark(struct rlk_conn *c, struct rlk_mark *ret, rowlock_error *err)
{
    const struct fake *f = fake_of(c);
    (void)err;
    *ret = (struct rlk_mark){f->strangers + 1, f->commits};
    return 0;
}

static int
put(struct rlk_conn *c, const struct rlk_write *w, struct rlk_rows *ret_row,
    rowlock_error *err)
{
    char name[NAME];
    const struct rlk_table *t = w->table;
    if (!w->old)
        return fake_insert(c, t, w->set, w->n_set, ROWLOCK_NOWAIT, ret_row,
                           err);
    fake_row_name(t, w->old, name);
    RLK_TRY(fake_take(fake_of(c), name, ROWLOCK_NO_KEY_UPDATE, ROWLOCK_NOWAIT,
                      err));
    return fake_update(c, t, w->old, w->set, w->n_set, ROWLOCK_NOWAIT, ret_row,
                       err);
}

static int
lock_row(struct rlk_conn *c, const struct rlk_table *t, const rowlock_value *pk,
         enum rowlock_mode mode, int32_t wait_ms, rowlock_error *err)
{
    char name[NAME];
    fake_record_name(t, pk, name);
    return fake_take(fake_of(c), name, mode, wait_ms, err);
}

/* Any text gives one row, one column. */
static int
sql(struct rlk_conn *c, const char *text, const rowlock_value *params,
    size_t n_params, struct rlk_rows *ret, rowlock_error *err)
{
    static const char *const names[] = {"answer"};
    (void)text;
    RLK_TRY(fake_step(fake_of(c), "sql", err));
    rowlock_value value = n_params ? params[0] : rowlock_int(42);
    fake_append(ret, &value, 1);
    ret->column_names = names;
    ret->n_columns = 1;
    return 0;
}

/* ---- the tables of functions ---- */

static int
open_none(const struct rlk_open *o, struct rlk_conn **ret, rowlock_error *err)
{
    (void)o, (void)ret;
    return rlk_fail(err, ROWLOCK_MISUSE, "open it with rlk_fake_open()");
}

#define FAKE_DRIVER(caps, marks, unlock, epoch, mark, puts, row, reads)       \
    {                                                                         \
        .name = "fake", .capabilities = (caps), .open = open_none,            \
        .close = close_fake, .cancel = cancel, .begin = begin,                \
        .savepoint = savepoint, .rollback_to = rollback_to,                   \
        .release = release, .commit = commit, .rollback = rollback,           \
        .transaction_lost = transaction_lost, .table = table,                 \
        .select = fake_select, .lookup = fake_lookup, .lock_keys = lock_keys, \
        .start_write = fake_start_write, .insert = fake_insert,               \
        .update = fake_update, .remove = fake_remove, .held = held,           \
        .lock_mark = (marks), .unlock_to = (unlock), .sql = sql,              \
        .write_epoch = (epoch), .commit_mark = (mark), .put = (puts),         \
        .lock_row = (row), .scan = (reads)                                    \
    }

enum { ALL = RLK_CAN_LOCK_KEYS | RLK_CAN_LOCK_WEAKER | RLK_FREES_AT_SAVEPOINT };

static const struct rlk_driver drivers[] = {
    [RLK_FAKE_PLAIN] =
        FAKE_DRIVER(ALL, lock_mark, unlock_to, NULL, NULL, NULL, NULL, NULL),
    [RLK_FAKE_FAST] = FAKE_DRIVER(ALL, lock_mark, unlock_to, write_epoch,
                                  commit_mark, put, lock_row, fake_scan),
    [RLK_FAKE_KEYLESS] =
        FAKE_DRIVER(0, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
};

struct rlk_conn *
rlk_fake_open(enum rlk_fake_kind kind)
{
    struct fake *f = rlk_calloc(1, sizeof *f);
    fake_need(f, "out of memory");
    f->conn.driver = &drivers[kind];
    return &f->conn;
}

void
rlk_fake_add_table(struct rlk_conn *c, const struct rlk_table *t)
{
    struct fake *f = fake_of(c);
    fake_need(f->n_tables < TABLES, "too many tables");
    f->tables[f->n_tables++] = t;
}
