/* SPDX-License-Identifier: MIT
 * The parser: options and operands in any order, as GNU programs take them.
 * "--" ends the options; for a command that runs a program, what follows it is
 * that program. A dash with a digit behind it is an operand (a key such as -5).
 * Invariant: nothing is accepted that no row names. */
#include "cli/options.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/speak.h"
#include "rowlock/lock.h"

struct parser {
    struct rlk_args *args;
    char *const *at; /* the next word */
};

int
rlk_usage(const struct rlk_command *command, const char *hint,
          const char *format, ...)
{
    rowlock_error err = {0};
    va_list list;
    va_start(list, format);
    char text[sizeof err.message];
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    rlk_fail(&err, ROWLOCK_MISUSE, "%s", text);
    if (hint)
        rlk_hint(&err, "%s", hint);
    else if (command)
        rlk_hint(&err, "\"rowlock help %s\" explains it.", command->name);
    else
        rlk_hint(&err, "\"rowlock help\" lists the commands.");
    rlk_speak_error(command ? command->name : NULL, &err);
    return RLK_EXIT_USAGE;
}

void
rlk_option_variable(const struct rlk_option *option,
                    char ret_name[RLK_VARIABLE])
{
    snprintf(ret_name, RLK_VARIABLE, "ROWLOCK_%s", option->name);
    for (char *c = ret_name; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static void
give(struct rlk_args *args, const struct rlk_option *option, const char *value,
     bool environment)
{
    args->given[args->n_given++] =
        (struct rlk_given){option, value, environment};
}

static const struct rlk_option *
find_long(const struct rlk_command *command, const char *name, size_t len)
{
    for (const struct rlk_option *o = command->options; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static const struct rlk_option *
find_letter(const struct rlk_command *command, char letter)
{
    for (const struct rlk_option *o = command->options; o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static int
unknown_option(const struct rlk_command *command, const char *name, size_t len)
{
    const char *names[RLK_OPTIONS + 2];
    size_t n = 0;
    for (const struct rlk_option *o = command->options; o->name; o++)
        if (!o->hidden)
            names[n++] = o->name;
    names[n++] = "help";
    names[n] = NULL;
    RLK_AUTOFREE char *word = rlk_strndup(name, len);
    const char *meant = word ? rlk_nearest(word, names) : NULL;
    char hint[128];
    if (meant)
        snprintf(hint, sizeof hint, "Did you mean --%s?", meant);
    return rlk_usage(command, meant ? hint : NULL, "unknown option --%.*s",
                     (int)len, name);
}

/* "--" is no value: it was forgotten. */
static const char *
next_value(const struct parser *p)
{
    return *p->at && strcmp(*p->at, "--") != 0 ? *p->at : NULL;
}

/* "--name", "--name=value", "--name value". */
static int
parse_long(struct parser *p)
{
    const struct rlk_command *command = p->args->command;
    const char *name = *p->at++ + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    if (len == strlen("help") && memcmp(name, "help", len) == 0) {
        p->args->help_long = true;
        return 0;
    }
    const struct rlk_option *o = find_long(command, name, len);
    if (!o)
        return unknown_option(command, name, len);
    const char *value = equals ? equals + 1 : NULL;
    if (!o->argument && value)
        return rlk_usage(command, NULL, "--%s takes no value", o->name);
    if (o->argument && !value && !(value = next_value(p)))
        return rlk_usage(command, NULL, "--%s needs a value: %s", o->name,
                         o->argument);
    if (o->argument && !equals)
        p->at++;
    give(p->args, o, value, false);
    return 0;
}

/* "-E N", "-EN", "-h". */
static int
parse_short(struct parser *p)
{
    const struct rlk_command *command = p->args->command;
    const char *word = *p->at++;
    if (strcmp(word, "-h") == 0) {
        p->args->help_short = true;
        return 0;
    }
    const struct rlk_option *o = find_letter(command, word[1]);
    if (!o && word[2]) /* -json was meant as --json */
        return unknown_option(command, word + 1, strlen(word + 1));
    if (!o)
        return rlk_usage(command, NULL, "unknown option %s", word);
    const char *value = word[2] ? word + 2 : NULL;
    if (!o->argument && value)
        return rlk_usage(command, NULL, "-%c takes no value", o->letter);
    if (o->argument && !value && !(value = next_value(p)))
        return rlk_usage(command, NULL, "-%c needs a value: %s", o->letter,
                         o->argument);
    if (o->argument && !word[2])
        p->at++;
    give(p->args, o, value, false);
    return 0;
}

static bool
is_option(const char *word)
{
    return word[0] == '-' && word[1] && !isdigit((unsigned char)word[1]);
}

static int
parse_words(struct parser *p)
{
    struct rlk_args *args = p->args;
    int rc = 0;
    while (*p->at && !rc && !args->help_short && !args->help_long) {
        if (strcmp(*p->at, "--") == 0)
            break;
        if (strncmp(*p->at, "--", 2) == 0)
            rc = parse_long(p);
        else if (is_option(*p->at))
            rc = parse_short(p);
        else
            args->operands[args->n_operands++] = *p->at++;
    }
    if (rc || !*p->at)
        return rc;
    p->at++;
    if (args->command->takes_program)
        args->program = *p->at ? p->at : NULL;
    else
        while (*p->at)
            args->operands[args->n_operands++] = *p->at++;
    return 0;
}

/* A flag's variable: on, off, or an error. */
static int
read_flag(struct rlk_args *args, const struct rlk_option *o, const char *name,
          const char *value)
{
    static const char *const words[] = {"0", "no",  "false", "off", "",
                                        "1", "yes", "true",  "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) != 0)
            continue;
        if (i >= 5)
            give(args, o, NULL, true);
        return 0;
    }
    return rlk_usage(args->command, "Say 1 or 0.", "%s is \"%s\"", name, value);
}

/* A variable stands in where its option is not given. */
static int
read_environment(struct rlk_args *args)
{
    size_t n_given = args->n_given;
    for (const struct rlk_option *o = args->command->options; o->name; o++) {
        bool given = false;
        for (size_t i = 0; i < n_given; i++)
            given = given || args->given[i].option == o;
        char name[RLK_VARIABLE];
        rlk_option_variable(o, name);
        const char *value = o->environment && !given ? getenv(name) : NULL;
        if (!value)
            continue;
        if (o->argument && *value)
            give(args, o, value, true);
        if (!o->argument)
            RLK_TRY(read_flag(args, o, name, value));
    }
    return 0;
}

/* "which is missing" by its place in the usage: "DATABASE TABLE KEY ...". */
static int
missing_operand(const struct rlk_args *args)
{
    const char *word = args->command->operands;
    for (size_t i = 0; i < args->n_operands && word; i++)
        if ((word = strchr(word, ' ')))
            word++;
    int len = word ? (int)strcspn(word, " ") : 0;
    char hint[256];
    snprintf(hint, sizeof hint, "Usage: rowlock %s [OPTION ...] %s%s",
             args->command->name, args->command->operands,
             args->command->takes_program ? " -- COMMAND ..." : "");
    return rlk_usage(args->command, hint, "%.*s is missing", len, word);
}

static int
check_operands(const struct rlk_args *args)
{
    const struct rlk_command *command = args->command;
    if (args->n_operands < (size_t)command->min_operands)
        return missing_operand(args);
    if (command->max_operands != RLK_ANY &&
        args->n_operands > (size_t)command->max_operands)
        return rlk_usage(command, NULL, "\"%s\" is one word too many",
                         args->operands[command->max_operands]);
    if (command->takes_program && !args->program)
        return rlk_usage(command,
                         "Put the command to run behind \"--\", as in "
                         "\"... -- make import\".",
                         "COMMAND is missing");
    return 0;
}

int
rlk_args_parse(const struct rlk_command *command, char *const *argv,
               struct rlk_args *ret)
{
    size_t n = 0;
    while (argv[n])
        n++;
    *ret = (struct rlk_args){.command = command};
    ret->operands = rlk_calloc(n + 1, sizeof *ret->operands);
    ret->given = rlk_calloc(n + RLK_OPTIONS, sizeof *ret->given);
    if (!ret->operands || !ret->given) {
        rowlock_error err = {0};
        rlk_out_of_memory(&err);
        rlk_args_done(ret);
        return rlk_speak_error(command->name, &err);
    }
    struct parser p = {ret, argv};
    int rc = parse_words(&p);
    if (!rc && !ret->help_short && !ret->help_long) {
        rc = read_environment(ret);
        if (!rc)
            rc = check_operands(ret);
    }
    if (rc)
        rlk_args_done(ret);
    return rc;
}

void
rlk_args_done(struct rlk_args *args)
{
    rlk_free(args->operands);
    rlk_free(args->given);
    *args = (struct rlk_args){0};
}

const struct rlk_command *
rlk_args_command(const struct rlk_args *args)
{
    return args->command;
}

size_t
rlk_args_count(const struct rlk_args *args)
{
    return args->n_operands;
}

const char *
rlk_args_operand(const struct rlk_args *args, size_t i)
{
    return i < args->n_operands ? args->operands[i] : NULL;
}

char *const *
rlk_args_program(const struct rlk_args *args)
{
    return args->program;
}

/* The last use; asking for an option that no row names is our own mistake. */
static const struct rlk_given *
last_given(const struct rlk_args *args, const char *option)
{
    const struct rlk_option *o =
        find_long(args->command, option, strlen(option));
    assert(o);
    for (size_t i = args->n_given; i-- > 0;)
        if (args->given[i].option == o)
            return &args->given[i];
    return NULL;
}

bool
rlk_args_has(const struct rlk_args *args, const char *option)
{
    return last_given(args, option) != NULL;
}

bool
rlk_args_typed(const struct rlk_args *args, const char *option)
{
    const struct rlk_given *given = last_given(args, option);
    return given && !given->environment;
}

const char *
rlk_args_value(const struct rlk_args *args, const char *option)
{
    const struct rlk_given *given = last_given(args, option);
    return given ? given->value : NULL;
}

const char *
rlk_args_next(const struct rlk_args *args, const char *option, size_t *at)
{
    while (*at < args->n_given) {
        const struct rlk_given *given = &args->given[(*at)++];
        if (strcmp(given->option->name, option) == 0)
            return given->value;
    }
    return NULL;
}

int
rlk_args_wait(const struct rlk_args *args, int32_t *ret_ms)
{
    const struct rlk_given *wait = last_given(args, "wait");
    const struct rlk_given *nowait = last_given(args, "nowait");
    if (wait && nowait && wait->environment == nowait->environment)
        return rlk_usage(args->command, "Keep one of them.",
                         "--wait and --nowait exclude each other");
    if (wait && nowait && wait->environment)
        wait = NULL; /* the line beats the environment */
    else if (wait)
        nowait = NULL;
    int32_t ms = nowait ? ROWLOCK_NOWAIT : ROWLOCK_WAIT;
    char variable[RLK_VARIABLE] = "--wait";
    if (wait && wait->environment)
        rlk_option_variable(wait->option, variable);
    if (wait && !rlk_duration_parse(wait->value, &ms))
        return rlk_usage(
            args->command,
            "A duration is a whole number and ms, s, m, h or d: 500ms, 5s, 2m.",
            "\"%s\" (%s) is not a duration", wait->value, variable);
    *ret_ms = wait && ms == 0 ? ROWLOCK_NOWAIT : ms;
    return 0;
}
