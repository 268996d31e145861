/* SPDX-License-Identifier: MIT */
#include "cli/counters.h"

#include <inttypes.h>
#include <time.h>

void
rlk_counters_waits(struct rlk_buf *buf, const rowlock_lock_counters *c)
{
    char age[32], longest[32], all[32];
    int64_t seconds = (int64_t)time(NULL) - c->since_s;
    rlk_duration_print(seconds > 0 ? seconds * 1000 : 0, age, sizeof age);
    rlk_duration_print((int64_t)c->longest_ms, longest, sizeof longest);
    rlk_duration_print((int64_t)c->waited_ms, all, sizeof all);
    rlk_buf_format(buf, "since %s: %" PRIu64 " granted, %" PRIu64 " waited",
                   age, c->grants, c->waits);
    if (c->waits)
        rlk_buf_format(buf, " (%s at most, %s in all)", longest, all);
    rlk_buf_format(buf, ", %" PRIu64 " in vain", c->in_vain);
}

void
rlk_counters_events(struct rlk_buf *buf, const rowlock_lock_counters *c)
{
    rlk_buf_format(buf,
                   "%" PRIu64 " deadlocks, %" PRIu64 " replays, %" PRIu64
                   " bypasses, %" PRIu64 " died, %" PRIu64 " rebuilds",
                   c->deadlocks, c->replays, c->bypasses, c->reaps,
                   c->rebuilds);
}

void
rlk_counters_json(struct rlk_buf *buf, const rowlock_lock_counters *c)
{
    rlk_buf_format(buf,
                   "{\"since\": %" PRId64 ", \"grants\": %" PRIu64
                   ", \"waits\": %" PRIu64 ", \"in_vain\": %" PRIu64
                   ", \"waited_ms\": %" PRIu64 ", \"longest_ms\": %" PRIu64,
                   c->since_s, c->grants, c->waits, c->in_vain, c->waited_ms,
                   c->longest_ms);
    rlk_buf_format(buf,
                   ", \"deadlocks\": %" PRIu64 ", \"replays\": %" PRIu64
                   ", \"bypasses\": %" PRIu64 ", \"reaps\": %" PRIu64
                   ", \"rebuilds\": %" PRIu64 "}",
                   c->deadlocks, c->replays, c->bypasses, c->reaps,
                   c->rebuilds);
}
