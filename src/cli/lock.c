/* SPDX-License-Identifier: MIT
 * rowlock lock: run a command while records are locked. The record API finds
 * each record and its key as the database gives it back; the bare lock API
 * holds the locks, because only it can hand them to the command: whoever has
 * inherited the lock table's file description keeps them. On a server a block
 * holds them: lock_server.c.
 *
 * Invariant: the command runs only while every named record is locked and,
 * looked at again under its lock, still there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/database.h"
#include "cli/interrupt.h"
#include "cli/key.h"
#include "cli/lock.h"
#include "cli/moment.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/session.h"
#include "cli/speak.h"
#include "front/front.h"
#include "record/record.h"
#include "rowlock/rowlock.h"

static int run_lock(const struct rlk_args *args);

const struct rlk_command rlk_command_lock = {
    .name = "lock",
    .summary = "run a command while records are locked",
    .operands = "DATABASE TABLE KEY ...",
    .min_operands = 3,
    .max_operands = RLK_ANY,
    .takes_program = true,
    .description =
        "Locks each record, runs COMMAND, gives the locks back when it ends, "
        "and answers its exit status. Others who want to change the records "
        "wait that long. The records must exist, else COMMAND is not run.\n"
        "\n" RLK_ANY_DATABASE "KEY is a record's primary key: "
        "its value, or COL=VALUE,COL=VALUE when it has several columns (a "
        "comma or backslash in a value is written \\, or \\\\). Records are "
        "locked in the order of their keys, whatever the order given.\n"
        "\n"
        "As with flock(1), COMMAND inherits the locks: they last until it and "
        "what it leaves running have ended, also when \"rowlock lock\" itself "
        "is killed. SIGTERM and the like are passed on to COMMAND.\n"
        "\n"
        "On PostgreSQL a transaction of its own holds them, for which the "
        "server's idle timeouts are switched off; it waits behind programs of "
        "all kinds, and they behind it. COMMAND inherits its connection. "
        "Should that be lost, the locks are gone: it is said at once, COMMAND "
        "is left alone, and the status is 1 where it would be 0.",
    .options = {{.name = "mode",
                 .argument = "MODE",
                 .environment = true,
                 .help = "update (the default), no-key-update, share or "
                         "key-share: PostgreSQL's row locks"},
                RLK_OPTION_NOWAIT,
                RLK_OPTION_WAIT,
                {.name = "conflict-exit-code",
                 .letter = 'E',
                 .argument = "N",
                 .help = "exit status when a lock is not available; 5 unless "
                         "given"}},
    .examples = {{"lock app.db region 17 -- ./publish 17",
                  "nobody changes region 17 while ./publish runs"},
                 {"lock app.db region 17 18 --wait 5s -- make map",
                  "two records; give up after 5 seconds with status 5"},
                 {"lock app.db stock site=1,item=cup --nowait -E 0 -- ./count",
                  "a key of two columns; somebody else has it: no error"}},
    .statuses = {RLK_STATUS_NOT_LOCKED,
                 {"1", "failed, or the server was lost while COMMAND ran"},
                 {"N", "in place of 5, as -E N says"},
                 {"126, 127", "COMMAND cannot be run, does not exist"},
                 {"128+n", "COMMAND was ended by signal n"},
                 {"other", "the status of COMMAND"}},
    .run = run_lock,
};

/* ---- options ---- */

static int
read_mode(const struct rlk_args *args, enum rowlock_mode *ret)
{
    static const char *const names[] = {"key-share", "share", "no-key-update",
                                        "update", NULL};
    const char *value = rlk_args_value(args, "mode");
    *ret = ROWLOCK_UPDATE;
    for (size_t i = 0; value && names[i]; i++) {
        if (strcmp(names[i], value) == 0) {
            *ret = (enum rowlock_mode)(ROWLOCK_KEY_SHARE + i);
            return 0;
        }
    }
    if (!value)
        return 0;
    const char *meant = rlk_nearest(value, names);
    char hint[128] = "Modes are update, no-key-update, share and key-share.";
    if (meant)
        snprintf(hint, sizeof hint, "Did you mean %s?", meant);
    return rlk_usage(rlk_args_command(args), hint, "no mode \"%s\"", value);
}

