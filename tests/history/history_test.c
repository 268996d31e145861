/* SPDX-License-Identifier: MIT
 * Many processes read lists and append to them, in blocks of up to four
 * records, with locked reads of every mode, upgrades, nested blocks that are
 * rolled back, and kill -9. What each saw is recorded with real times, and
 * checked: with locked reads every history is strictly serializable, without
 * them it is read committed.
 *
 * Lists are text, "3,17,4". After a while work moves on to fresh records, so
 * that lists stay short. */
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

#include "checker.h"
#include "support/records.h"

enum {
    WORKERS = 10,
    TXNS = 10000, /* a tenth on a server */
    MOST_TXNS = 120000,
    AT_ONCE = 5,     /* records in use at one time */
    PER_EPOCH = 250, /* transactions before the next records */
    KEYS = AT_ONCE * (MOST_TXNS / PER_EPOCH + 1),
    THINKS_BETTER = -1 /* a body's own answer: rolls back */
};

struct book {
    int n_txns, values;
    bool closing;
    struct history_txn txns[MOST_TXNS + 1];
};

static struct book *book;
static struct database database;

static int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- one transaction ---- */

struct work {
    bool locked;
    unsigned seed;
    int number; /* of the transaction in the book; -1: none */
    int64_t invoked_ns;
};

/* What is written down of an attempt that was rolled back. */
static void
close_attempt(struct work *w, enum history_outcome outcome)
{
    if (w->number < 0)
        return;
    struct history_txn *t = &book->txns[w->number];
    t->completed_ns = now_ns();
    __atomic_store_n(&t->outcome, outcome, __ATOMIC_RELEASE);
    w->number = -1;
}

static bool
open_attempt(struct work *w)
{
    close_attempt(w, HISTORY_ABORTED);
    int number = __atomic_fetch_add(&book->n_txns, 1, __ATOMIC_ACQ_REL);
    if (number >= MOST_TXNS)
        return false;
    w->number = number;
    book->txns[number].invoked_ns = w->invoked_ns;
    return true;
}

static int
fetch(rowlock_block *b, int key, enum rowlock_mode mode, rowlock_record **ret,
      rowlock_value *ret_list, rowlock_error *err)
{
    const rowlock_value id = rowlock_int(key);
    const rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "list";
    q.where = &where;
    q.n_where = 1;
    q.lock = mode;
    int rc = rowlock_query_first(b, &q, ret, err);
    return rc ? rc : rowlock_record_get(*ret, "elements", ret_list, err);
}

static void
note_seen(struct history_op *op, const char *text, size_t len)
{
    op->n_seen = 0;
    for (size_t i = 0; i < len; i++) {
        check(op->n_seen < HISTORY_LIST);
        int32_t value = 0;
        for (; i < len && text[i] != ','; i++)
            value = value * 10 + (text[i] - '0');
        op->seen[op->n_seen++] = value;
    }
}

/* Put value at the end of what r has. It is in the book before it can be in
 * the database. */
static int
append(rowlock_record *r, const rowlock_value *list, struct history_op *op,
       rowlock_error *err)
{
    char text[16 * HISTORY_LIST];
    op->append = __atomic_add_fetch(&book->values, 1, __ATOMIC_ACQ_REL);
    int len =
        snprintf(text, sizeof text, "%.*s%s%d", (int)list->u.s.len,
                 list->u.s.ptr, list->u.s.len ? "," : "", (int)op->append);
    check(len > 0 && (size_t)len < sizeof text);
    int rc = rowlock_record_set(r, "elements", rowlock_text(text), err);
    return rc ? rc : rowlock_record_save(r, err);
}

struct step {
    struct work *work;
    int key;
    bool appends;
    enum rowlock_mode mode;
    struct history_op *op;
};

