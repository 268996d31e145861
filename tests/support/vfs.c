/* SPDX-License-Identifier: MIT
 * A VFS around SQLite's own. A file of ours is the method table, the path, and
 * SQLite's file behind it. Unlocking is never asked about: SQLite takes for
 * granted that it works. */
#include "support/vfs.h"

#include <sqlite3.h>
#include <stddef.h>

struct file {
    sqlite3_file base;
    const char *path; /* SQLite's, as long as the file is open */
    sqlite3_file real[];
};

static vfs_hook *ask;
static sqlite3_vfs *real_vfs;

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

static sqlite3_file *
real(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

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
file_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int
file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    ASK(f, VFS_READ);
    return real(f)->pMethods->xRead(real(f), to, n, at);
}

static int
file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    ASK(f, VFS_WRITE);
    return real(f)->pMethods->xWrite(real(f), from, n, at);
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    ASK(f, VFS_TRUNCATE);
    return real(f)->pMethods->xTruncate(real(f), size);
}

static int
file_sync(sqlite3_file *f, int flags)
{
    ASK(f, VFS_SYNC);
    return real(f)->pMethods->xSync(real(f), flags);
}

static int
file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    ASK(f, VFS_SIZE);
    return real(f)->pMethods->xFileSize(real(f), ret);
}

static int
file_lock(sqlite3_file *f, int level)
{
    ASK(f, VFS_LOCK);
    return real(f)->pMethods->xLock(real(f), level);
}

static int
file_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int
file_check_reserved(sqlite3_file *f, int *ret)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), ret);
}

static int
file_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int
file_sector_size(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int
file_device(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int
file_shm_map(sqlite3_file *f, int page, int size, int extend,
             void volatile **ret)
{
    ASK(f, VFS_SHM_MAP);
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, ret);
}

static int
file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    if (flags & SQLITE_SHM_LOCK)
        ASK(f, VFS_SHM_LOCK);
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void
file_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int
file_shm_unmap(sqlite3_file *f, int remove)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static int
file_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **ret)
{
    return real(f)->pMethods->xFetch(real(f), at, n, ret);
}

static int
file_unfetch(sqlite3_file *f, sqlite3_int64 at, void *page)
{
    return real(f)->pMethods->xUnfetch(real(f), at, page);
}

static const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
    .xFetch = file_fetch,
    .xUnfetch = file_unfetch,
};

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

void
vfs_watch(vfs_hook *hook)
{
    static sqlite3_vfs ours;
    if (!real_vfs) {
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
