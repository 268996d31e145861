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

enum { RLK_ALL_STATUSES = RLK_STATUSES + 8 };
/* The exit statuses of a command (NULL: those that all share), its own among
 * and in place of the shared ones; ends with a NULL status. */
void rlk_help_statuses(const struct rlk_command *command,
                       struct rlk_status ret[RLK_ALL_STATUSES]);
/* "--wait DURATION", "-E, --conflict-exit-code N". */
void rlk_option_spell(const struct rlk_option *option, char *ret, size_t size);

/* Words of text, up to its end or an empty line, in lines of 79 columns: from
 * column on, with indent blanks before each further line. Answers what comes
 * behind. */
const char *rlk_help_fill(FILE *out, const char *text, size_t column,
                          size_t indent);

/* manual.c: a page for man(1), NULL: of the program itself; and completions
 * for bash. */
void rlk_manual_page(const struct rlk_command *command);
void rlk_manual_completions(void);

#endif
