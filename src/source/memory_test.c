/* SPDX-License-Identifier: MIT
 * Every allocation of a source behind HTTP fails once, ours and libcurl's: an
 * error or all records, never a part of them for the whole, and never a request
 * that lacks what it should carry. (A sanitizer build shows that nothing
 * leaks.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/scarce.h"
#include "fixture.h"

enum { RECORDS = 3 };

static const char redirect[] =
    "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n";
static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "ETag: \"abc\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Date: Sun, 06 Nov 1994 08:49:39 GMT\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
    "a\r\n[{\"a\":1},{\r\n10\r\n\"a\":2},{\"a\": 3}]\r\n0\r\n\r\n";

static struct server server;

static int
read_all(rowlock_error *err)
{
    char url[80];
    server_start(&server);
    server_say_text(&server, redirect);
    server_say_text(&server, answer);
    snprintf(url, sizeof url, "%s/x?n=1", server.url);
    const struct rlk_reader_options o = {.url = url,
                                         .http.auth =
                                             "Authorization: Bearer abc",
                                         .limits = RLK_SOURCE_LIMITS_INIT};
    memset(err, 0, sizeof *err);
    int n = read_records(&o, err);
    server_stop(&server);
    return n;
}

/* Answers whether the reading had fewer allocations. */
static bool
fail_at(long n)
{
    rowlock_error err;
    rlk_scarce_begin_once(n);
    int read = read_all(&err);
    rlk_scarce_end();
    bool over = !rlk_scarce_failed;
    if (read >= 0 ? read != RECORDS : over || !err.message[0])
        fail_msg("allocation %ld: %d records, %s %s", n, read, err.sqlstate,
                 err.message);
    for (size_t i = 0; i < server.n_asked; i++)
        if (server.asked[i][0] && !strstr(server.asked[i], "Bearer abc"))
            fail_msg("allocation %ld: asked without proof of who we are", n);
    if (read < 0 && err.code != ROWLOCK_NO_MEMORY)
        fail_msg("allocation %ld: %s %s", n, err.sqlstate, err.message);
    return over;
}

static void
test_no_memory__at_any_allocation_of_a_transfer_is_an_error(void **state)
{
    (void)state;
    rowlock_error err;
    long n = 0;
    assert_int_equal(read_all(&err), RECORDS); /* libcurl's own start */
    while (!fail_at(n))
        n++;
    assert_int_equal(read_all(&err), RECORDS);
    print_message("%ld allocations failed\n", n);
    assert_in_range(n, 100, 100000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_no_memory__at_any_allocation_of_a_transfer_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
