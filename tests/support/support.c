/* SPDX-License-Identifier: MIT
 * Failing, folders, shared memory, waiting for what has no event, and shedding
 * root. The children are in child.c. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/internal.h"

enum { NOBODY = 65534 };

bool support_in_child;

void
support_fail(const char *format, ...)
{
    char text[4 * SUPPORT_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (support_in_child) {
        dprintf(STDERR_FILENO, "child %d: %s\n", (int)getpid(), text);
        _exit(SUPPORT_CHILD_FAILED);
    }
    fail_msg("%s", text);
    abort();
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* Folders that this process made and has not removed yet. */
static struct {
    pid_t owner;
    size_t n;
    char paths[16][SUPPORT_TEXT];
} made;

static void
remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void
remove_made(void)
{
    if (made.owner != getpid())
        return;
    for (size_t i = 0; i < made.n; i++)
        remove_folder(made.paths[i]);
}

static void
remember(const char *path)
{
    if (made.owner != getpid()) {
        made.owner = getpid();
        made.n = 0;
        atexit(remove_made);
    }
    if (made.n < sizeof made.paths / sizeof made.paths[0])
        snprintf(made.paths[made.n++], SUPPORT_TEXT, "%s", path);
}

void
folder_init(struct folder *ret)
{
    const char *base = getenv("TMPDIR");
    snprintf(ret->path, sizeof ret->path, "%s/rowlock-test-XXXXXX",
             base && base[0] ? base : "/tmp");
    if (!mkdtemp(ret->path))
        support_fail("could not make \"%s\": %s", ret->path, strerror(errno));
    remember(ret->path);
}

void
folder_done(struct folder *f)
{
    remove_folder(f->path);
    for (size_t i = 0; i < made.n; i++)
        if (strcmp(made.paths[i], f->path) == 0)
            memcpy(made.paths[i], made.paths[--made.n], SUPPORT_TEXT);
    f->path[0] = 0;
}

struct path
folder_file(const struct folder *f, const char *name)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s/%s", f->path, name);
    return path;
}

void *
shared_alloc(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        support_fail("could not map memory: %s", strerror(errno));
    return memory;
}

void
shared_free(void *memory, size_t size)
{
    munmap(memory, size);
}

int64_t
support_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
wait_until(bool (*is_so)(void *arg), void *arg, const char *what)
{
    int64_t end = support_now_ms() + SUPPORT_LIMIT_S * 1000;
    while (!is_so(arg)) {
        if (support_now_ms() > end)
            support_fail("waited %d s in vain until %s", SUPPORT_LIMIT_S, what);
        struct timespec millisecond = {0, 1000000};
        nanosleep(&millisecond, NULL);
    }
}

int
soak(int n)
{
    const char *factor = getenv("ROWLOCK_SOAK");
    long times = factor ? strtol(factor, NULL, 10) : 1;
    return times > 0 && times <= 1000 ? n * (int)times : n;
}

void
become_unprivileged(void)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
        support_fail("could not shed root: %s", strerror(errno));
    /* A change of user clears both: see prctl(2). */
    prctl(PR_SET_DUMPABLE, 1);
    if (support_in_child)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void
give_away(const char *path)
{
    if (geteuid() == 0 && chown(path, NOBODY, NOBODY))
        support_fail("could not give away \"%s\": %s", path, strerror(errno));
}
