/* SPDX-License-Identifier: MIT
 * The WAL-index (sqlite.org/walformat.html, 2.2) says how long the WAL is and
 * at which of its frames each kind of reader stands; /proc/locks, which process
 * holds that reader's byte. */
#include "db/sqlite/pins.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum {
    READERS = 5,       /* read marks; the first stands for the database alone */
    LOCK_BYTE = 123,   /* of the first */
    MOST_LOCKS = 20000 /* lines of /proc/locks */
};

struct index { /* the beginning of the -shm file, as SQLite lays it out */
    uint32_t version, unused, change;
    uint8_t is_init, big_endian;
    uint16_t page_size;
    uint32_t frames, pages, sums[6];
    uint32_t copy[12];
    uint32_t backfilled, marks[READERS];
};
_Static_assert(sizeof(struct index) == 120, "as in the format's description");

void
rlk_program_name(int64_t pid, char ret[32])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/comm", pid);
    FILE *comm = pid > 0 ? fopen(path, "re") : NULL;
    ret[0] = 0;
    if (comm && fgets(ret, 32, comm))
        ret[strcspn(ret, "\n")] = 0;
    if (comm)
        fclose(comm);
}

static bool
read_index(const char *path, struct index *ret, ino_t *ret_inode)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return false;
    bool ok = fstat(fd, &st) == 0 &&
              pread(fd, ret, sizeof *ret, 0) == (ssize_t)sizeof *ret;
    *ret_inode = st.st_ino;
    close(fd);
    return ok && ret->is_init;
}

static uint32_t
behind(const struct index *x, int reader)
{
    uint32_t mark = reader ? x->marks[reader] : 0;
    return mark < x->frames ? x->frames - mark : 0;
}

/* Of readers that hold neighbouring bytes one process has one line. */
static uint32_t
farthest_behind(const struct index *x, int64_t first, int64_t last)
{
    uint32_t most = 0;
    for (int reader = 0; reader < READERS; reader++)
        if (reader >= first && reader <= last && behind(x, reader) > most)
            most = behind(x, reader);
    return most;
}

static int
by_age(const void *a, const void *b)
{
    const struct rlk_pin *x = a, *y = b;
    return (x->behind < y->behind) - (x->behind > y->behind);
}

static void
note(struct rlk_pins *pins, int64_t pid, uint32_t pages)
{
    if (pages < RLK_PINS_BEHIND || pins->n == RLK_PINS)
        return;
    struct rlk_pin *pin = &pins->pins[pins->n++];
    *pin = (struct rlk_pin){.pid = pid, .behind = pages};
    rlk_program_name(pid, pin->program);
}

/* "7: POSIX  ADVISORY  READ 4711 fe:00:524310 124 124" */
static void
read_locks(FILE *locks, const struct index *x, ino_t inode,
           struct rlk_pins *pins)
{
    char line[256];
    for (int n = 0; n < MOST_LOCKS && fgets(line, sizeof line, locks); n++) {
        int64_t pid, from, to;
        uint64_t node;
        if (sscanf(line,
                   "%*d: POSIX %*s READ %" SCNd64 " %*x:%*x:%" SCNu64
                   " %" SCNd64 " %" SCNd64,
                   &pid, &node, &from, &to) != 4 ||
            node != inode)
            continue;
        note(pins, pid, farthest_behind(x, from - LOCK_BYTE, to - LOCK_BYTE));
    }
}

void
rlk_pins_look(const char *path, struct rlk_pins *ret)
{
    RLK_AUTOBUF struct rlk_buf shm = {0}, wal = {0};
    struct index x;
    struct stat st;
    ino_t inode;
    *ret = (struct rlk_pins){0};
    rlk_buf_format(&shm, "%s-shm", path);
    rlk_buf_format(&wal, "%s-wal", path);
    if (shm.failed || wal.failed || !read_index(shm.ptr, &x, &inode))
        return;
    if (stat(wal.ptr, &st) == 0)
        ret->wal_bytes = st.st_size;
    FILE *locks = fopen("/proc/locks", "re");
    if (!locks)
        return;
    read_locks(locks, &x, inode, ret);
    fclose(locks);
    qsort(ret->pins, ret->n, sizeof *ret->pins, by_age);
}

void
rlk_pins_say(struct rlk_buf *buf, const struct rlk_pins *pins, size_t i)
{
    const struct rlk_pin *pin = &pins->pins[i];
    rlk_buf_format(buf, "pid %" PRId64, pin->pid);
    if (*pin->program)
        rlk_buf_format(buf, " (%s)", pin->program);
    rlk_buf_format(buf,
                   " keeps the WAL (%" PRId64 " MiB) from being emptied: "
                   "%" PRIu32 " pages were written since its read began",
                   (pins->wal_bytes + (1 << 20) - 1) >> 20, pin->behind);
}
