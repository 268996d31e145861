/* SPDX-License-Identifier: MIT
 * rowlock locks: who holds what, who waits for whom, since when. It reads the
 * lock table only: it makes none, and does not touch the database. A server
 * knows who waits: src/db/postgres/locks.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/database.h"
#include "cli/grid.h"
#include "cli/locks.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "db/server.h"
#include "front/front.h"

static int run_locks(const struct rlk_args *args);

const struct rlk_command rlk_command_locks = {
    .name = "locks",
    .summary = "show who holds what, and who waits for whom",
    .operands = "DATABASE",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "One line for each lock that is held or waited for, the waiters of a "
        "lock behind its holders in the order in which they will be served. "
        "Each record lock also holds key-share on its table; those lines are "
        "left out of the table for people where nobody waits for them.\n"
        "\n"
        "kind is record, key (a value of a match or unique column, whether or "
        "not a record has it), table, or writer (the turn to write). owner is "
        "a session's number: BLOCKED BY names those that a waiter waits for. "
        "AGE is how long it holds, or waits. Deadlocks that were resolved in "
        "the "
        "last minute follow on stderr: who waited for what, held by whom. So "
        "does who has read for so long that the WAL cannot be emptied.\n"
        "\n"
        "--watch shows it again and again until Ctrl-C, who waits longest "
        "first, below what happened so far: locks granted, waited for and "
        "waited for in vain, deadlocks, transactions done again after a wait, "
        "waiters that others went past, sessions that died, and rebuilds of "
        "the lock table. With --json, each line is an object with counters and "
        "locks.\n"
        "\n" RLK_ANY_DATABASE
        "On PostgreSQL, which keeps the locks of rows in the "
        "rows, only those who wait are seen, and who is in their way: OWNER "
        "and PID are the server's process, MODE is ? where it cannot be told, "
        "AGE of who holds is its transaction's. Kinds are also run (a "
        "definition under way), advisory (of other programs) and transaction "
        "(another's end, whatever it did). There are no counters.\n"
        "\n"
        "--json prints a list of objects with kind, table, key, mode, state "
        "(held or waiting), owner, pid, age_ms, blocked_by (a list of owners) "
        "and label; on "
        "PostgreSQL also activity.",
    .options = {{.name = "watch",
                 .help = "show it again and again, until Ctrl-C"},
                {.name = "every",
                 .argument = "INTERVAL",
                 .help = "how often --watch does; 2s if not given"},
                RLK_OPTION_JSON},
    .examples =
        {{"locks app.db", "a table for people"},
         {"locks app.db --watch", "what is slow here, as it happens"},
         {"locks app.db --json | jq '.[] | select(.state==\"waiting\")'",
          "only those who wait"}},
    .run = run_locks,
};

static const char *
kind_name(enum rowlock_kind kind)
{
    static const char *const names[] = {[ROWLOCK_RECORD] = "record",
                                        [ROWLOCK_KEY] = "key",
                                        [ROWLOCK_TABLE] = "table",
                                        [ROWLOCK_WRITER] = "writer"};
    return names[kind];
}

/* As --mode spells it. */
static const char *
mode_name(enum rowlock_mode mode)
{
    static const char *const names[] = {[ROWLOCK_READ] = "none",
                                        [ROWLOCK_KEY_SHARE] = "key-share",
                                        [ROWLOCK_SHARE] = "share",
                                        [ROWLOCK_NO_KEY_UPDATE] =
                                            "no-key-update",
                                        [ROWLOCK_UPDATE] = "update"};
    return names[mode];
}

/* ---- for people ---- */

static bool
same_name(const struct rlk_lock_line *a, const struct rlk_lock_line *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->table, b->table) == 0 &&
           strcmp(a->key, b->key) == 0;
}

/* The key-share of a table that every record lock brings, unless somebody
 * waits there. */
static bool
is_implied(const struct rlk_locks_look *look, const struct rlk_lock_line *line)
{
    const struct rlk_lock_line *list = look->lines.list;
    if (look->server || strcmp(line->kind, kind_name(ROWLOCK_TABLE)) != 0 ||
        line->waiting || strcmp(line->mode, mode_name(ROWLOCK_KEY_SHARE)) != 0)
        return false;
    for (size_t i = 0; i < look->lines.n; i++)
        if (list[i].waiting && same_name(&list[i], line))
            return false;
    return true;
}

/* "psql (idle in transaction)": who works on is not told. */
static void
add_program(struct rlk_buf *buf, const struct rlk_lock_line *line)
{
    const char *activity = line->activity ? line->activity : "";
    rlk_buf_text(buf, line->label);
    if (strncmp(activity, "idle", 4) == 0)
        rlk_buf_format(buf, "%s(%s)", *line->label ? " " : "", activity);
}

