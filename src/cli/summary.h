/* SPDX-License-Identifier: MIT
 * How a run of `rowlock sync` ended, on stdout. */
#ifndef RLK_CLI_SUMMARY_H
#define RLK_CLI_SUMMARY_H

#include "base/text.h"
#include "sync/sync.h"

struct rlk_summary {
    const struct rlk_definition *d;
    const struct rlk_sync_report *report;
    int status; /* the exit status */
    double seconds;
    uint64_t pages; /* 0: the source has none */
    bool dry;
    int64_t began_us; /* 0: that is not said */
    bool is_unread;   /* the source says it is unchanged since since_us */
    int64_t since_us;
};

/* For people. err: NULL when the run went through; it is said elsewhere. */
void rlk_summary_print(const struct rlk_summary *s, const rowlock_error *err);
/* One line, as docs/json-output.md says. */
void rlk_summary_json(struct rlk_buf *buf, const struct rlk_summary *s,
                      const rowlock_error *err);

#endif
