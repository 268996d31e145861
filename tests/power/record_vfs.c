/* SPDX-License-Identifier: MIT
 * The VFS that notes. A file of ours is the method table, what it is, and
 * SQLite's file behind it. Files that are neither the database nor its -wal are
 * SQLite's alone; so is the -shm, which is made anew after a power cut. */
#include "power/record_vfs.h"

#include <signal.h>
#include <sqlite3.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "power/dice.h"
#include "support/passing.h"
#include "support/support.h"

struct file {
    struct passing passing;
    enum log_file kind;
    int inode;
    /* SQLite flushes the folder with the first flush of a -wal that it opened
     * ready to create it. */
    bool flushes_folder;
    sqlite3_file real[];
};

static struct record_settings set;
static int steps, calls, flushes; /* of this process: see die_at, error_at */
static struct log_event held_end; /* of an early flush, */
static bool holds_end;            /* when there is one */
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods methods;

/* ---- harm ---- */

static void
step(void)
{
    if (++steps == set.die_at)
        kill(getpid(), SIGKILL);
}

static void
die_later(unsigned us)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {us / 1000000, us % 1000000 * 1000L}};
    timer_t timer;
    check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    check(timer_settime(timer, 0, &when, NULL) == 0);
}

static bool
is_refused(const struct file *f, enum record_error call)
{
    return set.error == call && set.file == f->kind && ++calls == set.error_at;
}

/* As a disk does. Nothing is waited for. */
static void
take_time(void)
{
    if (!set.flush_us)
        return;
    struct timespec t = {0, (long)dice_roll(&set.seed, set.flush_us) * 1000};
    nanosleep(&t, NULL);
}

static void
end_early_flush(void)
{
    if (holds_end)
        log_note(held_end);
    holds_end = false;
}

/* ---- a file ---- */

static struct log_event
event_of(const struct file *f, enum log_kind kind)
{
    return (struct log_event){.kind = kind, .file = f->kind, .inode = f->inode};
}

static int
file_close(sqlite3_file *f)
{
    if (((struct file *)f)->kind == LOG_WAL)
        end_early_flush();
    return passing_methods.xClose(f);
}

static int
file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    struct log_event e = event_of((struct file *)f, LOG_WRITE);
    e.at = (uint64_t)at;
    e.n = (uint64_t)n;
    step();
    if (e.file == LOG_WAL)
        end_early_flush();
    if (is_refused((struct file *)f, RECORD_FAIL_WRITE)) {
        log_note(event_of((struct file *)f, LOG_REFUSED));
        return SQLITE_IOERR_WRITE;
    }
    log_enter();
    log_intend(e, from);
    step();
    int rc = passing_methods.xWrite(f, from, n, at);
    step();
    log_leave(rc == SQLITE_OK);
    step();
    return rc;
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct log_event e = event_of((struct file *)f, LOG_TRUNCATE);
    e.at = (uint64_t)size;
    step();
    log_enter();
    log_intend(e, NULL);
    step();
    int rc = passing_methods.xTruncate(f, size);
    step();
    log_leave(rc == SQLITE_OK);
    return rc;
}

static int
end_flush(struct file *f, size_t begin, int rc)
{
    struct log_event e =
        event_of(f, rc == SQLITE_OK ? LOG_FLUSH_END : LOG_FLUSH_FAILED);
    e.at = begin;
    e.folder = f->flushes_folder && !set.no_folder;
    if (rc == SQLITE_OK)
        f->flushes_folder = false;
    if (set.early && f->kind == LOG_WAL) {
        held_end = e;
        holds_end = true;
    } else {
        log_note(e);
    }
    step();
    return rc;
}

