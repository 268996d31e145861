/* SPDX-License-Identifier: MIT
 * rowlock: find the command, parse its line, run it. Next: command.h, then
 * options.c and help.c, then one file a command. */
#include <signal.h>
#include <string.h>

#include "cli/help.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "db/sqlite/program.h"

static int
unknown_command(const char *name)
{
    const char *meant = rlk_command_nearest(name);
    char hint[128];
    if (meant)
        snprintf(hint, sizeof hint, "Did you mean \"rowlock %s\"?", meant);
    return rlk_usage(NULL, meant ? hint : NULL, "unknown command \"%s\"", name);
}

static int
unknown_option(const char *name)
{
    static const char *const names[] = {"--help", "--version", NULL};
    const char *meant = rlk_nearest(name, names);
    char hint[128];
    snprintf(hint, sizeof hint, "Did you mean %s?", meant ? meant : "");
    return rlk_usage(
        NULL, meant ? hint : "The command comes first: rowlock COMMAND ...",
        "unknown option %s", name);
}

static int
run(const struct rlk_command *command, char *const *argv)
{
    struct rlk_args args;
    int rc = rlk_args_parse(command, argv, &args);
    if (rc)
        return rc;
    if (args.help_long)
        rlk_help_long(command);
    else if (args.help_short)
        rlk_help_short(command);
    else
        rc = command->run(&args);
    rlk_args_done(&args);
    return rlk_speak_done(rc);
}

static void
go_on(int number)
{
    (void)number;
}

/* A file that may not grow (ulimit -f) then fails its write, and that is told.
 * Not ignored, since a command that we run would inherit that. */
static void
survive_limits(void)
{
    const struct sigaction action = {.sa_handler = go_on,
                                     .sa_flags = SA_RESTART};
    sigaction(SIGXFSZ, &action, NULL);
}

int
main(int argc, char **argv)
{
    survive_limits();
    rlk_sqlite_set_up_program();
    if (argc < 2) {
        rlk_help_overview(stderr);
        return RLK_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
        name = "help";
    if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0)
        name = "version";
    if (name[0] == '-')
        return unknown_option(name);
    const struct rlk_command *command = rlk_command_find(name);
    return command ? run(command, argv + 2) : unknown_command(name);
}
