/* SPDX-License-Identifier: MIT
 * The inside of rowlock-spec. README.md says what a spec is and how it is
 * written; parse.c reads one, schedule.c runs it, session.c and statement.c are
 * one of its sessions. */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "rowlock/rowlock.h"
#include "support/engine.h"

enum {
    SPEC_SESSIONS = 9,
    SPEC_STEPS = 64, /* of all sessions */
    SPEC_PERMUTATIONS = 4096,
    SPEC_TABLES = 8,
    SPEC_COLUMNS = 8,
    SPEC_BLOCKS = 8,    /* one in the other */
    SPEC_TEXT = 1 << 14 /* what one step may say */
};

/* In a permutation: no step, but until all that wait have been answered. */
enum { SPEC_AWAIT = -1 };

struct spec_step {
    const char *name, *text;
    int session;
};

struct spec_session {
    const char *name;
    const char *opening; /* statements before each permutation, or NULL */
    bool closing;        /* ends deadlocks, where that is a matter of time */
};

struct spec_table { /* what is printed of its records */
    const char *name;
    const char *columns[SPEC_COLUMNS];
    int n_columns;
};

struct spec {
    char *memory; /* all texts lie in it */
    const char *setup, *teardown;
    struct spec_table tables[SPEC_TABLES];
    struct spec_session sessions[SPEC_SESSIONS];
    struct spec_step steps[SPEC_STEPS];
    int n_tables, n_sessions, n_steps, n_permutations;
    bool all; /* interleavings; those that cannot be are passed over */
    struct {
        int n, steps[SPEC_STEPS];
    } * permutations;
};

/* 0, or a message about path at a line on stderr. */
int spec_read(struct spec *ret, const char *path);
void spec_free(struct spec *s);

/* Runs all permutations, and prints to out. -1: a message on stderr. */
int spec_run(const struct spec *s, const struct database *d, FILE *out);

/* In a session's process: serves steps that come by link, until it ends. */
void spec_serve(const struct spec *s, const char *url, int link);

/* A session's state, and its statements. */
struct spec_state {
    const struct spec *spec;
    rowlock_db *db;
    rowlock_block *blocks[SPEC_BLOCKS];
    char names[SPEC_BLOCKS][32]; /* of savepoints */
    int n_blocks;
    rowlock_record *record; /* in hand: the first that was fetched last */
    const struct spec_table *table; /* its */
    char *out;                      /* SPEC_TEXT bytes */
    size_t n_out;
};
void spec_say(struct spec_state *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Executes statements; what they answer is said. False: not a statement. */
bool spec_execute(struct spec_state *s, const char *text);

#endif