static int
read_status(const struct rlk_args *args, int *ret)
{
    const char *value = rlk_args_value(args, "conflict-exit-code");
    *ret = RLK_EXIT_NOT_LOCKED;
    if (!value)
        return 0;
    char *end;
    long n = strtol(value, &end, 10);
    if (strspn(value, "0123456789") != strlen(value) || end == value || n > 255)
        return rlk_usage(rlk_args_command(args),
                         "An exit status is a number from 0 to 255.",
                         "-E cannot be \"%s\"", value);
    *ret = (int)n;
    return 0;
}

/* ---- finding the records ---- */

int
rlk_lock_no_such_record(const struct rlk_lock_run *l,
                        const struct rlk_lock_target *target, const char *when,
                        rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_UNDEFINED, "no record \"%.100s\" in \"%s\"%s",
             target->text, l->table, when);
    rlk_sqlstate(err, "02000");
    rlk_detail(err, "The command was not run.");
    return ROWLOCK_UNDEFINED;
}

rowlock_query
rlk_lock_query(const struct rlk_lock_run *l,
               const struct rlk_lock_target *target)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = l->table;
    q.where = target->terms;
    q.n_where = l->n_columns;
    return q;
}

static int
find_record(struct rlk_lock_run *l, rowlock_block *b,
            const struct rlk_table *table, struct rlk_lock_target *target,
            rowlock_error *err)
{
    rowlock_record *record;
    rowlock_term *terms;
    RLK_TRY(rlk_key_read(table, target->text, &l->arena, &terms, err));
    target->terms = terms;
    rowlock_query q = rlk_lock_query(l, target);
    RLK_TRY(rowlock_query_first(b, &q, &record, err));
    if (!record)
        return rlk_lock_no_such_record(l, target, "", err);
    return rlk_key_values(table, record, &l->arena, &target->key, err);
}

static int
compare_targets(const void *a, const void *b, void *arg)
{
    const struct rlk_lock_target *x = a, *y = b;
    const struct rlk_lock_run *l = arg;
    int order = 0;
    for (size_t i = 0; i < l->n_columns && order == 0; i++)
        order = rlk_value_compare(x->key[i], y->key[i]);
    return order;
}

int
rlk_lock_find(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct rlk_lock_run *l = arg;
    const struct rlk_table *table;
    RLK_TRY(
        rlk_session_table(l->db, rlk_args_operand(l->args, 1), &table, err));
    l->n_columns = table->n_primary_key;
    l->table = rlk_arena_copy(&l->arena, table->name, strlen(table->name));
    l->n_targets = rlk_args_count(l->args) - 2;
    l->targets = rlk_arena_alloc(&l->arena, l->n_targets, sizeof *l->targets);
    if (!l->table || !l->targets)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < l->n_targets; i++) {
        l->targets[i].text = rlk_args_operand(l->args, i + 2);
        RLK_TRY(find_record(l, b, table, &l->targets[i], err));
    }
    qsort_r(l->targets, l->n_targets, sizeof *l->targets, compare_targets, l);
    return 0;
}

/* Under the locks: nobody who takes locks can delete them from here on. */
static int
check_body(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct rlk_lock_run *l = arg;
    for (size_t i = 0; i < l->n_targets; i++) {
        rowlock_record *record;
        rowlock_query q = rlk_lock_query(l, &l->targets[i]);
        RLK_TRY(rowlock_query_first(b, &q, &record, err));
        if (!record)
            return rlk_lock_no_such_record(l, &l->targets[i], " any more", err);
    }
    return 0;
}

/* ---- locking ---- */

