/* SPDX-License-Identifier: MIT
 * After a failed flush: what can still be read is copied into a new file, which
 * takes the place of the old one. What a second flush of the old file would say
 * means nothing; a new file's flush does.
 *
 * Alone: no session of ours, by the lock table, and no other program, by
 * SQLite's exclusive locking mode. It also makes SQLite read the WAL anew, with
 * its checksums.
 *
 * Invariant: the copy is whole, checked and on disk before anything of the old
 * database goes. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/memory.h"
#include "base/text.h"
#include "db/sqlite/doctor.h"
#include "rowlock/lock.h"

struct repair {
    const char *path;
    char *copy; /* its path */
    sqlite3 *from, *to;
};

static int
failed(const char *doing, const char *path, rowlock_error *err)
{
    return rlk_fail_errno(err, ROWLOCK_IO, "could not %s \"%s\"", doing, path);
}

/* ---- the copy ---- */

static int
open_alone(struct repair *r, rowlock_error *err)
{
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

static int
copy_pages(struct repair *r, rowlock_error *err)
{
    if (unlink(r->copy) && errno != ENOENT)
        return failed("replace", r->copy, err);
    if (sqlite3_open_v2(r->copy, &r->to,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
        return rlk_doctor_fail(r->to, r->copy, err);
    sqlite3_backup *backup =
        sqlite3_backup_init(r->to, "main", r->from, "main");
    if (!backup)
        return rlk_doctor_fail(r->to, r->copy, err);
    sqlite3_backup_step(backup, -1);
    if (sqlite3_backup_finish(backup) == SQLITE_OK)
        return 0;
    rlk_doctor_fail(r->to, r->path, err);
    rlk_hint(err, "It can no longer be read whole: take your backup.");
    return ROWLOCK_IO;
}

static int
check_copy(struct repair *r, rowlock_error *err)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(r->to, "PRAGMA integrity_check(1)", -1, &s, NULL))
        return rlk_doctor_fail(r->to, r->copy, err);
    int rc = 0;
    if (sqlite3_step(s) != SQLITE_ROW)
        rc = rlk_doctor_fail(r->to, r->copy, err);
    else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0) {
        rc = rlk_fail(err, ROWLOCK_IO, "what can be read of it is damaged");
        rlk_detail(err, "SQLite says: %.300s", sqlite3_column_text(s, 0));
        rlk_hint(err,
                 "The copy is kept as %s. Take your backup, or read from "
                 "the copy what you can.",
                 r->copy);
    }
    sqlite3_finalize(s);
    return rc;
}

/* ---- its place ---- */

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
dress(const struct repair *r, rowlock_error *err)
{
    struct stat st;
    if (stat(r->path, &st) || chown(r->copy, st.st_uid, st.st_gid) ||
        chmod(r->copy, st.st_mode & 0777))
        return failed("give the rights of the database to", r->copy, err);
    return 0;
}

static int
unlink_beside(const struct repair *r, const char *end, rowlock_error *err)
{
    RLK_AUTOBUF struct rlk_buf name = {0};
    rlk_buf_format(&name, "%s%s", r->path, end);
    if (name.failed)
        return rlk_out_of_memory(err);
    return unlink(name.ptr) && errno != ENOENT ? failed("remove", name.ptr, err)
                                               : 0;
}

/* The old WAL belongs to the old file; all of it is in the copy. */
static int
put_in_place(const struct repair *r, rowlock_error *err)
{
    RLK_TRY(dress(r, err));
    RLK_TRY(flush_path(r->copy, O_RDWR, err));
    RLK_TRY(flush_folder(r, err));
    RLK_TRY(unlink_beside(r, "-wal", err));
    RLK_TRY(unlink_beside(r, "-shm", err));
    if (rename(r->copy, r->path))
        return failed("replace", r->path, err);
    return flush_folder(r, err);
}

static int
copy(struct repair *r, rowlock_error *err)
{
    RLK_TRY(open_alone(r, err));
    RLK_TRY(copy_pages(r, err));
    RLK_TRY(check_copy(r, err));
    int rc = sqlite3_close(r->to);
    r->to = NULL;
    return rc ? rlk_fail(err, ROWLOCK_IO, "could not close \"%s\"", r->copy)
              : 0;
}

static int
repair(const char *path, rowlock_error *err)
{
    RLK_AUTOBUF struct rlk_buf name = {0};
    rlk_buf_format(&name, "%s-repaired", path);
    if (name.failed)
        return rlk_out_of_memory(err);
    struct repair r = {.path = path, .copy = name.ptr};
    int rc = copy(&r, err);
    if (rc == 0)
        rc = put_in_place(&r, err);
    sqlite3_close(r.to);
    sqlite3_close(r.from);
    return rc;
}

int
rlk_doctor_repair(const char *path, int *ret_repaired, rowlock_error *err)
{
    rowlock_locks_options o = ROWLOCK_LOCKS_OPTIONS_INIT;
    rowlock_locks *locks;
    o.label = "rowlock doctor";
    o.alone = 1;
    RLK_TRY(rowlock_locks_open(path, &o, &locks, err));
    int rc = 0;
    *ret_repaired = rowlock_locks_poisoned(locks, NULL) != 0;
    if (*ret_repaired) {
        rc = repair(path, err);
        if (rc == 0)
            rc = rowlock_locks_cure(locks, err);
    }
    rowlock_locks_close(locks);
    return rc;
}
