/* SPDX-License-Identifier: MIT
 * One handler for the signals that ask to leave. Invariant: the handler only
 * reads what was written before it was installed. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

static struct {
    void (*cancel)(void *target);
    void *target;
} watched;
static volatile sig_atomic_t came, hung_up;
static bool holding;
static sigset_t held; /* those of signals[] that are not ignored */

static void
leave(int number)
{
    came = number;
    watched.cancel(watched.target);
}

static void
note_hangup(int number)
{
    hung_up = number;
}

static bool
is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) != 0 || now.sa_handler == SIG_IGN;
}

static void
install(void (*handler)(int number), int flags)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        struct sigaction new = {.sa_handler = handler, .sa_flags = flags};
        if (holding && signals[i] == SIGHUP)
            new = (struct sigaction){.sa_handler = note_hangup};
        sigemptyset(&new.sa_mask);
        if (!is_ignored(signals[i]))
            sigaction(signals[i], &new, NULL);
    }
}

void
rlk_interrupt_watch(void (*cancel)(void *target), void *target)
{
    watched.cancel = cancel;
    watched.target = target;
    /* Once only: a second signal finds the default action. */
    install(leave, (int)SA_RESETHAND);
    if (holding)
        sigprocmask(SIG_UNBLOCK, &held, NULL);
}

void
rlk_interrupt_unwatch(void)
{
    if (holding)
        sigprocmask(SIG_BLOCK, &held, NULL);
    install(SIG_DFL, 0);
}

void
rlk_interrupt_hold(void)
{
    sigemptyset(&held);
    for (int i = 0; i < N_SIGNALS; i++)
        if (!is_ignored(signals[i]))
            sigaddset(&held, signals[i]);
    sigprocmask(SIG_BLOCK, &held, NULL);
    holding = true;
}

bool
rlk_interrupt_reload(void)
{
    bool was = hung_up != 0;
    hung_up = 0;
    return was;
}

int
rlk_interrupt_wait(int64_t ms)
{
    const struct timespec most = {ms / 1000, (long)(ms % 1000) * 1000000L};
    int number = sigtimedwait(&held, NULL, &most);
    return number > 0 ? number : 0;
}

int
rlk_interrupted(void)
{
    return came;
}
