/* SPDX-License-Identifier: MIT
 * The actor's process: reads lines, runs them, answers. */
#include "actor.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rowlock/rowlock.h"

enum { DEEPEST = 8 };

struct play {
    rowlock_db *db;
    rowlock_block *blocks[DEEPEST];
    int depth;
    rowlock_record *record;
    rowlock_error err;
    char answer[SUPPORT_TEXT];
};

/* ---- the database, by plain SQLite ---- */

static sqlite3 *
open_plain(const struct stage *s)
{
    sqlite3 *db;
    check(sqlite3_open(s->path.text, &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, 1000 * SUPPORT_LIMIT_S);
    return db;
}

void
stranger(const struct stage *s, const char *sql)
{
    char *message = NULL;
    sqlite3 *db = open_plain(s);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        support_fail("%s: %s", sql, message);
    sqlite3_close(db);
}

void
stage_init(struct stage *s, const char *sql)
{
    folder_init(&s->folder);
    s->path = folder_file(&s->folder, "term.db");
    stranger(s, "PRAGMA journal_mode = wal;"
                "CREATE TABLE term (id INTEGER PRIMARY KEY, remote_id TEXT,"
                "    slug TEXT COLLATE NOCASE, rank INTEGER)");
    stranger(s, sql);
}

void
stage_done(struct stage *s)
{
    folder_done(&s->folder);
}

const char *
records(const struct stage *s)
{
    static char text[1024];
    sqlite3_stmt *stmt;
    sqlite3 *db = open_plain(s);
    size_t len = 0;
    check(sqlite3_prepare_v2(db, "SELECT * FROM term ORDER BY id", -1, &stmt,
                             NULL) == SQLITE_OK);
    text[0] = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW)
        for (int i = 0; i < 4; i++) {
            const char *cell = (const char *)sqlite3_column_text(stmt, i);
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
                                    i     ? "|"
                                    : len ? " "
                                          : "",
                                    cell ? cell : "NULL");
            check(len < sizeof text);
        }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return text;
}

/* ---- lines ---- */

/* The next word of *line, cut off; "-" is NULL. */
static const char *
next_word(char **line)
{
    const char *word = strsep(line, " ");
    check(word);
    return strcmp(word, "-") == 0 ? NULL : word;
}

static int
do_lock(struct play *p, char *line)
{
    rowlock_value id = rowlock_int(atoi(next_word(&line)));
    rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "term";
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_UPDATE;
    return rowlock_query_first(p->blocks[p->depth - 1], &q, &p->record,
                               &p->err);
}

static int
do_rank(struct play *p, char *line)
{
    rowlock_value rank = rowlock_int(atoi(next_word(&line)));
    int rc = rowlock_record_set(p->record, "rank", rank, &p->err);
    return rc ? rc : rowlock_record_save(p->record, &p->err);
}

static int
do_create(struct play *p, char *line)
{
    rowlock_pair values[2] = {{"remote_id", rowlock_text(next_word(&line))},
                              {"slug", rowlock_text(next_word(&line))}};
    return rowlock_record_create(p->blocks[p->depth - 1], "term", values, 2,
                                 NULL, &p->err);
}

static int
change_slug(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    (void)created;
    parent_tell("changing");
    parent_expect("go on");
    return rowlock_record_set(r, "slug", rowlock_text(arg), err);
}

static void
print_outcome(struct play *p, const rowlock_record *r,
              enum rowlock_outcome outcome)
{
    static const char *const names[] = {"", "created", "updated", "unchanged"};
    rowlock_value id;
    check(rowlock_record_get(r, "id", &id, &p->err) == 0);
    snprintf(p->answer, sizeof p->answer, "%s %d", names[outcome], (int)id.u.i);
}

