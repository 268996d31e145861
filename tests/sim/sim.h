/* SPDX-License-Identifier: MIT
 * A world of owners that do anything in any order, on the real core in private
 * memory: each event is one word, so a run is an array of words that can be
 * played again and made shorter. See README.md. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* How the owners' work is cut. */
enum sim_mode {
    SIM_WHOLE, /* an operation is one event; each is compared with the model */
    SIM_CUT    /* each hold of the latch is an event of its own, and short */
};

/* Faults on purpose, to see that they are seen. */
enum sim_plant {
    SIM_NO_FAULT,
    SIM_GRANT_ANYWAY,   /* a waiter is granted against a holder */
    SIM_LOSE_A_PLACE,   /* a waiter goes to the end of the queue */
    SIM_FORGET_A_GRANT, /* a lock goes back and nobody looks at the queue */
    SIM_SEE_NO_CYCLE,   /* nobody looks for deadlocks */
    SIM_SEE_NO_DEATH,   /* nobody is ever buried */
    SIM_KEEP_A_LOCK,    /* a rollback to a savepoint gives back one too few */
    SIM_OPEN_GATE,      /* bypasses are not counted */
    SIM_PLANTS
};

struct sim_result {
    const char *failure; /* NULL: none */
    size_t at;           /* after so many events */
    uint64_t grants, waits, deadlocks, gated, bypasses, burials;
};

/* Play n events. log: where to tell them, or NULL. */
struct sim_result sim_run(const uint32_t *events, size_t n, enum sim_mode mode,
                          enum sim_plant plant, FILE *log);

/* Events of a seed. */
void sim_draw(uint64_t seed, uint32_t *ret_events, size_t n);
/* Leave out what the failure does not need; the number that remains. */
size_t sim_shrink(uint32_t *events, size_t n, enum sim_mode mode,
                  enum sim_plant plant);

#endif