static int
do_step(rowlock_block *b, struct step *s, rowlock_error *err)
{
    rowlock_record *r = NULL;
    rowlock_value list;
    s->op->key = s->key;
    int rc = fetch(b, s->key, s->mode, &r, &list, err);
    if (rc)
        return rc;
    note_seen(s->op, list.u.s.ptr, list.u.s.len);
    return s->appends ? append(r, &list, s->op, err) : 0;
}

/* Appends in a nested block that is rolled back: as if an aborted one had done
 * it, for nobody may ever see it. */
static int
think_better(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct step s = *(struct step *)arg;
    struct history_txn *aborted = &book->txns[MOST_TXNS]; /* scrap */
    int number = __atomic_fetch_add(&book->n_txns, 1, __ATOMIC_ACQ_REL);
    if (number < MOST_TXNS)
        aborted = &book->txns[number];
    aborted->outcome = HISTORY_ABORTED;
    s.op = &aborted->ops[0];
    s.appends = true;
    s.mode = ROWLOCK_UPDATE;
    aborted->n_ops = 1;
    int rc = do_step(b, &s, err);
    return rc ? rc : THINKS_BETTER;
}

static enum rowlock_mode
choose_mode(struct work *w, bool appends)
{
    if (appends)
        return rand_r(&w->seed) % 2 ? ROWLOCK_UPDATE : ROWLOCK_NO_KEY_UPDATE;
    return w->locked ? ROWLOCK_SHARE : ROWLOCK_READ;
}

static int
transact(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct work *w = arg;
    if (!open_attempt(w))
        return THINKS_BETTER;
    struct history_txn *t = &book->txns[w->number];
    int epoch = w->number / PER_EPOCH, n = 1 + rand_r(&w->seed) % 4, rc = 0;
    for (int i = 0; i < n && !rc; i++) {
        struct step s = {.work = w,
                         .key = epoch * AT_ONCE + rand_r(&w->seed) % AT_ONCE,
                         .appends = rand_r(&w->seed) % 2,
                         .op = &t->ops[i]};
        s.mode = choose_mode(w, s.appends);
        t->n_ops = i + 1;
        if (rand_r(&w->seed) % 16 == 0)
            rc = rowlock_nested(b, think_better, &s, err);
        if (rc == THINKS_BETTER)
            rc = 0;
        if (!rc)
            rc = do_step(b, &s, err);
    }
    return rc ? rc : rand_r(&w->seed) % 12 ? 0 : THINKS_BETTER;
}

static void
work(void *arg)
{
    struct work w = *(const struct work *)arg;
    rowlock_db *db = records_open(&database, NULL);
    while (!__atomic_load_n(&book->closing, __ATOMIC_ACQUIRE)) {
        rowlock_error err;
        w.number = -1;
        w.invoked_ns = now_ns();
        int rc = rowlock_atomic(db, transact, &w, &err);
        if (rc && rc != THINKS_BETTER)
            support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
        close_attempt(&w, rc ? HISTORY_ABORTED : HISTORY_COMMITTED);
    }
    rowlock_close(db);
}

/* ---- the whole ---- */

static int
done(void)
{
    return __atomic_load_n(&book->n_txns, __ATOMIC_ACQUIRE);
}

/* Deaths are spread over time, not over events. */
static void
until_next_death(void)
{
    const struct timespec ms20 = {0, 20000000};
    nanosleep(&ms20, NULL);
}

static int
fewest(void)
{
    return engine() == SQLITE ? TXNS : TXNS / 10;
}

static void
play(bool locked, bool deaths)
{
    struct child workers[WORKERS];
    struct work w = {.locked = locked, .seed = 1};
    unsigned seed = 7;
    int most = soak(fewest());
    for (int i = 0; i < WORKERS; i++, w.seed++)
        child_start(&workers[i], work, &w);
    most = most < MOST_TXNS ? most : MOST_TXNS * 4 / 5;
    while (done() < most) {
        int i = rand_r(&seed) % WORKERS;
        until_next_death();
        if (!deaths)
            continue;
        child_kill(&workers[i]);
        child_start(&workers[i], work, &w);
        w.seed++;
    }
    __atomic_store_n(&book->closing, true, __ATOMIC_RELEASE);
    for (int i = 0; i < WORKERS; i++)
        child_end(&workers[i]);
}