static int
do_upsert(struct play *p, char *line)
{
    rowlock_pair remote_id = {"remote_id", rowlock_text(next_word(&line))};
    rowlock_pair slug = {"slug", rowlock_text(next_word(&line))};
    rowlock_key match[2] = {{&remote_id, 1}, {&slug, 1}};
    rowlock_pair updating[2] = {{"rank", rowlock_int(atoi(next_word(&line)))}};
    rowlock_pair creating[1] = {updating[0]};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    rowlock_record *r;
    enum rowlock_outcome outcome;
    u.table = "term";
    u.match = match;
    u.n_match = 2;
    u.updating = updating;
    u.n_updating = 1;
    u.creating = creating;
    u.n_creating = 1;
    if (line && strcmp(line, "fill") == 0)
        updating[u.n_updating++] = remote_id;
    else if (line && strncmp(line, "slug=", 5) == 0)
        updating[u.n_updating++] =
            (rowlock_pair){"slug", rowlock_text(line + 5)};
    else if (line && strncmp(line, "change=", 7) == 0) {
        u.change = change_slug;
        u.arg = line + 7;
    }
    int rc = rowlock_update_or_create(p->blocks[p->depth - 1], &u, &r, &outcome,
                                      &p->err);
    if (!rc)
        print_outcome(p, r, outcome);
    return rc;
}

static int
do_begin(struct play *p, char *line)
{
    (void)line;
    return rowlock_begin(p->db, &p->blocks[p->depth++], &p->err);
}

static int
do_savepoint(struct play *p, char *line)
{
    (void)line;
    check(p->depth < DEEPEST);
    p->depth++;
    return rowlock_savepoint(p->blocks[p->depth - 2], &p->blocks[p->depth - 1],
                             &p->err);
}

static int
do_commit(struct play *p, char *line)
{
    (void)line;
    return rowlock_commit(p->blocks[--p->depth], &p->err);
}

static int
do_rollback(struct play *p, char *line)
{
    (void)line;
    rowlock_rollback(p->blocks[--p->depth]);
    return 0;
}

static int do_atomic(struct play *p, char *line);

static const struct {
    const char *word;
    int (*run)(struct play *p, char *line);
} verbs[] = {
    {"begin", do_begin},   {"savepoint", do_savepoint},
    {"commit", do_commit}, {"rollback", do_rollback},
    {"lock", do_lock},     {"rank", do_rank},
    {"create", do_create}, {"upsert", do_upsert},
    {"atomic", do_atomic},
};

static int
run_line(struct play *p, char *line)
{
    const char *word = next_word(&line);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].word, word) == 0)
            return verbs[i].run(p, line);
    support_fail("no such verb: %s", word);
}

struct script {
    struct play *p;
    const char *lines;
};

static int
run_script(rowlock_block *b, void *arg, rowlock_error *err)
{
    const struct script *s = arg;
    char copy[SUPPORT_TEXT], *rest = copy, *line;
    snprintf(copy, sizeof copy, "%s", s->lines);
    s->p->blocks[0] = b;
    s->p->depth = 1;
    int rc = 0;
    while (!rc && (line = strsep(&rest, ";")))
        rc = run_line(s->p, line);
    if (rc && err)
        *err = s->p->err;
    s->p->depth = 0;
    return rc;
}

static int
do_atomic(struct play *p, char *line)
{
    struct script s = {p, line};
    return rowlock_atomic(p->db, run_script, &s, &p->err);
}

/* ---- the two ends ---- */

static void
play(void *arg)
{
    const struct stage *s = arg;
    struct play p = {0};
    char line[SUPPORT_TEXT];
    if (rowlock_open(s->path.text, NULL, &p.db, &p.err))
        support_fail("%s: %s", p.err.message, p.err.detail);
    for (;;) {
        parent_hear(line);
        if (strcmp(line, "end") == 0)
            break;
        parent_tell("begun");
        snprintf(p.answer, sizeof p.answer, "ok");
        int rc = run_line(&p, line);
        parent_tell("%s", rc ? p.err.sqlstate : p.answer);
    }
    rowlock_close(p.db);
}

void
actor_start(struct actor *a, const struct stage *s)
{
    child_start(&a->child, play, (void *)s);
}

void
answers(struct actor *a, const char *answer)
{
    child_expect(&a->child, answer);
}

void
act(struct actor *a, const char *line, const char *answer)
{
    child_tell(&a->child, "%s", line);
    child_expect(&a->child, "begun");
    child_expect(&a->child, answer);
}

void
act_waits(struct actor *a, const char *line)
{
    child_tell(&a->child, "%s", line);
    child_expect(&a->child, "begun");
    child_wait_asleep(&a->child);
    check(!child_has_said(&a->child));
}

void
actor_end(struct actor *a)
{
    child_tell(&a->child, "end");
    child_end(&a->child);
}
