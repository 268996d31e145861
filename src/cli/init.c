/* SPDX-License-Identifier: MIT
 * rowlock init: a first definition for a source, and a table if there is one.
 * The guessing is done in src/sync/draft*.c. The definition is the data and
 * goes to stdout, or to a file that is not there yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/database.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "db/server.h"
#include "front/front.h"
#include "sync/draft.h"

static int run_init(const struct rlk_args *args);

const struct rlk_command rlk_command_init = {
    .name = "init",
    .summary = "write a first definition for a source",
    .operands = "URL [DATABASE TABLE]",
    .min_operands = 1,
    .max_operands = 3,
    .description =
        "Reads the first page of a source, 100 records at most, and writes a "
        "definition for rowlock sync: where the records are, how pages go on, "
        "what tells records apart, and a field for each member, with a value "
        "that was found there behind it.\n"
        "\n"
        "With DATABASE and TABLE each column gets the member whose name says "
        "the "
        "same and whose values fit; unique indexes become match keys; columns "
        "that must not be NULL and have nothing in the source get a line to "
        "fill them; what was left out stands in a comment. Without them the "
        "definition makes a table of its own.\n"
        "\n" RLK_ANY_DATABASE
        "A password in such a URL is used, and not written.\n"
        "\n"
        "It is a draft: read it, then rowlock doctor, then rowlock sync "
        "--dry-run. URL is a path or an address. In an address, DATABASE's "
        "too, ${NAME} stands for the environment's value, as in a definition; "
        "what looks like a key in URL's query is not written, but named so. "
        "Write such an address in single quotes.",
    .options = {{.name = "output",
                 .letter = 'o',
                 .argument = "FILE",
                 .help = "write to FILE, which must not be there yet"},
                {.name = "records",
                 .argument = "POINTER",
                 .help = "where the list of records is in a JSON body"},
                {.name = "format",
                 .argument = "FORMAT",
                 .help = "json, ndjson, csv or tsv, where the source does not "
                         "say"},
                {.name = "bearer",
                 .argument = "NAME",
                 .help = "send the environment's NAME as a bearer token"}},
    .examples = {{"init https://example.org/wp-json/wp/v2/tags",
                  "look what there is"},
                 {"init -o tags.yaml https://example.org/tags.json app.db tag",
                  "for a table that is there"},
                 {"init --records /data/items items.json > items.yaml",
                  "the list stands deeper"}},
    .statuses = {{"1", "failed, or FILE is there"},
                 {"5", "the server is away: try again later"}},
    .run = run_init,
};

struct init {
    struct rlk_draft_options o;
    struct rlk_draft draft;
    rowlock_db *db;
    char *database; /* as it is written */
    volatile sig_atomic_t cancelled;
};

static void
cancel(void *arg)
{
    ((struct init *)arg)->cancelled = 1;
}

/* A path in a definition is seen from its folder. */
static int
write_database(struct init *i, const char *path, rowlock_error *err)
{
    bool moved = strchr(i->o.path, '/') && path[0] != '/';
    char *full = moved ? realpath(path, NULL) : NULL;
    const char *said = full ? full : path;
    i->database = rlk_calloc(1, strlen(said) + sizeof "sqlite:");
    if (i->database)
        sprintf(i->database, "sqlite:%s", said);
    free(full); /* realpath's own */
    i->o.database = i->database;
    return i->database ? 0 : rlk_out_of_memory(err);
}

static int
open_file(struct init *i, const char *database, rowlock_error *err)
{
    const char *path;
    struct rlk_look how = {.unfit = true};
    RLK_TRY(rlk_database_path(database, &path, err));
    RLK_TRY(write_database(i, path, err));
    return rlk_front_look(database, &how, &i->db, err);
}

/* Its password is used, and not written. */
static int
open_server(struct init *i, const char *url, rowlock_error *err)
{
    char *resolved RLK_AUTOFREE = NULL;
    RLK_TRY(rlk_draft_database(i->o.path, url, &resolved, err));
    RLK_TRY(rlk_front_look(resolved, NULL, &i->db, err));
    RLK_TRY(rlk_postgres_public_url(url, &i->database, &i->o.no_password, err));
    i->o.database = i->database;
    return 0;
}

static int
find_table(struct init *i, const struct rlk_args *args, rowlock_error *err)
{
    const char *database = rlk_args_operand(args, 1);
    const char *table = rlk_args_operand(args, 2);
    RLK_TRY(rlk_front_is_server(database) ? open_server(i, database, err)
                                          : open_file(i, database, err));
    RLK_TRY(rlk_session_table(i->db, table, &i->o.table, err));
    if (strcasecmp(table, i->o.table->name) != 0)
        i->o.table_name = table; /* with the schema that it needs */
    return 0;
}

