/* SPDX-License-Identifier: MIT
 * An actor is a process with one session, which does what the test says, one
 * line at a time, and answers in a word: "ok", an outcome ("created 3": with
 * the id), or a SQLSTATE.
 *
 *     begin | savepoint | commit | rollback
 *     lock ID                     reads record ID for update
 *     rank N                      sets rank of the record last locked, saves
 *     create REMOTE SLUG          - stands for NULL
 *     upsert REMOTE SLUG RANK [fill|slug=NEW|change=NEW]
 *         by remote id, then slug. Found: sets rank; fill: the remote id too;
 *         slug=NEW: the slug too; change=NEW: stops in its change function
 *         ("changing"), goes on when told to ("go on"), and sets the slug.
 *     atomic COMMANDS             the same, joined by ";", in rowlock_atomic()
 */
#ifndef TESTS_RECORD_ACTOR_H
#define TESTS_RECORD_ACTOR_H

#include "support/engine.h"

struct stage {
    struct database db;
};

/* A database with the table term(id, remote_id, slug, rank) and index. */
void stage_init(struct stage *s, const char *sql);
void stage_done(struct stage *s);
/* A program that takes no locks runs sql. */
void stranger(const struct stage *s, const char *sql);
/* "1|r1|a|5 2|NULL|b|6": all records, by id. */
const char *records(const struct stage *s);

struct actor {
    struct child child;
    const struct database *db;
    bool closes; /* set before its start: a cycle is closed by it. A server
                    looks for cycles when a session has waited for a while,
                    SQLite's lock table when the last waiter arrives. */
};

void actor_start(struct actor *a, const struct stage *s);
/* Does the line and answers it. */
void act(struct actor *a, const char *line, const char *answer);
/* Does the line, which must wait for somebody: returns when it sleeps. */
void act_waits(struct actor *a, const char *line);
/* The answer to a line that waited. */
void answers(struct actor *a, const char *answer);
void actor_end(struct actor *a);

#endif
