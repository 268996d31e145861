/* SPDX-License-Identifier: MIT
 * The manual pages (man(7)) and the completions, from the same rows as the
 * help: "rowlock help --man [COMMAND]", "rowlock help --completions". */
#include <stdio.h>
#include <string.h>

#include "cli/help.h"
#include "cli/options.h"
#include "rowlock/rowlock.h"

/* Text for troff: dashes stay dashes, a leading dot or quote is no request. */
static void
print_text(const char *text)
{
    for (bool starts = true; *text; text++) {
        if (starts && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            fputc(*text, stdout);
        starts = *text == '\n';
    }
}

static void
print_tagged(const char *tag, const char *text)
{
    printf(".TP\n\\fB");
    print_text(tag);
    printf("\\fR\n");
    print_text(text);
    printf("\n");
}

static void
print_heading(const char *title, const char *summary, bool of_program)
{
    printf(".TH \"%s\" 1 \"\" \"Rowlock %s\" \"Rowlock\"\n.SH NAME\n", title,
           ROWLOCK_VERSION);
    print_text(of_program ? "rowlock" : title);
    printf(" \\- ");
    print_text(summary);
    printf("\n");
}

/* An empty line parts paragraphs; a line that starts with a blank stays. */
static void
print_paragraphs(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        char line[2048];
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        if (len == 0) {
            printf(".PP\n");
        } else {
            printf("%s", line[0] == ' ' ? ".br\n" : "");
            print_text(line);
            printf("\n");
        }
        text += len + (text[len] == '\n');
    }
}

static void
print_option_rows(const struct rlk_command *command)
{
    for (const struct rlk_option *o = command->options; o->name; o++) {
        if (o->hidden)
            continue;
        char tag[128], text[512], variable[RLK_VARIABLE];
        rlk_option_spell(o, tag, sizeof tag);
        rlk_option_variable(o, variable);
        snprintf(text, sizeof text, "%s%s%s%s", o->help,
                 o->repeats ? "; may be repeated" : "",
                 o->environment ? "; also " : "",
                 o->environment ? variable : "");
        print_tagged(tag, text);
    }
    print_tagged("-h, --help", "usage and options; help in full");
}

static void
print_statuses(const struct rlk_command *command)
{
    struct rlk_status statuses[RLK_ALL_STATUSES];
    rlk_help_statuses(command, statuses);
    printf(".SH EXIT STATUS\n");
    for (const struct rlk_status *s = statuses; s->status; s++)
        print_tagged(s->status, s->means);
}

/* Lines stay as they are: an example may have several. */
static void
print_example(const struct rlk_example *example)
{
    printf(".PP\n");
    print_text(example->says);
    printf(":\n.PP\n.RS 4\n.nf\nrowlock ");
    print_text(example->line);
    printf("\n.fi\n.RE\n");
}

static void
print_command_page(const struct rlk_command *command)
{
    char title[64];
    snprintf(title, sizeof title, "rowlock-%s", command->name);
    print_heading(title, command->summary, false);
    printf(".SH SYNOPSIS\n.B rowlock ");
    print_text(command->name);
    printf("\n[OPTION ...] ");
    print_text(command->operands);
    print_text(command->takes_program ? " -- COMMAND [ARGUMENT ...]\n" : "\n");
    printf(".SH EXAMPLES\n");
    for (int i = 0; i < RLK_EXAMPLES; i++)
        print_example(&command->examples[i]);
    printf(".SH DESCRIPTION\n");
    print_paragraphs(command->description);
    printf(".SH OPTIONS\n");
    print_option_rows(command);
    print_statuses(command);
    printf(".SH SEE ALSO\n.BR rowlock (1)\n");
}

static void
print_program_page(void)
{
    print_heading("rowlock", "record locks for SQLite, across processes", true);
    printf(".SH SYNOPSIS\n.B rowlock\nCOMMAND ...\n.SH COMMANDS\n");
    for (size_t i = 0; rlk_commands[i]; i++)
        if (!rlk_commands[i]->hidden)
            print_tagged(rlk_commands[i]->name, rlk_commands[i]->summary);
    print_statuses(NULL);
    printf(".SH SEE ALSO\n");
    for (size_t i = 0, n = 0; rlk_commands[i]; i++)
        if (!rlk_commands[i]->hidden)
            printf("%s.BR rowlock\\-%s (1)", n++ ? " ,\n" : "",
                   rlk_commands[i]->name);
    printf("\n");
}

void
rlk_manual_page(const struct rlk_command *command)
{
    if (command)
        print_command_page(command);
    else
        print_program_page();
}

void
rlk_manual_completions(void)
{
    printf("# bash completions for rowlock\n"
           "_rowlock() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then words='");
    for (size_t i = 0; rlk_commands[i]; i++)
        if (!rlk_commands[i]->hidden)
            printf("%s ", rlk_commands[i]->name);
    printf("'\n    else case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; rlk_commands[i]; i++) {
        printf("        %s) words='", rlk_commands[i]->name);
        for (const struct rlk_option *o = rlk_commands[i]->options; o->name;
             o++)
            if (!o->hidden)
                printf("--%s ", o->name);
        printf("--help' ;;\n");
    }
    printf("    esac; fi\n"
           "    case $word in\n"
           "        -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
           "        *) [ \"$COMP_CWORD\" = 1 ] &&\n"
           "               COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "           ;;\n"
           "    esac\n"
           "}\n"
           "complete -o default -F _rowlock rowlock\n");
}
