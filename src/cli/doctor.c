/* SPDX-License-Identifier: MIT
 * rowlock doctor: what is well with a database, what is not, what to type. The
 * looking is done in src/db/sqlite/doctor.c; the lock table is asked here. */
#include <stdio.h>
#include <string.h>

#include "cli/database.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "db/sqlite/doctor.h"
#include "rowlock/rowlock.h"

static int run_doctor(const struct rlk_args *args);

const struct rlk_command rlk_command_doctor = {
    .name = "doctor",
    .summary = "look a database over, and say what to do",
    .operands = "DATABASE",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "Looks at the versions, the file system, the rights, the journal mode, "
        "the tables and the lock table, and prints one line for each: ok, "
        "warn (it works, but ...) or bad (Rowlock refuses to work like this), "
        "then what follows from it and what to do. It writes nothing, but "
        "with --fix, which switches the database to WAL when no other program "
        "is in its way.",
    .options = {{.name = "fix", .help = "switch the journal mode to WAL"}},
    .examples = {{"doctor app.db", "look only"},
                 {"doctor app.db --fix", "make it fit for Rowlock"},
                 {"doctor app.db | grep -v ^ok", "only what needs care"}},
    .statuses = {{"1", "something is bad"}, RLK_STATUS_NOT_LOCKED},
    .run = run_doctor,
};

struct report {
    bool coloured, started, bad;
};

/* Nothing is printed of a file that is no database. */
static void
start(struct report *report)
{
    if (!report->started)
        printf("%s%-4s%s  rowlock %s\n", report->coloured ? "\033[32m" : "",
               "ok", report->coloured ? "\033[0m" : "", ROWLOCK_VERSION);
    report->started = true;
}

static void
print_finding(const struct rlk_finding *finding, void *arg)
{
    static const char *const grades[] = {"ok", "warn", "bad"};
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    struct report *report = arg;
    RLK_AUTOBUF struct rlk_buf what = {0};
    start(report);
    report->bad = report->bad || finding->grade == RLK_GRADE_BAD;
    rlk_buf_visible(&what, finding->what);
    printf("%s%-4s%s  %s\n", report->coloured ? colours[finding->grade] : "",
           grades[finding->grade], report->coloured ? "\033[0m" : "",
           what.ptr ? what.ptr : "");
    if (*finding->follows) {
        printf("      ");
        rlk_help_fill(stdout, finding->follows, 6, 6);
    }
    if (*finding->todo) {
        rlk_buf_clear(&what);
        rlk_buf_visible(&what, finding->todo);
        printf("      -> %s\n", what.ptr ? what.ptr : "");
    }
}

static void
tell(struct report *report, enum rlk_grade grade, const char *what,
     const char *follows)
{
    struct rlk_finding finding = {grade, what, follows, ""};
    print_finding(&finding, report);
}

/* How many sessions and locks there are; the list holds locks only, so a
 * session that holds nothing is not seen. */
static void
count_locks(struct report *report, rowlock_locks *locks)
{
    rowlock_lock_info *list;
    size_t n, n_waiting = 0;
    rowlock_error err = {0};
    if (rowlock_locks_list(locks, &list, &n, &err)) {
        tell(report, RLK_GRADE_BAD, err.message, err.hint);
        return;
    }
    for (size_t i = 0; i < n; i++)
        n_waiting += list[i].waiting != 0;
    rowlock_locks_list_free(list);
    char what[128];
    snprintf(what, sizeof what, "lock table: %zu held, %zu waited for",
             n - n_waiting, n_waiting);
    tell(report, RLK_GRADE_OK, what, "");
}

static void
examine_lock_table(struct report *report, const char *path)
{
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.label = "rowlock doctor";
    o.existing_only = 1;
    rowlock_locks *locks;
    rowlock_error err = {0};
    int rc = rowlock_locks_open(path, &o, &locks, &err);
    if (rc == ROWLOCK_UNDEFINED) {
        tell(report, RLK_GRADE_OK,
             "lock table: none yet, the first lock makes it", "");
    } else if (rc) {
        char what[sizeof err.message + 16];
        snprintf(what, sizeof what, "lock table: %s", err.message);
        tell(report, RLK_GRADE_BAD, what, *err.hint ? err.hint : err.detail);
    } else {
        count_locks(report, locks);
        rowlock_locks_close(locks);
    }
}

static int
examine(const struct rlk_args *args, struct report *report, rowlock_error *err)
{
    const char *path;
    int switched = 0;
    RLK_TRY(rlk_database_path(rlk_args_operand(args, 0), &path, err));
    if (rlk_args_has(args, "fix"))
        RLK_TRY(rlk_doctor_switch_to_wal(path, &switched, err));
    if (switched)
        rlk_speak("switched \"%s\" to WAL", path);
    struct rlk_doctor doctor = {path, print_finding, report};
    RLK_TRY(rlk_doctor_examine(&doctor, err));
    examine_lock_table(report, path);
    return 0;
}

static int
run_doctor(const struct rlk_args *args)
{
    rowlock_error err = {0};
    struct report report = {.coloured = rlk_speak_coloured(stdout)};
    if (examine(args, &report, &err))
        return rlk_speak_failure(args, &err);
    return report.bad ? RLK_EXIT_FAILED : RLK_EXIT_DONE;
}
