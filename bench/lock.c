/* SPDX-License-Identifier: MIT
 * Lock and unlock one uncontended record, beside what else there is between
 * processes: flock(2), fcntl(2) and a robust mutex. A second process has the
 * same lock table open, so that nothing is special-cased for being alone.
 * Rounds of all four take turns, and the median of each counts, so that a slow
 * moment of the machine hits all alike. */
#include "bench.h"

#include <pthread.h>
#include <sys/file.h>
#include <sys/wait.h>

enum { ROUNDS = 15, PAIRS = 20000 };

static struct {
    struct table table;
    char file[96];
    rowlock_locks *locks;
    rowlock_value key;
    rowlock_name name;
    int flock_fd, fcntl_fd;
    pthread_mutex_t *mutex;
} on;

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
    int64_t from = now_ns();
    for (int i = 0; i < PAIRS; i++)
        pair();
    return (double)(now_ns() - from) / PAIRS;
}

static void
make_mutex(void)
{
    pthread_mutexattr_t attributes;
    on.mutex = shared_memory(sizeof *on.mutex);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    need(pthread_mutex_init(on.mutex, &attributes) == 0, "mutex");
}

static void
make_files(void)
{
    table_make(&on.table);
    snprintf(on.file, sizeof on.file, "%s/file", on.table.folder);
    on.flock_fd = open(on.file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    on.fcntl_fd = open(on.file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(on.flock_fd >= 0 && on.fcntl_fd >= 0, on.file);
}

static void
remove_files(void)
{
    unlink(on.file);
    table_remove(&on.table);
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
        table_open(&on.table);
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
    double ns[WAYS][ROUNDS], medians[WAYS];
    for (int round = 0; round < ROUNDS; round++)
        for (int way = 0; way < WAYS; way++)
            ns[way][round] = ns_of_a_pair(ways[way].pair);
    for (int way = 0; way < WAYS; way++)
        medians[way] = median(ns[way], ROUNDS);
    printf("lock and unlock, uncontended    ns   against rowlock\n");
    for (int way = 0; way < WAYS; way++)
        printf("  %-22s %9.0f   %15.2f\n", ways[way].name, medians[way],
               medians[way] / medians[0]);
}

int
main(void)
{
    int stop;
    make_files();
    make_mutex();
    pid_t neighbour = start_neighbour(&stop);
    on.locks = table_open(&on.table);
    on.key = rowlock_int(7);
    on.name = (rowlock_name){ROWLOCK_RECORD, "region", NULL, &on.key, 1};
    measure();
    rowlock_locks_close(on.locks);
    close(stop);
    waitpid(neighbour, NULL, 0);
    remove_files();
    return 0;
}
