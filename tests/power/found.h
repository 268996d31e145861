/* SPDX-License-Identifier: MIT
 * What plain SQLite finds in the files that a power cut left. */
#ifndef POWER_FOUND_H
#define POWER_FOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "power/cut.h"
#include "power/work.h"
#include "support/support.h"

enum { FOUND_COMMITS = 1000 };

struct found {
    bool sound; /* or why not: */
    char why[SUPPORT_TEXT];
    int n;                          /* commits 1 .. n are there, no others */
    uint8_t writers[FOUND_COMMITS]; /* of commit i + 1 */
};

/* Writes image into folder, opens it there with SQLite's own VFS, and looks. w:
 * the seed and the filler of the work. */
void found_look(const struct folder *folder, const struct cut_image *image,
                const struct work *w, struct found *ret);

#endif
