/* SPDX-License-Identifier: MIT
 * For tests: a server on loopback that says what it is told, byte by byte, and
 * keeps what it was asked. */
#ifndef RLK_SOURCE_FIXTURE_H
#define RLK_SOURCE_FIXTURE_H

#include <pthread.h>
#include <stddef.h>

#include "source.h"

enum { SERVER_REQUESTS = 16, SERVER_REQUEST_BYTES = 2048 };

struct server_answer {
    const char *bytes;
    size_t len;
};

/* Each connection is one request, and is closed behind its answer. Answers are
 * taken in turn, the last one for all that follow; set and read them while
 * nothing is asked. */
struct server {
    struct server_answer answers[SERVER_REQUESTS];
    size_t n_answers;
    size_t n_asked;
    char asked[SERVER_REQUESTS][SERVER_REQUEST_BYTES]; /* the first of them */
    char url[64];                                      /* without a path */
    int fd;
    pthread_t thread;
};

void server_start(struct server *s);
void server_stop(struct server *s);
/* Forgets the answers and what was asked. */
void server_reset(struct server *s);
void server_say(struct server *s, const char *bytes, size_t len);
void server_say_text(struct server *s, const char *text);

/* How many records are handed out; -1: the reading failed. */
int read_records(const struct rlk_reader_options *o, rowlock_error *err);

#endif