static int
file_sync(sqlite3_file *file, int flags)
{
    struct file *f = (struct file *)file;
    step();
    if (f->kind == LOG_WAL)
        end_early_flush();
    if (set.swallow[f->kind])
        return SQLITE_OK;
    size_t begin = log_note(event_of(f, LOG_FLUSH_BEGIN));
    if (is_refused(f, RECORD_FAIL_SYNC))
        return end_flush(f, begin, SQLITE_IOERR_FSYNC);
    if (set.in_flush)
        set.in_flush(f->kind);
    take_time();
    if (f->kind == LOG_WAL && ++flushes == set.die_in_flush)
        kill(getpid(), SIGKILL);
    step();
    return end_flush(f, begin, passing_methods.xSync(file, flags));
}

/* ---- the VFS ---- */

static enum log_file
kind_of(const char *path)
{
    for (enum log_file kind = LOG_DB; path && kind < LOG_FILES; kind++)
        if (strcmp(path, log_path(kind)) == 0)
            return kind;
    return LOG_FILES;
}

/* Was it there before? Under the mutex nobody can make or remove it. */
static int
open_wal(const char *path, struct file *f, int flags, int *ret_flags)
{
    log_enter();
    bool is_new = access(path, F_OK) != 0;
    f->inode = log_newest_inode() + is_new;
    f->flushes_folder = flags & SQLITE_OPEN_CREATE;
    if (is_new)
        log_intend(event_of(f, LOG_CREATE), NULL);
    step();
    int rc = real_vfs->xOpen(real_vfs, path, f->real, flags, ret_flags);
    step();
    if (is_new && rc == SQLITE_OK)
        log_created();
    log_leave(rc == SQLITE_OK);
    return rc;
}

static int
vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
         int *ret_flags)
{
    struct file *f = (struct file *)file;
    enum log_file kind = kind_of(path);
    (void)vfs;
    if (kind == LOG_FILES) /* it has room enough for SQLite's */
        return real_vfs->xOpen(real_vfs, path, file, flags, ret_flags);
    file->pMethods = NULL;
    f->kind = kind;
    f->inode = 0;
    f->flushes_folder = false;
    int rc = kind == LOG_WAL
                 ? open_wal(path, f, flags, ret_flags)
                 : real_vfs->xOpen(real_vfs, path, f->real, flags, ret_flags);
    f->passing.real = f->real;
    if (rc == SQLITE_OK)
        file->pMethods = &methods;
    return rc;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    if (kind_of(path) != LOG_WAL)
        return real_vfs->xDelete(real_vfs, path, sync);
    step();
    log_enter();
    log_intend((struct log_event){.kind = LOG_DELETE,
                                  .file = LOG_WAL,
                                  .inode = log_newest_inode(),
                                  .folder = sync},
               NULL);
    step();
    int rc = real_vfs->xDelete(real_vfs, path, sync);
    step();
    log_leave(rc == SQLITE_OK);
    return rc;
}

static sqlite3_vfs ours;

/* Without xFetch: no write may come by a mapping. */
static void
record_methods(void)
{
    methods = passing_methods;
    methods.iVersion = 2;
    methods.xClose = file_close;
    methods.xWrite = file_write;
    methods.xTruncate = file_truncate;
    methods.xSync = file_sync;
}

void
record_start(const struct record_settings *s)
{
    if (!real_vfs) {
        record_methods();
        real_vfs = sqlite3_vfs_find(NULL);
        /* what is not ours is called with ours, which looks the same */
        ours = *real_vfs;
        ours.zName = "recorded";
        ours.szOsFile = (int)offsetof(struct file, real) + real_vfs->szOsFile;
        ours.xOpen = vfs_open;
        ours.xDelete = vfs_delete;
    }
    sqlite3_vfs_register(&ours, 1);
    set = *s;
    steps = calls = flushes = 0;
    holds_end = false;
    if (set.die_after_us)
        die_later(set.die_after_us);
}

void
record_stop(void)
{
    sqlite3_vfs_register(real_vfs, 1);
}

const char *
record_real_vfs(void)
{
    return real_vfs ? real_vfs->zName : NULL;
}

void
record_ack(int64_t n, int writer)
{
    log_note((struct log_event){
        .kind = LOG_ACK, .at = (uint64_t)n, .n = (uint64_t)writer});
}
