/* SPDX-License-Identifier: MIT
 * rowlock runs: the history of syncs in a database. It looks only, and waits
 * for nobody. Which row belongs to a process that still works is known by the
 * run locks (target.c), not by what the row says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grid.h"
#include "cli/help.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/moment.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/speak.h"

static int run_runs(const struct rlk_args *args);

const struct rlk_command rlk_command_runs = {
    .name = "runs",
    .summary = "show when syncs ran, and what came of them",
    .operands = "DATABASE",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "Each run of \"rowlock sync\" leaves a row in the table rowlock_runs "
        "of the database that it writes to; dry runs do not, nor does one "
        "that another run of the same definition keeps from starting. The "
        "newest 1,000 of each definition are kept. They are shown newest "
        "first, STARTED in local time; below stands why runs have failed.\n"
        "\n" RLK_ANY_DATABASE "\n"
        "STATUS is running, done (the source was read to its end), unchanged "
        "(done without reading, since the source says that nothing has changed "
        "since an earlier run), failed, interrupted (by a signal) or broken "
        "off (its process is gone without a word: killed, or the machine went "
        "down).\n"
        "\n"
        "--json prints a list of objects, with times in UTC.",
    .options = {RLK_OPTION_JSON,
                {.name = "sync",
                 .argument = "NAME",
                 .help = "only runs of the definition with this name"},
                {.name = "limit",
                 .argument = "N",
                 .help = "the newest N runs; 20 if not given, 0 for all"}},
    .examples = {{"runs app.db", "the last 20 runs"},
                 {"runs app.db --sync regions --limit 1", "the last of one"},
                 {"runs app.db --json | jq '.[] | select(.status==\"failed\")'",
                  "only what failed"}},
    .run = run_runs,
};

enum { USUAL_LIMIT = 20 };

static bool
has_text(const struct rlk_past_run *run, enum rlk_history_column column,
         const char *text)
{
    const rowlock_value *v = &run->values[column];
    return v->type == ROWLOCK_TEXT && v->u.s.len == strlen(text) &&
           memcmp(v->u.s.ptr, text, v->u.s.len) == 0;
}

static bool
read_time(const struct rlk_past_run *run, enum rlk_history_column column,
          int64_t *ret_us)
{
    return rlk_moment_read(run->values[column], ret_us);
}

/* How long it took, or takes already; false: nobody knows. */
static bool
took_us(const struct rlk_past_run *run, int64_t *ret)
{
    int64_t started, ended;
    if (!read_time(run, RLK_RUNS_STARTED, &started))
        return false;
    if (has_text(run, RLK_RUNS_STATUS, RLK_RUN_RUNNING))
        ended = rlk_moment_now();
    else if (!read_time(run, RLK_RUNS_ENDED, &ended))
        return false;
    *ret = ended > started ? ended - started : 0;
    return true;
}

/* It was done without reading the source, which said that it is unchanged since
 * an earlier run. */
static bool
was_unchanged(const struct rlk_past_run *run)
{
    int64_t started, source_read;
    return has_text(run, RLK_RUNS_STATUS, RLK_RUN_DONE) &&
           read_time(run, RLK_RUNS_STARTED, &started) &&
           read_time(run, RLK_RUNS_SOURCE_READ, &source_read) &&
           source_read < started;
}

/* ---- for people ---- */

static void
add_value(struct rlk_grid *grid, rowlock_value value)
{
    RLK_AUTOBUF struct rlk_buf text = {0};
    rlk_buf_plain_value(&text, value);
    rlk_grid_add(grid, value.type != ROWLOCK_NULL && text.ptr ? text.ptr : "-");
}

static void
add_started(struct rlk_grid *grid, const struct rlk_past_run *run)
{
    char text[RLK_MOMENT_TEXT];
    int64_t us;
    if (!read_time(run, RLK_RUNS_STARTED, &us)) {
        add_value(grid, run->values[RLK_RUNS_STARTED]);
        return;
    }
    rlk_moment_print(us, text);
    rlk_grid_add(grid, text);
}

static void
add_took(struct rlk_grid *grid, const struct rlk_past_run *run)
{
    char text[32] = "-";
    int64_t us;
    if (took_us(run, &us))
        rlk_duration_print(us / 1000, text, sizeof text);
    rlk_grid_add(grid, text);
}

static void
add_count(struct rlk_grid *grid, rowlock_value value)
{
    char text[RLK_COUNT_TEXT];
    if (value.type != ROWLOCK_INT || value.u.i < 0) {
        add_value(grid, value);
        return;
    }
    rlk_count_print((uint64_t)value.u.i, text);
    rlk_grid_add(grid, text);
}

static void
add_row(struct rlk_grid *grid, const struct rlk_past_run *run)
{
    static const enum rlk_history_column counts[] = {
        RLK_RUNS_CREATED,   RLK_RUNS_UPDATED,  RLK_RUNS_UNCHANGED,
        RLK_RUNS_CONFLICTS, RLK_RUNS_DEFERRED, RLK_RUNS_REJECTED};
    add_value(grid, rowlock_int(run->id));
    add_value(grid, run->values[RLK_RUNS_SYNC]);
    add_started(grid, run);
    add_took(grid, run);
    if (was_unchanged(run))
        rlk_grid_add(grid, "unchanged");
    else
        add_value(grid, run->values[RLK_RUNS_STATUS]);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        add_count(grid, run->values[counts[i]]);
}

