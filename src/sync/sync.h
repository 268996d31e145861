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

struct rlk_sync_told {             /* a record, and what became of it */
    enum rlk_fate fate;            /* any but OPEN and UNCHANGED */
    uint64_t number, line, byte;   /* of the record in the source */
    const struct rlk_table *table; /* its names only: see plan.h */
    const rowlock_value *key; /* the local record's primary key, as it is now;
                                 NULL: not known */
    const struct rlk_sync_set *sets; /* CREATED, UPDATED: what was written */
    size_t n_sets;
    const rowlock_error *reason; /* the others: why it was left as it is; its
                                    context has the exact place */
};

struct rlk_sync_options {
    /* Answers a session on the target. It stays the caller's, and must live
     * until the run has ended. make: create database and table where they are
     * missing and the definition says so; else *ret stays NULL then. */
    int (*open_target)(const struct rlk_definition *d, bool make,
                       rowlock_db **ret, void *arg, rowlock_error *err);
    /* NULL, or answers a second session on the target, which need not be able
     * to do more than look, for another thread. It becomes the run's. */
    int (*open_look)(const struct rlk_definition *d, rowlock_db **ret,
                     void *arg, rowlock_error *err);
    /* Once the target is open, before the source is asked (where the table was
     * made: before the first record is written). fits: the definition fits the
     * table; else the run fails. May be NULL. */
    void (*on_target)(bool fits, void *arg);
    /* Match key k has no index: its values are read once. May be NULL. */
    void (*on_slow_key)(size_t k, void *arg);
    /* A record that was not written: after the commit of what was written
     * beside it; conflicts at the end. May be NULL. Its key is known only where
     * on_change is given. */
    void (*on_left)(const struct rlk_sync_told *left, void *arg);
    /* A record that was created or updated: after its commit. NULL costs
     * nothing. */
    void (*on_change)(const struct rlk_sync_told *change, void *arg);
    /* After each commit, and what was told of it. May be NULL. */
    void (*on_progress)(const struct rlk_sync_report *report, void *arg);
    /* Now and then while the source is waited for. May be NULL. */
    void (*on_idle)(void *arg);
    void *arg;
    bool dry; /* nothing is locked or written; what would be is told, in the
                 order of the source; generated values are examples. The session
                 may be one that can look only. */
    /* NULL, or the validator of an earlier run that left nothing to do: if the
     * source answers that it is unchanged since, the run is done. "": none;
     * on_target may fill it. */
    const char *validator;
    struct rlk_source_limits limits;
    const struct rlk_source_watch *watch; /* NULL, or all of it */
    size_t batch_records; /* in one block; 0: as the pace has it (batch.h) */
    const volatile sig_atomic_t *cancelled; /* NULL, or ends the run once it is
                                               not 0 */
    const volatile sig_atomic_t *ending;    /* NULL, or ends the run after the
                                               batch that is under way, without
                                               waiting for what others hold */
    volatile sig_atomic_t *waits; /* NULL, or not 0 while a held record is
                                     waited for: whoever sets ending may cancel
                                     the session then, and no batch is lost */
};

/* Reads the source and writes each record. ret is filled also on failure: what
 * was committed before it stays. */
int rlk_sync_run(const struct rlk_definition *d,
                 const struct rlk_sync_options *o, struct rlk_sync_report *ret,
                 rowlock_error *err);

#endif
