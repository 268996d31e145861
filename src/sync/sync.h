/* SPDX-License-Identifier: MIT
 * The room's front: run a definition once. The room knows no engine: whoever
 * runs it opens the target when asked. */
#ifndef RLK_SYNC_SYNC_H
#define RLK_SYNC_SYNC_H

#include "rowlock/rowlock.h"
#include "sync/definition.h"
#include "sync/item.h"

struct rlk_sync_report { /* of what is committed; of a dry run: what would be */
    uint64_t records, created, updated, unchanged;
    uint64_t conflicts, deferred, rejected; /* left as they are */
    bool definition_wrong; /* the failure is the definition's */
    bool source_away;      /* the failure is the source's: try again later */
    bool source_unchanged; /* said so itself: nothing was read */
    char validator[RLK_VALIDATOR_SIZE]; /* of a body that was read to its end;
                                           "": none */
};

struct rlk_sync_left {           /* a record that was not written */
    enum rlk_fate fate;          /* CONFLICT, DEFERRED or REJECTED */
    uint64_t number, line, byte; /* of the record in the source */
    const rowlock_error *reason; /* its context has the exact place */
};

struct rlk_sync_set { /* one column's old and new value */
    const char *column;
    rowlock_value old, new; /* old: NULL for a new record */
    int generated;          /* enum rlk_generated: then new is an example */
};

struct rlk_sync_change {         /* what a dry run would write */
    enum rlk_fate fate;          /* CREATED or UPDATED */
    uint64_t number, line, byte; /* of the record in the source */
    const struct rlk_table *table;
    const rowlock_value *key; /* UPDATED: the record's primary key */
    const struct rlk_sync_set *sets;
    size_t n_sets;
};

struct rlk_sync_options {
    /* Answers a session on the target. It stays the caller's, and must live
     * until the run has ended. make: create database and table where they are
     * missing and the definition says so; else *ret stays NULL then. */
    int (*open_target)(const struct rlk_definition *d, bool make,
                       rowlock_db **ret, void *arg, rowlock_error *err);
    /* Once the target is open, before the source is asked (where the table was
     * made: before the first record is written). fits: the definition fits the
     * table; else the run fails. May be NULL. */
    void (*on_target)(bool fits, void *arg);
    /* After the commit of the batch it was in; conflicts at the end. May be
     * NULL. */
    void (*on_left)(const struct rlk_sync_left *left, void *arg);
    /* After each commit. May be NULL. */
    void (*on_progress)(const struct rlk_sync_report *report, void *arg);
    /* Given: a dry run. Nothing is locked or written; each change that would be
     * made is told here, in the order of the source. The session may be one
     * that can look only. */
    void (*on_change)(const struct rlk_sync_change *change, void *arg);
    void *arg;
    /* NULL, or the validator of an earlier run that left nothing to do: if the
     * source answers that it is unchanged since, the run is done. "": none;
     * on_target may fill it. */
    const char *validator;
    struct rlk_source_limits limits;
    size_t batch_records; /* in one block, 500 at most; 0: 500 */
    const volatile sig_atomic_t *cancelled; /* NULL, or ends the run once it is
                                               not 0 */
};

/* Reads the source and writes each record. ret is filled also on failure: what
 * was committed before it stays. */
int rlk_sync_run(const struct rlk_definition *d,
                 const struct rlk_sync_options *o, struct rlk_sync_report *ret,
                 rowlock_error *err);

#endif