int32_t
rlk_lock_wait(const struct rlk_lock_run *l, int64_t begin)
{
    if (l->wait_ms <= 0)
        return l->wait_ms;
    int64_t left = begin + l->wait_ms - rlk_moment_clock_ms();
    return left > 0 ? (int32_t)left : ROWLOCK_NOWAIT;
}

static int
take_all(struct rlk_lock_run *l, int64_t begin, rowlock_error *err)
{
    for (size_t i = 0; i < l->n_targets; i++) {
        rowlock_name name = {.kind = ROWLOCK_RECORD,
                             .table = l->table,
                             .values = l->targets[i].key,
                             .n_values = l->n_columns};
        RLK_TRY(rowlock_locks_take(l->locks, &name, l->mode,
                                   rlk_lock_wait(l, begin), err));
    }
    return 0;
}

static int
lock_all(struct rlk_lock_run *l, rowlock_error *err)
{
    int64_t begin = rlk_moment_clock_ms();
    int rc = 0;
    for (int i = 0; i < RLK_LOCK_TRIES; i++) {
        rc = take_all(l, begin, err);
        if (rc != ROWLOCK_DEADLOCK)
            break;
        rowlock_locks_release_to(l->locks, 0);
    }
    return rc;
}

static void
cancel(void *locks)
{
    rowlock_locks_cancel(locks);
}

static int
open_locks(struct rlk_lock_run *l, rowlock_error *err)
{
    const char *path;
    char label[RLK_LABEL_SIZE];
    rlk_session_label(l->args, label);
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.label = label;
    o.byte_only = 1;
    o.on_wait = rlk_speak_wait;
    RLK_TRY(rlk_database_path(rlk_args_operand(l->args, 0), &path, err));
    return rowlock_locks_open(path, &o, &l->locks, err);
}

static int
lock_records(struct rlk_lock_run *l, rowlock_error *err)
{
    RLK_TRY(rlk_session_atomic(l->db, rlk_lock_find, l, err));
    RLK_TRY(open_locks(l, err));
    rlk_interrupt_watch(cancel, l->locks);
    int rc = lock_all(l, err);
    rlk_interrupt_unwatch();
    RLK_TRY(rc);
    RLK_TRY(rlk_session_atomic(l->db, check_body, l, err));
    rowlock_close(l->db);
    l->db = NULL;
    return rowlock_locks_inherit(l->locks, err);
}

/* In the lock table of a SQLite database. */
static int
run_command(struct rlk_lock_run *l)
{
    /* Never given back by us: whoever is left running keeps the owner alive,
     * and the kernel frees it behind the last of them. */
    static rowlock_locks *volatile kept __attribute__((unused));
    bool left;
    int status = rlk_program_run(rlk_args_program(l->args), NULL, &left);
    if (left) {
        kept = l->locks;
        l->locks = NULL;
    }
    return status;
}

static int
lock_and_run(struct rlk_lock_run *l, int *ret_status, rowlock_error *err)
{
    RLK_TRY(rlk_session_open(l->args, &l->db, err));
    if (rlk_front_is_server(rlk_args_operand(l->args, 0)))
        return rlk_lock_on_server(l, ret_status, err);
    RLK_TRY(lock_records(l, err));
    *ret_status = run_command(l);
    return 0;
}

static int
run_lock(const struct rlk_args *args)
{
    struct rlk_lock_run l = {.args = args};
    rowlock_error err = {0};
    int status = rlk_args_wait(args, &l.wait_ms);
    if (status == 0)
        status = read_mode(args, &l.mode);
    if (status == 0)
        status = read_status(args, &l.refused);
    if (status)
        return status;
    int rc = lock_and_run(&l, &status, &err);
    if (rc)
        status = rlk_speak_failure(args, &err);
    if (rc == ROWLOCK_NOT_AVAILABLE)
        status = l.refused;
    rowlock_close(l.db);
    rowlock_locks_close(l.locks);
    rlk_arena_done(&l.arena);
    return status;
}
