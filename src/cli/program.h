/* SPDX-License-Identifier: MIT
 * Running a command while records are locked, as a shell would. */
#ifndef RLK_CLI_PROGRAM_H
#define RLK_CLI_PROGRAM_H

#include <stdbool.h>

/* Run argv (found in PATH) and wait for its end. It inherits every file that is
 * not close-on-exec. Signals that other programs send to this one go on to the
 * command; those of the terminal reach it by themselves.
 *
 * Answers the exit status as in the shell: its own, 128 + n when signal n
 * ended it, 127 when there is no such command, 126 when it cannot be run; the
 * last two are said. *ret_left: something that the command started still runs
 * and has the files it inherited. */
int rlk_program_run(char *const *argv, bool *ret_left);

#endif
