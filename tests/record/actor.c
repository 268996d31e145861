/* SPDX-License-Identifier: MIT
 * The actor's process: reads lines, runs them, answers. */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- the database ---- */

void
stranger(const struct stage *s, const char *sql)
{
    database_run(&s->db, sql);
}

void
stage_init(struct stage *s, const char *sql)
{
    database_init(&s->db);
    stranger(s, "CREATE TABLE term (id INTEGER PRIMARY KEY, remote_id TEXT,"
                "    slug TEXT COLLATE NOCASE, rank INTEGER)");
    stranger(s, sql);
}

void
stage_done(struct stage *s)
{
    database_done(&s->db);
}

const char *
records(const struct stage *s)
{
    return database_look(&s->db, "SELECT * FROM term ORDER BY id");
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
    const struct actor *a = arg;
    struct play p = {0};
    char line[SUPPORT_TEXT], label[16];
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    snprintf(label, sizeof label, "%d", (int)getpid());
    o.label = label;
    setenv("PGOPTIONS",
           a->closes ? "-c deadlock_timeout=10ms" : "-c deadlock_timeout=100s",
           1);
    if (rowlock_open(a->db->url, &o, &p.db, &p.err))
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
    a->db = &s->db;
    child_start(&a->child, play, a);
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
    database_wait_blocked(a->db, &a->child);
    check(!child_has_said(&a->child));
}

void
actor_end(struct actor *a)
{
    child_tell(&a->child, "end");
    child_end(&a->child);
}
