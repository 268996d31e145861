/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/scarce.h"
#include "base/text.h"
#include "source.h"

static char folder[] = "/tmp/rowlock-reader-XXXXXX";
static char path[64];
static rowlock_error err;
static struct rlk_reader_options options;

static void
write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

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
reset(void)
{
    memset(&err, 0, sizeof err);
    options = (struct rlk_reader_options){.url = path,
                                          .limits = RLK_SOURCE_LIMITS_INIT};
}

/* Reads all: "number=text of a;" or "number!line...;" of each record. */
static int
read_all(struct rlk_buf *out)
{
    struct rlk_reader *r;
    struct rlk_remote remote;
    enum rlk_read what = RLK_READ_RECORD;
    RLK_TRY(rlk_reader_open(&options, &r, &err));
    int rc;
    while (!(rc = rlk_reader_next(r, &remote, &what, &err)) &&
           what != RLK_READ_END) {
        if (what == RLK_READ_REJECTED)
            rlk_buf_format(out, "%d!%s: %s;", (int)remote.number,
                           remote.reason.context, remote.reason.message);
        else
            rlk_buf_format(out, "%d=%.*s;", (int)remote.number,
                           (int)remote.root[1].len, remote.root[1].text);
    }
    rlk_reader_close(r);
    return rc;
}

static void
test_reader__a_bad_record_is_rejected_alone_with_its_place(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0};
    reset();
    write_file("[{\"a\":1},\n{\"a\":\n01},{\"a\":\"\xFF\"},\n{\"a\":2}, 7]");
    assert_int_equal(read_all(&out), 0);
    assert_string_equal(out.ptr, "1=1;"
                                 "2!line 3, byte 17: not a JSON value;"
                                 "3!line 3, byte 27: invalid UTF-8;"
                                 "4=2;"
                                 "5!line 4, byte 41: a record is an object, "
                                 "not a number;");
}

/* Reads all, but runs change once the first record has come; the code. */
static int
read_while(void (*change)(void))
{
    struct rlk_reader *r;
    struct rlk_remote remote;
    enum rlk_read what;
    reset();
    assert_int_equal(rlk_reader_open(&options, &r, &err), 0);
    assert_int_equal(rlk_reader_next(r, &remote, &what, &err), 0);
    assert_int_equal(what, RLK_READ_RECORD);
    change();
    int rc = 0;
    while (!rc && what != RLK_READ_END)
        rc = rlk_reader_next(r, &remote, &what, &err);
    rlk_reader_close(r);
    return rc;
}

static void
append(void)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs(" ", f);
    fclose(f);
}

static void
write_over(void)
{
    const struct timespec times[2] = {{0, UTIME_OMIT}, {1, 0}};
    write_file("[{\"a\":3}, {\"a\":4}]");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
replace(void)
{
    char other[80];
    snprintf(other, sizeof other, "%s.new", path);
    assert_int_equal(rename(path, other), 0);
    write_file("[{\"a\":3}]");
    assert_int_equal(unlink(other), 0);
}

static void
change_nothing(void)
{
}

static void
test_reader__a_file_that_is_written_to_meanwhile_fails_at_its_end(void **state)
{
    (void)state;
    static const char text[] = "[{\"a\":1}, {\"a\":2}]";
    void (*const changes[])(void) = {append, write_over};
    for (int i = 0; i < 2; i++) {
        write_file(text);
        assert_int_equal(read_while(changes[i]), ROWLOCK_CONNECTION);
        assert_string_equal(err.sqlstate, "08006");
        assert_non_null(strstr(err.message, "the file changed while it was"));
    }
    write_file(text);
    assert_int_equal(read_while(change_nothing), 0);
    assert_int_equal(read_while(replace), 0);
}

static void
test_reader__a_large_file_arrives_whole(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0}, json = {0}, expected = {0};
    reset();
    for (int i = 1; i <= 60000; i++) {
        rlk_buf_format(&json, "%s{\"a\":%d, \"pad\":\"abc\"}",
                       i > 1 ? "," : "[", i);
        rlk_buf_format(&expected, "%d=%d;", i, i);
    }
    rlk_buf_text(&json, "]");
    write_file(json.ptr);
    assert_int_equal(read_all(&out), 0);
    assert_string_equal(out.ptr, expected.ptr);
}

