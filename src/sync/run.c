/* SPDX-License-Identifier: MIT
 * One run: read, map, write in batches, count. A target that exists is checked
 * before the source is asked; one that is to be created comes into being only
 * when the first records have arrived, so that a source that is away leaves
 * nothing behind. A source that fails in the middle ends the run before its
 * last, unfinished batch is written. */
#include "sync/dry.h"
#include "sync/settle.h"
#include "sync/sync.h"

#include <string.h>

struct run {
    const struct rlk_definition *d;
    const struct rlk_sync_options *o;
    struct rlk_sync_report *report;
    struct rlk_arena arena;
    struct rlk_plan plan;
    struct rlk_work work;
    struct rlk_reader *reader;
    struct rlk_batch *batch;
    struct rlk_later later; /* conflicts */
    struct rlk_dry dry;     /* of a dry run */
    bool ended;
};

static int
open_target(struct run *r, bool make, rowlock_error *err)
{
    RLK_TRY(r->o->open_target(r->d, make, &r->work.db, r->o->arg, err));
    if (!r->work.db)
        return 0;
    int rc = rlk_plan_make(r->d, r->work.db, &r->arena, &r->plan, err);
    r->report->definition_wrong =
        rc == ROWLOCK_UNDEFINED || rc == ROWLOCK_UNSUPPORTED;
    if (r->o->on_target)
        r->o->on_target(rc == 0, r->o->arg);
    return rc;
}

/* Another try may find the source well: 08006, and no other of that class. */
static int
note_away(struct run *r, int rc, const rowlock_error *failure,
          rowlock_error *err)
{
    r->report->source_away =
        rc == ROWLOCK_CONNECTION && strcmp(failure->sqlstate, "08006") == 0;
    if (rc && err)
        *err = *failure;
    return rc;
}

static int
open_source(struct run *r, rowlock_error *err)
{
    struct rlk_reader_options o = {
        .url = r->d->url.text,
        .shown = r->d->shown_url,
        .http = r->d->http,
        .format = (enum rlk_format)r->d->format,
        .records = r->d->has_records ? &r->d->records : NULL,
        .pages = r->d->said_http.pages ? &r->d->pages : NULL,
        .limits = r->o->limits,
        .cancelled = r->o->cancelled,
    };
    rlk_definition_limit(r->d, &o.limits);
    rowlock_error failure = {0};
    int rc = rlk_reader_open(&o, &r->reader, &failure);
    return note_away(r, rc, &failure, err);
}

static void
tell_left(struct run *r, const struct rlk_item *item)
{
    struct rlk_sync_left left = {item->fate, item->number, item->line,
                                 item->byte, item->reason};
    if (r->o->on_left)
        r->o->on_left(&left, r->o->arg);
}

/* Counts it and tells it: its fate is final. */
static void
finish(const struct rlk_item *item, void *arg)
{
    struct run *r = arg;
    struct rlk_sync_report *report = r->report;
    uint64_t *const counts[] = {
        [RLK_FATE_OPEN] = NULL,
        [RLK_FATE_CREATED] = &report->created,
        [RLK_FATE_UPDATED] = &report->updated,
        [RLK_FATE_UNCHANGED] = &report->unchanged,
        [RLK_FATE_CONFLICT] = &report->conflicts,
        [RLK_FATE_DEFERRED] = &report->deferred,
        [RLK_FATE_REJECTED] = &report->rejected,
    };
    if (!counts[item->fate])
        return;
    ++*counts[item->fate];
    report->records++;
    if (item->reason)
        tell_left(r, item);
}

static int
count(struct run *r, rowlock_error *err)
{
    for (size_t i = 0; i < r->batch->n; i++) {
        const struct rlk_item *item = &r->batch->items[i];
        if (item->fate == RLK_FATE_CONFLICT && !r->o->on_change)
            RLK_TRY(rlk_later_add(&r->later, &r->plan, item, err));
        else
            finish(item, r);
    }
    if (r->o->on_progress)
        r->o->on_progress(r->report, r->o->arg);
    return 0;
}

/* Reads one record into the batch. */
static int
read_one(struct run *r, rowlock_error *err)
{
    struct rlk_remote remote = {0};
    enum rlk_read what = RLK_READ_END;
    rowlock_error failure = {0};
    int rc = rlk_reader_next(r->reader, &remote, &what, &failure);
    if (rc)
        return note_away(r, rc, &failure, err);

    if (what == RLK_READ_END) {
        r->ended = true;
        return 0;
    }
    if (!r->work.db)
        RLK_TRY(open_target(r, true, err));
    return rlk_batch_add(r->batch, &r->plan, &remote, what, err);
}

static int
check_cancelled(const struct run *r, rowlock_error *err)
{
    if (r->o->cancelled && *r->o->cancelled)
        return rlk_fail(err, ROWLOCK_CANCELLED, "the run was interrupted");
    return 0;
}

static int
run_batch(struct run *r, rowlock_error *err)
{
    rlk_batch_reset(r->batch);
    size_t most = r->o->batch_records;
    if (most == 0 || most > RLK_BATCH_RECORDS)
        most = RLK_BATCH_RECORDS;
    while (!r->ended && r->batch->n < most)
        RLK_TRY(read_one(r, err));
    RLK_TRY(check_cancelled(r, err));
    if (r->batch->n == 0)
        return 0;
    int rc = r->o->on_change ? rlk_batch_dry(r->batch, &r->work, &r->dry, err)
                             : rlk_batch_run(r->batch, &r->work, err);
    int counted = count(r, rc ? NULL : err);
    return rc ? rc : counted;
}

static int
run_all(struct run *r, rowlock_error *err)
{
    RLK_TRY(open_target(r, false, err));
    RLK_TRY(open_source(r, err));
    while (!r->ended)
        RLK_TRY(run_batch(r, err));
    RLK_TRY(rlk_later_settle(&r->later, &r->work, r->batch, finish, r, err));
    return r->work.db ? 0 /* an empty list makes a table too */
                      : open_target(r, true, err);
}

static void
done(struct run *r)
{
    if (r->batch)
        rlk_batch_done(r->batch);
    rlk_free(r->batch);
    rlk_later_done(&r->later);
    rlk_seen_done(&r->work.seen);
    rlk_dry_done(&r->dry);
    rlk_arena_done(&r->arena);
}

int
rlk_sync_run(const struct rlk_definition *d, const struct rlk_sync_options *o,
             struct rlk_sync_report *ret, rowlock_error *err)
{
    struct run r = {.d = d, .o = o, .report = ret};
    memset(ret, 0, sizeof *ret);
    r.dry.tell = o->on_change;
    r.dry.arg = o->arg;
    r.work = (struct rlk_work){
        .plan = &r.plan, .patience_ms = d->total_ms, .cancelled = o->cancelled};
    r.batch = rlk_calloc(1, sizeof *r.batch);
    int rc = r.batch ? run_all(&r, err) : rlk_out_of_memory(err);
    for (size_t i = 0; i < r.later.n; i++)
        finish(&r.later.items[i], &r);
    rlk_reader_close(r.reader);
    done(&r);
    return rc;
}
