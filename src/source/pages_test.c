/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/scarce.h"
#include "base/text.h"
#include "fixture.h"
#include "pages.h"
#include "source.h"

#define OK "HTTP/1.1 200 OK\r\n"

static struct server server;
static char url[80];
static struct rlk_arena arena;
static rowlock_error err;

static int
start(void **state)
{
    (void)state;
    server_start(&server);
    snprintf(url, sizeof url, "%s/x", server.url);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    server_stop(&server);
    rlk_arena_done(&arena);
    return 0;
}

static struct rlk_pointer
pointer(const char *text)
{
    struct rlk_pointer p = {0};
    assert_int_equal(rlk_pointer_parse(text, &arena, &p, NULL), 0);
    return p;
}

static void
say_next(void)
{
    static const char first[] =
        OK "Connection: close\r\n\r\n{\"total\":3,\"next\":\"/x?p=2\","
           "\"d\":[{\"a\":1},{\"a\":2}]}";
    static const char last[] = OK "\r\n{\"d\":[{\"a\":3}],\"next\":null}";
    server_reset(&server);
    server_say_text(&server, first);
    server_say_text(&server, last);
}

static void
say_counted(void)
{
    static const char first[] = OK "X-Total: 2\r\n\r\n[{\"a\":1},{\"a\":2}]";
    static const char last[] = OK "X-Total: 2\r\n\r\n[]";
    server_reset(&server);
    server_say_text(&server, first);
    server_say_text(&server, last);
}

static void
fail_every_allocation(const struct rlk_pages *pages, void (*say)(void),
                      int expected)
{
    struct rlk_reader_options o = {
        .url = url, .pages = pages, .limits = RLK_SOURCE_LIMITS_INIT};
    int n = -1;
    for (long left = 0; n < 0; left++) {
        server_stop(&server); /* it may be answering whom it lost */
        server_start(&server);
        snprintf(url, sizeof url, "%s/x", server.url);
        say();
        memset(&err, 0, sizeof err);
        rlk_scarce_begin(left);
        n = read_records(&o, &err);
        rlk_scarce_end();
        if (n != expected && err.code != ROWLOCK_NO_MEMORY)
            fail_msg("%ld: %d, %s", left, n, err.message);
    }
}

static void
test_pages__any_allocation_may_fail(void **state)
{
    (void)state;
    struct rlk_pages told = {.by = RLK_PAGES_NEXT,
                             .at = pointer("/next"),
                             .total = pointer("/total")};
    struct rlk_pages counted = {.by = RLK_PAGES_PAGE,
                                .param = "page",
                                .size_param = "size",
                                .size = 2,
                                .total_header = "X-Total"};
    fail_every_allocation(&told, say_next, 3);
    fail_every_allocation(&counted, say_counted, 2);
}

static void
assert_next(const char *header, const char *expected)
{
    const char *to = NULL;
    size_t len = 0;
    assert_true(rlk_link_next(header, &to, &len));
    if (!expected) {
        assert_null(to);
        return;
    }
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(to, expected, len);
}

static void
test_pages__link_headers_are_read_as_rfc_8288_has_them(void **state)
{
    (void)state;
    assert_next("", NULL);
    assert_next("</a>; rel=next", "/a");
    assert_next("<?p=2&q=1,2;3>; rel=\"next\"", "?p=2&q=1,2;3");
    assert_next("</a>; title=\"a, <b>; rel=next\"; rel=prev", NULL);
    assert_next("</a>; title=\"\\\",<c>;rel=next\"; rel=up, </b>;rel=next",
                "/b");
    assert_next("</a>; rel=\"prev next\"", "/a");
    assert_next("</a>; rel=prev; rel=next", NULL); /* the first one counts */
    assert_next("</a>; rel=next; anchor=\"#x\"", NULL);
    assert_next(" , , </a> ;\trel = next , ", "/a");
    assert_next("</a>; rel=next, </b>; rel=next", "/a");
    assert_next("</a>; rel=nextish", NULL);
    assert_next("<>; rel=next", "");
}

static void
test_pages__damaged_link_headers_are_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {"/a; rel=next",
                                          "<",
                                          "<a",
                                          "</a; rel=next",

                                          "</a>; rel=\"next",
                                          "</a>; rel=\"next\\",
                                          "</a>; rel=\"next\" </b>"};
    const char *to;
    size_t len;
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++)
        assert_false(rlk_link_next(damaged[i], &to, &len) && to);
}

int
main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages__any_allocation_may_fail),
        cmocka_unit_test(
            test_pages__link_headers_are_read_as_rfc_8288_has_them),
        cmocka_unit_test(test_pages__damaged_link_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
