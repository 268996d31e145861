/* SPDX-License-Identifier: MIT
 * Opening. Byte 0 of the file is the attach lock: whoever gets it exclusively
 * is alone, may write the table anew, and steps down to shared in one call. All
 * others take it shared *before* they look at anything, and start over when the
 * file is not (any more) the one at the path, or not yet whole. Nothing is ever
 * deleted or truncated here, so a process that still maps the file never loses
 * its ground.
 *
 * Invariant: while byte 0 is held shared by anyone, nobody writes the table
 * anew. Read next: owner.c (slots), latch.c. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attachment.h"
#include "base/memory.h"
#include "core.h"

enum {
    BELIEVED_MS = 50, /* a waiter's slice */
    GROWTH = 4        /* segments at a time, at most: 512 KiB */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rlk_attachment *attachments; /* of this process */

void
rlk_attachments_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void
rlk_attachments_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* The child's descriptor is closed, never unlocked: both processes share one
 * file description, so unlocking would free the parent's bytes. */
static void
disown_after_fork(void)
{
    for (struct rlk_attachment *a = attachments; a; a = a->next) {
        close(a->fd);
        a->fd = -1;
        a->forked = true;
    }
    attachments = NULL;
    rlk_attachments_unlock();
}

static void
watch_forks(void)
{
    pthread_atfork(rlk_attachments_lock, rlk_attachments_unlock,
                   disown_after_fork);
}

/* ---- the path ---- */

/* The real path of the database + "-rowlock". The database itself may not
 * exist yet, its folder must. */
static int
table_path(const char *database, char ret_path[PATH_MAX], rowlock_error *err)
{
    char real[PATH_MAX];
    if (realpath(database, real)) {
        int n = snprintf(ret_path, PATH_MAX, "%s-rowlock", real);
        if (n < PATH_MAX)
            return 0;
        errno = ENAMETOOLONG;
    } else if (errno == ENOENT) {
        RLK_AUTOFREE char *folder = rlk_strdup(database);
        RLK_AUTOFREE char *file = rlk_strdup(database);
        if (!folder || !file)
            return rlk_out_of_memory(err);
        if (realpath(dirname(folder), real)) {
            int n = snprintf(ret_path, PATH_MAX, "%s/%s-rowlock", real,
                             basename(file));
            if (n < PATH_MAX)
                return 0;
            errno = ENAMETOOLONG;
        }
    }
    return rlk_fail_errno(err, ROWLOCK_IO, "could not find \"%s\"", database);
}

/* ---- the file ---- */

/* Who may use the database may use its lock table: same mode, same group, and
 * same owner when root makes it. */
static void
dress(int fd, const struct stat *database)
{
    if (!database)
        return;
    uid_t owner = geteuid() == 0 ? database->st_uid : (uid_t)-1;
    if (fchown(fd, owner, database->st_gid) == -1 && errno != EPERM)
        return;
    fchmod(fd, database->st_mode & 0777);
}

/* Make the file appear at its path already dressed; EEXIST when another was
 * faster. -1 with errno. */
