/* SPDX-License-Identifier: MIT
 * Lock and unlock one uncontended record, beside what else there is between
 * processes: flock(2), fcntl(2) and a robust mutex. A second process has the
 * same lock table open, so that nothing is special-cased for being alone.
 * Rounds of all four take turns, and the median of each counts, so that a slow
 * moment of the machine hits all alike. */
#include <rowlock/lock.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 15, PAIRS = 20000 };

static struct {
    char folder[64], database[96], file[96];
    rowlock_locks *locks;
    rowlock_value key;
    rowlock_name name;
    int flock_fd, fcntl_fd;
    pthread_mutex_t *mutex;
} on;

static void
need(int is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
pair_rowlock(void)
{
    rowlock_error err;
    if (rowlock_locks_take(on.locks, &on.name, ROWLOCK_UPDATE, ROWLOCK_NOWAIT,
                           &err))
        need(0, err.message);
    rowlock_locks_release_to(on.locks, 0);
}

static void
pair_flock(void)
{
    need(flock(on.flock_fd, LOCK_EX) == 0, "flock");
    need(flock(on.flock_fd, LOCK_UN) == 0, "flock");
}

static void
pair_fcntl(void)
{
    struct flock byte = {.l_type = F_WRLCK, .l_start = 7, .l_len = 1};
    need(fcntl(on.fcntl_fd, F_SETLKW, &byte) == 0, "fcntl");
    byte.l_type = F_UNLCK;
    need(fcntl(on.fcntl_fd, F_SETLKW, &byte) == 0, "fcntl");
}

static void
pair_mutex(void)
{
    need(pthread_mutex_lock(on.mutex) == 0, "mutex");
    need(pthread_mutex_unlock(on.mutex) == 0, "mutex");
}

static const struct {
    const char *name;
    void (*pair)(void);
} ways[] = {{"rowlock", pair_rowlock},
            {"robust mutex", pair_mutex},
            {"fcntl(2)", pair_fcntl},
            {"flock(2)", pair_flock}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static double
ns_of_a_pair(void (*pair)(void))
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < PAIRS; i++)
        pair();
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 +
            (double)(to.tv_nsec - from.tv_nsec)) /
           PAIRS;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
open_table(void)
{
    rowlock_error err;
    if (rowlock_locks_open(on.database, NULL, &on.locks, &err))
        need(0, err.message);
}

static void
make_mutex(void)
{
    pthread_mutexattr_t attributes;
    on.mutex = mmap(NULL, sizeof *on.mutex, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(on.mutex != MAP_FAILED, "mmap");
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    need(pthread_mutex_init(on.mutex, &attributes) == 0, "mutex");
}

static void
make_files(void)
{
    strcpy(on.folder, "/var/tmp/rowlock-bench-XXXXXX");
    need(mkdtemp(on.folder) != NULL, "mkdtemp");
    snprintf(on.database, sizeof on.database, "%s/app.db", on.folder);
    snprintf(on.file, sizeof on.file, "%s/file", on.folder);
    int fd = open(on.database, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(fd >= 0 && close(fd) == 0, on.database);
    on.flock_fd = open(on.file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    on.fcntl_fd = open(on.file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(on.flock_fd >= 0 && on.fcntl_fd >= 0, on.file);
}

static void
remove_files(void)
{
    char table[128];
    snprintf(table, sizeof table, "%s-rowlock", on.database);
    unlink(table);
    unlink(on.database);
    unlink(on.file);
    rmdir(on.folder);
}

/* Another process that has the table open; ends when told by the pipe. */
static pid_t
start_neighbour(int *ret_pipe)
{
    int ready[2], stop[2];
    char byte;
    need(pipe(ready) == 0 && pipe(stop) == 0, "pipe");
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        close(stop[1]);
        open_table();
        need(write(ready[1], "x", 1) == 1, "write");
        _exit(read(stop[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(stop[0]);
    need(read(ready[0], &byte, 1) == 1, "neighbour");
    *ret_pipe = stop[1];
    return pid;
}

static void
measure(void)
{
    double ns[WAYS][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        for (int way = 0; way < WAYS; way++)
            ns[way][round] = ns_of_a_pair(ways[way].pair);
    for (int way = 0; way < WAYS; way++)
        qsort(ns[way], ROUNDS, sizeof(double), by_size);
    double ours = ns[0][ROUNDS / 2];
    printf("lock and unlock, uncontended    ns   against rowlock\n");
    for (int way = 0; way < WAYS; way++)
        printf("  %-22s %9.0f   %15.2f\n", ways[way].name, ns[way][ROUNDS / 2],
               ns[way][ROUNDS / 2] / ours);
}

int
main(void)
{
    int stop;
    make_files();
    make_mutex();
    pid_t neighbour = start_neighbour(&stop);
    open_table();
    on.key = rowlock_int(7);
    on.name = (rowlock_name){ROWLOCK_RECORD, "region", NULL, &on.key, 1};
    measure();
    rowlock_locks_close(on.locks);
    close(stop);
    waitpid(neighbour, NULL, 0);
    remove_files();
    return 0;
}
