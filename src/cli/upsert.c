/* SPDX-License-Identifier: MIT
 * rowlock upsert: one race-free update_or_create. What becomes of the pairs:
 *
 *   a record is found   all pairs are written, but for a blank match value: it
 *                       means "not known" and leaves the column as it is
 *   none is found       all pairs and the --create pairs make the record
 *
 * Invariant: nothing is printed before the commit. */
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/key.h"
#include "cli/options.h"
#include "cli/pair.h"
#include "cli/session.h"
#include "cli/speak.h"
#include "record/record.h"
#include "record/value.h"
#include "rowlock/rowlock.h"

static int run_upsert(const struct rlk_args *args);

const struct rlk_command rlk_command_upsert = {
    .name = "upsert",
    .summary = "update the record with a key, or create it",
    .operands = "DATABASE TABLE COL=VALUE ...",
    .min_operands = 3,
    .max_operands = RLK_ANY,
    .description =
        "Looks for the record by each match key in turn, locks the first that "
        "is found and writes the given columns into it; creates a record "
        "where no key finds one. However many processes do this for one key, "
        "one record comes of it. Prints created, updated or unchanged and the "
        "record's primary key.\n"
        "\n" RLK_ANY_DATABASE "\n"
        "COL=TEXT gives text: a number column takes it only in the usual form "
        "(007 is not 7). COL:=JSON gives null, true, false, a number, or a "
        "JSON text.\n"
        "\n"
        "--match a,b means: look for a first, then for b. --match site+code is "
        "one key of two columns. The values come from the pairs, without "
        "white space at both ends. A blank one is not looked for; it is "
        "stored as null in a new record, and leaves a found record's column "
        "as it is (a:=null clears it).",
    .options = {{.name = "match",
                 .argument = "COL[,COL...]",
                 .repeats = true,
                 .help = "the keys to look for, in this order"},
                {.name = "create",
                 .argument = "COL=VALUE",
                 .repeats = true,
                 .help = "set this too when the record is created"},
                RLK_OPTION_NOWAIT,
                RLK_OPTION_WAIT,
                RLK_OPTION_JSON},
    .examples = {{"upsert app.db region --match code code=DE-BE name=Berlin",
                  "the region with this code, whether it is there or not"},
                 {"upsert app.db term --match remote_id,slug --create rank:=0 "
                  "\\\n      remote_id=77 slug=tea name=Tea",
                  "by remote id, else by slug; rank is set in a new term only"},
                 {"upsert app.db stock --match site+item --wait 5s --json "
                  "\\\n      site=1 item=cup count:=12",
                  "a key of two columns; give up after 5 seconds"}},
    .statuses = {RLK_STATUS_NOT_LOCKED},
    .run = run_upsert,
};

struct pairs {
    rowlock_pair *list;
    size_t n;
};

struct upsert {
    const struct rlk_args *args;
    struct rlk_arena arena;
    struct pairs pairs, create;      /* as given */
    struct pairs updating, creating; /* as written */
    rowlock_key *match;
    size_t n_match;
    int32_t wait_ms;
    rowlock_db *db;
    struct rlk_buf said; /* the result, printed after the commit */
};

static rowlock_pair *
find(const struct pairs *pairs, const char *column)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (strcasecmp(pairs->list[i].column, column) == 0)
            return &pairs->list[i];
    return NULL;
}

static int
add_pair(struct upsert *u, struct pairs *to, const char *text,
         rowlock_error *err)
{
    rowlock_pair pair;
    RLK_TRY(rlk_pair_read(text, &u->arena, &pair, err));
    if (find(to, pair.column))
        return rlk_fail(err, ROWLOCK_MISUSE, "column \"%s\" is given twice",
                        pair.column);
    to->list[to->n++] = pair;
    return 0;
}

static int
read_pairs(struct upsert *u, rowlock_error *err)
{
    size_t n = rlk_args_count(u->args), n_create = 0, at = 0;
    while (rlk_args_next(u->args, "create", &at))
        n_create++;
    u->pairs.list = rlk_arena_alloc(&u->arena, n, sizeof(rowlock_pair));
    u->create.list =
        rlk_arena_alloc(&u->arena, n_create + 1, sizeof(rowlock_pair));
    if (!u->pairs.list || !u->create.list)
        return rlk_out_of_memory(err);
    for (size_t i = 2; i < n; i++)
        RLK_TRY(add_pair(u, &u->pairs, rlk_args_operand(u->args, i), err));
    at = 0;
    for (const char *text; (text = rlk_args_next(u->args, "create", &at));)
        RLK_TRY(add_pair(u, &u->create, text, err));
    return 0;
}

/* "site+code": one key. */
static int
read_key(struct upsert *u, const char *text, rowlock_key *ret,
         rowlock_error *err)
{
    char **columns;
    size_t n;
    RLK_TRY(rlk_split(text, '+', &u->arena, &columns, &n, err));
    rowlock_pair *pairs = rlk_arena_alloc(&u->arena, n, sizeof *pairs);
    if (!pairs)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++) {
        const rowlock_pair *pair = find(&u->pairs, columns[i]);
        if (!pair) {
            rlk_fail(err, ROWLOCK_MISUSE, "match column \"%s\" has no value",
                     columns[i]);
            rlk_hint(err, "Add %s=VALUE.", columns[i]);
            return ROWLOCK_MISUSE;
        }
        pairs[i] = *pair;
    }
    *ret = (rowlock_key){pairs, n};
    return 0;
}

