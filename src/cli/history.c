/* SPDX-License-Identifier: MIT
 * A run takes its run lock before its row is there, and completes the row
 * before the lock goes. So the rows are read, then the locks, then the rows
 * again: a row of the first look that still says it runs in the second, and
 * whose run had no lock in between, is of a process that is gone. */
#include "cli/history.h"

#include <string.h>

#include "cli/speak.h"
#include "front/front.h"
#include "front/target.h"
#include "record/record.h"

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

/* As far as is known. */
static int
lives(const char *database, const struct rlk_past_run *run, bool *ret,
      rowlock_error *err)
{
    const rowlock_value *name = &run->values[RLK_RUNS_SYNC];
    const rowlock_value *pid = &run->values[RLK_RUNS_PID];
    *ret = false;
    return name->type == ROWLOCK_TEXT && pid->type == ROWLOCK_INT
               ? rlk_front_is_claimed(database, name->u.s.ptr, pid->u.i, ret,
                                      err)
               : 0;
}

/* Lists the rows that say they run, and whose run does not: ret has room. */
static int
list_gone(const struct rlk_past_runs *runs, const char *database, int64_t *ret,
          size_t *ret_n, rowlock_error *err)
{
    *ret_n = 0;
    for (size_t i = 0; i < runs->n; i++) {
        bool living = true;
        if (says_it_runs(&runs->list[i]))
            RLK_TRY(lives(database, &runs->list[i], &living, err));
        if (!living)
            ret[(*ret_n)++] = runs->list[i].id;
    }
    return 0;
}

static void
mark_gone(struct rlk_past_runs *runs, const int64_t *gone, size_t n)
{
    for (size_t i = 0; i < runs->n; i++)
        for (size_t j = 0; j < n; j++)
            if (runs->list[i].id == gone[j] && says_it_runs(&runs->list[i]))
                runs->list[i].values[RLK_RUNS_STATUS] =
                    rowlock_text(RLK_RUN_BROKEN);
}

static int
find_gone(struct reading *r, const char *database, rowlock_error *err)
{
    rowlock_error failure = {0};
    size_t n;
    int64_t *gone = rlk_calloc(r->runs->n, sizeof *gone);
    if (!gone)
        return rlk_out_of_memory(err);
    if (list_gone(r->runs, database, gone, &n, &failure)) {
        rlk_speak("who still runs is not known: %s", failure.message);
        n = 0;
    }
    int rc = n ? rowlock_atomic(r->db, read_rows, r, err) : 0;
    if (!rc)
        mark_gone(r->runs, gone, n);
    rlk_free(gone);
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
