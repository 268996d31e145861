/* SPDX-License-Identifier: MIT
 * Runs against the driver for tests: what is counted, told and left behind. */
#include "sync/sync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "db/fake/fake.h"
#include "record/record.h"
#include "record/value.h"

#define COLUMN(n, t)                                                \
    {                                                               \
        .name = n, .declared = "", .type = t, .collation = "BINARY" \
    }
static const struct rlk_column columns[] = {
    {.name = "id",
     .declared = "integer",
     .type = RLK_TYPE_INTEGER,
     .integer_bits = 64,
     .not_null = true,
     .collation = "BINARY"},
    COLUMN("code", RLK_TYPE_TEXT),
    COLUMN("n", RLK_TYPE_INTEGER),
};
static const uint32_t id_column[] = {0};
static const uint32_t code_column[] = {1};
static const struct rlk_index code_index = {
    .name = "code", .columns = code_column, .n_columns = 1};
static const struct rlk_table table = {.name = "t",
                                       .columns = columns,
                                       .n_columns = 3,
                                       .primary_key = id_column,
                                       .n_primary_key = 1,
                                       .indexes = &code_index,
                                       .n_indexes = 1};

static char folder[] = "/tmp/rowlock-run-XXXXXX";
static char body_path[64], definition_path[64];

static struct {
    struct rlk_conn *conn;
    rowlock_db *db;
    struct rlk_sync_report report;
    struct rlk_buf told;    /* "number: reason;" of each rejected record */
    struct rlk_buf changes; /* "number/key column=old>new ...;" of each */
    bool tells;             /* changes too */
    rowlock_error err;
    int opened, commits;
} run;

static int
make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(body_path, sizeof body_path, "%s/body.json", folder);
    snprintf(definition_path, sizeof definition_path, "%s/d.yaml", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    unlink(body_path);
    return rmdir(folder);
}

static int
start_with(enum rlk_fake_kind kind)
{
    memset(&run, 0, sizeof run);
    run.conn = rlk_fake_open(kind);
    rlk_fake_add_table(run.conn, &table);
    return rlk_session_new(run.conn, NULL, &run.db, &run.err);
}

static int
start(void **state)
{
    (void)state;
    return start_with(RLK_FAKE_PLAIN);
}

/* With an engine that tells whether a look is still current. */
static int
start_fast(void **state)
{
    (void)state;
    return start_with(RLK_FAKE_FAST);
}

static int
stop(void **state)
{
    (void)state;
    rowlock_close(run.db);
    rlk_buf_done(&run.told);
    rlk_buf_done(&run.changes);
    return 0;
}

static int
open_target(const struct rlk_definition *d, bool make, rowlock_db **ret,
            void *arg, rowlock_error *err)
{
    (void)arg;
    (void)err;
    if (d->create_table && !make)
        return 0;
    run.opened++;
    *ret = run.db;
    return 0;
}

static void
take_left(const struct rlk_sync_told *r, void *arg)
{
    (void)arg;
    rlk_buf_format(&run.told, "%d: %s;", (int)r->number, r->reason->message);
    if (r->key)
        rlk_buf_format(&run.told, "key %d;", (int)r->key[0].u.i);
}

static void
take_change(const struct rlk_sync_told *c, void *arg)
{
    (void)arg;
    assert_non_null(c->key);
    assert_int_equal(c->table->n_primary_key, 1);
    assert_string_equal(c->table->columns[c->table->primary_key[0]].name, "id");
    rlk_buf_format(&run.changes, "%c%d/%d",
                   c->fate == RLK_FATE_CREATED ? '+' : '*', (int)c->number,
                   (int)c->key[0].u.i);
    for (size_t i = 0; i < c->n_sets; i++) {
        char old[RLK_SHOWN], new[RLK_SHOWN];
        rlk_value_show(c->sets[i].old, old);
        rlk_value_show(c->sets[i].new, new);
        rlk_buf_format(&run.changes, " %s=%s>%s", c->sets[i].column, old, new);
    }
    rlk_buf_char(&run.changes, ';');
}

