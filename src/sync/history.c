/* SPDX-License-Identifier: MIT
 * The contract is in history.h. Each of begin and end is one small block, in
 * the run's own session. No record lock is waited for: whoever holds an old row
 * may keep it. */
#include "sync/history.h"

#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "sync/generate.h"

enum { WRITER_MS = 5000 }; /* for the turn to write */

const struct rlk_history_spec rlk_history_columns[RLK_HISTORY_COLUMNS] = {
    [RLK_RUNS_SYNC] = {"sync", "TEXT"},
    [RLK_RUNS_STARTED] = {"started", "TIMESTAMP"},
    [RLK_RUNS_ENDED] = {"ended", "TIMESTAMP"},
    [RLK_RUNS_STATUS] = {"status", "TEXT"},
    [RLK_RUNS_EXIT_STATUS] = {"exit_status", "INTEGER"},
    [RLK_RUNS_RECORDS] = {"records", "INTEGER"},
    [RLK_RUNS_CREATED] = {"created", "INTEGER"},
    [RLK_RUNS_UPDATED] = {"updated", "INTEGER"},
    [RLK_RUNS_UNCHANGED] = {"unchanged", "INTEGER"},
    [RLK_RUNS_CONFLICTS] = {"conflicts", "INTEGER"},
    [RLK_RUNS_DEFERRED] = {"deferred", "INTEGER"},
    [RLK_RUNS_REJECTED] = {"rejected", "INTEGER"},
    [RLK_RUNS_ERROR] = {"error", "TEXT"},
    [RLK_RUNS_PID] = {"pid", "INTEGER"},
    [RLK_RUNS_DEFINITION] = {"definition", "TEXT"},
};

#define COLUMN(which) rlk_history_columns[RLK_RUNS_##which].name

struct begin {
    struct rlk_history *h;
    const struct rlk_definition *d;
    struct rlk_arena arena;
};

static int
now(struct rlk_arena *arena, rowlock_value *ret, rowlock_error *err)
{
    const struct rlk_goal goal = {.type = RLK_TYPE_TIMESTAMP};
    return rlk_generate(RLK_GENERATE_NOW, goal, arena, ret, err);
}

/* The run lock is ours: whoever wrote these rows is gone. */
static int
mark_broken(rowlock_block *b, rowlock_value *name, rowlock_error *err)
{
    rowlock_value running = rowlock_text(RLK_RUN_RUNNING);
    const rowlock_term where[] = {{COLUMN(SYNC), ROWLOCK_EQ, name, 1},
                                  {COLUMN(STATUS), ROWLOCK_EQ, &running, 1}};
    const rowlock_pair broken = {COLUMN(STATUS), rowlock_text(RLK_RUN_BROKEN)};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = RLK_HISTORY_TABLE;
    q.where = where;
    q.n_where = 2;
    q.wait_ms = ROWLOCK_SKIP_LOCKED;
    return rowlock_update_where(b, &q, &broken, 1, NULL, err);
}

/* A key that is blank finds nothing, so this creates; unlike
 * rowlock_record_create() it can be told how long to wait. */
static int
insert(rowlock_block *b, struct begin *s, rowlock_error *err)
{
    rowlock_pair values[] = {
        {COLUMN(SYNC), rowlock_text(s->d->name.text)},
        {COLUMN(STARTED), rowlock_null()},
        {COLUMN(STATUS), rowlock_text(RLK_RUN_RUNNING)},
        {COLUMN(PID), rowlock_int(getpid())},
        {COLUMN(DEFINITION), rowlock_text(s->d->hash)},
    };
    const rowlock_pair id = {"id", rowlock_null()};
    const rowlock_key key = {&id, 1};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    rowlock_record *row;
    rowlock_value v;
    RLK_TRY(now(&s->arena, &values[1].value, err));
    u.table = RLK_HISTORY_TABLE;
    u.wait_ms = WRITER_MS;
    u.match = &key;
    u.n_match = 1;
    u.creating = values;
    u.n_creating = sizeof values / sizeof values[0];
    RLK_TRY(rowlock_update_or_create(b, &u, &row, NULL, err));
    RLK_TRY(rowlock_record_get(row, "id", &v, err));
    s->h->id = v.u.i;
    return 0;
}

