/* SPDX-License-Identifier: MIT
 * The command help, and the help texts of all commands. Every line is at most
 * WIDTH columns wide. The manual pages are made in manual.c. */
#include "cli/help.h"

#include <string.h>

#include "cli/options.h"
#include "cli/speak.h"

enum { WIDTH = 79 };

static int run_help(const struct rlk_args *args);

const struct rlk_command rlk_command_help = {
    .name = "help",
    .summary = "explain the program or one of its commands",
    .operands = "[COMMAND]",
    .max_operands = 1,
    .description =
        "Without COMMAND: the list of commands. With it: examples, usage, what "
        "the command does, its options and its exit statuses. \"rowlock "
        "COMMAND --help\" says the same, \"rowlock COMMAND -h\" only usage and "
        "options.",
    .options = {{.name = "man",
                 .hidden = true,
                 .help = "print the manual page in the form of man(7)"},
                {.name = "completions",
                 .hidden = true,
                 .help = "print the completions for bash"}},
    .examples = {{"help", "list the commands"},
                 {"help lock", "explain lock in full"},
                 {"lock -h", "only its usage and options"}},
    .run = run_help,
};

/* Shared statuses: these stand before a command's own, the last one behind. */
static const struct rlk_status first_statuses[] = {
    {"0", "done"},
    {"1", "failed"},
    {"2", "wrong usage"},
    {NULL, NULL},
};
static const struct rlk_status last_status = {"130, 143",
                                              "ended by Ctrl-C, by SIGTERM"};

static const struct rlk_status *
find_status(const struct rlk_status *list, const char *status)
{
    for (; list->status; list++)
        if (strcmp(list->status, status) == 0)
            return list;
    return NULL;
}

void
rlk_help_statuses(const struct rlk_command *command,
                  struct rlk_status ret[RLK_ALL_STATUSES])
{
    static const struct rlk_status none = {NULL, NULL};
    const struct rlk_status *own = command ? command->statuses : &none;
    size_t n = 0;
    for (const struct rlk_status *s = first_statuses; s->status; s++) {
        const struct rlk_status *better = find_status(own, s->status);
        ret[n++] = better ? *better : *s;
    }
    for (const struct rlk_status *s = own; s->status; s++)
        if (!find_status(first_statuses, s->status))
            ret[n++] = *s;
    ret[n++] = last_status;
    ret[n] = none;
}

void
rlk_option_spell(const struct rlk_option *option, char *ret, size_t size)
{
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(ret, size, "%s--%s%s%s", letter, option->name,
             option->argument ? " " : "",
             option->argument ? option->argument : "");
}

const char *
rlk_help_fill(FILE *out, const char *text, size_t column, size_t indent)
{
    bool first = true;
    while (*text && *text != '\n') {
        size_t len = strcspn(text, " \n");
        if (!first && column + 1 + len > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)len, text);
        column += len + !first;
        first = false;
        text += len;
        text += *text == ' ';
        text += *text == '\n' && text[1] && text[1] != '\n' && text[1] != ' ';
    }
    fputc('\n', out);
    return *text ? text + 1 : text;
}

/* A word and its explanation, in two columns. */
static void
print_row(FILE *out, const char *word, size_t width, const char *text)
{
    fprintf(out, "  %-*s  ", (int)width, word);
    size_t column = 2 + (strlen(word) > width ? strlen(word) : width) + 2;
    rlk_help_fill(out, text, column, 2 + width + 2);
}

static void
print_description(FILE *out, const char *text)
{
    while (*text) {
        if (*text == '\n' || *text == ' ') {
            size_t len = strcspn(text, "\n");
            fprintf(out, "%.*s\n", (int)len, text);
            text += len + (text[len] == '\n');
        } else {
            text = rlk_help_fill(out, text, 0, 0);
        }
    }
}

