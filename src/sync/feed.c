/* SPDX-License-Identifier: MIT
 * A ring of batches between two threads. The reading thread is never asked to
 * stop but by its flag, which the reader looks at wherever it waits; so the
 * caller's own flag, which a signal sets, is handed on from where the caller
 * waits. */
#include "sync/feed.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { BATCHES = 4, SLICE_MS = 50 /* how soon an interrupt is seen */ };

struct rlk_feed {
    struct rlk_feed_options o;
    pthread_t thread;
    struct rlk_reader *reader; /* the thread's */
    struct rlk_batch *ring[BATCHES];
    volatile sig_atomic_t stop;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    const struct rlk_plan *plan;
    size_t n_full, first; /* full batches, from ring[first] on */
    bool lent;            /* the caller has ring[first] */
    size_t n_looked;      /* from ring[first] on, those that were looked up */
    bool looking;         /* the thread is at the next */
    enum rlk_read first_read; /* once has_first */
    bool has_first, ended;
    int rc;
    rowlock_error failure;
};

/* ---- the thread ---- */

static void
note_end(struct rlk_feed *f, int rc, const rowlock_error *failure)
{
    pthread_mutex_lock(&f->lock);
    f->ended = true;
    f->rc = rc;
    f->failure = *failure;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static bool
is_stopped(const struct rlk_feed *f)
{
    return __atomic_load_n(&f->stop, __ATOMIC_RELAXED);
}

static void
note_first(struct rlk_feed *f, enum rlk_read what)
{
    pthread_mutex_lock(&f->lock);
    f->first_read = what;
    f->has_first = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* NULL when the feed is closed before. */
static const struct rlk_plan *
wait_for_plan(struct rlk_feed *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->plan && !is_stopped(f))
        pthread_cond_wait(&f->changed, &f->lock);
    const struct rlk_plan *plan = f->plan;
    pthread_mutex_unlock(&f->lock);
    return plan;
}

static struct rlk_batch *
batch_at(const struct rlk_feed *f, size_t i)
{
    return f->ring[(f->first + i) % BATCHES];
}

/* Looks up the next batch that was not, if there is one; called with the lock,
 * which is given back meanwhile. */
static bool
look_ahead(struct rlk_feed *f)
{
    rowlock_error failure;
    if (f->n_looked == 0 && f->lent)
        f->n_looked = 1;
    if (!f->o.look || f->n_looked >= f->n_full || is_stopped(f))
        return false;
    struct rlk_batch *b = batch_at(f, f->n_looked);
    f->looking = true;
    pthread_mutex_unlock(&f->lock);
    (void)f->o.look(b, f->o.look_arg, &failure);
    pthread_mutex_lock(&f->lock);
    f->looking = false;
    f->n_looked++;
    pthread_cond_broadcast(&f->changed);
    return true;
}

/* A batch that is free, emptied; NULL when the feed is closed. */
static struct rlk_batch *
wait_for_room(struct rlk_feed *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->n_full == BATCHES && !is_stopped(f))
        if (!look_ahead(f))
            pthread_cond_wait(&f->changed, &f->lock);
    struct rlk_batch *b = is_stopped(f) ? NULL : batch_at(f, f->n_full);
    pthread_mutex_unlock(&f->lock);
    if (b)
        rlk_batch_reset(b);
    return b;
}

/* All is read. */
static void
look_at_the_rest(struct rlk_feed *f)
{
    pthread_mutex_lock(&f->lock);
    while (look_ahead(f))
        ;
    pthread_mutex_unlock(&f->lock);
}

