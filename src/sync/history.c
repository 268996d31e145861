/* SPDX-License-Identifier: MIT
 * The contract is in history.h. Each of begin and end is one small block, in
 * the run's own session. No record lock is waited for: whoever holds an old row
 * may keep it. */
#include "sync/history.h"

#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "record/record.h"
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
    [RLK_RUNS_VERSION] = {"version", "TEXT"},
    [RLK_RUNS_SOURCE_READ] = {"source_read", "TIMESTAMP"},
    [RLK_RUNS_VALIDATOR] = {"validator", "TEXT"},
    [RLK_RUNS_TARGET_MADE] = {"target_made", "INTEGER"},
};

#define COLUMN(which) rlk_history_columns[RLK_RUNS_##which].name

struct begin {
    struct rlk_history *h;
    rowlock_value name, target_made;
    struct rlk_arena arena;
};

static int
now(struct rlk_arena *arena, rowlock_value *ret, rowlock_error *err)
{
    const struct rlk_goal goal = {.type = RLK_TYPE_TIMESTAMP};
    return rlk_generate(RLK_GENERATE_NOW, goal, arena, ret, err);
}

/* ---- what an earlier run has read ---- */

/* "" when it is no text, or longer. */
static int
read_text(const rowlock_record *row, const char *column, char *ret, size_t size,
          rowlock_error *err)
{
    rowlock_value v;
    RLK_TRY(rowlock_record_get(row, column, &v, err));
    bool fits = v.type == ROWLOCK_TEXT && v.u.s.len < size;
    if (fits)
        memcpy(ret, v.u.s.ptr, v.u.s.len);
    ret[fits ? v.u.s.len : 0] = 0;
    return 0;
}

/* It left nothing to do, and what it was told and wrote to is the same now. */
static int
still_counts(const struct begin *s, const rowlock_record *row, bool *ret,
             rowlock_error *err)
{
    const rowlock_pair wanted[] = {
        {COLUMN(STATUS), rowlock_text(RLK_RUN_DONE)},
        {COLUMN(EXIT_STATUS), rowlock_int(0)},
        {COLUMN(DEFINITION), rowlock_text(s->h->d->hash)},
        {COLUMN(VERSION), rowlock_text(ROWLOCK_VERSION)},
        {COLUMN(TARGET_MADE), s->target_made},
    };
    *ret = s->target_made.type != ROWLOCK_NULL;
    for (size_t i = 0; *ret && i < sizeof wanted / sizeof wanted[0]; i++) {
        rowlock_value v;
        RLK_TRY(rowlock_record_get(row, wanted[i].column, &v, err));
        *ret = rlk_value_same(v, wanted[i].value);
    }
    return 0;
}

/* Somebody may have emptied it, to have it filled anew. */
static int
target_is_empty(rowlock_block *b, const struct rlk_definition *d, bool *ret,
                rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_record *any;
    q.table = d->table.text;
    RLK_TRY(rowlock_query_first(b, &q, &any, err));
    *ret = !any;
    return 0;
}

static int
look(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct begin *s = arg;
    const struct rlk_definition *d = s->h->d;
    const rowlock_term where = {COLUMN(SYNC), ROWLOCK_EQ, &s->name, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    struct rlk_known_source known;
    rowlock_record *newest;
    bool good = false, empty;
    s->h->known.validator[0] = 0;
    q.table = RLK_HISTORY_TABLE;
    q.where = &where;
    q.n_where = 1;
    q.order = "-id";
    RLK_TRY(rowlock_query_first(b, &q, &newest, err));
    if (newest)
        RLK_TRY(still_counts(s, newest, &good, err));
    if (!good)
        return 0;
    RLK_TRY(read_text(newest, COLUMN(VALIDATOR), known.validator,
                      sizeof known.validator, err));
    RLK_TRY(read_text(newest, COLUMN(SOURCE_READ), known.read,
                      sizeof known.read, err));
    if (!known.validator[0] || !known.read[0])
        return 0;
    RLK_TRY(target_is_empty(b, d, &empty, err));
    if (!empty)
        s->h->known = known;
    return 0;
}

/* ---- beginning ---- */

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
        {COLUMN(SYNC), s->name},
        {COLUMN(STARTED), rowlock_null()},
        {COLUMN(STATUS), rowlock_text(RLK_RUN_RUNNING)},
        {COLUMN(PID), rowlock_int(getpid())},
        {COLUMN(DEFINITION), rowlock_text(s->h->d->hash)},
        {COLUMN(VERSION), rowlock_text(ROWLOCK_VERSION)},
        {COLUMN(TARGET_MADE), s->target_made},
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
    return read_text(row, COLUMN(STARTED), s->h->started, sizeof s->h->started,
                     err);
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
    RLK_TRY(mark_broken(b, &s->name, err));
    RLK_TRY(look(b, s, err));
    RLK_TRY(insert(b, s, err));
    return trim(b, &s->name, err);
}

static int
start(struct rlk_history *h, const struct rlk_definition *d, rowlock_db *db,
      rowlock_body *body, rowlock_error *err)
{
    const struct rlk_table *target;
    struct begin s = {.h = h, .name = rowlock_text(d->name.text)};
    *h = (struct rlk_history){.db = db, .d = d};
    if (rlk_session_table(db, d->table.text, &target, NULL) == 0)
        s.target_made = rowlock_int(target->made);
    int rc = rowlock_atomic(db, body, &s, err);
    rlk_arena_done(&s.arena);
    if (rc)
        *h = (struct rlk_history){0};
    return rc;
}

int
rlk_history_look(struct rlk_history *h, const struct rlk_definition *d,
                 rowlock_db *db, rowlock_error *err)
{
    return start(h, d, db, look, err);
}

int
rlk_history_begin(struct rlk_history *h, const struct rlk_definition *d,
                  rowlock_db *db, rowlock_error *err)
{
    return start(h, d, db, begin, err);
}

/* ---- the end ---- */

struct ending {
    const struct rlk_history *h;
    const struct rlk_history_end *end;
    const struct rlk_known_source *known;
    rowlock_value error, validator, source_read;
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

/* A url with ${...} may mean another source the next time, and a trace of what
 * that stands for would be in the validator. */
static void
take_source(struct ending *s)
{
    const struct rlk_history *h = s->h;
    const struct rlk_sync_report *r = s->end->report;
    if (s->end->exit_status)
        return;
    if (r->source_unchanged) {
        s->validator = rowlock_text(s->known->validator);
        s->source_read = rowlock_text(s->known->read);
    } else if (r->validator[0] && !h->d->shown_url) {
        s->validator = rowlock_text(r->validator);
        s->source_read = rowlock_text(h->started);
    }
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
        {COLUMN(VALIDATOR), s->validator},
        {COLUMN(SOURCE_READ), s->source_read},
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
    const struct rlk_known_source known = h->known;
    struct ending s = {.h = h, .end = e, .known = &known};
    h->known.validator[0] = 0; /* not for the next run */
    if (!h->id)
        return 0;
    take_source(&s);
    int rc = take_error(&s, err);
    if (!rc)
        rc = rowlock_atomic(h->db, end, &s, err);
    if (rc == ROWLOCK_CANCELLED)
        rc = rowlock_atomic(h->db, end, &s, err);
    rlk_arena_done(&s.arena);
    h->id = 0;
    return rc;
}
