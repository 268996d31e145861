/* SPDX-License-Identifier: MIT
 * Lock a random record, read it, change it, save it, commit, durable: by many
 * processes at once, through the record API, through plain SQLite (BEGIN
 * IMMEDIATE, synchronous=FULL, a busy timeout) and, given a URL, through libpq
 * (SELECT FOR UPDATE).
 *
 *   durable [--seconds S] [--think MS] [--records N] [--postgres URL]
 *           [--only ENGINE] [--json FILE] PROCESSES...
 *
 * --think: so long a pause between the locked read and the save. A fresh table
 * in a temporary folder (TMPDIR) for each line. Of one record it is counted how
 * often one got it before another that had asked for it 10 ms earlier: less is
 * what a process may lose between its clock and the queue.
 */
#include "bench.h"
#include "record.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

enum { MOST_PROCESSES = 256, MOST_SAMPLES = 1 << 19, OUT_OF_TURN_US = 10000 };

struct samples { /* of one process */
    uint32_t n, failed;
    uint32_t us[MOST_SAMPLES];      /* a whole change */
    int64_t asked_us[MOST_SAMPLES]; /* for the record; with one record only */
    int64_t got_us[MOST_SAMPLES];
};

static struct {
    double seconds;
    int64_t think_us, records;
    const char *postgres, *only;
    char folder[256], path[300];
} bench = {.seconds = 3, .records = 100000};

static int64_t asked_us, got_us; /* of the change under way */
static FILE *json;
static pthread_barrier_t *begin_all; /* shared */
static struct samples *samples;

static int64_t
now_us(void)
{
    return now_ns() / 1000;
}

static void
think(void)
{
    struct timespec t = {0, bench.think_us * 1000};
    if (bench.think_us)
        nanosleep(&t, NULL);
}

static void
note_asking(void)
{
    asked_us = now_us();
}

static void
note_grant(void)
{
    got_us = now_us();
    think();
}

/* ---- the record API ---- */

static rowlock_db *ours;

static void
open_ours(void)
{
    rowlock_error err;
    need(rowlock_open(bench.path, NULL, &ours, &err) == 0, err.message);
}

static int
change_ours(int64_t id)
{
    struct one_change c = {"t", rowlock_int(id), note_asking, note_grant};
    rowlock_error err;
    return rowlock_atomic(ours, change_one, &c, &err);
}

/* ---- plain SQLite ---- */

static sqlite3 *db;
static sqlite3_stmt *begin, *fetch, *save, *commit, *roll_back;

static void
open_sqlite(void)
{
    need(sqlite3_open(bench.path, &db) == 0, "cannot open");
    sqlite3_busy_timeout(db, 30000);
    sqlite3_exec(db, "PRAGMA synchronous=FULL", 0, 0, 0);
    sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, 0);
    sqlite3_prepare_v2(db, "SELECT id, name, n FROM t WHERE id = ?1", -1,
                       &fetch, 0);
    sqlite3_prepare_v2(db, "UPDATE t SET n = ?1 WHERE id = ?2", -1, &save, 0);
    sqlite3_prepare_v2(db, "COMMIT", -1, &commit, 0);
    sqlite3_prepare_v2(db, "ROLLBACK", -1, &roll_back, 0);
    need(roll_back != NULL, sqlite3_errmsg(db));
}

static int
step(sqlite3_stmt *s)
{
    sqlite3_step(s);
    return sqlite3_reset(s);
}

static int
change_sqlite(int64_t id)
{
    note_asking();
    if (step(begin))
        return 1;
    got_us = now_us();
    sqlite3_bind_int64(fetch, 1, id);
    int rc = sqlite3_step(fetch) != SQLITE_ROW;
    sqlite3_bind_int64(save, 1, sqlite3_column_int64(fetch, 2) + 1);
    sqlite3_reset(fetch);
    think();
    sqlite3_bind_int64(save, 2, id);
    rc = rc || step(save) || step(commit);
    if (rc)
        step(roll_back);
    return rc;
}

/* ---- libpq ---- */

static PGconn *server;

static PGresult *
ask(PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);
    need(s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK, PQerrorMessage(server));
    return r;
}

static void
connect_server(void)
{
    server = PQconnectdb(bench.postgres);
    need(PQstatus(server) == CONNECTION_OK, PQerrorMessage(server));
    PQclear(ask(PQexec(server, "SET client_min_messages = warning")));
}

static void
open_server(void)
{
    connect_server();
    PQclear(PQprepare(server, "fetch",
                      "SELECT id, name, n FROM bench_durable WHERE id = $1 "
                      "FOR UPDATE",
                      0, NULL));
    PQclear(PQprepare(server, "save",
                      "UPDATE bench_durable SET n = $1 WHERE id = $2", 0,
                      NULL));
}