static void
test_reader__a_cut_file_is_a_failure_with_its_place(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0};
    char context[128];
    reset();
    write_file("[{\"a\":1},{\"a\":2");
    assert_int_not_equal(read_all(&out), 0);
    assert_string_equal(err.message,
                        "the body is cut off: it ends within the list of "
                        "records");
    snprintf(context, sizeof context, "%s, line 1, byte 15", path);
    assert_string_equal(err.context, context);
    assert_string_equal(out.ptr, "1=1;");
}

static void
test_reader__a_file_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0};
    reset();
    write_file("[{\"a\":1},{\"a\":2}]");
    options.limits.body_bytes = 16;
    assert_int_not_equal(read_all(&out), 0);
    assert_non_null(strstr(err.message, "larger than 16 bytes"));
    options.limits.body_bytes = 17;
    assert_int_equal(read_all(&out), 0);
}

static void
test_reader__what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0};
    reset();
    options.url = "/nowhere/x.json";
    assert_int_equal(read_all(&out), ROWLOCK_IO);
    assert_string_equal(
        err.message,
        "could not open '/nowhere/x.json': No such file or directory");
    options.url = folder;
    assert_int_equal(read_all(&out), ROWLOCK_IO);
    options.url = "ftp://127.0.0.1/x";
    assert_int_equal(read_all(&out), ROWLOCK_UNSUPPORTED);
}

static void
test_reader__an_interrupt_ends_the_reading(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0};
    static volatile sig_atomic_t cancelled = 1;
    reset();
    write_file("[{\"a\":1}]");
    options.cancelled = &cancelled;
    assert_int_equal(read_all(&out), ROWLOCK_CANCELLED);
}

static void
test_reader__the_http_module_is_found_and_refuses_bad_urls(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0};
    reset();
    options.url = "http://user:secret@127.0.0.1:1/";
    assert_int_equal(read_all(&out), ROWLOCK_UNSUPPORTED);
    assert_string_equal(err.message,
                        "a url with a user or password is refused");
    options.url = "http://";
    assert_int_equal(read_all(&out), ROWLOCK_BAD_VALUE);
    options.url = "http://127.0.0.1:1/x.json";
    assert_int_equal(read_all(&out), ROWLOCK_CONNECTION);
    assert_non_null(strstr(err.message, options.url));
}

/* A server that the kernel answers for, and nobody else. */
static int
listen_silently(char *ret_url, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(ret_url, size, "http://127.0.0.1:%d/x.json", ntohs(at.sin_port));
    return fd;
}

static void
test_reader__a_silent_server_is_given_up(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF out = {0};
    char url[64], message[128];
    reset();
    int fd = listen_silently(url, sizeof url);
    options.url = url;
    options.limits.connect_ms = 10;
    options.limits.stall_ms = 50;
    assert_int_equal(read_all(&out), ROWLOCK_CONNECTION);
    snprintf(message, sizeof message, "'%s' sent nothing for 50 ms", url);
    assert_string_equal(err.message, message);
    close(fd);
}

static void
test_reader__a_server_that_stops_in_the_middle_is_given_up(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
                               "[{\"a\":1},";
    struct rlk_buf RLK_AUTOBUF out = {0};
    char url[64], request[1024];
    reset();
    int fd = listen_silently(url, sizeof url);
    pid_t server = fork();
    if (server == 0) {
        int c = accept(fd, NULL, NULL);
        if (read(c, request, sizeof request) > 0 &&
            write(c, head, sizeof head - 1) > 0)
            pause();
        _exit(1);
    }
    options.url = url;
    options.limits.stall_ms = 500;
    assert_int_equal(read_all(&out), ROWLOCK_CONNECTION);
    assert_non_null(strstr(err.message, "sent nothing for 500 ms"));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    close(fd);
}

