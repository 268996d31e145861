/* SPDX-License-Identifier: MIT
 * The lock table's counters, in a line for people and an object for programs.
 */
#ifndef RLK_CLI_COUNTERS_H
#define RLK_CLI_COUNTERS_H

#include "base/text.h"
#include "rowlock/lock.h"

enum { RLK_LONG_WAIT_MS = 10000 }; /* somebody should look who holds so long */

/* "since 3 h: 3456 granted, 12 waited (850 ms at most, 1.2 s in all), 1 in
 * vain" */
void rlk_counters_waits(struct rlk_buf *buf, const rowlock_lock_counters *c);
/* "0 deadlocks, 2 replays, 0 bypasses, 1 died, 0 rebuilds" */
void rlk_counters_events(struct rlk_buf *buf, const rowlock_lock_counters *c);
void rlk_counters_json(struct rlk_buf *buf, const rowlock_lock_counters *c);

#endif
