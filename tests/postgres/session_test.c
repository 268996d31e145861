/* SPDX-License-Identifier: MIT
 * A session on PostgreSQL: what its users meet there and not on SQLite. The
 * connection that is lost, the wait that is cancelled, the schema that changes;
 * waits, modes and savepoints of the server's own locks; what is refused. What
 * is the same on every engine is tested in tests/record and tests/storm. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "front/front.h"
#include "record/record.h"
#include "rowlock/rowlock.h"
#include "support/engine.h"

static struct database database;
static rowlock_db *db, *other;
static rowlock_block *b, *theirs;
static rowlock_record *record;
static rowlock_error err;

static rowlock_db *
open_session(const char *label)
{
    rowlock_db *ret;
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    o.label = label;
    if (rowlock_open(database.url, &o, &ret, &err))
        fail_msg("%s: %s", err.message, err.detail);
    return ret;
}

static int
set_up(void **state)
{
    (void)state;
    database_init(&database);
    database_run(&database,
                 "CREATE TABLE term (id INTEGER PRIMARY KEY, slug text UNIQUE,"
                 "    parent bigint REFERENCES term ON DELETE CASCADE,"
                 "    rank integer NOT NULL DEFAULT 0);"
                 "INSERT INTO term VALUES (1, 'a', NULL, 1), (2, 'b', 1, 2),"
                 "    (3, 'c', 1, 3)");
    db = open_session("db");
    other = open_session("other");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    rowlock_close(db);
    rowlock_close(other);
    database_done(&database);
    return 0;
}

static void
begin(void)
{
    assert_int_equal(rowlock_begin(db, &b, &err), 0);
    assert_int_equal(rowlock_begin(other, &theirs, &err), 0);
}

static void
end(void)
{
    rowlock_rollback(b);
    rowlock_rollback(theirs);
}

/* Answers the code; record: the one that was read, NULL for none. */
static int
lock(rowlock_block *block, int64_t id, enum rowlock_mode mode, int32_t wait_ms)
{
    const rowlock_value value = rowlock_int(id);
    const rowlock_term where = {"id", ROWLOCK_EQ, &value, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "term";
    q.where = &where;
    q.n_where = 1;
    q.lock = mode;
    q.wait_ms = wait_ms;
    return rowlock_query_first(block, &q, &record, &err);
}

static int
save_rank(int64_t rank)
{
    int rc = rowlock_record_set(record, "rank", rowlock_int(rank), &err);
    return rc ? rc : rowlock_record_save(record, &err);
}

static const char *
ranks(void)
{
    return database_look(&database, "SELECT rank FROM term ORDER BY id");
}

/* ---- locks ---- */

static void
test_modes__conflict_as_the_contract_says(void **state)
{
    (void)state;
    static const char table[4][5] = {"...x", "..xx", ".xxx", "xxxx"};
    for (int held = 0; held < 4; held++)
        for (int wanted = 0; wanted < 4; wanted++) {
            begin();
            assert_int_equal(lock(b, 1, ROWLOCK_KEY_SHARE + held, 0), 0);
            int rc =
                lock(theirs, 1, ROWLOCK_KEY_SHARE + wanted, ROWLOCK_NOWAIT);
            assert_int_equal(rc, table[held][wanted] == 'x'
                                     ? ROWLOCK_NOT_AVAILABLE
                                     : ROWLOCK_OK);
            end();
        }
}

static void
test_wait__ends_with_its_time(void **state)
{
    (void)state;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(lock(theirs, 1, ROWLOCK_UPDATE, 20),
                     ROWLOCK_NOT_AVAILABLE);
    assert_string_equal(err.sqlstate, "55P03");
    assert_int_equal(lock(theirs, 2, ROWLOCK_UPDATE, 0), ROWLOCK_ABORTED);
    end();
}

struct heard {
    int64_t pid;
    char table[32], label[32];
};

/* The holder hears of it, and ends its block. */
static void
give_way(const rowlock_wait_notice *notice, void *arg)
{
    struct heard *heard = arg;
    heard->pid = notice->pid;
    snprintf(heard->table, sizeof heard->table, "%s", notice->table);
    snprintf(heard->label, sizeof heard->label, "%s", notice->owner_label);
    rowlock_rollback(b);
}

static void
test_wait__tells_whom_for_after_a_second(void **state)
{
    (void)state;
    struct heard heard = {0};
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    rowlock_db *waiter;
    rowlock_block *block;
    o.on_wait = give_way;
    o.on_wait_arg = &heard;
    assert_int_equal(rowlock_open(database.url, &o, &waiter, &err), 0);
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    int64_t pid =
        database_number(&database, "SELECT pid FROM pg_stat_activity WHERE "
                                   "application_name = 'db'");
    assert_int_equal(rowlock_begin(waiter, &block, &err), 0);
    assert_int_equal(lock(block, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(heard.pid, pid);
    assert_string_equal(heard.label, "db");
    assert_string_equal(heard.table, "term");
    rowlock_close(waiter);
    rowlock_rollback(theirs);
}

static void
test_skip_locked__fills_a_limit_with_others(void **state)
{
    (void)state;
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_rows *rows;
    rowlock_value id;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    q.table = "term";
    q.limit = 2;
    q.lock = ROWLOCK_UPDATE;
    q.wait_ms = ROWLOCK_SKIP_LOCKED;
    assert_int_equal(rowlock_query_all(theirs, &q, &rows, &err), 0);
    assert_int_equal(rowlock_rows_count(rows), 2);
    assert_int_equal(
        rowlock_record_get(rowlock_rows_at(rows, 0), "id", &id, &err), 0);
    assert_int_equal(id.u.i, 2);
    end();
}

static void
test_savepoint__gives_back_what_was_taken_since(void **state)
{
    (void)state;
    rowlock_block *inner;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(rowlock_savepoint(b, &inner, &err), 0);
    assert_int_equal(lock(inner, 2, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(save_rank(20), 0);
    rowlock_rollback(inner);
    assert_int_equal(lock(theirs, 2, ROWLOCK_UPDATE, ROWLOCK_NOWAIT), 0);
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(save_rank(10), 0);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    assert_string_equal(ranks(), "10 2 3");
}

static void
test_error__in_a_nested_block_leaves_the_outer_one_usable(void **state)
{
    (void)state;
    rowlock_block *inner;
    const rowlock_pair slug = {"slug", rowlock_text("a")};
    begin();
    assert_int_equal(rowlock_savepoint(b, &inner, &err), 0);
    assert_int_equal(rowlock_record_create(inner, "term", &slug, 1, NULL, &err),
                     ROWLOCK_UNIQUE);
    assert_string_equal(err.detail, "Key (slug) already exists.");
    assert_int_equal(lock(inner, 1, ROWLOCK_UPDATE, 0), ROWLOCK_ABORTED);
    rowlock_rollback(inner);
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(save_rank(11), 0);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    assert_string_equal(ranks(), "11 2 3");
}

static void
test_save__needs_the_lock(void **state)
{
    (void)state;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_READ, 0), 0);
    assert_int_equal(save_rank(9), ROWLOCK_MISUSE);
    assert_int_equal(lock(b, 1, ROWLOCK_NO_KEY_UPDATE, 0), 0);
    assert_int_equal(save_rank(9), 0);
    end();
    assert_string_equal(ranks(), "1 2 3");
}

static void
test_delete__takes_what_refers_to_it_along(void **state)
{
    (void)state;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(rowlock_record_delete(record, &err), 0);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    assert_string_equal(ranks(), "");
}

static void
test_parents__are_named_when_there_is_none(void **state)
{
    (void)state;
    const rowlock_pair values[] = {{"slug", rowlock_text("x")},
                                   {"parent", rowlock_int(77)}};
    begin();
    assert_int_equal(rowlock_record_create(b, "term", values, 2, NULL, &err),
                     ROWLOCK_CONSTRAINT);
    assert_string_equal(err.sqlstate, "23503");
    assert_non_null(strstr(err.detail, "parent"));
    end();
}

/* ---- the connection ---- */

static void
cut(const char *label)
{
    char sql[SUPPORT_TEXT];
    snprintf(sql, sizeof sql,
             "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
             "WHERE application_name = '%s'",
             label);
    database_run(&database, sql);
}

static void
test_connection__that_is_lost_ends_the_block_and_the_next_connects_again(
    void **state)
{
    (void)state;
    rowlock_block *inner;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(save_rank(100), 0);
    assert_int_equal(rowlock_savepoint(b, &inner, &err), 0);
    cut("db");
    assert_int_equal(lock(inner, 2, ROWLOCK_UPDATE, 0), ROWLOCK_CONNECTION);
    assert_non_null(strstr(err.hint, "connects again"));
    rowlock_rollback(inner);
    assert_int_equal(lock(b, 2, ROWLOCK_UPDATE, 0), ROWLOCK_ABORTED);
    assert_int_equal(rowlock_commit(b, &err), ROWLOCK_ABORTED);
    assert_int_equal(lock(theirs, 1, ROWLOCK_UPDATE, ROWLOCK_NOWAIT), 0);
    rowlock_rollback(theirs);
    assert_string_equal(ranks(), "1 2 3");
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(save_rank(5), 0);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    assert_string_equal(ranks(), "5 2 3");
}

static void
test_connection__lost_at_commit_says_that_the_outcome_is_not_known(void **state)
{
    (void)state;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(save_rank(100), 0);
    cut("db");
    assert_int_equal(rowlock_commit(b, &err), ROWLOCK_CONNECTION);
    assert_string_equal(err.sqlstate, "08007");
    rowlock_rollback(theirs);
    assert_string_equal(ranks(), "1 2 3");
}

static void *
cancel_when_it_waits(void *arg)
{
    (void)arg;
    static const char sql[] =
        "SELECT count(*) FROM pg_stat_activity WHERE "
        "application_name = 'other' AND wait_event_type = 'Lock'";
    while (database_number(&database, sql) == 0)
        ; /* each look is a connection of its own */
    rowlock_cancel(other);
    return NULL;
}

static void
test_cancel__reaches_the_server(void **state)
{
    (void)state;
    pthread_t thread;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_it_waits, NULL),
                     0);
    assert_int_equal(lock(theirs, 1, ROWLOCK_UPDATE, 0), ROWLOCK_CANCELLED);
    pthread_join(thread, NULL);
    rowlock_rollback(theirs);
    assert_int_equal(rowlock_begin(other, &theirs, &err), 0);
    assert_int_equal(lock(theirs, 2, ROWLOCK_UPDATE, 0), 0);
    rowlock_cancel(other); /* while nothing runs: the next call's */
    assert_int_equal(lock(theirs, 3, ROWLOCK_UPDATE, 0), ROWLOCK_CANCELLED);
    end();
}

static void
close_in_child(void *arg)
{
    (void)arg;
    check(lock(b, 2, ROWLOCK_UPDATE, 0) == ROWLOCK_MISUSE);
    rowlock_close(db);
}

static void
test_fork__leaves_the_connection_to_the_parent(void **state)
{
    (void)state;
    struct child c;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    child_start(&c, close_in_child, NULL);
    child_end(&c);
    assert_int_equal(save_rank(7), 0);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    assert_string_equal(ranks(), "7 2 3");
}

static void
test_look__cannot_lock(void **state)
{
    (void)state;
    rowlock_db *looker;
    rowlock_block *block;
    assert_int_equal(rlk_front_look(database.url, NULL, &looker, &err), 0);
    assert_int_equal(rowlock_begin(looker, &block, &err), 0);
    assert_int_equal(lock(block, 1, ROWLOCK_READ, 0), 0);
    assert_int_equal(lock(block, 1, ROWLOCK_UPDATE, 0), ROWLOCK_IO);
    assert_string_equal(err.sqlstate, "25006");
    rowlock_close(looker);
}

/* ---- tables ---- */

static void
test_schema__that_changes_is_read_anew(void **state)
{
    (void)state;
    rowlock_value rank;
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    end();
    database_run(&database, "ALTER TABLE term ALTER rank TYPE text");
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), ROWLOCK_SERIALIZATION);
    end();
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(rowlock_record_get(record, "rank", &rank, &err), 0);
    assert_int_equal(rank.type, ROWLOCK_TEXT);
    end();
    database_run(&database, "ALTER TABLE term DROP rank");
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), ROWLOCK_UNDEFINED);
    end();
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    end();
}