static int
make_file(const char *path, const struct stat *database)
{
    char folder[PATH_MAX], self[64];
    snprintf(folder, sizeof folder, "%s", path);
    int fd = open(dirname(folder), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd == -1 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -1;
    if (fd == -1) /* a file system without nameless files */
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    else {
        dress(fd, database);
        snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
        if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
            return fd;
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    if (fd != -1)
        dress(fd, database);
    return fd;
}

static int
open_file(const char *path, const char *database, enum rlk_attaching how,
          int *ret, rowlock_error *err)
{
    struct stat st;
    bool known = stat(database, &st) == 0;
    for (int tries = 0; tries < 100; tries++) {
        *ret = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (*ret == -1 && errno == ENOENT && how == RLK_EXISTING_ONLY)
            return rlk_fail(err, ROWLOCK_UNDEFINED, "no lock table \"%s\"",
                            path);
        if (*ret == -1 && errno == ENOENT)
            *ret = make_file(path, known ? &st : NULL);
        if (*ret != -1)
            return 0;
        if (errno != EEXIST && errno != ENOENT)
            break;
    }
    rlk_fail_errno(err, ROWLOCK_IO, "could not open lock table \"%s\"", path);
    rlk_hint(err, "Rowlock needs to write this file beside the database.");
    return ROWLOCK_IO;
}

/* Is fd still what the path leads to? */
static bool
is_at_path(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 &&
           mine.st_dev == there.st_dev && mine.st_ino == there.st_ino &&
           mine.st_nlink > 0;
}

/* ---- contents ---- */

static size_t
map_size(void)
{
    return (size_t)rlk_file_bytes(RLK_MAX_LOCKS);
}

static uint64_t
file_size(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

static bool
has_room(void *arg, uint32_t capacity)
{
    const struct rlk_attachment *a = arg;
    return file_size(a->fd) >= rlk_file_bytes(capacity);
}

void
rlk_attachment_view(struct rlk_attachment *a, struct rlk_table *ret)
{
    const struct rlk_world world = {rlk_owner_is_alive, has_room, a};
    rlk_table_init(ret, a->map, &world);
    ret->believed_ms = BELIEVED_MS;
}

static int
reserve(int fd, uint64_t from, uint64_t to, rowlock_error *err)
{
    int rc = from < to ? rlk_file_reserve(fd, from, to) : 0;
    if (rc == 0)
        return 0;
    errno = rc;
    if (rc == EOPNOTSUPP)
        return rlk_fail_errno(err, ROWLOCK_UNSUPPORTED,
                              "cannot reserve room for the lock table on "
                              "this file system");
    return rlk_fail_errno(err, ROWLOCK_IO,
                          "could not make room for the lock table");
}

/* We are alone: whatever the table says, nobody holds anything. Only poison and
 * the counters outlive it, in the same boot. */
static int
write_anew(struct rlk_attachment *a, const char *boot_id, rowlock_error *err)
{
    struct rlk_table t;
    uint64_t before = file_size(a->fd), size = rlk_file_bytes(RLK_SEGMENT);
    RLK_TRY(reserve(a->fd, 0, size, err));
    rlk_attachment_view(a, &t);
    if (before >= sizeof t.h->magic && t.h->magic && t.h->magic != RLK_MAGIC)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED, "\"%s\" is not a lock table",
                        a->path);
    RLK_PUBLISH(t.h->magic, 0);
    if (before < size || t.h->layout_version != RLK_LAYOUT_VERSION ||
        strncmp(t.h->boot_id, boot_id, sizeof t.h->boot_id) != 0) {
        const struct rlk_counters none = {.since_s = time(NULL)};
        RLK_PUT(t.h->poison, 0);
        rlk_put_bytes(&t.h->counters, &none, sizeof none);
        memset(t.h->cycles, 0, sizeof t.h->cycles);
    }
    /* It stays in place, and so does what tells whether it counts: we may die
     * here too. */
    memset(&t.h->latch, 0,
           offsetof(struct rlk_header, poison) -
               offsetof(struct rlk_header, latch));
    memset(t.h + 1, 0, size - sizeof *t.h);
    rlk_table_format(&t, RLK_SEGMENT);
    rlk_put_bytes(t.h->boot_id, boot_id, strlen(boot_id) + 1);
    RLK_PUBLISH(t.h->magic, RLK_MAGIC);
    return 0;
}

static int
refuse(const struct rlk_attachment *a, const char *why, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "cannot use lock table \"%s\"", a->path);
    rlk_detail(err, "%s", why);
    rlk_hint(err, "Stop all programs that use the database, then start them "
                  "with one version of Rowlock on one machine.");
    return ROWLOCK_UNSUPPORTED;
}

/* Others are attached: what they use must be what we would write. */
static int
verify(const struct rlk_attachment *a, const char *boot_id, rowlock_error *err)
{
    const struct rlk_header *h = a->map;
    if (h->layout_version != RLK_LAYOUT_VERSION || h->n_owners != RLK_OWNERS ||
        h->max_locks != RLK_MAX_LOCKS || h->segment_bytes != RLK_SEGMENT_BYTES)
        return refuse(a, "Programs with another layout of it are running.",
                      err);
    if (strncmp(h->boot_id, boot_id, sizeof h->boot_id) != 0)
        return refuse(a, "It is in use under another boot of the kernel.", err);
    if (file_size(a->fd) < rlk_file_bytes(RLK_SEGMENT))
        return refuse(a, "It is shorter than it says.", err);
    return 0;
}

/* ---- attaching ---- */

enum attached { ATTACHED = 0, START_OVER = -1 }; /* else an error code */

static int
join(struct rlk_attachment *a, const char *boot_id, rowlock_error *err)
{
    int rc = rlk_byte_wait(a->fd, RLK_BYTE_ATTACH, RLK_BYTE_SHARED);
    if (rc) {
        errno = rc;
        return rlk_fail_errno(err, ROWLOCK_IO, "could not lock \"%s\"",
                              a->path);
    }
    if (!is_at_path(a->fd, a->path) ||
        file_size(a->fd) < sizeof(struct rlk_header))
        return START_OVER;
    const struct rlk_header *h = a->map;
    if (RLK_LOOK(h->magic) != RLK_MAGIC)
        return START_OVER; /* its writer died: be alone, write it */
    return verify(a, boot_id, err);
}

static int
not_alone(const struct rlk_attachment *a, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_NOT_AVAILABLE, "other programs use \"%s\"", a->path);
    rlk_hint(err, "End them first: rowlock locks shows who holds what.");
    return ROWLOCK_NOT_AVAILABLE;
}