static void
hand_over(struct rlk_feed *f)
{
    pthread_mutex_lock(&f->lock);
    f->n_full++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static int
stopped(rowlock_error *err)
{
    return rlk_fail(err, ROWLOCK_CANCELLED, "the run was interrupted");
}

static bool
has_record(enum rlk_read what)
{
    return what == RLK_READ_RECORD || what == RLK_READ_REJECTED;
}

/* Until it is full, or there is no further record; what and remote: the record
 * that was read first, and then the one that was read last. */
static int
fill(struct rlk_feed *f, struct rlk_batch *b, struct rlk_remote *remote,
     enum rlk_read *what, rowlock_error *err)
{
    for (;;) {
        RLK_TRY(rlk_batch_add(b, f->plan, remote, *what, err));
        if (b->n == f->o.batch_records)
            return 0;
        RLK_TRY(rlk_reader_next(f->reader, remote, what, err));
        if (!has_record(*what))
            return 0;
    }
}

/* A full batch is handed over before the next record is waited for. */
static int
fill_batches(struct rlk_feed *f, struct rlk_remote *remote, enum rlk_read what,
             rowlock_error *err)
{
    const struct rlk_plan *plan = wait_for_plan(f);
    while (has_record(what)) {
        struct rlk_batch *b = plan ? wait_for_room(f) : NULL;
        if (!b)
            return stopped(err);
        RLK_TRY(fill(f, b, remote, &what, err));
        hand_over(f);
        if (has_record(what)) /* the last of a full batch */
            RLK_TRY(rlk_reader_next(f->reader, remote, &what, err));
    }
    look_at_the_rest(f);
    return 0;
}

static int
read_all(struct rlk_feed *f, rowlock_error *err)
{
    struct rlk_remote remote = {0};
    enum rlk_read what;
    struct rlk_reader_options o = f->o.reader;
    o.cancelled = &f->stop;
    RLK_TRY(rlk_reader_open(&o, &f->reader, err));
    RLK_TRY(rlk_reader_next(f->reader, &remote, &what, err));
    note_first(f, what);
    return has_record(what) ? fill_batches(f, &remote, what, err) : 0;
}

static void *
run_thread(void *arg)
{
    struct rlk_feed *f = arg;
    rowlock_error failure = {0};
    int rc = read_all(f, &failure);
    note_end(f, rc, &failure);
    return NULL;
}

/* ---- the caller ---- */

static bool
make_ring(struct rlk_feed *f)
{
    for (size_t i = 0; i < BATCHES; i++)
        if (!(f->ring[i] = rlk_calloc(1, sizeof *f->ring[i])))
            return false;
    return true;
}

static void
free_feed(struct rlk_feed *f)
{
    for (size_t i = 0; i < BATCHES && f->ring[i]; i++) {
        rlk_batch_done(f->ring[i]);
        rlk_free(f->ring[i]);
    }
    rlk_reader_close(f->reader);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    rlk_free(f);
}

/* Signals stay with the threads that there are. */
static int
start_thread(struct rlk_feed *f, rowlock_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&f->thread, NULL, run_thread, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return rlk_fail(err, ROWLOCK_IO, "could not start a thread: %s",
                        strerror(rc));
    return 0;
}

int
rlk_feed_start(const struct rlk_feed_options *o, struct rlk_feed **ret,
               rowlock_error *err)
{
    pthread_condattr_t clock;
    struct rlk_feed *f = rlk_calloc(1, sizeof *f);
    if (!f)
        return rlk_out_of_memory(err);
    f->o = *o;
    if (!f->o.batch_records || f->o.batch_records > RLK_BATCH_RECORDS)
        f->o.batch_records = RLK_BATCH_RECORDS;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &clock);
    pthread_condattr_destroy(&clock);
    int rc = make_ring(f) ? start_thread(f, err) : rlk_out_of_memory(err);
    if (rc)
        free_feed(f);
    else
        *ret = f;
    return rc;
}

/* Until the thread changes something, or a while, in which a signal may have
 * come. */
static void
wait_a_slice(struct rlk_feed *f)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += SLICE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&f->changed, &f->lock, &until);
    if (f->o.idle) {
        pthread_mutex_unlock(&f->lock);
        f->o.idle(f->o.arg);
        pthread_mutex_lock(&f->lock);
    }
    if ((f->o.cancelled && *f->o.cancelled) || (f->o.ending && *f->o.ending))
        __atomic_store_n(&f->stop, 1, __ATOMIC_RELAXED);
}

static int
fail_as_read(struct rlk_feed *f, rowlock_error *err)
{
    if (f->rc && err)
        *err = f->failure;
    return f->rc;
}

int
rlk_feed_first(struct rlk_feed *f, enum rlk_read *ret, rowlock_error *err)
{
    pthread_mutex_lock(&f->lock);
    while (!f->has_first && !f->ended)
        wait_a_slice(f);
    int rc = f->has_first ? 0 : fail_as_read(f, err);
    *ret = f->first_read == RLK_READ_REJECTED ? RLK_READ_RECORD : f->first_read;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

void
rlk_feed_go(struct rlk_feed *f, const struct rlk_plan *plan)
{
    pthread_mutex_lock(&f->lock);
    f->plan = plan;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* The batch that the caller had is free again. */
static void
take_back(struct rlk_feed *f)
{
    if (!f->lent)
        return;
    f->lent = false;
    f->first = (f->first + 1) % BATCHES;
    f->n_full--;
    f->n_looked -= f->n_looked > 0;
    pthread_cond_broadcast(&f->changed);
}

int
rlk_feed_next(struct rlk_feed *f, struct rlk_batch **ret, rowlock_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&f->lock);
    take_back(f);
    while ((!f->n_full && !f->ended) || (f->looking && !f->n_looked))
        wait_a_slice(f);
    f->lent = f->n_full > 0;
    *ret = f->lent ? f->ring[f->first] : NULL;
    if (!f->lent)
        rc = fail_as_read(f, err);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

void
rlk_feed_close(struct rlk_feed *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    __atomic_store_n(&f->stop, 1, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    free_feed(f);
}

const char *
rlk_feed_validator(struct rlk_feed *f)
{
    return rlk_reader_validator(f->reader);
}
