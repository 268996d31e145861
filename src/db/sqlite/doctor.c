/* SPDX-License-Identifier: MIT
 * The library, the file and its journal mode; the tables are looked at in
 * doctor_tables.c. Invariant: nothing is written but by
 * rlk_doctor_switch_to_wal(). */
#include "db/sqlite/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/memory.h"
#include "base/text.h"
#include "db/sqlite/pins.h"

enum {
    WAL_LIMIT = 64 << 20, /* above it somebody holds an old snapshot */
    BUSY_MS = 2000
};

void
rlk_doctor_tell(const struct rlk_doctor *doctor, enum rlk_grade grade,
                const char *follows, const char *todo, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    rlk_finding_tell((struct rlk_finding){grade, "", follows, todo},
                     doctor->tell, doctor->arg, format, list);
    va_end(list);
}

const char *
rlk_doctor_sqlite_version(void)
{
    return sqlite3_libversion();
}

/* Fixed in 3.51.3, and carried back to 3.50.7 and 3.44.6. */
static bool
has_reset_bug(int version)
{
    if (version >= 3051003)
        return false;
    return !(version >= 3050007 && version < 3051000) &&
           !(version >= 3044006 && version < 3045000);
}

static void
examine_library(const struct rlk_doctor *doctor)
{
    const char *version = sqlite3_libversion();
    if (has_reset_bug(sqlite3_libversion_number()))
        rlk_doctor_tell(
            doctor, RLK_GRADE_WARN,
            "Programs that write through Rowlock take turns and are safe. A "
            "plain sqlite3 program that writes here beside them is not: a "
            "commit can be lost.",
            "Use SQLite 3.51.3, 3.50.7 or 3.44.6, there and here.",
            "SQLite %s: a checkpoint can meet a commit that restarts the WAL",
            version);
    else
        rlk_doctor_tell(doctor, RLK_GRADE_OK, "", "", "SQLite %s", version);
    if (!sqlite3_compileoption_used("ENABLE_PREUPDATE_HOOK"))
        rlk_doctor_tell(doctor, RLK_GRADE_BAD,
                        "Rowlock cannot see which records a trigger or cascade "
                        "changes.",
                        "Build SQLite with SQLITE_ENABLE_PREUPDATE_HOOK.",
                        "SQLite was built without the preupdate hook");
    if (!sqlite3_threadsafe())
        rlk_doctor_tell(doctor, RLK_GRADE_BAD,
                        "Two sessions in one process can damage the file.",
                        "Build SQLite with SQLITE_THREADSAFE=1.",
                        "SQLite was built without threads in mind");
}

static const struct file_system {
    unsigned long magic;
    const char *name;
    enum rlk_grade grade;
} file_systems[] = {
    {0xEF53, "ext4", RLK_GRADE_OK},
    {0x58465342, "XFS", RLK_GRADE_OK},
    {0x9123683E, "Btrfs", RLK_GRADE_OK},
    {0xF2F52010, "F2FS", RLK_GRADE_OK},
    {0x2FC12FC1, "ZFS", RLK_GRADE_OK},
    {0x794C7630, "overlay", RLK_GRADE_OK},
    {0x01021994, "tmpfs", RLK_GRADE_WARN},
    {0x858458F6, "ramfs", RLK_GRADE_WARN},
    {0x65735546, "FUSE", RLK_GRADE_WARN},
    {0x6969, "NFS", RLK_GRADE_BAD},
    {0x517B, "SMB", RLK_GRADE_BAD},
    {0xFE534D42, "SMB2", RLK_GRADE_BAD},
    {0xFF534D42, "CIFS", RLK_GRADE_BAD},
    {0x01021997, "9p", RLK_GRADE_BAD},
    {0x00C36400, "Ceph", RLK_GRADE_BAD},
    {0x5346414F, "AFS", RLK_GRADE_BAD},
    {0x0BD00BD0, "Lustre", RLK_GRADE_BAD},
};

enum rlk_grade
rlk_doctor_file_system(const char *path, const char **ret_name)
{
    struct statfs s;
    *ret_name = "unknown";
    if (statfs(path, &s))
        return RLK_GRADE_WARN;
    for (size_t i = 0; i < sizeof file_systems / sizeof file_systems[0]; i++) {
        if (((unsigned long)s.f_type & 0xFFFFFFFFUL) != file_systems[i].magic)
            continue;
        *ret_name = file_systems[i].name;
        return file_systems[i].grade;
    }
    return RLK_GRADE_OK; /* what no network is known for */
}

