/* SPDX-License-Identifier: MIT
 * What a dry run of `rowlock sync` says of each change, on stdout. */
#ifndef RLK_CLI_DRY_H
#define RLK_CLI_DRY_H

#include "sync/sync.h"

/* For people: the record, then a line for each column, old -> new. */
void rlk_dry_show(const struct rlk_sync_change *change);
/* One line, as docs/json-output.md says. */
void rlk_dry_print_json(const struct rlk_sync_change *change);

#endif
