/* SPDX-License-Identifier: MIT
 * SQLite's calls to the system, watched: before each of them a test's hook says
 * whether it happens, fails, or whether the process dies. */
#ifndef SUPPORT_VFS_H
#define SUPPORT_VFS_H

enum vfs_op {
    VFS_OPEN,
    VFS_DELETE,
    VFS_READ,
    VFS_WRITE,
    VFS_TRUNCATE,
    VFS_SYNC,
    VFS_SIZE,
    VFS_LOCK,     /* of the file */
    VFS_SHM_MAP,  /* of the index of the log */
    VFS_SHM_LOCK, /* of it */
    VFS_OPS
};

/* 0: it happens; else SQLite's code that is answered instead. file: its path,
 * or NULL when it has none. */
typedef int vfs_hook(enum vfs_op op, const char *file);

/* For all databases that this process opens from now on; NULL: as usual. */
void vfs_watch(vfs_hook *hook);
/* What SQLite answers when op fails: an SQLITE_IOERR_... */
int vfs_error(enum vfs_op op);
const char *vfs_op_name(enum vfs_op op);

#endif
