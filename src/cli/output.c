/* SPDX-License-Identifier: MIT
 * Writing without stdio: a signal in the middle of a write must not cost a part
 * of what is to be told. */
#include "cli/output.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

void
rlk_output_begin(void)
{
    signal(SIGPIPE, SIG_IGN);
}

/* Whoever shares the pipe may have made it one that does not block. */
static bool
wait_for_room(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

static bool
write_all(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0 && errno == EAGAIN) {
            if (!wait_for_room())
                return false;
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool
rlk_output_flush(struct rlk_output *o)
{
    if (!o->error && o->buf.failed)
        o->error = ENOMEM;
    if (!o->error && !write_all(o->buf.ptr, o->buf.len))
        o->error = errno;
    rlk_buf_clear(&o->buf);
    return o->error == 0;
}

void
rlk_output_done(struct rlk_output *o)
{
    rlk_buf_done(&o->buf);
}
