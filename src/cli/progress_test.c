/* SPDX-License-Identifier: MIT
 * The line of progress: what it says, and what is left of it where there is no
 * room. */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/speak.h"

static struct rlk_progress_state
at_work(void)
{
    return (struct rlk_progress_state){
        .records = 12500, .pages = 12, .elapsed_ms = 2000};
}

static void
assert_line(const struct rlk_progress_state *s, int columns,
            const char *expected)
{
    struct rlk_buf RLK_AUTOBUF line = {0};
    rlk_progress_line(s, columns, &line);
    assert_string_equal(line.ptr ? line.ptr : "", expected);
    assert_in_range(rlk_width(expected), 0, columns > 1 ? columns - 1 : 1);
}

static void
test_line__numbers_as_far_as_there_is_room(void **state)
{
    (void)state;
    struct rlk_progress_state s = at_work();
    assert_line(&s, 80, "12,500 records, 6,250 a second, 12 pages");
    assert_line(&s, 42, "12,500 records, 6,250 a second, 12 pages");
    assert_line(&s, 40, "12,500 records, 12 pages");
    assert_line(&s, 24, "12,500 records");
    assert_line(&s, 12, "12,500 r...");
    assert_line(&s, 3, "12");
    assert_line(&s, 0, "1");
    s.pages = 0;
    assert_line(&s, 40, "12,500 records, 6,250 a second");
}

static void
test_line__one_is_no_plural(void **state)
{
    (void)state;
    struct rlk_progress_state s = {
        .records = 1, .pages = 1, .elapsed_ms = 1000};
    assert_line(&s, 80, "1 record, 1 a second, 1 page");
}

static void
test_line__before_the_first_record_there_is_no_rate(void **state)
{
    (void)state;
    struct rlk_progress_state s = {.elapsed_ms = 1000};
    assert_line(&s, 80, "0 records");
}

static void
test_line__a_source_that_is_asked_again_counts_down(void **state)
{
    (void)state;
    struct rlk_progress_state s = at_work();
    s.again_ms = 11001;
    strcpy(s.why, "'http://127.0.0.1:8080/a' answered HTTP 503");
    assert_line(&s, 80,
                "12,500 records, 12 pages; asking again in 12 s: answered "
                "HTTP 503");
    assert_line(&s, 60,
                "12,500 records; asking again in 12 s: answered HTTP 503");
    assert_line(&s, 40, "asking again in 12 s: answered HTTP 503");
    assert_line(&s, 30, "asking again in 12 s: answ...");
    s.again_ms = 120000;
    strcpy(s.why, "could not fetch 'http://127.0.0.1:8080/a': refused");
    assert_line(&s, 52, "asking again in 2 min: could not fetch: refused");
}

static void
test_line__a_held_record_and_who_has_it(void **state)
{
    (void)state;
    struct rlk_progress_state s = at_work();
    s.again_ms = 5000;
    strcpy(s.held, "waiting for t/1: locked by pid 4711 (rowlock lock)");
    assert_line(&s, 80,
                "12,500 records, 12 pages; waiting for t/1: locked by pid "
                "4711 (rowlock lock)");
    assert_line(&s, 40, "waiting for t/1: locked by pid 4711 ...");
}

static void
test_line__what_others_say_cannot_steer_and_counts_as_characters(void **state)
{
    (void)state;
    struct rlk_progress_state s = {0};
    strcpy(s.held, "waiting for \033[2Jt/\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA4");
    assert_line(&s, 80,
                "0 records; waiting for \\x1b[2Jt/\xC3\xA4\xC3\xB6\xC3\xBC"
                "\xC3\xA4");
    assert_line(&s, 26,
                "waiting for \\x1b[2Jt/\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA4");
    assert_line(&s, 25, "waiting for \\x1b[2Jt/...");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line__numbers_as_far_as_there_is_room),
        cmocka_unit_test(test_line__one_is_no_plural),
        cmocka_unit_test(test_line__before_the_first_record_there_is_no_rate),
        cmocka_unit_test(test_line__a_source_that_is_asked_again_counts_down),
        cmocka_unit_test(test_line__a_held_record_and_who_has_it),
        cmocka_unit_test(
            test_line__what_others_say_cannot_steer_and_counts_as_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
