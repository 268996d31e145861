/* SPDX-License-Identifier: MIT
 * The contract is in moment.h. */
#include "cli/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "record/value.h"

static const int64_t second_us = 1000000;

bool
rlk_moment_read(rowlock_value stored, int64_t *ret_us)
{
    const int64_t epoch_s = INT64_C(62135596800); /* since the year 1 */
    int64_t us;
    if (!rlk_time_read(RLK_TYPE_TIMESTAMP, stored, &us) ||
        us < epoch_s * second_us)
        return false;
    *ret_us = us - epoch_s * second_us;
    return true;
}

int64_t
rlk_moment_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * second_us + now.tv_nsec / 1000;
}

int64_t
rlk_moment_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void
rlk_moment_print(int64_t us, char ret_text[RLK_MOMENT_TEXT])
{
    time_t seconds = (time_t)(us / second_us);
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(ret_text, RLK_MOMENT_TEXT, "%Y-%m-%d %H:%M:%S", &local);
}

void
rlk_moment_iso(int64_t us, char ret_text[RLK_MOMENT_TEXT])
{
    time_t seconds = (time_t)(us / second_us);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t n = strftime(ret_text, RLK_MOMENT_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + n, RLK_MOMENT_TEXT - n, ".%06" PRId64 "Z",
             us % second_us);
}