static void
print_errors(const struct rlk_past_runs *runs)
{
    bool any = false;
    for (size_t i = 0; i < runs->n; i++) {
        RLK_AUTOBUF struct rlk_buf error = {0};
        RLK_AUTOBUF struct rlk_buf visible = {0};
        const rowlock_value *v = &runs->list[i].values[RLK_RUNS_ERROR];
        if (v->type == ROWLOCK_NULL)
            continue;
        rlk_buf_plain_value(&error, *v);
        rlk_buf_visible(&visible, error.ptr ? error.ptr : "");
        if (!any)
            printf("\n");
        any = true;
        int column = printf("run %" PRId64 ": ", runs->list[i].id);
        rlk_help_fill(stdout, visible.ptr ? visible.ptr : "", (size_t)column,
                      (size_t)column);
    }
}

static int
print_table(const struct rlk_past_runs *runs, rowlock_error *err)
{
    static const char *const heads[] = {
        "ID",      "SYNC",      "STARTED",   "TOOK",     "STATUS",  "CREATED",
        "UPDATED", "UNCHANGED", "CONFLICTS", "DEFERRED", "REJECTED"};
    struct rlk_grid grid = {.n_columns = sizeof heads / sizeof heads[0],
                            .right = 0x7e9}; /* ID, TOOK, and from CREATED on */
    for (size_t i = 0; i < grid.n_columns; i++)
        rlk_grid_add(&grid, heads[i]);
    for (size_t i = 0; i < runs->n; i++)
        add_row(&grid, &runs->list[i]);
    bool failed = grid.failed;
    if (!failed) {
        rlk_grid_print(&grid, stdout);
        print_errors(runs);
    }
    rlk_grid_done(&grid);
    return failed ? rlk_out_of_memory(err) : 0;
}

/* ---- for programs ---- */

static void
add_time(struct rlk_buf *buf, const struct rlk_past_run *run,
         enum rlk_history_column column)
{
    char text[RLK_MOMENT_TEXT];
    int64_t us;
    if (!read_time(run, column, &us)) {
        rlk_buf_json_value(buf, run->values[column]);
        return;
    }
    rlk_moment_iso(us, text);
    rlk_buf_format(buf, "\"%s\"", text);
}

static void
add_object(struct rlk_buf *buf, const struct rlk_past_run *run)
{
    int64_t us;
    rlk_buf_format(buf, "{\"id\": %" PRId64, run->id);
    for (int i = 0; i < RLK_RUNS_VALIDATOR; i++) { /* that and what follows
                                                      is the run's own */
        rlk_buf_format(buf, ", \"%s\": ", rlk_history_columns[i].name);
        if (strcmp(rlk_history_columns[i].type, "TIMESTAMP") == 0)
            add_time(buf, run, (enum rlk_history_column)i);
        else
            rlk_buf_json_value(buf, run->values[i]);
    }
    if (took_us(run, &us))
        rlk_buf_format(buf, ", \"seconds\": %.3f}", (double)us / 1e6);
    else
        rlk_buf_text(buf, ", \"seconds\": null}");
}

static int
print_json(const struct rlk_past_runs *runs, rowlock_error *err)
{
    RLK_AUTOBUF struct rlk_buf buf = {0};
    rlk_buf_char(&buf, '[');
    for (size_t i = 0; i < runs->n; i++) {
        rlk_buf_text(&buf, i ? ",\n " : "");
        add_object(&buf, &runs->list[i]);
    }
    rlk_buf_text(&buf, "]\n");
    if (buf.failed)
        return rlk_out_of_memory(err);
    fwrite(buf.ptr, 1, buf.len, stdout);
    return 0;
}

/* ---- the command ---- */

static int
say_none(const struct rlk_past_runs *runs, const char *name)
{
    if (!runs->kept)
        rlk_speak("no history: no sync has written to this database yet");
    else if (name)
        rlk_speak("no run of \"%s\" in the history", name);
    else
        rlk_speak("the history is empty");
    return 0;
}

static int
show(const struct rlk_args *args, int64_t limit, rowlock_error *err)
{
    struct rlk_past_runs runs = {0};
    const char *name = rlk_args_value(args, "sync");
    int rc =
        rlk_past_runs_read(rlk_args_operand(args, 0), name, limit, &runs, err);
    if (!rc && rlk_args_has(args, "json"))
        rc = print_json(&runs, err);
    else if (!rc)
        rc = runs.n ? print_table(&runs, err) : say_none(&runs, name);
    rlk_past_runs_done(&runs);
    return rc;
}

static bool
read_limit(const struct rlk_args *args, int64_t *ret)
{
    const char *text = rlk_args_value(args, "limit");
    char *end = NULL;
    *ret = USUAL_LIMIT;
    if (!text)
        return true;
    if (!*text || strlen(text) > 9 || strspn(text, "0123456789") < strlen(text))
        return false;
    *ret = strtol(text, &end, 10);
    return true;
}

static int
run_runs(const struct rlk_args *args)
{
    rowlock_error err = {0};
    int64_t limit;
    if (!read_limit(args, &limit))
        return rlk_usage(args->command, "Write a whole number; 0 shows all.",
                         "--limit \"%.40s\" is no number of runs",
                         rlk_args_value(args, "limit"));
    return show(args, limit, &err) ? rlk_speak_failure(args, &err)
                                   : RLK_EXIT_DONE;
}
