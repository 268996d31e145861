/* SPDX-License-Identifier: MIT */
#include "sync/slugify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_slugify__answers_what_django_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *slug;
    } cases[] = {
        {"AD-02", "ad-02"},
        {"  Hello,  World! ", "hello-world"},
        {"Sant Juli\xC3\xA0 de L\xC3\xB2ria", "sant-julia-de-loria"},
        {"\xC5\x81\xC3\xB3\x64\xC5\xBA", "odz"},
        {"stra\xC3\x9F\x65", "strae"},
        {"\xEF\xAC\x81n", "fin"},
        {"x\xC2\xBD", "x12"},
        {"a - b -- c", "a-b-c"},
        {"a!-!b", "a-b"},
        {"__init__", "init"},
        {"-_a_b_-", "a_b"},
        {"snake_case", "snake_case"},
        {"tab\tnew\nline\x1Fx", "tab-new-line-x"},
        {"no\xC2\xA0"
         "break",
         "no-break"},
        {"\xE6\x97\xA5\xE6\x9C\xAC", ""},
        {"---", ""},
        {"", ""},
    };
    struct rlk_arena arena = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(
            rlk_slugify(cases[i].text, strlen(cases[i].text), &arena),
            cases[i].slug);
    rlk_arena_done(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slugify__answers_what_django_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