static int
change_server(int64_t id)
{
    char key[24], value[24];
    const char *const one[] = {key}, *const two[] = {value, key};
    snprintf(key, sizeof key, "%lld", (long long)id);
    PQclear(ask(PQexec(server, "BEGIN")));
    note_asking();
    PGresult *r = ask(PQexecPrepared(server, "fetch", 1, one, NULL, NULL, 0));
    snprintf(value, sizeof value, "%lld",
             strtoll(PQgetvalue(r, 0, 2), NULL, 10) + 1);
    PQclear(r);
    note_grant();
    PQclear(ask(PQexecPrepared(server, "save", 2, two, NULL, NULL, 0)));
    PQclear(ask(PQexec(server, "COMMIT")));
    return 0;
}

/* ---- fresh tables ---- */

static void
make_file(void)
{
    char sql[512];
    snprintf(bench.path, sizeof bench.path, "%s/app.db", bench.folder);
    snprintf(sql, sizeof sql, "rm -f '%s'/app.db*", bench.folder);
    need(system(sql) == 0, "cannot remove");
    need(sqlite3_open(bench.path, &db) == 0, "cannot make the database");
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode=WAL;"
             "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INT);"
             "WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s "
             "WHERE i < %lld) INSERT INTO t SELECT i, 'name ' || i, 0 FROM s",
             (long long)bench.records);
    need(sqlite3_exec(db, sql, 0, 0, 0) == 0, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void
make_table(void)
{
    char sql[512];
    connect_server();
    snprintf(sql, sizeof sql,
             "DROP TABLE IF EXISTS bench_durable;"
             "CREATE TABLE bench_durable (id bigint PRIMARY KEY, name text, "
             "n bigint NOT NULL); INSERT INTO bench_durable "
             "SELECT i, 'name ' || i, 0 FROM generate_series(1, %lld) AS i",
             (long long)bench.records);
    PQclear(ask(PQexec(server, sql)));
    PQclear(ask(PQexec(server, "VACUUM ANALYZE bench_durable")));
    PQfinish(server);
}

static int64_t
sum_of_file(void)
{
    sqlite3_stmt *s;
    need(sqlite3_open(bench.path, &db) == 0, "cannot open");
    need(sqlite3_prepare_v2(db, "SELECT sum(n) FROM t", -1, &s, 0) == 0 &&
             sqlite3_step(s) == SQLITE_ROW,
         sqlite3_errmsg(db));
    int64_t sum = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return sum;
}

static int64_t
sum_of_table(void)
{
    connect_server();
    PGresult *r = ask(PQexec(server, "SELECT sum(n) FROM bench_durable"));
    int64_t sum = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    PQfinish(server);
    return sum;
}

static const struct engine {
    const char *name;
    void (*make)(void);
    void (*open)(void);
    int (*change)(int64_t id);
    int64_t (*sum)(void);
} engines[] = {
    {"sqlite", make_file, open_sqlite, change_sqlite, sum_of_file},
    {"postgres", make_table, open_server, change_server, sum_of_table},
    {"rowlock", make_file, open_ours, change_ours, sum_of_file},
};

/* ---- a round ---- */

static void
work(const struct engine *e, int number)
{
    struct samples *s = &samples[number];
    unsigned seed = (unsigned)number + 1;
    e->open();
    pthread_barrier_wait(begin_all);
    int64_t end = now_us() + (int64_t)(bench.seconds * 1e6), from = now_us();
    while (from < end && s->n < MOST_SAMPLES) {
        int64_t id = 1 + (int64_t)(rand_r(&seed) % (unsigned)bench.records);
        s->failed += e->change(id) != 0;
        int64_t now = now_us();
        if (bench.records == 1) {
            s->asked_us[s->n] = asked_us;
            s->got_us[s->n] = got_us;
        }
        s->us[s->n++] = (uint32_t)(now - from);
        from = now;
    }
    _exit(0);
}

static int
by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t
gather(int processes, uint32_t *all, uint32_t *ret_failed)
{
    uint32_t n = 0;
    *ret_failed = 0;
    for (int i = 0; i < processes; i++) {
        memcpy(all + n, samples[i].us, samples[i].n * sizeof *all);
        n += samples[i].n;
        *ret_failed += samples[i].failed;
    }
    qsort(all, n, sizeof *all, by_size);
    return n;
}

struct grant {
    int64_t asked_us, got_us;
};

static int
by_grant(const void *a, const void *b)
{
    const struct grant *x = a, *y = b;
    return (x->got_us > y->got_us) - (x->got_us < y->got_us);
}

/* Grants before that of one who had asked so much earlier. */
static uint32_t
count_inversions(int processes, uint32_t n)
{
    struct grant *all = malloc(n * sizeof *all);
    uint32_t k = 0, inversions = 0;
    need(all != NULL, "out of memory");
    for (int i = 0; i < processes; i++)
        for (uint32_t j = 0; j < samples[i].n; j++)
            all[k++] =
                (struct grant){samples[i].asked_us[j], samples[i].got_us[j]};
    qsort(all, n, sizeof *all, by_grant);
    int64_t first_asked = INT64_MAX / 2; /* of those granted later */
    for (uint32_t i = n; i-- > 0;) {
        inversions += first_asked + OUT_OF_TURN_US < all[i].asked_us;
        if (all[i].asked_us < first_asked)
            first_asked = all[i].asked_us;
    }
    free(all);
    return inversions;
}

static void
tell_json(const struct engine *e, int processes, double rate,
          const uint32_t *all, uint32_t n)
{
    static const char *separator = "[";
    if (!json)
        return;
    fprintf(json,
            "%s{\"engine\": \"%s\", \"processes\": %d, \"rate\": %.0f, "
            "\"median_ms\": %.3f, \"p999_ms\": %.3f, \"longest_ms\": %.3f}",
            separator, e->name, processes, rate, all[n / 2] / 1e3,
            all[(uint64_t)n * 999 / 1000] / 1e3, all[n - 1] / 1e3);
    separator = ",\n ";
}

static void
make_barrier(unsigned n)
{
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    need(pthread_barrier_init(begin_all, &attributes, n) == 0, "a barrier");
}

static double
run(const struct engine *e, int processes, double beside)
{
    e->make();
    make_barrier((unsigned)processes + 1);
    for (int i = 0; i < processes; i++)
        samples[i].n = samples[i].failed = 0;
    for (int i = 0; i < processes; i++)
        if (fork() == 0)
            work(e, i);
    pthread_barrier_wait(begin_all);
    int64_t from = now_us();
    for (int i = 0; i < processes; i++)
        wait(NULL);
    double seconds = (double)(now_us() - from) / 1e6;
    uint32_t *all = malloc((size_t)processes * sizeof samples->us), failed;
    need(all != NULL, "out of memory");
    uint32_t n = gather(processes, all, &failed);
    double rate = (n - failed) / seconds;
    need(n > 0 && e->sum() == (int64_t)n - failed, "changes were lost");
    printf("%4d  %-8s %8.0f/s  median %8.2f ms  p99.9 %8.2f  longest %8.2f",
           processes, e->name, rate, all[n / 2] / 1e3,
           all[(uint64_t)n * 999 / 1000] / 1e3, all[n - 1] / 1e3);
    if (bench.records == 1)
        printf("  out of turn %u", count_inversions(processes, n));
    tell_json(e, processes, rate, all, n);
    if (failed)
        printf("  failed %u", failed);
    if (beside > 0)
        printf("  %5.2f x", rate / beside);
    printf("\n");
    fflush(stdout);
    free(all);
    return rate;
}

static void
run_all(int processes)
{
    double sqlite = 0;
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        const struct engine *e = &engines[i];
        if (bench.only && strcmp(bench.only, e->name) != 0)
            continue;
        if (e->make == make_table && !bench.postgres)
            continue;
        double rate = run(e, processes, sqlite);
        if (i == 0)
            sqlite = rate;
    }
}

