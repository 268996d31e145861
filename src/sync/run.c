/* SPDX-License-Identifier: MIT
 * One run: read, map, write in batches, count. A target that exists is checked
 * before the source is asked; one that is to be created comes into being only
 * when the first records have arrived, so that a source that is away leaves
 * nothing behind. A source that fails in the middle ends the run before its
 * last, unfinished batch is written. */
#include "sync/dry.h"
#include "sync/feed.h"
#include "sync/settle.h"
#include "sync/sync.h"

#include <stdio.h>
#include <string.h>

struct run {
    const struct rlk_definition *d;
    const struct rlk_sync_options *o;
    struct rlk_sync_report *report;
    struct rlk_arena arena;
    struct rlk_plan plan;
    struct rlk_work work;
    struct rlk_feed *feed;
    struct rlk_batch *batch; /* the feed's */
    struct rlk_later held;   /* by somebody else */
    struct rlk_later later;  /* conflicts */
    struct rlk_dry dry;      /* of a dry run */
};

static int
open_target(struct run *r, bool make, rowlock_error *err)
{
    RLK_TRY(r->o->open_target(r->d, make, &r->work.db, r->o->arg, err));
    if (!r->work.db)
        return 0;
    const struct rlk_keymap_told told = {r->o->on_slow_key, r->o->arg};
    int rc = rlk_plan_make(r->d, r->work.db, &r->arena, &r->plan, err);
    r->report->definition_wrong =
        rc == ROWLOCK_UNDEFINED || rc == ROWLOCK_UNSUPPORTED;
    if (r->o->on_target)
        r->o->on_target(rc == 0, r->o->arg);
    RLK_TRY(rc);
    return rlk_keymap_open(&r->plan, r->work.db,
                           r->o->on_slow_key ? &told : NULL, &r->work.keymap,
                           err);
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
look_ahead(struct rlk_batch *b, void *arg, rowlock_error *err)
{
    struct run *r = arg;
    return r->work.ahead.db ? rlk_batch_look_ahead(b, &r->work, err) : -1;
}

static size_t
batch_records(const struct run *r)
{
    if (r->o->batch_records)
        return r->o->batch_records;
    return r->d->pace == RLK_PACE_POLITE ? RLK_BATCH_POLITE : RLK_BATCH_RECORDS;
}

/* Until it gave its first record, or proved to have none. */
static int
open_source(struct run *r, enum rlk_read *ret_first, rowlock_error *err)
{
    struct rlk_feed_options o = {
        .reader.url = r->d->url.text,
        .reader.shown = r->d->shown_url,
        .reader.http = r->d->http,
        .reader.format = (enum rlk_format)r->d->format,
        .reader.records = r->d->has_records ? &r->d->records : NULL,
        .reader.pages = r->d->has_pages ? &r->d->pages : NULL,
        .reader.validator =
            r->o->validator && *r->o->validator ? r->o->validator : NULL,
        .reader.limits = r->o->limits,
        .reader.watch = r->o->watch,
        .cancelled = r->o->cancelled,
        .ending = r->o->ending,
        .look = r->o->dry ? NULL : look_ahead,
        .look_arg = r,
        .batch_records = batch_records(r),
        .idle = r->o->on_idle,
        .arg = r->o->arg,
    };
    rlk_definition_limit(r->d, &o.reader.limits);
    RLK_TRY(rlk_feed_start(&o, &r->feed, err));
    rowlock_error failure = {0};
    int rc = rlk_feed_first(r->feed, ret_first, &failure);
    return note_away(r, rc, &failure, err);
}

static void
tell(const struct run *r, const struct rlk_item *item)
{
    bool changed =
        item->fate == RLK_FATE_CREATED || item->fate == RLK_FATE_UPDATED;
    struct rlk_sync_told told = {.fate = item->fate,
                                 .number = item->number,
                                 .line = item->line,
                                 .byte = item->byte,
                                 .table = &r->plan.names,
                                 .key = item->key,
                                 .sets = changed ? item->told_sets : NULL,
                                 .n_sets = changed ? item->n_told_sets : 0,
                                 .reason = item->reason};
    if (item->reason && r->o->on_left)
        r->o->on_left(&told, r->o->arg);
    if (changed && r->o->on_change)
        r->o->on_change(&told, r->o->arg);
}

/* Counts it and tells it: its fate is final. */
static void
finish(struct run *r, struct rlk_item *item)
{
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
    ++*counts[item->fate];
    report->records++;
    item->told = true;
    tell(r, item);
}

/* A conflict is not final before the last record has come, nor is a record that
 * somebody holds; in a dry run nothing settles them. */
static bool
is_final(const struct run *r, const struct rlk_item *item)
{
    if (item->fate == RLK_FATE_CONFLICT)
        return r->o->dry;
    return item->fate != RLK_FATE_OPEN &&
           (item->fate != RLK_FATE_DEFERRED || item->waited_for);
}

/* What a batch has brought to its end so far. */
static void
finish_settled(struct rlk_batch *b, void *arg)
{
    struct run *r = arg;
    uint64_t before = r->report->records;
    for (size_t i = 0; i < b->n; i++)
        if (is_final(r, &b->items[i]) && !b->items[i].told)
            finish(r, &b->items[i]);
    if (r->o->on_progress && r->report->records > before)
        r->o->on_progress(r->report, r->o->arg);
}

/* What is not final is kept for the end. */
static int
keep_others(struct run *r, rowlock_error *err)
{
    for (size_t i = 0; i < r->batch->n; i++) {
        const struct rlk_item *item = &r->batch->items[i];
        struct rlk_later *l =
            item->fate == RLK_FATE_CONFLICT ? &r->later : &r->held;
        if (item->fate != RLK_FATE_OPEN && !item->told)
            RLK_TRY(rlk_later_add(l, &r->plan, item, err));
    }
    return 0;
}

/* The next batch of the source; none at its end. */
static int
next_batch(struct run *r, rowlock_error *err)
{
    rowlock_error failure = {0};
    int rc = rlk_feed_next(r->feed, &r->batch, &failure);
    return note_away(r, rc, &failure, err);
}

static int
run_batch(struct run *r, rowlock_error *err)
{
    RLK_TRY(rlk_work_check(&r->work, err));
    int rc = r->o->dry ? rlk_batch_dry(r->batch, &r->work, &r->dry, err)
                       : rlk_batch_run(r->batch, &r->work, err);
    int kept = keep_others(r, rc ? NULL : err);
    return rc ? rc : kept;
}

/* A second session, which can only look. It may be refused: then nobody looks
 * ahead. */
static void
open_look(struct run *r)
{
    rowlock_error failure;
    if (r->o->open_look &&
        r->o->open_look(r->d, &r->work.ahead.db, r->o->arg, &failure))
        r->work.ahead.db = NULL;
}

static int
run_batches(struct run *r, rowlock_error *err)
{
    if (!r->o->dry && !r->work.keymap) /* which belongs to one thread */
        open_look(r);
    rlk_feed_go(r->feed, &r->plan);
    for (;;) {
        RLK_TRY(next_batch(r, err));
        if (!r->batch)
            return 0;
        RLK_TRY(run_batch(r, err));
    }
}

/* What others hold is waited for, then conflicts are looked at again, one by
 * one. */
static int
settle(struct run *r, rowlock_error *err)
{
    if (!r->held.n && !r->later.n)
        return 0;
    struct rlk_batch *b = rlk_calloc(1, sizeof *b);
    if (!b)
        return rlk_out_of_memory(err);
    int rc = rlk_later_wait(&r->held, &r->later, &r->work, b, err);
    if (!rc)
        rc = rlk_later_settle(&r->later, &r->work, b, err);
    rlk_batch_done(b);
    rlk_free(b);
    return rc;
}

/* The source has come to its end. */
static void
keep_validator(struct run *r)
{
    const char *validator = rlk_feed_validator(r->feed);
    if (validator)
        snprintf(r->report->validator, sizeof r->report->validator, "%s",
                 validator);
}

static int
run_all(struct run *r, rowlock_error *err)
{
    enum rlk_read first;
    RLK_TRY(open_target(r, false, err));
    RLK_TRY(open_source(r, &first, err));
    if (!r->work.db) /* an empty list makes a table too */
        RLK_TRY(open_target(r, true, err));
    if (first == RLK_READ_RECORD)
        RLK_TRY(run_batches(r, err));
    r->report->source_unchanged = first == RLK_READ_UNCHANGED;
    keep_validator(r);
    return settle(r, err);
}

/* Those that are left are as they are. */
static void
finish_all(struct run *r, struct rlk_later *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (!l->items[i].told)
            finish(r, &l->items[i]);
}

static void
done(struct run *r)
{
    rlk_feed_close(r->feed);
    rowlock_close(r->work.ahead.db);
    rlk_ahead_done(&r->work.ahead);
    rlk_later_done(&r->held);
    rlk_later_done(&r->later);
    rlk_seen_done(&r->work.seen);
    rlk_keymap_close(r->work.keymap);
    rlk_dry_done(&r->dry);
    rlk_arena_done(&r->arena);
}

int
rlk_sync_run(const struct rlk_definition *d, const struct rlk_sync_options *o,
             struct rlk_sync_report *ret, rowlock_error *err)
{
    struct run r = {.d = d, .o = o, .report = ret};
    memset(ret, 0, sizeof *ret);
    r.work = (struct rlk_work){.plan = &r.plan,
                               .patience_ms = d->total_ms,
                               .cancelled = o->cancelled,
                               .ending = o->ending,
                               .waits = o->waits,
                               .keeps = o->on_change != NULL,
                               .settled = finish_settled,
                               .arg = &r};
    int rc = run_all(&r, err);
    finish_all(&r, &r.held);
    finish_all(&r, &r.later);
    done(&r);
    return rc;
}