static int
read_match(struct upsert *u, rowlock_error *err)
{
    size_t at = 0, n = 0;
    for (const char *text; (text = rlk_args_next(u->args, "match", &at));)
        n += strlen(text);
    if (n == 0) {
        rlk_fail(err, ROWLOCK_MISUSE, "--match is missing");
        rlk_hint(err, "Say by which columns the record is found: --match COL.");
        return ROWLOCK_MISUSE;
    }
    u->match = rlk_arena_alloc(&u->arena, n, sizeof *u->match);
    if (!u->match)
        return rlk_out_of_memory(err);
    at = 0;
    for (const char *text; (text = rlk_args_next(u->args, "match", &at));) {
        char **keys;
        size_t n_keys;
        RLK_TRY(rlk_split_raw(text, ',', &u->arena, &keys, &n_keys, err));
        for (size_t i = 0; i < n_keys; i++)
            RLK_TRY(read_key(u, keys[i], &u->match[u->n_match++], err));
    }
    return 0;
}

static bool
is_match_column(const struct upsert *u, const char *column)
{
    for (size_t i = 0; i < u->n_match; i++)
        for (size_t j = 0; j < u->match[i].n_columns; j++)
            if (strcasecmp(u->match[i].columns[j].column, column) == 0)
                return true;
    return false;
}

/* What is written into a found record, and what into a new one (there the
 * match values come in by themselves). */
static int
sort_out(struct upsert *u, rowlock_error *err)
{
    size_t n = u->pairs.n + u->create.n;
    u->updating.list = rlk_arena_alloc(&u->arena, n, sizeof(rowlock_pair));
    u->creating.list = rlk_arena_alloc(&u->arena, n, sizeof(rowlock_pair));
    if (!u->updating.list || !u->creating.list)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < u->pairs.n; i++) {
        rowlock_pair pair = u->pairs.list[i];
        bool match = is_match_column(u, pair.column), given_null;
        given_null = pair.value.type == ROWLOCK_NULL;
        if (match)
            pair.value = rlk_value_strip(pair.value);
        if (given_null || pair.value.type != ROWLOCK_NULL)
            u->updating.list[u->updating.n++] = pair;
        if (!match && !find(&u->create, pair.column))
            u->creating.list[u->creating.n++] = pair;
    }
    for (size_t i = 0; i < u->create.n; i++)
        u->creating.list[u->creating.n++] = u->create.list[i];
    return 0;
}

static int
say_result(struct upsert *u, const struct rlk_table *table,
           const rowlock_record *record, enum rowlock_outcome outcome,
           rowlock_error *err)
{
    static const char *const words[] = {[ROWLOCK_CREATED] = "created",
                                        [ROWLOCK_UPDATED] = "updated",
                                        [ROWLOCK_UNCHANGED] = "unchanged"};
    rowlock_value *key;
    RLK_TRY(rlk_key_values(table, record, &u->arena, &key, err));
    rlk_buf_clear(&u->said);
    if (rlk_args_has(u->args, "json")) {
        rlk_buf_format(&u->said,
                       "{\"outcome\": \"%s\", \"table\": ", words[outcome]);
        rlk_buf_json(&u->said, table->name, strlen(table->name));
        rlk_buf_text(&u->said, ", \"key\": ");
        rlk_buf_json_key(&u->said, table, key);
        rlk_buf_char(&u->said, '}');
    } else {
        rlk_buf_format(&u->said, "%s ", words[outcome]);
        rlk_buf_key(&u->said, table, key);
    }
    rlk_buf_char(&u->said, '\n');
    return u->said.failed ? rlk_out_of_memory(err) : 0;
}

static int
upsert_body(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct upsert *u = arg;
    rowlock_upsert request = ROWLOCK_UPSERT_INIT;
    request.table = rlk_args_operand(u->args, 1);
    request.wait_ms = u->wait_ms;
    request.match = u->match;
    request.n_match = u->n_match;
    request.updating = u->updating.list;
    request.n_updating = u->updating.n;
    request.creating = u->creating.list;
    request.n_creating = u->creating.n;
    rowlock_record *record;
    enum rowlock_outcome outcome;
    const struct rlk_table *table;
    RLK_TRY(rowlock_update_or_create(b, &request, &record, &outcome, err));
    RLK_TRY(rlk_session_table(u->db, request.table, &table, err));
    return say_result(u, table, record, outcome, err);
}

/* Each run makes another record then: rarely what was meant. */
static bool
is_all_blank(const struct upsert *u)
{
    for (size_t i = 0; i < u->n_match; i++) {
        bool blank = false;
        for (size_t j = 0; j < u->match[i].n_columns; j++) {
            rowlock_value v = u->match[i].columns[j].value;
            blank = blank || rlk_value_strip(v).type == ROWLOCK_NULL;
        }
        if (!blank)
            return false;
    }
    return true;
}

static int
prepare(struct upsert *u, rowlock_error *err)
{
    RLK_TRY(read_pairs(u, err));
    RLK_TRY(read_match(u, err));
    return sort_out(u, err);
}

static int
run_upsert(const struct rlk_args *args)
{
    struct upsert u = {.args = args};
    rowlock_error err = {0};
    int rc = rlk_args_wait(args, &u.wait_ms);
    if (rc)
        return rc;
    rc = prepare(&u, &err);
    if (rc == 0)
        rc = rlk_session_open(args, &u.db, &err);
    if (rc == 0)
        rc = rlk_session_atomic(u.db, upsert_body, &u, &err);
    if (rc == 0) {
        fwrite(u.said.ptr, 1, u.said.len, stdout);
        if (is_all_blank(&u))
            rlk_speak("upsert: every match value is blank, so no record was "
                      "looked for");
    }
    rowlock_close(u.db);
    rlk_buf_done(&u.said);
    rlk_arena_done(&u.arena);
    return rc ? rlk_speak_failure(args, &err) : RLK_EXIT_DONE;
}
