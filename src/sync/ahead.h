/* SPDX-License-Identifier: MIT
 * Looking ahead: the reading thread, when it has nothing to read into, looks up
 * batches that wait for their turn, over a session of its own that can only
 * look. Meanwhile this run writes batches before them, and others write too.
 *
 * What of such a look still holds is told by marks and names. Its mark says how
 * many own commits it is sure to have seen; the names of what later ones
 * touched are remembered, and what meets one of them is looked up again. That
 * nobody else has committed is seen as for any look, inside the write
 * transaction. */
#ifndef RLK_SYNC_AHEAD_H
#define RLK_SYNC_AHEAD_H

#include "record/record.h"
#include "sync/seen.h"

enum { RLK_AHEAD_COMMITS = 8 }; /* so many are remembered */

struct rlk_ahead {
    rowlock_db *db; /* the reading thread's; NULL: nobody looks ahead */
    _Alignas(8) struct rlk_mark published; /* atomic; others 0: none */

    /* The writing thread's: */
    struct rlk_mark mark; /* now; others 0: not known */
    uint32_t from;        /* own commits before this one may have touched
                             anything */
    struct rlk_touched {
        struct rlk_seen names;
        bool all;
    } touched[RLK_AHEAD_COMMITS]; /* by the number of the commit */
};

/* ---- the writing thread ---- */

/* What was committed until now is known: a look, or a write transaction that
 * has begun, had this mark. */
void rlk_ahead_note(struct rlk_ahead *a, struct rlk_mark mark);
/* The mark for a run whose records are each compared as they are written:
 * others' commits need not be counted then, own ones are. */
static inline struct rlk_mark
rlk_ahead_own(const struct rlk_ahead *a)
{
    return (struct rlk_mark){1, a->mark.own};
}

/* A write transaction begins: what it touches is yet to be told. */
void rlk_ahead_start(struct rlk_ahead *a);
bool rlk_ahead_touch(struct rlk_ahead *a, uint64_t name);
void rlk_ahead_touch_all(struct rlk_ahead *a);
/* It was committed. */
void rlk_ahead_commit(struct rlk_ahead *a);
/* Something was committed, nobody knows what. */
void rlk_ahead_lose(struct rlk_ahead *a);

/* A look with this mark can have missed own commits, but none that is not
 * remembered. */
bool rlk_ahead_covers(const struct rlk_ahead *a, struct rlk_mark mark);
/* One of those that it can have missed touched name. */
bool rlk_ahead_missed(const struct rlk_ahead *a, struct rlk_mark mark,
                      uint64_t name);

void rlk_ahead_done(struct rlk_ahead *a);

/* ---- the reading thread ---- */

/* To be asked before a look begins. */
struct rlk_mark rlk_ahead_published(const struct rlk_ahead *a);

#endif
