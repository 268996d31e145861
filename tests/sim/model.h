/* SPDX-License-Identifier: MIT
 * The contract of the lock table, said as plainly as can be: a claim for each
 * owner and name, and every question answered by looking at all of them. Too
 * slow for use and easy to check by eye; the simulation compares the real core
 * with it. It shares no code with src/lock/. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SIM_OWNERS = 12,
    SIM_NAMES = 7,
    SIM_TABLE = 0, /* the name of the table that the other names are records
                      of: a lock on it is not firm */
    SIM_SLOT = 6,  /* the writer slot: who gives it back grants it to nobody who
                      was bypassed less often than this: */
    SIM_SLOT_BYPASSES = 8,
    SIM_GATE = 64 /* bypasses of one waiter before the gate closes */
};

struct claim {        /* one owner's on one name */
    uint32_t held;    /* 0: not */
    uint32_t want;    /* 0: does not wait */
    uint64_t arrival; /* of a wait: earlier ones have smaller numbers */
    uint32_t bypassed;
};

struct model {
    struct claim claims[SIM_OWNERS][SIM_NAMES];
    bool dead[SIM_OWNERS];
    uint64_t next_arrival;
};

/* Granted? If not, and may_wait: it waits now. */
bool model_request(struct model *m, int owner, int name, uint32_t mode,
                   bool may_wait);
/* Hold no more than mode any longer, and do not wait. */
void model_lower(struct model *m, int owner, int name, uint32_t mode);
/* Grant a wait that only the gate keeps back. */
void model_pass_gate(struct model *m, int owner, int name);

/* Somebody looks whether it, or another, can be granted the name now. */
void model_look(struct model *m, int name);

/* Who could be granted the slot and is not, or -1. */
int model_next_for_slot(const struct model *m);
/* What may never be, as a sentence, or NULL: holders that conflict; someone who
 * waits and could be granted (but the slot). */
const char *model_broken(const struct model *m);
/* The name that owner waits for, or -1. */
int model_waits_for(const struct model *m, int owner);
/* Does owner wait, though no holder is in its way? */
bool model_is_gated(const struct model *m, int owner);
/* Who waits, over others, for itself: a bit for each owner. With hard: not
 * counting waits for the gate. */
uint32_t model_in_cycles(const struct model *m, bool hard);
/* Does owner wait for a dead one? */
bool model_waits_for_dead(const struct model *m, int owner);

#endif
