/* SPDX-License-Identifier: MIT
 * Reading ahead: a thread of its own reads the source and takes its records
 * apart, a batch after the other, while the caller looks up and writes those
 * before. When it is well ahead it looks up, too. So two processors share a
 * run.
 *
 * The thread touches the reader, the plan and the batch that it fills, and
 * nothing else; a batch is either its or the caller's. */
#ifndef RLK_SYNC_FEED_H
#define RLK_SYNC_FEED_H

#include "sync/batch.h"

struct rlk_feed_options {
    struct rlk_reader_options reader; /* but for cancelled */
    size_t batch_records;             /* in one batch; 0: as many as fit */
    const volatile sig_atomic_t *cancelled; /* NULL, or ends it soon once it is
                                               not 0 */
    const volatile sig_atomic_t *ending;    /* the same */
    void (*idle)(void *arg); /* NULL, or called by the caller's thread now and
                                then while the source is waited for */
    void *arg;               /* of idle */
    /* NULL, or called by the thread when it has no room to read into, with a
     * batch that waits for its turn. It may fail: then nothing was done. */
    int (*look)(struct rlk_batch *b, void *arg, rowlock_error *err);
    void *look_arg;
};

struct rlk_feed;

/* Starts the reading. *ret is the caller's. */
int rlk_feed_start(const struct rlk_feed_options *o, struct rlk_feed **ret,
                   rowlock_error *err);
/* Waits for what the source gives first: RLK_READ_RECORD (good or bad), END or
 * UNCHANGED. */
int rlk_feed_first(struct rlk_feed *f, enum rlk_read *ret, rowlock_error *err);
/* Records are taken apart by this plan, which must outlive the feed. Once,
 * before the first rlk_feed_next(). */
void rlk_feed_go(struct rlk_feed *f, const struct rlk_plan *plan);
/* The next batch, until the next call; NULL at the end of the source. After a
 * failure of the source come the batches that were full before it. */
int rlk_feed_next(struct rlk_feed *f, struct rlk_batch **ret,
                  rowlock_error *err);
/* Of rlk_reader_validator(), at the end of the source. */
const char *rlk_feed_validator(struct rlk_feed *f);
/* NULL allowed. Ends the reading wherever it is. */
void rlk_feed_close(struct rlk_feed *f);

#endif