/* The transaction that sees every list at the end, a few lists at a time. */
static void
read_all(int64_t at)
{
    int n = done() < MOST_TXNS ? done() : MOST_TXNS;
    int n_keys = (n / PER_EPOCH + 1) * AT_ONCE;
    for (int key = 0; key < n_keys; key++) {
        char sql[80];
        if (key % HISTORY_OPS == 0) {
            check(n < MOST_TXNS);
            book->txns[n++] =
                (struct history_txn){.invoked_ns = at,
                                     .completed_ns = at + 1,
                                     .outcome = HISTORY_COMMITTED};
        }
        struct history_txn *t = &book->txns[n - 1];
        struct history_op *op = &t->ops[t->n_ops++];
        snprintf(sql, sizeof sql, "SELECT elements FROM list WHERE id = %d",
                 key);
        const char *text = database_look(&database, sql);
        op->key = key;
        note_seen(op, text, strlen(text));
    }
    book->n_txns = n;
}

static void
count(int ret_of[3])
{
    for (int i = 0; i < book->n_txns; i++)
        ret_of[book->txns[i].outcome]++;
}

static enum history_anomaly
judge(enum history_level level, bool deaths)
{
    char detail[2000];
    int of[3] = {0};
    count(of);
    enum history_anomaly a = history_check(book->txns, (size_t)book->n_txns,
                                           KEYS, level, detail, sizeof detail);
    print_message("%d committed, %d aborted, %d unknown: %s %s\n",
                  of[HISTORY_COMMITTED], of[HISTORY_ABORTED],
                  of[HISTORY_UNKNOWN], history_anomaly_name(a), detail);
    assert_in_range(of[HISTORY_COMMITTED], fewest() / 4, MOST_TXNS);
    assert_in_range(of[HISTORY_ABORTED], fewest() / 30, MOST_TXNS);
    if (deaths)
        assert_in_range(of[HISTORY_UNKNOWN], 3, MOST_TXNS);
    return a;
}

static void
test_history__locked_reads_are_strictly_serializable(void **state)
{
    (void)state;
    play(true, false);
    read_all(now_ns());
    assert_int_equal(judge(HISTORY_STRICT_SERIALIZABLE, false), HISTORY_CLEAN);
}

static void
test_history__locked_reads_stay_so_under_kill_9(void **state)
{
    (void)state;
    play(true, true);
    read_all(now_ns());
    assert_int_equal(judge(HISTORY_STRICT_SERIALIZABLE, true), HISTORY_CLEAN);
}

/* And no more than that: this workload shows it when locks are missing. */
static void
test_history__unlocked_reads_are_read_committed(void **state)
{
    (void)state;
    play(false, true);
    read_all(now_ns());
    assert_int_equal(judge(HISTORY_READ_COMMITTED, true), HISTORY_CLEAN);
    assert_int_equal(judge(HISTORY_STRICT_SERIALIZABLE, true), HISTORY_G2);
}

static int
set_up(void **state)
{
    char sql[200];
    (void)state;
    database_init_in_memory(&database);
    database_run(&database, "CREATE TABLE list (id INTEGER PRIMARY KEY,"
                            "    elements TEXT NOT NULL)");
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 "
             "FROM i WHERE x < %d) INSERT INTO list SELECT x, '' FROM i",
             KEYS - 1);
    database_run(&database, sql);
    book = shared_alloc(sizeof *book);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    shared_free(book, sizeof *book);
    database_done(&database);
    return 0;
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_history__locked_reads_are_strictly_serializable),
        TEST(test_history__locked_reads_stay_so_under_kill_9),
        TEST(test_history__unlocked_reads_are_read_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
