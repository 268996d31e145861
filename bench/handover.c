/* SPDX-License-Identifier: MIT
 * How long a waiter takes to run once a record is given back, beside what the
 * system itself takes: a futex that is changed and woken. Two processes; rounds
 * of both ways take turns, and the medians count. */
#include "bench.h"

#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ROUNDS = 2000 };

static struct shared {
    uint32_t word;             /* the bare futex: how often it was given */
    sem_t begin, waits, ended; /* of a round */
    int64_t given_ns, got_ns;
} * shared;

static struct table table;
static rowlock_locks *locks;
static pid_t waiter;

static void
take(void)
{
    rowlock_value key = rowlock_int(7);
    rowlock_name name = {ROWLOCK_RECORD, "region", NULL, &key, 1};
    rowlock_error err;
    need(rowlock_locks_take(locks, &name, ROWLOCK_UPDATE, 0, &err) == 0,
         err.message);
}

/* ---- the two ways ---- */

static void
wait_for_record(void)
{
    take();
}

static void
give_record(void)
{
    rowlock_locks_release_to(locks, 0);
}

static void
wait_for_futex(void)
{
    static uint32_t seen;
    while (__atomic_load_n(&shared->word, __ATOMIC_ACQUIRE) == seen)
        syscall(SYS_futex, &shared->word, FUTEX_WAIT, seen, NULL, NULL, 0);
    seen++;
}

static void
give_futex(void)
{
    __atomic_add_fetch(&shared->word, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void
do_nothing(void)
{
}

static const struct {
    void (*hold)(void), (*wait)(void), (*give)(void);
} ways[] = {{take, wait_for_record, give_record},
            {do_nothing, wait_for_futex, give_futex}};
enum { WAYS = sizeof ways / sizeof ways[0] };

/* ---- rounds ---- */

static void
wait_always(void)
{
    locks = table_open(&table);
    for (int round = 0; round < ROUNDS; round++) {
        sem_wait(&shared->begin);
        sem_post(&shared->waits);
        ways[round % WAYS].wait();
        shared->got_ns = now_ns();
        rowlock_locks_release_to(locks, 0);
        sem_post(&shared->ended);
    }
    _exit(0);
}

/* Behind its last word before it. */
static void
see_it_sleep(void)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)waiter);
    while (state != 'S') {
        FILE *f = fopen(path, "re");
        need(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1, path);
        fclose(f);
        sched_yield();
    }
}

/* From the giver's last word to the waiter's first. */
static double
one_round(int way)
{
    ways[way].hold();
    sem_post(&shared->begin);
    sem_wait(&shared->waits);
    see_it_sleep();
    shared->given_ns = now_ns();
    ways[way].give();
    sem_wait(&shared->ended);
    return (double)(shared->got_ns - shared->given_ns);
}

int
main(void)
{
    static double ns[WAYS][ROUNDS / WAYS];
    shared = shared_memory(sizeof *shared);
    need(!sem_init(&shared->begin, 1, 0) && !sem_init(&shared->waits, 1, 0) &&
             !sem_init(&shared->ended, 1, 0),
         "a semaphore");
    table_make(&table);
    waiter = fork();
    need(waiter >= 0, "fork");
    if (waiter == 0)
        wait_always();
    locks = table_open(&table);
    for (int round = 0; round < ROUNDS; round++)
        ns[round % WAYS][round / WAYS] = one_round(round % WAYS);
    waitpid(waiter, NULL, 0);
    double ours = median(ns[0], ROUNDS / WAYS);
    double bare = median(ns[1], ROUNDS / WAYS);
    printf("hand-over to a sleeping waiter   ns   against the futex\n"
           "  rowlock, a record      %9.0f   %16.2f\n"
           "  a bare futex           %9.0f   %16.2f\n",
           ours, ours / bare, bare, 1.0);
    rowlock_locks_close(locks);
    table_remove(&table);
    return 0;
}