static void
note_commit(struct rlk_conn *c, void *arg)
{
    (void)c;
    (void)arg;
    rlk_buf_text(&run.changes, "commit;");
}

static void
take_progress(const struct rlk_sync_report *report, void *arg)
{
    (void)arg;
    (void)report;
    run.commits++;
}

static int
sync_with(const char *body, const char *table_name, const char *more)
{
    char yaml[512];
    struct rlk_definition *d;
    FILE *f = fopen(body_path, "w");
    assert_non_null(f);
    fputs(body, f);
    fclose(f);
    snprintf(yaml, sizeof yaml,
             "{sync: x, target: {database: x, table: %s%s}, source: {url: "
             "body.json}, match: [code], fields: {code: /code, n: /n}}",
             table_name, more);
    assert_int_equal(
        rlk_definition_parse(definition_path, yaml, strlen(yaml), &d, &run.err),
        0);
    struct rlk_sync_options o = {.open_target = open_target,
                                 .on_left = take_left,
                                 .on_change = run.tells ? take_change : NULL,
                                 .on_progress = take_progress,
                                 .limits = RLK_SOURCE_LIMITS_INIT,
                                 .batch_records = 5};
    int rc = rlk_sync_run(d, &o, &run.report, &run.err);
    rlk_definition_free(d);
    return rc;
}

static int
sync_body(const char *body)
{
    return sync_with(body, "t", "");
}

static void
assert_counts(unsigned created, unsigned updated, unsigned unchanged,
              unsigned rejected)
{
    assert_int_equal(run.report.created, created);
    assert_int_equal(run.report.updated, updated);
    assert_int_equal(run.report.unchanged, unchanged);
    assert_int_equal(run.report.rejected, rejected);
    assert_int_equal(run.report.records, created + updated + unchanged +
                                             rejected + run.report.conflicts +
                                             run.report.deferred);
}

/* {"code": "c0", "n": 0}, ... */
static void
make_list(struct rlk_buf *ret, int n)
{
    rlk_buf_char(ret, '[');
    for (int i = 0; i < n; i++)
        rlk_buf_format(ret, "%s{\"code\":\"c%d\",\"n\":%d}", i ? "," : "", i,
                       i);
    rlk_buf_char(ret, ']');
}

static void
test_run__counts_what_became_of_each_record(void **state)
{
    (void)state;
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":1},"
                               "{\"code\":\"b\",\"n\":1}]"),
                     0);
    assert_counts(2, 0, 0, 0);
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":1},"
                               "{\"code\":\"b\",\"n\":2},"
                               "{\"code\":\"c\",\"n\":\"x\"}]"),
                     0);
    assert_counts(0, 1, 1, 1);
    assert_int_equal(rlk_fake_count(run.conn, "t"), 2);
}

static void
test_run__a_bad_record_is_rejected_alone_and_told_once(void **state)
{
    (void)state;
    assert_int_equal(sync_body("[{\"code\":\"a\"},{\"code\":\"b\",\"n\":\"x\"},"
                               "7,{\"n\":1},{\"code\":\"c\"}]"),
                     0);
    assert_counts(2, 0, 0, 3);
    assert_non_null(strstr(run.told.ptr, "2: "));
    assert_non_null(strstr(run.told.ptr,
                           ";3: a record is an object, not a number;"
                           "4: no match key has a value;"));
    assert_int_equal(rlk_fake_count(run.conn, "t"), 2);
}

static void
test_run__a_body_that_runs_again_is_counted_once(void **state)
{
    (void)state;
    rlk_fake_at(run.conn, "insert", 2, NULL, NULL, ROWLOCK_SERIALIZATION);
    assert_int_equal(sync_body("[{\"code\":\"a\"},{\"code\":\"b\"}]"), 0);
    assert_counts(2, 0, 0, 0);
    assert_int_equal(rlk_fake_count(run.conn, "t"), 2);
}

