/* SPDX-License-Identifier: MIT
 * A table for people to read: columns lined up by what a terminal shows, the
 * last one not padded. */
#ifndef RLK_CLI_GRID_H
#define RLK_CLI_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/memory.h"

struct rlk_grid {
    size_t n_columns;
    uint32_t right; /* bit i: column i is lined up at its right, for numbers */
    size_t n_cells, cap;
    char **cells; /* row by row, in the arena */
    struct rlk_arena arena;
    bool failed; /* out of memory */
};

/* The next cell, from left to right. What would steer a terminal is made
 * visible. */
void rlk_grid_add(struct rlk_grid *grid, const char *text);
void rlk_grid_print(const struct rlk_grid *grid, FILE *out);
void rlk_grid_done(struct rlk_grid *grid);

#endif
