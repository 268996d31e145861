/* SPDX-License-Identifier: MIT
 * How long a waiter takes to run once a record is given back, beside what the
 * system itself takes: a futex that is changed and woken. Two processes; rounds
 * of both ways take turns, and the medians count. */

#include <rowlock/lock.h>

#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 2000, ASLEEP_US = 200 };

static struct shared {
    uint32_t word;  /* the bare futex: the round that was given */
    uint32_t ready; /* the round that the waiter is about to wait in */
    uint32_t done;  /* the round that it has got */
    int64_t given_ns, got_ns;
} * shared;

static rowlock_locks *locks;
static char folder[64], database[96];

static void
need(int is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
open_table(void)
{
    rowlock_error err;
    need(rowlock_locks_open(database, NULL, &locks, &err) == 0, err.message);
}

static void
take(void)
{
    rowlock_value key = rowlock_int(7);
    rowlock_name name = {ROWLOCK_RECORD, "region", NULL, &key, 1};
    rowlock_error err;
    need(rowlock_locks_take(locks, &name, ROWLOCK_UPDATE, 0, &err) == 0,
         err.message);
}

/* Odd rounds are of the futex. */
static void
wait_for_it(uint32_t round)
{
    if (round % 2 == 0) {
        take();
        return;
    }
    uint32_t before = round == 1 ? 0 : round - 2;
    while (__atomic_load_n(&shared->word, __ATOMIC_ACQUIRE) == before)
        syscall(SYS_futex, &shared->word, FUTEX_WAIT, before, NULL, NULL, 0);
}

static void
wait_always(void)
{
    open_table();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        __atomic_store_n(&shared->ready, round + 1, __ATOMIC_SEQ_CST);
        wait_for_it(round);
        shared->got_ns = now_ns();
        rowlock_locks_release_to(locks, 0);
        __atomic_store_n(&shared->done, round + 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) != 0)
            usleep(20);
    }
    _exit(0);
}

static void
give(uint32_t round)
{
    shared->given_ns = now_ns();
    if (round % 2 == 0) {
        rowlock_locks_release_to(locks, 0);
        return;
    }
    __atomic_store_n(&shared->word, round, __ATOMIC_RELEASE);
    syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* From the giver's last word to the waiter's first. */
static double
one_round(uint32_t round)
{
    if (round % 2 == 0)
        take();
    __atomic_store_n(&shared->ready, 0, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) != round + 1)
        usleep(20);
    usleep(ASLEEP_US);
    give(round);
    while (__atomic_load_n(&shared->done, __ATOMIC_SEQ_CST) != round + 1)
        usleep(20);
    return (double)(shared->got_ns - shared->given_ns);
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
make_files(void)
{
    strcpy(folder, "/var/tmp/rowlock-bench-XXXXXX");
    need(mkdtemp(folder) != NULL, "cannot make a folder");
    snprintf(database, sizeof database, "%s/app.db", folder);
    int fd = open(database, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(fd >= 0 && close(fd) == 0, "cannot make a file");
}

static void
remove_files(void)
{
    char table[128];
    snprintf(table, sizeof table, "%s-rowlock", database);
    unlink(table);
    unlink(database);
    rmdir(folder);
}

int
main(void)
{
    static double ns[2][ROUNDS / 2];
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(shared != MAP_FAILED, "out of memory");
    make_files();
    shared->ready = UINT32_MAX;
    pid_t pid = fork();
    need(pid >= 0, "cannot fork");
    if (pid == 0) {
        while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) != 0)
            usleep(20);
        wait_always();
    }
    open_table();
    for (uint32_t round = 0; round < ROUNDS; round++)
        ns[round % 2][round / 2] = one_round(round);
    __atomic_store_n(&shared->ready, 0, __ATOMIC_SEQ_CST);
    waitpid(pid, NULL, 0);
    for (int way = 0; way < 2; way++)
        qsort(ns[way], ROUNDS / 2, sizeof **ns, by_size);
    double ours = ns[0][ROUNDS / 4], bare = ns[1][ROUNDS / 4];
    printf("hand-over to a sleeping waiter   ns   against the futex\n"
           "  rowlock, a record      %9.0f   %16.2f\n"
           "  a bare futex           %9.0f   %16.2f\n",
           ours, ours / bare, bare, 1.0);
    rowlock_locks_close(locks);
    remove_files();
    return 0;
}
