/* SPDX-License-Identifier: MIT
 * One line, written over itself a few times a second. Invariant: it is on the
 * screen only while visible is set, and whoever speaks clears it first. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/moment.h"
#include "cli/speak.h"

enum { EVERY_MS = 200, WORTH_SAYING_MS = 1000 };

void
rlk_progress_start(struct rlk_progress *p)
{
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    p->terminal = rlk_speak_over();
    p->start_ms = p->shown_ms = rlk_moment_clock_ms();
}

double
rlk_progress_seconds(const struct rlk_progress *p)
{
    return (double)(rlk_moment_clock_ms() - p->start_ms) / 1000;
}

/* ---- notes ---- */

void
rlk_progress_note_wait(int64_t ms, const char *why, void *arg)
{
    struct rlk_progress *p = arg;
    pthread_mutex_lock(&p->lock);
    p->until_ms = ms >= WORTH_SAYING_MS ? rlk_moment_clock_ms() + ms : 0;
    p->wait_ms = ms;
    p->unsaid = p->until_ms != 0;
    snprintf(p->why, sizeof p->why, "%s", why ? why : "");
    pthread_mutex_unlock(&p->lock);
}

void
rlk_progress_note_pages(uint64_t pages, void *arg)
{
    struct rlk_progress *p = arg;
    pthread_mutex_lock(&p->lock);
    p->pages = pages;
    pthread_mutex_unlock(&p->lock);
}

uint64_t
rlk_progress_pages(struct rlk_progress *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t pages = p->pages;
    pthread_mutex_unlock(&p->lock);
    return pages;
}

/* ---- the screen ---- */

static int
width_of_terminal(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col;
    return known ? size.ws_col : 80;
}

static void
draw(struct rlk_progress *p)
{
    int64_t now = rlk_moment_clock_ms();
    struct rlk_buf RLK_AUTOBUF line = {0};
    struct rlk_progress_state s = {.records = p->records,
                                   .elapsed_ms = now - p->start_ms};
    memcpy(s.held, p->held, sizeof s.held);
    pthread_mutex_lock(&p->lock);
    s.pages = p->pages;
    s.again_ms = p->until_ms > now ? p->until_ms - now : 0;
    memcpy(s.why, p->why, sizeof s.why);
    pthread_mutex_unlock(&p->lock);
    rlk_progress_line(&s, width_of_terminal(), &line);
    if (line.failed || !line.ptr)
        return;
    p->shown_ms = now;
    if (p->visible && strcmp(line.ptr, p->line) == 0)
        return;
    fprintf(stderr, "\r%s\033[K", line.ptr);
    fflush(stderr);
    p->visible = true;
    snprintf(p->line, sizeof p->line, "%s", line.ptr);
}

/* Without a terminal: once for each wait. */
static void
say_wait(struct rlk_progress *p)
{
    char why[sizeof p->why], text[32];
    pthread_mutex_lock(&p->lock);
    bool unsaid = p->unsaid;
    int64_t wait = p->wait_ms;
    p->unsaid = false;
    memcpy(why, p->why, sizeof why);
    pthread_mutex_unlock(&p->lock);
    if (!unsaid)
        return;
    rlk_duration_print(wait, text, sizeof text);
    rlk_speak("asking the source again in %s: %s", text, why);
}

void
rlk_progress_tick(struct rlk_progress *p)
{
    if (!p->terminal)
        say_wait(p);
    else if (rlk_moment_clock_ms() - p->shown_ms >= EVERY_MS)
        draw(p);
}

void
rlk_progress_show(struct rlk_progress *p, uint64_t records)
{
    p->records = records;
    p->held[0] = 0;
    rlk_progress_tick(p);
}

void
rlk_progress_held(struct rlk_progress *p, const rowlock_wait_notice *notice)
{
    if (!p->terminal) {
        rlk_speak_wait(notice, NULL);
        return;
    }
    rlk_wait_print(notice, p->held, sizeof p->held);
    draw(p);
}

void
rlk_progress_clear(struct rlk_progress *p)
{
    if (p->visible)
        fputs("\r\033[K", stderr);
    p->visible = false;
}
