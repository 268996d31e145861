/* SPDX-License-Identifier: MIT
 * Help texts, made from the commands' rows. */
#ifndef RLK_CLI_HELP_H
#define RLK_CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

/* On stdout: all commands; one command in short (-h); one in full (--help).
 */
void rlk_help_overview(FILE *out);
void rlk_help_short(const struct rlk_command *command);
void rlk_help_long(const struct rlk_command *command);

/* Exit statuses that commands share; ends with a NULL status. */
extern const struct rlk_status rlk_statuses[];
/* "--wait DURATION", "-E, --conflict-exit-code N". */
void rlk_option_spell(const struct rlk_option *option, char *ret, size_t size);

/* manual.c: a page for man(1), NULL: of the program itself; and completions
 * for bash. */
void rlk_manual_page(const struct rlk_command *command);
void rlk_manual_completions(void);

#endif
