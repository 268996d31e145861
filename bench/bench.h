/* SPDX-License-Identifier: MIT
 * What the benches in C share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <rowlock/lock.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static inline void
need(int is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "bench: %s (%m)\n", what);
    exit(1);
}

static inline int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Zeroed, and the children's too. */
static inline void *
shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    return memory;
}

static inline int
by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static inline double
median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_double);
    return values[n / 2];
}

/* ---- a lock table beside an empty file, in a folder of its own ---- */

struct table {
    char folder[64], database[96];
};

static inline void
table_make(struct table *t)
{
    strcpy(t->folder, "/var/tmp/rowlock-bench-XXXXXX");
    need(mkdtemp(t->folder) != NULL, "mkdtemp");
    snprintf(t->database, sizeof t->database, "%s/app.db", t->folder);
    int fd = open(t->database, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(fd >= 0 && close(fd) == 0, t->database);
}

static inline rowlock_locks *
table_open(const struct table *t)
{
    rowlock_locks *s = NULL;
    rowlock_error err;
    if (rowlock_locks_open(t->database, NULL, &s, &err))
        need(0, err.message);
    return s;
}

static inline void
table_remove(const struct table *t)
{
    char locks[128];
    snprintf(locks, sizeof locks, "%s-rowlock", t->database);
    unlink(locks);
    unlink(t->database);
    rmdir(t->folder);
}

#endif
