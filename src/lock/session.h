/* SPDX-License-Identifier: MIT
 * The inside of a session: its view, its private log of locks, and the entrance
 * to the latch. For session.c, wait.c and list.c. */
#ifndef RLK_LOCK_SESSION_H
#define RLK_LOCK_SESSION_H

#include "attach.h"
#include "core.h"
#include "deadlock.h"
#include "log.h"

struct rowlock_locks {
    struct rlk_attachment *attachment;
    struct rlk_table table;
    struct rlk_self self;
    struct rlk_log log;
    struct rlk_search *search; /* made at the first wait */
    uint32_t writer;           /* the writer slot's lock, or 0 */
    char table_held[64];       /* the last table that a record lock implied, if
                                  its name fits and nothing was given back
                                  since; "": none */
    struct rlk_stop stop;      /* what ends its waits */
    int64_t checked_ms;        /* when the file was last looked at */
    /* When the latch was stuck as a wait ended: the lock that was waited for,
     * maybe granted since, and to what it goes back; or 0. */
    uint32_t left_lock;
    enum rowlock_mode left_mode;
    rowlock_locks_options options;
};

/* A request on its way: what is asked, and for how long. */
struct rlk_asking {
    const rowlock_name *name;
    struct rlk_id id;
    enum rowlock_mode mode;
    int32_t wait_ms;
    struct rlk_patience patience;
};

/* Take the latch as this session; on success the caller calls rlk_exit(). */
int rlk_enter(rowlock_locks *s, const struct rlk_patience *patience,
              rowlock_error *err);
/* Give the latch back; 58030 when the table proved damaged. */
int rlk_exit(rowlock_locks *s, rowlock_error *err);

/* Who stands in the way of a waiting or refused request. */
struct rlk_blocker {
    uint32_t slot, incarnation;
    int64_t pid, held_ms;
    char label[RLK_OWNER_LABEL];
};
/* Under the latch: owners that keep owner's request for mode on a name from
 * being granted, most at most; at least one, if there is one. */
uint32_t rlk_blockers(struct rlk_table *t, uint32_t name, uint32_t owner,
                      uint32_t mode, struct rlk_blocker *ret, uint32_t most);

/* Sleep until lock, queued by this session, is granted; else it is no longer
 * queued, and held as before. Errors: 55P03, 40P01, 57014, 08006, 58030. */
int rlk_wait_for_grant(rowlock_locks *s, uint32_t lock,
                       enum rowlock_mode before,
                       const struct rlk_asking *asking, rowlock_error *err);
/* Bury those of n blockers that are dead; true when there was one. */
bool rlk_bury_dead_blockers(rowlock_locks *s,
                            const struct rlk_blocker *blockers, uint32_t n,
                            const struct rlk_patience *patience);
/* Fill err with 55P03, the message and who holds it. */
int rlk_not_available(const struct rlk_asking *asking, const char *message,
                      const struct rlk_blocker *blocker, rowlock_error *err);

#endif
