/* SPDX-License-Identifier: MIT
 * A line of progress on stderr while a command works, shown only on a terminal;
 * counts as people read them. */
#ifndef RLK_CLI_PROGRESS_H
#define RLK_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct rlk_progress {
    bool terminal, visible;
    int64_t start_ms, shown_ms;
};

void rlk_progress_start(struct rlk_progress *p);
/* Now and then: "12,500 records, 31,000 a second". */
void rlk_progress_show(struct rlk_progress *p, uint64_t records);
/* Before anything else is said, and at the end. */
void rlk_progress_clear(struct rlk_progress *p);
/* Since the start. */
double rlk_progress_seconds(const struct rlk_progress *p);

enum { RLK_COUNT_TEXT = 32 };
/* "12,500"; answers the length. */
int rlk_count_print(uint64_t n, char ret_text[RLK_COUNT_TEXT]);

#endif
