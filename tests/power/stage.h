/* SPDX-License-Identifier: MIT
 * What each test of this folder does around its work: a database with an open
 * log, processes that work on it, the examination. */
#ifndef POWER_STAGE_H
#define POWER_STAGE_H

#include "power/examine.h"
#include "power/record_vfs.h"
#include "power/work.h"
#include "support/engine.h"

struct stage {
    struct database database;
    struct work work; /* the default: of each process a copy */
    struct record_settings harm;
    void (*play)(const struct work *w); /* work_with_rowlock, work_plainly */
};

/* page_size: bytes; 0: SQLite's own choice. */
void stage_open(struct stage *ret, uint64_t seed, int page_size);
void stage_close(struct stage *s);
/* A process that does s->play(s->work). */
void stage_child(struct stage *s, struct child *ret);
/* In the child, for those who start theirs themselves: note, and do harm. */
void stage_start(const struct stage *s);
void stage_examine(const struct stage *s, size_t points, int draws,
                   struct examined *ret);

#endif
