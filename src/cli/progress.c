/* SPDX-License-Identifier: MIT
 * One line, written over itself a few times a second. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EVERY_MS = 200 };

static int64_t
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

void
rlk_progress_start(struct rlk_progress *p)
{
    memset(p, 0, sizeof *p);
    p->terminal = isatty(STDERR_FILENO) == 1;
    p->start_ms = p->shown_ms = now_ms();
}

double
rlk_progress_seconds(const struct rlk_progress *p)
{
    return (double)(now_ms() - p->start_ms) / 1000;
}

void
rlk_progress_show(struct rlk_progress *p, uint64_t records)
{
    int64_t now = now_ms();
    if (!p->terminal || now - p->shown_ms < EVERY_MS)
        return;
    char count[RLK_COUNT_TEXT], rate[RLK_COUNT_TEXT];
    double seconds = (double)(now - p->start_ms) / 1000;
    rlk_count_print(records, count);
    rlk_count_print((uint64_t)((double)records / seconds), rate);
    fprintf(stderr, "\r%s records, %s a second\033[K", count, rate);
    fflush(stderr);
    p->visible = true;
    p->shown_ms = now;
}

void
rlk_progress_clear(struct rlk_progress *p)
{
    if (p->visible)
        fputs("\r\033[K", stderr);
    p->visible = false;
}

int
rlk_count_print(uint64_t n, char ret_text[RLK_COUNT_TEXT])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    int out = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            ret_text[out++] = ',';
        ret_text[out++] = digits[i];
    }
    ret_text[out] = 0;
    return out;
}
