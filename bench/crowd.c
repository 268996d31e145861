/* SPDX-License-Identifier: MIT
 * The lock table under load: the death of a holder, a million locks in one
 * block, an arrival behind many waiters, more processes than cores. Each figure
 * stands beside what it is to be compared with, taken in the same run.
 *
 *   crowd [LOCKS]      1,000,000 unless said */
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    DEATHS = 101,
    ARRIVALS = 2001,
    FEW_WAITERS = 2,
    MANY_WAITERS = 200,
    FEW_PROCESSES = 8,
    MANY_PROCESSES = 64,
    RECORDS = 100000,
    ROUNDS = 5,
    ROUND_MS = 700
};

static struct table table;

/* What all processes see. */
static struct shared {
    int64_t granted_ns;
    int ready, go, stop;
    int64_t longest_ns, counted; /* of a bystander */
    int64_t pairs[MANY_PROCESSES];
} * all;

static void
nap(void)
{
    nanosleep(&(struct timespec){0, 200000}, NULL);
}

/* Benches may look again and again for what no call tells them. */
static void
wait_for(const int *what, int value)
{
    while (__atomic_load_n(what, __ATOMIC_ACQUIRE) < value)
        nap();
}

static void
set(int *what, int value)
{
    __atomic_store_n(what, value, __ATOMIC_RELEASE);
}

static int
by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void
sort(int64_t *values, size_t n)
{
    qsort(values, n, sizeof *values, by_size);
}

/* ---- locks ---- */

static int
take(rowlock_locks *s, int64_t key, int32_t wait_ms)
{
    const rowlock_value value = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "region", NULL, &value, 1};
    return rowlock_locks_take(s, &name, ROWLOCK_UPDATE, wait_ms, NULL);
}

static void
must_take(rowlock_locks *s, int64_t key)
{
    need(take(s, key, ROWLOCK_WAIT) == 0, "a lock");
}

static pid_t
start(void (*body)(int), int arg)
{
    fflush(stdout);
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        body(arg);
        _exit(0);
    }
    return pid;
}

static void
end(pid_t pid, int signal)
{
    if (signal)
        kill(pid, signal);
    need(waitpid(pid, NULL, 0) == pid, "waitpid");
}

/* How many wait, as the table tells. */
static size_t
waiting(rowlock_locks *s)
{
    rowlock_lock_info *list;
    size_t n, waiters = 0;
    need(rowlock_locks_list(s, &list, &n, NULL) == 0, "the list of locks");
    for (size_t i = 0; i < n; i++)
        waiters += (size_t)list[i].waiting;
    rowlock_locks_list_free(list);
    return waiters;
}

/* ---- the death of a holder ---- */

static void
hold(int unused)
{
    (void)unused;
    rowlock_locks *s = table_open(&table);
    must_take(s, 1);
    set(&all->ready, 1);
    pause();
}

static void
wait_once(int unused)
{
    (void)unused;
    rowlock_locks *s = table_open(&table);
    must_take(s, 1);
    __atomic_store_n(&all->granted_ns, now_ns(), __ATOMIC_RELEASE);
}

static void
deaths(void)
{
    int64_t ns[DEATHS];
    rowlock_locks *s = table_open(&table);
    for (int i = 0; i < DEATHS; i++) {
        set(&all->ready, 0);
        pid_t holder = start(hold, 0);
        wait_for(&all->ready, 1);
        pid_t waiter = start(wait_once, 0);
        while (waiting(s) == 0)
            nap();
        /* Deaths come at any moment of the waiter's slice. */
        nanosleep(&(struct timespec){0, i * 10000000 / DEATHS}, NULL);
        int64_t killed = now_ns();
        kill(holder, SIGKILL);
        end(waiter, 0);
        end(holder, 0);
        ns[i] = all->granted_ns - killed;
    }
    sort(ns, DEATHS);
    printf("kill -9 of the holder until its waiter is granted: median %.1f ms, "
           "longest of %d %.1f ms\n",
           (double)ns[DEATHS / 2] / 1e6, DEATHS, (double)ns[DEATHS - 1] / 1e6);
    rowlock_locks_close(s);
}