static void
test_run__what_does_not_commit_is_not_counted(void **state)
{
    (void)state;
    rlk_fake_at(run.conn, "commit", 4, NULL, NULL, ROWLOCK_IO);
    struct rlk_buf RLK_AUTOBUF list = {0};
    make_list(&list, 8);
    assert_int_equal(sync_body(list.ptr), ROWLOCK_IO);
    assert_counts(5, 0, 0, 0);
    assert_int_equal(rlk_fake_count(run.conn, "t"), 5);
}

static void
test_run__changes_are_told_after_their_commit(void **state)
{
    (void)state;
    run.tells = true;
    rlk_fake_at(run.conn, "commit", 2, note_commit, NULL, 0); /* 1: the look */
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":1},{\"code\":\"b\"}]"),
                     0);
    assert_string_equal(run.changes.ptr, "commit;+1/1 code=NULL>'a' n=NULL>1;"
                                         "+2/2 code=NULL>'b';");
    rlk_buf_clear(&run.changes);
    rlk_fake_at(run.conn, "commit", 2, note_commit, NULL, 0);
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":1},"
                               "{\"code\":\"b\",\"n\":7}]"),
                     0);
    assert_string_equal(run.changes.ptr, "commit;*2/2 n=NULL>7;");
}

static void
change_first_row(struct rlk_conn *c, void *arg)
{
    (void)arg;
    rlk_fake_change(c, "t", 0, 2, rowlock_int(5));
}

static void
test_run__a_body_that_runs_again_tells_what_its_last_try_did(void **state)
{
    (void)state;
    const rowlock_value row[] = {rowlock_int(1), rowlock_text("a"),
                                 rowlock_int(4)};
    run.tells = true;
    rlk_fake_put(run.conn, "t", row);
    rlk_fake_at(run.conn, "commit", 2, change_first_row, NULL,
                ROWLOCK_SERIALIZATION);
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":6},{\"code\":\"b\"}]"),
                     0);
    assert_counts(1, 1, 0, 0);
    assert_string_equal(run.changes.ptr, "*1/1 n=5>6;+2/3 code=NULL>'b';");
}

static void
test_run__what_was_rolled_back_is_not_told(void **state)
{
    (void)state;
    run.tells = true;
    rlk_fake_at(run.conn, "commit", 2, NULL, NULL, ROWLOCK_IO);
    assert_int_equal(sync_body("[{\"code\":\"a\"}]"), ROWLOCK_IO);
    assert_null(run.changes.ptr);
    assert_int_equal(run.report.records, 0);
}

static void
test_run__a_record_that_is_left_names_the_local_one(void **state)
{
    (void)state;
    const rowlock_value row[] = {rowlock_int(7), rowlock_text("a"),
                                 rowlock_int(4)};
    run.tells = true;
    rlk_fake_put(run.conn, "t", row);
    rlk_fake_at(run.conn, "update", 1, NULL, NULL, ROWLOCK_CONSTRAINT);
    rlk_fake_at(run.conn, "update", 2, NULL, NULL, ROWLOCK_CONSTRAINT);
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":1},"
                               "{\"code\":\"b\",\"n\":\"x\"}]"),
                     0);
    assert_counts(0, 0, 0, 2);
    assert_non_null(strstr(run.told.ptr, ";key 7;"));
    assert_null(strstr(strstr(run.told.ptr, "key") + 3, "key"));
    assert_null(run.changes.ptr);
}

static void
test_run__records_are_committed_in_batches(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF list = {0};
    make_list(&list, 11);
    assert_int_equal(sync_body(list.ptr), 0);
    assert_counts(11, 0, 0, 0);
    assert_int_equal(run.commits, 3);
}

static void
test_run__a_cut_body_loses_its_unfinished_batch_only(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF list = {0};
    make_list(&list, 7);
    list.ptr[list.len - 1] = 0;
    assert_int_equal(sync_body(list.ptr), ROWLOCK_BAD_VALUE);
    assert_counts(5, 0, 0, 0);
    assert_int_equal(rlk_fake_count(run.conn, "t"), 5);
}

