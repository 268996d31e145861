/* SPDX-License-Identifier: MIT
 * A VFS around SQLite's own. A file of ours is the method table, the path, and
 * SQLite's file behind it. Unlocking is never asked about: SQLite takes for
 * granted that it works. */
#include "support/vfs.h"

#include <sqlite3.h>
#include <stddef.h>

#include "support/passing.h"

struct file {
    struct passing passing;
    const char *path; /* SQLite's, as long as the file is open */
    sqlite3_file real[];
};

static vfs_hook *ask;
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods methods;

int
vfs_error(enum vfs_op op)
{
    static const int codes[VFS_OPS] = {
        [VFS_OPEN] = SQLITE_CANTOPEN,
        [VFS_DELETE] = SQLITE_IOERR_DELETE,
        [VFS_READ] = SQLITE_IOERR_READ,
        [VFS_WRITE] = SQLITE_IOERR_WRITE,
        [VFS_TRUNCATE] = SQLITE_IOERR_TRUNCATE,
        [VFS_SYNC] = SQLITE_IOERR_FSYNC,
        [VFS_SIZE] = SQLITE_IOERR_FSTAT,
        [VFS_LOCK] = SQLITE_IOERR_LOCK,
        [VFS_SHM_MAP] = SQLITE_IOERR_SHMMAP,
        [VFS_SHM_LOCK] = SQLITE_IOERR_SHMLOCK,
    };
    return codes[op];
}

const char *
vfs_op_name(enum vfs_op op)
{
    static const char *const names[VFS_OPS] = {
        "open", "delete", "read", "write",   "truncate",
        "sync", "size",   "lock", "shm map", "shm lock"};
    return names[op];
}

/* ---- a file ---- */

static int
asked(sqlite3_file *f, enum vfs_op op)
{
    return ask ? ask(op, ((struct file *)f)->path) : 0;
}

#define ASK(f, op)               \
    do {                         \
        int code = asked(f, op); \
        if (code)                \
            return code;         \
    } while (0)

static int
ask_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    ASK(f, VFS_READ);
    return passing_methods.xRead(f, to, n, at);
}

static int
ask_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    ASK(f, VFS_WRITE);
    return passing_methods.xWrite(f, from, n, at);
}

static int
ask_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    ASK(f, VFS_TRUNCATE);
    return passing_methods.xTruncate(f, size);
}

static int
ask_sync(sqlite3_file *f, int flags)
{
    ASK(f, VFS_SYNC);
    return passing_methods.xSync(f, flags);
}

static int
ask_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    ASK(f, VFS_SIZE);
    return passing_methods.xFileSize(f, ret);
}

static int
ask_lock(sqlite3_file *f, int level)
{
    ASK(f, VFS_LOCK);
    return passing_methods.xLock(f, level);
}

static int
ask_shm_map(sqlite3_file *f, int page, int size, int extend,
            void volatile **ret)
{
    ASK(f, VFS_SHM_MAP);
    return passing_methods.xShmMap(f, page, size, extend, ret);
}

static int
ask_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    if (flags & SQLITE_SHM_LOCK)
        ASK(f, VFS_SHM_LOCK);
    return passing_methods.xShmLock(f, offset, n, flags);
}

/* ---- the VFS ---- */

static int
vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags,
         int *ret_flags)
{
    (void)vfs;
    struct file *file = (struct file *)f;
    f->pMethods = NULL;
    int code = ask ? ask(VFS_OPEN, path) : 0;
    if (!code)
        code = real_vfs->xOpen(real_vfs, path, file->real, flags, ret_flags);
    if (code)
        return code;
    file->passing.real = file->real;
    file->path = path;
    f->pMethods = &methods;
    return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    int code = ask ? ask(VFS_DELETE, path) : 0;
    return code ? code : real_vfs->xDelete(real_vfs, path, sync);
}

static void
watch_methods(void)
{
    methods = passing_methods;
    methods.xRead = ask_read;
    methods.xWrite = ask_write;
    methods.xTruncate = ask_truncate;
    methods.xSync = ask_sync;
    methods.xFileSize = ask_size;
    methods.xLock = ask_lock;
    methods.xShmMap = ask_shm_map;
    methods.xShmLock = ask_shm_lock;
}

void
vfs_watch(vfs_hook *hook)
{
    static sqlite3_vfs ours;
    if (!real_vfs) {
        watch_methods();
        real_vfs = sqlite3_vfs_find(NULL);
        ours = *real_vfs; /* what is not ours is called with ours, which looks
                             the same */
        ours.zName = "watched";
        ours.szOsFile = (int)offsetof(struct file, real) + real_vfs->szOsFile;
        ours.xOpen = vfs_open;
        ours.xDelete = vfs_delete;
        sqlite3_vfs_register(&ours, 1);
    }
    ask = hook;
}
