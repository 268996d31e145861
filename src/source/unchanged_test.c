/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "fixture.h"
#include "source.h"

#define OK       "HTTP/1.1 200 OK\r\n"
#define BODY     "Content-Length: 9\r\n\r\n[{\"a\":1}]"
#define SAME     "HTTP/1.1 304 Not Modified\r\n\r\n"
#define MODIFIED "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define AT(time) "Date: Sun, 06 Nov 1994 " time " GMT\r\n"
#define LATER    AT("08:49:38")
#define ETAG     "ETag: \"abc\"\r\n"

static struct server server;
static char url[80];
static char kept[RLK_VALIDATOR_SIZE];
static rowlock_error err;
static struct rlk_reader_options options;

static int
start(void **state)
{
    (void)state;
    server_start(&server);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static void
reset(const char *answer)
{
    server_reset(&server);
    server_say_text(&server, answer);
    snprintf(url, sizeof url, "%s/x?n=1", server.url);
    memset(&err, 0, sizeof err);
    options = (struct rlk_reader_options){.url = url,
                                          .limits = RLK_SOURCE_LIMITS_INIT};
}

/* Reads to the end; what the end was. kept gets the validator, or "". */
static enum rlk_read
read_all(void)
{
    struct rlk_reader *r;
    struct rlk_remote remote;
    enum rlk_read what = RLK_READ_RECORD;
    assert_int_equal(rlk_reader_open(&options, &r, &err), 0);
    while (what == RLK_READ_RECORD) {
        assert_null(rlk_reader_validator(r)); /* not before the end */
        assert_int_equal(rlk_reader_next(r, &remote, &what, &err), 0);
    }
    const char *validator = rlk_reader_validator(r);
    snprintf(kept, sizeof kept, "%s", validator ? validator : "");
    rlk_reader_close(r);
    return what;
}

static bool
asked_with(size_t request, const char *text)
{
    assert_true(request < server.n_asked);
    return strstr(server.asked[request], text) != NULL;
}

static bool
asked_on_condition(size_t request)
{
    return asked_with(request, "If-");
}

static void
test_unchanged__what_the_server_told_is_sent_back(void **state)
{
    (void)state;
    static const struct {
        const char *head, *etag, *modified;
    } told[] = {
        {OK ETAG BODY, "\r\nIf-None-Match: \"abc\"\r\n", NULL},
        {OK "etag:W/\"a,b\"  \r\n" BODY, "\r\nIf-None-Match: W/\"a,b\"\r\n",
         NULL},
        {OK MODIFIED LATER BODY, NULL,
         "\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
        {OK ETAG MODIFIED LATER BODY, "\r\nIf-None-Match: \"abc\"\r\n",
         "\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
    };
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        reset(told[i].head);
        server_say_text(&server, SAME);
        assert_int_equal(read_all(), RLK_READ_END);
        assert_false(asked_on_condition(0));
        options.validator = kept;
        assert_int_equal(read_all(), RLK_READ_UNCHANGED);
        assert_int_equal(asked_with(1, "If-None-Match"), told[i].etag != NULL);
        assert_int_equal(asked_with(1, "If-Modified-Since"),
                         told[i].modified != NULL);
        assert_true(!told[i].etag || asked_with(1, told[i].etag));
        assert_true(!told[i].modified || asked_with(1, told[i].modified));
    }
}

static void
test_unchanged__a_changed_body_is_read_and_gives_its_own(void **state)
{
    (void)state;
    char first[RLK_VALIDATOR_SIZE];
    reset(OK ETAG BODY);
    server_say_text(&server, OK "ETag: \"def\"\r\n" BODY);
    read_all();
    memcpy(first, kept, sizeof first);
    options.validator = first;
    assert_int_equal(read_all(), RLK_READ_END);
    assert_string_not_equal(first, kept);
    options.validator = kept;
    assert_int_equal(read_all(), RLK_READ_END);
    assert_true(asked_with(2, "If-None-Match: \"def\"\r\n"));
}

static void
test_unchanged__it_stays_so_however_often_it_is_asked(void **state)
{
    (void)state;
    struct rlk_reader *r;
    struct rlk_remote remote;
    enum rlk_read what;
    reset(OK ETAG BODY);
    server_say_text(&server, SAME);
    read_all();
    options.validator = kept;
    assert_int_equal(rlk_reader_open(&options, &r, &err), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rlk_reader_next(r, &remote, &what, &err), 0);
        assert_int_equal(what, RLK_READ_UNCHANGED);
        assert_null(rlk_reader_validator(r));
    }
    rlk_reader_close(r);
}

static void
test_unchanged__nobody_asked_whether_it_had_changed(void **state)
{
    (void)state;
    struct rlk_reader *r;
    static const char *const others[] = {NULL, "", "nonsense", " - -",
                                         "0123456789abcdef \"abc\" -"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        reset(SAME);
        options.validator = others[i];
        assert_int_equal(rlk_reader_open(&options, &r, &err),
                         ROWLOCK_CONNECTION);
        assert_non_null(strstr(err.message, "answered HTTP 304"));
        assert_string_equal(err.sqlstate, "08004");
        assert_false(asked_on_condition(0));
    }
}

static void
test_unchanged__what_proves_nothing_is_not_kept(void **state)
{
    (void)state;
    static const char *const heads[] = {
        OK BODY,
        OK "ETag: *\r\n" BODY, /* would be "never changed" */
        OK "ETag: abc\r\n" BODY,
        OK "ETag: \"a\", \"b\"\r\n" BODY,
        OK "ETag: \"a b\"\r\n" BODY,
        OK "ETag: \"a\x01\"\r\n" BODY,
        OK "ETag: \"a\xC3\xA9\"\r\n" BODY,
        OK "ETag: \"\r\n" BODY,
        OK "ETag: W/\"\r\n" BODY,
        OK "ETag:\r\n" BODY,
        OK ETAG "ETag: \"def\"\r\n" BODY,
        OK ETAG ETAG ETAG BODY,
        OK MODIFIED BODY,                /* when is now? */
        OK MODIFIED AT("08:49:37") BODY, /* it may change within the second */
        OK MODIFIED AT("08:49:36") BODY,
        OK "Last-Modified: yesterday, it seems\r\n" LATER BODY,
        "HTTP/1.1 203 By a proxy\r\n" ETAG BODY,
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        reset(heads[i]);
        assert_int_equal(read_all(), RLK_READ_END);
        assert_string_equal(kept, "");
    }
}

static void
test_unchanged__a_long_etag_is_not_kept(void **state)
{
    (void)state;
    for (size_t len = 250; len < 300; len++) {
        struct rlk_buf RLK_AUTOBUF head = {0};
        rlk_buf_text(&head, OK "ETag: \"");
        for (size_t i = 0; i < len - 2; i++)
            rlk_buf_char(&head, 'x');
        rlk_buf_text(&head, "\"\r\n" BODY);
        reset(head.ptr);
        assert_int_equal(read_all(), RLK_READ_END);
        assert_int_equal(kept[0] != 0, len < 256);
    }
}

static void
test_unchanged__a_body_whose_end_is_not_proven_gives_none(void **state)
{
    (void)state;
    reset("HTTP/1.0 200 OK\r\nContent-Type: application/x-ndjson\r\n" ETAG
          "\r\n{\"a\":1}\n");
    assert_int_equal(read_all(), RLK_READ_END);
    assert_string_equal(kept, "");
    reset("HTTP/1.0 200 OK\r\n" ETAG "\r\n[{\"a\":1}]");
    assert_int_equal(read_all(), RLK_READ_END);
    assert_string_not_equal(kept, "");
}

static void
test_unchanged__another_place_is_asked_without_a_condition(void **state)
{
    (void)state;
    char other[80];
    reset(OK ETAG BODY);
    read_all();
    options.validator = kept;
    snprintf(other, sizeof other, "%s/x?n=2", server.url);
    options.url = other;
    assert_int_equal(read_all(), RLK_READ_END);
    assert_false(asked_on_condition(1));
}

static void
test_unchanged__only_where_redirects_lead_is_asked(void **state)
{
    (void)state;
    static const char here[] = "HTTP/1.1 302 Found\r\nETag: \"way\"\r\n"
                               "Location: /b?sign=1\r\n\r\n";
    static const char signed_anew[] = "HTTP/1.1 302 Found\r\n"
                                      "Location: /b?sign=2\r\n\r\n";
    static const char elsewhere[] = "HTTP/1.1 302 Found\r\n"
                                    "Location: /older\r\n\r\n";
    reset(here);
    server_say_text(&server, OK ETAG BODY);
    server_say_text(&server, signed_anew);
    server_say_text(&server, SAME);
    server_say_text(&server, elsewhere);
    server_say_text(&server, OK MODIFIED LATER BODY);
    read_all();
    options.validator = kept;
    assert_int_equal(read_all(), RLK_READ_UNCHANGED);
    assert_false(asked_on_condition(2));
    assert_true(asked_with(3, "If-None-Match: \"abc\"\r\n"));
    assert_int_equal(read_all(), RLK_READ_END);
    assert_false(asked_on_condition(5));
}

static void
test_unchanged__one_page_says_nothing_of_the_next(void **state)
{
    (void)state;
    struct rlk_pages pages = {.by = RLK_PAGES_LINK};
    reset(OK ETAG BODY);
    read_all();
    char first[RLK_VALIDATOR_SIZE];
    memcpy(first, kept, sizeof first);
    options.validator = first;
    options.pages = &pages;
    assert_int_equal(read_all(), RLK_READ_END);
    assert_false(asked_on_condition(1));
    assert_string_equal(kept, "");
}

int
main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged__what_the_server_told_is_sent_back),
        cmocka_unit_test(
            test_unchanged__a_changed_body_is_read_and_gives_its_own),
        cmocka_unit_test(test_unchanged__it_stays_so_however_often_it_is_asked),
        cmocka_unit_test(test_unchanged__nobody_asked_whether_it_had_changed),
        cmocka_unit_test(test_unchanged__what_proves_nothing_is_not_kept),
        cmocka_unit_test(test_unchanged__a_long_etag_is_not_kept),
        cmocka_unit_test(
            test_unchanged__a_body_whose_end_is_not_proven_gives_none),
        cmocka_unit_test(
            test_unchanged__another_place_is_asked_without_a_condition),
        cmocka_unit_test(test_unchanged__only_where_redirects_lead_is_asked),
        cmocka_unit_test(test_unchanged__one_page_says_nothing_of_the_next),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
