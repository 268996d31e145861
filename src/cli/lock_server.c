/* SPDX-License-Identifier: MIT
 * rowlock lock on a server: a block locks the records and stays open while the
 * command runs. The command inherits the connection, so that the server's
 * session, and with it the locks, outlives a rowlock that is killed: the
 * connection is closed when the last who has it has ended.
 *
 * Invariant: the command runs only while every named record is locked; when the
 * server is lost, that is said at once. */
#include <stdbool.h>

#include "cli/interrupt.h"
#include "cli/lock.h"
#include "cli/moment.h"
#include "cli/program.h"
#include "cli/speak.h"
#include "db/server.h"
#include "record/record.h"

struct holding {
    rowlock_db *db;
    bool lost; /* and it was said */
};

/* ---- locking ---- */

static int
lock_each(struct rlk_lock_run *l, rowlock_block *b, int64_t begin,
          rowlock_error *err)
{
    for (size_t i = 0; i < l->n_targets; i++) {
        rowlock_record *record;
        rowlock_query q = rlk_lock_query(l, &l->targets[i]);
        q.lock = l->mode;
        q.wait_ms = rlk_lock_wait(l, begin);
        RLK_TRY(rowlock_query_first(b, &q, &record, err));
        if (!record)
            return rlk_lock_no_such_record(l, &l->targets[i], " any more", err);
    }
    return 0;
}

static int
lock_once(struct rlk_lock_run *l, int64_t begin, rowlock_block **ret,
          rowlock_error *err)
{
    rowlock_block *b;
    RLK_TRY(rowlock_begin(l->db, &b, err));
    int rc = rlk_lock_find(b, l, err);
    if (!rc)
        rc = lock_each(l, b, begin, err);
    if (rc)
        rowlock_rollback(b);
    else
        *ret = b;
    return rc;
}

static void
cancel(void *db)
{
    rowlock_cancel(db);
}

static int
lock_all(struct rlk_lock_run *l, rowlock_block **ret, rowlock_error *err)
{
    int64_t begin = rlk_moment_clock_ms();
    int rc = ROWLOCK_DEADLOCK;
    rlk_interrupt_watch(cancel, l->db);
    for (int i = 0; i < RLK_LOCK_TRIES &&
                    (rc == ROWLOCK_DEADLOCK || rc == ROWLOCK_SERIALIZATION);
         i++)
        rc = lock_once(l, begin, ret, err);
    rlk_interrupt_unwatch();
    return rc;
}

/* ---- while the command runs ---- */

static void
say_lost(struct holding *h, const rowlock_error *why)
{
    rowlock_error err = {0};
    rlk_fail(&err, ROWLOCK_CONNECTION,
             "the locks are gone: the connection to the server was lost");
    rlk_detail(&err, "%s", why->detail);
    rlk_hint(&err, "Others may have changed the records while the command "
                   "ran: look at what it did.");
    rlk_context(&err, "%s", why->context);
    rlk_speak_error("lock", &err);
    h->lost = true;
}

static bool
look_after(void *arg)
{
    struct holding *h = arg;
    rowlock_error why = {0};
    if (rlk_postgres_still_holds(rlk_session_conn(h->db), &why))
        say_lost(h, &why);
    return !h->lost;
}

/* What the block ends with tells whether it was there until then. */
static void
end_block(struct holding *h, rowlock_block *b)
{
    rowlock_error why = {0};
    if (rowlock_commit(b, &why) && !h->lost)
        say_lost(h, &why);
}

int
rlk_lock_on_server(struct rlk_lock_run *l, int *ret_status, rowlock_error *err)
{
    /* As in lock.c: never closed by us while somebody has it. */
    static rowlock_db *volatile kept __attribute__((unused));
    struct holding h = {.db = l->db};
    struct rlk_program_watch watch = {.on_news = look_after, .arg = &h};
    rowlock_block *b;
    bool left;
    RLK_TRY(lock_all(l, &b, err));
    RLK_TRY(rlk_postgres_hold(rlk_session_conn(l->db), &watch.fd, err));
    int status = rlk_program_run(rlk_args_program(l->args), &watch, &left);
    rlk_interrupt_unwatch(); /* the server may not answer any more */
    if (left && !h.lost) {
        kept = l->db;
        l->db = NULL;
    } else {
        end_block(&h, b);
    }
    *ret_status = h.lost && status == 0 ? RLK_EXIT_FAILED : status;
    return 0;
}
