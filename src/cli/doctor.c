/* SPDX-License-Identifier: MIT
 * rowlock doctor: what is well with a database, or with a definition and its
 * database, what is not, what to type. The looking is done in
 * src/db/sqlite/doctor.c, src/db/postgres/doctor.c and src/sync/check.c; the
 * lock table is asked here. Next: doctor_definition.c. */
#include "cli/doctor.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/counters.h"
#include "cli/database.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "front/front.h"
#include "rowlock/rowlock.h"

static int run_doctor(const struct rlk_args *args);

const struct rlk_command rlk_command_doctor = {
    .name = "doctor",
    .summary = "look a database or a definition over, and say what to do",
    .operands = "DATABASE|DEFINITION",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "Looks at the versions, the file system, the rights, the journal mode, "
        "the tables and the lock table, and prints one line for each: ok, "
        "warn (it works, but ...) or bad (Rowlock refuses to work like this), "
        "then what follows from it and what to do. Of a server it looks at the "
        "versions, the way there, the settings that locks depend on, who waits "
        "now, the tables and the rights.\n"
        "\n"
        "Of a DEFINITION (see rowlock help sync) its database is looked at, "
        "and "
        "then the definition beside its table: match keys without a unique "
        "index, with the statement that makes it; columns that must not be "
        "NULL and that no field fills, with a line for each; triggers, types, "
        "parents, modes that never write. The source is not asked.\n"
        "\n"
        "A file is a database when it begins like one (or is empty), and a "
        "definition when its name ends in .yaml or .yml or it reads as a map "
        "of keys; sqlite:PATH and postgresql:// URLs are always databases.\n"
        "\n"
        "It writes nothing, but with --fix, which switches the database to WAL "
        "when no other program is in its way, and with --repair. When a flush "
        "or a checkpoint has failed, nobody writes any more, since the disk "
        "may have lost what was committed, and a second flush would not say "
        "so. After a restart of the machine what is on the disk counts. "
        "--repair saves what can still be read now into a new file, which "
        "takes the place of the old one; no other program may be running. On "
        "a server both have nothing to do.",
    .options = {{.name = "fix", .help = "switch SQLite's journal mode to WAL"},
                {.name = "repair",
                 .help = "after a failed flush: save what can be read"}},
    .examples = {{"doctor app.db --fix", "make it fit for Rowlock"},
                 {"doctor regions.yaml", "look before the first sync"},
                 {"doctor app.db | grep -v ^ok", "only what needs care"}},
    .statuses = {{"1", "something is bad"}, RLK_STATUS_NOT_LOCKED},
    .run = run_doctor,
};

/* Nothing is printed of a file that is no database. */
static void
start(struct rlk_doctor_report *report)
{
    if (!report->started)
        printf("%s%-4s%s  rowlock %s\n", report->coloured ? "\033[32m" : "",
               "ok", report->coloured ? "\033[0m" : "", ROWLOCK_VERSION);
    report->started = true;
}

/* Words in lines below the finding. */
static void
print_follows(const char *text)
{
    RLK_AUTOBUF struct rlk_buf visible = {0};
    rlk_buf_visible(&visible, text);
    printf("      ");
    rlk_help_fill(stdout, visible.ptr ? visible.ptr : "", 6, 6);
}

/* Each line as it is to be typed. */
static void
print_todo(const char *text)
{
    const char *mark = "->";
    while (*text) {
        size_t len = strcspn(text, "\n");
        RLK_AUTOFREE char *line = rlk_strndup(text, len);
        RLK_AUTOBUF struct rlk_buf visible = {0};
        rlk_buf_visible(&visible, line ? line : "");
        printf("      %s %s\n", mark, visible.ptr ? visible.ptr : "");
        text += len + (text[len] != 0);
        mark = "  ";
    }
}

void
rlk_doctor_print(const struct rlk_finding *finding, void *arg)
{
    static const char *const grades[] = {"ok", "warn", "bad"};
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    struct rlk_doctor_report *report = arg;
    RLK_AUTOBUF struct rlk_buf what = {0};
    start(report);
    report->bad = report->bad || finding->grade == RLK_GRADE_BAD;
    rlk_buf_visible(&what, finding->what);
    printf("%s%-4s%s  %s\n", report->coloured ? colours[finding->grade] : "",
           grades[finding->grade], report->coloured ? "\033[0m" : "",
           what.ptr ? what.ptr : "");
    if (*finding->follows)
        print_follows(finding->follows);
    print_todo(finding->todo);
}

static void
tell(struct rlk_doctor_report *report, enum rlk_grade grade, const char *what,
     const char *follows)
{
    struct rlk_finding finding = {grade, what, follows, ""};
    rlk_doctor_print(&finding, report);
}