static int
option(int argc, char **argv, int i)
{
    need(i + 1 < argc, "an option without its value");
    if (strcmp(argv[i], "--seconds") == 0)
        bench.seconds = atof(argv[i + 1]);
    else if (strcmp(argv[i], "--think") == 0)
        bench.think_us = (int64_t)(atof(argv[i + 1]) * 1000);
    else if (strcmp(argv[i], "--records") == 0)
        bench.records = atoll(argv[i + 1]);
    else if (strcmp(argv[i], "--postgres") == 0)
        bench.postgres = argv[i + 1];
    else if (strcmp(argv[i], "--only") == 0)
        bench.only = argv[i + 1];
    else if (strcmp(argv[i], "--json") == 0)
        json = fopen(argv[i + 1], "w");
    else
        need(0, "no such option");
    return i + 1;
}

int
main(int argc, char **argv)
{
    const char *top = getenv("TMPDIR");
    snprintf(bench.folder, sizeof bench.folder, "%s/durable-XXXXXX",
             top ? top : "/tmp");
    need(mkdtemp(bench.folder) != NULL, "cannot make a folder");
    samples = shared_memory(MOST_PROCESSES * sizeof *samples);
    begin_all = shared_memory(sizeof *begin_all);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') {
            i = option(argc, argv, i);
            continue;
        }
        int processes = atoi(argv[i]);
        need(processes > 0 && processes <= MOST_PROCESSES,
             "1 to 256 processes");
        run_all(processes);
    }
    if (json)
        fprintf(json, "]\n");
    char rm[300];
    snprintf(rm, sizeof rm, "rm -rf '%s'", bench.folder);
    return system(rm) != 0;
}
