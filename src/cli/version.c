/* SPDX-License-Identifier: MIT
 * rowlock version. */
#include <stdio.h>

#include "cli/command.h"
#include "rowlock/rowlock.h"

static int
run(const struct rlk_args *args)
{
    if (rlk_args_has(args, "json"))
        printf("{\"rowlock\": \"%s\"}\n", ROWLOCK_VERSION);
    else
        printf("rowlock %s\n", ROWLOCK_VERSION);
    return RLK_EXIT_DONE;
}

const struct rlk_command rlk_command_version = {
    .name = "version",
    .summary = "print the version",
    .operands = "",
    .description = "\"rowlock doctor DATABASE\" also tells the versions of "
                   "what Rowlock stands on, and what follows from them.",
    .options = {RLK_OPTION_JSON},
    .examples = {{"version", "for people"},
                 {"version --json", "for programs"},
                 {"--version", "the same as \"rowlock version\""}},
    .run = run,
};
