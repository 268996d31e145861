/* SPDX-License-Identifier: MIT
 * How a run of `rowlock sync` ended, on stdout. */
#ifndef RLK_CLI_SUMMARY_H
#define RLK_CLI_SUMMARY_H

#include "base/text.h"
#include "sync/sync.h"

struct rlk_summary {
    const char *name; /* the definition's */
    const struct rlk_sync_report *report;
    double seconds;
    bool dry;
    bool is_unread; /* the source says it is unchanged since since_us */
    int64_t since_us;
};

/* For people. */
void rlk_summary_print(const struct rlk_summary *s);
/* One line, as docs/json-output.md says. err: NULL when the run went through.
 */
void rlk_summary_json(struct rlk_buf *buf, const struct rlk_summary *s,
                      const rowlock_error *err);

#endif
