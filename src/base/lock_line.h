/* SPDX-License-Identifier: MIT
 * A lock that is held or waited for: a line of `rowlock locks`, of any engine.
 */
#ifndef RLK_BASE_LOCK_LINE_H
#define RLK_BASE_LOCK_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

struct rlk_lock_line { /* a text is "" where there is none, or it is not known
                        */
    const char *kind;  /* "record", "key", "table" and others */
    const char *table, *key;
    const char *mode; /* held, or wanted when waiting: "update" ... */
    bool waiting;
    uint32_t owner;
    int64_t pid;
    int64_t age_ms;
    const char *label;    /* the owner's program */
    const char *activity; /* what it does now; NULL: engines do not say */
    const uint32_t *blocked_by;
    size_t n_blocked_by;
};

struct rlk_lock_lines { /* zeroed: none */
    struct rlk_lock_line *list;
    size_t n;
    struct rlk_arena arena; /* holds the list */
};

#endif
