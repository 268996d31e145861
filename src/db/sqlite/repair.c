/* SPDX-License-Identifier: MIT
 * After a failed flush: what can still be read is copied into a new file, which
 * takes the place of the old one. What a second flush of the old file would say
 * means nothing; a new file's flush does.
 *
 * Alone: no session of ours, by the lock table; nobody who has the file open,
 * by a lease; nobody who comes meanwhile, by SQLite's exclusive locking mode,
 * which also makes SQLite read the WAL anew, with its checksums.
 *
 * Steps, each on disk before the next: the copy, checked, under a name of its
 * own; its name as a whole copy (from here on it counts, and a repair that was
 * cut short goes on here); the old file moved away, so that nobody finds a
 * database without its WAL; the WAL removed; the copy in its place. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/memory.h"
#include "db/sqlite/doctor.h"
#include "db/sqlite/repaired.h"
#include "rowlock/lock.h"

struct repair {
    char path[PATH_MAX]; /* real: no link */
    char unfinished[PATH_MAX + 32], whole[PATH_MAX + 32], old[PATH_MAX + 32];
    sqlite3 *from, *to;
};

static int
failed(const char *doing, const char *path, rowlock_error *err)
{
    return rlk_fail_errno(err, ROWLOCK_IO, "could not %s \"%s\"", doing, path);
}

static bool
exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- which files ---- */

/* A database that was moved away already is still found by its folder. */
static int
find_path(const char *path, struct repair *r, rowlock_error *err)
{
    char folder[PATH_MAX];
    char *copy RLK_AUTOFREE = rlk_strdup(path);
    char *last RLK_AUTOFREE = rlk_strdup(path);
    if (!copy || !last)
        return rlk_out_of_memory(err);
    if (realpath(path, r->path))
        return 0;
    if (errno != ENOENT || !realpath(dirname(copy), folder) ||
        snprintf(r->path, sizeof r->path, "%s/%s", folder, basename(last)) >=
            (int)sizeof r->path)
        return failed("find", path, err);
    return 0;
}

static int
find_files(const char *path, struct repair *r, rowlock_error *err)
{
    struct stat st;
    RLK_TRY(find_path(path, r, err));
    snprintf(r->unfinished, sizeof r->unfinished, "%s-rowlock-copy", r->path);
    snprintf(r->whole, sizeof r->whole, "%s" RLK_REPAIRED, r->path);
    snprintf(r->old, sizeof r->old, "%s-rowlock-failed", r->path);
    if (!exists(r->whole) && !exists(r->path))
        return failed("open", path, err);
    if (stat(r->path, &st) == 0 && st.st_nlink > 1) {
        rlk_fail(err, ROWLOCK_UNSUPPORTED, "\"%s\" has several names", path);
        rlk_hint(err, "Remove its other hard links: they would stay with the "
                      "old file.");
        return ROWLOCK_UNSUPPORTED;
    }
    return 0;
}

/* ---- alone ---- */

/* A program that has opened the file and read nothing yet holds no lock. File
 * systems without leases, and files of others, are taken as they are. */
static int
check_nobody_has_it(const struct repair *r, rowlock_error *err)
{
    int fd = open(r->path, O_RDWR | O_CLOEXEC);
    if (fd == -1)
        return failed("open", r->path, err);
    bool busy = fcntl(fd, F_SETLEASE, F_WRLCK) == -1 && errno == EAGAIN;
    close(fd);
    if (!busy)
        return 0;
    rlk_fail(err, ROWLOCK_NOT_AVAILABLE, "another program has \"%s\" open",
             r->path);
    rlk_hint(err, "End it first; fuser(1) names it.");
    return ROWLOCK_NOT_AVAILABLE;
}

