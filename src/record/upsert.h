/* SPDX-License-Identifier: MIT
 * One call of update_or_create, for its files: upsert.c (the rounds), look.c
 * (lookups), upsert_lock.c (locks). */
#ifndef RLK_RECORD_UPSERT_H
#define RLK_RECORD_UPSERT_H

#include "keys.h"
#include "request.h"

struct rlk_call {
    rowlock_block *b;
    rowlock_db *db;
    const struct rlk_driver *driver;
    struct rlk_arena *arena;
    struct rlk_request r;

    size_t mark;          /* of the locks, before this call took any */
    bool took;            /* it holds something that it took itself */
    struct rlk_keys keys; /* needed so far; locked when keys_held */
    bool keys_held;

    struct rlk_rows rows;      /* of the last lookup */
    int *found;                /* for each live key: its row in rows, or -1 */
    const struct rlk_row *hit; /* NULL: none */
    bool looked, first_missed;
    uint64_t looked_in; /* the write epoch then */

    struct rlk_set *sets; /* what is to be written into the hit */
    size_t n_sets;
    bool want_record;
    rowlock_record *record; /* a handle of the hit, when one is wanted */
    bool saved;             /* by the caller's change function itself */
    rowlock_error *clash;   /* the unique violation after which we look again */
    enum rowlock_outcome outcome;
};

/* ---- look.c ---- */

/* Looks the live keys up; s->hit: the record that counts. 23505 when all keys
 * must agree and do not. */
int rlk_call_look(struct rlk_call *s, rowlock_error *err);
/* What the last lookup gave is still the newest version. */
bool rlk_call_is_current(const struct rlk_call *s);
enum rlk_sameness { RLK_SAME_RECORD, RLK_SAME_VALUES };
/* Looks again. *ret_same: the hit is the record (with the values) it was, or
 * there is none again. */
int rlk_call_look_again(struct rlk_call *s, enum rlk_sameness how,
                        bool *ret_same, rowlock_error *err);

/* ---- upsert_lock.c ---- */

/* The keys that writing sets over old (NULL: a new record) touches, with all
 * that the call matches. None: it changes no key. false: out of memory. */
bool rlk_call_keys_of(struct rlk_call *s, const struct rlk_row *old,
                      const struct rlk_set *sets, size_t n_sets,
                      struct rlk_keys *ret);
/* Sees to it that all keys of need are locked. *ret_asked: some were not, so
 * all that this call had taken was given back first, and what was seen before
 * may have changed. */
int rlk_call_lock_keys(struct rlk_call *s, const struct rlk_keys *need,
                       bool *ret_asked, rowlock_error *err);
/* Locks the hit. *ret_same: it is still the hit, and s->hit its newest
 * version. */
int rlk_call_lock_hit(struct rlk_call *s, enum rowlock_mode mode,
                      bool *ret_same, rowlock_error *err);
/* All locks that this call took go back, and the hit's handle dies. */
void rlk_call_give_back(struct rlk_call *s);
void rlk_call_drop_record(struct rlk_call *s);

#endif
