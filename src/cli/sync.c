/* SPDX-License-Identifier: MIT
 * rowlock sync: run a definition once. Invariant: what is printed of records
 * was committed before. Speech (what it waits for, rejected records, progress)
 * goes to stderr, the summary or the JSON lines to stdout. What the lines hold
 * stands in docs/json-output.md. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/keep.h"
#include "cli/moment.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/speak.h"
#include "cli/summary.h"
#include "cli/target.h"
#include "cli/told.h"
#include "sync/sync.h"

static int run_sync(const struct rlk_args *args);

const struct rlk_command rlk_command_sync = {
    .name = "sync",
    .summary = "import records from a remote source into a table",
    .operands = "DEFINITION",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "Reads the source that the definition names, JSON, NDJSON, CSV or TSV "
        "in a file or behind http:// or https://, and creates or updates one "
        "record of the table for each of its records, under record locks. "
        "Nobody else's work is lost: what others hold is waited for, and said "
        "after a second.\n"
        "\n"
        "DEFINITION is a YAML file; docs/definition.md describes it. Paths in "
        "it are seen from its folder:\n"
        "\n"
        "  sync: regions\n"
        "  target:\n"
        "    database: sqlite:regions.db\n"
        "    table: region\n"
        "    create_table: true\n"
        "  source:\n"
        "    url: http://127.0.0.1:8080/regions.json\n"
        "    records: /items\n"
        "  match: [remote_id, slug]\n"
        "  fields:\n"
        "    remote_id: {from: /id, strip: true}\n"
        "    slug:      {from: /name, slugify: true, mode: create_only}\n"
        "    name:      /name\n"
        "\n"
        "Records are written in batches; what was committed stays when the "
        "run fails later, and the next run finds it unchanged. A record that "
        "cannot be written is rejected alone, with its place in the source, "
        "and the rest goes on. A body that is cut off or damaged fails the "
        "run. A source that says it is unchanged since a run that left "
        "nothing to do is not read, unless --full is given.\n"
        "\n"
        "Symbols mark what became of a record: + created, * updated, = "
        "unchanged, ! rejected, ^ conflict (its match keys disagree), ~ "
        "deferred (somebody holds it; the next run may write it).\n"
        "\n"
        "With --json each record that was created or updated has a line with "
        "its key and what changed, written once it is committed, and so has "
        "one that was left as it is; the last line has the counts. "
        "docs/json-output.md describes them.\n"
        "\n"
        "With --dry-run nothing is written, locked or created: each change is "
        "shown, column by column, old -> new. What only writing can tell is "
        "not seen: constraints, triggers, who holds a record, and conflicts "
        "that a change of the same run would settle.",
    .options = {{.name = "dry-run",
                 .environment = true,
                 .help = "show what would change, and write nothing"},
                {.name = "full",
                 .environment = true,
                 .help = "read the source even if it says that it is "
                         "unchanged"},
                RLK_OPTION_JSON},
    .examples = {{"sync --dry-run regions.yaml", "look before leaping"},
                 {"sync --json regions.yaml", "the outcome as JSON lines"},
                 {"sync regions.yaml && touch regions.done",
                  "go on only when every record is in"}},
    .statuses = {{"1", "failed"},
                 {"2", "wrong usage, or a wrong definition"},
                 {"3", "dry run: something would change"},
                 {"4", "done, but conflicts are left"},
                 {"5", "try again later: records were deferred, since others "
                       "hold them, the server is away, or its list "
                       "changed while it was read"},
                 {"6", "done, but records were rejected"},
                 {"11", "another run of this definition is under way"}},
    .run = run_sync,
};

enum { LEFT_SHOWN = 20 };

struct sync {
    const struct rlk_args *args;
    struct rlk_definition *definition;
    struct rlk_target target;
    struct rlk_history history;
    struct rlk_progress progress;
    struct rlk_output output; /* with --json */
    struct rlk_sync_report report;
    bool json, dry;
    uint64_t shown; /* records left as they are that were said */
    volatile sig_atomic_t cancelled;
};

/* ---- while it runs ---- */

static void
cancel(void *arg)
{
    struct sync *s = arg;
    s->cancelled = 1;
    rlk_target_cancel(&s->target);
}

static void
say_waiting(const rowlock_wait_notice *notice, void *arg)
{
    struct sync *s = arg;
    rlk_progress_held(&s->progress, notice);
}

static int
open_target(const struct rlk_definition *d, bool make, rowlock_db **ret,
            void *arg, rowlock_error *err)
{
    struct sync *s = arg;
    RLK_TRY(s->dry ? rlk_target_look(&s->target, d, make, err)
                   : rlk_target_open(&s->target, d, make, err));
    rlk_interrupt_watch(cancel, s);
    *ret = s->target.db;
    return 0;
}

static void
begin_history(bool fits, void *arg)
{
    struct sync *s = arg;
    rlk_progress_clear(&s->progress);
    if (s->dry)
        rlk_keep_look(&s->history, &s->target, s->definition);
    else
        rlk_keep_begin(&s->history, &s->target, s->definition, fits);
}

static void
take_left(const struct rlk_sync_told *left, void *arg)
{
    struct sync *s = arg;
    if (s->json) {
        rlk_told_json(&s->output.buf, left, s->dry);
        return;
    }
    if (s->shown == LEFT_SHOWN)
        return;
    s->shown++;
    rlk_progress_clear(&s->progress);
    rlk_told_say(left);
}