static void
test_run__what_a_look_saw_is_written_without_another(void **state)
{
    (void)state;
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":1}]"), 0);
    (void)rlk_fake_trace(run.conn);
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":2},"
                               "{\"code\":\"b\",\"n\":2}]"),
                     0);
    assert_counts(1, 1, 0, 0);
    assert_string_equal(rlk_fake_trace(run.conn),
                        "begin lookup commit begin start_write record t(1) "
                        "update lock_keys key t.code(b) insert record t(2) "
                        "commit");
}

/* The record that the look found is another by now. */
static void
rename_first(struct rlk_conn *c, void *arg)
{
    (void)arg;
    rlk_fake_change(c, "t", 0, 1, rowlock_text("z"));
}

static void
test_run__a_commit_between_look_and_write_is_seen(void **state)
{
    (void)state;
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":1}]"), 0);
    rlk_fake_at(run.conn, "start_write", 1, rename_first, NULL, 0);
    assert_int_equal(sync_body("[{\"code\":\"a\",\"n\":2}]"), 0);
    assert_counts(1, 0, 0, 0);
    assert_int_equal(rlk_fake_count(run.conn, "t"), 2);
    assert_int_equal(rlk_fake_cell(run.conn, "t", 0, 2).u.i, 1);
    assert_int_equal(rlk_fake_cell(run.conn, "t", 1, 2).u.i, 2);
}

static void
test_run__a_body_cut_behind_a_full_batch_keeps_it(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF list = {0};
    make_list(&list, 11);
    list.ptr[list.len - 4] = 0;
    assert_int_equal(sync_body(list.ptr), ROWLOCK_BAD_VALUE);
    assert_counts(10, 0, 0, 0);
    assert_int_equal(rlk_fake_count(run.conn, "t"), 10);
}

static void
test_run__a_target_to_be_made_waits_for_the_first_record(void **state)
{
    (void)state;
    assert_int_equal(sync_with("<html>", "t", ", create_table: true"),
                     ROWLOCK_BAD_VALUE);
    assert_int_equal(run.opened, 0);
    assert_int_equal(sync_body("<html>"), ROWLOCK_BAD_VALUE);
    assert_int_equal(run.opened, 1);
    assert_int_equal(sync_with("[]", "t", ", create_table: true"), 0);
    assert_int_equal(run.opened, 2);
}

static void
test_run__a_definition_that_does_not_fit_is_said_before_reading(void **state)
{
    (void)state;
    assert_int_equal(sync_with("<html>", "tt", ""), ROWLOCK_UNDEFINED);
    assert_true(run.report.definition_wrong);
    assert_non_null(strstr(run.err.message, "d.yaml:1:40: "));
    assert_int_equal(sync_body("<html>"), ROWLOCK_BAD_VALUE);
    assert_false(run.report.definition_wrong);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define FAST(name) cmocka_unit_test_setup_teardown(name, start_fast, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_run__counts_what_became_of_each_record),
        TEST(test_run__a_bad_record_is_rejected_alone_and_told_once),
        TEST(test_run__a_body_that_runs_again_is_counted_once),
        TEST(test_run__what_does_not_commit_is_not_counted),
        TEST(test_run__changes_are_told_after_their_commit),
        TEST(test_run__a_body_that_runs_again_tells_what_its_last_try_did),
        TEST(test_run__what_was_rolled_back_is_not_told),
        TEST(test_run__a_record_that_is_left_names_the_local_one),
        TEST(test_run__records_are_committed_in_batches),
        TEST(test_run__a_cut_body_loses_its_unfinished_batch_only),
        TEST(test_run__a_body_cut_behind_a_full_batch_keeps_it),
        TEST(test_run__a_target_to_be_made_waits_for_the_first_record),
        TEST(test_run__a_definition_that_does_not_fit_is_said_before_reading),
        FAST(test_run__counts_what_became_of_each_record),
        FAST(test_run__a_bad_record_is_rejected_alone_and_told_once),
        FAST(test_run__a_body_that_runs_again_is_counted_once),
        FAST(test_run__what_a_look_saw_is_written_without_another),
        FAST(test_run__a_commit_between_look_and_write_is_seen),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
