/* SPDX-License-Identifier: MIT
 * The calls of lock.h, guarded for Python.
 *
 * Why in C: an exception of a signal handler may come between any two
 * instructions of Python, and would leave a session marked as in use, or a lock
 * that nobody knows of.
 *
 * Invariant: whoever set busy is the only one that uses locks; but for
 * cancel, which close waits for. */
#include "bridge.h"

#include <sched.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/error.h"

static const rowlock_name writer = {ROWLOCK_WRITER, NULL, NULL, NULL, 0};

const char *
bridge_version(void)
{
    return ROWLOCK_VERSION;
}

/* ---- in use ---- */

static bool
is_forked(const struct bridge *b)
{
    return b->pid && b->pid != getpid();
}

static void
leave(struct bridge *b)
{
    __atomic_store_n(&b->busy, 0, __ATOMIC_RELEASE);
}

static int
enter(struct bridge *b, rowlock_error *err)
{
    if (is_forked(b))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "a session of the process that forked this one");
    if (__atomic_exchange_n(&b->busy, 1, __ATOMIC_ACQUIRE))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the session is in use, maybe by another thread");
    if (b->locks)
        return 0;
    leave(b);
    return rlk_fail(err, ROWLOCK_MISUSE, "the session is closed");
}

/* ---- what C asks Python ---- */

static void
on_wait(const rowlock_wait_notice *notice, void *arg)
{
    struct bridge *b = arg;
    b->stop |= b->tell(notice, b->handle);
}

/* Python's signal handlers run in its main thread. */
static int
interrupted(void *arg)
{
    struct bridge *b = arg;
    if (!b->stop && gettid() == getpid())
        b->stop = b->ask(b->handle);
    return b->stop;
}

/* ---- opening and closing ---- */

int
bridge_open(struct bridge *b, const char *path, const char *label,
            int existing_only, int32_t notice_ms, rowlock_error *err)
{
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    o.label = label;
    o.existing_only = existing_only;
    o.notice_ms = notice_ms;
    if (b->tell)
        o.on_wait = on_wait;
    o.interrupted = interrupted;
    o.on_wait_arg = o.interrupted_arg = b;
    b->pid = getpid();
    return rowlock_locks_open(path, &o, &b->locks, err);
}

int
bridge_close(struct bridge *b, rowlock_error *err)
{
    if (!is_forked(b) && __atomic_exchange_n(&b->busy, 1, __ATOMIC_ACQUIRE))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the session is in use, maybe by another thread");
    rowlock_locks *locks =
        __atomic_exchange_n(&b->locks, NULL, __ATOMIC_SEQ_CST);
    while (!is_forked(b) && __atomic_load_n(&b->cancelling, __ATOMIC_SEQ_CST))
        sched_yield();
    rowlock_locks_close(locks);
    leave(b);
    return 0;
}

void
bridge_cancel(struct bridge *b)
{
    __atomic_add_fetch(&b->cancelling, 1, __ATOMIC_SEQ_CST);
    rowlock_locks_cancel(__atomic_load_n(&b->locks, __ATOMIC_SEQ_CST));
    __atomic_sub_fetch(&b->cancelling, 1, __ATOMIC_SEQ_CST);
}

/* ---- locks ---- */

static rowlock_name
table_of(const rowlock_name *name)
{
    return (rowlock_name){.kind = ROWLOCK_TABLE, .table = name->table};
}

int
bridge_take(struct bridge *b, const rowlock_name *name, enum rowlock_mode mode,
            int32_t wait_ms, struct bridge_taken *ret, rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    const rowlock_name table = table_of(name);
    b->stop = 0;
    ret->before = rowlock_locks_held(b->locks, name);
    ret->table_before = name->kind == ROWLOCK_RECORD
                            ? rowlock_locks_held(b->locks, &table)
                            : ROWLOCK_UPDATE;
    ret->mark_before = rowlock_locks_mark(b->locks);
    int rc = rowlock_locks_take(b->locks, name, mode, wait_ms, err);
    ret->mark_after = rowlock_locks_mark(b->locks);
    leave(b);
    return rc;
}

