/* SPDX-License-Identifier: MIT
 * One handler for the signals that ask to leave. Invariant: the handler only
 * reads what was written before it was installed. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

static struct {
    void (*cancel)(void *target);
    void *target;
} watched;
static volatile sig_atomic_t came;

static void
leave(int number)
{
    came = number;
    watched.cancel(watched.target);
}

static void
install(void (*handler)(int number), int flags)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        struct sigaction now, new = {.sa_handler = handler, .sa_flags = flags};
        sigemptyset(&new.sa_mask);
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
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
}

void
rlk_interrupt_unwatch(void)
{
    install(SIG_DFL, 0);
}

int
rlk_interrupted(void)
{
    return came;
}
