/* SPDX-License-Identifier: MIT
 * The problem and its end, in numbers: PROCESSES processes each add one to a
 * counter, again and again, by reading it, adding one, and writing it back.
 * `plain` does so with SQLite alone, `rowlock` in blocks that lock the record
 * first. Prints how many increments were made and how many are stored.
 *
 *     lost-update plain|rowlock DATABASE PROCESSES INCREMENTS
 *
 * Read add_locked() first. */
#include <rowlock/rowlock.h>

#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORDS = 5, BUSY_MS = 60000 };

static void
fail(const char *what, const char *why)
{
    fprintf(stderr, "lost-update: %s: %s\n", what, why);
    exit(1);
}

/* ---- with Rowlock ---- */

/* The body of a block: nobody else changes the record between its locked read
 * and the end of the block. */
static int
add_one(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_value id = rowlock_int(*(int *)arg), n;
    rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_record *record;
    int rc;

    q.table = "counter";
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_UPDATE;
    if ((rc = rowlock_query_first(b, &q, &record, err)) ||
        (rc = rowlock_record_get(record, "n", &n, err)) ||
        (rc = rowlock_record_set(record, "n", rowlock_int(n.u.i + 1), err)))
        return rc;
    return rowlock_record_save(record, err);
}

static void
add_locked(const char *path, int process, int times)
{
    rowlock_db *db;
    rowlock_error err;
    if (rowlock_open(path, NULL, &db, &err))
        fail("open", err.message);
    for (int i = 0; i < times; i++) {
        int id = (process + i) % RECORDS;
        if (rowlock_atomic(db, add_one, &id, &err))
            fail("add", err.message);
    }
    rowlock_close(db);
}

/* ---- without ---- */

static sqlite3 *
open_plain(const char *path)
{
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK)
        fail("open", sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, BUSY_MS);
    return db;
}

/* Runs one statement with up to two numbers; the first column, or 0. */
static int
number(sqlite3 *db, const char *sql, int first, int second)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail(sql, sqlite3_errmsg(db));
    sqlite3_bind_int(statement, 1, first);
    sqlite3_bind_int(statement, 2, second);
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        fail(sql, sqlite3_errmsg(db));
    int result = rc == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    return result;
}

static void
add_plain(const char *path, int process, int times)
{
    sqlite3 *db = open_plain(path);
    for (int i = 0; i < times; i++) {
        int id = (process + i) % RECORDS;
        int n = number(db, "SELECT n FROM counter WHERE id = ?1", id, 0);
        sched_yield(); /* a program that thinks */
        number(db, "UPDATE counter SET n = ?2 WHERE id = ?1", id, n + 1);
    }
    sqlite3_close(db);
}

/* ---- both ---- */

static void
make_counters(const char *path)
{
    sqlite3 *db = open_plain(path);
    char *why = NULL;
    if (sqlite3_exec(db,
                     "PRAGMA journal_mode = WAL;"
                     "DROP TABLE IF EXISTS counter;"
                     "CREATE TABLE counter (id INTEGER PRIMARY KEY,"
                     "                      n INTEGER NOT NULL);",
                     NULL, NULL, &why) != SQLITE_OK)
        fail("create", why);
    for (int id = 0; id < RECORDS; id++)
        number(db, "INSERT INTO counter VALUES (?1, ?2)", id, 0);
    sqlite3_close(db);
}

static int
run(void (*add)(const char *path, int process, int times), const char *path,
    int processes, int times)
{
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid < 0)
            fail("fork", "no process");
        if (pid == 0) {
            add(path, i, times);
            exit(0);
        }
    }
    int failed = 0, status;
    while (wait(&status) > 0)
        failed += status != 0;
    return failed;
}

int
main(int argc, char **argv)
{
    if (argc != 5 || (strcmp(argv[1], "plain") && strcmp(argv[1], "rowlock"))) {
        fprintf(stderr, "usage: lost-update plain|rowlock DATABASE PROCESSES "
                        "INCREMENTS\n");
        return 2;
    }
    const char *path = argv[2];
    int processes = atoi(argv[3]), times = atoi(argv[4]) / processes;
    make_counters(path);
    if (run(strcmp(argv[1], "plain") ? add_locked : add_plain, path, processes,
            times))
        return 1;
    sqlite3 *db = open_plain(path);
    printf("made %d stored %d\n", processes * times,
           number(db, "SELECT sum(n) FROM counter", 0, 0));
    sqlite3_close(db);
    return 0;
}
