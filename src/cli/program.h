/* SPDX-License-Identifier: MIT
 * Running a command while records are locked, as a shell would. */
#ifndef RLK_CLI_PROGRAM_H
#define RLK_CLI_PROGRAM_H

#include <stdbool.h>

/* Something to look after meanwhile: while fd is readable, or closed at its
 * other end, on_news is called, which answers whether to go on. */
struct rlk_program_watch {
    int fd;
    bool (*on_news)(void *arg);
    void *arg;
};

/* Run argv (found in PATH) and wait for its end. It inherits every file that is
 * not close-on-exec. Signals that other programs send to this one go on to the
 * command; those of the terminal reach it by themselves.
 *
 * Answers the exit status as in the shell: its own, 128 + n when signal n
 * ended it, 127 when there is no such command, 126 when it cannot be run; the
 * last two are said. *ret_left: something that the command started still runs
 * and has the files it inherited. watch: NULL for nothing. */
int rlk_program_run(char *const *argv, const struct rlk_program_watch *watch,
                    bool *ret_left);

#endif
