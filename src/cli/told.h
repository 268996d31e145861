/* SPDX-License-Identifier: MIT
 * What `rowlock sync` says of one record. */
#ifndef RLK_CLI_TOLD_H
#define RLK_CLI_TOLD_H

#include "base/text.h"
#include "sync/sync.h"

/* '+' created, '*' updated, '=' unchanged, '!' rejected, '^' conflict,
 * '~' deferred; the same everywhere. */
char rlk_fate_symbol(enum rlk_fate fate);

/* For people, on stdout: what a dry run would write. The record, then a line
 * for each column, old -> new. */
void rlk_told_show(const struct rlk_sync_told *told);
/* For people, on stderr: a record that is left as it is, and why. */
void rlk_told_say(const struct rlk_sync_told *told);
/* One line, as docs/json-output.md says. dry: what would be. */
void rlk_told_json(struct rlk_buf *buf, const struct rlk_sync_told *told,
                   bool dry);

#endif