static int
open_alone(struct repair *r, rowlock_error *err)
{
    RLK_TRY(check_nobody_has_it(r, err));
    int rc = sqlite3_open_v2(r->path, &r->from, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_db_config(r->from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        rc = sqlite3_exec(r->from,
                          "PRAGMA locking_mode=EXCLUSIVE;"
                          "SELECT count(*) FROM sqlite_schema",
                          NULL, NULL, NULL);
    }
    return rc ? rlk_doctor_fail(r->from, r->path, err) : 0;
}

/* ---- the copy ---- */

static int
unlink_beside(const char *path, const char *end, rowlock_error *err)
{
    char name[PATH_MAX + 64];
    snprintf(name, sizeof name, "%s%s", path, end);
    return unlink(name) && errno != ENOENT ? failed("remove", name, err) : 0;
}

static int
unlink_log(const char *path, rowlock_error *err)
{
    RLK_TRY(unlink_beside(path, "-wal", err));
    return unlink_beside(path, "-shm", err);
}

/* Nobody but its owner may read it before it has the database's rights. */
static int
make_copy(struct repair *r, rowlock_error *err)
{
    RLK_TRY(unlink_beside(r->unfinished, "", err));
    RLK_TRY(unlink_log(r->unfinished, err));
    int fd = open(r->unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1)
        return failed("make", r->unfinished, err);
    close(fd);
    if (sqlite3_open_v2(r->unfinished, &r->to, SQLITE_OPEN_READWRITE, NULL))
        return rlk_doctor_fail(r->to, r->unfinished, err);
    return 0;
}

static int
copy_pages(struct repair *r, rowlock_error *err)
{
    sqlite3_backup *backup =
        sqlite3_backup_init(r->to, "main", r->from, "main");
    if (!backup)
        return rlk_doctor_fail(r->to, r->unfinished, err);
    sqlite3_backup_step(backup, -1);
    int rc = sqlite3_backup_finish(backup);
    if (rc == SQLITE_OK)
        return 0;
    rlk_doctor_fail(r->to, r->path, err);
    rlk_hint(err, rc == SQLITE_FULL
                      ? "The copy needs as much room as the database: make "
                        "some, and try again."
                      : "If it can no longer be read whole, take your backup.");
    return ROWLOCK_IO;
}

static int
check_copy(struct repair *r, rowlock_error *err)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(r->to, "PRAGMA integrity_check(1)", -1, &s, NULL))
        return rlk_doctor_fail(r->to, r->unfinished, err);
    int rc = 0;
    if (sqlite3_step(s) != SQLITE_ROW)
        rc = rlk_doctor_fail(r->to, r->unfinished, err);
    else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0) {
        rc = rlk_fail(err, ROWLOCK_IO, "what can be read of it is damaged");
        rlk_detail(err, "SQLite says: %.300s", sqlite3_column_text(s, 0));
        rlk_hint(err,
                 "Take your backup, or read what you can from the copy: "
                 "%s. The next --repair writes it anew.",
                 r->unfinished);
    }
    sqlite3_finalize(s);
    return rc;
}

static int
flush_path(const char *path, int flags, rowlock_error *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    int rc = fd == -1 || fsync(fd) ? failed("flush", path, err) : 0;
    if (fd != -1)
        close(fd);
    return rc;
}

static int
flush_folder(const struct repair *r, rowlock_error *err)
{
    char *copy RLK_AUTOFREE = rlk_strdup(r->path);
    if (!copy)
        return rlk_out_of_memory(err);
    return flush_path(dirname(copy), O_RDONLY | O_DIRECTORY, err);
}

static int
move(const struct repair *r, const char *from, const char *to,
     rowlock_error *err)
{
    if (rename(from, to))
        return failed("move", from, err);
    return flush_folder(r, err);
}

static int
dress(const struct repair *r, rowlock_error *err)
{
    struct stat st;
    if (stat(r->path, &st) || chown(r->unfinished, st.st_uid, st.st_gid) ||
        chmod(r->unfinished, st.st_mode & 0777))
        return failed("give the rights of the database to", r->unfinished, err);
    return flush_path(r->unfinished, O_RDWR, err);
}

static int
copy(struct repair *r, rowlock_error *err)
{
    RLK_TRY(open_alone(r, err));
    RLK_TRY(make_copy(r, err));
    RLK_TRY(copy_pages(r, err));
    RLK_TRY(check_copy(r, err));
    int rc = sqlite3_close(r->to);
    r->to = NULL;
    if (rc)
        return rlk_fail(err, ROWLOCK_IO, "could not close \"%s\"",
                        r->unfinished);
    RLK_TRY(dress(r, err));
    return move(r, r->unfinished, r->whole, err);
}

/* ---- its place ---- */

static int
put_in_place(const struct repair *r, rowlock_error *err)
{
    if (exists(r->path))
        RLK_TRY(move(r, r->path, r->old, err));
    RLK_TRY(unlink_log(r->path, err));
    RLK_TRY(flush_folder(r, err));
    RLK_TRY(move(r, r->whole, r->path, err));
    unlink(r->old); /* it stays when it cannot go: what counts is done */
    unlink_log(r->unfinished, NULL); /* of SQLite's, when it could not */
    return 0;
}

static int
repair(struct repair *r, rowlock_error *err)
{
    int rc = exists(r->whole) ? 0 : copy(r, err);
    if (rc == 0)
        rc = put_in_place(r, err);
    sqlite3_close(r->to);
    sqlite3_close(r->from);
    return rc;
}

static int
repair_alone(struct repair *r, rowlock_locks *locks, int *ret_repaired,
             rowlock_error *err)
{
    *ret_repaired =
        exists(r->whole) || rowlock_locks_poisoned(locks, NULL) != 0;
    if (!*ret_repaired)
        return 0;
    RLK_TRY(repair(r, err));
    return rowlock_locks_cure(locks, err);
}

int
rlk_doctor_repair(const char *path, int *ret_repaired, rowlock_error *err)
{
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    rowlock_locks *locks;
    struct repair r = {0};
    RLK_TRY(find_files(path, &r, err));
    o.label = "rowlock doctor";
    o.alone = 1;
    RLK_TRY(rowlock_locks_open(r.path, &o, &locks, err));
    int rc = repair_alone(&r, locks, ret_repaired, err);
    rowlock_locks_close(locks);
    return rc;
}