static void
fail_every_allocation(enum rlk_format format, const char *body)
{
    int rc = -1;
    reset();
    options.format = format;
    write_file(body);
    for (long n = 0; rc; n++) {
        struct rlk_buf out = {0};
        rlk_scarce_begin(n);
        rc = read_all(&out);
        rlk_buf_done(&out);
        rlk_scarce_end();
        assert_true(rc == 0 || rc == ROWLOCK_NO_MEMORY);
    }
}

static void
test_reader__any_allocation_may_fail(void **state)
{
    (void)state;
    fail_every_allocation(
        RLK_FORMAT_JSON,
        "[{\"a\":1,\"b\":[1,2,3],\"c\":{\"d\":\"x\"}},{\"a\":2}]");
    fail_every_allocation(RLK_FORMAT_JSON, "{\"x\":[1], \"i\":[{\"a\":1}]}");
    fail_every_allocation(RLK_FORMAT_NDJSON, "{\"a\":1}\n{\"a\":2}\n");
    fail_every_allocation(RLK_FORMAT_CSV, "a,b\n1,\"x\"\"y\"\n2,3\n");
}

/* Reads all of it; the reader stays open. */
static struct rlk_reader *
read_for_hints(size_t keep_bytes, struct rlk_hints *ret)
{
    struct rlk_reader *r;
    struct rlk_remote remote;
    enum rlk_read what = RLK_READ_RECORD;
    options.keep_bytes = keep_bytes;
    assert_int_equal(rlk_reader_open(&options, &r, &err), 0);
    while (what != RLK_READ_END)
        assert_int_equal(rlk_reader_next(r, &remote, &what, &err), 0);
    assert_int_equal(rlk_reader_hints(r, ret, &err), 0);
    return r;
}

static void
test_reader__hints_have_what_stands_around_the_records(void **state)
{
    (void)state;
    static const char body[] = "\xEF\xBB\xBF{\"n\":7, \"x\":[{\"a\":1}]}";
    struct rlk_hints hints;
    reset();
    write_file(body);
    struct rlk_reader *r = read_for_hints(sizeof body - 1, &hints);
    assert_string_equal(hints.records, "/x");
    assert_int_equal(hints.root[1].len, 1);
    assert_memory_equal(hints.root[1].text, "7", 1);
    assert_memory_equal(hints.head, body, sizeof body - 1);
    assert_false(hints.has_link);
    assert_string_equal(hints.total, "");
    rlk_reader_close(r);
    r = read_for_hints(sizeof body - 2, &hints);
    assert_null(hints.root);
    assert_int_equal(hints.len, sizeof body - 2);
    rlk_reader_close(r);
}

int
main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_reader__a_bad_record_is_rejected_alone_with_its_place),
        cmocka_unit_test(
            test_reader__a_file_that_is_written_to_meanwhile_fails_at_its_end),
        cmocka_unit_test(test_reader__a_large_file_arrives_whole),
        cmocka_unit_test(test_reader__a_cut_file_is_a_failure_with_its_place),
        cmocka_unit_test(test_reader__a_file_over_the_limit_is_refused),
        cmocka_unit_test(test_reader__what_cannot_be_opened_says_why),
        cmocka_unit_test(test_reader__an_interrupt_ends_the_reading),
        cmocka_unit_test(
            test_reader__the_http_module_is_found_and_refuses_bad_urls),
        cmocka_unit_test(test_reader__a_silent_server_is_given_up),
        cmocka_unit_test(
            test_reader__a_server_that_stops_in_the_middle_is_given_up),
        cmocka_unit_test(
            test_reader__hints_have_what_stands_around_the_records),
        cmocka_unit_test(test_reader__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
