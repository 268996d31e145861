/* SPDX-License-Identifier: MIT
 * Sixty-four processes do anything on one table at once: records fetched with
 * every mode and policy, changed, saved, thought better of; update_or_create;
 * deletes by filter; imports by `rowlock sync`. They are killed, stopped and
 * continued at random; some have forked a child that lives on and has their
 * files. Whatever happens: the sums are right, nothing acknowledged is lost or
 * done twice, no record has a double, and no lock stays.
 *
 *   mixed_storm_test ROWLOCK */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/records.h"

enum {
    WORKERS = 61,
    IMPORTERS = 3,
    PROCESSES = WORKERS + IMPORTERS,
    COUNTERS = 20,
    THINGS = 30,    /* that come and go, also by the imports */
    BLOCKS = 12000, /* acknowledged, by all */
    LIVES = 8192,
    MOST_ORPHANS = 24,
    THINKS_BETTER = -1 /* a body's own answer: rolls back */
};

struct board {
    int64_t done[LIVES]; /* acknowledged increments of each life */
    int64_t upserts, deletes, imports, refused;
    int orphans;
    bool closing;
};

static struct board *board;
static struct database database;
static const char *rowlock_program;
static char definitions[IMPORTERS][2 * SUPPORT_TEXT];
static int leash[2]; /* ends the orphans when the test does */

/* ---- what a block does ---- */

struct job {
    int life, number; /* of the increment */
    unsigned seed;
};

static int
pick(struct job *j, int n)
{
    return rand_r(&j->seed) % n;
}

static int
fetch(rowlock_block *b, struct job *j, int counter, enum rowlock_mode mode,
      rowlock_record **ret, rowlock_error *err)
{
    const rowlock_value id = rowlock_int(counter);
    const rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "counter";
    q.where = &where;
    q.n_where = 1;
    q.lock = mode;
    q.wait_ms = pick(j, 12) ? ROWLOCK_WAIT : ROWLOCK_NOWAIT;
    return rowlock_query_first(b, &q, ret, err);
}

/* The first counters that nobody holds: as from a queue of jobs. */
static int
fetch_free(rowlock_block *b, rowlock_record **ret, rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "counter";
    q.lock = ROWLOCK_UPDATE;
    q.wait_ms = ROWLOCK_SKIP_LOCKED;
    q.limit = 1;
    return rowlock_query_first(b, &q, ret, err);
}

static int
add(rowlock_record *r, int64_t more, rowlock_error *err)
{
    rowlock_value n;
    int rc = rowlock_record_get(r, "n", &n, err);
    if (!rc)
        rc = rowlock_record_set(r, "n", rowlock_int(n.u.i + more), err);
    return rc ? rc : rowlock_record_save(r, err);
}

static int
spoil(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct job *j = arg;
    rowlock_record *r = NULL;
    int rc = fetch(b, j, pick(j, COUNTERS), ROWLOCK_UPDATE, &r, err);
    if (!rc)
        rc = add(r, 1000000, err);
    return rc ? rc : THINKS_BETTER;
}

/* Reads with other locks first, so that there are upgrades and sharers. */
static int
look(rowlock_block *b, struct job *j, rowlock_error *err)
{
    rowlock_record *r = NULL;
    enum rowlock_mode mode =
        (enum rowlock_mode)(ROWLOCK_KEY_SHARE + pick(j, 3));
    int rc = 0;
    for (int n = pick(j, 3); n > 0 && !rc; n--)
        rc = fetch(b, j, pick(j, COUNTERS), mode, &r, err);
    return rc;
}

static int
increment(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct job *j = arg;
    rowlock_record *r = NULL;
    const rowlock_pair line[] = {{"life", rowlock_int(j->life)},
                                 {"number", rowlock_int(j->number)}};
    int rc = look(b, j, err);
    if (!rc && pick(j, 8) == 0)
        rc = rowlock_nested(b, spoil, j, err);
    if (rc == THINKS_BETTER)
        rc = 0;
    if (!rc && pick(j, 4) == 0)
        rc = fetch_free(b, &r, err);
    if (!rc && !r)
        rc = fetch(b, j, pick(j, COUNTERS), ROWLOCK_NO_KEY_UPDATE, &r, err);
    if (!rc)
        rc = add(r, 1, err);
    return rc ? rc : rowlock_record_create(b, "ledger", line, 2, NULL, err);
}

/* One thing is known by a remote id, by a slug, or by both. */
static int
upsert(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct job *j = arg;
    char remote[16], slug[16], name[16];
    int thing = pick(j, THINGS);
    snprintf(remote, sizeof remote, "r%d", thing);
    snprintf(slug, sizeof slug, "s%d", thing);
    snprintf(name, sizeof name, "n%d", pick(j, 1000));
    const rowlock_pair id[] = {{"remote_id", rowlock_text(remote)}},
                       by_slug[] = {{"slug", rowlock_text(slug)}};
    const rowlock_key both[] = {{id, 1}, {by_slug, 1}};
    const rowlock_pair updating[] = {{"name", rowlock_text(name)},
                                     {"remote_id", rowlock_text(remote)}};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    bool by_slug_only = pick(j, 3) == 0;
    u.table = "thing";
    u.match = by_slug_only ? &both[1] : both;
    u.n_match = by_slug_only ? 1 : 2;
    u.updating = updating;
    u.n_updating = by_slug_only ? 1 : 2;
    return rowlock_update_or_create(b, &u, NULL, NULL, err);
}

