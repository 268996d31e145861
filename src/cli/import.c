/* SPDX-License-Identifier: MIT
 * One run of a definition. Invariant: what is printed of records was committed
 * before. Speech (what it waits for, records that are left, progress) goes to
 * stderr, the summary or the JSON lines to stdout. What the lines hold stands
 * in docs/json-output.md. */
#include "cli/import.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/keep.h"
#include "cli/moment.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/speak.h"
#include "cli/summary.h"
#include "cli/target.h"
#include "cli/told.h"
#include "front/front.h"
#include "sync/check.h"
#include "sync/sync.h"

enum { LEFT_SHOWN = 20 };

struct import {
    const struct rlk_import_options *o;
    const struct rlk_definition *d;
    struct rlk_target target;
    struct rlk_history history;
    struct rlk_progress progress;
    struct rlk_output output; /* with --json */
    struct rlk_sync_report report;
    int64_t began_us;
    uint64_t shown; /* records left as they are that were said */
    volatile sig_atomic_t cancelled, ending, waits;
};

/* ---- while it runs ---- */

/* In a signal handler. SIGTERM ends the run after the batch that is under way,
 * others end it at once. */
static void
leave(void *arg)
{
    struct import *s = arg;
    bool gently = rlk_interrupted() == SIGTERM;
    if (gently)
        s->ending = 1;
    else
        s->cancelled = 1;
    if (!gently || s->waits)
        rlk_target_cancel(&s->target);
}

static void
say_waiting(const rowlock_wait_notice *notice, void *arg)
{
    struct import *s = arg;
    rlk_progress_held(&s->progress, notice);
}

static int
open_target(const struct rlk_definition *d, bool make, rowlock_db **ret,
            void *arg, rowlock_error *err)
{
    struct import *s = arg;
    RLK_TRY(s->o->dry ? rlk_target_look(&s->target, d, make, err)
                      : rlk_target_open(&s->target, d, make, err));
    rlk_interrupt_watch(leave, s);
    *ret = s->target.db;
    return 0;
}

static int
open_look(const struct rlk_definition *d, rowlock_db **ret, void *arg,
          rowlock_error *err)
{
    (void)arg;
    return rlk_front_look(d->database.text, NULL, ret, err);
}

static void
begin_history(bool fits, void *arg)
{
    struct import *s = arg;
    rlk_progress_clear(&s->progress);
    if (s->o->dry)
        rlk_keep_look(&s->history, &s->target, s->d);
    else
        rlk_keep_begin(&s->history, &s->target, s->d, fits);
}

static void
take_left(const struct rlk_sync_told *left, void *arg)
{
    struct import *s = arg;
    if (s->o->json) {
        rlk_told_json(&s->output.buf, left, s->o->dry);
        return;
    }
    if (s->shown == LEFT_SHOWN)
        return;
    s->shown++;
    rlk_progress_clear(&s->progress);
    rlk_told_say(left);
}

static void
say_slow_key(size_t k, void *arg)
{
    struct import *s = arg;
    struct rlk_buf RLK_AUTOBUF name = {0}, line = {0};
    rlk_check_key_name(s->d, k, &name);
    rlk_target_add_index(s->d, k, &line);
    if (name.failed || line.failed)
        return;
    rlk_progress_clear(&s->progress);
    rlk_speak("match key %s has no index: the table is read for it, once a run",
              name.ptr);
    rlk_speak("to spare that, type: %s", line.ptr);
}

static void
take_change(const struct rlk_sync_told *change, void *arg)
{
    struct import *s = arg;
    if (s->o->json) {
        rlk_told_json(&s->output.buf, change, s->o->dry);
        return;
    }
    rlk_progress_clear(&s->progress);
    rlk_told_show(change);
}

/* Whoever acts on the lines is gone: changes that nobody hears of are not made.
 */
static void
write_output(struct import *s)
{
    if (s->output.buf.len)
        rlk_progress_clear(&s->progress);
    if (!rlk_output_flush(&s->output))
        s->cancelled = 1;
}

static void
take_progress(const struct rlk_sync_report *report, void *arg)
{
    struct import *s = arg;
    if (s->o->json)
        write_output(s);
    else
        fflush(stdout);
    rlk_progress_show(&s->progress, report->records);
}

static void
take_time(void *arg)
{
    struct import *s = arg;
    rlk_progress_tick(&s->progress);
}

/* ---- when it has ended ---- */

/* The source was not read, since it says that nothing has changed since then.
 */
static bool
unchanged_since(const struct import *s, int64_t *ret_us)
{
    return s->report.source_unchanged &&
           rlk_moment_read(rowlock_text(s->history.known.read), ret_us);
}

static void
say_unshown(const struct import *s)
{
    const struct rlk_sync_report *r = &s->report;
    uint64_t more = r->rejected + r->conflicts + r->deferred - s->shown;
    char text[RLK_COUNT_TEXT];
    rlk_count_print(more, text);
    if (!s->o->json && more)
        rlk_speak("%s more like these; --json lists all", text);
}