static int
trim(rowlock_block *b, rowlock_value *name, rowlock_error *err)
{
    rowlock_term where[] = {{COLUMN(SYNC), ROWLOCK_EQ, name, 1},
                            {"id", ROWLOCK_LT, NULL, 1}};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_record *oldest;
    rowlock_value id;
    q.table = RLK_HISTORY_TABLE;
    q.where = where;
    q.n_where = 1;
    q.order = "-id";
    q.offset = RLK_HISTORY_KEPT - 1;
    RLK_TRY(rowlock_query_first(b, &q, &oldest, err));
    if (!oldest)
        return 0;
    RLK_TRY(rowlock_record_get(oldest, "id", &id, err));
    where[1].values = &id;
    q.n_where = 2;
    q.order = NULL;
    q.offset = 0;
    q.wait_ms = ROWLOCK_SKIP_LOCKED;
    return rowlock_delete_where(b, &q, NULL, err);
}

static int
begin(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct begin *s = arg;
    rowlock_value name = rowlock_text(s->d->name.text);
    RLK_TRY(mark_broken(b, &name, err));
    RLK_TRY(insert(b, s, err));
    return trim(b, &name, err);
}

int
rlk_history_begin(struct rlk_history *h, const struct rlk_definition *d,
                  rowlock_db *db, rowlock_error *err)
{
    *h = (struct rlk_history){.db = db};
    struct begin s = {.h = h, .d = d};
    int rc = rowlock_atomic(db, begin, &s, err);
    rlk_arena_done(&s.arena);
    if (rc)
        h->id = 0;
    return rc;
}

struct ending {
    const struct rlk_history *h;
    const struct rlk_history_end *end;
    rowlock_value error;
    struct rlk_arena arena;
};

/* What a server said may have been cut within a character. */
static int
take_error(struct ending *s, rowlock_error *err)
{
    const char *text = s->end->error;
    if (!text)
        return 0;
    size_t len = strlen(text), good;
    char *copy = rlk_arena_copy(&s->arena, text, len);
    if (!copy)
        return rlk_out_of_memory(err);
    while ((good = rlk_utf8_check(copy, len)) < len)
        copy[good] = '?';
    s->error = rowlock_text_n(copy, len);
    return 0;
}

static int
end(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct ending *s = arg;
    const struct rlk_sync_report *r = s->end->report;
    rowlock_pair values[] = {
        {COLUMN(ENDED), rowlock_null()},
        {COLUMN(STATUS), rowlock_text(s->end->status)},
        {COLUMN(EXIT_STATUS), rowlock_int(s->end->exit_status)},
        {COLUMN(RECORDS), rowlock_int((int64_t)r->records)},
        {COLUMN(CREATED), rowlock_int((int64_t)r->created)},
        {COLUMN(UPDATED), rowlock_int((int64_t)r->updated)},
        {COLUMN(UNCHANGED), rowlock_int((int64_t)r->unchanged)},
        {COLUMN(CONFLICTS), rowlock_int((int64_t)r->conflicts)},
        {COLUMN(DEFERRED), rowlock_int((int64_t)r->deferred)},
        {COLUMN(REJECTED), rowlock_int((int64_t)r->rejected)},
        {COLUMN(ERROR), s->error},
    };
    const rowlock_value id = rowlock_int(s->h->id);
    const rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    RLK_TRY(now(&s->arena, &values[0].value, err));
    q.table = RLK_HISTORY_TABLE;
    q.where = &where;
    q.n_where = 1;
    q.wait_ms = WRITER_MS;
    return rowlock_update_where(b, &q, values, sizeof values / sizeof values[0],
                                NULL, err);
}

/* A cancel that ended the run may still be on its way: it hits once. */
int
rlk_history_end(struct rlk_history *h, const struct rlk_history_end *e,
                rowlock_error *err)
{
    struct ending s = {.h = h, .end = e};
    if (!h->id)
        return 0;
    int rc = take_error(&s, err);
    if (!rc)
        rc = rowlock_atomic(h->db, end, &s, err);
    if (rc == ROWLOCK_CANCELLED)
        rc = rowlock_atomic(h->db, end, &s, err);
    rlk_arena_done(&s.arena);
    h->id = 0;
    return rc;
}