static int
open_table(struct init *i, const struct rlk_args *args, rowlock_error *err)
{
    int rc = rlk_args_operand(args, 1) ? find_table(i, args, err) : 0;
    if (rc && rc != ROWLOCK_BAD_VALUE && !err->hint[0])
        rlk_hint(err, "Leave DATABASE and TABLE out for a table that is still "
                      "to be made.");
    return rc;
}

/* ---- the file ---- */

static int
refuse_file(const char *path, rowlock_error *err)
{
    if (errno != EEXIST)
        return rlk_fail_errno(err, ROWLOCK_IO, "could not write '%.150s'",
                              path);
    rlk_fail(err, ROWLOCK_IO, "'%.150s' is there already", path);
    rlk_hint(err, "Name another file, or remove it.");
    return ROWLOCK_IO;
}

/* Before the source is asked, so that nobody waits in vain. */
static int
check_file(const char *path, rowlock_error *err)
{
    if (!path || access(path, F_OK))
        return 0;
    errno = EEXIST;
    return refuse_file(path, err);
}

static int
write_file(const char *path, const struct rlk_buf *text, rowlock_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return refuse_file(path, err);
    bool good = fwrite(text->ptr, 1, text->len, file) == text->len;
    good = !fclose(file) && good;
    if (good)
        return 0;
    int rc = refuse_file(path, err);
    unlink(path);
    return rc;
}

/* ---- the command ---- */

static void
say_next(const struct init *i, const char *file)
{
    const struct rlk_draft *d = &i->draft;
    rlk_speak("looked at %zu record%s; %zu field%s%s%s", d->records,
              d->records == 1 ? "" : "s", d->fields, d->fields == 1 ? "" : "s",
              file ? " in " : "", file ? file : "");
    if (file)
        rlk_speak("next: rowlock doctor %s, then rowlock sync --dry-run %s",
                  file, file);
    if (i->o.no_password)
        rlk_speak("the database's password is not written: set PGPASSWORD, or "
                  "keep it in ~/.pgpass");
}

static int
make(struct init *i, const struct rlk_args *args, rowlock_error *err)
{
    const char *file = rlk_args_value(args, "output");
    RLK_TRY(check_file(file, err));
    RLK_TRY(open_table(i, args, err));
    RLK_TRY(rlk_draft_make(&i->o, &i->draft, err));
    if (file)
        RLK_TRY(write_file(file, &i->draft.text, err));
    else
        fwrite(i->draft.text.ptr, 1, i->draft.text.len, stdout);
    say_next(i, file);
    return 0;
}

static int
say_failure(const struct init *i, const struct rlk_args *args,
            const rowlock_error *err)
{
    int status = rlk_speak_failure(args, err);
    return i->draft.source_away ? RLK_EXIT_NOT_LOCKED : status;
}

static int
check_usage(const struct rlk_args *args)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789_";
    const char *bearer = rlk_args_value(args, "bearer");
    if (rlk_args_count(args) == 2)
        return rlk_usage(&rlk_command_init, NULL, "DATABASE needs a TABLE");
    if (bearer && (!*bearer || bearer[strspn(bearer, letters)]))
        return rlk_usage(&rlk_command_init, NULL,
                         "\"%s\" is no name of a variable", bearer);
    return 0;
}

static int
run_init(const struct rlk_args *args)
{
    const char *file = rlk_args_value(args, "output");
    rowlock_error err = {0};
    int misuse = check_usage(args);
    if (misuse)
        return misuse;
    struct init i = {.o = {.url = rlk_args_operand(args, 0),
                           .path = file ? file : "draft.yaml",
                           .records = rlk_args_value(args, "records"),
                           .format = rlk_args_value(args, "format"),
                           .bearer = rlk_args_value(args, "bearer"),
                           .limits = RLK_SOURCE_LIMITS_INIT}};
    i.o.cancelled = &i.cancelled;
    rlk_interrupt_watch(cancel, &i);
    int rc = make(&i, args, &err);
    rlk_interrupt_unwatch();
    int status = rc ? say_failure(&i, args, &err) : rlk_speak_done(0);
    rowlock_close(i.db);
    rlk_draft_done(&i.draft);
    rlk_free(i.database);
    return status;
}
