/* SPDX-License-Identifier: MIT
 * Commits and the disk. A session runs at synchronous=NORMAL: COMMIT writes the
 * WAL and flushes nothing, so the writer slot is held for no flush. After it,
 * with slot and locks given back, a block waits for its ticket
 * (lock/durable.c): one flush of the WAL, by SQLite's own handle, for all who
 * wait.
 *
 * The WAL is emptied under the slot, by the commit that made it long: no
 * committer of ours is in the way of a checkpoint, and none races it. (SQLite
 * before 3.51.3 can lose a commit that restarts the WAL in that moment.)
 *
 * Invariant: an I/O error that may have lost what was committed poisons the
 * database; then nobody writes, checkpoints or calls a commit durable. */
#include "conn.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum {
    FRAMES = 1000,             /* after so many it is emptied: as SQLite does */
    TOO_LONG_BYTES = 64 << 20, /* readers keep it from being emptied */
    RESTART_TRIES = 20,        /* each a millisecond apart */
};

/* The frames that the WAL holds after a commit. */
static int
note_frames(void *arg, sqlite3 *db, const char *schema, int frames)
{
    struct rlk_sqlite *c = arg;
    (void)db, (void)schema;
    c->wal.frames = frames;
    return SQLITE_OK;
}

void
rlk_sqlite_watch_wal(struct rlk_sqlite *c)
{
    sqlite3_wal_hook(c->db, note_frames, c); /* and no automatic checkpoint */
}

/* ---- the flush ---- */

/* NULL until the session has read or written something. */
static sqlite3_file *
wal_of(struct rlk_sqlite *c)
{
    sqlite3_file *wal = NULL;
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    return wal && wal->pMethods ? wal : NULL;
}

static int
last_errno(sqlite3_file *file)
{
    int sys_errno = 0;
    if (file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &sys_errno);
    return sys_errno;
}

static int
flush_failed(struct rlk_sqlite *c, int rc, rowlock_error *err)
{
    char reason[128];
    int sys_errno = last_errno(wal_of(c));
    rlk_fail(err, ROWLOCK_IO, "could not flush the database's log");
    rlk_detail(err, "SQLite says: %s; the system: %s.", sqlite3_errstr(rc),
               strerror_r(sys_errno, reason, sizeof reason));
    rlk_context(err, "%s", sqlite3_db_filename(c->db, "main"));
    if (err)
        err->sys_errno = sys_errno;
    return ROWLOCK_IO;
}

static int
flush(void *arg, rowlock_error *err)
{
    struct rlk_sqlite *c = arg;
    sqlite3_file *wal = wal_of(c);
    int rc = wal ? wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL)
                 : SQLITE_IOERR_FSYNC;
    return rc ? flush_failed(c, rc, err) : 0;
}

/* What is committed stays so, whether or not the disk has it. */
static int
durability_unknown(rowlock_error *err)
{
    if (!err)
        return ROWLOCK_IO;
    rowlock_error why = *err;
    rlk_fail(err, ROWLOCK_IO, "committed, but it may not be on disk");
    rlk_detail(err, "%.200s: %.250s", why.message, why.detail);
    rlk_hint(err, "%s", why.hint);
    err->sys_errno = why.sys_errno;
    return ROWLOCK_IO;
}

int
rlk_sqlite_await_disk(struct rlk_sqlite *c, uint64_t ticket, rowlock_error *err)
{
    if (!ticket || c->wal.relaxed)
        return 0;
    if (rowlock_locks_make_durable(c->locks, ticket, flush, c, err))
        return durability_unknown(err);
    return 0;
}

/* A read opens the WAL, which a session may have had no reason for yet. */
int
rlk_sqlite_durable(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    int64_t version;
    if (!rlk_sqlite_is_ours(c) || !c->locks)
        return rlk_fail(err, ROWLOCK_MISUSE, "not a session that can write");
    RLK_TRY(rlk_sqlite_ask(c, RLK_OP_DATA_VERSION, &version, err));
    return rowlock_locks_make_durable(c->locks, rowlock_locks_ticket(c->locks),
                                      flush, c, err);
}

/* ---- checkpoints ---- */

/* A file that may not grow refuses the write and loses nothing. */
static bool
had_no_room(sqlite3_file *file)
{
    int sys_errno = last_errno(file);
    return sys_errno == ENOSPC || sys_errno == EDQUOT || sys_errno == EFBIG;
}

static void
poison_after(struct rlk_sqlite *c, int rc, sqlite3_file *written)
{
    bool flush = rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
    if (flush || (rc == SQLITE_IOERR_WRITE && !had_no_room(written)))
        rowlock_locks_poison(c->locks);
}

void
rlk_sqlite_poison_after_commit(struct rlk_sqlite *c, int rc)
{
    poison_after(c, rc, wal_of(c));
}

static int
checkpoint(struct rlk_sqlite *c, int mode)
{
    sqlite3_file *file = NULL;
    int64_t usual = c->busy.limit_ms;
    c->busy.limit_ms = 0;
    int rc = sqlite3_wal_checkpoint_v2(c->db, "main", mode, NULL, NULL);
    c->busy.limit_ms = usual;
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    poison_after(c, rc, file);
    return rc;
}

static int64_t
bytes_of(struct rlk_sqlite *c, int frames)
{
    int64_t size = 0;
    if (rlk_sqlite_ask(c, RLK_OP_PAGE_SIZE, &size, NULL))
        return 0;
    return frames * size;
}

/* Readers that come and go leave it between two of them. */
static void
restart(struct rlk_sqlite *c)
{
    const struct timespec pause = {0, 1000000};
    for (int i = 0; i < RESTART_TRIES; i++) {
        if (checkpoint(c, SQLITE_CHECKPOINT_RESTART) != SQLITE_BUSY)
            return;
        nanosleep(&pause, NULL);
    }
}

/* Frames are counted over all sessions, so each multiple is crossed by one
 * commit alone, which needs to know of no other. */
void
rlk_sqlite_tend_wal(struct rlk_sqlite *c)
{
    int frames = c->wal.frames, written = 0, unused;
    sqlite3_db_status(c->db, SQLITE_DBSTATUS_CACHE_WRITE, &written, &unused, 1);
    if (frames / FRAMES == (frames - written) / FRAMES && written < FRAMES)
        return;
    if (rowlock_locks_poisoned(c->locks, NULL))
        return;
    checkpoint(c, SQLITE_CHECKPOINT_FULL);
    if (bytes_of(c, frames) > TOO_LONG_BYTES)
        restart(c);
}

/* The last connection of all checkpoints as it closes, and SQLite would keep it
 * to itself if that failed, as it would of others' commits that nobody flushed:
 * of the killed, of relaxed sessions, of strangers. So they are flushed here
 * first; a session that cannot say that all is well leaves the WAL as it is. */
void
rlk_sqlite_leave_wal(struct rlk_sqlite *c)
{
    if (!c->locks || rowlock_locks_poisoned(c->locks, NULL))
        return;
    if (!wal_of(c) ||
        !rowlock_locks_make_durable(c->locks, rowlock_locks_ticket(c->locks),
                                    flush, c, NULL))
        sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}
