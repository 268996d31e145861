/* SPDX-License-Identifier: MIT
 * A source that is a file. One that is written to while it is read may be half
 * old and half new, or end too early: that fails the run at its end. (A file
 * that is replaced by a rename is read as it was.) */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"

enum { PIECE = 256 * 1024, SLICE_MS = 200 /* how soon an interrupt is seen */ };

struct file {
    struct rlk_body body;
    struct rlk_body_options o;
    int fd;
    struct stat opened; /* as it was then */
    uint64_t bytes;
    char piece[PIECE];
};

static int
check_cancelled(const struct file *f, rowlock_error *err)
{
    if (rlk_body_is_cancelled(&f->o))
        return rlk_fail(err, ROWLOCK_CANCELLED, "reading was interrupted");
    return 0;
}

/* Of a pipe that says nothing. */
static int
check_unchanged(const struct file *f, rowlock_error *err)
{
    const struct timespec *before = &f->opened.st_mtim;
    struct stat now;
    if (!S_ISREG(f->opened.st_mode) || fstat(f->fd, &now) != 0 ||
        (now.st_size == f->opened.st_size &&
         now.st_mtim.tv_sec == before->tv_sec &&
         now.st_mtim.tv_nsec == before->tv_nsec))
        return 0;
    rlk_fail(err, ROWLOCK_CONNECTION,
             "the file changed while it was read: '%.120s'", f->o.shown);
    rlk_hint(err, "Run it again. A file that is written under another name and "
                  "then renamed is never read half.");
    return ROWLOCK_CONNECTION;
}

static int
read_piece(struct rlk_body *b, const char **ret, size_t *ret_len,
           rowlock_error *err)
{
    struct file *f = (struct file *)b;
    struct pollfd ready = {.fd = f->fd, .events = POLLIN};
    ssize_t n = -1;
    do { /* a pipe may keep us waiting */
        RLK_TRY(check_cancelled(f, err));
        if (poll(&ready, 1, SLICE_MS) > 0)
            n = read(f->fd, f->piece, sizeof f->piece);
        else
            errno = EAGAIN;
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n < 0)
        return rlk_fail_errno(err, ROWLOCK_IO, "could not read '%.120s'",
                              f->o.shown);
    if (n == 0)
        RLK_TRY(check_unchanged(f, err));
    f->bytes += (uint64_t)n;
    RLK_TRY(
        rlk_body_check_size(f->bytes, f->o.limits.body_bytes, f->o.shown, err));
    *ret = f->piece;
    *ret_len = (size_t)n;
    return 0;
}

static void
close_file(struct rlk_body *b)
{
    struct file *f = (struct file *)b;
    close(f->fd);
    rlk_free(f);
}

static const struct rlk_body_ops file_ops = {read_piece, close_file};

int
rlk_file_open(const struct rlk_body_options *o, struct rlk_body **ret,
              rowlock_error *err)
{
    struct file *f = rlk_reallocarray(NULL, 1, sizeof *f);
    if (!f)
        return rlk_out_of_memory(err);
    f->body = (struct rlk_body){.framed = true};
    f->body.ops = &file_ops;
    f->o = *o;
    f->bytes = 0;
    f->fd = open(o->url, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (f->fd < 0) {
        rlk_fail_errno(err, ROWLOCK_IO, "could not open '%.120s'", o->shown);
        rlk_free(f);
        return ROWLOCK_IO;
    }
    if (fstat(f->fd, &f->opened) != 0)
        f->opened.st_mode = 0;
    *ret = &f->body;
    return 0;
}