static int
delete_some(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct job *j = arg;
    char slug[16];
    snprintf(slug, sizeof slug, "s%d", pick(j, THINGS));
    const rowlock_value value = rowlock_text(slug);
    const rowlock_term where = {"slug", ROWLOCK_EQ, &value, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "thing";
    q.where = &where;
    q.n_where = 1;
    return rowlock_delete_where(b, &q, NULL, err);
}

static void
count(int64_t *what)
{
    __atomic_add_fetch(what, 1, __ATOMIC_ACQ_REL);
}

/* ---- workers ---- */

/* A child that lives on, has every file of its parent, and does nothing. */
static void
leave_an_orphan(void)
{
    char byte;
    if (__atomic_fetch_add(&board->orphans, 1, __ATOMIC_ACQ_REL) >=
        MOST_ORPHANS)
        return;
    if (fork() == 0) {
        while (read(leash[0], &byte, 1) > 0)
            ; /* nobody writes: it ends with the test */
        _exit(0);
    }
}

static int
one_block(rowlock_db *db, struct job *j, rowlock_error *err)
{
    int what = pick(j, 20), rc;
    if (what == 0) {
        rc = rowlock_atomic(db, delete_some, j, err);
        if (!rc)
            count(&board->deletes);
    } else if (what < 6) {
        rc = rowlock_atomic(db, upsert, j, err);
        if (!rc)
            count(&board->upserts);
    } else {
        rc = rowlock_atomic(db, increment, j, err);
        if (!rc)
            __atomic_store_n(&board->done[j->life], ++j->number,
                             __ATOMIC_RELEASE);
    }
    return rc;
}

static void
work(void *arg)
{
    struct job j = {.life = *(int *)arg};
    j.seed = (unsigned)j.life;
    close(leash[1]);
    rowlock_db *db = records_open(&database, NULL);
    while (!__atomic_load_n(&board->closing, __ATOMIC_ACQUIRE)) {
        rowlock_error err;
        int rc = one_block(db, &j, &err);
        if (rc == ROWLOCK_NOT_AVAILABLE)
            count(&board->refused); /* NOWAIT */
        else if (rc)
            support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
        if (pick(&j, 200) == 0)
            leave_an_orphan();
    }
    rowlock_close(db);
}

/* ---- importers ---- */

static void
write_file(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void
write_source(int importer)
{
    char text[THINGS * 96], name[32];
    size_t len = 0;
    for (int i = 0; i < THINGS; i++)
        len += (size_t)snprintf(
            text + len, sizeof text - len,
            "{\"id\":\"r%d\",\"slug\":\"s%d\",\"name\":\"import %d\"}\n", i, i,
            importer);
    snprintf(name, sizeof name, "source%d.ndjson", importer);
    write_file(folder_file(&database.folder, name).text, text);
    snprintf(text, sizeof text,
             "sync: import%d\ntarget: {database: app.db, table: thing}\n"
             "source: {url: source%d.ndjson}\nmatch: [remote_id, slug]\n"
             "fields:\n  remote_id: /id\n"
             "  slug: {from: /slug, mode: create_only}\n  name: /name\n",
             importer, importer);
    snprintf(name, sizeof name, "import%d.yml", importer);
    struct path path = folder_file(&database.folder, name);
    write_file(path.text, text);
    snprintf(definitions[importer], sizeof *definitions, "%s", path.text);
}

/* Each run takes the importer's place; who is killed is started again. */
static void
import(void *arg)
{
    const char *definition = definitions[*(int *)arg];
    char said[2 * SUPPORT_TEXT + 8];
    close(leash[1]);
    snprintf(said, sizeof said, "%s.out", definition);
    int out = open(said, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    check(out >= 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2);
    execl(rowlock_program, rowlock_program, "sync", definition, (char *)NULL);
    support_fail("%s does not run", rowlock_program);
}

/* ---- the storm ---- */

static void
start(struct child *c, int place, int *lives)
{
    int importer = place - WORKERS;
    if (place >= WORKERS)
        child_start(c, import, &importer);
    else
        child_start(c, work, lives);
    ++*lives;
}

static int64_t
acknowledged(void)
{
    int64_t n = __atomic_load_n(&board->upserts, __ATOMIC_ACQUIRE);
    for (int i = 0; i < LIVES; i++)
        n += __atomic_load_n(&board->done[i], __ATOMIC_ACQUIRE);
    return n;
}

/* Deaths are spread over time, not over events. */
static void
a_while(void)
{
    const struct timespec ms10 = {0, 10000000};
    nanosleep(&ms10, NULL);
}

static void
tell_import(int importer, int status)
{
    char said[2 * SUPPORT_TEXT + 8], text[4096] = "";
    snprintf(said, sizeof said, "%s.out", definitions[importer]);
    FILE *f = fopen(said, "r");
    if (f)
        text[fread(text, 1, sizeof text - 1, f)] = 0;
    support_fail("an import ended with %d: %s", status, text);
}

/* Runs that came to an end are counted, and followed by the next. */
static void
see_to_importers(struct child c[PROCESSES], int *lives)
{
    for (int i = WORKERS; i < PROCESSES; i++)
        if (!process_lives(c[i].pid)) {
            int status = child_wait(&c[i]);
            /* 0: all done; 5: a record was held too long; all else is wrong */
            check(WIFEXITED(status));
            if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 5)
                tell_import(i - WORKERS, WEXITSTATUS(status));
            count(&board->imports);
            start(&c[i], i, lives);
        }
}

static int
storm(struct child c[PROCESSES])
{
    unsigned seed = 1;
    int lives = 0;
    for (int i = 0; i < PROCESSES; i++)
        start(&c[i], i, &lives);
    while (lives < LIVES - PROCESSES && acknowledged() < soak(BLOCKS)) {
        int stopped = rand_r(&seed) % WORKERS, dead = rand_r(&seed) % PROCESSES;
        child_stop(&c[stopped]);
        a_while();
        see_to_importers(c, &lives);
        child_resume(&c[stopped]);
        child_kill(&c[dead]);
        start(&c[dead], dead, &lives);
    }
    return lives;
}

/* ---- what must be so afterwards ---- */

static void
check_ledger(int lives)
{
    records_check_ledger(&database, lives, board->done);
    assert_int_equal(database_number(&database, "SELECT sum(n) FROM counter"),
                     database_number(&database, "SELECT count(*) FROM ledger"));
}

static void
check_things(void)
{
    assert_string_equal(database_look(&database,
                                      "SELECT slug FROM thing GROUP BY slug "
                                      "HAVING count(*) > 1"),
                        "");
    assert_string_equal(
        database_look(&database, "SELECT remote_id FROM thing WHERE remote_id "
                                 "IS NOT NULL GROUP BY remote_id "
                                 "HAVING count(*) > 1"),
        "");
    assert_string_equal(
        database_look(&database, "SELECT slug, remote_id FROM thing WHERE "
                                 "substr(slug, 2) <> substr(remote_id, 2)"),
        "");
}

static void
test_mixed__nothing_is_lost_doubled_or_left_by_64_processes(void **state)
{
    (void)state;
    static struct child c[PROCESSES];
    int lives = storm(c);
    __atomic_store_n(&board->closing, true, __ATOMIC_RELEASE);
    for (int i = 0; i < WORKERS; i++)
        child_end(&c[i]);
    for (int i = WORKERS; i < PROCESSES; i++)
        child_wait(&c[i]);
    print_message("%lld increments, %lld upserts, %lld deletes, %lld imports, "
                  "%lld refused, %d lives, %d orphans\n",
                  (long long)(acknowledged() - board->upserts),
                  (long long)board->upserts, (long long)board->deletes,
                  (long long)board->imports, (long long)board->refused, lives,
                  board->orphans);
    assert_in_range(lives, PROCESSES + 10, LIVES);
    assert_in_range(board->imports, 1, INT64_MAX);
    assert_in_range(board->deletes, 1, INT64_MAX);
    assert_in_range(board->orphans, 1, INT64_MAX);
    records_check_no_locks(database.url); /* while the orphans still live */
    check_ledger(lives);
    check_things();
    assert_string_equal(database_look(&database, "PRAGMA integrity_check"),
                        "ok");
}

/* No unique index: that nothing is doubled is our doing. Numbers
 * are not given out again, or a run could meet two things under one number, and
 * tell a conflict. */
static int
set_up(void **state)
{
    (void)state;
    database_init_in_memory(&database);
    database_run(
        &database,
        "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL);"
        "CREATE TABLE ledger (id INTEGER PRIMARY KEY, life INTEGER,"
        "    number INTEGER, UNIQUE (life, number));"
        "CREATE TABLE thing (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "    remote_id TEXT, slug TEXT, name TEXT);"
        "WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM i "
        "WHERE x < 19) INSERT INTO counter SELECT x, 0 FROM i");
    for (int i = 0; i < IMPORTERS; i++)
        write_source(i);
    board = shared_alloc(sizeof *board);
    check(pipe2(leash, O_CLOEXEC) == 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    close(leash[0]);
    close(leash[1]);
    shared_free(board, sizeof *board);
    database_done(&database);
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_mixed__nothing_is_lost_doubled_or_left_by_64_processes, set_up,
            tear_down),
    };
    if (argc != 2)
        return 2;
    rowlock_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
