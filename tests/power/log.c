/* SPDX-License-Identifier: MIT
 * The log. Invariant: events below n are complete, but for the last one while
 * `pending` says so; it is changed under the mutex only. */
#include "power/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

enum { MOST_EVENTS = 1 << 18, MOST_BYTES = 64 << 20 };

struct log {
    pthread_mutex_t mutex;
    atomic_size_t n;       /* events */
    atomic_size_t pending; /* 1 + the number of one whose change may not be */
    atomic_size_t n_bytes;
    atomic_int newest_inode;
    struct log_event events[MOST_EVENTS];
    unsigned char bytes[MOST_BYTES];
};

static struct log *shared;
static char paths[LOG_FILES][2 * SUPPORT_TEXT];
static unsigned char *base;
static size_t base_size;
/* Never closed beside a session: see log_close(). */
static int db_fd;

/* ---- opening ---- */

static void
make_mutex(pthread_mutex_t *m)
{
    pthread_mutexattr_t attr;
    check(pthread_mutexattr_init(&attr) == 0);
    check(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
    check(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
    check(pthread_mutex_init(m, &attr) == 0);
    pthread_mutexattr_destroy(&attr);
}

static void
read_base(void)
{
    struct stat st;
    db_fd = open(paths[LOG_DB], O_RDONLY | O_CLOEXEC);
    check(db_fd >= 0 && fstat(db_fd, &st) == 0);
    base_size = (size_t)st.st_size;
    base = malloc(base_size + 1);
    check(base && pread(db_fd, base, base_size, 0) == st.st_size);
}

void
log_open(const char *path)
{
    if (shared) /* of a test that failed */
        log_close();
    char *full = realpath(path, NULL); /* as SQLite has it */
    check(full && strlen(full) < SUPPORT_TEXT);
    snprintf(paths[LOG_DB], sizeof paths[LOG_DB], "%s", full);
    snprintf(paths[LOG_WAL], sizeof paths[LOG_WAL], "%s-wal", full);
    free(full);
    check(access(paths[LOG_WAL], F_OK) != 0);
    read_base();
    shared = shared_alloc(sizeof *shared);
    make_mutex(&shared->mutex);
    shared->newest_inode = -1;
}

void
log_close(void)
{
    shared_free(shared, sizeof *shared);
    shared = NULL;
    free(base);
    close(db_fd);
}

/* ---- after a death ---- */

/* SQLite keeps no locks on the -wal, so that one may be opened and closed. */
static int
open_real(enum log_file file)
{
    return file == LOG_DB ? db_fd : open(paths[file], O_RDONLY | O_CLOEXEC);
}

/* What is there now: the bytes as they are, no more than the file has. */
static bool
read_back(struct log_event *e)
{
    int fd = open_real(e->file);
    if (fd < 0)
        return false;
    ssize_t n = pread(fd, shared->bytes + e->bytes, e->n, (off_t)e->at);
    if (e->file != LOG_DB)
        close(fd);
    e->n = n > 0 ? (uint64_t)n : 0;
    return n > 0;
}

static bool
has_happened(struct log_event *e)
{
    struct stat st;
    bool exists = stat(paths[e->file], &st) == 0;
    switch (e->kind) {
    case LOG_WRITE:
        return read_back(e);
    case LOG_TRUNCATE:
        return exists && (uint64_t)st.st_size == e->at;
    case LOG_CREATE:
        return exists;
    case LOG_DELETE:
        return !exists;
    default:
        return true;
    }
}

/* The change of the last event was maybe not, or not wholly, made. */
static void
settle(void)
{
    size_t n = shared->n;
    if (shared->pending == 0 || shared->pending != n) {
        shared->pending = 0; /* it had not been noted yet */
        return;
    }
    struct log_event *e = &shared->events[n - 1];
    if (!has_happened(e))
        shared->n = n - 1;
    else if (e->kind == LOG_CREATE)
        shared->newest_inode = e->inode;
    shared->pending = 0;
}

/* ---- noting ---- */

void
log_enter(void)
{
    int rc = pthread_mutex_lock(&shared->mutex);
    if (rc == EOWNERDEAD) {
        settle();
        rc = pthread_mutex_consistent(&shared->mutex);
    }
    if (rc)
        support_fail("the log's mutex: %s", strerror(rc));
}

void
log_intend(struct log_event e, const void *bytes)
{
    size_t i = shared->n, at = shared->n_bytes;
    size_t n = e.kind == LOG_WRITE ? e.n : 0;
    if (i == MOST_EVENTS || n > MOST_BYTES - at)
        support_fail("the log is full");
    e.pid = getpid();
    e.bytes = at;
    if (n)
        memcpy(shared->bytes + at, bytes, n);
    shared->n_bytes = at + n;
    shared->events[i] = e;
    shared->pending = i + 1; /* first: never complete without its change */
    shared->n = i + 1;
}

void
log_leave(bool happened)
{
    if (happened)
        shared->pending = 0;
    else
        settle();
    pthread_mutex_unlock(&shared->mutex);
}

size_t
log_note(struct log_event e)
{
    log_enter();
    size_t i = shared->n;
    log_intend(e, NULL);
    log_leave(true);
    return i;
}

void
log_created(void)
{
    shared->newest_inode++;
}

int
log_newest_inode(void)
{
    return shared->newest_inode;
}

/* ---- reading ---- */

const char *
log_path(enum log_file file)
{
    return paths[file];
}

size_t
log_count(void)
{
    return shared->n;
}

const struct log_event *
log_at(size_t i)
{
    return &shared->events[i];
}

const unsigned char *
log_bytes(const struct log_event *e)
{
    return shared->bytes + e->bytes;
}

const unsigned char *
log_base(size_t *ret_size)
{
    *ret_size = base_size;
    return base;
}

int
log_number(enum log_kind kind, enum log_file file)
{
    int n = 0;
    for (size_t i = 0; i < log_count(); i++)
        n += log_at(i)->kind == kind && log_at(i)->file == file;
    return n;
}

int
log_acks(int writer)
{
    int acks = 0;
    for (size_t i = 0; i < log_count(); i++) {
        const struct log_event *e = log_at(i);
        acks += e->kind == LOG_ACK && (writer == 0 || e->n == (uint64_t)writer);
    }
    return acks;
}

const char *
log_text(size_t i)
{
    static const char *const kinds[] = {
        "write",  "truncate", "flush begins", "flush ends", "flush fails",
        "create", "delete",   "acknowledged", "refused"};
    static char text[SUPPORT_TEXT];
    const struct log_event *e = log_at(i);
    int len = snprintf(text, sizeof text, "%zu: %d: %s: ", i, (int)e->pid,
                       kinds[e->kind]);
    if (e->kind == LOG_ACK)
        snprintf(text + len, sizeof text - (size_t)len, "%llu of %llu",
                 (unsigned long long)e->at, (unsigned long long)e->n);
    else
        snprintf(text + len, sizeof text - (size_t)len, "%s %d at %llu, %llu",
                 e->file == LOG_DB ? "db" : "wal", e->inode,
                 (unsigned long long)e->at, (unsigned long long)e->n);
    return text;
}