/* ---- a million locks ---- */

/* Locks and unlocks one record of its own, and notes the longest pair. */
static void
bystander(int unused)
{
    (void)unused;
    rowlock_locks *s = table_open(&table);
    must_take(s, -2);
    rowlock_locks_release_to(s, 0);
    set(&all->ready, 1);
    while (!__atomic_load_n(&all->stop, __ATOMIC_ACQUIRE)) {
        int64_t from = now_ns();
        must_take(s, -1);
        rowlock_locks_release_to(s, 0);
        int64_t ns = now_ns() - from;
        if (ns > __atomic_load_n(&all->longest_ns, __ATOMIC_RELAXED))
            __atomic_store_n(&all->longest_ns, ns, __ATOMIC_RELAXED);
        __atomic_add_fetch(&all->counted, 1, __ATOMIC_RELAXED);
    }
    rowlock_locks_close(s);
}

static double
seconds_since(int64_t from)
{
    return (double)(now_ns() - from) / 1e9;
}

static void
tell_bystander(const char *meanwhile)
{
    printf("  bystander's longest pair %-24s %6.2f ms of %lld\n", meanwhile,
           (double)__atomic_load_n(&all->longest_ns, __ATOMIC_RELAXED) / 1e6,
           (long long)__atomic_load_n(&all->counted, __ATOMIC_RELAXED));
    __atomic_store_n(&all->longest_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&all->counted, 0, __ATOMIC_RELAXED);
}

static int64_t
table_bytes(void)
{
    char path[128];
    struct stat file;
    snprintf(path, sizeof path, "%s-rowlock", table.database);
    need(stat(path, &file) == 0, path);
    return file.st_size;
}

static double
take_many(rowlock_locks *s, long n)
{
    int64_t from = now_ns();
    for (long i = 1; i <= n; i++)
        must_take(s, i);
    return seconds_since(from);
}

static double
release_all(rowlock_locks *s)
{
    int64_t from = now_ns();
    rowlock_locks_release_to(s, 0);
    return seconds_since(from);
}

static void
many_locks(long n)
{
    rowlock_locks *s = table_open(&table);
    int64_t empty = table_bytes();
    double tenth = take_many(s, n / 10);
    double tenth_back = release_all(s);
    double whole = take_many(s, n);
    double bytes = (double)(table_bytes() - empty) / (double)n;
    double whole_back = release_all(s);
    printf("%ld locks in one block: %.3f s, %.1f times %ld (%.3f s); given "
           "back in %.3f s (%.3f s)\n",
           n, whole, whole / tenth, n / 10, tenth, whole_back, tenth_back);
    printf("  the table grew by %.0f bytes a lock\n", bytes);
    set(&all->ready, 0);
    set(&all->stop, 0);
    pid_t other = start(bystander, 0);
    wait_for(&all->ready, 1);
    nanosleep(&(struct timespec){1, 0}, NULL);
    tell_bystander("alone");
    double beside = take_many(s, n);
    tell_bystander("while they are taken");
    double beside_back = release_all(s);
    tell_bystander("while they go back");
    printf("  beside it: taken in %.3f s, given back in %.3f s\n", beside,
           beside_back);
    set(&all->stop, 1);
    end(other, 0);
    rowlock_locks_close(s);
}

/* ---- an arrival behind many ---- */

static void *
wait_in_thread(void *unused)
{
    (void)unused;
    rowlock_locks *s = table_open(&table);
    take(s, 1, ROWLOCK_WAIT);
    return NULL;
}

