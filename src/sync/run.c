/* SPDX-License-Identifier: MIT
 * One run: read, map, write in batches, count. A target that exists is checked
 * before the source is asked; one that is to be created comes into being only
 * when the first records have arrived, so that a source that is away leaves
 * nothing behind. A source that fails in the middle ends the run before its
 * last, unfinished batch is written. */
#include "sync/batch.h"
#include "sync/sync.h"

#include <string.h>

struct run {
    const struct rlk_definition *d;
    const struct rlk_sync_options *o;
    struct rlk_sync_report *report;
    struct rlk_arena arena;
    struct rlk_plan plan;
    rowlock_db *db;
    struct rlk_reader *reader;
    struct rlk_batch *batch;
    bool ended;
};

static int
open_target(struct run *r, rowlock_error *err)
{
    RLK_TRY(r->o->open_target(r->d, &r->db, r->o->arg, err));
    int rc = rlk_plan_make(r->d, r->db, &r->arena, &r->plan, err);
    r->report->definition_wrong =
        rc == ROWLOCK_UNDEFINED || rc == ROWLOCK_UNSUPPORTED;
    return rc;
}

static int
open_source(struct run *r, rowlock_error *err)
{
    struct rlk_reader_options o = {
        .url = r->d->url.text,
        .format = (enum rlk_format)r->d->format,
        .records = r->d->has_records ? &r->d->records : NULL,
        .limits = r->o->limits,
        .cancelled = r->o->cancelled,
    };
    return rlk_reader_open(&o, &r->reader, err);
}

static void
tell_rejected(struct run *r, const struct rlk_item *item)
{
    struct rlk_sync_rejected rejected = {item->number, item->line, item->byte,
                                         item->reason};
    r->report->rejected++;
    if (r->o->on_rejected)
        r->o->on_rejected(&rejected, r->o->arg);
}

static void
count(struct run *r)
{
    for (size_t i = 0; i < r->batch->n; i++) {
        const struct rlk_item *item = &r->batch->items[i];
        r->report->records++;
        if (item->reason)
            tell_rejected(r, item);
        else if (item->outcome == ROWLOCK_CREATED)
            r->report->created++;
        else if (item->outcome == ROWLOCK_UPDATED)
            r->report->updated++;
        else
            r->report->unchanged++;
    }
    if (r->o->on_progress)
        r->o->on_progress(r->report, r->o->arg);
}

/* Reads one record into the batch. */
static int
read_one(struct run *r, rowlock_error *err)
{
    struct rlk_remote remote = {0};
    enum rlk_read what = RLK_READ_END;
    RLK_TRY(rlk_reader_next(r->reader, &remote, &what, err));
    if (what == RLK_READ_END) {
        r->ended = true;
        return 0;
    }
    if (!r->db)
        RLK_TRY(open_target(r, err));
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
    RLK_TRY(rlk_batch_write(r->batch, r->db, err));
    count(r);
    return 0;
}

static int
run_all(struct run *r, rowlock_error *err)
{
    if (!r->d->create_table)
        RLK_TRY(open_target(r, err));
    RLK_TRY(open_source(r, err));
    while (!r->ended)
        RLK_TRY(run_batch(r, err));
    return r->db ? 0 : open_target(r, err); /* an empty list makes a table */
}

int
rlk_sync_run(const struct rlk_definition *d, const struct rlk_sync_options *o,
             struct rlk_sync_report *ret, rowlock_error *err)
{
    struct run r = {.d = d, .o = o, .report = ret};
    memset(ret, 0, sizeof *ret);
    r.batch = rlk_calloc(1, sizeof *r.batch);
    int rc = r.batch ? run_all(&r, err) : rlk_out_of_memory(err);
    rlk_reader_close(r.reader);
    if (r.batch)
        rlk_batch_reset(r.batch);
    rlk_free(r.batch);
    rlk_arena_done(&r.arena);
    return rc;
}
