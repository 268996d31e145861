/* SPDX-License-Identifier: MIT
 * Saying things on stderr. Each thing said is one write, so that the lines of
 * two programs on one terminal do not mix. */
#include "cli/speak.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/interrupt.h"

#define RED   "\033[1;31m"
#define PLAIN "\033[0m"

bool
rlk_speak_coloured(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    if ((no && *no) || !terminal || strcmp(terminal, "dumb") == 0)
        return false;
    return isatty(fileno(stream)) == 1;
}

bool
rlk_speak_over(void)
{
    const char *terminal = getenv("TERM");
    return terminal && strcmp(terminal, "dumb") != 0 &&
           isatty(STDERR_FILENO) == 1;
}

bool
rlk_speak_to_journal(FILE *stream)
{
    const char *named = getenv("JOURNAL_STREAM"); /* "device:inode" */
    struct stat is;
    char text[64];
    if (!named || fstat(fileno(stream), &is))
        return false;
    snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)is.st_dev,
             (uintmax_t)is.st_ino);
    return strcmp(named, text) == 0;
}

void
rlk_buf_visible(struct rlk_buf *buf, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        size_t n = rlk_utf8_length(text, len);
        unsigned char c = (unsigned char)text[0];
        bool c1 = n == 2 && c == 0xC2 && (unsigned char)text[1] < 0xA0;
        if (n == 0)
            rlk_buf_format(buf, "\\x%02x", c);
        else if (c < 0x20 || c == 0x7F || c1)
            rlk_buf_format(buf, "\\x%02x", c1 ? (unsigned char)text[1] : c);
        else
            rlk_buf_add(buf, text, n);
        text += n ? n : 1;
        len -= n ? n : 1;
    }
}

size_t
rlk_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++) /* the first byte of each character */
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void
write_out(struct rlk_buf *buf)
{
    if (buf->ptr && !buf->failed)
        fwrite(buf->ptr, 1, buf->len, stderr);
    fflush(stderr);
    rlk_buf_done(buf);
}

/* Further lines of a text (the cycle of a deadlock) stand under its first. */
static void
add_part(struct rlk_buf *buf, const char *label, const char *text)
{
    if (!*text)
        return;
    rlk_buf_format(buf, "%8s ", label);
    for (;;) {
        size_t len = strcspn(text, "\n");
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        rlk_buf_visible(buf, line);
        rlk_buf_char(buf, '\n');
        if (!text[len])
            return;
        rlk_buf_text(buf, "         ");
        text += len + 1;
    }
}

static int
status_of(const rowlock_error *err)
{
    switch (err->code) {
    case ROWLOCK_MISUSE:
        return RLK_EXIT_USAGE;
    case ROWLOCK_NOT_AVAILABLE:
        return RLK_EXIT_NOT_LOCKED;
    case ROWLOCK_CANCELLED:
        return rlk_interrupted() ? RLK_EXIT_SIGNAL + rlk_interrupted()
                                 : RLK_EXIT_FAILED;
    default:
        return RLK_EXIT_FAILED;
    }
}

int
rlk_speak_error(const char *command, const rowlock_error *err)
{
    struct rlk_buf buf = {0};
    bool coloured = rlk_speak_coloured(stderr);
    rlk_buf_text(&buf, coloured ? RED "rowlock:" PLAIN " " : "rowlock: ");
    if (command)
        rlk_buf_format(&buf, "%s: ", command);
    rlk_buf_visible(&buf, err->message);
    rlk_buf_char(&buf, '\n');
    add_part(&buf, "detail:", err->detail);
    add_part(&buf, "hint:", err->hint);
    add_part(&buf, "context:", err->context);
    write_out(&buf);
    return status_of(err);
}

int
rlk_speak_failure(const struct rlk_args *args, const rowlock_error *err)
{
    const char *command = rlk_args_command(args)->name;
    if (err->code == ROWLOCK_CANCELLED && rlk_interrupted()) {
        rlk_speak("%s: interrupted, nothing was done", command);
        return status_of(err);
    }
    if (err->code != ROWLOCK_MISUSE || *err->hint)
        return rlk_speak_error(command, err);
    rowlock_error hinted = *err;
    rlk_hint(&hinted, "\"rowlock help %s\" explains it.", command);
    return rlk_speak_error(command, &hinted);
}

void
rlk_speak(const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    struct rlk_buf buf = {0};
    rlk_buf_text(&buf, "rowlock: ");
    rlk_buf_visible(&buf, text);
    rlk_buf_char(&buf, '\n');
    write_out(&buf);
}

void
rlk_wait_print(const rowlock_wait_notice *notice, char *ret_text, size_t size)
{
    char what[160], who[160];
    const char *label = notice->owner_label ? notice->owner_label : "";
    if (notice->kind == ROWLOCK_WRITER)
        snprintf(what, sizeof what, "the turn to write");
    else
        snprintf(what, sizeof what, "%s%s%s",
                 notice->table ? notice->table : "",
                 notice->key && *notice->key ? "/" : "",
                 notice->key ? notice->key : "");
    if (notice->pid)
        snprintf(who, sizeof who, "pid %" PRId64 "%s%s%s", notice->pid,
                 *label ? " (" : "", label, *label ? ")" : "");
    else
        snprintf(who, sizeof who, "%s", label);
    snprintf(ret_text, size, "waiting for %s: locked by %s", what, who);
}

void
rlk_speak_wait(const rowlock_wait_notice *notice, void *arg)
{
    (void)arg;
    char held[32], what[400];
    rlk_duration_print(notice->held_ms, held, sizeof held);
    rlk_wait_print(notice, what, sizeof what);
    rlk_speak("%s for %s", what, held);
}

int
rlk_speak_done(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    rlk_speak("could not write the result: %s", strerror(errno));
    return RLK_EXIT_FAILED;
}