static int
create_in(const char *table)
{
    const rowlock_pair pair = {"x", rowlock_text("(1,2)")};
    return rowlock_record_create(b, table, &pair, 1, NULL, &err);
}

static void
test_tables__that_cannot_be_locked_are_refused_with_what_to_do(void **state)
{
    (void)state;
    database_run(
        &database,
        "CREATE TABLE bare (x text); CREATE VIEW shown AS SELECT * "
        "FROM bare; CREATE TABLE odd (id INTEGER PRIMARY KEY, x point);"
        "CREATE TABLE \"Twice\" (x text PRIMARY KEY);"
        "CREATE TABLE \"TWICE\" (x text PRIMARY KEY)");
    static const struct {
        const char *table;
        int code;
        const char *said;
    } lines[] = {
        {"bare", ROWLOCK_UNSUPPORTED, "no primary key"},
        {"shown", ROWLOCK_UNSUPPORTED, "a view"},
        {"nosuch", ROWLOCK_UNDEFINED, "nosuch"},
        {"twice", ROWLOCK_UNDEFINED, "more than one"},
        {"odd", ROWLOCK_UNSUPPORTED, "point"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        begin();
        assert_int_equal(create_in(lines[i].table), lines[i].code);
        assert_non_null(strstr(err.message, lines[i].said));
        assert_true(err.hint[0] || lines[i].code == ROWLOCK_UNDEFINED);
        end();
    }
    begin();
    assert_int_equal(create_in("TWICE"), 0); /* as the catalogue spells it */
    assert_int_equal(create_in("public.Twice"), 0);
    end();
}

static void
test_values__that_a_column_would_change_are_refused(void **state)
{
    (void)state;
    database_run(&database, "CREATE TABLE fine (id INTEGER PRIMARY KEY, "
                            "f real, t timestamp(0), s smallint)");
    static const struct {
        const char *column, *value, *sqlstate;
    } lines[] = {
        {"f", "0.1", "22003"},
        {"t", "2024-05-01T12:00:00.5Z", "22008"},
        {"s", "40000", "22003"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const rowlock_pair pair = {lines[i].column,
                                   rowlock_text(lines[i].value)};
        begin();
        assert_int_equal(rowlock_record_create(b, "fine", &pair, 1, NULL, &err),
                         ROWLOCK_BAD_VALUE);
        assert_string_equal(err.sqlstate, lines[i].sqlstate);
        end();
    }
}

/* ---- SQL ---- */

static void
test_sql__reads_and_nothing_else(void **state)
{
    (void)state;
    rowlock_rows *rows;
    rowlock_value n;
    const rowlock_value least = rowlock_int(2);
    static const char *const refused[] = {
        "DELETE FROM term", "COMMIT", "SELECT nextval('term_id_seq')",
        "WITH d AS (DELETE FROM term RETURNING 1) SELECT * FROM d",
        "/* SELECT */ DROP TABLE term"};
    begin();
    assert_int_equal(lock(b, 1, ROWLOCK_UPDATE, 0), 0);
    assert_int_equal(save_rank(10), 0);
    assert_int_equal(
        rowlock_sql(b, "SELECT count(*) AS n, '?1' FROM term WHERE rank >= ?1",
                    &least, 1, &rows, &err),
        0);
    assert_int_equal(
        rowlock_record_get(rowlock_rows_at(rows, 0), "n", &n, &err), 0);
    assert_int_equal(n.u.i, 3); /* its own write is seen */
    assert_int_equal(save_rank(12), 0);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        begin();
        assert_int_equal(rowlock_sql(b, refused[i], NULL, 0, &rows, &err),
                         ROWLOCK_UNSUPPORTED);
        end();
    }
    assert_string_equal(ranks(), "12 2 3");
}

/* ---- what goes ahead of a statement ---- */

static int
look_for_x(rowlock_block *in, const rowlock_value *x)
{
    const rowlock_term where = {"x", ROWLOCK_EQ, x, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_record *r;
    q.table = "extra";
    q.where = &where;
    q.n_where = x != NULL;
    return rowlock_query_first(in, &q, &r, &err);
}

/* The savepoint of a nested block goes with the first statement in it: also
 * with one that the server cannot even prepare, its column being gone. */
static void
test_nested__whose_first_statement_is_wrong_undoes_only_itself(void **state)
{
    (void)state;
    rowlock_block *inner;
    const rowlock_value id = rowlock_int(1), x = rowlock_int(7);
    const rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    const rowlock_pair rank = {"rank", rowlock_int(11)};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "term";
    q.where = &where;
    q.n_where = 1;
    database_run(&database, "CREATE TABLE extra (id INTEGER PRIMARY KEY,"
                            "    x bigint, y bigint)");
    begin();
    assert_int_equal(look_for_x(b, NULL), 0); /* its columns are known now */
    end();
    database_run(&database, "ALTER TABLE extra DROP COLUMN x");
    begin();
    assert_int_equal(rowlock_update_where(b, &q, &rank, 1, NULL, &err), 0);
    assert_int_equal(rowlock_savepoint(b, &inner, &err), 0);
    assert_int_not_equal(look_for_x(inner, &x), 0);
    rowlock_rollback(inner);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    assert_int_equal(
        database_number(&database, "SELECT rank FROM term WHERE id = 1"), 11);
}

/* ---- many at once ---- */

enum { SLUG = 1, RANK = 3 };

static void
lock_theirs(const char *slug)
{
    const rowlock_value value = rowlock_text(slug);
    const rowlock_term where = {"slug", ROWLOCK_EQ, &value, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    rowlock_record *r;
    q.table = "term";
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_UPDATE;
    assert_int_equal(rowlock_query_first(theirs, &q, &r, &err), 0);
}

/* The records with these slugs, as they are now. */
static void
look_up(const struct rlk_table *t, const char *const slugs[3],
        struct rlk_rows *ret, int found[3])
{
    struct rlk_set sets[3];
    struct rlk_match keys[3];
    for (int i = 0; i < 3; i++) {
        sets[i] = (struct rlk_set){SLUG, rowlock_text(slugs[i])};
        keys[i] = (struct rlk_match){&sets[i], 1};
    }
    const struct rlk_lookup look = {.table = t, .keys = keys, .n_keys = 3};
    assert_int_equal(rlk_block_lookup(b, &look, ret, found, &err), 0);
    for (int i = 0; i < 3; i++)
        assert_in_range(found[i], 0, 2);
}

/* Between the look and the write: one is locked, one is changed, and of two new
 * ones one key is taken. */
static void
test_put_all__tells_who_is_held_changed_or_taken_and_writes_the_rest(
    void **state)
{
    (void)state;
    static const char *const slugs[] = {"a", "b", "c"};
    const struct rlk_table *t;
    struct rlk_rows rows = {0}, made = {0};
    int found[3];
    enum rlk_put_state states[5];
    size_t made_of[5];
    begin();
    assert_int_equal(rlk_session_table(db, "term", &t, &err), 0);
    look_up(t, slugs, &rows, found);
    lock_theirs("a"); /* in a block that stays open */
    database_run(&database, "UPDATE term SET rank = 20 WHERE slug = 'b';"
                            "INSERT INTO term VALUES (4, 'x', NULL, 4)");
    const struct rlk_set rank = {RANK, rowlock_int(100)};
    const struct rlk_set x[] = {{SLUG, rowlock_text("x")}, rank};
    const struct rlk_set y[] = {{SLUG, rowlock_text("y")}, rank};
    const struct rlk_write writes[] = {{t, &rows.rows[found[0]], &rank, 1},
                                       {t, &rows.rows[found[1]], &rank, 1},
                                       {t, &rows.rows[found[2]], &rank, 1},
                                       {t, NULL, x, 2},
                                       {t, NULL, y, 2}};
    assert_int_equal(
        rlk_block_put_all(b, writes, 5, states, &made, made_of, &err), 0);
    static const enum rlk_put_state wanted[] = {RLK_PUT_HELD, RLK_PUT_CHANGED,
                                                RLK_PUT_DONE, RLK_PUT_CHANGED,
                                                RLK_PUT_DONE};
    for (int i = 0; i < 5; i++)
        assert_int_equal(states[i], wanted[i]);
    assert_int_equal(made.n_rows, 1);
    assert_int_equal(made_of[4], 0);
    assert_int_equal(made.rows[0].values[RANK].u.i, 100);
    assert_int_equal(rowlock_commit(b, &err), 0);
    rowlock_rollback(theirs);
    rlk_rows_done(&rows);
    rlk_rows_done(&made);
    assert_string_equal(
        database_look(&database, "SELECT slug, rank FROM term ORDER BY slug"),
        "a|1 b|20 c|100 x|4 y|100");
}

/* What fails leaves the block failed, and nothing of it is written. */
static void
test_put_all__that_the_table_refuses_fails_its_block(void **state)
{
    (void)state;
    const struct rlk_table *t;
    struct rlk_rows made = {0};
    enum rlk_put_state states[2];
    size_t made_of[2];
    database_run(&database, "ALTER TABLE term ADD CHECK (rank < 1000)");
    begin();
    assert_int_equal(rlk_session_table(db, "term", &t, &err), 0);
    const struct rlk_set y[] = {{SLUG, rowlock_text("y")},
                                {RANK, rowlock_int(1)}};
    const struct rlk_set z[] = {{SLUG, rowlock_text("z")},
                                {RANK, rowlock_int(1000)}};
    const struct rlk_write writes[] = {{t, NULL, y, 2}, {t, NULL, z, 2}};
    assert_int_equal(
        rlk_block_put_all(b, writes, 2, states, &made, made_of, &err),
        ROWLOCK_CONSTRAINT);
    assert_int_equal(rowlock_commit(b, &err), ROWLOCK_ABORTED);
    rowlock_rollback(theirs);
    rlk_rows_done(&made);
    assert_int_equal(database_number(&database, "SELECT count(*) FROM term"),
                     3);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_modes__conflict_as_the_contract_says),
        TEST(test_wait__ends_with_its_time),
        TEST(test_wait__tells_whom_for_after_a_second),
        TEST(test_skip_locked__fills_a_limit_with_others),
        TEST(test_savepoint__gives_back_what_was_taken_since),
        TEST(test_error__in_a_nested_block_leaves_the_outer_one_usable),
        TEST(test_save__needs_the_lock),
        TEST(test_delete__takes_what_refers_to_it_along),
        TEST(test_parents__are_named_when_there_is_none),
        TEST(
            test_connection__that_is_lost_ends_the_block_and_the_next_connects_again),
        TEST(
            test_connection__lost_at_commit_says_that_the_outcome_is_not_known),
        TEST(test_cancel__reaches_the_server),
        TEST(test_fork__leaves_the_connection_to_the_parent),
        TEST(test_look__cannot_lock),
        TEST(test_schema__that_changes_is_read_anew),
        TEST(test_tables__that_cannot_be_locked_are_refused_with_what_to_do),
        TEST(test_values__that_a_column_would_change_are_refused),
        TEST(test_sql__reads_and_nothing_else),
        TEST(test_nested__whose_first_statement_is_wrong_undoes_only_itself),
        TEST(
            test_put_all__tells_who_is_held_changed_or_taken_and_writes_the_rest),
        TEST(test_put_all__that_the_table_refuses_fails_its_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
