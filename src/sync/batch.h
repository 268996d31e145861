/* SPDX-License-Identifier: MIT
 * Some hundred records on their way into the table: looked up together, and
 * written together, as far as nobody else holds them. */
#ifndef RLK_SYNC_BATCH_H
#define RLK_SYNC_BATCH_H

#include <signal.h>

#include "sync/ahead.h"
#include "sync/item.h"
#include "sync/keymap.h"
#include "sync/seen.h"

/* In one batch, which is one block: a bulk load shares a flush among more
 * records, and keeps their locks as long. */
enum { RLK_BATCH_RECORDS = 2000, RLK_BATCH_POLITE = 500 };

struct rlk_batch;

struct rlk_work { /* what all batches of a run share */
    const struct rlk_plan *plan;
    rowlock_db *db;
    struct rlk_seen seen; /* local records met */
    struct rlk_ahead ahead;
    int64_t patience_ms;       /* left of locks.total */
    int64_t free_at_ms;        /* before that, others have the writer */
    struct rlk_keymap *keymap; /* NULL: every match key has an index */
    bool checks; /* whole blocks are written at once, each record compared with
                    what was looked up: see write_all.c */
    unsigned hurry; /* so many batches are written firmly at once */
    const volatile sig_atomic_t *cancelled; /* may be NULL, as those below */
    const volatile sig_atomic_t *ending;    /* see sync.h */
    volatile sig_atomic_t *waits;
    bool keeps; /* items keep what a report tells of changes */
    /* After each commit, and at the batch's end: items may have got their fate.
     */
    void (*settled)(struct rlk_batch *b, void *arg);
    void *arg;
};

struct rlk_batch {
    struct rlk_arena arena; /* what the items point to */
    size_t n;
    struct rlk_item items[RLK_BATCH_RECORDS];
    rowlock_error failures[RLK_BATCH_RECORDS]; /* apart: most are never used */
    bool careful;     /* each record in a savepoint of its own */
    size_t n_written; /* records, and committed */

    struct rlk_item *todo[RLK_BATCH_RECORDS]; /* of this look */
    size_t n_todo;
    struct rlk_item *order[RLK_BATCH_RECORDS]; /* to be written, in order */
    size_t n_order;
    struct rlk_rows rows; /* of this look: the hits */
    struct rlk_rows made; /* new records, as stored */
    struct rlk_mark mark; /* of this look */
    bool trusted;         /* this batch has changed no key since */
    bool ahead;           /* it was made ahead, and is yet to be taken */
    unsigned patience; /* how often others may come in between, where a new look
                          costs less than looks one by one */
    struct rlk_seen round;
};

/* Can it be so for this table? */
bool rlk_work_checks(const struct rlk_work *w, const struct rlk_table *t);
/* Adds what the reader gave (RLK_READ_RECORD or RLK_READ_REJECTED). The batch
 * must have room. Fails for want of memory, or where a table lacks a column. */
int rlk_batch_add(struct rlk_batch *b, const struct rlk_plan *plan,
                  const struct rlk_remote *remote, enum rlk_read what,
                  rowlock_error *err);
/* Sees to it that every item has its fate. On failure those that have one are
 * in the database, the others are not. No lock is waited for: what somebody
 * holds is deferred. */
int rlk_batch_run(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err);
/* Waits for those that are deferred, as long as the definition says. */
int rlk_batch_wait(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err);
/* Calls w->settled, if there is one. */
void rlk_work_settled(const struct rlk_work *w, struct rlk_batch *b);
/* Fails once the run is to end, at once or after this batch. */
int rlk_work_check(const struct rlk_work *w, rowlock_error *err);
/* Empty again. */
void rlk_batch_reset(struct rlk_batch *b);
void rlk_batch_done(struct rlk_batch *b);

/* ---- look.c ---- */

/* Looks up b->todo in one snapshot without locks, and decides: items end
 * rejected, unchanged or in conflict, or stand in b->order to be written. */
int rlk_batch_look(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err);
/* The same in a block that has begun, whatever was looked up ahead. */
int rlk_batch_look_in(struct rlk_batch *b, struct rlk_work *w,
                      rowlock_block *block, rowlock_error *err);

/* The same ahead of its turn, on the reading thread: what follows from it is
 * left to rlk_batch_look(). On failure nothing was done. */
int rlk_batch_look_ahead(struct rlk_batch *b, struct rlk_work *w,
                         rowlock_error *err);

/* Ends it in conflict: another remote record has its local record. */
int rlk_batch_end_second(struct rlk_batch *b, struct rlk_item *item,
                         rowlock_error *err);
/* A name for the record that match key k means; and one that grows. */
uint64_t rlk_key_name(const struct rlk_match *key, size_t k);
/* Remembers that a write of item touches its record and, unless only_record,
 * its keys. */
bool rlk_item_touch(const struct rlk_item *item, bool only_record,
                    const struct rlk_plan *plan, struct rlk_ahead *a);
/* Those that are open and that nobody was seen to hold, into b->todo. */
size_t rlk_batch_choose(struct rlk_batch *b);
uint64_t rlk_name_add(uint64_t name, const void *bytes, size_t len);
uint64_t rlk_name_value(uint64_t name, rowlock_value v);

/* ---- write.c ---- */

/* Writes b->order in one block, or in several when the writer is to be shared.
 * Items then have their fate, or are stale (to be looked up again) or held. */
int rlk_batch_write(struct rlk_batch *b, struct rlk_work *w, int32_t wait_ms,
                    rowlock_error *err);
/* Looks up all that is open, and writes it, in one block that has the writer
 * from the start: nobody can be faster. */
int rlk_batch_write_firmly(struct rlk_batch *b, struct rlk_work *w,
                           rowlock_error *err);
/* Waits until a polite run may have the writer again. */
void rlk_batch_stay_away(const struct rlk_work *w);
int64_t rlk_now_ms(void);

#endif