static void
say_failure(struct import *s, int status, const rowlock_error *err)
{
    if (status > RLK_EXIT_SIGNAL)
        rlk_speak("sync: interrupted; %s", s->o->dry
                                               ? "nothing was written"
                                               : "what is committed stays");
    else
        rlk_speak_error(s->report.definition_wrong ? NULL : "sync", err);
}

/* Whoever should act on the lines is gone, or has no room for them. */
static void
fail_unwritten(const struct import *s, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_IO, "could not write the result: %s",
             strerror(s->output.error));
    rlk_detail(err, "%s",
               s->o->dry ? "Nothing was written." : "What is committed stays.");
}

static int
status_of_failure(const struct import *s, const rowlock_error *err)
{
    if (s->output.error)
        return RLK_EXIT_FAILED;
    if (rlk_interrupted())
        return RLK_EXIT_SIGNAL + rlk_interrupted();
    if (s->report.definition_wrong)
        return RLK_EXIT_USAGE;
    if (s->target.running)
        return RLK_EXIT_RUNNING;
    return s->report.source_away || err->code == ROWLOCK_NOT_AVAILABLE
               ? RLK_EXIT_NOT_LOCKED
               : RLK_EXIT_FAILED;
}

/* Of several the most pressing. */
static int
status_of(const struct rlk_sync_report *r, bool dry)
{
    if (r->deferred)
        return RLK_EXIT_NOT_LOCKED;
    if (r->conflicts)
        return RLK_EXIT_CONFLICTS;
    if (r->rejected)
        return RLK_EXIT_REJECTED;
    return dry && (r->created || r->updated) ? RLK_EXIT_PENDING : RLK_EXIT_DONE;
}

static void
print_summary(struct import *s, int status, const rowlock_error *err)
{
    struct rlk_summary summary = {
        .d = s->d,
        .report = &s->report,
        .status = status,
        .pages = rlk_progress_pages(&s->progress),
        .seconds = rlk_progress_seconds(&s->progress),
        .dry = s->o->dry,
        .began_us = s->o->again ? s->began_us : 0,
    };
    summary.is_unread = unchanged_since(s, &summary.since_us);
    if (!s->o->json && (!err || s->report.records || s->o->again))
        rlk_summary_print(&summary, err);
    if (s->o->json)
        rlk_summary_json(&s->output.buf, &summary, err);
}

/* err: NULL when the run went through. Answers the status; the last line may be
 * one that cannot be written. */
static int
report(struct import *s, int status, const rowlock_error *err)
{
    say_unshown(s);
    print_summary(s, status, err);
    bool written = rlk_output_flush(&s->output);
    if (err)
        say_failure(s, status, err);
    if (err || written)
        return status;
    rlk_speak("sync: could not write the result: %s",
              strerror(s->output.error));
    return RLK_EXIT_FAILED;
}

static void
end_history(struct import *s, int status, const rowlock_error *err)
{
    bool interrupted = status > RLK_EXIT_SIGNAL;
    const struct rlk_history_end end = {
        .status = interrupted ? RLK_RUN_INTERRUPTED
                  : err       ? RLK_RUN_FAILED
                              : RLK_RUN_DONE,
        .exit_status = status,
        .report = &s->report,
        .error = err && !interrupted ? err->message : NULL,
    };
    rlk_keep_end(&s->history, &end);
}

static int
run(struct import *s)
{
    rowlock_error err = {0};
    const struct rlk_source_watch watch = {
        rlk_progress_note_wait, rlk_progress_note_pages, &s->progress};
    struct rlk_sync_options o = {
        .open_target = open_target,
        .open_look = open_look,
        .on_target = begin_history,
        .on_left = take_left,
        .on_slow_key = say_slow_key,
        .on_progress = take_progress,
        .on_idle = take_time,
        .on_change = s->o->dry || s->o->json ? take_change : NULL,
        .arg = s,
        .validator = s->o->full ? NULL : s->history.known.validator,
        .dry = s->o->dry,
        .limits = RLK_SOURCE_LIMITS_INIT,
        .watch = &watch,
        .cancelled = &s->cancelled,
        .ending = &s->ending,
        .waits = &s->waits,
    };
    rlk_progress_start(&s->progress);
    rlk_interrupt_watch(leave, s);
    int rc = rlk_sync_run(s->d, &o, &s->report, &err);
    if (rc && s->output.error)
        fail_unwritten(s, &err);
    int status =
        rc ? status_of_failure(s, &err) : status_of(&s->report, s->o->dry);
    rlk_progress_clear(&s->progress);
    end_history(s, status, rc ? &err : NULL);
    rlk_interrupt_unwatch();
    rlk_target_close(&s->target);
    return report(s, status, rc ? &err : NULL);
}

int
rlk_import_run(const struct rlk_definition *d,
               const struct rlk_import_options *o, bool *ret_unheard)
{
    struct import s = {.o = o, .d = d, .began_us = rlk_moment_now()};
    s.target.on_wait = say_waiting;
    s.target.arg = &s;
    if (!o->dry) /* else there is nothing to end cleanly */
        rlk_output_begin();
    int status = run(&s);
    *ret_unheard = s.output.error || fflush(stdout) || ferror(stdout);
    rlk_output_done(&s.output);
    return status;
}
