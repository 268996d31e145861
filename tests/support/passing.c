/* SPDX-License-Identifier: MIT */
#include "support/passing.h"

static int
pass_close(sqlite3_file *f)
{
    return passing_real(f)->pMethods->xClose(passing_real(f));
}

static int
pass_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return passing_real(f)->pMethods->xRead(passing_real(f), to, n, at);
}

static int
pass_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    return passing_real(f)->pMethods->xWrite(passing_real(f), from, n, at);
}

static int
pass_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return passing_real(f)->pMethods->xTruncate(passing_real(f), size);
}

static int
pass_sync(sqlite3_file *f, int flags)
{
    return passing_real(f)->pMethods->xSync(passing_real(f), flags);
}

static int
pass_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return passing_real(f)->pMethods->xFileSize(passing_real(f), ret);
}

static int
pass_lock(sqlite3_file *f, int level)
{
    return passing_real(f)->pMethods->xLock(passing_real(f), level);
}

static int
pass_unlock(sqlite3_file *f, int level)
{
    return passing_real(f)->pMethods->xUnlock(passing_real(f), level);
}

static int
pass_check_reserved(sqlite3_file *f, int *ret)
{
    return passing_real(f)->pMethods->xCheckReservedLock(passing_real(f), ret);
}

static int
pass_control(sqlite3_file *f, int op, void *arg)
{
    return passing_real(f)->pMethods->xFileControl(passing_real(f), op, arg);
}

static int
pass_sector_size(sqlite3_file *f)
{
    return passing_real(f)->pMethods->xSectorSize(passing_real(f));
}

static int
pass_device(sqlite3_file *f)
{
    return passing_real(f)->pMethods->xDeviceCharacteristics(passing_real(f));
}

static int
pass_shm_map(sqlite3_file *f, int page, int size, int extend,
             void volatile **ret)
{
    return passing_real(f)->pMethods->xShmMap(passing_real(f), page, size,
                                              extend, ret);
}

static int
pass_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return passing_real(f)->pMethods->xShmLock(passing_real(f), offset, n,
                                               flags);
}

static void
pass_shm_barrier(sqlite3_file *f)
{
    passing_real(f)->pMethods->xShmBarrier(passing_real(f));
}

static int
pass_shm_unmap(sqlite3_file *f, int remove)
{
    return passing_real(f)->pMethods->xShmUnmap(passing_real(f), remove);
}

static int
pass_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **ret)
{
    return passing_real(f)->pMethods->xFetch(passing_real(f), at, n, ret);
}

static int
pass_unfetch(sqlite3_file *f, sqlite3_int64 at, void *page)
{
    return passing_real(f)->pMethods->xUnfetch(passing_real(f), at, page);
}

const sqlite3_io_methods passing_methods = {
    .iVersion = 3,
    .xClose = pass_close,
    .xRead = pass_read,
    .xWrite = pass_write,
    .xTruncate = pass_truncate,
    .xSync = pass_sync,
    .xFileSize = pass_size,
    .xLock = pass_lock,
    .xUnlock = pass_unlock,
    .xCheckReservedLock = pass_check_reserved,
    .xFileControl = pass_control,
    .xSectorSize = pass_sector_size,
    .xDeviceCharacteristics = pass_device,
    .xShmMap = pass_shm_map,
    .xShmLock = pass_shm_lock,
    .xShmBarrier = pass_shm_barrier,
    .xShmUnmap = pass_shm_unmap,
    .xFetch = pass_fetch,
    .xUnfetch = pass_unfetch,
};