/* A mark gives back, or lowers, exactly this lock and its table's when nothing
 * was taken since. Mark 0 would take the writer slot along. Else the lock goes
 * alone; one that was only strengthened cannot, and stays as strong. */
static void
give_back(rowlock_locks *s, const rowlock_name *name,
          const struct bridge_taken *taken, bool in_order)
{
    const rowlock_name table = table_of(name);
    bool is_last = in_order && rowlock_locks_mark(s) == taken->mark_after;
    bool writes = rowlock_locks_held(s, &writer) != ROWLOCK_READ;
    if (rowlock_locks_held(s, name) == ROWLOCK_READ)
        return;
    if (name->kind != ROWLOCK_WRITER && is_last &&
        (taken->mark_before || !writes)) {
        rowlock_locks_release_to(s, taken->mark_before);
        return;
    }
    if (taken->before == ROWLOCK_READ)
        rowlock_locks_drop(s, name);
    if (is_last && taken->table_before == ROWLOCK_READ)
        rowlock_locks_drop(s, &table);
}

int
bridge_give_back(struct bridge *b, const rowlock_name *name,
                 const struct bridge_taken *taken, int in_order,
                 rowlock_error *err)
{
    if (is_forked(b) || !b->locks)
        return 0;
    RLK_TRY(enter(b, err));
    give_back(b->locks, name, taken, in_order);
    leave(b);
    return 0;
}

int
bridge_held(struct bridge *b, const rowlock_name *name, enum rowlock_mode *ret,
            rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    *ret = rowlock_locks_held(b->locks, name);
    leave(b);
    return 0;
}

int
bridge_mark(struct bridge *b, size_t *ret, rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    *ret = rowlock_locks_mark(b->locks);
    leave(b);
    return 0;
}

int
bridge_release_to(struct bridge *b, size_t mark, rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    rowlock_locks_release_to(b->locks, mark);
    leave(b);
    return 0;
}

int
bridge_drop(struct bridge *b, const rowlock_name *name, rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    rowlock_locks_drop(b->locks, name);
    leave(b);
    return 0;
}

/* ---- looking ---- */

int
bridge_check(struct bridge *b, rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    int rc = rowlock_locks_check(b->locks, err);
    leave(b);
    return rc;
}

int
bridge_list(struct bridge *b, rowlock_lock_info **ret, size_t *ret_n,
            rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    int rc = rowlock_locks_list(b->locks, ret, ret_n, err);
    leave(b);
    return rc;
}

int
bridge_counters(struct bridge *b, rowlock_lock_counters *ret,
                rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    ret->size = sizeof *ret;
    int rc = rowlock_locks_counters(b->locks, ret, err);
    leave(b);
    return rc;
}

int
bridge_cycles(struct bridge *b, rowlock_lock_cycle *ret, size_t *ret_n,
              rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    *ret_n = rowlock_locks_cycles(b->locks, ret);
    leave(b);
    return 0;
}

/* ---- the disk ---- */

static int
flush(void *arg, rowlock_error *err)
{
    if (fdatasync(*(int *)arg) == 0)
        return 0;
    return rlk_fail_errno(err, ROWLOCK_IO, "could not flush the WAL");
}

int
bridge_ticket(struct bridge *b, uint64_t *ret, rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    *ret = rowlock_locks_ticket(b->locks);
    leave(b);
    return 0;
}

int
bridge_make_durable(struct bridge *b, uint64_t ticket, int wal_fd,
                    rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    int rc = rowlock_locks_make_durable(b->locks, ticket, flush, &wal_fd, err);
    leave(b);
    return rc;
}

int
bridge_poisoned(struct bridge *b, rowlock_error *err)
{
    RLK_TRY(enter(b, err));
    int rc = rowlock_locks_poisoned(b->locks, err);
    leave(b);
    return rc;
}