static void
wait_in_crowd(int n)
{
    pthread_attr_t small;
    pthread_t thread;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    for (int i = 0; i < n; i++)
        need(pthread_create(&thread, &small, wait_in_thread, NULL) == 0,
             "a thread");
    pause();
}

/* Cancelled before it begins, a wait is an arrival: queue, search for a cycle,
 * first look at the word, leave. */
static int64_t
median_arrival(rowlock_locks *s, rowlock_locks *holder, int n_waiters)
{
    static int64_t ns[ARRIVALS];
    pid_t crowd = start(wait_in_crowd, n_waiters);
    while (waiting(holder) < (size_t)n_waiters)
        nap();
    for (int i = 0; i < ARRIVALS; i++) {
        rowlock_locks_cancel(s);
        int64_t from = now_ns();
        int rc = take(s, 1, ROWLOCK_WAIT);
        ns[i] = now_ns() - from;
        need(rc == ROWLOCK_CANCELLED, "an arrival");
    }
    end(crowd, SIGKILL);
    sort(ns, ARRIVALS);
    return ns[ARRIVALS / 2];
}

static void
arrivals(void)
{
    rowlock_locks *holder = table_open(&table), *s = table_open(&table);
    must_take(holder, 1);
    int64_t few = median_arrival(s, holder, FEW_WAITERS);
    int64_t many = median_arrival(s, holder, MANY_WAITERS);
    printf("arrival (and leaving) behind %d waiters: %.2f us, behind %d: %.2f "
           "us, %.2f times\n",
           MANY_WAITERS, (double)many / 1e3, FEW_WAITERS, (double)few / 1e3,
           (double)many / (double)few);
    rowlock_locks_close(s);
    rowlock_locks_close(holder);
}

/* ---- many processes ---- */

static void
work(int which)
{
    rowlock_locks *s = table_open(&table);
    unsigned seed = (unsigned)which + 1;
    __atomic_add_fetch(&all->ready, 1, __ATOMIC_ACQ_REL);
    wait_for(&all->go, 1);
    while (!__atomic_load_n(&all->stop, __ATOMIC_ACQUIRE)) {
        must_take(s, (int64_t)(rand_r(&seed) % RECORDS));
        rowlock_locks_release_to(s, 0);
        all->pairs[which]++;
    }
    rowlock_locks_close(s);
}

static int64_t
pairs_a_second(int n)
{
    pid_t pids[MANY_PROCESSES];
    memset(all, 0, sizeof *all);
    for (int i = 0; i < n; i++)
        pids[i] = start(work, i);
    wait_for(&all->ready, n);
    int64_t from = now_ns();
    set(&all->go, 1);
    nanosleep(&(struct timespec){0, ROUND_MS * 1000000}, NULL);
    set(&all->stop, 1);
    double seconds = seconds_since(from);
    int64_t pairs = 0;
    for (int i = 0; i < n; i++) {
        end(pids[i], 0);
        pairs += all->pairs[i];
    }
    return (int64_t)((double)pairs / seconds);
}

static void
processes(void)
{
    int64_t few[ROUNDS], many[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        few[i] = pairs_a_second(FEW_PROCESSES);
        many[i] = pairs_a_second(MANY_PROCESSES);
    }
    sort(few, ROUNDS);
    sort(many, ROUNDS);
    printf(
        "lock and unlock of a random record: %d processes %lld/s, %d %lld/s, "
        "%.2f times\n",
        MANY_PROCESSES, (long long)many[ROUNDS / 2], FEW_PROCESSES,
        (long long)few[ROUNDS / 2],
        (double)many[ROUNDS / 2] / (double)few[ROUNDS / 2]);
}

int
main(int argc, char **argv)
{
    long locks = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    need(locks >= 10 && locks <= 8000000, "LOCKS from 10 to 8,000,000");
    all = shared_memory(sizeof *all);
    table_make(&table);
    deaths();
    many_locks(locks);
    arrivals();
    processes();
    table_remove(&table);
    return 0;
}