static void
add_row(struct rlk_grid *grid, const struct rlk_lock_line *line)
{
    char owner[16], pid[24], age[32];
    RLK_AUTOBUF struct rlk_buf blocked = {0};
    RLK_AUTOBUF struct rlk_buf program = {0};
    snprintf(owner, sizeof owner, "%" PRIu32, line->owner);
    snprintf(pid, sizeof pid, "%" PRId64, line->pid);
    rlk_duration_print(line->age_ms, age, sizeof age);
    add_program(&program, line);
    for (size_t i = 0; i < line->n_blocked_by; i++)
        rlk_buf_format(&blocked, "%s%" PRIu32, i ? ", " : "",
                       line->blocked_by[i]);
    const char *cells[] = {line->kind,
                           line->table,
                           line->key,
                           *line->mode ? line->mode : "?",
                           line->waiting ? "waiting" : "held",
                           owner,
                           pid,
                           program.ptr ? program.ptr : "",
                           age,
                           blocked.ptr ? blocked.ptr : ""};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        rlk_grid_add(grid, cells[i]);
}

int
rlk_locks_print(const struct rlk_locks_look *look, FILE *out)
{
    static const char *const heads[] = {"KIND",  "TABLE",     "KEY", "MODE",
                                        "STATE", "OWNER",     "PID", "PROGRAM",
                                        "AGE",   "BLOCKED BY"};
    struct rlk_grid grid = {.n_columns = sizeof heads / sizeof heads[0]};
    for (size_t i = 0; i < grid.n_columns; i++)
        rlk_grid_add(&grid, heads[i]);
    for (size_t i = 0; i < look->lines.n; i++)
        if (!is_implied(look, &look->lines.list[i]))
            add_row(&grid, &look->lines.list[i]);
    int rows = grid.failed ? -1 : (int)(grid.n_cells / grid.n_columns) - 1;
    if (rows > 0)
        rlk_grid_print(&grid, out);
    rlk_grid_done(&grid);
    return rows;
}

enum { LATELY_S = 60 };

void
rlk_locks_cycles(struct rlk_buf *buf, const struct rlk_locks_look *look,
                 size_t most, const char *end)
{
    for (size_t i = 0; i < look->n_cycles && i < most; i++) {
        const rowlock_lock_cycle *c = &look->cycles[i];
        int64_t ago = (int64_t)time(NULL) - c->at_s;
        char age[32];
        if (ago > LATELY_S)
            continue;
        rlk_duration_print(ago > 0 ? ago * 1000 : 0, age, sizeof age);
        rlk_buf_format(buf,
                       "deadlock %s ago, process %" PRId64 " gave way: ", age,
                       c->victim);
        rlk_buf_visible(buf, c->text);
        rlk_buf_text(buf, end);
    }
}

const char *
rlk_locks_nobody(const struct rlk_locks_look *look)
{
    return look->server ? "nobody waits for a lock" : "nobody holds a lock";
}

void
rlk_locks_pins(struct rlk_buf *buf, const struct rlk_locks_look *look,
               const char *end)
{
    for (size_t i = 0; i < look->pins.n; i++) {
        RLK_AUTOBUF struct rlk_buf line = {0};
        rlk_pins_say(&line, &look->pins, i);
        rlk_buf_visible(buf, line.ptr ? line.ptr : "");
        rlk_buf_text(buf, end);
    }
}

static int
print_text(const struct rlk_locks_look *look, rowlock_error *err)
{
    int rows = rlk_locks_print(look, stdout);
    if (rows == 0)
        rlk_speak("%s%s", rlk_locks_nobody(look),
                  look->server ? " (who holds one that nobody waits for, the "
                                 "server does not show)"
                  : look->exists
                      ? ""
                      : ": no program has locked records of this database yet");
    struct rlk_buf RLK_AUTOBUF buf = {0};
    rlk_locks_cycles(&buf, look, ROWLOCK_CYCLES, "\n");
    rlk_locks_pins(&buf, look, "\n");
    if (rows < 0 || buf.failed)
        return rlk_out_of_memory(err);
    if (buf.len)
        fputs(buf.ptr, stderr); /* the table is for programs too */
    return 0;
}

/* ---- for programs ---- */

static void
add_text(struct rlk_buf *buf, const char *member, const char *text)
{
    rlk_buf_format(buf, ", \"%s\": ", member);
    if (*text)
        rlk_buf_json(buf, text, strlen(text));
    else
        rlk_buf_text(buf, "null");
}

static void
add_object(struct rlk_buf *buf, const struct rlk_lock_line *line)
{
    rlk_buf_format(buf, "{\"kind\": \"%s\"", line->kind);
    add_text(buf, "table", line->table);
    add_text(buf, "key", line->key);
    add_text(buf, "mode", line->mode);
    rlk_buf_format(buf,
                   ", \"state\": \"%s\", \"owner\": %" PRIu32
                   ", \"pid\": %" PRId64 ", \"age_ms\": %" PRId64,
                   line->waiting ? "waiting" : "held", line->owner, line->pid,
                   line->age_ms);
    rlk_buf_text(buf, ", \"blocked_by\": [");
    for (size_t i = 0; i < line->n_blocked_by; i++)
        rlk_buf_format(buf, "%s%" PRIu32, i ? ", " : "", line->blocked_by[i]);
    rlk_buf_char(buf, ']');
    add_text(buf, "label", line->label);
    if (line->activity)
        add_text(buf, "activity", line->activity);
    rlk_buf_char(buf, '}');
}