static void
take_change(const struct rlk_sync_told *change, void *arg)
{
    struct sync *s = arg;
    if (s->json) {
        rlk_told_json(&s->output.buf, change, s->dry);
        return;
    }
    rlk_progress_clear(&s->progress);
    rlk_told_show(change);
}

/* Whoever acts on the lines is gone: changes that nobody hears of are not made.
 */
static void
write_output(struct sync *s)
{
    if (s->output.buf.len)
        rlk_progress_clear(&s->progress);
    if (!rlk_output_flush(&s->output))
        s->cancelled = 1;
}

static void
take_progress(const struct rlk_sync_report *report, void *arg)
{
    struct sync *s = arg;
    if (s->json)
        write_output(s);
    else
        fflush(stdout);
    rlk_progress_show(&s->progress, report->records);
}

static void
take_time(void *arg)
{
    struct sync *s = arg;
    rlk_progress_tick(&s->progress);
}

/* ---- when it has ended ---- */

/* The source was not read, since it says that nothing has changed since then.
 */
static bool
unchanged_since(const struct sync *s, int64_t *ret_us)
{
    return s->report.source_unchanged &&
           rlk_moment_read(rowlock_text(s->history.known.read), ret_us);
}

static void
say_unshown(const struct sync *s)
{
    const struct rlk_sync_report *r = &s->report;
    uint64_t more = r->rejected + r->conflicts + r->deferred - s->shown;
    char text[RLK_COUNT_TEXT];
    rlk_count_print(more, text);
    if (!s->json && more)
        rlk_speak("%s more like these; --json lists all", text);
}

static void
say_failure(struct sync *s, int status, const rowlock_error *err)
{
    if (status > RLK_EXIT_SIGNAL)
        rlk_speak("sync: interrupted; %s",
                  s->dry ? "nothing was written" : "what is committed stays");
    else
        rlk_speak_error(s->report.definition_wrong ? NULL : "sync", err);
}

/* Whoever should act on the lines is gone, or has no room for them. */
static void
fail_unwritten(const struct sync *s, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_IO, "could not write the result: %s",
             strerror(s->output.error));
    rlk_detail(err, "%s",
               s->dry ? "Nothing was written." : "What is committed stays.");
}

static int
status_of_failure(const struct sync *s, const rowlock_error *err)
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
print_summary(struct sync *s, int status, const rowlock_error *err)
{
    struct rlk_summary summary = {
        .d = s->definition,
        .report = &s->report,
        .status = status,
        .pages = rlk_progress_pages(&s->progress),
        .seconds = rlk_progress_seconds(&s->progress),
        .dry = s->dry,
    };
    summary.is_unread = unchanged_since(s, &summary.since_us);
    if (!s->json && (!err || s->report.records))
        rlk_summary_print(&summary, err);
    if (s->json)
        rlk_summary_json(&s->output.buf, &summary, err);
}

/* err: NULL when the run went through. Answers the status; the last line may be
 * one that cannot be written. */
static int
report(struct sync *s, int status, const rowlock_error *err)
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
end_history(struct sync *s, int status, const rowlock_error *err)
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
run_definition(struct sync *s)
{
    rowlock_error err = {0};
    const struct rlk_source_watch watch = {
        rlk_progress_note_wait, rlk_progress_note_pages, &s->progress};
    struct rlk_sync_options o = {
        .open_target = open_target,
        .on_target = begin_history,
        .on_left = take_left,
        .on_progress = take_progress,
        .on_idle = take_time,
        .on_change = s->dry || s->json ? take_change : NULL,
        .arg = s,
        .validator =
            rlk_args_has(s->args, "full") ? NULL : s->history.known.validator,
        .dry = s->dry,
        .limits = RLK_SOURCE_LIMITS_INIT,
        .watch = &watch,
        .cancelled = &s->cancelled,
    };
    rlk_progress_start(&s->progress);
    rlk_interrupt_watch(cancel, s);
    int rc = rlk_sync_run(s->definition, &o, &s->report, &err);
    if (rc && s->output.error)
        fail_unwritten(s, &err);
    int status =
        rc ? status_of_failure(s, &err) : status_of(&s->report, s->dry);
    rlk_progress_clear(&s->progress);
    end_history(s, status, rc ? &err : NULL);
    rlk_interrupt_unwatch();
    rlk_target_close(&s->target);
    status = report(s, status, rc ? &err : NULL);
    rlk_output_done(&s->output);
    return status;
}

static int
run_sync(const struct rlk_args *args)
{
    struct sync s = {.args = args,
                     .json = rlk_args_has(args, "json"),
                     .dry = rlk_args_has(args, "dry-run")};
    rowlock_error err = {0};
    s.target.on_wait = say_waiting;
    s.target.arg = &s;
    if (rlk_definition_read(rlk_args_operand(args, 0), &s.definition, &err)) {
        rlk_speak_error(NULL, &err);
        return RLK_EXIT_USAGE;
    }
    if (!s.dry) /* else there is nothing to end cleanly */
        rlk_output_begin();
    int status = run_definition(&s);
    rlk_definition_free(s.definition);
    return status;
}