/* How many sessions and locks there are; the list holds locks only, so a
 * session that holds nothing is not seen. */
static void
count_locks(struct rlk_doctor_report *report, rowlock_locks *locks)
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

/* What is slow here? */
static void
tell_counters(struct rlk_doctor_report *report, rowlock_locks *locks)
{
    rowlock_lock_counters c = ROWLOCK_LOCK_COUNTERS_INIT;
    struct rlk_buf RLK_AUTOBUF waits = {0}, events = {0};
    if (rowlock_locks_counters(locks, &c, NULL))
        return;
    rlk_buf_text(&waits, "locks ");
    rlk_counters_waits(&waits, &c);
    rlk_buf_text(&events, "and ");
    rlk_counters_events(&events, &c);
    if (waits.failed || events.failed)
        return;
    bool slow = c.longest_ms >= RLK_LONG_WAIT_MS;
    tell(report, slow ? RLK_GRADE_WARN : RLK_GRADE_OK, waits.ptr,
         slow ? "Somebody holds a record for long: \"rowlock locks --watch\" "
                "shows who."
              : "");
    tell(report, RLK_GRADE_OK, events.ptr, "");
}

static void
tell_poison(struct rlk_doctor_report *report, rowlock_locks *locks,
            const char *path)
{
    rowlock_error err = {0};
    RLK_AUTOBUF struct rlk_buf todo = {0};
    if (!rowlock_locks_poisoned(locks, &err))
        return;
    rlk_buf_text(&todo, "rowlock doctor --repair ");
    rlk_doctor_add_word(&todo, path);
    struct rlk_finding finding = {RLK_GRADE_BAD, err.message, err.detail,
                                  todo.ptr ? todo.ptr : ""};
    rlk_doctor_print(&finding, report);
}

static void
examine_lock_table(struct rlk_doctor_report *report, const char *path)
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
        tell_poison(report, locks, path);
        count_locks(report, locks);
        tell_counters(report, locks);
        rowlock_locks_close(locks);
    }
}

static int
repair(const char *path, rowlock_error *err)
{
    int repaired = 0;
    RLK_TRY(rlk_doctor_repair(path, &repaired, err));
    if (repaired)
        rlk_speak("saved \"%s\" into a new file: it can be written again",
                  path);
    else
        rlk_speak("nothing to repair: no flush of \"%s\" has failed", path);
    return 0;
}

static int
fix(const char *path, rowlock_error *err)
{
    int switched = 0;
    RLK_TRY(rlk_doctor_switch_to_wal(path, &switched, err));
    if (switched)
        rlk_speak("switched \"%s\" to WAL", path);
    return 0;
}

int
rlk_doctor_database(const struct rlk_doctor *doctor,
                    const struct rlk_args *args, rowlock_error *err)
{
    if (rlk_args_has(args, "repair"))
        RLK_TRY(repair(doctor->path, err));
    if (rlk_args_has(args, "fix"))
        RLK_TRY(fix(doctor->path, err));
    RLK_TRY(rlk_doctor_examine(doctor, err));
    examine_lock_table(doctor->arg, doctor->path);
    return 0;
}

int
rlk_doctor_server(const struct rlk_server_doctor *doctor,
                  const struct rlk_args *args, rowlock_error *err)
{
    if (rlk_args_has(args, "repair"))
        rlk_speak("--repair has nothing to do on a server: it is for a SQLite "
                  "database after a failed flush");
    if (rlk_args_has(args, "fix"))
        rlk_speak("--fix has nothing to do on a server: it switches the "
                  "journal mode of a SQLite database");
    return rlk_postgres_examine(doctor, err);
}

static int
examine(const struct rlk_args *args, struct rlk_doctor_report *report,
        rowlock_error *err)
{
    const char *operand = rlk_args_operand(args, 0), *path;
    if (rlk_doctor_is_definition(operand))
        return rlk_doctor_definition(operand, args, report, err);
    if (rlk_front_is_server(operand)) {
        struct rlk_server_doctor server = {operand, rlk_doctor_print, report};
        return rlk_doctor_server(&server, args, err);
    }
    if (rlk_args_has(args, "repair")) /* it may have been moved away */
        RLK_TRY(rlk_front_path(operand, &path, err));
    else
        RLK_TRY(rlk_database_path(operand, &path, err));
    struct rlk_doctor doctor = {path, NULL, rlk_doctor_print, report};
    return rlk_doctor_database(&doctor, args, err);
}

static int
run_doctor(const struct rlk_args *args)
{
    rowlock_error err = {0};
    struct rlk_doctor_report report = {.coloured = rlk_speak_coloured(stdout)};
    if (examine(args, &report, &err))
        return rlk_speak_failure(args, &err);
    return report.bad ? RLK_EXIT_FAILED : RLK_EXIT_DONE;
}
