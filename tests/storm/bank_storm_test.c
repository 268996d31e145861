/* SPDX-License-Identifier: MIT
 * A bank: transfers between a hundred accounts, from many processes, under
 * kill -9 every 50 ms and processes that are stopped for a while. The sum of
 * all balances never moves, at no moment and for no reader; what a process was
 * told is done stays done, and is done once; nobody is kept waiting by the
 * dead.
 *
 * Each transfer writes a line of the ledger, (teller, life, number), in its own
 * block. A teller counts in shared memory what was acknowledged, so a ledger
 * that is one line longer than that belongs to a death in between, and one that
 * is shorter has lost money. */
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
    ACCOUNTS = 100,
    EACH = 1000,
    TELLERS = 12,
    TRANSFERS = 4000, /* acknowledged, by all */
    LIVES = 4096,
    FEWEST_DEATHS = 10,
    THINKS_BETTER = -1 /* a body's own answer: rolls back */
};

struct life {
    int teller, number;
};

struct board {
    int64_t done[LIVES]; /* acknowledged in each life */
    int teller[LIVES];
    int64_t looks, counts; /* at the sum, and with all accounts held */
    bool closing;
};

static struct board *board;
static struct database database;

/* ---- one transfer ---- */

enum { RESOLUTE, BEFORE, BETWEEN };

struct transfer {
    int life, number;
    int from, to;
    int64_t amount;
    int32_t wait_ms;
    int dither; /* when */
};

static int
fetch(rowlock_block *b, const struct transfer *t, int account,
      rowlock_record **ret, int64_t *ret_balance, rowlock_error *err)
{
    const rowlock_value id = rowlock_int(account);
    const rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_value balance;
    q.table = "account";
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_NO_KEY_UPDATE;
    q.wait_ms = t->wait_ms;
    int rc = rowlock_query_first(b, &q, ret, err);
    if (!rc)
        rc = rowlock_record_get(*ret, "balance", &balance, err);
    if (!rc)
        *ret_balance = balance.u.i;
    return rc;
}

static int
put(rowlock_record *r, int64_t balance, rowlock_error *err)
{
    int rc = rowlock_record_set(r, "balance", rowlock_int(balance), err);
    return rc ? rc : rowlock_record_save(r, err);
}

/* Writes nonsense in a nested block, and thinks better of it: before the first
 * write of its block, or between two. */
static int
think_better(rowlock_block *b, void *arg, rowlock_error *err)
{
    const struct transfer *t = arg;
    rowlock_record *r = NULL;
    int64_t balance;
    int rc = fetch(b, t, t->to, &r, &balance, err);
    if (!rc)
        rc = put(r, -1, err);
    return rc ? rc : THINKS_BETTER;
}

static int
dither(rowlock_block *b, struct transfer *t, int when, rowlock_error *err)
{
    int rc = t->dither == when ? rowlock_nested(b, think_better, t, err) : 0;
    return rc == THINKS_BETTER ? 0 : rc;
}

static int
move(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct transfer *t = arg;
    rowlock_record *from = NULL, *to = NULL;
    int64_t has = 0, had = 0;
    const rowlock_pair line[] = {{"life", rowlock_int(t->life)},
                                 {"number", rowlock_int(t->number)}};
    int rc = fetch(b, t, t->from, &from, &has, err);
    if (!rc)
        rc = dither(b, t, BEFORE, err);
    if (!rc)
        rc = fetch(b, t, t->to, &to, &had, err);
    if (!rc)
        rc = put(from, has - t->amount, err);
    if (!rc)
        rc = dither(b, t, BETWEEN, err);
    if (!rc)
        rc = put(to, had + t->amount, err);
    return rc ? rc : rowlock_record_create(b, "ledger", line, 2, NULL, err);
}

static void
choose(struct transfer *t, unsigned *seed)
{
    t->from = rand_r(seed) % ACCOUNTS;
    t->to = (t->from + 1 + rand_r(seed) % (ACCOUNTS - 1)) % ACCOUNTS;
    t->amount = rand_r(seed) % 100;
    t->wait_ms = rand_r(seed) % 10 ? ROWLOCK_WAIT : ROWLOCK_NOWAIT;
    t->dither = rand_r(seed) % 10 ? RESOLUTE : BEFORE + rand_r(seed) % 2;
}

static void
serve(void *arg)
{
    const struct life *me = arg;
    unsigned seed = (unsigned)me->number;
    rowlock_db *db = records_open(&database, "teller");
    struct transfer t = {.life = me->number};
    while (!__atomic_load_n(&board->closing, __ATOMIC_ACQUIRE)) {
        rowlock_error err;
        choose(&t, &seed);
        int rc = rowlock_atomic(db, move, &t, &err);
        if (rc == ROWLOCK_NOT_AVAILABLE && t.wait_ms == ROWLOCK_NOWAIT)
            continue; /* the contract's word for it; nothing else is */
        if (rc)
            support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
        t.number++;
        __atomic_store_n(&board->done[me->number], t.number, __ATOMIC_RELEASE);
    }
    rowlock_close(db);
}