void
rlk_locks_json(struct rlk_buf *buf, const struct rlk_locks_look *look)
{
    rlk_buf_char(buf, '[');
    for (size_t i = 0; i < look->lines.n; i++) {
        rlk_buf_text(buf, i ? ", " : "");
        add_object(buf, &look->lines.list[i]);
    }
    rlk_buf_char(buf, ']');
}

static int
print_json(const struct rlk_locks_look *look, rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF buf = {0};
    rlk_locks_json(&buf, look);
    rlk_buf_char(&buf, '\n');
    if (buf.failed)
        return rlk_out_of_memory(err);
    fwrite(buf.ptr, 1, buf.len, stdout);
    return 0;
}

/* ---- the look ---- */

static void
fill_line(struct rlk_lock_line *line, const rowlock_lock_info *info)
{
    *line = (struct rlk_lock_line){.kind = kind_name(info->kind),
                                   .table = info->table,
                                   .key = info->key,
                                   .mode = mode_name(info->mode),
                                   .waiting = info->waiting,
                                   .owner = info->owner,
                                   .pid = info->pid,
                                   .age_ms = info->age_ms,
                                   .label = info->label,
                                   .blocked_by = info->blocked_by,
                                   .n_blocked_by = info->n_blocked_by};
}

static int
list_locks(struct rlk_locks_look *look, rowlock_locks *locks,
           rowlock_error *err)
{
    struct rlk_lock_lines *lines = &look->lines;
    RLK_TRY(rowlock_locks_list(locks, &look->infos, &lines->n, err));
    lines->list = rlk_arena_alloc(&lines->arena, lines->n, sizeof *lines->list);
    if (!lines->list)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < lines->n; i++)
        fill_line(&lines->list[i], &look->infos[i]);
    return 0;
}

static int
look_at_table(const char *path, struct rlk_locks_look *ret, rowlock_error *err)
{
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.label = "rowlock locks";
    o.existing_only = 1;
    rowlock_locks *locks;
    rlk_pins_look(path, &ret->pins);
    int rc = rowlock_locks_open(path, &o, &locks, err);
    if (rc == ROWLOCK_UNDEFINED)
        return 0;
    RLK_TRY(rc);
    ret->exists = true;
    rc = list_locks(ret, locks, err);
    if (!rc)
        rc = rowlock_locks_counters(locks, &ret->counters, err);
    if (!rc)
        ret->n_cycles = rowlock_locks_cycles(locks, ret->cycles);
    rowlock_locks_close(locks);
    if (rc)
        rlk_locks_look_done(ret);
    return rc;
}

int
rlk_locks_look(const char *database, struct rlk_locks_look *ret,
               rowlock_error *err)
{
    *ret = (struct rlk_locks_look){.counters = ROWLOCK_LOCK_COUNTERS_INIT};
    ret->server = rlk_front_is_server(database);
    return ret->server ? rlk_postgres_locks(database, &ret->lines, err)
                       : look_at_table(database, ret, err);
}

void
rlk_locks_look_done(struct rlk_locks_look *look)
{
    rowlock_locks_list_free(look->infos);
    rlk_arena_done(&look->lines.arena);
    look->infos = NULL;
    look->lines = (struct rlk_lock_lines){0};
}

static int
show(const char *database, bool json, rowlock_error *err)
{
    struct rlk_locks_look look;
    RLK_TRY(rlk_locks_look(database, &look, err));
    int rc = json ? print_json(&look, err) : print_text(&look, err);
    rlk_locks_look_done(&look);
    return rc;
}

/* *ret: as it is opened; *ret_shown: as it may be seen, for rlk_free(). */
static int
read_database(const char *operand, const char **ret, char **ret_shown,
              rowlock_error *err)
{
    bool left_out;
    *ret = operand;
    if (rlk_front_is_server(operand))
        return rlk_postgres_public_url(operand, ret_shown, &left_out, err);
    RLK_TRY(rlk_database_path(operand, ret, err));
    *ret_shown = rlk_strdup(*ret);
    return *ret_shown ? 0 : rlk_out_of_memory(err);
}

static int
run_locks(const struct rlk_args *args)
{
    const char *database;
    char *shown RLK_AUTOFREE = NULL;
    rowlock_error err = {0};
    int rc = read_database(rlk_args_operand(args, 0), &database, &shown, &err);
    if (!rc && rlk_args_has(args, "watch"))
        return rlk_watch_run(args, database, shown);
    if (!rc)
        rc = show(database, rlk_args_has(args, "json"), &err);
    return rc ? rlk_speak_failure(args, &err) : RLK_EXIT_DONE;
}
