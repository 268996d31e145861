/* SPDX-License-Identifier: MIT
 * A run takes its run lock before its row is there, and completes the row
 * before the lock goes. So the rows are read, then the locks, then the rows
 * again: a row of the first look that still says it runs in the second, and
 * whose run had no lock in between, is of a process that is gone. */
#include "cli/history.h"

#include <string.h>

#include "cli/speak.h"
#include "front/front.h"
#include "record/record.h"
#include "rowlock/lock.h"

struct reading {
    rowlock_db *db;
    const char *name;
    int64_t limit;
    struct rlk_past_runs *runs;
};

/* ---- rows ---- */

static int
keep_value(struct rlk_arena *arena, rowlock_value *v, rowlock_error *err)
{
    if (v->type != ROWLOCK_TEXT && v->type != ROWLOCK_BLOB)
        return 0;
    v->u.s.ptr = rlk_arena_copy(arena, v->u.s.ptr, v->u.s.len);
    return v->u.s.ptr ? 0 : rlk_out_of_memory(err);
}

static int
read_row(const rowlock_record *row, struct rlk_arena *arena,
         struct rlk_past_run *ret, rowlock_error *err)
{
    rowlock_value id;
    RLK_TRY(rowlock_record_get(row, "id", &id, err));
    ret->id = id.type == ROWLOCK_INT ? id.u.i : 0;
    for (int i = 0; i < RLK_HISTORY_COLUMNS; i++) {
        RLK_TRY(rowlock_record_get(row, rlk_history_columns[i].name,
                                   &ret->values[i], err));
        RLK_TRY(keep_value(arena, &ret->values[i], err));
    }
    return 0;
}

static int
read_rows(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct reading *r = arg;
    rowlock_value name = rowlock_text(r->name);
    const rowlock_term where = {rlk_history_columns[RLK_RUNS_SYNC].name,
                                ROWLOCK_EQ, &name, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_rows *rows;
    q.table = RLK_HISTORY_TABLE;
    q.where = &where;
    q.n_where = r->name ? 1 : 0;
    q.order = "-id";
    q.limit = r->limit;
    RLK_TRY(rowlock_query_all(b, &q, &rows, err));
    rlk_arena_reset(&r->runs->arena);
    size_t n = rowlock_rows_count(rows);
    r->runs->n = 0;
    r->runs->list = rlk_arena_alloc(&r->runs->arena, n, sizeof *r->runs->list);
    if (n && !r->runs->list)
        return rlk_out_of_memory(err);
    for (; r->runs->n < n; r->runs->n++)
        RLK_TRY(read_row(rowlock_rows_at(rows, r->runs->n), &r->runs->arena,
                         &r->runs->list[r->runs->n], err));
    return 0;
}

/* ---- who lives ---- */

static bool
says_it_runs(const struct rlk_past_run *run)
{
    const rowlock_value *v = &run->values[RLK_RUNS_STATUS];
    return v->type == ROWLOCK_TEXT && strcmp(v->u.s.ptr, RLK_RUN_RUNNING) == 0;
}

/* key is the name as the lock table shows it: cut with a '~' where it is long,
 * blanks for controls. */
static bool
is_shown_as(const char *name, const char *key)
{
    for (; *key; name++, key++) {
        unsigned char c = (unsigned char)*name;
        if (*key == '~' && !key[1] && c)
            return true;
        if (*key != (c < 0x20 || c == 0x7F ? ' ' : (char)c) || !c)
            return false;
    }
    return !*name;
}

static bool
lives(const struct rlk_past_run *run, const rowlock_lock_info *locks, size_t n)
{
    const rowlock_value *name = &run->values[RLK_RUNS_SYNC];
    const rowlock_value *pid = &run->values[RLK_RUNS_PID];
    for (size_t i = 0; i < n; i++)
        if (locks[i].kind == ROWLOCK_RECORD && !locks[i].waiting &&
            strcmp(locks[i].table, RLK_HISTORY_TABLE) == 0 &&
            pid->type == ROWLOCK_INT && pid->u.i == locks[i].pid &&
            name->type == ROWLOCK_TEXT &&
            is_shown_as(name->u.s.ptr, locks[i].key))
            return true;
    return false;
}

static int
list_locks(const char *database, rowlock_lock_info **ret, size_t *ret_n,
           rowlock_error *err)
{
    const char *path;
    rowlock_locks *locks;
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.label = "rowlock runs";
    o.existing_only = 1;
    RLK_TRY(rlk_front_path(database, &path, err));
    int rc = rowlock_locks_open(path, &o, &locks, err);
    if (rc == ROWLOCK_UNDEFINED) { /* no lock table: nobody runs */
        *ret = NULL;
        *ret_n = 0;
        return 0;
    }
    RLK_TRY(rc);
    rc = rowlock_locks_list(locks, ret, ret_n, err);
    rowlock_locks_close(locks);
    return rc;
}

/* newest: of the first look; a row that came since may well run. */
static void
mark_gone(struct rlk_past_runs *runs, int64_t newest,
          const rowlock_lock_info *locks, size_t n)
{
    for (size_t i = 0; i < runs->n; i++)
        if (runs->list[i].id <= newest && says_it_runs(&runs->list[i]) &&
            !lives(&runs->list[i], locks, n))
            runs->list[i].values[RLK_RUNS_STATUS] =
                rowlock_text(RLK_RUN_BROKEN);
}

static int
find_gone(struct reading *r, const char *database, rowlock_error *err)
{
    rowlock_lock_info *locks;
    rowlock_error failure = {0};
    size_t n;
    int64_t newest = r->runs->list[0].id;
    if (list_locks(database, &locks, &n, &failure)) {
        rlk_speak("who still runs is not known: %s", failure.message);
        return 0;
    }
    int rc = rowlock_atomic(r->db, read_rows, r, err);
    if (!rc)
        mark_gone(r->runs, newest, locks, n);
    rowlock_locks_list_free(locks);
    return rc;
}

static int
read_runs(struct reading *r, const char *database, rowlock_error *err)
{
    const struct rlk_table *table;
    int rc = rlk_session_table(r->db, RLK_HISTORY_TABLE, &table, err);
    r->runs->kept = rc != ROWLOCK_UNDEFINED;
    if (rc)
        return r->runs->kept ? rc : 0;
    RLK_TRY(rowlock_atomic(r->db, read_rows, r, err));
    for (size_t i = 0; i < r->runs->n; i++)
        if (says_it_runs(&r->runs->list[i]))
            return find_gone(r, database, err);
    return 0;
}

int
rlk_past_runs_read(const char *database, const char *name, int64_t limit,
                   struct rlk_past_runs *ret, rowlock_error *err)
{
    struct reading r = {.name = name, .limit = limit, .runs = ret};
    const struct rlk_look how = {.unfit = true};
    RLK_TRY(rlk_front_look(database, &how, &r.db, err));
    int rc = read_runs(&r, database, err);
    rowlock_close(r.db);
    return rc;
}

void
rlk_past_runs_done(struct rlk_past_runs *runs)
{
    rlk_arena_done(&runs->arena);
}
