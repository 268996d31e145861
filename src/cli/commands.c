/* SPDX-License-Identifier: MIT
 * The list of commands: one row each. What a command is stands in command.h;
 * the rows themselves stand at the top of the commands' own files. */
#include "cli/command.h"

#include <string.h>

#include "base/text.h"

extern const struct rlk_command rlk_command_upsert;
extern const struct rlk_command rlk_command_lock;
extern const struct rlk_command rlk_command_locks;
extern const struct rlk_command rlk_command_doctor;
extern const struct rlk_command rlk_command_init;
extern const struct rlk_command rlk_command_sync;
extern const struct rlk_command rlk_command_runs;
extern const struct rlk_command rlk_command_help;
extern const struct rlk_command rlk_command_version;

/* clang-format off */
const struct rlk_command *const rlk_commands[] = {
    &rlk_command_upsert,
    &rlk_command_lock,
    &rlk_command_locks,
    &rlk_command_doctor,
    &rlk_command_init,
    &rlk_command_sync,
    &rlk_command_runs,
    &rlk_command_help,
    &rlk_command_version,
    NULL,
};
/* clang-format on */

const struct rlk_command *
rlk_command_find(const char *name)
{
    for (size_t i = 0; rlk_commands[i]; i++)
        if (strcmp(rlk_commands[i]->name, name) == 0)
            return rlk_commands[i];
    return NULL;
}

const char *
rlk_command_nearest(const char *name)
{
    const char *names[sizeof rlk_commands / sizeof rlk_commands[0]];
    size_t n = 0;
    for (size_t i = 0; rlk_commands[i]; i++)
        if (!rlk_commands[i]->hidden)
            names[n++] = rlk_commands[i]->name;
    names[n] = NULL;
    return rlk_nearest(name, names);
}
