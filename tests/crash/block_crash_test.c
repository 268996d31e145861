/* SPDX-License-Identifier: MIT
 * A process dies in the middle of a block, right before its k-th step that
 * others can see: a store into the lock table, or a call of SQLite to the
 * system. So at every place between the record locks, the writer slot, BEGIN,
 * the writes, COMMIT and the release. Then: what it was told is there, a block
 * is there whole or not at all, nothing of the dead is held, and the others go
 * on.
 *
 * Built from the lock table's sources with RLK_OBSERVE_WRITES. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lock/shared.h"
#include "support/records.h"
#include "support/vfs.h"

static struct database database;
static long steps_left = -1; /* -1: do not die */
static int *told;            /* blocks that were acknowledged to the dead */

static void
step(void)
{
    if (steps_left > 0 && --steps_left == 0)
        kill(getpid(), SIGKILL);
}

void
rlk_wrote(void)
{
    step();
}

static int
watch_call(enum vfs_op op, const char *file)
{
    (void)op, (void)file;
    step();
    return 0;
}

/* ---- what the one that dies does ---- */

static int
fetch(rowlock_block *b, int64_t id, enum rowlock_mode mode,
      rowlock_record **ret, rowlock_error *err)
{
    const rowlock_value value = rowlock_int(id);
    const rowlock_term where = {"id", ROWLOCK_EQ, &value, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "item";
    q.where = &where;
    q.n_where = 1;
    q.lock = mode;
    return rowlock_query_first(b, &q, ret, err);
}

static int
set_n(rowlock_block *b, int64_t id, int64_t n, rowlock_error *err)
{
    rowlock_record *r = NULL;
    int rc = fetch(b, id, ROWLOCK_UPDATE, &r, err);
    if (!rc)
        rc = rowlock_record_set(r, "n", rowlock_int(n), err);
    return rc ? rc : rowlock_record_save(r, err);
}

static int
spoil(rowlock_block *b, void *arg, rowlock_error *err)
{
    (void)arg;
    int rc = set_n(b, 2, 99, err);
    return rc ? rc : -1;
}

static int
bring(rowlock_block *b, const char *slug, int64_t n, rowlock_error *err)
{
    const rowlock_pair by = {"slug", rowlock_text(slug)};
    const rowlock_pair set[] = {{"n", rowlock_int(n)}};
    const rowlock_key match = {&by, 1};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = "item";
    u.match = &match;
    u.n_match = 1;
    u.updating = set;
    u.n_updating = 1;
    return rowlock_update_or_create(b, &u, NULL, NULL, err);
}

/* Changes 1 and 2, thinks better of it once, makes "new", lets "old" go. */
static int
first(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_record *r = NULL;
    (void)arg;
    int rc = set_n(b, 1, 11, err);
    if (!rc && (rc = rowlock_nested(b, spoil, NULL, err)) == -1)
        rc = 0;
    if (!rc)
        rc = set_n(b, 2, 12, err);
    if (!rc)
        rc = bring(b, "new", 13, err);
    if (!rc)
        rc = fetch(b, 3, ROWLOCK_UPDATE, &r, err);
    return rc ? rc : rowlock_record_delete(r, err);
}

static int
second(rowlock_block *b, void *arg, rowlock_error *err)
{
    (void)arg;
    int rc = bring(b, "new", 23, err);
    return rc ? rc : set_n(b, 1, 21, err);
}

static void
act_and_die(void *arg)
{
    rowlock_error err;
    steps_left = *(long *)arg;
    rowlock_db *db = records_open(&database, NULL);
    check(rowlock_atomic(db, first, NULL, &err) == 0);
    *told = 1;
    check(rowlock_atomic(db, second, NULL, &err) == 0);
    *told = 2;
    rowlock_close(db);
}

/* ---- what the others see ---- */

static const char *const states[] = {
    "1|10 2|10 3|10 4|10",
    "1|11 2|12 4|10 5|13",
    "1|21 2|12 4|10 5|23",
};

static int
look(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_rows *rows;
    (void)arg;
    q.table = "item";
    q.lock = ROWLOCK_NO_KEY_UPDATE;
    q.wait_ms = ROWLOCK_NOWAIT; /* nobody is to be waited for */
    int rc = rowlock_query_all(b, &q, &rows, err);
    return rc ? rc : bring(b, "other", 1, err);
}

static void
check_others(rowlock_db *other)
{
    rowlock_error err;
    const char *now =
        database_look(&database, "SELECT id, n FROM item ORDER BY id");
    if (strcmp(now, states[*told]) != 0 &&
        (*told == 2 || strcmp(now, states[*told + 1]) != 0))
        support_fail("told %d, there is %s", *told, now);
    if (rowlock_atomic(other, look, NULL, &err))
        support_fail("%s: %s", err.message, err.detail);
    records_check_no_locks(database.url);
    check(strcmp(database_look(&database, "PRAGMA integrity_check"), "ok") ==
          0);
}

/* True when it came to its end before. */
static bool
die_at(long k, rowlock_db *other)
{
    struct child c;
    *told = 0;
    database_run(&database, "DELETE FROM item;"
                            "INSERT INTO item VALUES (1, 'a', 10),"
                            "(2, 'b', 10), (3, 'old', 10), (4, 'd', 10)");
    child_start(&c, act_and_die, &k);
    int status = child_wait(&c);
    check_others(other);
    if (WIFEXITED(status)) {
        check(WEXITSTATUS(status) == 0 && *told == 2);
        return true;
    }
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return false;
}

static void
test_crash__at_any_step_of_a_block_leaves_all_or_nothing(void **state)
{
    (void)state;
    rowlock_db *other = records_open(
        &database, NULL); /* the table stays in use all the while */
    long k = 1;
    while (!die_at(k, other))
        k++;
    print_message("%ld steps\n", k - 1);
    assert_in_range(k, 300, 100000);
    rowlock_close(other);
}

static int
set_up(void **state)
{
    (void)state;
    vfs_watch(watch_call);
    database_init_in_memory(&database);
    database_run(&database, "CREATE TABLE item (id INTEGER PRIMARY KEY,"
                            "    slug TEXT, n INTEGER)");
    told = shared_alloc(sizeof *told);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    shared_free(told, sizeof *told);
    database_done(&database);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_crash__at_any_step_of_a_block_leaves_all_or_nothing, set_up,
            tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
