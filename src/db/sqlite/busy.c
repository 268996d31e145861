/* SPDX-License-Identifier: MIT
 * Meeting a program that writes without taking the slot. SQLite calls the busy
 * handler while such a program holds its write lock; we look again often, as we
 * hold the slot meanwhile, and stop at the limit or a cancel. */
#include "conn.h"

#include <time.h>

enum {
    NOTICE_MS = 1000,
    FOR_EVER_MS = 60000, /* a stranger is in no lock table: no cycle is found */
    AT_ONCE_MS = 5000    /* NOWAIT is about records; this is about a commit */
};

int64_t
rlk_sqlite_patience(int32_t wait_ms)
{
    if (wait_ms > 0)
        return wait_ms;
    return wait_ms == ROWLOCK_WAIT ? FOR_EVER_MS : AT_ONCE_MS;
}

int64_t
rlk_sqlite_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
tell(struct rlk_sqlite *c, int64_t waited_ms)
{
    rowlock_wait_notice notice = {
        .kind = ROWLOCK_WRITER,
        .table = "",
        .key = "",
        .owner_label = "a program that does not use Rowlock",
        .held_ms = waited_ms,
        .waited_ms = waited_ms,
    };
    c->busy.told = true;
    if (c->on_wait)
        c->on_wait(&notice, c->on_wait_arg);
}

int
rlk_sqlite_on_busy(void *arg, int n)
{
    struct rlk_sqlite *c = arg;
    int64_t now = rlk_sqlite_now_ms();
    if (n == 0) {
        c->busy.since_ms = now;
        c->busy.told = false;
    }
    int64_t waited = now - c->busy.since_ms;
    if (atomic_load(&c->cancelled) || waited >= c->busy.limit_ms)
        return 0;
    if (waited >= NOTICE_MS && !c->busy.told)
        tell(c, waited);
    struct timespec pause = {0, n < 20 ? 500000 : 2000000};
    nanosleep(&pause, NULL); /* a signal ends it early, as it should */
    return 1;
}
