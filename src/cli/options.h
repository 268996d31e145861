/* SPDX-License-Identifier: MIT
 * The parser of a command's line, driven by its rows (command.h). */
#ifndef RLK_CLI_OPTIONS_H
#define RLK_CLI_OPTIONS_H

#include <stdint.h>

#include "cli/command.h"

struct rlk_given {
    const struct rlk_option *option;
    const char *value; /* NULL: a flag */
    bool environment;  /* it came from its variable */
};

struct rlk_args {
    const struct rlk_command *command;
    const char **operands;
    size_t n_operands;
    char *const *program;
    struct rlk_given *given;
    size_t n_given;
    bool help_short, help_long; /* -h, --help: nothing else is checked */
};

/* Parse what follows the command's name; argv ends with NULL. Answers 0, or
 * says what is wrong and answers RLK_EXIT_USAGE. */
int rlk_args_parse(const struct rlk_command *command, char *const *argv,
                   struct rlk_args *ret);
void rlk_args_done(struct rlk_args *args);

enum { RLK_VARIABLE = 64 };
/* "ROWLOCK_WAIT" for "wait". */
void rlk_option_variable(const struct rlk_option *option,
                         char ret_name[RLK_VARIABLE]);

/* ---- what several commands read from their options ---- */

/* --wait and --nowait as a wait policy; 0s does not wait. Says what is wrong
 * and answers RLK_EXIT_USAGE. */
int rlk_args_wait(const struct rlk_args *args, int32_t *ret_ms);

/* It stands on the line, and does not come from its variable. */
bool rlk_args_typed(const struct rlk_args *args, const char *option);

/* Wrong usage: says "rowlock COMMAND: message" and a hint (may be NULL);
 * answers RLK_EXIT_USAGE. */
int rlk_usage(const struct rlk_command *command, const char *hint,
              const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