/* ---- who looks at the sum all the while ---- */

static int
read_sum(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_rows *rows;
    rowlock_value sum;
    int rc = rowlock_sql(b, "SELECT sum(balance) AS n FROM account", NULL, 0,
                         &rows, err);
    if (!rc)
        rc = rowlock_record_get(rowlock_rows_at(rows, 0), "n", &sum, err);
    if (!rc)
        *(int64_t *)arg = sum.u.i;
    return rc;
}

/* With every account held, in one order: readers among themselves do not
 * conflict, and tellers wait. */
static int
count_held(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_rows *rows;
    int64_t sum = 0;
    q.table = "account";
    q.lock = ROWLOCK_SHARE;
    int rc = rowlock_query_all(b, &q, &rows, err);
    for (size_t i = 0; !rc && i < rowlock_rows_count(rows); i++) {
        rowlock_value balance;
        rc = rowlock_record_get(rowlock_rows_at(rows, i), "balance", &balance,
                                err);
        sum += rc ? 0 : balance.u.i;
    }
    *(int64_t *)arg = sum;
    return rc;
}

static void
audit(rowlock_body *look, int64_t *ret_n)
{
    rowlock_db *db = records_open(&database, "auditor");
    while (!__atomic_load_n(&board->closing, __ATOMIC_ACQUIRE)) {
        rowlock_error err;
        int64_t sum = 0;
        if (rowlock_atomic(db, look, &sum, &err))
            support_fail("%s %s: %s", err.sqlstate, err.message, err.detail);
        if (sum != ACCOUNTS * EACH)
            support_fail("look %lld: the sum is %lld", (long long)*ret_n,
                         (long long)sum);
        ++*ret_n;
    }
    rowlock_close(db);
}

static void
look_on(void *arg)
{
    (void)arg;
    audit(read_sum, &board->looks);
}

static void
count_on(void *arg)
{
    (void)arg;
    audit(count_held, &board->counts);
}

/* ---- the storm ---- */

static void
hire(struct child *c, int teller, int life)
{
    struct life me = {teller, life};
    board->teller[life] = teller;
    child_start(c, serve, &me);
}

static int64_t
transfers(void)
{
    int64_t n = 0;
    for (int i = 0; i < LIVES; i++)
        n += __atomic_load_n(&board->done[i], __ATOMIC_ACQUIRE);
    return n;
}

/* Deaths are spread over time, not over events: that is the point. */
static void
until_next_death(void)
{
    const struct timespec ms50 = {0, 50000000};
    nanosleep(&ms50, NULL);
}

/* Answers how many lives there were. */
static int
storm(struct child tellers[TELLERS])
{
    unsigned seed = 1;
    int lives = 0;
    for (int i = 0; i < TELLERS; i++)
        hire(&tellers[i], i, lives++);
    while (lives < LIVES &&
           (transfers() < soak(TRANSFERS) || lives < TELLERS + FEWEST_DEATHS)) {
        int stopped = rand_r(&seed) % TELLERS, dead = rand_r(&seed) % TELLERS;
        child_stop(&tellers[stopped]);
        until_next_death();
        child_resume(&tellers[stopped]);
        child_kill(&tellers[dead]);
        hire(&tellers[dead], dead, lives++);
    }
    return lives;
}

static void
test_bank__the_sum_never_moves_and_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    struct child tellers[TELLERS], looker, counter;
    child_start(&looker, look_on, NULL);
    child_start(&counter, count_on, NULL);
    int lives = storm(tellers);
    __atomic_store_n(&board->closing, true, __ATOMIC_RELEASE);
    for (int i = 0; i < TELLERS; i++)
        child_end(&tellers[i]);
    child_end(&looker);
    child_end(&counter);
    assert_in_range(board->looks, 10, INT64_MAX);
    if (engine() == SQLITE) /* a server may let it starve */
        assert_in_range(board->counts, 1, INT64_MAX);
    assert_int_equal(
        database_number(&database, "SELECT sum(balance) FROM account"),
        ACCOUNTS * EACH);
    records_check_ledger(&database, lives, board->done);
    if (engine() != SQLITE)
        return;
    records_check_no_locks(database.url);
    assert_string_equal(database_look(&database, "PRAGMA integrity_check"),
                        "ok");
}

static int
set_up(void **state)
{
    (void)state;
    database_init_in_memory(&database);
    database_run(&database,
                 "CREATE TABLE account (id INTEGER PRIMARY KEY,"
                 "    balance BIGINT NOT NULL);"
                 "CREATE TABLE ledger (id INTEGER PRIMARY KEY, life INTEGER,"
                 "    number INTEGER, UNIQUE (life, number))");
    database_run(&database,
                 "WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 "
                 "FROM i WHERE x < 99) INSERT INTO account SELECT x, 1000 "
                 "FROM i");
    board = shared_alloc(sizeof *board);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    shared_free(board, sizeof *board);
    database_done(&database);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_bank__the_sum_never_moves_and_nothing_acknowledged_is_lost,
            set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
