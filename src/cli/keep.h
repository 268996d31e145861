/* SPDX-License-Identifier: MIT
 * A sync's row in the history of runs. A run never fails for its history: why
 * its row could not be kept is said, and the run goes on. */
#ifndef RLK_CLI_KEEP_H
#define RLK_CLI_KEEP_H

#include "cli/target.h"
#include "sync/history.h"

/* With fits, the table of the history is made where there is none: not in a
 * database that may be the wrong one. */
void rlk_keep_begin(struct rlk_history *h, const struct rlk_target *t,
                    const struct rlk_definition *d, bool fits);
/* For a dry run: only what an earlier run knows. */
void rlk_keep_look(struct rlk_history *h, const struct rlk_target *t,
                   const struct rlk_definition *d);
void rlk_keep_end(struct rlk_history *h, const struct rlk_history_end *end);

#endif