static void
examine_file_system(const struct rlk_doctor *doctor)
{
    const char *name;
    enum rlk_grade grade = rlk_doctor_file_system(doctor->path, &name);
    if (grade == RLK_GRADE_BAD)
        rlk_doctor_tell(doctor, grade,
                        "Locks and shared memory do not reach across it: "
                        "Rowlock refuses it.",
                        "Move the database to a local disk.",
                        "file system %s is a network's", name);
    else if (grade == RLK_GRADE_OK)
        rlk_doctor_tell(doctor, grade, "", "", "file system %s", name);
    else if (strcmp(name, "FUSE") == 0)
        rlk_doctor_tell(doctor, grade,
                        "Whether locks and flushes work depends on what is "
                        "behind it.",
                        "", "file system %s", name);
    else
        rlk_doctor_tell(doctor, grade,
                        "The database is gone when the machine stops.", "",
                        "file system %s is memory", name);
}

static void
examine_rights(const struct rlk_doctor *doctor)
{
    RLK_AUTOFREE char *copy = rlk_strdup(doctor->path);
    const char *folder = copy ? dirname(copy) : ".";
    if (access(doctor->path, W_OK))
        rlk_doctor_tell(doctor, RLK_GRADE_BAD,
                        "Rowlock locks records of what it can write.", "",
                        "you cannot write the file: %s", strerror(errno));
    if (access(folder, W_OK))
        rlk_doctor_tell(doctor, RLK_GRADE_BAD,
                        "SQLite and Rowlock put files beside the database.", "",
                        "you cannot write its folder: %s", strerror(errno));
}

/* They were looked for before SQLite opened the database. */
static void
examine_pins(const struct rlk_doctor *doctor, const struct rlk_pins *pins)
{
    for (size_t i = 0; i < pins->n; i++) {
        RLK_AUTOBUF struct rlk_buf what = {0};
        rlk_pins_say(&what, pins, i);
        rlk_doctor_tell(doctor, RLK_GRADE_WARN,
                        "Reads get slower, and the file larger, until it ends.",
                        "End that program, or its transaction.", "%s",
                        what.ptr ? what.ptr : "");
    }
}

static void
examine_wal(const struct rlk_doctor *doctor)
{
    char name[4096];
    struct stat st;
    snprintf(name, sizeof name, "%s-wal", doctor->path);
    if (stat(name, &st) || st.st_size <= WAL_LIMIT)
        return;
    rlk_doctor_tell(doctor, RLK_GRADE_WARN,
                    "A program that read for long kept it from being emptied.",
                    "The last program to close the database removes it.",
                    "the WAL has grown to %" PRIdMAX " MiB",
                    (intmax_t)st.st_size >> 20);
}

int
rlk_doctor_fail(struct sqlite3 *db, const char *path, rowlock_error *err)
{
    int rc = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    switch (rc & 0xFF) {
    case SQLITE_NOMEM:
        return rlk_out_of_memory(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return rlk_fail(err, ROWLOCK_NOT_AVAILABLE,
                        "database \"%.150s\" is locked by another program",
                        path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        rlk_fail(err, ROWLOCK_IO, "\"%.150s\" is not a SQLite database", path);
        rlk_detail(err, "SQLite says: %s.", sqlite3_errmsg(db));
        return ROWLOCK_IO;
    default:
        rlk_fail(err, ROWLOCK_IO, "could not use database \"%.150s\"", path);
        rlk_detail(err, "SQLite says: %s.", sqlite3_errmsg(db));
        return ROWLOCK_IO;
    }
}

/* One text that a statement answers: *ret is "" when there is no row. */
static int
ask(sqlite3 *db, const char *path, const char *sql, char ret[64],
    rowlock_error *err)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
        return rlk_doctor_fail(db, path, err);
    int rc = sqlite3_step(stmt);
    ret[0] = 0;
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(stmt, 0);
        snprintf(ret, 64, "%s", text ? (const char *)text : "");
    }
    bool failed = rc != SQLITE_ROW && rc != SQLITE_DONE;
    if (failed)
        rlk_doctor_fail(db, path, err);
    sqlite3_finalize(stmt);
    return failed ? (int)(err ? err->code : ROWLOCK_IO) : 0;
}

void
rlk_doctor_add_word(struct rlk_buf *buf, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    bool quoted = word[strspn(word, plain)] || !*word || *word == '-';
    rlk_buf_text(buf, quoted ? "'" : "");
    for (; *word; word++) {
        if (*word == '\'')
            rlk_buf_text(buf, "'\\'");
        rlk_buf_char(buf, *word);
    }
    rlk_buf_text(buf, quoted ? "'" : "");
}

