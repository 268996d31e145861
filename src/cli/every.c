/* SPDX-License-Identifier: MIT
 * The intervals are counted from the first run, so they do not drift; a run
 * that takes longer than one is followed by the next at the next, and never
 * overlaps it. Each begins at a random moment of the first tenth of its
 * interval, so that many do not ask a source at once.
 *
 * Signals: held back but while a run is under way (interrupt.h), so that none
 * is lost in between; what is waited for then is a signal or the time. */
#include "cli/every.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/moment.h"
#include "cli/speak.h"

struct every {
    const char *path;
    struct rlk_definition *d;
    const struct rlk_import_options *o;
    int64_t interval_ms, start_ms;
    bool had_terminal; /* a controlling one */
};

int64_t
rlk_every_next(int64_t start_ms, int64_t interval_ms, int64_t now_ms,
               uint64_t random)
{
    int64_t begun = (now_ms - start_ms) / interval_ms;
    int64_t spread = interval_ms / 10 + 1;
    return start_ms + (begun + 1) * interval_ms +
           (int64_t)(random % (uint64_t)spread);
}

/* ---- the definition ---- */

static void
read_anew(struct every *e)
{
    rowlock_error err = {0};
    struct rlk_definition *d;
    if (rlk_definition_read(e->path, &d, &err)) {
        rlk_speak_error(NULL, &err);
        rlk_speak("sync: the definition as it was stays in use");
        return;
    }
    rlk_definition_free(e->d);
    e->d = d;
    rlk_speak("sync: '%s' is read anew", e->path);
}

/* ---- waiting ---- */

static bool
has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* SIGHUP: from somebody who wants the definition to be read anew, or because
 * the terminal that it runs in has gone. */
static bool
is_hung_up(const struct every *e)
{
    return e->had_terminal && !has_terminal();
}

static void
show_next(int64_t wait_ms, bool *ret_shown)
{
    char at[RLK_MOMENT_TEXT];
    *ret_shown = rlk_speak_over();
    if (!*ret_shown)
        return;
    rlk_moment_print(rlk_moment_now() + wait_ms * 1000, at);
    fprintf(stderr, "\rnext run at %s\033[K", at + strlen("2026-11-25 "));
    fflush(stderr);
}

/* Until it is time (0), or the signal that ends it all. */
static int
wait_until(struct every *e, int64_t until_ms)
{
    bool shown = false;
    for (int64_t left; (left = until_ms - rlk_moment_clock_ms()) > 0;) {
        show_next(left, &shown);
        int number = rlk_interrupt_wait(left);
        if (shown)
            fputs("\r\033[K", stderr);
        if (number && (number != SIGHUP || is_hung_up(e)))
            return number;
        if (number)
            read_anew(e);
    }
    return 0;
}

/* ---- running ---- */

/* 0, or the signal that ends it all. */
static int
after_run(struct every *e)
{
    uint64_t random = 0;
    if (rlk_interrupted())
        return rlk_interrupted();
    if (rlk_interrupt_reload()) {
        if (is_hung_up(e))
            return SIGHUP;
        read_anew(e);
    }
    int64_t now = rlk_moment_clock_ms();
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint64_t)now;
    return wait_until(e,
                      rlk_every_next(e->start_ms, e->interval_ms, now, random));
}

int
rlk_every_run(const char *path, struct rlk_definition *d,
              const struct rlk_import_options *o, int64_t interval_ms)
{
    struct every e = {.path = path,
                      .d = d,
                      .o = o,
                      .interval_ms = interval_ms,
                      .start_ms = rlk_moment_clock_ms(),
                      .had_terminal = has_terminal()};
    int number = 0, status = 0;
    bool unheard = false;
    rlk_interrupt_hold();
    while (!number && !unheard) {
        status = rlk_import_run(e.d, o, &unheard);
        if (!unheard)
            number = after_run(&e);
    }
    rlk_definition_free(e.d);
    return number ? RLK_EXIT_SIGNAL + number : status;
}