static void
print_usage(FILE *out, const struct rlk_command *command)
{
    bool has_options = false;
    for (const struct rlk_option *o = command->options; o->name; o++)
        has_options = has_options || !o->hidden;
    fprintf(out, "usage: rowlock %s%s%s%s%s\n", command->name,
            has_options ? " [OPTION ...]" : "", *command->operands ? " " : "",
            command->operands,
            command->takes_program ? " -- COMMAND [ARGUMENT ...]" : "");
}

static void
print_options(FILE *out, const struct rlk_command *command, bool in_full)
{
    char text[128];
    size_t width = strlen("-h, --help");
    for (const struct rlk_option *o = command->options; o->name; o++) {
        rlk_option_spell(o, text, sizeof text);
        if (!o->hidden && strlen(text) > width)
            width = strlen(text);
    }
    for (const struct rlk_option *o = command->options; o->name; o++) {
        if (o->hidden)
            continue;
        char help[512], variable[RLK_VARIABLE];
        rlk_option_variable(o, variable);
        rlk_option_spell(o, text, sizeof text);
        snprintf(help, sizeof help, "%s%s%s%s", o->help,
                 o->repeats ? "; may be repeated" : "",
                 in_full && o->environment ? "; also " : "",
                 in_full && o->environment ? variable : "");
        print_row(out, text, width, help);
    }
    print_row(out, "-h, --help", width, "usage and options; help in full");
}

static void
print_examples(FILE *out, const struct rlk_command *command)
{
    for (int i = 0; i < RLK_EXAMPLES; i++)
        fprintf(out, "  # %s\n  rowlock %s\n%s", command->examples[i].says,
                command->examples[i].line, i + 1 < RLK_EXAMPLES ? "\n" : "");
}

static void
print_statuses(FILE *out, const struct rlk_command *command)
{
    struct rlk_status statuses[RLK_ALL_STATUSES];
    rlk_help_statuses(command, statuses);
    for (const struct rlk_status *s = statuses; s->status; s++)
        print_row(out, s->status, strlen(last_status.status), s->means);
}

void
rlk_help_overview(FILE *out)
{
    fprintf(out, "Rowlock holds records while you change them: record locks "
                 "for SQLite,\nacross processes.\n\n"
                 "usage: rowlock COMMAND ...\n\n");
    size_t width = 0;
    for (size_t i = 0; rlk_commands[i]; i++)
        if (strlen(rlk_commands[i]->name) > width)
            width = strlen(rlk_commands[i]->name);
    for (size_t i = 0; rlk_commands[i]; i++)
        if (!rlk_commands[i]->hidden)
            print_row(out, rlk_commands[i]->name, width,
                      rlk_commands[i]->summary);
    fprintf(out, "\n\"rowlock help COMMAND\" explains one, with examples.\n");
}

void
rlk_help_short(const struct rlk_command *command)
{
    print_usage(stdout, command);
    printf("\n");
    print_options(stdout, command, false);
    printf("\n\"rowlock help %s\" says more, with examples.\n", command->name);
}

void
rlk_help_long(const struct rlk_command *command)
{
    printf("rowlock %s: %s\n\nexamples:\n", command->name, command->summary);
    print_examples(stdout, command);
    printf("\n");
    print_usage(stdout, command);
    printf("\n");
    print_description(stdout, command->description);
    printf("\noptions:\n");
    print_options(stdout, command, true);
    printf("\nexit status:\n");
    print_statuses(stdout, command);
}

static int
run_help(const struct rlk_args *args)
{
    const char *name = rlk_args_operand(args, 0);
    const struct rlk_command *command = name ? rlk_command_find(name) : NULL;
    if (name && !command) {
        const char *meant = rlk_command_nearest(name);
        char hint[128];
        snprintf(hint, sizeof hint, "Did you mean \"rowlock help %s\"?",
                 meant ? meant : "");
        return rlk_usage(NULL, meant ? hint : NULL, "unknown command \"%s\"",
                         name);
    }
    if (rlk_args_has(args, "completions"))
        rlk_manual_completions();
    else if (rlk_args_has(args, "man"))
        rlk_manual_page(command);
    else if (command)
        rlk_help_long(command);
    else
        rlk_help_overview(stdout);
    return RLK_EXIT_DONE;
}
