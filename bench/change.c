/* SPDX-License-Identifier: MIT
 * Lock a random record, read it, change it, save it, commit: by the record API,
 * and by the same statements through libpq alone (prepared; BEGIN, SELECT FOR
 * UPDATE, UPDATE, COMMIT). Rounds of both take turns, and the median counts.
 *
 *   change URL [CHANGES]      a table that is made and dropped */
#include "bench.h"
#include "record.h"

#include <libpq-fe.h>

enum { ROUNDS = 11, RECORDS = 10000 };

static rowlock_db *db;
static PGconn *plain;
static unsigned seed = 1;

static PGresult *
run(const char *sql)
{
    PGresult *r = PQexec(plain, sql);
    ExecStatusType s = PQresultStatus(r);
    need(s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK, PQerrorMessage(plain));
    return r;
}

static void
execute(const char *name, int n, const char *const *values, PGresult **ret)
{
    PGresult *r = PQexecPrepared(plain, name, n, values, NULL, NULL, 0);
    ExecStatusType s = PQresultStatus(r);
    need(s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK, PQerrorMessage(plain));
    if (ret)
        *ret = r;
    else
        PQclear(r);
}

static void
change_plain(int64_t id)
{
    char key[24], value[24];
    PGresult *r;
    snprintf(key, sizeof key, "%lld", (long long)id);
    const char *const one[] = {key};
    execute("begin", 0, NULL, NULL);
    execute("fetch", 1, one, &r);
    snprintf(value, sizeof value, "%lld",
             strtoll(PQgetvalue(r, 0, 2), NULL, 10) + 1);
    PQclear(r);
    const char *const two[] = {value, key};
    execute("save", 2, two, NULL);
    execute("commit", 0, NULL, NULL);
}

static void
change_ours(int64_t id)
{
    struct one_change c = {"bench_change", rowlock_int(id), NULL, NULL};
    rowlock_error err;
    need(rowlock_atomic(db, change_one, &c, &err) == 0, err.message);
}

static double
rate(void (*one)(int64_t), int n)
{
    int64_t from = now_ns();
    for (int i = 0; i < n; i++)
        one(rand_r(&seed) % RECORDS);
    return n * 1e9 / (double)(now_ns() - from);
}

static void
prepare(const char *url)
{
    rowlock_error err;
    plain = PQconnectdb(url);
    need(PQstatus(plain) == CONNECTION_OK, PQerrorMessage(plain));
    PQclear(run("SET client_min_messages = warning;"
                "DROP TABLE IF EXISTS bench_change;"
                "CREATE TABLE bench_change (id bigint PRIMARY KEY, name text,"
                "    n bigint NOT NULL)"));
    PQclear(run("INSERT INTO bench_change SELECT i, 'name ' || i, 0 "
                "FROM generate_series(0, 9999) AS i"));
    static const char *const statements[][2] = {
        {"begin", "BEGIN"},
        {"fetch", "SELECT id, name, n FROM bench_change WHERE id = $1 FOR "
                  "UPDATE"},
        {"save", "UPDATE bench_change SET n = $1 WHERE id = $2"},
        {"commit", "COMMIT"}};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        PQclear(PQprepare(plain, statements[i][0], statements[i][1], 0, NULL));
    need(rowlock_open(url, NULL, &db, &err) == 0, err.message);
}

int
main(int argc, char **argv)
{
    double ours[ROUNDS], theirs[ROUNDS];
    need(argc >= 2, "change URL [CHANGES]");
    int n = argc > 2 ? atoi(argv[2]) : 2000;
    prepare(argv[1]);
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = rate(change_ours, n);
        theirs[i] = rate(change_plain, n);
    }
    double our = median(ours, ROUNDS), their = median(theirs, ROUNDS);
    printf("lock, read, change, save, commit: rowlock %.0f/s, libpq alone "
           "%.0f/s, %.2f times\n",
           our, their, our / their);
    PQclear(run("DROP TABLE bench_change"));
    PQfinish(plain);
    rowlock_close(db);
    return 0;
}
