/* SPDX-License-Identifier: MIT
 * From the text of a spec to its sessions, steps and permutations. Texts are
 * cut out in place. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

struct reader {
    const char *path;
    char *at;
    int line, word_line; /* here; of the last word */
    bool failed;
};

static void fail(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
fail(struct reader *r, const char *format, ...)
{
    va_list args;
    if (r->failed)
        return;
    r->failed = true;
    fprintf(stderr, "%s:%d: ", r->path, r->word_line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void
skip_space(struct reader *r)
{
    for (; *r->at && (isspace((unsigned char)*r->at) || *r->at == '#');
         r->at++) {
        if (*r->at == '#')
            r->at += strcspn(r->at, "\n");
        if (*r->at == '\n')
            r->line++;
        if (!*r->at)
            return;
    }
}

/* A name that stands alone; "" at the end. What ends it is overwritten, so the
 * next character is looked at first. */
static const char *
word(struct reader *r, char *ret_after)
{
    skip_space(r);
    char *start = r->at;
    r->word_line = r->line;
    r->at += strcspn(r->at, " \t\n{},()#");
    *ret_after = *r->at;
    if (*r->at) {
        r->line += *r->at == '\n';
        *r->at++ = 0;
    }
    return start;
}

static bool
is_space(char c)
{
    return isspace((unsigned char)c);
}

/* What stands in braces; after: the character that ended the word before. */
static const char *
block(struct reader *r, char after)
{
    if (is_space(after)) {
        skip_space(r);
        after = *r->at;
        r->at += after == '{';
    }
    if (after != '{') {
        fail(r, "expected {");
        return "";
    }
    r->at += strspn(r->at, " \t");
    char *start = r->at;
    for (int depth = 1; *r->at; r->at++) {
        depth += (*r->at == '{') - (*r->at == '}');
        r->line += *r->at == '\n';
        if (depth == 0)
            break;
    }
    if (!*r->at)
        fail(r, "a { is not closed");
    else
        *r->at++ = 0;
    for (size_t n = strlen(start); n && is_space(start[n - 1]);)
        start[--n] = 0;
    return start;
}

static void
read_table(struct reader *r, struct spec *s)
{
    char after;
    if (s->n_tables == SPEC_TABLES) {
        fail(r, "too many tables");
        return;
    }
    struct spec_table *t = &s->tables[s->n_tables++];
    t->name = word(r, &after);
    if (is_space(after)) {
        skip_space(r);
        after = *r->at;
        r->at += after == '(';
    }
    if (after != '(')
        fail(r, "expected the columns of %s in ()", t->name);
    while (!r->failed && after != ')') {
        const char *column = word(r, &after);
        if (t->n_columns == SPEC_COLUMNS || !after)
            fail(r, "too many columns, or no )");
        else if (*column)
            t->columns[t->n_columns++] = column;
    }
}

static void
read_session(struct reader *r, struct spec *s)
{
    char after;
    if (s->n_sessions == SPEC_SESSIONS) {
        fail(r, "too many sessions");
        return;
    }
    struct spec_session *session = &s->sessions[s->n_sessions++];
    session->name = word(r, &after);
    char *mark = r->at;
    if (after != '\n' && strcmp(word(r, &after), "closing") == 0)
        session->closing = true;
    else if (after != '\n' && r->at != mark)
        fail(r, "expected the end of the line, or \"closing\"");
}

static void
read_step(struct reader *r, struct spec *s)
{
    char after;
    if (s->n_steps == SPEC_STEPS || s->n_sessions == 0) {
        fail(r, s->n_sessions ? "too many steps" : "a step of no session");
        return;
    }
    struct spec_step *step = &s->steps[s->n_steps++];
    step->name = word(r, &after);
    step->text = block(r, after);
    step->session = s->n_sessions - 1;
}

static int
find_step(const struct spec *s, const char *name)
{
    for (int i = 0; i < s->n_steps; i++)
        if (strcmp(s->steps[i].name, name) == 0)
            return i;
    return -1;
}

/* Up to the end of the line. */
static void
read_permutation(struct reader *r, struct spec *s, char after)
{
    if (s->n_permutations == SPEC_PERMUTATIONS) {
        fail(r, "too many permutations");
        return;
    }
    int p = s->n_permutations++;
    while (after && after != '\n' && !r->failed) {
        r->at += strspn(r->at, " \t");
        if (*r->at == '\n' || *r->at == '#' || !*r->at)
            return;
        const char *name = word(r, &after);
        bool awaits = strcmp(name, "await") == 0;
        int step = awaits ? SPEC_AWAIT : find_step(s, name);
        if ((step < 0 && !awaits) || s->permutations[p].n == SPEC_STEPS)
            fail(r, "no step \"%s\"", name);
        else
            s->permutations[p].steps[s->permutations[p].n++] = step;
    }
}

static void
read_setup(struct reader *r, struct spec *s, char after)
{
    const char *text = block(r, after);
    if (s->n_sessions)
        s->sessions[s->n_sessions - 1].opening = text;
    else
        s->setup = text;
}

static void
read_all(struct reader *r, struct spec *s)
{
    char after = ' ';
    while (!r->failed) {
        const char *what = word(r, &after);
        if (!*what && !after)
            return;
        if (strcmp(what, "table") == 0)
            read_table(r, s);
        else if (strcmp(what, "session") == 0)
            read_session(r, s);
        else if (strcmp(what, "step") == 0)
            read_step(r, s);
        else if (strcmp(what, "permutation") == 0)
            read_permutation(r, s, after);
        else if (strcmp(what, "setup") == 0)
            read_setup(r, s, after);
        else if (strcmp(what, "teardown") == 0)
            s->teardown = block(r, after);
        else
            fail(r,
                 "expected table, setup, teardown, session, step or "
                 "permutation, not \"%s\"",
                 what);
    }
}

/* ---- without permutation lines: all interleavings ---- */

static void
interleave(struct reader *r, struct spec *s, int taken[], int n, int order[])
{
    if (n == s->n_steps) {
        if (s->n_permutations == SPEC_PERMUTATIONS) {
            fail(r, "more than %d interleavings: say which", SPEC_PERMUTATIONS);
            return;
        }
        int p = s->n_permutations++;
        s->permutations[p].n = n;
        memcpy(s->permutations[p].steps, order, (size_t)n * sizeof *order);
        return;
    }
    for (int session = 0; session < s->n_sessions && !r->failed; session++) {
        int skipped = taken[session], next = -1;
        for (int i = 0; i < s->n_steps && next < 0; i++)
            if (s->steps[i].session == session && skipped-- == 0)
                next = i;
        if (next < 0)
            continue;
        order[n] = next;
        taken[session]++;
        interleave(r, s, taken, n + 1, order);
        taken[session]--;
    }
}

int
spec_read(struct spec *ret, const char *path)
{
    size_t size = 0;
    memset(ret, 0, sizeof *ret);
    FILE *f = fopen(path, "r");
    if (!f || getdelim(&ret->memory, &size, 0, f) < 0) {
        perror(path);
        if (f)
            fclose(f);
        return -1;
    }
    fclose(f);
    ret->permutations = calloc(SPEC_PERMUTATIONS, sizeof *ret->permutations);
    struct reader r = {path, ret->memory, 1, 1, ret->permutations == NULL};
    read_all(&r, ret);
    if (!r.failed && ret->n_permutations == 0) {
        int taken[SPEC_SESSIONS] = {0}, order[SPEC_STEPS];
        ret->all = true;
        interleave(&r, ret, taken, 0, order);
    }
    return r.failed ? -1 : 0;
}

void
spec_free(struct spec *s)
{
    free(s->memory);
    free(s->permutations);
}