static int
examine_database(const struct rlk_doctor *doctor, sqlite3 *db,
                 rowlock_error *err)
{
    char mode[64];
    RLK_AUTOBUF struct rlk_buf todo = {0};
    rlk_buf_text(&todo, "rowlock doctor --fix ");
    rlk_doctor_add_word(&todo, doctor->named ? doctor->named : doctor->path);
    RLK_TRY(ask(db, doctor->path, "PRAGMA journal_mode", mode, err));
    if (strcmp(mode, "wal") == 0)
        rlk_doctor_tell(doctor, RLK_GRADE_OK, "", "", "journal mode wal");
    else
        rlk_doctor_tell(doctor, RLK_GRADE_BAD,
                        "Rowlock refuses the database: in this mode readers "
                        "stop writers and writers stop readers.",
                        todo.ptr ? todo.ptr : "", "journal mode %s", mode);
    examine_wal(doctor);
    return rlk_doctor_tables(doctor, db, err);
}

int
rlk_doctor_open(const char *path, struct sqlite3 **ret, rowlock_error *err)
{
    if (sqlite3_open_v2(path, ret, SQLITE_OPEN_READONLY, NULL))
        return rlk_doctor_fail(*ret, path, err);
    sqlite3_busy_timeout(*ret, BUSY_MS);
    return 0;
}

/* Opens db and reads its first page. *ret_shut: it is well, but SQLite would
 * have to write beside it, and cannot. */
static int
open_database(const char *path, sqlite3 **ret, bool *ret_shut,
              rowlock_error *err)
{
    char count[64];
    RLK_TRY(rlk_doctor_open(path, ret, err));
    int rc = ask(*ret, path, "SELECT count(*) FROM sqlite_schema", count, err);
    int code = sqlite3_errcode(*ret);
    *ret_shut = rc && (code == SQLITE_READONLY || code == SQLITE_CANTOPEN);
    return *ret_shut ? 0 : rc;
}

int
rlk_doctor_examine(const struct rlk_doctor *doctor, rowlock_error *err)
{
    sqlite3 *db;
    bool shut = false;
    struct rlk_pins pins;
    rlk_pins_look(doctor->path, &pins);
    int rc = open_database(doctor->path, &db, &shut, err);
    if (rc == 0) {
        examine_library(doctor);
        examine_file_system(doctor);
        examine_rights(doctor);
    }
    if (rc == 0 && shut)
        rlk_doctor_tell(doctor, RLK_GRADE_BAD,
                        "A database in WAL mode is read through a file beside "
                        "it, which is made when it is missing.",
                        "Run this as a user who may write there.",
                        "SQLite cannot read the database: %s",
                        sqlite3_errmsg(db));
    else if (rc == 0)
        rc = examine_database(doctor, db, err);
    if (rc == 0)
        examine_pins(doctor, &pins);
    sqlite3_close(db);
    return rc;
}

/* Who holds one of SQLite's locks on the file. Only when no session of this
 * process is open: closing the descriptor drops its locks. */
static void
name_holder(const char *path, rowlock_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = 0x40000000,
                         .l_len = 512};
    char program[32];
    if (fd < 0)
        return;
    if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
        lock.l_pid > 0) {
        rlk_program_name(lock.l_pid, program);
        rlk_detail(err, "It is held by pid %d%s%s%s.", (int)lock.l_pid,
                   *program ? " (" : "", program, *program ? ")" : "");
    }
    close(fd);
}

static int
switch_mode(sqlite3 *db, const char *path, int *ret_switched,
            rowlock_error *err)
{
    char mode[64];
    sqlite3_busy_timeout(db, BUSY_MS);
    RLK_TRY(ask(db, path, "PRAGMA journal_mode", mode, err));
    if (strcmp(mode, "wal") == 0) { /* others' WAL is not ours to empty */
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return 0;
    }
    RLK_TRY(ask(db, path, "PRAGMA journal_mode = wal", mode, err));
    if (strcmp(mode, "wal") != 0)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "database \"%.150s\" stays in journal mode %s", path,
                        mode);
    *ret_switched = 1;
    return 0;
}

int
rlk_doctor_switch_to_wal(const char *path, int *ret_switched,
                         rowlock_error *err)
{
    const char *file_system;
    rowlock_error why = {0};
    if (rlk_doctor_file_system(path, &file_system) == RLK_GRADE_BAD)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "WAL does not work on file system %s", file_system);
    sqlite3 *db;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    rc = rc ? rlk_doctor_fail(db, path, &why)
            : switch_mode(db, path, ret_switched, &why);
    sqlite3_close(db);
    if (rc == ROWLOCK_NOT_AVAILABLE) {
        name_holder(path, &why);
        rlk_hint(&why, "The switch needs the database for itself for a moment: "
                       "end the other program, or its transaction.");
    }
    if (rc && err)
        *err = why;
    return rc;
}
