/* SPDX-License-Identifier: MIT
 * Drafts: what a survey finds out of records, and that no failing allocation
 * does harm. What is written is tested by tests/cli/test_init.py, which runs
 * it. */
#include "sync/draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/scarce.h"
#include "sync/survey.h"

static char folder[] = "/tmp/rowlock-draft-XXXXXX";
static char path[64];
static rowlock_error err;

static int
make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/body.json", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void
write_body(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void
survey_body(const char *text, struct rlk_survey *ret)
{
    struct rlk_reader_options o = {.url = path,
                                   .limits = RLK_SOURCE_LIMITS_INIT};
    struct rlk_reader *r;
    struct rlk_remote remote;
    enum rlk_read what;
    memset(ret, 0, sizeof *ret);
    write_body(text);
    assert_int_equal(rlk_reader_open(&o, &r, &err), 0);
    while (!rlk_reader_next(r, &remote, &what, &err) && what != RLK_READ_END)
        assert_int_equal(rlk_survey_add(ret, remote.root, &err), 0);
    rlk_reader_close(r);
}

static const struct rlk_member *
member(const struct rlk_survey *s, const char *pointer)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->members[i].pointer, pointer) == 0)
            return &s->members[i];
    fail_msg("no member %s", pointer);
    return NULL;
}

static void
test_survey__tells_which_members_identify_a_record(void **state)
{
    (void)state;
    struct rlk_survey s;
    survey_body("[{\"id\":1,\"same\":2,\"some\":1,\"blank\":\" \",\"time\":"
                "\"2024-01-01T00:00:00Z\",\"half\":1.5,\"o\":{\"k\":\"a\"}},"
                "{\"id\":\"1\",\"same\":2,\"blank\":\"b\",\"time\":"
                "\"2024-01-02T00:00:00Z\",\"half\":2,\"o\":{\"k\":\"b\"}}]",
                &s);
    assert_true(rlk_survey_identifies(&s, member(&s, "/id")));
    assert_true(rlk_survey_identifies(&s, member(&s, "/o/k")));
    assert_false(rlk_survey_identifies(&s, member(&s, "/same")));
    assert_false(rlk_survey_identifies(&s, member(&s, "/some")));
    assert_false(rlk_survey_identifies(&s, member(&s, "/blank")));
    assert_false(rlk_survey_identifies(&s, member(&s, "/time")));
    assert_false(rlk_survey_identifies(&s, member(&s, "/half")));
    assert_false(rlk_survey_identifies(&s, member(&s, "/o")));
    rlk_survey_done(&s);
}

static void
test_survey__tries_each_value_on_each_type(void **state)
{
    (void)state;
    struct rlk_survey s;
    survey_body("[{\"n\":7,\"t\":\"007\",\"b\":true,\"d\":\"2024-01-01\"},"
                "{\"n\":7.5,\"t\":\"8\",\"b\":false,\"d\":\"soon\"},"
                "{\"n\":null}]",
                &s);
    assert_int_equal(member(&s, "/n")->misfits[RLK_TYPE_INTEGER], 1);
    assert_int_equal(member(&s, "/n")->misfits[RLK_TYPE_REAL], 0);
    assert_int_equal(member(&s, "/t")->misfits[RLK_TYPE_INTEGER], 1);
    assert_int_equal(member(&s, "/t")->misfits[RLK_TYPE_TEXT], 0);
    assert_int_equal(member(&s, "/b")->misfits[RLK_TYPE_TEXT], 2);
    assert_int_equal(member(&s, "/b")->misfits[RLK_TYPE_BOOLEAN], 0);
    assert_int_equal(member(&s, "/d")->misfits[RLK_TYPE_DATE], 1);
    assert_int_equal(rlk_member_values(member(&s, "/n")), 2);
    rlk_survey_done(&s);
}

static void
test_survey__names_and_pointers(void **state)
{
    (void)state;
    struct rlk_survey s;
    survey_body("[{\"a/b~c\":1,\"title\":{\"rendered\":\"x\"},"
                "\"q\":{\"q\":{\"q\":{\"q\":{\"q\":1}}}},\"nul\\u0000\":1}]",
                &s);
    assert_string_equal(member(&s, "/a~1b~0c")->name, "a/b~c");
    assert_string_equal(member(&s, "/title/rendered")->name, "title");
    assert_string_equal(member(&s, "/title/rendered")->step, "rendered");
    assert_true(member(&s, "/q/q/q")->parent);
    assert_false(member(&s, "/q/q/q/q")->parent);
    assert_int_equal(s.n, 7);
    rlk_survey_done(&s);
}

/* ---- memory ---- */

static void
fail_every_allocation(const struct rlk_table *table)
{
    int rc = ROWLOCK_NO_MEMORY;
    struct rlk_draft_options o = {.url = path,
                                  .path = "d.yaml",
                                  .database = table ? "t.db" : NULL,
                                  .table = table,
                                  .limits = RLK_SOURCE_LIMITS_INIT};
    for (int n = 0; rc; n++) {
        struct rlk_draft draft;
        rlk_scarce_begin_once(n);
        rc = rlk_draft_make(&o, &draft, &err);
        rlk_draft_done(&draft);
        rlk_scarce_end();
        assert_true(rc == 0 || rc == ROWLOCK_NO_MEMORY);
    }
}

static void
test_draft__any_allocation_may_fail(void **state)
{
    (void)state;
    static const struct rlk_column columns[] = {
        {.name = "id", .declared = "integer", .type = RLK_TYPE_INTEGER},
        {.name = "slug", .declared = "text", .type = RLK_TYPE_TEXT},
        {.name = "need",
         .declared = "bool",
         .type = RLK_TYPE_BOOLEAN,
         .not_null = true},
    };
    static const uint32_t key[] = {0};
    static const struct rlk_table table = {.name = "t",
                                           .columns = columns,
                                           .n_columns = 3,
                                           .primary_key = key,
                                           .n_primary_key = 1,
                                           .numbers_records = true};
    write_body("{\"x\": {\"y\": [{\"id\": 1, \"name\": \"\xC3\xA4\"},"
               "{\"id\": 2, \"name\": \"b\", \"l\": [1]}]}}");
    fail_every_allocation(NULL);
    fail_every_allocation(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_survey__tells_which_members_identify_a_record),
        cmocka_unit_test(test_survey__tries_each_value_on_each_type),
        cmocka_unit_test(test_survey__names_and_pointers),
        cmocka_unit_test(test_draft__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
