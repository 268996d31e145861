/* SPDX-License-Identifier: MIT
 * Ctrl-C and SIGTERM while a command works: the first leaves cleanly (what is
 * waited for is cancelled, locks go back), the second ends the program at
 * once. */
#ifndef RLK_CLI_INTERRUPT_H
#define RLK_CLI_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

/* From now on a signal calls cancel(target), which must be safe in a signal
 * handler. A signal that the program was told to ignore stays ignored. */
void rlk_interrupt_watch(void (*cancel)(void *target), void *target);
/* Signals end the program again, as at its start. */
void rlk_interrupt_unwatch(void);
/* For a command that stays, after each run watches again: between
 * rlk_interrupt_unwatch() and _watch() signals are held back, and SIGHUP calls
 * nobody: see rlk_interrupt_reload(). */
void rlk_interrupt_hold(void);
/* Whether SIGHUP came since the last call. */
bool rlk_interrupt_reload(void);
/* While they are held back: waits for one, so long at most. Answers its number,
 * or 0. */
int rlk_interrupt_wait(int64_t ms);

/* The signal that came, or 0. */
int rlk_interrupted(void);

#endif