/* Alone, it keeps the attach lock exclusively: who comes waits. */
static int
found(struct rlk_attachment *a, enum rlk_attaching how, const char *boot_id,
      rowlock_error *err)
{
    if (!is_at_path(a->fd, a->path))
        return START_OVER;
    RLK_TRY(write_anew(a, boot_id, err));
    if (how == RLK_ALONE)
        return ATTACHED;
    int rc = rlk_byte_try(a->fd, RLK_BYTE_ATTACH, RLK_BYTE_SHARED);
    if (rc == 0)
        return ATTACHED;
    errno = rc;
    return rlk_fail_errno(err, ROWLOCK_IO, "could not lock \"%s\"", a->path);
}

static int
attach_file(struct rlk_attachment *a, enum rlk_attaching how,
            const char *boot_id, rowlock_error *err)
{
    struct stat st;
    const char *network = rlk_network_file_system(a->fd);
    if (network)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "cannot share locks over a network file system (%s)",
                        network);
    if (fstat(a->fd, &st) || !S_ISREG(st.st_mode))
        return rlk_fail(err, ROWLOCK_UNSUPPORTED, "\"%s\" is not a file",
                        a->path);
    a->device = st.st_dev;
    a->inode = st.st_ino;
    a->map = rlk_map_file(a->fd, map_size());
    if (!a->map)
        return rlk_fail_errno(err, ROWLOCK_NO_MEMORY,
                              "could not map lock table \"%s\"", a->path);
    int rc = rlk_byte_try(a->fd, RLK_BYTE_ATTACH, RLK_BYTE_EXCLUSIVE);
    if (rc == 0)
        return found(a, how, boot_id, err);
    return how == RLK_ALONE ? not_alone(a, err) : join(a, boot_id, err);
}

static void
close_file(struct rlk_attachment *a)
{
    if (a->map)
        rlk_unmap(a->map, map_size());
    if (a->fd != -1)
        close(a->fd);
    a->map = NULL;
    a->fd = -1;
}

static void
free_attachment(struct rlk_attachment *a)
{
    if (!a)
        return;
    if (!a->forked)
        close_file(a);
    rlk_free(a->scratch);
    rlk_free(a->path);
    rlk_free(a);
}

static int
open_attachment(const char *path, const char *database, enum rlk_attaching how,
                struct rlk_attachment *a, rowlock_error *err)
{
    char boot_id[sizeof((struct rlk_header *)0)->boot_id];
    if (!rlk_boot_id(boot_id, sizeof boot_id))
        return rlk_fail_errno(err, ROWLOCK_IO, "could not read the boot id");
    a->scratch = rlk_calloc(RLK_OWNERS, sizeof *a->scratch);
    a->path = rlk_strdup(path);
    if (!a->scratch || !a->path)
        return rlk_out_of_memory(err);
    rlk_process_self(&a->self);
    for (int tries = 0; tries < 100; tries++) {
        RLK_TRY(open_file(path, database, how, &a->fd, err));
        int rc = attach_file(a, how, boot_id, err);
        if (rc != START_OVER)
            return rc;
        close_file(a);
    }
    return rlk_fail(err, ROWLOCK_IO, "lock table \"%s\" does not stay in place",
                    path);
}

