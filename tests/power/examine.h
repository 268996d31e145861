/* SPDX-License-Identifier: MIT
 * The power is cut at many points of the log, in many ways, and each time what
 * is found must hold: the database is sound, the commits in it are the first n,
 * and every one that was acknowledged before the cut is among them. */
#ifndef POWER_EXAMINE_H
#define POWER_EXAMINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "power/work.h"
#include "support/support.h"

struct plan {
    uint64_t seed;
    const struct work *work; /* its seed and filler */
    /* All points next to what is no write, and of the others so many, evenly
     * spread. */
    size_t points;
    int draws; /* images at random a point, of each kind */
};

enum fault { FAULT_NONE, FAULT_LOST, FAULT_UNSOUND };

struct examined {
    enum fault fault; /* the first; with it the examination ends */
    char why[4 * SUPPORT_TEXT];
    size_t points, images, opened; /* images seen before are not opened again */
};

/* Of the log that is open; no other process writes to it any more. */
void examine(const struct plan *p, struct examined *ret);
/* The log, played without a cut, gives the files as they are: the machine has
 * seen everything. Fails the test otherwise. */
void examine_recording(void);

#endif
