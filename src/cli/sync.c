/* SPDX-License-Identifier: MIT
 * rowlock sync: run a definition, once (import.c) or regularly (every.c). */
#include "base/text.h"
#include "cli/every.h"
#include "cli/options.h"
#include "cli/speak.h"

static int run_sync(const struct rlk_args *args);

const struct rlk_command rlk_command_sync = {
    .name = "sync",
    .summary = "import records from a remote source into a table",
    .operands = "DEFINITION",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "Reads the source that the definition names, JSON, NDJSON, CSV or TSV "
        "in a file or behind http:// or https://, and creates or updates one "
        "record of the table for each of its records, under record locks. "
        "Nobody else's work is lost: what others hold is waited for, and said "
        "after a second.\n"
        "\n"
        "DEFINITION is a YAML file; docs/definition.md describes it. Paths in "
        "it are seen from its folder:\n"
        "\n"
        "  sync: regions\n"
        "  target:\n"
        "    database: sqlite:regions.db\n"
        "    table: region\n"
        "    create_table: true\n"
        "  source:\n"
        "    url: http://127.0.0.1:8080/regions.json\n"
        "    records: /items\n"
        "  match: [remote_id, slug]\n"
        "  fields:\n"
        "    remote_id: {from: /id, strip: true}\n"
        "    slug:      {from: /name, slugify: true, mode: create_only}\n"
        "    name:      /name\n"
        "\n"
        "Records are written in batches; what was committed stays when the "
        "run fails later, and the next run finds it unchanged. A record that "
        "cannot be written is rejected alone, with its place in the source, "
        "and the rest goes on. A body that is cut off or damaged fails the "
        "run. SIGTERM ends a run after the batch that is under way, Ctrl-C at "
        "once. A source that says it is unchanged since a run that left "
        "nothing to do is not read, unless --full is given.\n"
        "\n"
        "Symbols mark what became of a record:\n"
        "\n"
        "  + created   * updated   = unchanged\n"
        "  ^ conflict: its match keys disagree; it is left as it is\n"
        "  ~ deferred: somebody holds it; the next run may write it\n"
        "  ! rejected: it cannot be written\n"
        "\n"
        "With --json each record that was created or updated has a line with "
        "its key and what changed, written once it is committed, and so has "
        "one that was left as it is; the last line has the counts. "
        "docs/json-output.md describes them.\n"
        "\n"
        "With --every the first run begins at once, and one in each interval "
        "after it, at a random moment of its first tenth; one that takes "
        "longer is followed by the next at the next interval. A run that fails "
        "is said, and the next one is tried at its time. SIGHUP reads "
        "DEFINITION anew, at once or after the run that is "
        "under way; if it is wrong, that is said, and the old one stays in "
        "use. A signal ends it, and gives the exit status.\n"
        "\n"
        "With --dry-run nothing is written, locked or created: each change is "
        "shown, column by column, old -> new. What only writing can tell is "
        "not seen: constraints, triggers, who holds a record, and conflicts "
        "that a change of the same run would settle.",
    .options = {{.name = "every",
                 .argument = "INTERVAL",
                 .environment = true,
                 .help = "stay, and run once in each interval, such as 15m, 1h "
                         "or 1d"},
                {.name = "dry-run",
                 .environment = true,
                 .help = "show what would change, and write nothing"},
                {.name = "full",
                 .environment = true,
                 .help = "read the source even if it says that it is "
                         "unchanged"},
                RLK_OPTION_JSON},
    .examples = {{"sync --dry-run regions.yaml", "look before leaping"},
                 {"sync --json regions.yaml | ./reindex",
                  "what changed, as JSON lines, for who must hear of it"},
                 {"sync --every 15m regions.yaml",
                  "stay, and keep the table up to date"}},
    .statuses = {{"1", "failed"},
                 {"2", "wrong usage, or a wrong definition"},
                 {"3", "dry run: something would change"},
                 {"4", "done, but conflicts are left"},
                 {"5", "try again later: records were deferred, since others "
                       "hold them, the server is away, or its list "
                       "changed while it was read"},
                 {"6", "done, but records were rejected"},
                 {"11", "another run of this definition is under way"}},
    .run = run_sync,
};

/* 0: run it once. */
static int
read_interval(const struct rlk_args *args, struct rlk_import_options *o,
              int32_t *ret_ms)
{
    const char *every = rlk_args_value(args, "every");
    bool typed = rlk_args_typed(args, "every");
    *ret_ms = 0;
    if (!every || (o->dry && !typed))
        return 0;
    if (!rlk_duration_parse(every, ret_ms) || *ret_ms == 0)
        return rlk_usage(args->command,
                         "A whole number and ms, s, m, h or d: 15m, 1h, 1d.",
                         "\"%s\" (--every) is no interval", every);
    if (rlk_args_typed(args, "dry-run"))
        return rlk_usage(args->command, "Keep one of them.",
                         "--every and --dry-run exclude each other");
    o->again = true;
    o->dry = false; /* the line beats the environment */
    return 0;
}

static int
run_sync(const struct rlk_args *args)
{
    const char *path = rlk_args_operand(args, 0);
    struct rlk_import_options o = {.json = rlk_args_has(args, "json"),
                                   .dry = rlk_args_has(args, "dry-run"),
                                   .full = rlk_args_has(args, "full")};
    struct rlk_definition *d;
    rowlock_error err = {0};
    int32_t interval_ms;
    bool unheard;
    RLK_TRY(read_interval(args, &o, &interval_ms));
    if (rlk_definition_read(path, &d, &err)) {
        rlk_speak_error(NULL, &err);
        return RLK_EXIT_USAGE;
    }
    if (o.again)
        return rlk_every_run(path, d, &o, interval_ms);
    int status = rlk_import_run(d, &o, &unheard);
    rlk_definition_free(d);
    return status;
}
