/* SPDX-License-Identifier: MIT
 * The inside of a run: owners that work as sessions do (src/lock/session.c and
 * wait.c, without latch and sleep), one step for each hold of the latch. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "lock/deadlock.h"
#include "lock/log.h"
#include "lock/session.h"
#include "model.h"
#include "sim.h"

enum { SAVEPOINTS = 4, NO_DEADLINE = INT32_MAX };

enum doing {
    NOT_THERE, /* the slot is free */
    IDLE,
    ASKS,     /* about to ask for a lock */
    SEARCHES, /* queued; looks for a cycle */
    SLEEPS,   /* queued, or granted and about to see it */
    LOOKS,    /* woken, or its slice is over */
    BURIES,   /* those of blockers that are dead */
    RELEASES, /* down to release_to, then IDLE or NOT_THERE */
    DIED
};

struct actor {
    enum doing doing;
    bool stopped;
    bool woken;
    bool leaves; /* after the release */
    struct rlk_log log;
    struct rlk_search *search;
    /* What it asks for; the table first. */
    int wanted;
    int asking;
    enum rowlock_mode mode;
    bool may_wait;
    int32_t deadline;
    size_t take_mark;
    uint8_t before_take[SIM_NAMES];
    uint32_t lock;
    enum rowlock_mode before;
    size_t release_to;
    uint8_t release_modes[SIM_NAMES]; /* what it shall hold then */
    struct rlk_blocker blockers[SIM_OWNERS];
    uint32_t n_blockers, buried;
    int n_savepoints;
    size_t marks[SAVEPOINTS];
    uint8_t held_at[SAVEPOINTS][SIM_NAMES];
};

struct world {
    struct rlk_table t;
    enum sim_mode mode;
    enum sim_plant plant;
    FILE *log;
    const char *failure;
    struct model model; /* SIM_WHOLE */
    struct actor actors[SIM_OWNERS];
    struct rlk_id ids[SIM_NAMES];
    uint32_t scratch[RLK_OWNERS];
    uint32_t noise; /* where holds of the latch are cut */
    struct sim_result result;
};

void world_init(struct world *w, enum sim_mode mode, enum sim_plant plant,
                FILE *log);
void world_done(struct world *w);

/* The first failure counts. */
void world_fail(struct world *w, const char *what);
uint32_t world_held(struct world *w, int owner, int name);
/* What the table says, as a model. */
void world_picture(struct world *w, struct model *ret);

/* One hold of the latch, or less. An idle or sleeping owner does nothing. */
void actor_step(struct world *w, int owner);
/* In SIM_WHOLE, all that can be done at once. */
void actor_go(struct world *w, int owner);
/* Start an operation of an idle owner. */
void actor_take(struct world *w, int owner, int name, enum rowlock_mode mode,
                bool may_wait, int32_t deadline);
void actor_savepoint(struct world *w, int owner);
void actor_roll_back(struct world *w, int owner);
void actor_commit(struct world *w, int owner, bool leave);
/* In any state. */
void actor_arrive(struct world *w, int owner);
void actor_give_up(struct world *w, int owner); /* who sleeps */
void actor_die(struct world *w, int owner);
/* Bury a dead one at once, as who opens the database does. */
void actor_bury(struct world *w, int owner);

#endif
