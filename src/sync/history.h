/* SPDX-License-Identifier: MIT
 * The history of runs: the table rowlock_runs in the target's database, one row
 * a run, written through the record API. A row comes into being when its run
 * starts and is completed when it ends; what its process left unfinished the
 * next run of the same definition marks as broken off. The room writes no DDL:
 * whoever runs it makes the table. */
#ifndef RLK_SYNC_HISTORY_H
#define RLK_SYNC_HISTORY_H

#include "sync/sync.h"

#define RLK_HISTORY_TABLE "rowlock_runs"
enum { RLK_HISTORY_KEPT = 1000 }; /* rows of one definition, the newest */

enum rlk_history_column { /* besides id, an integer primary key */
                          RLK_RUNS_SYNC,
                          RLK_RUNS_STARTED,
                          RLK_RUNS_ENDED,
                          RLK_RUNS_STATUS,
                          RLK_RUNS_EXIT_STATUS,
                          RLK_RUNS_RECORDS,
                          RLK_RUNS_CREATED,
                          RLK_RUNS_UPDATED,
                          RLK_RUNS_UNCHANGED,
                          RLK_RUNS_CONFLICTS,
                          RLK_RUNS_DEFERRED,
                          RLK_RUNS_REJECTED,
                          RLK_RUNS_ERROR,
                          RLK_RUNS_PID,
                          RLK_RUNS_DEFINITION,
                          RLK_RUNS_VERSION,     /* of Rowlock */
                          RLK_RUNS_SOURCE_READ, /* when the body that validator
                                                   speaks of was read: a run's
                                                   start, or that of one before
                                                   it; NULL without validator */
                          RLK_RUNS_VALIDATOR,
                          RLK_RUNS_TARGET_MADE, /* rlk_table.made */
                          RLK_HISTORY_COLUMNS
};
extern const struct rlk_history_spec {
    const char *name, *type;
} rlk_history_columns[RLK_HISTORY_COLUMNS];

/* By the column `status`. */
#define RLK_RUN_RUNNING     "running"
#define RLK_RUN_DONE        "done"
#define RLK_RUN_FAILED      "failed"
#define RLK_RUN_INTERRUPTED "interrupted"
#define RLK_RUN_BROKEN      "broken off"

enum { RLK_MOMENT_SIZE = 32 }; /* a time as stored */

/* What an earlier run has read, when nothing of it is left to do. */
struct rlk_known_source {
    char validator[RLK_VALIDATOR_SIZE]; /* "": nothing is known */
    char read[RLK_MOMENT_SIZE];         /* when */
};

struct rlk_history { /* zeroed: no row is kept */
    rowlock_db *db;
    int64_t id;
    const struct rlk_definition *d;
    char started[RLK_MOMENT_SIZE];
    struct rlk_known_source known;
};

/* Fills known: if the newest run of d ended with status 0, with this version of
 * Rowlock and of the definition, has a validator, and the table is the one that
 * it wrote to and holds something. Writes nothing. */
int rlk_history_look(struct rlk_history *h, const struct rlk_definition *d,
                     rowlock_db *db, rowlock_error *err);

/* Looks as above, and inserts the row. The run lock of d must be held: rows of
 * d that are left as running belong to nobody then. db and d must live until
 * the end. Waits a few seconds at most for its turn to write. */
int rlk_history_begin(struct rlk_history *h, const struct rlk_definition *d,
                      rowlock_db *db, rowlock_error *err);

struct rlk_history_end {
    const char *status;
    int exit_status;
    const struct rlk_sync_report *report;
    const char *error; /* NULL: none */
};
/* Completes the row, if there is one; waits like begin. The validator of what
 * was read is kept if the exit status is 0; known, if the source said that
 * it is unchanged. In known only the time stays, to be told. */
int rlk_history_end(struct rlk_history *h, const struct rlk_history_end *end,
                    rowlock_error *err);

#endif
