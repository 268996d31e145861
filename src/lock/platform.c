/* SPDX-License-Identifier: MIT
 * Linux. See futex(2), fcntl(2) "open file description locks", madvise(2),
 * proc(5). Each function is small enough to have a twin for another system. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum rlk_woken
rlk_futex_wait(uint32_t *word, uint32_t expected, int64_t ns)
{
    struct timespec limit = {ns / 1000000000, ns % 1000000000};
    long rc = syscall(SYS_futex, word, FUTEX_WAIT, expected, &limit, NULL, 0);
    return rc == -1 && errno == ETIMEDOUT ? RLK_TIMED_OUT : RLK_WOKEN;
}

void
rlk_futex_wake(uint32_t *word, int n)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
    errno = saved;
}

void
rlk_futex_move(uint32_t *from, uint32_t *to)
{
    int saved = errno;
    syscall(SYS_futex, from, FUTEX_REQUEUE, 0, (long)INT_MAX, to);
    errno = saved;
}

static int
byte_lock(int fd, int command, int64_t offset, enum rlk_byte_lock type)
{
    static const short types[] = {
        [RLK_BYTE_SHARED] = F_RDLCK,
        [RLK_BYTE_EXCLUSIVE] = F_WRLCK,
        [RLK_BYTE_FREE] = F_UNLCK,
    };
    struct flock lock = {
        .l_type = types[type],
        .l_whence = SEEK_SET,
        .l_start = offset,
        .l_len = 1,
    };
    while (fcntl(fd, command, &lock) == -1)
        if (errno != EINTR)
            return errno == EACCES ? EAGAIN : errno;
    return 0;
}

int
rlk_byte_try(int fd, int64_t offset, enum rlk_byte_lock type)
{
    return byte_lock(fd, F_OFD_SETLK, offset, type);
}

int
rlk_byte_wait(int fd, int64_t offset, enum rlk_byte_lock type)
{
    return byte_lock(fd, F_OFD_SETLKW, offset, type);
}

bool
rlk_byte_is_taken(int fd, int64_t offset)
{
    struct flock lock = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = offset,
        .l_len = 1,
    };
    return fcntl(fd, F_OFD_GETLK, &lock) == -1 || lock.l_type != F_UNLCK;
}

struct process_stat {
    char state;
    long threads;
    uint64_t started;
};

/* Fields 3, 20 and 22 of /proc/PID/stat, behind the name, which may hold any
 * character. 0 or errno. */
static int
read_process_stat(int64_t pid, struct process_stat *ret)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    int rc = n < 0 ? errno : 0;
    close(fd);
    if (rc)
        return rc;
    text[n] = 0;
    const char *behind = strrchr(text, ')');
    unsigned long long started;
    if (!behind || sscanf(behind + 1,
                          " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                          "%*s %*s %*s %*s %*s %ld %*s %llu",
                          &ret->state, &ret->threads, &started) != 3)
        return EIO;
    ret->started = started;
    return 0;
}

/* Of the pid namespace, and of the time namespace, which shifts start times. 0
 * when unknown, or when /proc shows another namespace than ours. */
static uint64_t
own_namespace(void)
{
    char pid[32] = "";
    struct stat ns, time_ns;
    if (readlink("/proc/self", pid, sizeof pid - 1) <= 0 ||
        strtoll(pid, NULL, 10) != getpid() || stat("/proc/self/ns/pid", &ns))
        return 0;
    uint64_t time = stat("/proc/self/ns/time", &time_ns) ? 0 : time_ns.st_ino;
    return ns.st_ino ^ time << 32;
}

void
rlk_process_self(struct rlk_process *ret)
{
    struct process_stat self;
    ret->pid = getpid();
    ret->started = read_process_stat(ret->pid, &self) ? 0 : self.started;
    ret->namespace = own_namespace();
}

/* What /proc does not show may be hidden (mount option hidepid): only kill(2)
 * tells that there is no such process. A zombie whose other threads still run
 * is alive. */
bool
rlk_process_is_gone(int64_t pid, uint64_t started)
{
    struct process_stat process;
    if (pid <= 0 || (kill((pid_t)pid, 0) == -1 && errno == ESRCH))
        return true;
    if (read_process_stat(pid, &process))
        return false;
    return process.started != started ||
           (strchr("ZX", process.state) && process.threads <= 1);
}

bool
rlk_boot_id(char *ret_id, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return false;
    ssize_t n = read(fd, ret_id, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    ret_id[n] = 0;
    ret_id[strcspn(ret_id, "\n")] = 0;
    return true;
}

static const struct {
    uint32_t magic; /* statfs(2) */
    const char *name;
} network_file_systems[] = {
    {0x6969, "NFS"},        {0x517B, "SMB"},       {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB2"},   {0x01021997, "9P"},    {0x00C36400, "Ceph"},
    {0x5346414F, "AFS"},    {0x6B414653, "AFS"},   {0x73757245, "Coda"},
    {0x7461636F, "OCFS2"},  {0x01161970, "GFS2"},  {0x0BD00BD0, "Lustre"},
    {0x47504653, "GPFS"},   {0x19830326, "FhGFS"}, {0xAAD7AAEA, "PanFS"},
    {0x786F4256, "vboxsf"},
};

const char *
rlk_network_file_system(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs))
        return NULL;
    size_t n = sizeof network_file_systems / sizeof network_file_systems[0];
    for (size_t i = 0; i < n; i++)
        if ((uint32_t)fs.f_type == network_file_systems[i].magic)
            return network_file_systems[i].name;
    return NULL;
}

void *
rlk_map_file(int fd, size_t size)
{
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (map == MAP_FAILED)
        return NULL;
    if (madvise(map, size, MADV_DONTFORK)) {
        int saved = errno;
        munmap(map, size);
        errno = saved;
        return NULL;
    }
    /* A core dump has no use for gigabytes of other people's locks. */
    madvise(map, size, MADV_DONTDUMP);
    return map;
}

void
rlk_unmap(void *map, size_t size)
{
    munmap(map, size);
}

/* fallocate(2), never posix_fallocate(3): where the file system cannot do it,
 * that one rewrites bytes that others may be changing. */
int
rlk_file_reserve(int fd, uint64_t from, uint64_t to)
{
    while (fallocate(fd, 0, (off_t)from, (off_t)(to - from)) == -1)
        if (errno != EINTR)
            return errno;
    return 0;
}

static int64_t
read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t
rlk_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t
rlk_clock_ms(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE) / 1000000;
}

void
rlk_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

void
rlk_yield(void)
{
    sched_yield();
}
