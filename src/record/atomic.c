/* SPDX-License-Identifier: MIT
 * rowlock_atomic() and rowlock_nested(): a body inside a block, and running it
 * again after 40P01 and 40001.
 *
 * Between two tries a session holds nothing and sleeps a random time, so that
 * two that met do not meet again. rowlock_cancel() must reach it also there: a
 * word says whether the session pauses, and only the one that swaps it from
 * PAUSING to CANCELLED raises the semaphore; otherwise the driver is told. So
 * one cancel ends one call, and nothing is polled. */
#include "block.h"

#include <errno.h>
#include <time.h>

enum pause { RUNNING, PAUSING, CANCELLED };

enum { FIRST_PAUSE_US = 1000, LONGEST_PAUSE_US = 256000 };

void
rowlock_cancel(rowlock_db *db)
{
    int pausing = PAUSING;
    if (!db)
        return;
    if (atomic_compare_exchange_strong(&db->pause, &pausing, CANCELLED))
        sem_post(&db->woken);
    else
        db->driver->cancel(db->conn);
}

/* Full jitter: anything from nothing to the whole step. */
static int64_t
pick_pause_us(const rowlock_db *db, int n, const struct timespec *now)
{
    int64_t most = FIRST_PAUSE_US;
    while (n-- > 0 && most < LONGEST_PAUSE_US)
        most *= 2;
    uint64_t x = (uint64_t)now->tv_nsec * 0x9E3779B97F4A7C15ULL;
    x ^= (uint64_t)(uintptr_t)db + db->serial;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
    return (int64_t)((x ^ x >> 31) % (uint64_t)(most + 1));
}

int
rlk_session_pause(rowlock_db *db, int n, rowlock_error *err)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)pick_pause_us(db, n, &until) * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    atomic_store(&db->pause, PAUSING);
    while (sem_clockwait(&db->woken, CLOCK_MONOTONIC, &until)) {
        if (errno == EINTR)
            continue;
        if (atomic_exchange(&db->pause, RUNNING) != CANCELLED)
            return 0;
        while (sem_wait(&db->woken) && errno == EINTR)
            ; /* it is raised, or will be at once */
        break;
    }
    atomic_store(&db->pause, RUNNING);
    return rlk_fail(err, ROWLOCK_CANCELLED, "cancelled on request");
}

/* The body has returned: end its block as it asked for. */
static int
finish(rowlock_block *b, int rc, rowlock_error *err)
{
    bool left_open = b != b->db->levels[b->db->depth - 1];
    b->managed--;
    if (rc == 0 && !left_open)
        return rlk_block_commit(b, err);
    rlk_block_rollback(b);
    if (rc == 0)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the body left a block inside its own open");
    return rc;
}

static bool
worth_another_try(int rc, const rowlock_block *b)
{
    if (rc == ROWLOCK_ABORTED) /* it went on, or swallowed what failed it */
        rc = b->why.code;
    return rc == ROWLOCK_DEADLOCK || rc == ROWLOCK_SERIALIZATION;
}

int
rowlock_atomic(rowlock_db *db, rowlock_body *body, void *arg,
               rowlock_error *err)
{
    if (!body)
        return rlk_fail(err, ROWLOCK_MISUSE, "no body given");
    for (int n = 0;; n++) {
        rowlock_block *b;
        RLK_TRY(rlk_block_begin(db, &b, err));
        b->managed++;
        b->why.code = ROWLOCK_OK;
        int rc = finish(b, body(b, arg, err), err);
        if (rc == 0 || n >= db->retries || !worth_another_try(rc, b))
            return rc;
        RLK_TRY(rlk_session_pause(db, n, err));
    }
}

int
rowlock_nested(rowlock_block *b, rowlock_body *body, void *arg,
               rowlock_error *err)
{
    if (!body)
        return rlk_fail(err, ROWLOCK_MISUSE, "no body given");
    rowlock_block *inner;
    RLK_TRY(rlk_block_nest(b, &inner, err));
    inner->managed++;
    return finish(inner, body(inner, arg, err), err);
}
