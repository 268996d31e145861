/* SPDX-License-Identifier: MIT
 * 100,000 mixed blocks of four processes on few records: each writes, and then
 * waits for records whose holders want to write too. All lock in one order, so
 * on a server nobody would fail; here nobody may either, though SQLite has one
 * writer: who must wait gives the slot back and does its writes again.
 *
 * Nothing is flushed (synchronous=OFF), which this test is not about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/sqlite/conn.h"
#include "support/support.h"

enum { PROCESSES = 4, BLOCKS = 25000, RECORDS = 9, STEPS = 3 };

static const char schema[] =
    "PRAGMA journal_mode=wal;"
    "CREATE TABLE item (id INTEGER PRIMARY KEY, n INT);"
    "CREATE TABLE total (id INTEGER PRIMARY KEY, n INT, m INT);"
    "CREATE TABLE child (id INTEGER PRIMARY KEY, item INT REFERENCES item);"
    "CREATE TRIGGER add_up AFTER UPDATE OF n ON item BEGIN UPDATE total SET "
    "n = n + new.n - old.n WHERE id = new.id; END;"
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < "
    "9) INSERT INTO item SELECT i, 0 FROM r;"
    "INSERT INTO total SELECT id, 0, 0 FROM item";

static struct board { /* what was committed, by kind of step */
    int64_t done[PROCESSES][3];
    int64_t replays[PROCESSES];
} * board;

static struct path path;
static rowlock_error err;

static int
add_one(struct rlk_conn *c, const char *name, uint32_t column, int64_t id)
{
    const struct rlk_table *t;
    struct rlk_rows rows = {0}, saved = {0};
    rowlock_value key = rowlock_int(id);
    RLK_TRY(c->driver->table(c, name, &t, &err));
    struct rlk_term term = {0, ROWLOCK_EQ, &key, 1};
    struct rlk_select q = {.table = t,
                           .where = &term,
                           .n_where = 1,
                           .lock = ROWLOCK_NO_KEY_UPDATE};
    RLK_TRY(c->driver->select(c, &q, &rows, &err));
    check(rows.n_rows == 1);
    int64_t n = rows.rows[0].values[column].u.i;
    struct rlk_set set = {column, rowlock_int(n + 1)};
    int rc = c->driver->update(c, t, &rows.rows[0], &set, 1, 0, &saved, &err);
    rlk_rows_done(&rows);
    rlk_rows_done(&saved);
    return rc;
}

static int
add_child(struct rlk_conn *c, int64_t id)
{
    const struct rlk_table *t;
    struct rlk_set set = {1, rowlock_int(id)};
    RLK_TRY(c->driver->table(c, "child", &t, &err));
    return c->driver->insert(c, t, &set, 1, 0, NULL, &err);
}

static int
step(struct rlk_conn *c, int kind, int64_t id)
{
    if (kind == 0)
        return add_one(c, "item", 1, id);
    return kind == 1 ? add_one(c, "total", 2, id) : add_child(c, id);
}

/* Every other step is done in a savepoint, and some of those twice. */
static int
step_in_savepoint(struct rlk_conn *c, int kind, int64_t id, bool twice)
{
    RLK_TRY(c->driver->savepoint(c, 1, &err));
    RLK_TRY(step(c, kind, id));
    if (twice) {
        c->driver->rollback_to(c, 1);
        RLK_TRY(step(c, kind, id));
    }
    return c->driver->release(c, 1, &err);
}

static int
run_block(struct rlk_conn *c, unsigned *seed, int64_t done[3])
{
    int64_t id = 0, mine[3] = {0};
    RLK_TRY(c->driver->begin(c, &err));
    for (int i = 0; i < STEPS; i++) {
        int kind = rand_r(seed) % 3, how = rand_r(seed) % 4;
        id += 1 + rand_r(seed) % (RECORDS / STEPS);
        RLK_TRY(how < 2 ? step(c, kind, id)
                        : step_in_savepoint(c, kind, id, how == 2));
        mine[kind]++;
    }
    RLK_TRY(c->driver->commit(c, &err));
    for (int i = 0; i < 3; i++)
        done[i] += mine[i];
    return 0;
}

static void
run_blocks(void *arg)
{
    int number = *(const int *)arg;
    unsigned seed = (unsigned)number + 1;
    struct rlk_conn *c;
    struct rlk_open o = {.target = path.text};
    check(rlk_sqlite_driver.open(&o, &c, &err) == 0);
    check(sqlite3_exec(rlk_sqlite_of(c)->db, "PRAGMA synchronous=OFF", NULL,
                       NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < BLOCKS; i++)
        if (run_block(c, &seed, board->done[number]))
            support_fail("block %d: %s %s %s", i, err.sqlstate, err.message,
                         err.detail);
    /* One BEGIN IMMEDIATE a block, and one more for each replay. */
    board->replays[number] = (int64_t)rlk_sqlite_of(c)->tx.epoch - BLOCKS;
    c->driver->close(c);
}

static int64_t
ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    check(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
    check(sqlite3_step(s) == SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return answer;
}

static int64_t
sum_of(int kind)
{
    int64_t sum = 0;
    for (int i = 0; i < PROCESSES; i++)
        sum += board->done[i][kind];
    return sum;
}

static void
test_block_that_wrote_and_waits__never_fails(void **state)
{
    (void)state;
    struct folder folder;
    struct child children[PROCESSES];
    int numbers[PROCESSES];
    int64_t replays = 0;
    sqlite3 *db;
    folder_init(&folder);
    path = folder_file(&folder, "app.db");
    board = shared_alloc(sizeof *board);
    assert_int_equal(sqlite3_open(path.text, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, schema, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < PROCESSES; i++) {
        numbers[i] = i;
        child_start(&children[i], run_blocks, &numbers[i]);
    }
    for (int i = 0; i < PROCESSES; i++) {
        child_end(&children[i]);
        replays += board->replays[i];
    }
    assert_int_equal(sqlite3_open(path.text, &db), SQLITE_OK);
    assert_int_equal(ask(db, "SELECT sum(n) FROM item"), sum_of(0));
    assert_int_equal(ask(db, "SELECT sum(n) FROM total"), sum_of(0));
    assert_int_equal(ask(db, "SELECT sum(m) FROM total"), sum_of(1));
    assert_int_equal(ask(db, "SELECT count(*) FROM child"), sum_of(2));
    assert_int_equal(sum_of(0) + sum_of(1) + sum_of(2),
                     PROCESSES * BLOCKS * STEPS);
    assert_true(replays > 0);
    print_message("%d blocks, %lld replays or rollbacks, no failure\n",
                  PROCESSES * BLOCKS, (long long)replays);
    sqlite3_close(db);
    shared_free(board, sizeof *board);
    folder_done(&folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_that_wrote_and_waits__never_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
