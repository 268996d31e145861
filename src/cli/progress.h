/* SPDX-License-Identifier: MIT
 * A line of progress on stderr while a command works, shown only on a terminal
 * and no wider than it. Where there is none, waits over a second are said as
 * lines of their own. All but the notes belong to one thread, the one that
 * speaks. */
#ifndef RLK_CLI_PROGRESS_H
#define RLK_CLI_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "rowlock/lock.h"

struct rlk_progress_state { /* what the line tells */
    uint64_t records, pages;
    int64_t elapsed_ms;
    int64_t again_ms; /* until the source is asked again; 0: it is not put
                         off */
    char why[256];    /* it is put off */
    char held[256];   /* what is waited for, and who has it; "": nothing */
};

struct rlk_progress {
    bool terminal, visible;
    int64_t start_ms, shown_ms;
    uint64_t records;
    char held[256];
    char line[512]; /* on the screen, while visible */

    pthread_mutex_t lock; /* guards what the reading thread notes */
    uint64_t pages;
    int64_t until_ms; /* the source is put off until then; 0: it is not */
    int64_t wait_ms;  /* for so long */
    bool unsaid;      /* of this wait nothing was said */
    char why[256];
};

void rlk_progress_start(struct rlk_progress *p);
/* After a commit: so many records in all. */
void rlk_progress_show(struct rlk_progress *p, uint64_t records);
/* Nothing new but the time, and what was noted. */
void rlk_progress_tick(struct rlk_progress *p);
/* A record is waited for, until the next call of rlk_progress_show(). */
void rlk_progress_held(struct rlk_progress *p,
                       const rowlock_wait_notice *notice);
/* Before anything else is said, and at the end. */
void rlk_progress_clear(struct rlk_progress *p);
/* Since the start. */
double rlk_progress_seconds(const struct rlk_progress *p);
uint64_t rlk_progress_pages(struct rlk_progress *p);

/* ---- notes, from any thread; arg is the struct (see rlk_source_watch) ---- */

void rlk_progress_note_wait(int64_t ms, const char *why, void *arg);
void rlk_progress_note_pages(uint64_t pages, void *arg);

/* ---- progress_line.c ---- */

/* The line for a terminal so many columns wide: what matters least is left out
 * first, what is waited for last. One column stays free, so that no terminal
 * begins another line. */
void rlk_progress_line(const struct rlk_progress_state *s, int columns,
                       struct rlk_buf *ret);

enum { RLK_COUNT_TEXT = 32 };
/* "12,500"; answers the length. */
int rlk_count_print(uint64_t n, char ret_text[RLK_COUNT_TEXT]);

#endif