static struct rlk_attachment *
find_attachment(const char *path)
{
    for (struct rlk_attachment *a = attachments; a; a = a->next)
        if (strcmp(a->path, path) == 0 && is_at_path(a->fd, path))
            return a;
    return NULL;
}

static int
attach_locked(const char *path, const char *database, enum rlk_attaching how,
              struct rlk_attachment **ret, rowlock_error *err)
{
    struct rlk_attachment *a = find_attachment(path);
    if (a && how == RLK_ALONE)
        return not_alone(a, err);
    if (!a) {
        a = rlk_calloc(1, sizeof *a);
        if (!a)
            return rlk_out_of_memory(err);
        a->fd = -1;
        int rc = open_attachment(path, database, how, a, err);
        if (rc) {
            free_attachment(a);
            return rc;
        }
        a->next = attachments;
        attachments = a;
    }
    a->refs++;
    *ret = a;
    return 0;
}

int
rlk_attach(const char *database, enum rlk_attaching how,
           struct rlk_attachment **ret, rowlock_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char path[PATH_MAX];
    pthread_once(&once, watch_forks);
    RLK_TRY(table_path(database, path, err));
    rlk_attachments_lock();
    int rc = attach_locked(path, database, how, ret, err);
    rlk_attachments_unlock();
    return rc;
}

void
rlk_detach(struct rlk_attachment *a)
{
    if (!a)
        return;
    rlk_attachments_lock();
    bool last = --a->refs == 0;
    for (struct rlk_attachment **link = &attachments; last && *link;
         link = &(*link)->next)
        if (*link == a) {
            *link = a->next;
            break;
        }
    if (last)
        free_attachment(a);
    rlk_attachments_unlock();
}

bool
rlk_attachment_is_forked(const struct rlk_attachment *a)
{
    return a->forked;
}

int
rlk_attachment_check(const struct rlk_attachment *a, rowlock_error *err)
{
    struct stat st;
    if (stat(a->path, &st) == 0 && st.st_dev == a->device &&
        st.st_ino == a->inode)
        return 0;
    rlk_fail(err, ROWLOCK_CONNECTION, "lock table \"%s\" was replaced",
             a->path);
    rlk_detail(err, "Others would use another file: locks would exclude "
                    "nobody.");
    rlk_hint(err, "Open a new session; never delete or move the file while "
                  "programs use the database.");
    return ROWLOCK_CONNECTION;
}

int
rlk_attachment_inherit(struct rlk_attachment *a, rowlock_error *err)
{
    if (fcntl(a->fd, F_SETFD, 0) == 0)
        return 0;
    return rlk_fail_errno(err, ROWLOCK_IO, "could not share \"%s\"", a->path);
}

/* ---- growth ---- */

int
rlk_attachment_grow(struct rlk_attachment *a, struct rlk_table *t,
                    const struct rlk_self *self, rowlock_error *err)
{
    uint32_t capacity = RLK_LOOK(t->h->capacity);
    uint32_t segments = capacity / 8 / RLK_SEGMENT;
    if (segments < 1)
        segments = 1;
    if (segments > GROWTH)
        segments = GROWTH;
    uint32_t wanted = capacity + segments * RLK_SEGMENT;
    if (wanted > RLK_MAX_LOCKS)
        wanted = RLK_MAX_LOCKS;
    if (capacity >= RLK_MAX_LOCKS)
        return rlk_fail(err, ROWLOCK_NO_MEMORY, "lock table is full (%u locks)",
                        RLK_MAX_LOCKS);
    RLK_TRY(
        reserve(a->fd, rlk_file_bytes(capacity), rlk_file_bytes(wanted), err));
    const struct rlk_patience patience = {RLK_NO_DEADLINE, NULL};
    rlk_latch_take(t, self, &patience);
    if (t->h->capacity < wanted)
        RLK_PUBLISH(t->h->capacity, wanted);
    rlk_latch_give(t);
    return 0;
}
