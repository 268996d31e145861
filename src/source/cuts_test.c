/* SPDX-License-Identifier: MIT
 * Three records, cut at every byte, in every format and by every way that a
 * body may come: is it ever taken for a whole one? */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "fixture.h"
#include "source.h"

static const struct form {
    const char *type, *records; /* content type; pointer, or NULL */
    enum rlk_format format;
    const char *body;
    size_t ends[3]; /* rows only: lengths at which a row ends, but the last */
} forms[] = {
    {"application/json",
     NULL,
     RLK_FORMAT_JSON,
     "[{\"a\":\"1\",\"b\":[1.5e1,{}]},\n "
     "{\"a\":\"2,]\"},{\"a\":\"\\u00e9\"}]\n",
     {0}},
    {"application/json",
     "/d/items",
     RLK_FORMAT_JSON,
     "{\"n\":-3,\"d\":{\"items\":[{\"a\":\"1\"},{\"a\":\"}\"},{\"a\":null}],"
     "\"x\":[true]},\"next\":\"\"} \r\n",
     {0}},
    {"application/json",
     NULL,
     RLK_FORMAT_JSON,
     "{\"n\":12,\"items\":[{\"a\":1},{\"a\":2},{\"a\":3}],\"e\":\"\\\"\"}",
     {0}},
    {"application/x-ndjson",
     NULL,
     RLK_FORMAT_NDJSON,
     "{\"a\":1}\n{\"a\":\"2\\n\"}\r\n{\"a\":3,\"b\":7}\n",
     {8, 21}},
    {"text/csv",
     NULL,
     RLK_FORMAT_CSV,
     "a,b\r\n1,one\r\n2,\"t\"\"w,\r\no\"\r\n3,three\r\n",
     {5, 12, 26}},
    {"text/tab-separated-values",
     NULL,
     RLK_FORMAT_TSV,
     "a\tb\n1\tone\n2\t\"two\"\n3\tthree\n",
     {4, 10, 18}},
};
enum { FORMS = sizeof forms / sizeof forms[0], CHUNK = 7 };

static struct server server;
static char folder[] = "/tmp/rowlock-cuts-XXXXXX", path[64], url[80];

static int
start(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/body", folder);
    server_start(&server);
    snprintf(url, sizeof url, "%s/x", server.url);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    server_stop(&server);
    unlink(path);
    return rmdir(folder);
}

/* The records that were handed out; -1: the reading failed. */
static int
read_all(const struct form *f, const char *from)
{
    struct rlk_arena arena = {0};
    struct rlk_pointer records;
    struct rlk_reader_options o = {
        .url = from, .format = f->format, .limits = RLK_SOURCE_LIMITS_INIT};
    if (f->records) {
        assert_int_equal(rlk_pointer_parse(f->records, &arena, &records, NULL),
                         0);
        o.records = &records;
    }
    int n = read_records(&o, NULL);
    rlk_arena_done(&arena);
    return n;
}

static bool
is_space(const char *text)
{
    return !text[strspn(text, " \t\r\n")];
}

/* How many rows end at len, with their line ends; -1: none does. */
static int
rows_ended(const struct form *f, size_t len)
{
    bool header = f->format >= RLK_FORMAT_CSV;
    for (int i = 0; i < 3; i++)
        if (f->ends[i] == len && len)
            return i + !header;
    return -1;
}

/* len bytes of the body have come, and nothing says that there are more. */
static void
assert_end_is_believed_only_behind_a_row(const struct form *f, size_t len,
                                         int n)
{
    if (is_space(f->body + len))
        assert_int_equal(n, 3);
    else
        assert_int_equal(n, rows_ended(f, len));
}

static void
test_cuts__whole_bodies_are_whole(void **state)
{
    (void)state;
    for (const struct form *f = forms; f < forms + FORMS; f++) {
        struct rlk_buf RLK_AUTOBUF answer = {0};
        rlk_buf_format(&answer,
                       "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                       strlen(f->body), f->body);
        server_reset(&server);
        server_say_text(&server, answer.ptr);
        assert_int_equal(read_all(f, url), 3);
    }
}

static void
test_cuts__a_length_that_is_not_reached(void **state)
{
    (void)state;
    for (const struct form *f = forms; f < forms + FORMS; f++) {
        struct rlk_buf RLK_AUTOBUF answer = {0};
        rlk_buf_format(&answer,
                       "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                       strlen(f->body));
        size_t head = answer.len;
        rlk_buf_text(&answer, f->body);
        for (size_t len = head; len < answer.len; len++) {
            server_reset(&server);
            server_say(&server, answer.ptr, len);
            assert_int_equal(read_all(f, url), -1);
        }
    }
}

static void
test_cuts__chunks_without_the_last_one(void **state)
{
    (void)state;
    for (const struct form *f = forms; f < forms + FORMS; f++) {
        struct rlk_buf RLK_AUTOBUF answer = {0};
        rlk_buf_text(&answer, "HTTP/1.1 200 OK\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n");
        size_t head = answer.len, len = strlen(f->body);
        for (size_t at = 0; at < len; at += CHUNK) {
            int n = (int)(len - at < CHUNK ? len - at : CHUNK);
            rlk_buf_format(&answer, "%x\r\n%.*s\r\n", (unsigned)n, n,
                           f->body + at);
        }
        rlk_buf_text(&answer, "0\r\n\r\n");
        for (size_t cut = head; cut <= answer.len; cut++) {
            server_reset(&server);
            server_say(&server, answer.ptr, cut);
            int n = read_all(f, url);
            if (cut < answer.len - 4) /* the chunk of length 0 is not there */
                assert_int_equal(n, -1);
            else
                assert_true(n == 3 || (n == -1 && cut < answer.len));
        }
    }
}

static void
test_cuts__a_connection_that_ends_without_a_length(void **state)
{
    (void)state;
    for (const struct form *f = forms; f < forms + FORMS; f++) {
        struct rlk_buf RLK_AUTOBUF answer = {0};
        rlk_buf_text(&answer, "HTTP/1.0 200 OK\r\n\r\n");
        size_t head = answer.len, len = strlen(f->body);
        rlk_buf_text(&answer, f->body);
        for (size_t cut = 0; cut <= len; cut++) {
            server_reset(&server);
            server_say(&server, answer.ptr, head + cut);
            int n = read_all(f, url);
            bool unended = f->ends[0] && cut < len && is_space(f->body + cut);
            if (unended) /* its last row has no line end */
                assert_int_equal(n, -1);
            else
                assert_end_is_believed_only_behind_a_row(f, cut, n);
        }
    }
}

/* The length of a file proves itself, so that its last row needs no line end:
 * brackets alone tell that one was cut. */
static void
test_cuts__a_file(void **state)
{
    (void)state;
    for (const struct form *f = forms; f->format == RLK_FORMAT_JSON; f++)
        for (size_t cut = 0; cut <= strlen(f->body); cut++) {
            FILE *file = fopen(path, "w");
            assert_non_null(file);
            fwrite(f->body, 1, cut, file);
            fclose(file);
            assert_end_is_believed_only_behind_a_row(f, cut, read_all(f, path));
        }
}

int
main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts__whole_bodies_are_whole),
        cmocka_unit_test(test_cuts__a_length_that_is_not_reached),
        cmocka_unit_test(test_cuts__chunks_without_the_last_one),
        cmocka_unit_test(test_cuts__a_connection_that_ends_without_a_length),
        cmocka_unit_test(test_cuts__a_file),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
