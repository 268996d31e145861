/* SPDX-License-Identifier: MIT
 * A session of a spec: a process with a session of the record API. It gets a
 * step's text, executes it, and says what came of it. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spec.h"

void
spec_say(struct spec_state *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->out + s->n_out, SPEC_TEXT - s->n_out, format, args);
    va_end(args);
    if (n > 0)
        s->n_out += (size_t)n;
    if (s->n_out >= SPEC_TEXT)
        s->n_out = SPEC_TEXT - 1;
}

static int
ask_pid(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_rows *rows;
    rowlock_value pid;
    int rc =
        rowlock_sql(b, "SELECT pg_backend_pid() AS pid", NULL, 0, &rows, err);
    if (!rc)
        rc = rowlock_record_get(rowlock_rows_at(rows, 0), "pid", &pid, err);
    if (!rc)
        *(int64_t *)arg = pid.u.i;
    return rc;
}

/* By which others know who waits: our process, or the server's for us. */
static int64_t
identity(struct spec_state *s)
{
    rowlock_error err;
    int64_t pid = getpid();
    if (engine() == POSTGRES && rowlock_atomic(s->db, ask_pid, &pid, &err)) {
        fprintf(stderr, "%s: %s\n", err.message, err.detail);
        exit(1);
    }
    return pid;
}

void
spec_serve(const struct spec *spec, const char *url, int link)
{
    static char text[SPEC_TEXT], out[SPEC_TEXT];
    struct spec_state s = {.spec = spec, .out = out};
    rowlock_error err;
    if (rowlock_open(url, NULL, &s.db, &err)) {
        fprintf(stderr, "%s: %s: %s\n", url, err.message, err.detail);
        exit(1);
    }
    int64_t pid = identity(&s);
    if (send(link, &pid, sizeof pid, 0) != sizeof pid)
        exit(1);
    ssize_t n;
    while ((n = recv(link, text, sizeof text - 1, 0)) > 0) {
        text[n] = 0;
        out[0] = 0;
        s.n_out = 0;
        if (!spec_execute(&s, text))
            exit(2);
        if (send(link, out, s.n_out + 1, MSG_NOSIGNAL) < 0)
            exit(1);
    }
    /* Its blocks end as those of a program that was killed. */
    _exit(0);
}
