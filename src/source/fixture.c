/* SPDX-License-Identifier: MIT
 * The server of fixture.h is a thread, one connection at a time. */
#include "fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The whole header is read, so that closing resets nothing. */
static void
read_request(int fd, char *ret, size_t size)
{
    size_t len = 0;
    ret[0] = 0;
    while (!strstr(ret, "\r\n\r\n")) {
        ssize_t n = len < size - 1 ? read(fd, ret + len, size - 1 - len) : 0;
        if (n <= 0)
            return;
        len += (size_t)n;
        ret[len] = 0;
    }
}

static void
serve_one(struct server *s, int fd)
{
    char request[SERVER_REQUEST_BYTES];
    read_request(fd, request, sizeof request);
    struct server_answer a = {0}; /* a copy: the test goes on at its end */
    if (s->n_answers)
        a = s->answers[s->n_asked < s->n_answers ? s->n_asked
                                                 : s->n_answers - 1];
    if (s->n_asked < SERVER_REQUESTS)
        memcpy(s->asked[s->n_asked], request, sizeof request);
    s->n_asked++;
    for (size_t sent = 0; sent < a.len;) {
        ssize_t n = send(fd, a.bytes + sent, a.len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        sent += (size_t)n;
    }
}

static void *
serve(void *arg)
{
    struct server *s = arg;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        serve_one(s, fd);
        close(fd);
    }
    return NULL;
}

void
server_start(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->fd, 4), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void
server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR); /* ends accept() */
    pthread_join(s->thread, NULL);
    close(s->fd);
}

void
server_reset(struct server *s)
{
    s->n_answers = s->n_asked = 0;
}

void
server_say(struct server *s, const char *bytes, size_t len)
{
    assert_true(s->n_answers < SERVER_REQUESTS);
    s->answers[s->n_answers++] = (struct server_answer){bytes, len};
}

void
server_say_text(struct server *s, const char *text)
{
    server_say(s, text, strlen(text));
}

int
read_records(const struct rlk_reader_options *o, rowlock_error *err)
{
    struct rlk_reader *r = NULL;
    struct rlk_remote remote;
    enum rlk_read what = RLK_READ_RECORD;
    int n = 0;
    int rc = rlk_reader_open(o, &r, err);
    while (!rc && !(rc = rlk_reader_next(r, &remote, &what, err)) &&
           what != RLK_READ_END)
        n++;
    rlk_reader_close(r);
    return rc ? -1 : n;
}
