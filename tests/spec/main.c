/* SPDX-License-Identifier: MIT
 * rowlock-spec: run specs, and compare with what is expected of every engine.
 */
#include <getopt.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spec.h"

enum { RECORDINGS = 20 };

static const char usage[] =
    "rowlock-spec: what do sessions see of each other, step by step?\n"
    "\n"
    "  rowlock-spec FILE.spec ...            run them and print what happens\n"
    "  rowlock-spec --check FILE.spec ...    compare with FILE.out\n"
    "  rowlock-spec --record FILE.spec ...   run 20 times, write FILE.out\n"
    "\n"
    "A folder stands for all specs in it.\n"
    "\n"
    "  --database URL   postgresql://...; left out: $ROWLOCK_POSTGRES, else a\n"
    "                   new SQLite database in a temporary folder\n"
    "\n"
    "On a server all happens in the schema rowlock_spec, which is made and\n"
    "dropped. Where SQLite is to differ, FILE.sqlite.out stands beside "
    "FILE.out\n"
    "and says so. tests/spec/README.md has the grammar.\n";

enum what { PRINT, CHECK, RECORD };

/* ---- the database ---- */

static void
open_database(struct database *ret)
{
    const char *url = getenv("ROWLOCK_POSTGRES");
    if (!url) {
        database_init(ret);
        return;
    }
    struct database plain = {.url = ""};
    snprintf(plain.url, sizeof plain.url, "%s", url);
    database_run(&plain, "DROP SCHEMA IF EXISTS rowlock_spec CASCADE;"
                         "CREATE SCHEMA rowlock_spec");
    *ret = plain;
    snprintf(ret->url, sizeof ret->url,
             "%s%coptions=-c%%20search_path%%3Drowlock_spec", url,
             strchr(url, '?') ? '&' : '?');
}

static void
close_database(struct database *d)
{
    if (engine() == POSTGRES)
        database_run(d, "DROP SCHEMA rowlock_spec CASCADE");
    database_done(d);
}

/* ---- one file ---- */

/* What a run prints, the caller's; NULL: it could not. */
static char *
run(const struct spec *s, const struct database *d)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    int rc = spec_run(s, d, out);
    fclose(out);
    if (rc == 0)
        return text;
    free(text);
    return NULL;
}

/* "a/b.spec" with another ending. */
static void
beside(const char *path, const char *ending, char *ret, size_t size)
{
    const char *dot = strrchr(path, '.');
    int len = dot ? (int)(dot - path) : (int)strlen(path);
    snprintf(ret, size, "%.*s%s", len, path, ending);
}

static char *
read_file(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    if (getdelim(&text, &size, 0, f) < 0) {
        free(text);
        text = NULL;
    }
    fclose(f);
    return text;
}

/* The first line that is not the same, with its permutation. */
static void
show_difference(const char *path, const char *expected, const char *found)
{
    int line = 1;
    const char *start = found, *permutation = found;
    size_t i = 0;
    for (; expected[i] && expected[i] == found[i]; i++)
        if (found[i] == '\n') {
            line++;
            start = found + i + 1;
            if (strncmp(start, "permutation", 11) == 0)
                permutation = start;
        }
    size_t at = (size_t)(start - found);
    printf("%s:%d: in \"%.*s\"\n  expected: %.*s\n  found:    %.*s\n", path,
           line, (int)strcspn(permutation, "\n"), permutation,
           (int)strcspn(expected + at, "\n"), expected + at,
           (int)strcspn(start, "\n"), start);
}

static bool
check_file(const char *path, const char *found)
{
    char out[1024];
    char *expected = NULL;
    if (engine() == SQLITE) {
        beside(path, ".sqlite.out", out, sizeof out);
        expected = read_file(out);
    }
    if (!expected) {
        beside(path, ".out", out, sizeof out);
        expected = read_file(out);
    }
    if (!expected) {
        perror(out);
        return false;
    }
    bool same = strcmp(expected, found) == 0;
    printf("%-7s %s\n", same ? "ok" : "FAILED", path);
    if (!same)
        show_difference(out, expected, found);
    free(expected);
    return same;
}

static bool
record_file(const char *path, const struct spec *s, const struct database *d,
            const char *first)
{
    char out[1024];
    for (int i = 1; i < RECORDINGS; i++) {
        char *again = run(s, d);
        bool same = again && strcmp(first, again) == 0;
        if (!same) {
            printf("%s: run %d differs from the first\n", path, i + 1);
            if (again)
                show_difference(path, first, again);
        }
        free(again);
        if (!same)
            return false;
    }
    beside(path, ".out", out, sizeof out);
    FILE *f = fopen(out, "w");
    if (!f || fputs(first, f) < 0 || fclose(f)) {
        perror(out);
        return false;
    }
    printf("%s: written\n", out);
    return true;
}

static bool
do_file(const char *path, enum what what)
{
    struct spec s;
    struct database d;
    if (spec_read(&s, path))
        return false;
    open_database(&d);
    bool well = true;
    char *found = run(&s, &d);
    if (!found)
        well = false;
    else if (what == PRINT)
        fputs(found, stdout);
    else
        well = what == CHECK ? check_file(path, found)
                             : record_file(path, &s, &d, found);
    close_database(&d);
    free(found);
    spec_free(&s);
    fflush(stdout);
    return well;
}

/* A file, or all specs of a folder. */
static void
do_all(const char *path, enum what what, int *passed, int *failed)
{
    char pattern[1024];
    glob_t found = {0};
    bool folder = access(path, X_OK) == 0 && !strstr(path, ".spec");
    snprintf(pattern, sizeof pattern, "%s%s", path, folder ? "/*.spec" : "");
    int rc = folder ? glob(pattern, 0, NULL, &found) : GLOB_NOMATCH;
    if (rc == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            ++*(do_file(found.gl_pathv[i], what) ? passed : failed);
    else
        ++*(do_file(path, what) ? passed : failed);
    globfree(&found);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"check", no_argument, NULL, 'c'},
        {"record", no_argument, NULL, 'r'},
        {"database", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    enum what what = PRINT;
    int c, passed = 0, failed = 0;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (c == '?')
            return 2;
        if (c == 'd')
            setenv("ROWLOCK_POSTGRES", optarg, 1);
        else
            what = c == 'c' ? CHECK : RECORD;
    }
    if (optind == argc) {
        fputs(usage, stderr);
        return 2;
    }
    for (int i = optind; i < argc; i++)
        do_all(argv[i], what, &passed, &failed);
    if (what == CHECK)
        printf("%d passed, %d failed\n", passed, failed);
    return failed || passed == 0 ? 1 : 0;
}
