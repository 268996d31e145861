/* SPDX-License-Identifier: MIT
 * A command of the program, as data: from its rows come the parser, the short
 * and the long help, the manual page and the completions. To add a command:
 * write src/cli/NAME.c with a `const struct rlk_command rlk_command_NAME`, and
 * add one row in commands.c.
 *
 * A run function gets what the parser accepted, prints data on stdout and
 * speech on stderr (speak.h), and answers the exit status. */
#ifndef RLK_CLI_COMMAND_H
#define RLK_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum rlk_exit {
    RLK_EXIT_DONE = 0,
    RLK_EXIT_FAILED = 1,
    RLK_EXIT_USAGE = 2,
    RLK_EXIT_PENDING = 3,
    RLK_EXIT_CONFLICTS = 4,
    RLK_EXIT_NOT_LOCKED = 5, /* or otherwise: try again later */
    RLK_EXIT_REJECTED = 6,
    RLK_EXIT_RUNNING = 11,
    RLK_EXIT_CANNOT_RUN = 126,
    RLK_EXIT_NOT_FOUND = 127,
    RLK_EXIT_SIGNAL = 128 /* plus the signal's number */
};

struct rlk_option {
    const char *name;     /* "wait" makes --wait; no dashes */
    char letter;          /* 'E' makes -E; 0: none */
    const char *argument; /* "DURATION"; NULL: a flag */
    const char *help;     /* one line, lower case, no full stop */
    bool repeats;         /* every use counts; else the last one wins */
    bool environment;     /* ROWLOCK_WAIT stands in where --wait is not given; a
                             flag is on for 1, yes, true, on */
    bool hidden;          /* works, but no help shows it */
};

struct rlk_example {
    const char *line; /* after "rowlock " */
    const char *says; /* what it does: a few words */
};

struct rlk_status { /* an exit status beyond those that all commands share */
    const char *status, *means;
};

enum { RLK_EXAMPLES = 3, RLK_OPTIONS = 12, RLK_STATUSES = 12, RLK_ANY = -1 };

struct rlk_args;

struct rlk_command {
    const char *name;
    const char *summary;     /* one line, lower case, no full stop */
    const char *operands;    /* as in usage: "DATABASE TABLE KEY ..." */
    const char *description; /* paragraphs, parted by an empty line; a line
                                that starts with a blank stays as it is */
    int min_operands, max_operands; /* RLK_ANY: no upper limit */
    bool takes_program;             /* what follows "--" is a command to run */
    bool hidden;
    struct rlk_option options[RLK_OPTIONS];    /* ends with a NULL name */
    struct rlk_example examples[RLK_EXAMPLES]; /* all three are given */
    struct rlk_status statuses[RLK_STATUSES];  /* ends with a NULL status */
    int (*run)(const struct rlk_args *args);
};

/* What several commands share. */
#define RLK_ANY_DATABASE \
    "DATABASE is a path, sqlite:PATH or a postgresql:// URL.\n"
#define RLK_OPTION_JSON                       \
    {                                         \
        .name = "json", .environment = true,  \
        .help = "print JSON instead of text", \
    }
#define RLK_OPTION_WAIT                                                  \
    {                                                                    \
        .name = "wait", .argument = "DURATION", .environment = true,     \
        .help = "wait so long at most, such as 500ms, 5s, 2m, 1h or 1d", \
    }
#define RLK_OPTION_NOWAIT                        \
    {                                            \
        .name = "nowait", .environment = true,   \
        .help = "do not wait for a lock at all", \
    }

#define RLK_STATUS_NOT_LOCKED                                         \
    {                                                                 \
        "5", "a lock was not available (--nowait, or --wait ran out)" \
    }

/* All commands, in the order in which help shows them; ends with NULL. */
extern const struct rlk_command *const rlk_commands[];
/* NULL when there is none of this name. */
const struct rlk_command *rlk_command_find(const char *name);
/* The command that was meant by name, or NULL. */
const char *rlk_command_nearest(const char *name);

/* What was given; all strings are borrowed from argv and the environment. */
const char *rlk_args_operand(const struct rlk_args *args, size_t i);
size_t rlk_args_count(const struct rlk_args *args); /* of operands */
/* The command to run, as for exec; NULL when there is none. */
char *const *rlk_args_program(const struct rlk_args *args);
bool rlk_args_has(const struct rlk_args *args, const char *option);
/* The option's last value; NULL when it was not given. */
const char *rlk_args_value(const struct rlk_args *args, const char *option);
/* The next value of an option that repeats: start with *at = 0; NULL: no more.
 */
const char *rlk_args_next(const struct rlk_args *args, const char *option,
                          size_t *at);
const struct rlk_command *rlk_args_command(const struct rlk_args *args);

#endif
